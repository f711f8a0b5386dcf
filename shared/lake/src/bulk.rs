//! What takes a look at every file of the table: listing the live ones, and rolling a log up into a checkpoint.
//!
//! Delta's kernel reconciles adds and removes; it does not write here. Its own checkpoint writer flushes nothing, so that a power cut
//! could leave a hint that points to half a file, and it does not compress.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array as _, MapArray, RecordBatch, StructArray};
use buoyant_kernel::engine::arrow_data::ArrowEngineData;
use buoyant_kernel::{Engine, EngineData, Error, Snapshot, SnapshotRef};
use buoyant_kernel_engine::DefaultEngine;
use buoyant_kernel_engine::executor::tokio::TokioMultiThreadExecutor;
use drops::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::actions::rows_of;
use crate::files::LogFiles;
use crate::{LiveFile, path};

/// The table is the root of the kernel's store, so that no name above it has to survive being written as a URL and read back.
const ROOT: &str = "file:///";

/// A checkpoint in memory.
pub(crate) struct Checkpoint {
    /// The Parquet file.
    pub body: Vec<u8>,
    /// The actions in it.
    pub actions: usize,
    /// The files that it calls live.
    pub adds: usize,
}

/// The live files of the table at a version, those of fewer than `below` bytes.
pub(crate) fn live_files(files: &dyn LogFiles, version: u64, below: u64) -> Result<Vec<LiveFile>, Error> {
    with_snapshot(files, version, |snapshot, engine| {
        let scan = snapshot.scan_builder().build()?;
        let mut live = Vec::new();
        for batch in scan.scan_metadata(engine)? {
            let batch = record_batch(batch?.scan_files.apply_selection_vector()?)?;
            collect_live(&batch, below, &mut live)?;
        }
        Ok(live)
    })
}

/// The checkpoint of a version.
pub(crate) fn checkpoint(files: &dyn LogFiles, version: u64) -> Result<Checkpoint, Error> {
    with_snapshot(files, version, |snapshot, engine| {
        let writer = snapshot.create_checkpoint_writer(engine)?;
        let mut out: Option<ArrowWriter<Vec<u8>>> = None;
        let (mut actions, mut adds) = (0, 0);
        for batch in writer.checkpoint_data(engine)? {
            let batch = record_batch(batch?.apply_selection_vector()?)?;
            actions += batch.num_rows();
            adds += batch.column_by_name("add").map_or(0, |column| column.len() - column.null_count());
            let out = match &mut out {
                Some(out) => out,
                None => out.insert(parquet_writer(&batch)?),
            };
            out.write(&batch).map_err(Error::generic_err)?;
        }
        let out = out.ok_or_else(|| Error::generic("the version holds no action"))?;
        Ok(Checkpoint { body: out.into_inner().map_err(Error::generic_err)?, actions, adds })
    })
}

fn parquet_writer(batch: &RecordBatch) -> Result<ArrowWriter<Vec<u8>>, Error> {
    let level = ZstdLevel::try_new(1).map_err(Error::generic_err)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    // Readers take the types from Parquet itself.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options).map_err(Error::generic_err)
}

/// Reads the log up to a version with the kernel. Must be called on a thread that may wait.
fn with_snapshot<T>(
    files: &dyn LogFiles,
    version: u64,
    work: impl FnOnce(SnapshotRef, &dyn Engine) -> Result<T, Error>,
) -> Result<T, Error> {
    let store = files.object_store().map_err(Error::generic_err)?;
    // The executor ends with this call, on a thread where ending one may block.
    let executor = match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => TokioMultiThreadExecutor::new(handle),
        _ => TokioMultiThreadExecutor::new_owned_runtime(Some(1), Some(1))?,
    };
    let engine = DefaultEngine::builder(store).with_task_executor(Arc::new(executor)).build();
    let snapshot = Snapshot::builder_for(ROOT).at_version(version).build(&engine)?;
    work(snapshot, &engine)
}

fn record_batch(data: Box<dyn EngineData>) -> Result<RecordBatch, Error> {
    Ok(ArrowEngineData::try_from_engine_data(data)?.record_batch().clone())
}

/// The rows of a scan, whose columns the kernel names `scan_row_schema`. Files of `below` bytes and more are passed over.
fn collect_live(batch: &RecordBatch, below: u64, live: &mut Vec<LiveFile>) -> Result<(), Error> {
    let missing = |name: &str| Error::generic(format!("a scan without {name}"));
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(name));
    let paths = column("path")?.as_string::<i32>();
    let sizes = column("size")?.as_primitive::<Int64Type>();
    let modified = column("modificationTime")?.as_primitive::<Int64Type>();
    let stats = column("stats")?.as_string::<i32>();
    let deletions = Deletions(column("deletionVector")?.as_struct());
    let constants = column("fileConstantValues")?.as_struct();
    let partitions = constants.column_by_name("partitionValues").ok_or_else(|| missing("partitionValues"))?.as_map();
    let size_of = |row: usize| u64::try_from(sizes.value(row)).unwrap_or(0);
    for row in (0..batch.num_rows()).filter(|row| paths.is_valid(*row) && size_of(*row) < below) {
        let rows = stats.is_valid(row).then(|| rows_of(stats.value(row))).flatten();
        live.push(LiveFile {
            path: path::decode(paths.value(row)),
            spelled: paths.value(row).to_owned(),
            size: size_of(row),
            // Statistics count the rows of the file; those that a deletion vector marks are not the table's any more.
            rows: rows.map(|rows| rows.saturating_sub(deletions.rows(row))),
            modified: Timestamp(modified.value(row).saturating_mul(1000)),
            partition_values: partition_values(partitions, row),
            deletion_vector: deletions.id(row),
        });
    }
    Ok(())
}

fn partition_values(partitions: &MapArray, row: usize) -> BTreeMap<String, Option<String>> {
    if partitions.is_null(row) {
        return BTreeMap::new();
    }
    let entries = partitions.value(row);
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
    let value = |i: usize| values.is_valid(i).then(|| values.value(i).to_owned());
    (0..entries.len()).map(|i| (keys.value(i).to_owned(), value(i))).collect()
}

/// The deletion vectors of a scan's files.
struct Deletions<'a>(&'a StructArray);

impl Deletions<'_> {
    /// How many rows of a file its deletion vector marks.
    fn rows(&self, row: usize) -> u64 {
        let counts = self.0.column_by_name("cardinality").and_then(|column| column.as_primitive_opt::<Int64Type>());
        let count = counts.filter(|_| self.0.is_valid(row)).map(|counts| counts.value(row));
        count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
    }

    /// The unique id of a file's deletion vector (Delta protocol, "Deletion Vector Descriptor Schema", derived fields).
    fn id(&self, row: usize) -> Option<String> {
        if self.0.is_null(row) {
            return None;
        }
        let text = |name: &str| {
            let column = self.0.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
            column.filter(|column| column.is_valid(row)).map_or("", |column| column.value(row))
        };
        let offsets = self.0.column_by_name("offset").and_then(|column| column.as_primitive_opt::<Int32Type>());
        let offset = offsets.filter(|offsets| offsets.is_valid(row)).map(|offsets| format!("@{}", offsets.value(row)));
        Some(format!("{}{}{}", text("storageType"), text("pathOrInlineDv"), offset.unwrap_or_default()))
    }
}
