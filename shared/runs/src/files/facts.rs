//! What a merge must know of a run before it opens it.

use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use serde::{Deserialize, Serialize};

use super::pages::DECOMPRESSOR_BYTES;

/// What is known of a row group without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowGroupFacts {
    /// Its rows.
    pub rows: u64,
    /// Its size in the file, in bytes.
    pub bytes: u64,
    /// Its size as rows in memory, in bytes, about.
    pub row_bytes: u64,
    /// What a reader holds for the pages that it stands in, in bytes, about.
    pub page_bytes: u64,
}

/// The facts of every row group of a file.
pub(crate) fn row_group_facts(metadata: &ParquetMetaData) -> Vec<RowGroupFacts> {
    let pages_of = |group: usize, column: usize| {
        let index = metadata.offset_index().and_then(|index| index.get(group)?.get(column));
        index.map_or(1, |index| index.page_locations().len())
    };
    let groups = metadata.row_groups().iter().enumerate();
    groups
        .map(|(group, facts)| {
            let columns = || facts.columns().iter().enumerate();
            RowGroupFacts {
                rows: unsigned(facts.num_rows()),
                bytes: unsigned(facts.compressed_size()),
                row_bytes: columns().map(|(_, chunk)| row_bytes(chunk)).fold(0, u64::saturating_add),
                page_bytes: columns()
                    .map(|(i, chunk)| page_bytes(chunk, pages_of(group, i)))
                    .fold(0, u64::saturating_add),
            }
        })
        .collect()
}

/// The values of a column chunk in memory, with offsets and validity. A footer may say anything.
fn row_bytes(chunk: &ColumnChunkMetaData) -> u64 {
    use parquet::basic::Type;
    let values = unsigned(chunk.num_values());
    match chunk.column_type() {
        Type::BOOLEAN => values,
        Type::INT32 | Type::FLOAT => values.saturating_mul(5),
        Type::INT64 | Type::DOUBLE => values.saturating_mul(9),
        Type::INT96 => values.saturating_mul(13),
        Type::BYTE_ARRAY => {
            let text = chunk.unencoded_byte_array_data_bytes().unwrap_or_else(|| chunk.uncompressed_size());
            values.saturating_mul(5).saturating_add(unsigned(text))
        }
        Type::FIXED_LEN_BYTE_ARRAY => {
            let length = u64::try_from(chunk.column_descr().type_length()).unwrap_or(16);
            values.saturating_mul(length + 1)
        }
    }
}

/// A page before and after decompression, the dictionary, which stays, and the decompressor; all pages of a small chunk, which needs none
/// (`pages`). What is not compressed is held as it was read.
fn page_bytes(chunk: &ColumnChunkMetaData, pages: usize) -> u64 {
    let (encoded, plain) = (unsigned(chunk.compressed_size()), unsigned(chunk.uncompressed_size()));
    if plain < DECOMPRESSOR_BYTES as u64 {
        return 2 * plain;
    }
    let dictionary = match chunk.dictionary_page_offset() {
        Some(start) => unsigned(chunk.data_page_offset().saturating_sub(start)),
        None => 0,
    };
    // A dictionary compresses about as the chunk does.
    let dictionary_plain = dictionary.saturating_mul(plain) / encoded.max(1);
    let (held, decompressor) = match chunk.compression() {
        Compression::UNCOMPRESSED => (plain, 0),
        _ => (encoded.saturating_add(plain), DECOMPRESSOR_BYTES as u64),
    };
    let page = held / (pages.max(1) as u64);
    page.saturating_add(dictionary_plain).saturating_mul(2).saturating_add(decompressor)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
