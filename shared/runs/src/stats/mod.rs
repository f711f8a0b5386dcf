//! A table file's statistics as the Delta log keeps them, read from the footer of the file. Every bound is sound: a minimum is never above
//! a value, a maximum never below one, and where either cannot be told the column has neither.
//!
//! Delta protocol, "Per-file Statistics": `numRecords`, and `minValues`, `maxValues`, `nullCount` as objects that mirror the columns;
//! leaves inside lists have no statistics.

mod bound;
mod json;
#[cfg(test)]
mod tests;

use arrow_schema::{DataType, Field, Schema};
use parquet::file::metadata::ParquetMetaData;

use crate::order::Order;
use crate::row_columns::{INGESTED_AT, RESCUED_DATA, SOURCE_FILE, SOURCE_ROW, SOURCE_TIME, SOURCE_VERSION};
use bound::{Bound, End};
use json::Object;

/// Data leaves that get statistics: as many as Delta's writers index by default. Row columns and key columns come on top.
const DATA_LEAVES_MAX: usize = 32;
/// How many characters of a text stand in the log, as in Spark; row columns keep what the footer has, as paths begin alike.
const TEXT_CHARACTERS_MAX: usize = 32;

/// The statistics of a file with these Arrow columns and this footer, as Delta's JSON.
pub fn statistics(schema: &Schema, order: &Order, metadata: &ParquetMetaData) -> String {
    let mut walk = Walk { metadata, leaf: 0, data_leaves: 0, wanted: Wanted::Data };
    let mut sums = Sums::default();
    for field in schema.fields() {
        walk.wanted = match field.name().as_str() {
            SOURCE_FILE | SOURCE_VERSION | SOURCE_ROW | SOURCE_TIME | INGESTED_AT => Wanted::Whole,
            RESCUED_DATA => Wanted::NullsOnly,
            name if order.columns().any(|key| key == name) => Wanted::Always,
            _ => Wanted::Data,
        };
        walk.field(field, &mut sums);
    }
    let rows: i64 = metadata.row_groups().iter().map(|group| group.num_rows()).sum();
    let mut all = Object::default();
    all.raw("numRecords", rows.to_string());
    all.object("minValues", sums.min);
    all.object("maxValues", sums.max);
    all.object("nullCount", sums.nulls);
    all.to_string()
}

/// How much of a column's statistics is worth a place in the log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Of the first data leaves.
    Data,
    /// Always: what rows are ordered by prunes best.
    Always,
    /// With texts as long as the footer has them.
    Whole,
    /// The number of nulls.
    NullsOnly,
}

#[derive(Default)]
struct Sums {
    min: Object,
    max: Object,
    nulls: Object,
}

/// Goes through the columns as Parquet numbers their leaves.
struct Walk<'a> {
    metadata: &'a ParquetMetaData,
    leaf: usize,
    data_leaves: usize,
    wanted: Wanted,
}

impl Walk<'_> {
    fn field(&mut self, field: &Field, into: &mut Sums) {
        match field.data_type() {
            DataType::Struct(children) => {
                let mut below = Sums::default();
                children.iter().for_each(|child| self.field(child, &mut below));
                into.min.object_if_filled(field.name(), below.min);
                into.max.object_if_filled(field.name(), below.max);
                into.nulls.object_if_filled(field.name(), below.nulls);
            }
            data_type if data_type.is_nested() => self.leaf += leaves(data_type),
            _ => {
                self.leaf(field, into);
                self.leaf += 1;
            }
        }
    }

    fn leaf(&mut self, field: &Field, into: &mut Sums) {
        if self.wanted == Wanted::Data {
            self.data_leaves += 1;
            if self.data_leaves > DATA_LEAVES_MAX {
                return;
            }
        }
        if let Some(nulls) = self.nulls() {
            into.nulls.raw(field.name(), nulls.to_string());
        }
        if self.wanted == Wanted::NullsOnly {
            return;
        }
        let characters = if self.wanted == Wanted::Whole { usize::MAX } else { TEXT_CHARACTERS_MAX };
        let render = |end| self.bound(field, end).and_then(|bound| bound.render(field.data_type(), end, characters));
        // One end alone is allowed, and deltalake's filtered reads lose the file's rows over it.
        if let (Some(min), Some(max)) = (render(End::Min), render(End::Max)) {
            into.min.raw(field.name(), min);
            into.max.raw(field.name(), max);
        }
    }

    /// Rows without a value here, a null struct around it included; `None` where a row group does not say.
    fn nulls(&self) -> Option<u64> {
        let groups = self.metadata.row_groups().iter();
        groups.map(|group| group.column(self.leaf).statistics()?.null_count_opt()).sum()
    }

    /// The smallest minimum or largest maximum of the row groups that have values.
    fn bound(&self, field: &Field, end: End) -> Option<Bound> {
        let mut outermost = None;
        for group in self.metadata.row_groups() {
            let chunk = group.column(self.leaf);
            let statistics = chunk.statistics()?;
            let all_null = statistics.null_count_opt().and_then(|n| i64::try_from(n).ok()) == Some(chunk.num_values());
            if !all_null {
                let bound = Bound::of(statistics, field.data_type(), end)?;
                outermost = Some(match outermost {
                    Some(other) => bound.outer(other, end),
                    None => bound,
                });
            }
        }
        outermost
    }
}

/// How many Parquet leaves a type has.
fn leaves(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| leaves(field.data_type())).sum(),
        DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
            leaves(element.data_type())
        }
        DataType::Map(entries, _) => leaves(entries.data_type()),
        _ => 1,
    }
}
