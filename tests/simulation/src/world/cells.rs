//! What a row's cells hold, and what they must hold: the record that its supplier put there, no more and no less.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::display::array_value_to_string;
use arrow_schema::DataType;
use runs::RESCUED_DATA;
use serde_json::{Map, Value};

/// The cells of a row that are not null, by the names of their columns.
pub(super) type Cells = BTreeMap<String, Value>;

/// A cell as JSON.
pub(super) fn cell(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).into(),
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::Struct(fields) => {
            let members = fields.iter().zip(column.as_struct().columns());
            let members = members.map(|(field, child)| (field.name().clone(), cell(child, row)));
            Value::Object(members.filter(|(_, value)| !value.is_null()).collect())
        }
        // None of the suppliers' records has such; shown, so that it differs from whatever is expected.
        _ => array_value_to_string(column, row).unwrap_or_default().into(),
    }
}

/// Why a row's cells are not what the record at this ordinal of a drop says; `None`: they are.
pub(super) fn differs(cells: &Cells, drop: &[u8], ordinal: i64) -> Option<String> {
    let line = usize::try_from(ordinal).ok().and_then(|at| drop.split(|byte| *byte == b'\n').nth(at));
    let Some(Value::Object(record)) = line.and_then(|line| serde_json::from_slice(line).ok()) else {
        return Some(format!("row {ordinal} is no record of it"));
    };
    match told(cells) {
        Ok(told) if is_same(&told, &record) => None,
        Ok(_) => Some(format!("row {ordinal} has the cells {cells:?}, and its record is {record:?}")),
        Err(why) => Some(format!("row {ordinal}: {why}")),
    }
}

/// The record that cells tell: what is in columns, and what was rescued; nothing in both.
fn told(cells: &Cells) -> Result<Map<String, Value>, String> {
    let mut told: Map<String, Value> = Map::new();
    for (name, value) in cells.iter().filter(|(name, _)| *name != RESCUED_DATA) {
        told.insert(name.clone(), value.clone());
    }
    let Some(text) = cells.get(RESCUED_DATA) else { return Ok(told) };
    let rescued = text.as_str().and_then(|text| serde_json::from_str(text).ok());
    let Some(Value::Object(rescued)) = rescued else { return Err(format!("what was rescued is no object: {text}")) };
    for (name, value) in rescued {
        if told.contains_key(&name) {
            return Err(format!("{name} is in its column, and was rescued: {cells:?}"));
        }
        told.insert(name, value);
    }
    Ok(told)
}

fn is_same(told: &Map<String, Value>, record: &Map<String, Value>) -> bool {
    told.len() == record.len()
        && record.iter().all(|(name, value)| told.get(name).is_some_and(|cell| means(cell, value)))
}

/// A column of text holds another value as the text that stood in the record.
fn means(cell: &Value, value: &Value) -> bool {
    match (cell, value) {
        (Value::Object(cell), Value::Object(value)) => is_same(cell, value),
        (Value::String(text), Value::Number(_) | Value::Bool(_)) => {
            let shown = value.to_string();
            shown == *text
        }
        (cell, value) => cell == value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DROP: &[u8] = b"{\"id\":1,\"a\":2}\n{\"id\":1,\"a\":\"text\",\"c\":{\"d\":true}}\nno record\n";

    fn cells(text: &str) -> Cells {
        serde_json::from_str(text).expect("an object")
    }

    #[test]
    fn cells_are_a_records_own_or_they_differ() {
        let is = |ordinal, text| differs(&cells(text), DROP, ordinal).is_none();
        assert!(is(0, r#"{"id":1,"a":2}"#));
        assert!(is(0, r#"{"id":1,"a":"2"}"#), "a column of text");
        assert!(is(0, r#"{"id":1,"_rescued_data":"{\"a\":2}"}"#));
        assert!(is(1, r#"{"id":1,"c":{"d":true},"_rescued_data":"{\"a\":\"text\"}"}"#));
        assert!(!is(0, r#"{"id":1}"#), "a cell was lost");
        assert!(!is(0, r#"{"id":1,"a":3}"#), "a cell is another's");
        assert!(!is(0, r#"{"id":1,"a":2,"b":"text"}"#), "a cell that no record has");
        assert!(!is(0, r#"{"id":1,"a":2,"_rescued_data":"{\"a\":2}"}"#), "told twice");
        assert!(!is(1, r#"{"id":1,"a":"text","c":{}}"#), "a cell within a cell was lost");
        assert!(!is(2, "{}"), "a bad record is no row");
        assert!(!is(9, "{}"), "there is no such record");
    }
}
