//! Values beside their columns: which columns they were rescued from, so that the user is told by name.

use std::collections::BTreeMap;

use arrow_array::{Array, StringArray};
use decode::hints::quoted;
use decode::infer::Conflict;
use decode::schema::{Field, TableSchema, Type};
use serde_json::value::RawValue;

/// How many rescued rows of a run are looked at: enough to name the columns, however many rows there are.
const LOOKED_AT: usize = 200;

/// How many columns are named: a hostile record can have hundreds of thousands.
const NAMED: usize = 50;

/// How much of a value is shown, in characters.
const SHOWN: usize = 60;

/// The members of a rescued object, or the elements of an array, each as its text: a number may be beyond what any type holds.
type Members<'a> = BTreeMap<String, &'a RawValue>;

/// The columns that the rescued values of these rows were meant for, each once with an example; `file_of` names a row's drop.
pub(crate) fn conflicts(
    rescued: &StringArray,
    schema: &TableSchema,
    partition_columns: &[String],
    file_of: &dyn Fn(usize) -> String,
) -> Vec<Conflict> {
    let mut found: Vec<Conflict> = Vec::new();
    let rows = (0..rescued.len()).filter(|row| rescued.is_valid(*row)).take(LOOKED_AT);
    for row in rows {
        if found.len() >= NAMED {
            break;
        }
        // What was rescued is JSON of our own making; a name that stands twice in it is shown once.
        let Ok(members) = serde_json::from_str::<Members<'_>>(rescued.value(row)) else { continue };
        for (name, value) in &members {
            let field = schema.fields.iter().find(|field| field.source_name == *name);
            let partitions = field.is_some_and(|field| partition_columns.contains(&field.name));
            if partitions && value.get() == "\"\"" {
                note_empty_partition(&mut found, name, &file_of(row));
            } else {
                note(&mut found, &quoted(name), value, field.map(|field| &field.data_type), &|| file_of(row));
            }
        }
    }
    found
}

fn note(found: &mut Vec<Conflict>, path: &str, value: &RawValue, data_type: Option<&Type>, file: &dyn Fn() -> String) {
    // Nulls are placeholders of elements that fit.
    if value.get() == "null" || found.len() >= NAMED {
        return;
    }
    match data_type {
        Some(Type::Struct(fields)) => {
            if let Ok(members) = serde_json::from_str::<Members<'_>>(value.get()) {
                for (name, value) in &members {
                    note(found, &format!("{path}.{}", quoted(name)), value, field_type(fields, name), file);
                }
                return;
            }
        }
        Some(Type::List(element)) => {
            if let Ok(values) = serde_json::from_str::<Vec<&RawValue>>(value.get()) {
                for value in values {
                    note(found, &format!("{path}.element"), value, Some(element), file);
                }
                return;
            }
        }
        _ => {}
    }
    if found.iter().all(|known| known.column != path) {
        found.push(describe(path, value, data_type, &file()));
    }
}

fn note_empty_partition(found: &mut Vec<Conflict>, name: &str, file: &str) {
    let column = quoted(name);
    if found.len() < NAMED && found.iter().all(|known| known.column != column) {
        let reason = format!(
            "the empty text, as in {file}, cannot be a partition's value, as Delta reads it as null: it is in _rescued_data"
        );
        let remedy = "read it from _rescued_data, or partition another table by another column".to_owned();
        found.push(Conflict { column, reason, remedy });
    }
}

fn describe(path: &str, value: &RawValue, data_type: Option<&Type>, file: &str) -> Conflict {
    let text = value.get();
    let cut = text.char_indices().nth(SHOWN).map_or(text, |(end, _)| &text[..end]);
    let dots = if cut.len() < text.len() { "..." } else { "" };
    let (reason, remedy) = match data_type {
        Some(Type::Other(other)) => (
            format!(
                "Lithify does not write columns of type {other}: {cut}{dots} in {file} and the like are in _rescued_data"
            ),
            "read them from _rescued_data".to_owned(),
        ),
        Some(data_type) => (
            format!("{cut}{dots} in {file} and the like do not fit {data_type} and are in _rescued_data"),
            format!(
                "types of a table never change: read them from _rescued_data, or ingest into a new table with schema_hints = \"{path} string\""
            ),
        ),
        None => (
            format!(
                "{cut}{dots} in {file} and the like have no column and are in _rescued_data: the value has no type yet, or the name is another column's but for case or forbidden characters"
            ),
            "read them from _rescued_data, or have the field renamed".to_owned(),
        ),
    };
    Conflict { column: path.to_owned(), reason, remedy }
}

fn field_type<'a>(fields: &'a [Field], source_name: &str) -> Option<&'a Type> {
    fields.iter().find(|field| field.source_name == source_name).map(|field| &field.data_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_number_type_holds_and_empty_partitions_are_named_too() {
        let schema = TableSchema { fields: vec![Field::new("v", Type::Double), Field::new("day", Type::String)] };
        let rescued = StringArray::from(vec![r#"{"v":1e400}"#, r#"{"day":""}"#, r#"{"day":""}"#]);
        let found = conflicts(&rescued, &schema, &["day".to_owned()], &|row| format!("{row}.json"));
        let [v, day] = &found[..] else { panic!("{found:?}") };
        assert!(v.column == "v" && v.reason.contains("1e400 in 0.json"), "{v:?}");
        assert!(day.column == "day" && day.reason.contains("as in 1.json, cannot be a partition's value"), "{day:?}");
    }

    #[test]
    fn each_column_is_named_once_with_an_example() {
        let nested = Type::Struct(vec![Field::new("zip", Type::List(Box::new(Type::Long)))]);
        let schema = TableSchema { fields: vec![Field::new("price", Type::Long), Field::new("customer", nested)] };
        let rescued = StringArray::from(vec![
            Some(r#"{"price":1.5}"#),
            None,
            Some(r#"{"price":"abc","customer":{"zip":[null,"x"]},"ID":7}"#),
        ]);
        let found = conflicts(&rescued, &schema, &[], &|row| format!("{row}.json"));
        let mut columns: Vec<_> =
            found.iter().map(|c| (c.column.as_str(), c.reason.split(" and ").next().unwrap())).collect();
        columns.sort_unstable();
        let expected = [("ID", "7 in 2.json"), ("customer.zip.element", "\"x\" in 2.json"), ("price", "1.5 in 0.json")];
        assert_eq!(columns, expected);
    }
}
