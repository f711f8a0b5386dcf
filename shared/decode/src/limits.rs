//! Every limit of decoding in one place, each with the text that a user reads when it is exceeded.
//!
//! The limits stand against hostile or broken input: no file, however made, may take unbounded memory or time. They are
//! wide enough that honest files do not meet them.

/// The longest record, in bytes of decompressed content.
pub const MAX_RECORD_BYTES: usize = 16 << 20;

/// How deep objects and arrays of one JSON record may be nested. The record itself is level 1.
pub const MAX_NESTING: usize = 64;

/// The most JSON values in one record, nested ones counted.
pub const MAX_RECORD_VALUES: usize = 500_000;

/// The most decompressed bytes per compressed byte, judged once more than [`INFLATE_RATIO_FROM_BYTES`] came out.
pub const MAX_INFLATE_RATIO: u64 = 1_000;

/// Below so many decompressed bytes the ratio is not judged: a small file of blanks is no attack.
pub const INFLATE_RATIO_FROM_BYTES: u64 = 64 << 20;

/// The most decompressed bytes of one compressed drop.
pub const MAX_INFLATED_BYTES: u64 = 1 << 40;

/// The most columns of a table, nested fields counted.
pub const MAX_COLUMNS: usize = 2_000;

/// How deep a column may nest: the parts of its path, list elements included. Readers set it: a level is up to three levels of
/// JSON in the schema that the Delta log and the ledger keep, whose parsers stop at 128, and two levels of Parquet, of which
/// Arrow's reader takes about a hundred.
pub const MAX_COLUMN_NESTING: usize = 30;

/// The longest name of a column, in bytes.
pub const MAX_COLUMN_NAME_BYTES: usize = 255;

/// The most fields that learning a schema remembers, nested ones counted: more than a table can have, so that a field which
/// turns out to be no column takes no column's place.
pub const MAX_OBSERVED_FIELDS: usize = 10_000;

/// The most names without a column that fitting remembers. Further ones are rescued and not proposed as columns.
pub const MAX_STRANGERS: usize = 10_000;

/// The most bytes that the places of one record in columns may take, texts apart: an element of a list, however short, has one in every
/// column below the list.
pub const MAX_RECORD_MEMORY_BYTES: usize = 32 << 20;

/// The most fields of a CSV record.
pub const MAX_CSV_FIELDS: usize = 10_000;

/// How much of a record that cannot be read is kept for the quarantine, in bytes.
pub const MAX_KEPT_FAULTY_BYTES: usize = 64 << 10;

/// The largest window of a zstd frame, as a power of two of bytes: reading one takes that much memory. 32 MiB is four
/// times what RFC 8878 asks of every reader, and what every level up to 20 is content with.
pub const MAX_ZSTD_WINDOW_LOG: u32 = 25;

/// A limit that a drop, a record or a table exceeds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverLimit {
    /// See [`MAX_RECORD_BYTES`].
    #[error("the record is longer than the limit of {MAX_RECORD_BYTES} bytes ({found} bytes)")]
    RecordBytes {
        /// Its length.
        found: u64,
    },
    /// See [`MAX_RECORD_BYTES`], where the record's length is not known as it was not read to its end.
    #[error("the record is longer than the limit of {MAX_RECORD_BYTES} bytes: no end was found")]
    RecordBytesOpen,
    /// See [`MAX_NESTING`].
    #[error("the record nests objects and arrays deeper than the limit of {MAX_NESTING} levels")]
    Nesting,
    /// See [`MAX_RECORD_VALUES`].
    #[error("the record holds more values than the limit of {MAX_RECORD_VALUES}")]
    RecordValues,
    /// See [`MAX_RECORD_MEMORY_BYTES`].
    #[error("the record takes more than the limit of {MAX_RECORD_MEMORY_BYTES} bytes as columns ({found} bytes)")]
    RecordMemory {
        /// What it takes, about.
        found: usize,
    },
    /// See [`MAX_INFLATE_RATIO`].
    #[error(
        "the file decompresses to more than the limit of {MAX_INFLATE_RATIO} times its size ({inflated} bytes out of \
         {compressed}): it looks like a decompression bomb"
    )]
    InflateRatio {
        /// Decompressed bytes so far.
        inflated: u64,
        /// Compressed bytes that they came from.
        compressed: u64,
    },
    /// See [`MAX_INFLATED_BYTES`].
    #[error("the file decompresses to more than the limit of {MAX_INFLATED_BYTES} bytes: split it")]
    InflatedBytes,
    /// See [`MAX_ZSTD_WINDOW_LOG`].
    #[error(
        "the zstd frame asks for a window of more than the limit of {} bytes: compress it without --long and --ultra",
        1_u64 << MAX_ZSTD_WINDOW_LOG
    )]
    ZstdWindow,
    /// See [`MAX_COLUMNS`].
    #[error("the table would have more columns, nested ones counted, than the limit of {MAX_COLUMNS}")]
    Columns,
    /// See [`MAX_COLUMN_NESTING`].
    #[error("a column nests no deeper than the limit of {MAX_COLUMN_NESTING} levels, elements of lists counted")]
    ColumnNesting,
    /// See [`MAX_COLUMN_NAME_BYTES`].
    #[error("the name is longer than the limit of {MAX_COLUMN_NAME_BYTES} bytes ({found} bytes)")]
    ColumnNameBytes {
        /// Its length.
        found: usize,
    },
    /// See [`MAX_CSV_FIELDS`].
    #[error("the CSV record has more fields than the limit of {MAX_CSV_FIELDS}: is the separator right?")]
    CsvFields,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_names_the_limit() {
        let cases = [
            (OverLimit::RecordBytes { found: 20_000_000 }, "16777216", "20000000"),
            (OverLimit::RecordBytesOpen, "16777216", "no end"),
            (OverLimit::Nesting, "64", "levels"),
            (OverLimit::RecordValues, "500000", "values"),
            (OverLimit::RecordMemory { found: 60_000_000 }, "33554432", "60000000"),
            (OverLimit::InflateRatio { inflated: 7, compressed: 3 }, "1000 times", "7 bytes out of 3"),
            (OverLimit::InflatedBytes, "1099511627776", "split"),
            (OverLimit::ZstdWindow, "33554432", "--long"),
            (OverLimit::Columns, "2000", "columns"),
            (OverLimit::ColumnNesting, "30", "column nests"),
            (OverLimit::ColumnNameBytes { found: 300 }, "255", "300"),
            (OverLimit::CsvFields, "10000", "separator"),
        ];
        for (limit, number, word) in cases {
            let text = limit.to_string();
            assert!(text.contains(number) && text.contains(word), "{text}");
        }
    }
}
