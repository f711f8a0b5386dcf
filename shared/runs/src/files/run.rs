//! A run: rows in order, encoded into memory. Runs are bounded by the batch that stages them.

use arrow_array::RecordBatch;
use bytes::Bytes;

use super::facts::{RowGroupFacts, row_group_facts};
use super::properties::WriteSettings;
use super::writer::FileWriter;
use crate::error::RunsError;

/// A run that is ready to be stored.
#[derive(Clone, Debug)]
pub struct FinishedRun {
    /// The Parquet file.
    pub bytes: Bytes,
    /// Its rows.
    pub rows: u64,
    /// The key of its first row.
    pub first_key: Vec<u8>,
    /// The key of its last row.
    pub last_key: Vec<u8>,
    /// Its row groups.
    pub row_groups: Vec<RowGroupFacts>,
}

/// Encodes one sequence of rows, already in the order of `settings`, as a run. There must be at least one row, and one schema.
pub fn write_run(batches: &[RecordBatch], settings: &WriteSettings) -> Result<FinishedRun, RunsError> {
    let mut filled = batches.iter().filter(|batch| batch.num_rows() > 0);
    let Some(first) = filled.next() else {
        return Err(RunsError::encode("write a run")("it has no rows"));
    };
    let last = filled.next_back().unwrap_or(first);
    let end_key = |batch: &RecordBatch, row| settings.order.keys(&batch.slice(row, 1)).get(0).to_vec();

    let settings = WriteSettings { staged: true, ..settings.clone() };
    let mut writer = FileWriter::new(Vec::new(), first.schema(), &settings, Some(first))?;
    for batch in batches {
        writer.write(batch)?;
    }
    let (bytes, _, metadata) = writer.finish()?;
    Ok(FinishedRun {
        bytes: bytes.into(),
        rows: batches.iter().map(|batch| batch.num_rows() as u64).sum(),
        first_key: end_key(first, 0),
        last_key: end_key(last, last.num_rows() - 1),
        row_groups: row_group_facts(&metadata),
    })
}
