//! Table files as others read and write them: where each row came from, and what its cells hold.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use runs::{INGESTED_AT, SOURCE_FILE, SOURCE_ROW, SOURCE_TIME, SOURCE_VERSION, is_row_column};

use super::cells::{Cells, cell};

/// Where a row came from, and when.
#[derive(Debug)]
pub(super) struct Origin {
    /// `_source_file`.
    pub file: String,
    /// `_source_version`.
    pub version: String,
    /// `_source_row`.
    pub ordinal: i64,
    /// `_source_time`, in microseconds since 1970.
    pub time: i64,
    /// `_ingested_at`, in microseconds since 1970.
    pub ingested: i64,
}

/// A row as a reader of the table sees it.
pub(super) struct Row {
    /// Where it came from; `None`: another writer's.
    pub origin: Option<Origin>,
    /// Its cells in the table's data columns and in `_rescued_data`, but for nulls.
    pub cells: Cells,
}

/// All rows of a Parquet file.
pub(super) fn batches(content: Bytes) -> Result<Vec<RecordBatch>, String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(content).map_err(|e| e.to_string())?;
    let reader = reader.build().map_err(|e| e.to_string())?;
    reader.map(|batch| batch.map_err(|e| e.to_string())).collect()
}

/// The rows of a file in a table of these columns: of what the table has no column for a reader sees nothing.
pub(super) fn rows(content: Bytes, table: &Schema) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for batch in batches(content)? {
        check_types(&batch, table)?;
        for at in 0..batch.num_rows() {
            let seen = table.fields().iter().filter(|field| is_cell(field.name()));
            let cells = seen.filter_map(|field| {
                let column = batch.column_by_name(field.name()).filter(|column| column.is_valid(at))?;
                Some((field.name().clone(), cell(column, at)))
            });
            rows.push(Row { origin: origin(&batch, at)?, cells: cells.collect() });
        }
    }
    Ok(rows)
}

/// Whether a column says more of a row than where it came from.
fn is_cell(name: &str) -> bool {
    !is_row_column(name) || name == runs::RESCUED_DATA
}

fn origin(batch: &RecordBatch, at: usize) -> Result<Option<Origin>, String> {
    let text = |name: &str| {
        let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        column.filter(|column| column.is_valid(at)).map(|column| column.value(at).to_owned())
    };
    let ordinal = batch.column_by_name(SOURCE_ROW).and_then(|column| column.as_primitive_opt::<Int64Type>());
    let ordinal = ordinal.filter(|column| column.is_valid(at)).map(|column| column.value(at));
    let moment = |name: &str| {
        let column =
            batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        column.filter(|column| column.is_valid(at)).map(|column| column.value(at))
    };
    match (text(SOURCE_FILE), text(SOURCE_VERSION), ordinal, moment(SOURCE_TIME), moment(INGESTED_AT)) {
        (Some(file), Some(version), Some(ordinal), Some(time), Some(ingested)) => {
            Ok(Some(Origin { file, version, ordinal, time, ingested }))
        }
        (None, None, None, None, None) => Ok(None),
        half => Err(format!("row {at} says half of where it came from: {half:?}")),
    }
}

/// A file's plain columns have the types that the table gives them.
fn check_types(batch: &RecordBatch, table: &Schema) -> Result<(), String> {
    for field in table.fields().iter().filter(|field| !field.data_type().is_nested()) {
        if let Some(column) = batch.column_by_name(field.name())
            && column.data_type() != field.data_type()
        {
            let (name, is, wanted) = (field.name(), column.data_type(), field.data_type());
            return Err(format!("column {name} is {is} there, and {wanted} in the table"));
        }
    }
    Ok(())
}

/// These rows as one file, columns that some lack being null in them.
pub(super) fn write(schema: &SchemaRef, rows: &[RecordBatch]) -> Result<(Bytes, u64), String> {
    let mut content = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut content, schema.clone(), None).map_err(|e| e.to_string())?;
    let mut count = 0;
    for batch in rows {
        let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
            Some(column) => arrow_cast::cast(column, field.data_type()).map_err(|e| e.to_string()),
            None => Ok(arrow_array::new_null_array(field.data_type(), batch.num_rows())),
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let batch = RecordBatch::try_new(Arc::clone(schema), columns).map_err(|e| e.to_string())?;
        count += batch.num_rows() as u64;
        writer.write(&batch).map_err(|e| e.to_string())?;
    }
    writer.close().map_err(|e| e.to_string())?;
    Ok((content.into(), count))
}
