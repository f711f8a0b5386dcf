//! Reading some columns of a table file, whoever wrote it.

use std::sync::Arc;

use arrow_array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::Length;
use store::RandomRead;

use super::chunks::Chunks;
use super::{footer, nesting, page_headers};
use crate::error::{RunsError, unbroken};

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
    let mut reader = unbroken(address, || {
        nesting::check(&chunks)?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(chunks.clone(), options);
        let builder = builder.map_err(chunks.failed())?;
        footer::check(address, chunks.len(), builder.metadata())?;
        let roots = builder.schema().fields().iter().enumerate();
        let wanted = roots.filter(|(_, field)| columns.contains(&field.name().as_str())).map(|(root, _)| root);
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.collect::<Vec<_>>());
        page_headers::check(&chunks, builder.metadata(), |leaf| mask.leaf_included(leaf))?;
        builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(chunks.failed())
    })?;
    let mut next = move || unbroken(chunks.address(), || reader.next().transpose().map_err(chunks.failed()));
    // After an error nothing more is read.
    let mut is_over = false;
    Ok(std::iter::from_fn(move || {
        let batch = if is_over { None } else { next().transpose() };
        is_over = !matches!(batch, Some(Ok(_)));
        batch
    }))
}
