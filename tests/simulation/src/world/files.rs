//! Table files as others read and write them: where each row came from.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use runs::{SOURCE_FILE, SOURCE_ROW, SOURCE_VERSION};

/// Where a row came from: `_source_file`, `_source_version`, `_source_row`.
pub(super) type Origin = (String, String, i64);

/// All rows of a Parquet file.
pub(super) fn batches(content: Bytes) -> Result<Vec<RecordBatch>, String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(content).map_err(|e| e.to_string())?;
    let reader = reader.build().map_err(|e| e.to_string())?;
    reader.map(|batch| batch.map_err(|e| e.to_string())).collect()
}

/// Where the rows of a file came from; rows that others wrote are left away.
pub(super) fn origins(content: Bytes) -> Result<Vec<Origin>, String> {
    let mut origins = Vec::new();
    for batch in batches(content)? {
        let text = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let rows = batch.column_by_name(SOURCE_ROW).and_then(|column| column.as_primitive_opt::<Int64Type>());
        let (Some(files), Some(versions), Some(rows)) = (text(SOURCE_FILE), text(SOURCE_VERSION), rows) else {
            continue;
        };
        for row in (0..batch.num_rows()).filter(|row| files.is_valid(*row)) {
            origins.push((files.value(row).to_owned(), versions.value(row).to_owned(), rows.value(row)));
        }
    }
    Ok(origins)
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
