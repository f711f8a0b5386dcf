//! Reading some columns of a table file, whoever wrote it.

use std::sync::Arc;

use arrow_array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::reader::Length;
use store::RandomRead;

use super::chunks::Chunks;
use super::pages::FileGroups;
use super::{footer, nesting, page_headers};
use crate::error::RunsError;

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// The named top-level columns of a Parquet file, those of them that it has, in batches. Types are Parquet's own: a writer's hints (views,
/// dictionaries) are passed over. Blocks: call it on a thread that may wait.
///
/// # Errors
/// [`RunsError::Damaged`] where the file is no Parquet, or a page cannot be read; [`RunsError::Store`] where its store refused to read.
pub fn read_columns(
    address: &str,
    object: Arc<dyn RandomRead>,
    columns: &[&str],
) -> Result<impl Iterator<Item = Result<RecordBatch, RunsError>> + use<>, RunsError> {
    let chunks = Chunks::of_pages(address, object);
    let mut reader = chunks.unbroken(|| {
        nesting::check(&chunks)?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(&chunks, options).map_err(chunks.failed())?;
        footer::check(address, chunks.len(), metadata.metadata())?;
        let roots = metadata.schema().fields().iter().enumerate();
        let wanted = roots.filter(|(_, field)| columns.contains(&field.name().as_str())).map(|(root, _)| root);
        let mask = ProjectionMask::roots(metadata.parquet_schema(), wanted.collect::<Vec<_>>());
        page_headers::check(&chunks, metadata.metadata(), |leaf| mask.leaf_included(leaf))?;
        let groups = FileGroups { chunks: chunks.clone(), metadata: Arc::clone(metadata.metadata()) };
        groups.reader(mask, metadata.schema().fields(), BATCH_ROWS, None).map_err(chunks.failed())
    })?;
    let mut next = move || chunks.unbroken(|| reader.next().transpose().map_err(chunks.failed()));
    // After an error nothing more is read.
    let mut is_over = false;
    Ok(std::iter::from_fn(move || {
        let batch = if is_over { None } else { next().transpose() };
        is_over = !matches!(batch, Some(Ok(_)));
        batch
    }))
}
