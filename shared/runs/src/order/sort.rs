//! Putting rows in order, at no cost where they are: by source file and row they nearly always are.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use arrow_select::interleave::interleave_record_batch;

use super::{ClusterKey, Keys, Order};
use crate::error::RunsError;
use crate::row_columns::{SOURCE_FILE, SOURCE_ROW};

/// How many rows a sorted batch gets where it had to be put together anew.
const SORTED_BATCH_ROWS: usize = 8192;

impl Order {
    /// The batch with its rows in order.
    pub fn sort(&self, batch: RecordBatch) -> Result<RecordBatch, RunsError> {
        let rows = batch.num_rows();
        let mut sorted = self.sort_in_batches(vec![batch], rows.max(1))?;
        sorted.pop().ok_or_else(|| RunsError::encode("sort rows")("no batch was given"))
    }

    /// All rows of these batches (of one schema) as one sequence in order, batches that need no change unchanged.
    pub fn sort_all(&self, batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, RunsError> {
        self.sort_in_batches(batches, SORTED_BATCH_ROWS)
    }

    fn sort_in_batches(&self, batches: Vec<RecordBatch>, batch_rows: usize) -> Result<Vec<RecordBatch>, RunsError> {
        if self.is_source_row_order() && batches.iter().all(has_plain_source) && source_rows_ascend(&batches) {
            return Ok(batches);
        }
        let keys: Vec<Keys> = batches.iter().map(|batch| self.keys(batch)).collect();
        if keys_ascend(&keys) {
            return Ok(batches);
        }
        let order = sorted_positions(&keys);
        drop(keys);
        let sources: Vec<&RecordBatch> = batches.iter().collect();
        let gather = |part: &[(usize, usize)]| interleave_record_batch(&sources, part);
        order.chunks(batch_rows).map(|part| gather(part).map_err(RunsError::encode("sort rows"))).collect()
    }

    fn is_source_row_order(&self) -> bool {
        self.partition_columns.is_empty() && self.cluster_key == ClusterKey::SourceRow
    }
}

/// The positions (batch, row) of all keys in order; equal keys stay in the order in which they came.
fn sorted_positions(keys: &[Keys]) -> Vec<(usize, usize)> {
    let rows = keys.iter().map(Keys::len).sum();
    let mut positions = Vec::with_capacity(rows);
    for (batch, keys) in keys.iter().enumerate() {
        positions.extend((0..keys.len()).map(|row| (leading(keys.get(row)), batch, row)));
    }
    positions.sort_unstable_by(|(a, a_batch, a_row), (b, b_batch, b_row)| {
        let whole = || keys[*a_batch].get(*a_row).cmp(keys[*b_batch].get(*b_row));
        a.cmp(b).then_with(whole).then_with(|| (a_batch, a_row).cmp(&(b_batch, b_row)))
    });
    positions.into_iter().map(|(_, batch, row)| (batch, row)).collect()
}

/// A key's first 16 bytes as a number: most comparisons end here, without a look at memory elsewhere.
fn leading(key: &[u8]) -> u128 {
    let mut first = [0; 16];
    let length = key.len().min(16);
    first[..length].copy_from_slice(&key[..length]);
    u128::from_be_bytes(first)
}

fn keys_ascend(keys: &[Keys]) -> bool {
    let all = || keys.iter().flat_map(|keys| (0..keys.len()).map(|row| keys.get(row)));
    all().zip(all().skip(1)).all(|(a, b)| a <= b)
}

fn has_plain_source(batch: &RecordBatch) -> bool {
    let is = |name, data_type| {
        batch.column_by_name(name).is_some_and(|column| column.data_type() == &data_type && column.null_count() == 0)
    };
    is(SOURCE_FILE, DataType::Utf8) && is(SOURCE_ROW, DataType::Int64)
}

/// Whether file and row never go down, compared in place: the common case needs no keys.
fn source_rows_ascend(batches: &[RecordBatch]) -> bool {
    let mut last: Option<(&str, i64)> = None;
    batches.iter().all(|batch| {
        let (Some(files), Some(rows)) = (batch.column_by_name(SOURCE_FILE), batch.column_by_name(SOURCE_ROW)) else {
            return false;
        };
        let (files, rows): (&StringArray, &Int64Array) = (files.as_string::<i32>(), rows.as_primitive::<Int64Type>());
        (0..batch.num_rows()).all(|i| {
            let here = (files.value(i), rows.value(i));
            let ascends = last.is_none_or(|last| last <= here);
            last = Some(here);
            ascends
        })
    })
}
