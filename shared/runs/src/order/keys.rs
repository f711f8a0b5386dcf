//! The keys of a batch's rows: one byte string each.

use arrow_array::RecordBatch;

use super::cells::Cells;
use super::{ClusterKey, Order, zorder};
use crate::row_columns::{SOURCE_FILE, SOURCE_ROW};

/// The version of the encoding below. A change of it makes older runs be sorted again while they are merged.
pub(super) const ENCODING: u32 = 1;

/// How much of a text stands in a key where it is not needed whole: keys stay small, ties go to source file and row.
const TEXT_BYTES_MAX: usize = 128;

/// The keys of the rows of a batch, in one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The key of a row. Panics if there is no such row, as indexing does.
    pub fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }

    /// The first row from `start` on whose key is above `bound`, found by doubling steps: short stretches cost little.
    pub(crate) fn first_above(&self, bound: &[u8], start: usize) -> usize {
        let (mut low, mut step) = (start, 1);
        while low + step <= self.len() && self.get(low + step - 1) <= bound {
            low += step;
            step *= 2;
        }
        let mut high = (low + step - 1).min(self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.get(middle) <= bound {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

impl Order {
    /// The keys of a batch's rows. A column that the batch lacks counts as null.
    pub fn keys(&self, batch: &RecordBatch) -> Keys {
        let cells = |name: &String| Cells::of(batch.column_by_name(name));
        let partitions: Vec<Cells> = self.partition_columns.iter().map(cells).collect();
        let cluster: Vec<Cells> = self.cluster_key.columns().iter().map(cells).collect();
        let file = Cells::of(batch.column_by_name(SOURCE_FILE));
        let row_number = Cells::of(batch.column_by_name(SOURCE_ROW));
        let z_order = matches!(self.cluster_key, ClusterKey::ZOrder(_));

        let rows = batch.num_rows();
        let mut keys = Keys { bytes: Vec::with_capacity(rows * 64), ends: Vec::with_capacity(rows) };
        let mut leading = vec![0; if z_order { cluster.len() } else { 0 }];
        for row in 0..rows {
            for partition in &partitions {
                push_partition(partition, row, &mut keys.bytes);
            }
            if z_order {
                leading.iter_mut().zip(&cluster).for_each(|(bits, cells)| *bits = cells.leading_bits(row));
                zorder::interleave(&leading, &mut keys.bytes);
            } else {
                cluster.iter().for_each(|cells| push(cells, row, TEXT_BYTES_MAX, &mut keys.bytes));
            }
            push(&file, row, usize::MAX, &mut keys.bytes);
            push(&row_number, row, usize::MAX, &mut keys.bytes);
            keys.ends.push(keys.bytes.len());
        }
        keys
    }
}

/// A partition's cell whole. Delta reads an empty text as null, so the two are one partition here as well.
fn push_partition(cells: &Cells, row: usize, into: &mut Vec<u8>) {
    match cells {
        Cells::Bytes(texts) if texts.get(row).is_some_and(<[u8]>::is_empty) => into.push(0),
        _ => push(cells, row, usize::MAX, into),
    }
}

/// One cell: 0 for null, else 1 and the value. Texts end with two zeros, their own zeros are followed by 255.
fn push(cells: &Cells, row: usize, text_bytes_max: usize, into: &mut Vec<u8>) {
    match cells {
        Cells::Fixed(values, nulls) if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) => {
            into.push(1);
            into.extend_from_slice(&values[row].to_be_bytes());
        }
        Cells::Wide(values, nulls) if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) => {
            into.push(1);
            into.extend_from_slice(&values[row].to_be_bytes());
        }
        Cells::Bytes(texts) => match texts.get(row) {
            Some(text) => push_text(&text[..text.len().min(text_bytes_max)], into),
            None => into.push(0),
        },
        _ => into.push(0),
    }
}

fn push_text(text: &[u8], into: &mut Vec<u8>) {
    into.push(1);
    if text.contains(&0) {
        for byte in text {
            into.push(*byte);
            if *byte == 0 {
                into.push(255);
            }
        }
    } else {
        into.extend_from_slice(text);
    }
    into.extend_from_slice(&[0, 0]);
}
