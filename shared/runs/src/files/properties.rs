//! How runs and table files are encoded. One set of properties for both.
//!
//! Encoding is most of what a row costs, so each column gets what its values need: a dictionary where values repeat (small, and fast for
//! texts), plain values where they do not (hashing each value only to give the dictionary up costs more than all else), and for whole
//! numbers and moments differences (smaller and faster than plain; Spark reads them since 3.3). Pages are small, because a merge holds a
//! page of each column of each of its inputs.

use std::collections::HashSet;
use std::hash::Hash;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::error::RunsError;
use crate::order::Order;
use crate::row_columns::SOURCE_ROW;

/// How a run or a table file is written.
#[derive(Clone, Debug)]
pub struct WriteSettings {
    /// The order that its rows have.
    pub order: Order,
    /// The level of zstd, 1 to 22.
    pub compression_level: i32,
    /// How many bytes a row group may have, encoded. One row group is held in memory while it is written.
    pub row_group_bytes: usize,
    /// How many rows a row group may have.
    pub row_group_rows: usize,
    /// Whether it is a run, which is read once and deleted: with very many columns it is not compressed.
    pub staged: bool,
}

impl Default for WriteSettings {
    fn default() -> Self {
        Self {
            order: Order::default(),
            compression_level: 1,
            row_group_bytes: 16 << 20,
            row_group_rows: 1 << 20,
            staged: false,
        }
    }
}

impl WriteSettings {
    /// How many bytes a row group may have in a file of so many columns: encoded, or of rows that wait to be ([`super::waiting`]), which are
    /// held once and not beside their encoding.
    pub(super) fn row_group_bytes_for(&self, columns: usize) -> usize {
        match (columns > WIDE_COLUMNS, self.staged) {
            (true, true) => self.row_group_bytes.min(STAGED_WIDE_ROW_GROUP_BYTES),
            (true, false) => self.row_group_bytes.saturating_mul(2),
            (false, _) => self.row_group_bytes,
        }
    }
}

/// The footer's name for the id of the order that a file's rows have: who merges it later need not sort it.
pub(crate) const ORDER: &str = "lithify.order";

/// The size of a page before compression. It bounds what a merge holds for each column of an input.
const PAGE_BYTES: usize = 128 << 10;
/// The rows of a page at most: how finely a reader can skip. Not where there are so many columns that pages have no statistics: it would only make
/// many pages of columns without values, of which the file's writer remembers each.
const PAGE_ROWS: usize = 20_000;
/// A dictionary beyond this is given up for plain values.
const DICTIONARY_BYTES: usize = 256 << 10;
/// How much of a text is kept as a bound: paths share long beginnings, and a cut within them would tell nothing.
const BOUND_BYTES: usize = 256;
/// More columns than this are not written as differences: the encoder of each takes a megabyte as soon as it is made.
const DIFFERENCES_COLUMNS_MAX: usize = 100;
/// With more columns than this a chunk is a page, and what is kept for each column is what takes memory. A run is not compressed then and has
/// no statistics: whoever reads it would hold a decompressor of 100 KB for each column; its row groups are never taken as they are. A table
/// file has statistics of chunks, not of pages as well.
const WIDE_COLUMNS: usize = 200;
/// A row group of a run with so many columns: whoever reads the run holds a whole one.
const STAGED_WIDE_ROW_GROUP_BYTES: usize = 4 << 20;
/// Texts that are longer than this in a file's first rows have neither a dictionary nor statistics.
const LARGE_TEXT_BYTES: usize = 64 << 10;
/// How many values are looked at to tell whether they repeat.
const SAMPLE_VALUES: usize = 1024;

/// The properties for a file that begins with these rows; without rows, for any.
pub(super) fn writer_properties(
    settings: &WriteSettings,
    sample: Option<&RecordBatch>,
    columns: usize,
) -> Result<WriterProperties, RunsError> {
    let level = ZstdLevel::try_new(settings.compression_level).map_err(RunsError::encode("use this compression"))?;
    let (compression, statistics) = match (columns > WIDE_COLUMNS, settings.staged) {
        (true, true) => (Compression::UNCOMPRESSED, EnabledStatistics::None),
        (true, false) => (Compression::ZSTD(level), EnabledStatistics::Chunk),
        (false, _) => (Compression::ZSTD(level), EnabledStatistics::Page),
    };
    let mut builder = WriterProperties::builder()
        .set_compression(compression)
        .set_key_value_metadata(Some(vec![KeyValue::new(ORDER.to_owned(), settings.order.id())]))
        .set_statistics_enabled(statistics)
        .set_statistics_truncate_length(Some(BOUND_BYTES))
        .set_column_index_truncate_length(Some(BOUND_BYTES))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_data_page_row_count_limit(if columns > WIDE_COLUMNS { usize::MAX } else { PAGE_ROWS })
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_max_row_group_row_count(None);
    if let Some(batch) = sample {
        builder = builder.set_write_batch_size(write_batch_size(batch));
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            builder = tune(builder, vec![field.name().clone()], column, columns <= DIFFERENCES_COLUMNS_MAX);
        }
    }
    Ok(builder.build())
}

/// After how many values the size of a page is looked at: fewer where rows are wide, so that no page grows far beyond its limit.
fn write_batch_size(batch: &RecordBatch) -> usize {
    let row_bytes = batch.get_array_memory_size() / batch.num_rows().max(1);
    (PAGE_BYTES / row_bytes.max(1)).clamp(1, 1024)
}

/// Settles the encoding of a column, or of the leaves below it.
fn tune(
    builder: WriterPropertiesBuilder,
    path: Vec<String>,
    column: &ArrayRef,
    differences: bool,
) -> WriterPropertiesBuilder {
    let below = |name: &str| path.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
    match column.data_type() {
        DataType::Struct(fields) => {
            let children = fields.iter().zip(column.as_struct().columns());
            children.fold(builder, |builder, (field, child)| tune(builder, below(field.name()), child, differences))
        }
        DataType::List(element) => {
            let mut path = below("list");
            path.push(element.name().clone());
            tune(builder, path, column.as_list::<i32>().values(), differences)
        }
        DataType::Int64 | DataType::Timestamp(_, _)
            if differences && (path == [SOURCE_ROW] || !values_repeat(column)) =>
        {
            let path = ColumnPath::new(path);
            let encoding = Encoding::DELTA_BINARY_PACKED;
            builder.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, encoding)
        }
        // Bounds of a page, of the chunk and of the values themselves would each be held whole.
        _ if mean_text_bytes(column) > LARGE_TEXT_BYTES => {
            let path = ColumnPath::new(path);
            let builder = builder.set_column_statistics_enabled(path.clone(), EnabledStatistics::None);
            builder.set_column_dictionary_enabled(path, false)
        }
        _ if !values_repeat(column) => builder.set_column_dictionary_enabled(ColumnPath::new(path), false),
        _ => builder,
    }
}

/// How long the texts of a column are, in bytes; 0 where it has none.
fn mean_text_bytes(column: &ArrayRef) -> usize {
    let bytes = match column.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => column.to_data().get_slice_memory_size(),
        _ => Ok(0),
    };
    bytes.unwrap_or(0) / column.len().max(1)
}

/// Whether a dictionary would be smaller than the values: fewer than half of a sample's are different.
fn values_repeat(column: &ArrayRef) -> bool {
    fn repeat<T: Hash + Eq>(values: impl Iterator<Item = T>) -> bool {
        let (mut seen, mut different) = (0, HashSet::new());
        for value in values.take(SAMPLE_VALUES) {
            seen += 1;
            different.insert(value);
        }
        different.len() * 2 <= seen
    }
    match column.data_type() {
        DataType::Utf8 => repeat(column.as_string::<i32>().iter().flatten()),
        DataType::LargeUtf8 => repeat(column.as_string::<i64>().iter().flatten()),
        DataType::Utf8View => repeat(column.as_string_view().iter().flatten()),
        DataType::Int64 | DataType::Float64 | DataType::Timestamp(_, _) => {
            let data = column.to_data();
            let values = &data.buffer::<u64>(0)[..data.len()];
            let nulls = column.nulls();
            repeat(values.iter().enumerate().filter(|(i, _)| nulls.is_none_or(|n| n.is_valid(*i))).map(|(_, v)| *v))
        }
        _ => true,
    }
}
