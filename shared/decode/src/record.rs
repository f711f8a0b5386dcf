//! What splitting hands to fitting: where each record of a chunk lies, and why one could not be read.

/// Why a record was not read. The record is quarantined with this reason; the rest of its drop goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RecordFault {
    /// The reason, for the user.
    pub reason: String,
    /// Bytes from the record's start to the fault.
    pub at: usize,
}

/// One record of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first byte, within the chunk.
    pub start: usize,
    /// The byte after its last, within the chunk.
    pub end: usize,
    /// How many bytes follow that belong to it and are not kept; `None` if it goes on to the content's end.
    pub missing: Option<u64>,
    /// The line that it begins on, from 1, within the decompressed content.
    pub line: u64,
    /// Set where splitting saw already that it cannot be read (a cut tail, a line too long, broken quoting).
    pub fault: Option<RecordFault>,
}

/// A stretch of a drop's decompressed content that holds whole records.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// The content. Where a span has a fault, bytes of it may be left away (a line of a gigabyte is not kept).
    pub bytes: Vec<u8>,
    /// Its records, in order.
    pub spans: Vec<Span>,
    /// The ordinal of the first span's record in the drop, from 0, bad records counted.
    pub first_record: u64,
    /// The offset of `bytes[0]` in the decompressed content.
    pub first_byte: u64,
}

/// Why a drop can never be read as it is: it is quarantined whole.
#[derive(Debug, thiserror::Error)]
pub enum DropFault {
    /// The bytes are damaged, forbidden or no such format.
    #[error("{0}")]
    Unreadable(String),
    /// Reading failed for a passing cause: the drop is left out.
    #[error("{0}")]
    Passing(std::io::Error),
}

/// One field of a CSV record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsvField<'a> {
    /// Its text, quotes removed and doubled quotes made single.
    pub text: &'a str,
    /// Whether it stood in quotes: an empty field in quotes is the empty string, one without is null.
    pub quoted: bool,
}
