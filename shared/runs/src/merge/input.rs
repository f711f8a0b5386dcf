//! A run that is being read: batches of its rows in the target's columns, with their keys.

use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::reader::Length;

use super::adapt::{Adapted, Adapter};
use super::{Job, Rescued, RunInput, lock};
use crate::error::RunsError;
use crate::files::{Chunks, FileGroups, check_footer};
use crate::order::{Keys, Order};

/// The rows of a batch are read together; these many bytes of them where rows are of usual size.
const BATCH_BYTES: u64 = 512 << 10;
const BATCH_ROWS_MAX: u64 = 8192;
/// Few rows at once take long where there are many columns; large rows are few all the same.
const BATCH_ROWS_MIN: u64 = 4;
const BATCH_BYTES_MAX: u64 = 4 << 20;

/// How many rows of a table with so many columns are put together at once: where they have no values they take place all the same.
pub(super) fn rows_at_once(columns: u64) -> usize {
    const NULL_BYTES: u64 = 9;
    let rows = 2 * BATCH_BYTES_MAX / (NULL_BYTES * columns.max(1));
    usize::try_from(rows.clamp(BATCH_ROWS_MIN, BATCH_ROWS_MAX)).unwrap_or(1)
}

/// How many rows of a run are read at once for a table with so many columns.
fn batch_rows(run: &RunInput, columns: u64) -> usize {
    let bytes = row_bytes(run);
    let row_bytes = (bytes / run.rows.max(1)).max(1);
    let least = (BATCH_BYTES_MAX / row_bytes).clamp(1, BATCH_ROWS_MIN);
    let rows = usize::try_from((BATCH_BYTES / row_bytes).clamp(least, BATCH_ROWS_MAX)).unwrap_or(1);
    rows.min(rows_at_once(columns))
}

/// All rows in memory, in bytes, about.
fn row_bytes(run: &RunInput) -> u64 {
    run.row_groups.iter().map(|group| group.row_bytes).fold(0, u64::saturating_add)
}

/// What the footer says of one column in one row group, in memory, and what the reader of a column holds beside its page, in bytes, about.
const COLUMN_BYTES: u64 = 600;

/// More than any machine has, and so little that thousands of them can be added: a footer may say anything.
const READER_BYTES_MAX: u64 = 1 << 50;

/// What a reader of a run holds for a table with so many columns, in bytes, about: the footer, pages and dictionaries, the batch as read and as
/// adapted, its keys.
pub(super) fn reader_bytes(run: &RunInput, columns: u64) -> u64 {
    let own_columns = run.schema.flattened_fields().len() as u64;
    let footer = own_columns * COLUMN_BYTES * (1 + run.row_groups.len() as u64);
    let pages = run.row_groups.iter().map(|group| group.page_bytes).max().unwrap_or(0);
    let batch = (row_bytes(run) / run.rows.max(1)).max(64).saturating_mul(batch_rows(run, columns) as u64);
    footer.saturating_add(pages).saturating_add(batch.saturating_mul(3)).min(READER_BYTES_MAX)
}

/// An open run. Its rows are handed out batch by batch.
pub(super) struct Input {
    chunks: Chunks,
    reader: ParquetRecordBatchReader,
    adapter: Adapter,
    rows_left: u64,
    /// The rows of the whole merge that have something in `_rescued_data` only by being adapted.
    rescued: Arc<Mutex<Rescued>>,
}

impl Input {
    pub(super) fn open(run: &RunInput, job: &Job<'_>) -> Result<Self, RunsError> {
        let object = job.open(&run.address)?;
        let chunks = Chunks::of_pages(&run.address, object);
        let (adapter, reader) = chunks.unbroken(|| {
            let options = ArrowReaderOptions::new()
                .with_skip_arrow_metadata(true)
                .with_column_index_policy(PageIndexPolicy::Skip)
                .with_offset_index_policy(PageIndexPolicy::Optional);
            let metadata = ArrowReaderMetadata::load(&chunks, options).map_err(chunks.failed())?;
            check_footer(&run.address, chunks.len(), metadata.metadata())?;
            let adapter = Adapter::new(metadata.schema(), &run.schema, Arc::clone(&job.schema));
            let groups = FileGroups { chunks: chunks.clone(), metadata: Arc::clone(metadata.metadata()) };
            let rows = batch_rows(run, job.columns);
            let reader = groups.reader(ProjectionMask::all(), metadata.schema().fields(), rows, None);
            Ok((adapter, reader.map_err(chunks.failed())?))
        })?;
        Ok(Self { chunks, reader, adapter, rows_left: run.rows, rescued: Arc::clone(&job.rescued) })
    }

    /// The next rows in the target's columns; `None` after the last, when as many were read as the manifest says.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>, RunsError> {
        let damaged = RunsError::damaged(self.chunks.address());
        let (chunks, reader) = (&self.chunks, &mut self.reader);
        while let Some(batch) = chunks.unbroken(|| reader.next().transpose().map_err(chunks.failed()))? {
            let rows = batch.num_rows() as u64;
            if rows == 0 {
                continue;
            }
            self.rows_left = match self.rows_left.checked_sub(rows) {
                Some(left) => left,
                None => return Err(damaged("it has more rows than its manifest says".into())),
            };
            let Adapted { batch, newly_rescued, columns } = self.adapter.adapt(batch)?;
            if !columns.is_empty() {
                lock(&self.rescued).add(newly_rescued, columns);
            }
            return Ok(Some(batch));
        }
        match self.rows_left {
            0 => Ok(None),
            missing => Err(damaged(format!("{missing} of its rows are missing"))),
        }
    }

    /// The next rows with their keys.
    pub(super) fn next_with_keys(&mut self, order: &Order) -> Result<Option<(RecordBatch, Keys)>, RunsError> {
        Ok(self.next()?.map(|batch| {
            let keys = order.keys(&batch);
            (batch, keys)
        }))
    }
}
