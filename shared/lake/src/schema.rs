//! Arrow schemas as Delta's JSON and back (Delta protocol, "Schema Serialization Format").
//!
//! Types map as Delta's own kernel maps them. Arrow types that the kernel would bend (unsigned numbers, nanoseconds, times of day) are
//! refused rather than written as something else. Every column is nullable: a file lacks the columns that came after it.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use buoyant_kernel::engine::arrow_conversion::{TryIntoArrow as _, TryIntoKernel as _};
use buoyant_kernel::schema::StructType;
use serde_json::{Map, Value};

/// The `schemaString` of a schema. The error names the column that Delta cannot hold.
///
/// `timestamps_without_zone` says whether the table's protocol has them. Of `previous`, the table's `schemaString` so far, what Arrow
/// cannot say is kept: the metadata of a field may hold numbers, which Arrow knows as text.
pub(crate) fn to_delta(
    schema: &Schema,
    timestamps_without_zone: bool,
    previous: Option<&str>,
) -> Result<String, String> {
    for field in schema.fields() {
        check(field.name(), field.data_type(), timestamps_without_zone)?;
    }
    let nullable = Schema::new(nullable(schema.fields()));
    let kernel: StructType = (&nullable).try_into_kernel().map_err(|error| error.to_string())?;
    let mut value = serde_json::to_value(&kernel).map_err(|error| error.to_string())?;
    if let Some(previous) = previous.and_then(|previous| serde_json::from_str(previous).ok()) {
        keep_metadata(&previous, &mut value);
    }
    Ok(value.to_string())
}

/// The Arrow schema that a `schemaString` says. The error says what in it is unknown.
pub(crate) fn from_delta(schema: &str) -> Result<SchemaRef, String> {
    let kernel: StructType = serde_json::from_str(schema).map_err(|error| error.to_string())?;
    let schema: Schema = (&kernel).try_into_arrow().map_err(|error| error.to_string())?;
    Ok(Arc::new(schema))
}

fn check(name: &str, data_type: &DataType, timestamps_without_zone: bool) -> Result<(), String> {
    match data_type {
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Boolean
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::Date32 => Ok(()),
        DataType::Decimal128(precision, scale) if *precision <= 38 && (0..=38).contains(scale) => Ok(()),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.eq_ignore_ascii_case("utc") => Ok(()),
        DataType::Timestamp(TimeUnit::Microsecond, None) if timestamps_without_zone => Ok(()),
        DataType::Struct(fields) => fields.iter().try_for_each(|field| {
            check(&format!("{name}.{}", field.name()), field.data_type(), timestamps_without_zone)
        }),
        DataType::List(element) | DataType::LargeList(element) => {
            check(&format!("{name}.element"), element.data_type(), timestamps_without_zone)
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => fields.iter().try_for_each(|field| {
                check(&format!("{name}.{}", field.name()), field.data_type(), timestamps_without_zone)
            }),
            other => Err(format!("the column {name} is a map of {other}, which Delta cannot hold")),
        },
        other => Err(format!("the column {name} has the type {other}, which the table cannot hold")),
    }
}

/// The same fields, nullable all the way down but for the keys of maps.
fn nullable(fields: &Fields) -> Fields {
    fields.iter().map(|field| nullable_field(field)).collect()
}

fn nullable_field(field: &Field) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(nullable(fields)),
        DataType::List(element) => DataType::List(nullable_field(element)),
        DataType::LargeList(element) => DataType::LargeList(nullable_field(element)),
        DataType::Map(entries, sorted) => DataType::Map(nullable_entries(entries), *sorted),
        other => other.clone(),
    };
    Arc::new(field.clone().with_data_type(data_type).with_nullable(true))
}

fn nullable_entries(entries: &Field) -> FieldRef {
    let DataType::Struct(fields) = entries.data_type() else { return Arc::new(entries.clone()) };
    let fields: Fields = fields
        .iter()
        .enumerate()
        .map(|(at, field)| match at {
            0 => field.clone(),
            _ => nullable_field(field),
        })
        .collect();
    Arc::new(entries.clone().with_data_type(DataType::Struct(fields)))
}

/// Gives the fields of `new` the metadata that those of `old` have, where Arrow knows it as text and the old is no text.
fn keep_metadata(old: &Value, new: &mut Value) {
    for part in ["elementType", "keyType", "valueType"] {
        if let (Some(old), Some(new)) = (old.get(part), new.get_mut(part)) {
            keep_metadata(old, new);
        }
    }
    let Some(old_fields) = old.get("fields").and_then(Value::as_array) else { return };
    let new_fields = new.get_mut("fields").and_then(Value::as_array_mut);
    for field in new_fields.into_iter().flatten() {
        let Some(before) = old_fields.iter().find(|before| before.get("name") == field.get("name")) else { continue };
        let old = before.get("metadata").and_then(Value::as_object);
        let new = field.get_mut("metadata").and_then(Value::as_object_mut);
        if let (Some(old), Some(new)) = (old, new) {
            keep_entries(old, new);
        }
        if let (Some(old), Some(new)) = (before.get("type"), field.get_mut("type")) {
            keep_metadata(old, new);
        }
    }
}

fn keep_entries(old: &Map<String, Value>, new: &mut Map<String, Value>) {
    for (key, value) in new {
        let Some(before) = old.get(key).filter(|before| !before.is_string()) else { continue };
        if value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()).as_ref() == Some(before) {
            *value = before.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn schema(fields: Vec<Field>) -> Schema {
        Schema::new(fields)
    }

    #[test]
    fn what_we_write_comes_back_the_same() {
        let timestamp = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let inner = DataType::Struct(Fields::from(vec![Field::new("x", DataType::Float64, true)]));
        let schema = schema(vec![
            Field::new("a", DataType::Int64, true)
                .with_metadata(HashMap::from([("lithify.sourceName".to_owned(), "A, b".to_owned())])),
            Field::new("when", timestamp, true),
            Field::new("day", DataType::Date32, true),
            Field::new("money", DataType::Decimal128(20, 4), true),
            Field::new("tags", DataType::List(Arc::new(Field::new("element", inner, true))), true),
            Field::new("_rescued_data", DataType::Utf8, true),
        ]);
        let delta = to_delta(&schema, false, None).expect("delta");
        let value: Value = serde_json::from_str(&delta).expect("json");
        assert_eq!(value["fields"][1]["type"], "timestamp");
        assert_eq!(value["fields"][0]["metadata"]["lithify.sourceName"], "A, b");
        assert_eq!(value["fields"][4]["type"]["containsNull"], true);
        assert_eq!(from_delta(&delta).expect("arrow").as_ref(), &schema);
    }

    #[test]
    fn every_column_becomes_nullable() {
        let entries = DataType::Struct(Fields::from(vec![
            Field::new("key", DataType::Utf8, false),
            Field::new("value", DataType::Int64, false),
        ]));
        let schema = schema(vec![
            Field::new("a", DataType::Int64, false),
            Field::new("m", DataType::Map(Arc::new(Field::new("key_value", entries, false)), false), false),
        ]);
        let value: Value = serde_json::from_str(&to_delta(&schema, false, None).expect("delta")).expect("json");
        assert_eq!(value["fields"][0]["nullable"], true);
        assert_eq!(value["fields"][1]["type"]["valueContainsNull"], true);
    }

    #[test]
    fn types_that_would_be_bent_are_refused_by_name() {
        let inner = DataType::Struct(Fields::from(vec![Field::new("b", DataType::UInt64, true)]));
        let reason = to_delta(&schema(vec![Field::new("a", inner, true)]), false, None).expect_err("refused");
        assert!(reason.contains("a.b"), "{reason}");
        let naive = schema(vec![Field::new("t", DataType::Timestamp(TimeUnit::Microsecond, None), true)]);
        assert!(to_delta(&naive, false, None).is_err());
        assert!(to_delta(&naive, true, None).is_ok());
    }

    #[test]
    fn numbers_in_the_metadata_of_others_stay_numbers() {
        let previous = r#"{"type":"struct","fields":[{"name":"a","type":{"type":"struct","fields":[
            {"name":"b","type":"long","nullable":true,"metadata":{"width":10,"comment":"10"}}]},"nullable":true,"metadata":{"ours":true}}]}"#;
        let schema = from_delta(previous).expect("arrow");
        let again: Value =
            serde_json::from_str(&to_delta(&schema, false, Some(previous)).expect("delta")).expect("json");
        assert_eq!(again["fields"][0]["metadata"], serde_json::json!({"ours": true}));
        assert_eq!(
            again["fields"][0]["type"]["fields"][0]["metadata"],
            serde_json::json!({"width": 10, "comment": "10"})
        );
    }
}
