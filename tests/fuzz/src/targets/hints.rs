//! Schema hints, as people write them.
//!
//! - Errors, or a schema that says itself as hints again and is the same then.

use decode::hints::{Hints, quoted};
use decode::infer::Observed;
use decode::schema::{Field, TableSchema, Type};

pub(super) fn check(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let hints = match Hints::parse(text) {
        Ok(hints) => hints,
        Err(errors) => {
            assert!(!errors.is_empty() && errors.iter().all(|error| !error.to_string().is_empty()));
            return false;
        }
    };
    let schema = schema_of(&hints);
    let written: Vec<String> = schema.fields.iter().map(written).collect();
    let again = Hints::parse(&written.join(", ")).unwrap_or_else(|errors| panic!("{written:?}: {errors:?}"));
    let names = |schema: &TableSchema| schema.fields.iter().map(|field| field.source_name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&schema_of(&again)), names(&schema));
    assert_eq!(schema_of(&again), schema, "{written:?}");
    true
}

fn schema_of(hints: &Hints) -> TableSchema {
    Observed::new().resolve(hints, None).schema
}

fn written(field: &Field) -> String {
    format!("{} {}", quoted(&field.source_name), type_text(&field.data_type))
}

fn type_text(data_type: &Type) -> String {
    match data_type {
        Type::List(element) => format!("array<{}>", type_text(element)),
        Type::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{}: {}", quoted(&field.source_name), type_text(&field.data_type)))
                .collect();
            format!("struct<{}>", fields.join(", "))
        }
        scalar => scalar.to_string(),
    }
}
