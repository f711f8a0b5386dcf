//! Runs into table files: a streaming merge whose memory is bounded by a budget and not by how many runs there are or how large.
//!
//! 1. A run that was ordered by another key, or whose key columns have another type now, is sorted again in pieces, several small ones together (`prepare`).
//! 2. Where more runs overlap than the budget can hold open, some are merged into one run in staging, until the rest fits (`plan`).
//! 3. Runs that overlap no other are copied row group by row group; the rest is merged, each run opened when its first key is reached
//!    (`cursor`, `gather`). Either way rows leave in the order of their keys, into files of the target size (`output`).
//!
//! Rows are counted in and out: a merge that would lose or double one fails.

mod adapt;
mod cursor;
mod gather;
mod input;
mod output;
mod partition;
mod plan;
mod prepare;
mod rescue;
mod table_run;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_schema::{DataType, SchemaRef};
use store::Store;
use tokio::runtime::Handle;

use crate::error::RunsError;
use crate::files::{CopySource, RowGroupFacts, WriteSettings};
use crate::manifest::StagedRun;
use crate::order::Order;
use output::Output;
pub use partition::hive_path as partition_folder;
use plan::Segment;
#[cfg(test)]
pub(crate) use rescue::json_value;
pub use table_run::{TableRun, table_run};

/// A run to be merged.
#[derive(Clone, Debug)]
pub struct RunInput {
    /// Its address in the store of inputs.
    pub address: String,
    /// The table's schema when it was written; it tells what the source calls each column.
    pub schema: SchemaRef,
    /// The id of the order that its rows have.
    pub order: String,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The key of its first row.
    pub first_key: Vec<u8>,
    /// The key of its last row.
    pub last_key: Vec<u8>,
    /// Its row groups.
    pub row_groups: Vec<RowGroupFacts>,
}

impl RunInput {
    /// The run of a manifest; `schema` is the table's schema of the run's version.
    pub fn new(run: &StagedRun, schema: SchemaRef) -> Self {
        Self {
            address: run.address.clone(),
            schema,
            order: run.order.clone(),
            rows: run.rows,
            bytes: run.bytes,
            first_key: run.first_key.clone(),
            last_key: run.last_key.clone(),
            row_groups: run.row_groups.clone(),
        }
    }
}

/// Where a merge reads and writes. It blocks; the runtime drives what a store does asynchronously.
pub struct MergeStores {
    /// Where the runs are.
    pub inputs: Arc<dyn Store>,
    /// Where runs of a merge in several passes come and go. No input may have the address of one ([`MergeTarget::scratch_name`]).
    pub staging: Arc<dyn Store>,
    /// Where the table's files go.
    pub table: Arc<dyn Store>,
    /// The runtime that the stores live in.
    pub runtime: Handle,
}

/// What a merge makes.
pub struct MergeTarget<'a> {
    /// The table's columns, partition columns included.
    pub schema: SchemaRef,
    /// The order of the table's rows.
    pub order: Order,
    /// The size of a table file on disk, in bytes. A file may exceed it by a row group, never by more.
    pub file_bytes: u64,
    /// What the merge may hold in memory, in bytes, about.
    pub memory_bytes: u64,
    /// The level of zstd.
    pub compression_level: i32,
    /// The address of the `n`th file, given the Hive path of its partition (`day=2024-01-01`, empty in a table without partitions).
    pub file_name: &'a (dyn Fn(&str, u64) -> String + Sync),
    /// The address of the `n`th run of a merge in several passes, in staging.
    pub scratch_name: &'a (dyn Fn(u64) -> String + Sync),
}

/// A table file that is durable and waits for its commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedFile {
    /// Its address in the table's store.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its rows.
    pub rows: u64,
    /// The value of each partition column in Delta's form; `None` is null.
    pub partition_values: BTreeMap<String, Option<String>>,
    /// Its statistics in Delta's JSON.
    pub stats_json: String,
}

/// What a merge made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergedRuns {
    /// The files, in the order of their rows.
    pub files: Vec<FinishedFile>,
    /// The rows of these that have something in `_rescued_data` only since they were merged: the table's column was too narrow for a value.
    pub rescued_rows: u64,
    /// The columns that these values were rescued from, by name; the first thousand.
    pub rescued_columns: Vec<RescuedColumn>,
}

/// A column of the runs whose values did not all fit the table's column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RescuedColumn {
    /// Its name; a nested one is named by its top.
    pub column: String,
    /// Its type in the runs.
    pub had: DataType,
    /// The table's type; none where the table has no such column.
    pub has: Option<DataType>,
    /// How many rows have something rescued from it.
    pub rows: u64,
    /// The first value that did not fit, as JSON, cut after 60 characters.
    pub example: String,
}

/// More columns than this are not named.
const MAX_RESCUED_COLUMNS: usize = 1_000;

/// What was rescued during a merge.
#[derive(Debug, Default)]
struct Rescued {
    rows: u64,
    columns: BTreeMap<String, RescuedColumn>,
}

impl Rescued {
    fn add(&mut self, rows: u64, columns: Vec<RescuedColumn>) {
        self.rows += rows;
        for column in columns {
            let room = self.columns.len() < MAX_RESCUED_COLUMNS;
            match self.columns.get_mut(&column.column) {
                Some(known) => known.rows += column.rows,
                None if room => {
                    self.columns.insert(column.column.clone(), column);
                }
                None => {}
            }
        }
    }
}

/// Merges runs into table files. `progress` is told the rows that were written since it was last told; `Break` stops the merge.
///
/// Blocks: call it on a thread that may wait. On an error nothing that it wrote is left, unless deleting fails as well.
pub fn merge(
    runs: Vec<RunInput>,
    stores: &MergeStores,
    target: &MergeTarget<'_>,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<MergedRuns, RunsError> {
    let mut job = Job::new(stores, target, progress);
    let mut finished = Vec::new();
    let result = job.run(runs, &mut finished);
    job.delete_scratch();
    if let Err(error) = result {
        for file in &finished {
            job.delete(&stores.table, &file.path);
        }
        return Err(error);
    }
    let Rescued { rows, columns } = std::mem::take(&mut *lock(&job.rescued));
    Ok(MergedRuns { files: finished, rescued_rows: rows, rescued_columns: columns.into_values().collect() })
}

fn lock(rescued: &Mutex<Rescued>) -> MutexGuard<'_, Rescued> {
    rescued.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One merge with what it must remember.
struct Job<'a> {
    stores: &'a MergeStores,
    target: &'a MergeTarget<'a>,
    /// The target's columns without metadata, as they are worked on.
    schema: SchemaRef,
    /// How many columns these are, nested ones counted.
    columns: u64,
    settings: WriteSettings,
    /// What readers may hold together, in bytes.
    reader_bytes: u64,
    progress: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
    scratch: Vec<String>,
    scratch_made: u64,
    rescued: Arc<Mutex<Rescued>>,
}

impl<'a> Job<'a> {
    fn new(
        stores: &'a MergeStores,
        target: &'a MergeTarget<'a>,
        progress: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Self {
        let defaults = WriteSettings::default();
        // Beside the readers a row group is held, encoded, and its open pages and rows that wait, as they are.
        let memory = usize::try_from(target.memory_bytes).unwrap_or(usize::MAX);
        let file = usize::try_from(target.file_bytes).unwrap_or(usize::MAX);
        let row_group_bytes = defaults.row_group_bytes.min(memory / 8).min(file / 8).max(1);
        let writer_bytes = 2 * row_group_bytes as u64 + (16 << 20);
        let settings = WriteSettings {
            order: target.order.clone(),
            compression_level: target.compression_level,
            row_group_bytes,
            ..defaults
        };
        Self {
            stores,
            target,
            schema: Arc::new(adapt::without_metadata(&target.schema)),
            columns: target.schema.flattened_fields().len() as u64,
            settings,
            reader_bytes: target.memory_bytes - writer_bytes.min(target.memory_bytes / 2),
            progress,
            scratch: Vec::new(),
            scratch_made: 0,
            rescued: Arc::default(),
        }
    }

    fn run(&mut self, runs: Vec<RunInput>, finished: &mut Vec<FinishedFile>) -> Result<(), RunsError> {
        // Footers may say anything; whatever was not read is missed in the end.
        let rows = runs.iter().map(|run| run.rows).fold(0, u64::saturating_add);
        let runs = self.sort_again(runs)?;
        let runs = self.merge_until_it_fits(runs)?;
        let spans: Vec<_> = runs.iter().map(|run| plan::Span::of(run, self.columns)).collect();
        let segments = plan::segments(&spans);
        drop(spans);

        let only_run = runs.len() == 1;
        let total_bytes = runs.iter().map(|run| run.bytes).sum();
        let mut output = Output::new(self, total_bytes, finished)?;
        let mut runs: Vec<Option<RunInput>> = runs.into_iter().map(Some).collect();
        let mut take = |i: usize| runs.get_mut(i).and_then(Option::take);
        for segment in segments {
            match segment {
                Segment::Alone(i) => {
                    let Some(run) = take(i) else { continue };
                    if !self.copy(&run, only_run, &mut output)? {
                        self.merge_rows(vec![run], &mut |batch, job| output.write(batch, job))?;
                    }
                }
                Segment::Overlapping(members) => {
                    let members = members.into_iter().filter_map(&mut take).collect();
                    self.merge_rows(members, &mut |batch, job| output.write(batch, job))?;
                }
            }
        }
        let written = output.finish(self)?;
        if written != rows {
            let reason = format!("{rows} rows went in and {written} came out");
            return Err(RunsError::encode("merge")(reason));
        }
        Ok(())
    }

    /// Takes a run's row groups as they are, if they may stand in the table; tells whether it did.
    fn copy(&mut self, run: &RunInput, only_run: bool, output: &mut Output<'_>) -> Result<bool, RunsError> {
        if !self.target.order.partition_columns.is_empty() || !(only_run || is_healthy(run)) {
            return Ok(false);
        }
        let source = CopySource::open(&run.address, self.open(&run.address)?)?;
        if !output.can_copy(&source) {
            return Ok(false);
        }
        let groups = source.facts();
        let rows = groups.iter().map(|group| group.rows).fold(0, u64::saturating_add);
        if rows != run.rows {
            let reason = format!("it has {rows} rows and its manifest says {}", run.rows);
            return Err(RunsError::damaged(&run.address)(reason));
        }
        for (i, group) in groups.iter().enumerate() {
            output.copy(&source, i, group, self)?;
        }
        Ok(true)
    }

    fn told(&mut self, rows: u64) -> Result<(), RunsError> {
        if (self.progress)(rows).is_break() { Err(RunsError::Stopped) } else { Ok(()) }
    }

    fn open(&self, address: &str) -> Result<Arc<dyn store::RandomRead>, RunsError> {
        let ours = self.scratch.iter().any(|scratch| scratch == address);
        let store = if ours { &self.stores.staging } else { &self.stores.inputs };
        Ok(self.stores.runtime.block_on(store.open(address))?)
    }

    /// Deletes what nothing needs. A failure leaves an object that no record names; the merge is no worse for it.
    fn delete(&self, store: &Arc<dyn Store>, address: &str) {
        if let Err(error) = self.stores.runtime.block_on(store.delete(address)) {
            tracing::warn!(address, %error, "could not delete a file that is not needed any more");
        }
    }

    fn delete_scratch(&mut self) {
        for address in std::mem::take(&mut self.scratch) {
            self.delete(&self.stores.staging, &address);
        }
    }
}

/// Whether a run's row groups are large enough to stand in the table: small ones are better shared.
fn is_healthy(run: &RunInput) -> bool {
    const ROWS_MIN: u64 = 32 << 10;
    const BYTES_MIN: u64 = 4 << 20;
    let groups = (run.row_groups.len() as u64).max(1);
    let bytes = run.row_groups.iter().map(|group| group.bytes).fold(0, u64::saturating_add);
    run.rows / groups >= ROWS_MIN || bytes / groups >= BYTES_MIN
}
