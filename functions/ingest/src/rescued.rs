//! Values beside their columns: which columns they were rescued from, so that the user is told by name, and one that is rescued late.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, StringArray};
use decode::infer::Conflict;
use decode::schema::{Field, SOURCE_NAME, TableSchema, Type};
use runs::RESCUED_DATA;
use serde_json::Value;

use crate::IngestError;

/// How many rescued rows of a run are looked at: enough to name the columns, however many rows there are.
const LOOKED_AT: usize = 200;

/// How many columns are named: a hostile record can have hundreds of thousands.
const NAMED: usize = 50;

/// How much of a value is shown, in characters.
const SHOWN: usize = 60;

/// The columns that the rescued values of these rows were meant for, each once with an example; `file_of` names a row's drop.
pub(crate) fn conflicts(
    rescued: &StringArray,
    schema: &TableSchema,
    file_of: &dyn Fn(usize) -> String,
) -> Vec<Conflict> {
    let mut found: Vec<Conflict> = Vec::new();
    let rows = (0..rescued.len()).filter(|row| rescued.is_valid(*row)).take(LOOKED_AT);
    for row in rows {
        if found.len() >= NAMED {
            break;
        }
        // What was rescued is JSON of our own making; a name that stands twice in it is shown once.
        if let Ok(Value::Object(members)) = serde_json::from_str(rescued.value(row)) {
            for (name, value) in &members {
                note(&mut found, name, value, field_type(&schema.fields, name), &|| file_of(row));
            }
        }
    }
    found
}

fn note(found: &mut Vec<Conflict>, path: &str, value: &Value, data_type: Option<&Type>, file: &dyn Fn() -> String) {
    match (data_type, value) {
        // Placeholders of elements that fit.
        (_, Value::Null) => {}
        _ if found.len() >= NAMED => {}
        (Some(Type::Struct(fields)), Value::Object(members)) => {
            for (name, value) in members {
                note(found, &format!("{path}.{name}"), value, field_type(fields, name), file);
            }
        }
        (Some(Type::List(element)), Value::Array(values)) => {
            for value in values {
                note(found, &format!("{path}.element"), value, Some(element), file);
            }
        }
        _ if found.iter().any(|known| known.column == path) => {}
        (data_type, value) => found.push(describe(path, value, data_type, &file())),
    }
}

fn describe(path: &str, value: &Value, data_type: Option<&Type>, file: &str) -> Conflict {
    let text = value.to_string();
    let cut = text.char_indices().nth(SHOWN).map_or(text.as_str(), |(end, _)| &text[..end]);
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
                "types of a table never change: read them from _rescued_data, or ingest into a new table with schema_hints = \"{path} TYPE\""
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

/// Delta reads the empty string in a partition column as null, so it is rescued: nothing is lost.
pub(crate) fn keep_empty_partitions(
    rows: RecordBatch,
    partition_columns: &[String],
) -> Result<RecordBatch, IngestError> {
    let mut rows = rows;
    for name in partition_columns {
        let schema = rows.schema();
        let (Ok(at), Ok(to)) = (schema.index_of(name), schema.index_of(RESCUED_DATA)) else { continue };
        let (Some(values), Some(rescued)) =
            (rows.column(at).as_string_opt::<i32>(), rows.column(to).as_string_opt::<i32>())
        else {
            continue;
        };
        if values.iter().all(|value| value != Some("")) {
            continue;
        }
        let source_name = schema.field(at).metadata().get(SOURCE_NAME).unwrap_or(name);
        let kept: StringArray = values
            .iter()
            .zip(rescued)
            .map(|(value, rescued)| match value {
                Some("") => Some(with_empty(rescued, source_name)),
                _ => rescued.map(str::to_owned),
            })
            .collect();
        let values: StringArray = values.iter().map(|value| value.filter(|value| !value.is_empty())).collect();
        let mut columns = rows.columns().to_vec();
        (columns[at], columns[to]) = (Arc::new(values), Arc::new(kept));
        rows = RecordBatch::try_new(schema, columns).map_err(|e| IngestError::Internal(e.to_string()))?;
    }
    Ok(rows)
}

/// The rescued JSON with an empty string under a name; what stands there is kept to the letter.
fn with_empty(rescued: Option<&str>, name: &str) -> String {
    let member = format!("{}:\"\"", Value::from(name));
    match rescued.and_then(|rescued| rescued.strip_suffix('}')).filter(|open| open.len() > 1) {
        Some(open) => format!("{open},{member}}}"),
        None => format!("{{{member}}}"),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::ArrayRef;

    use super::*;

    #[test]
    fn an_empty_string_that_cannot_be_a_partition_is_rescued() {
        let text = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
        let rows = RecordBatch::try_from_iter_with_nullable([
            ("day", text(vec![Some(""), Some("a"), None, Some("")]), true),
            (RESCUED_DATA, text(vec![None, None, None, Some("{\"x\":1}")]), true),
        ]);
        let kept = keep_empty_partitions(rows.unwrap(), &["day".to_owned()]).unwrap();
        assert_eq!(kept.column(0), &text(vec![None, Some("a"), None, None]));
        assert_eq!(kept.column(1), &text(vec![Some("{\"day\":\"\"}"), None, None, Some("{\"x\":1,\"day\":\"\"}")]));
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
        let found = conflicts(&rescued, &schema, &|row| format!("{row}.json"));
        let mut columns: Vec<_> =
            found.iter().map(|c| (c.column.as_str(), c.reason.split(" and ").next().unwrap())).collect();
        columns.sort_unstable();
        let expected = [("ID", "7 in 2.json"), ("customer.zip.element", "\"x\" in 2.json"), ("price", "1.5 in 0.json")];
        assert_eq!(columns, expected);
    }
}
