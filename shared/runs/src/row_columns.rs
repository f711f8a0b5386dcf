//! The columns that every row carries beside its data: where it came from, and what did not fit.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use decode::schema::{TableSchema, timestamp_type};

/// The drop's S3 address, or its path relative to the source.
pub const SOURCE_FILE: &str = "_source_file";
/// The drop's version id or etag.
pub const SOURCE_VERSION: &str = "_source_version";
/// The record's ordinal in the drop from 0, bad records counted.
pub const SOURCE_ROW: &str = "_source_row";
/// When the drop was last modified.
pub const SOURCE_TIME: &str = "_source_time";
/// When the batch was ingested.
pub const INGESTED_AT: &str = "_ingested_at";
/// A JSON object of what did not fit; null if everything did.
pub const RESCUED_DATA: &str = "_rescued_data";

/// The row columns in the table's order.
pub fn row_column_fields() -> [Field; 6] {
    [
        Field::new(SOURCE_FILE, DataType::Utf8, true),
        Field::new(SOURCE_VERSION, DataType::Utf8, true),
        Field::new(SOURCE_ROW, DataType::Int64, true),
        Field::new(SOURCE_TIME, timestamp_type(), true),
        Field::new(INGESTED_AT, timestamp_type(), true),
        Field::new(RESCUED_DATA, DataType::Utf8, true),
    ]
}

/// Whether a column of this name is a row column. Delta tells no case apart, so neither does this.
pub fn is_row_column(name: &str) -> bool {
    [SOURCE_FILE, SOURCE_VERSION, SOURCE_ROW, SOURCE_TIME, INGESTED_AT, RESCUED_DATA]
        .iter()
        .any(|column| column.eq_ignore_ascii_case(name))
}

/// The schema of a table: its data columns, then the row columns.
pub fn table_schema(data: &TableSchema) -> SchemaRef {
    let columns =
        data.to_arrow().iter().cloned().chain(row_column_fields().into_iter().map(Arc::new)).collect::<Vec<_>>();
    Arc::new(Schema::new(columns))
}

/// The data columns of a table, wherever the row columns stand among them.
pub fn data_schema(schema: &Schema) -> TableSchema {
    let data = schema.fields().iter().filter(|field| !is_row_column(field.name()));
    TableSchema { fields: data.map(|field| decode::schema::Field::from_arrow(field)).collect() }
}

#[cfg(test)]
mod tests {
    use decode::schema::{Field, Type};

    use super::*;

    #[test]
    fn a_table_is_its_data_columns_and_the_row_columns_at_the_end() {
        let data = TableSchema {
            fields: vec![
                Field { name: "a_b".into(), source_name: "a b".into(), data_type: Type::Long },
                Field::new("s", Type::Struct(vec![Field::new("x", Type::List(Box::new(Type::Date)))])),
            ],
        };
        let schema = table_schema(&data);
        let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(
            names,
            ["a_b", "s", SOURCE_FILE, SOURCE_VERSION, SOURCE_ROW, SOURCE_TIME, INGESTED_AT, RESCUED_DATA]
        );
        assert_eq!(data_schema(&schema), data);
    }

    #[test]
    fn row_columns_are_known_in_any_case() {
        assert!(is_row_column("_Source_FILE") && is_row_column("_rescued_data"));
        assert!(!is_row_column("source_file") && !is_row_column("_source"));
    }
}
