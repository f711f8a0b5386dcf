//! Rows: what fits, what is rescued, what is told of; and that nothing is lost whatever comes.

mod chunks;
mod csv;
mod evolution;
mod json;
mod lossless;
mod misfits;
mod rollback;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use serde_json::{Map, Value, json};

use super::*;
use crate::hints::Hints;
use crate::schema::Type;

/// A schema, written as hints.
fn schema(ddl: &str) -> Arc<TableSchema> {
    Arc::new(Observed::new().resolve(&Hints::parse(ddl).unwrap(), None).schema)
}

fn rows(ddl: &str) -> Rows {
    Rows::new(schema(ddl))
}

/// The rows of these records: their columns without the nulls, and what was rescued.
fn fitted(ddl: &str, records: &[&str]) -> Vec<(Value, Option<String>)> {
    let mut rows = rows(ddl);
    for record in records {
        rows.append_json(record).unwrap();
    }
    read(&rows.finish())
}

/// The same for CSV, a leading quote for a field in quotes.
fn fitted_csv(ddl: &str, header: &[&str], records: &[&[&str]]) -> Vec<(Value, Option<String>)> {
    let mut rows = rows(ddl);
    rows.set_csv_header(&header.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    for record in records {
        rows.append_csv(&fields(record)).unwrap();
    }
    read(&rows.finish())
}

fn fields<'a>(record: &[&'a str]) -> Vec<CsvField<'a>> {
    let field = |text: &&'a str| match text.strip_prefix('"') {
        Some(text) => CsvField { text, quoted: true },
        None => CsvField { text, quoted: false },
    };
    record.iter().map(field).collect()
}

/// Reads a batch back. It must be valid to the last offset.
fn read(batch: &RecordBatch) -> Vec<(Value, Option<String>)> {
    for column in batch.columns() {
        column.to_data().validate_full().unwrap();
        assert_eq!(column.len(), batch.num_rows());
    }
    let rescued = batch.column(batch.num_columns() - 1).as_string::<i32>();
    let row = |row: usize| {
        let mut columns = Map::new();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()).rev().skip(1) {
            if column.is_valid(row) {
                columns.insert(field.name().clone(), cell(column, row));
            }
        }
        (Value::Object(columns), rescued.is_valid(row).then(|| rescued.value(row).to_owned()))
    };
    (0..batch.num_rows()).map(row).collect()
}

/// A cell as JSON; days and microseconds as numbers, nulls within a struct left away.
fn cell(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => json!(column.as_primitive::<Float64Type>().value(row)),
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
        other => panic!("{other}"),
    }
}

fn kept(value: Value) -> (Value, Option<String>) {
    (value, None)
}

fn rescued(value: Value, rescued: &str) -> (Value, Option<String>) {
    (value, Some(rescued.to_owned()))
}
