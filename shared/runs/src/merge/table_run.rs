//! A file that is in the table already, as a run to be merged again.
//!
//! A table file is a sorted run if we wrote it, which its footer says. Other writers' files are put in order by the merge. What a merge
//! could only take by bending values is left alone: the rows of a table that is kept up stay what they are.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};
use decode::schema::type_name;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection, RowSelector};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::reader::Length;
use store::RandomRead;

use super::RunInput;
use crate::error::RunsError;
use crate::files::{Chunks, FileGroups, ORDER, check_footer, check_nesting, check_pages, row_group_facts};
use crate::order::Order;

/// What a file of a table is to a merge.
#[derive(Clone, Debug)]
pub enum TableRun {
    /// It can be merged.
    Run(Box<RunInput>),
    /// It cannot be merged without changing what its rows say; with the reason.
    Unfit(String),
}

/// Looks at a file of a table: its footer, and its first and last row. `columns` are the table's without the partition columns, and
/// `order` has none either. A file is taken for sorted if its footer names one of the ids in `sorted_as`: rows of one partition that
/// are sorted by the table's whole order are sorted by the order without the partition columns as well.
///
/// Blocks. [`RunsError::Damaged`] if the file is no Parquet file that can be read, [`RunsError::Store`] if its store refused to read it.
pub fn table_run(
    path: &str,
    object: Arc<dyn RandomRead>,
    columns: &Schema,
    order: &Order,
    sorted_as: &[String],
) -> Result<TableRun, RunsError> {
    let chunks = Chunks::of_pages(path, object);
    chunks.unbroken(|| looked_at(&chunks, columns, order, sorted_as))
}

fn looked_at(chunks: &Chunks, columns: &Schema, order: &Order, sorted_as: &[String]) -> Result<TableRun, RunsError> {
    let path = chunks.address();
    let damaged = RunsError::damaged(path);
    let bytes = chunks.len();
    check_nesting(chunks)?;
    let options = ArrowReaderOptions::new()
        .with_skip_arrow_metadata(true)
        .with_column_index_policy(PageIndexPolicy::Skip)
        .with_offset_index_policy(PageIndexPolicy::Optional);
    let metadata = ArrowReaderMetadata::load(chunks, options).map_err(chunks.failed())?;
    check_footer(path, bytes, metadata.metadata())?;
    if let Some(reason) = unfit(metadata.schema().fields(), columns.fields(), "") {
        return Ok(TableRun::Unfit(reason));
    }
    check_pages(chunks, metadata.metadata(), |_| true)?;
    let footer = metadata.metadata().file_metadata();
    let rows = u64::try_from(footer.num_rows()).map_err(|error| damaged(error.to_string()))?;
    let says = footer.key_value_metadata().into_iter().flatten().find(|entry| entry.key == ORDER);
    let sorted = says.and_then(|entry| entry.value.as_ref()).is_some_and(|id| sorted_as.contains(id));
    let (first_key, last_key) = if sorted && rows > 0 {
        let key = |row| key_of(chunks, &metadata, order, row);
        (key(0)?, key(rows - 1)?)
    } else {
        (Vec::new(), Vec::new())
    };
    Ok(TableRun::Run(Box::new(RunInput {
        address: path.to_owned(),
        schema: metadata.schema().clone(),
        order: if sorted { order.id() } else { String::new() },
        rows,
        bytes,
        first_key,
        last_key,
        row_groups: row_group_facts(metadata.metadata()),
    })))
}

/// The key of one row.
fn key_of(chunks: &Chunks, metadata: &ArrowReaderMetadata, order: &Order, row: u64) -> Result<Vec<u8>, RunsError> {
    let damaged = RunsError::damaged(chunks.address());
    let before = usize::try_from(row).map_err(|error| damaged(error.to_string()))?;
    let roots = order.columns().filter_map(|name| metadata.schema().index_of(name).ok());
    let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
    let selection = RowSelection::from(vec![RowSelector::skip(before), RowSelector::select(1)]);
    let groups = FileGroups { chunks: chunks.clone(), metadata: Arc::clone(metadata.metadata()) };
    let mut reader = groups.reader(mask, metadata.schema().fields(), 1, Some(selection)).map_err(chunks.failed())?;
    let batch: Option<RecordBatch> = reader.next().transpose().map_err(chunks.failed())?;
    match batch.filter(|batch| batch.num_rows() == 1) {
        Some(batch) => Ok(order.keys(&batch).get(0).to_vec()),
        None => Err(damaged(format!("it has no row {row}"))),
    }
}

/// The first column of a file that the table's cannot hold as it is.
fn unfit(file: &Fields, table: &Fields, prefix: &str) -> Option<String> {
    file.iter().enumerate().find_map(|(i, field)| {
        let name = format!("{prefix}{}", field.name());
        if file.iter().take(i).any(|other| other.name() == field.name()) {
            return Some(format!("it has the column {name} twice"));
        }
        match table.find(field.name()) {
            None => Some(format!("it has a column {name}, which the table has not")),
            Some((_, ours)) => unfit_type(field, ours, &name),
        }
    })
}

fn unfit_type(field: &Field, ours: &FieldRef, name: &str) -> Option<String> {
    match (field.data_type(), ours.data_type()) {
        (theirs, ours) if theirs == ours => None,
        (DataType::Struct(theirs), DataType::Struct(ours)) => unfit(theirs, ours, &format!("{name}.")),
        (DataType::List(theirs), DataType::List(ours)) => unfit_type(theirs, ours, &format!("{name}.element")),
        (theirs, ours) => {
            Some(format!("its column {name} is {}, the table's is {}", type_name(theirs), type_name(ours)))
        }
    }
}
