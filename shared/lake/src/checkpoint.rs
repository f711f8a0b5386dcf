//! What a committer must know of a checkpoint: its protocol, metadata and transactions.
//!
//! Read by us and not by the kernel, which forgets the transactions that the table's retention calls old, judges that by the wall clock,
//! and refuses tables with features that it does not know before anyone can say which. The files that a checkpoint names are passed over.

use arrow_array::{Array as _, RecordBatch};
use arrow_json::LineDelimitedWriter;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use crate::actions::{Line, lines};

/// The columns of a checkpoint that hold these actions.
const COLUMNS: [&str; 3] = ["protocol", "metaData", "txn"];

/// The actions in one file of a checkpoint. The error says why it cannot be read.
pub(crate) fn read(name: &str, body: Vec<u8>) -> Result<Vec<Line>, String> {
    if name.ends_with(".json") { lines(&body) } else { read_parquet(Bytes::from(body)) }
}

fn read_parquet(body: Bytes) -> Result<Vec<Line>, String> {
    let length = body.len() as u64;
    let builder = ParquetRecordBatchReaderBuilder::try_new(body).map_err(|error| error.to_string())?;
    check_places(builder.metadata(), length)?;
    let roots = builder.schema().fields().iter().enumerate();
    let wanted = roots.filter(|(_, field)| COLUMNS.contains(&field.name().as_str())).map(|(root, _)| root);
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.collect::<Vec<_>>());
    let reader = builder.with_projection(mask).build().map_err(|error| error.to_string())?;
    let mut json = LineDelimitedWriter::new(Vec::new());
    let mut any = false;
    for batch in reader {
        let batch = batch.map_err(|error| error.to_string())?;
        for row in 0..batch.num_rows() {
            if holds_action(&batch, row) {
                json.write(&batch.slice(row, 1)).map_err(|error| error.to_string())?;
                any = true;
            }
        }
    }
    json.finish().map_err(|error| error.to_string())?;
    if any { lines(&json.into_inner()) } else { Ok(Vec::new()) }
}

/// Sees that the footer places every column within the file, those included that only the kernel reads: Parquet's readers break off at a
/// negative place, and a reader that broke off says nothing of the file.
fn check_places(metadata: &ParquetMetaData, length: u64) -> Result<(), String> {
    for column in metadata.row_groups().iter().flat_map(RowGroupMetaData::columns) {
        let (at, bytes) =
            (column.dictionary_page_offset().unwrap_or(column.data_page_offset()), column.compressed_size());
        let end = u64::try_from(at).ok().zip(u64::try_from(bytes).ok()).and_then(|(at, bytes)| at.checked_add(bytes));
        if end.is_none_or(|end| end > length) {
            let column = column.column_path();
            return Err(format!(
                "its footer says of the column {column} that it has {bytes} bytes from {at} on, and the file has {length}"
            ));
        }
    }
    Ok(())
}

fn holds_action(batch: &RecordBatch, row: usize) -> bool {
    batch.columns().iter().any(|column| column.is_valid(row))
}
