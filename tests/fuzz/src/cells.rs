//! A batch of rows as plain values. Every array must be valid to its last offset.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use serde_json::{Map, Value, json};

/// A row: its data columns, and what was rescued of its record.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The columns that are not null, days and microseconds as numbers.
    pub cells: Value,
    /// The text of `_rescued_data`.
    pub rescued: Option<String>,
}

/// The rows of a batch whose last column is `_rescued_data`.
pub fn rows(batch: &RecordBatch) -> Vec<Row> {
    for column in batch.columns() {
        column.to_data().validate_full().expect("arrays are valid");
        assert_eq!(column.len(), batch.num_rows());
    }
    let rescued = batch.column(batch.num_columns() - 1).as_string::<i32>();
    let row = |row: usize| {
        let mut cells = Map::new();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()).rev().skip(1) {
            if column.is_valid(row) {
                cells.insert(field.name().clone(), cell(column, row));
            }
        }
        Row { cells: Value::Object(cells), rescued: rescued.is_valid(row).then(|| rescued.value(row).to_owned()) }
    };
    (0..batch.num_rows()).map(row).collect()
}

/// A cell; the nulls within a struct are left away.
fn cell(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            assert!(value.is_finite(), "{value} is in no file");
            json!(value)
        }
        DataType::Utf8 => json!(column.as_string::<i32>().value(row)),
        DataType::Date32 => json!(column.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(_, zone) => {
            assert_eq!(zone.as_deref(), Some("UTC"));
            json!(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Struct(fields) => {
            let columns = column.as_struct();
            let members = fields.iter().zip(columns.columns()).filter(|(_, column)| column.is_valid(row));
            Value::Object(members.map(|(field, column)| (field.name().clone(), cell(column, row))).collect())
        }
        DataType::List(_) => {
            let elements = column.as_list::<i32>().value(row);
            (0..elements.len()).map(|element| cell(&elements, element)).collect()
        }
        other => panic!("decoding writes no {other}"),
    }
}
