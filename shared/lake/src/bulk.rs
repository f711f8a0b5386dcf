//! What takes a look at every file of the table: listing the live ones, and rolling a log up into a checkpoint.
//!
//! Delta's kernel reconciles adds and removes; it does not write here. Its own checkpoint writer flushes nothing, so that a power cut
//! could leave a hint that points to half a file, and it does not compress.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, RecordBatch};
use buoyant_kernel::engine::arrow_data::ArrowEngineData;
use buoyant_kernel::{Engine, EngineData, Error, Snapshot, SnapshotRef};
use buoyant_kernel_engine::DefaultEngine;
use buoyant_kernel_engine::executor::tokio::TokioMultiThreadExecutor;
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

/// The live files of the table at a version.
pub(crate) fn live_files(files: &dyn LogFiles, version: u64) -> Result<Vec<LiveFile>, Error> {
    with_snapshot(files, version, |snapshot, engine| {
        let scan = snapshot.scan_builder().build()?;
        let mut live = Vec::new();
        for batch in scan.scan_metadata(engine)? {
            let batch = record_batch(batch?.scan_files.apply_selection_vector()?)?;
            collect_live(&batch, &mut live)?;
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

/// The rows of a scan, whose columns the kernel names `scan_row_schema`.
fn collect_live(batch: &RecordBatch, live: &mut Vec<LiveFile>) -> Result<(), Error> {
    let column =
        |name: &str| batch.column_by_name(name).ok_or_else(|| Error::generic(format!("a scan without {name}")));
    let paths = column("path")?.as_string::<i32>();
    let sizes = column("size")?.as_primitive::<Int64Type>();
    let stats = column("stats")?.as_string::<i32>();
    let deletions = column("deletionVector")?.as_struct();
    let deleted = deletions.column_by_name("cardinality").and_then(|column| column.as_primitive_opt::<Int64Type>());
    live.reserve(batch.num_rows());
    for row in (0..batch.num_rows()).filter(|row| paths.is_valid(*row)) {
        let rows = stats.is_valid(row).then(|| rows_of(stats.value(row))).flatten();
        let gone = match (deletions.is_valid(row), deleted) {
            (true, Some(deleted)) => u64::try_from(deleted.value(row)).unwrap_or(0),
            _ => 0,
        };
        live.push(LiveFile {
            path: path::decode(paths.value(row)),
            size: u64::try_from(sizes.value(row)).unwrap_or(0),
            // Statistics count the rows of the file; those that a deletion vector marks are not the table's any more.
            rows: rows.map(|rows| rows.saturating_sub(gone)),
        });
    }
    Ok(())
}
