//! The bytes at hand while they are cut, and how cutting goes on.

use crate::limits::{MAX_KEPT_FAULTY_BYTES, MAX_RECORD_BYTES, OverLimit};
use crate::record::{RecordFault, Span};

use super::{MAX_CHUNK_RECORDS, MAX_OPEN_BYTES};

/// Why the last record of a compressed drop that ends early cannot be read.
pub const ENDED_EARLY: &str = "the compressed file ends early: what follows its last whole record is cut off; have what is missing sent as a new file";

/// The bytes at hand, and how far they are cut.
pub(super) struct Cut<'a> {
    pub bytes: &'a [u8],
    pub spans: &'a mut Vec<Span>,
    /// The first byte that is not cut yet.
    pub used: usize,
    /// The line that it stands on, from 1.
    pub line: u64,
    /// Whether nothing follows `bytes`.
    pub ended: bool,
    /// Whether that is so because the compressed stream ended early.
    pub early: bool,
}

/// Why cutting stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// What is left is the beginning of a record, or nothing.
    More,
    /// The chunk has as many records as it may.
    Full,
    /// All is cut, and nothing follows.
    End,
    /// A line begins that is longer than a record may be.
    LongLine,
    /// From here on all is one bad record, up to a line of CSV that is a record by itself.
    Seek(RecordFault),
    /// From here on the rest is one bad record.
    Rest(RecordFault),
}

impl<'a> Cut<'a> {
    /// What is not cut yet.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.used..]
    }

    /// As much of it as a record may take, and whether more can follow that. So that the same is found whatever the
    /// chunks are, nothing beyond it may be looked at.
    pub fn window(&self) -> (&'a [u8], Follows) {
        let rest = self.rest();
        if rest.len() >= MAX_OPEN_BYTES {
            (&rest[..MAX_OPEN_BYTES], Follows::TooMuch)
        } else if self.ended {
            (rest, if self.early { Follows::Missing } else { Follows::Nothing })
        } else {
            (rest, Follows::More)
        }
    }

    /// Whether the chunk has as many records as it may.
    pub fn is_full(&self) -> bool {
        self.spans.len() >= MAX_CHUNK_RECORDS
    }

    /// Goes on `bytes` further, over line ends too.
    pub fn advance(&mut self, bytes: usize) {
        let over = &self.rest()[..bytes];
        self.line += memchr::memchr_iter(b'\n', over).count() as u64;
        self.used += bytes;
    }

    /// Goes on to the line after the next `bytes`, which are one line, if a line end stands there.
    pub fn advance_line(&mut self, bytes: usize) {
        self.used = (self.used + bytes + 1).min(self.bytes.len());
        self.line += 1;
    }

    /// Adds the next `bytes` as a record, bad if it is too long.
    pub fn push(&mut self, bytes: usize) {
        if bytes > MAX_RECORD_BYTES {
            let reason = OverLimit::RecordBytes { found: bytes as u64 }.to_string();
            return self.push_fault(bytes, RecordFault { reason, at: MAX_RECORD_BYTES });
        }
        let (start, line) = (self.used, self.line);
        self.spans.push(Span { start, end: start + bytes, missing: Some(0), line, fault: None });
    }

    /// Adds the next `bytes` as a bad record.
    pub fn push_fault(&mut self, bytes: usize, fault: RecordFault) {
        let (start, line) = (self.used, self.line);
        let end = start + bytes.min(MAX_KEPT_FAULTY_BYTES);
        self.spans.push(Span { start, end, missing: Some(0), line, fault: Some(fault) });
    }

    /// Ends a drop whose compressed stream ended early: what is left, nothing too, is the one bad record that says so.
    pub fn end_early(&mut self) -> Stop {
        let tail = self.rest().trim_ascii_end().len();
        self.push_fault(tail, RecordFault { reason: ENDED_EARLY.to_owned(), at: tail });
        self.used = self.bytes.len();
        Stop::End
    }
}

/// What follows the bytes in which a record's end is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// More, when it is read.
    More,
    /// Nothing.
    Nothing,
    /// Nothing, as the compressed stream ended early.
    Missing,
    /// More than a record may take.
    TooMuch,
}

/// A line without the `\r` of its `\r\n`.
pub(super) fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
