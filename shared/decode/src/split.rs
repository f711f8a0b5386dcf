//! Cutting a drop's content into chunks of whole records, in bounded memory whatever the content is.
//!
//! [`Splitter::next_chunk`] reads about a chunk, finds the records in it, and keeps the record that the chunk's end cuts for
//! the next one. Splitting looks at no more than it must: the ends of lines (`lines`), or brackets, strings and commas
//! (`values`), or separators and quotes (`csv`). Whether a record is well-formed and fits is judged later, by
//! [`crate::rows`]; only what has no end, or no sure one, is a fault here.
//!
//! The shapes differ in what a fault costs. A bad line or CSV record costs only itself. In an array or among documents the
//! rest after the fault cannot be trusted, and is one bad record: where fitting finds such a fault
//! ([`Splitter::fault_spreads`]), the caller calls [`Splitter::poison`].

mod csv;
mod cut;
mod fields;
mod header;
mod lines;
mod seek;
mod shape;
mod values;

pub use cut::ENDED_EARLY;
pub use fields::CsvFields;

use crate::format::{Format, says_lines};
use crate::inflate::Content;
use crate::limits::{MAX_KEPT_FAULTY_BYTES, MAX_RECORD_BYTES, OverLimit};
use crate::record::{Chunk, DropFault, RecordFault, Span};
use csv::Csv;
use cut::{Cut, Stop};
use shape::Shape;

/// About how large a chunk is, in bytes.
const CHUNK_BYTES: usize = 4 << 20;

/// The most records of a chunk: spans, and faults even more, take more memory than short records do.
const MAX_CHUNK_RECORDS: usize = 64 << 10;

/// Bytes that are read at once where they are not kept.
const SKIP_BYTES: usize = 256 << 10;

/// The longest stretch in which a record's end is looked for: the longest record and its `\r\n`.
const MAX_OPEN_BYTES: usize = MAX_RECORD_BYTES + 2;

/// How CSV is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    /// The ASCII byte between two fields.
    pub separator: u8,
    /// The ASCII byte around fields that hold separators, line ends or itself (doubled).
    pub quote: u8,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { separator: b',', quote: b'"' }
    }
}

/// Cuts drops into records, one drop after another; its buffer is reused.
pub struct Splitter {
    chunk_bytes: usize,
    format: Format,
    /// Whether the drop's name says that each line is a record.
    named_lines: bool,
    csv: Csv,
    shape: Option<Shape>,
    stage: Stage,
    /// Content that was read and belongs to the next chunk.
    carry: Vec<u8>,
    /// The offset of the next chunk's first byte in the content.
    offset: u64,
    /// The line that the next record stands on or after.
    line: u64,
    /// Records handed out.
    records: u64,
    /// Whether the content gave its last byte.
    ended: bool,
    /// Whether `carry` holds whole records still, as the last chunk had enough of them.
    full: bool,
}

/// What is done with the rest of the content.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is cut.
    Cut,
    /// It is read for its checksums only.
    Drain,
    /// There is none.
    Done,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new()
    }
}

impl Splitter {
    /// One with an empty buffer; it grows to what the drops need.
    pub fn new() -> Self {
        Self::with_chunk_bytes(CHUNK_BYTES)
    }

    /// One whose chunks have about so many bytes.
    pub fn with_chunk_bytes(chunk_bytes: usize) -> Self {
        Self {
            chunk_bytes: chunk_bytes.max(1),
            format: Format::Json,
            named_lines: false,
            csv: Csv::default(),
            shape: None,
            stage: Stage::Done,
            carry: Vec::new(),
            offset: 0,
            line: 1,
            records: 0,
            ended: false,
            full: false,
        }
    }

    /// Begins with another drop. Its key tells whether each line is a record; `options` matter for CSV only.
    pub fn begin_drop(&mut self, key: &str, format: Format, options: CsvOptions) {
        self.begin(format, options);
        self.named_lines = says_lines(key);
    }

    /// Begins with content that has no name. `options` matter for CSV only.
    pub fn begin(&mut self, format: Format, options: CsvOptions) {
        (self.format, self.named_lines) = (format, false);
        self.csv.begin(options);
        (self.shape, self.stage) = (None, Stage::Cut);
        self.carry.clear();
        self.carry.shrink_to(2 * self.chunk_bytes);
        (self.offset, self.line, self.records) = (0, 1, 0);
        (self.ended, self.full) = (false, false);
    }

    /// Fills `chunk` with the next records of the drop; gives false, and an empty chunk, when there are no more. Only then
    /// is the content known to be undamaged: nothing of the drop may be used before.
    ///
    /// # Errors
    /// The drop cannot be read; nothing of it may be used.
    pub fn next_chunk(&mut self, content: &mut impl Content, chunk: &mut Chunk) -> Result<bool, DropFault> {
        chunk.spans.clear();
        chunk.bytes.clear();
        if self.carry.is_empty() {
            chunk.bytes.shrink_to(2 * self.chunk_bytes);
        } else {
            std::mem::swap(&mut chunk.bytes, &mut self.carry);
        }
        (chunk.first_record, chunk.first_byte) = (self.records, self.offset);
        match self.stage {
            Stage::Cut => self.cut_chunk(content, chunk)?,
            Stage::Drain => self.drain(content, chunk.bytes.len())?,
            Stage::Done => {}
        }
        if chunk.spans.is_empty() {
            chunk.bytes.clear();
            return Ok(false);
        }
        self.records += chunk.spans.len() as u64;
        Ok(true)
    }

    /// The names in the header of a CSV drop, once the first chunk was cut; empty where there is no header.
    pub fn csv_header(&self) -> &[String] {
        self.csv.header()
    }

    /// Whether a fault that fitting found in this record makes the rest of the drop untrustworthy: in an array or among
    /// documents, where the record is no well-formed JSON. A value that is well-formed and fits no row costs only itself,
    /// and so does a record whose span has a fault already.
    pub fn fault_spreads(&self, record: &[u8]) -> bool {
        matches!(self.shape, Some(Shape::Values(_))) && !shape::is_well_formed(record)
    }

    /// Gives up the rest of the drop: [`Splitter::next_chunk`] reads on for damage only, and gives false. The caller counts
    /// the faulty record and all that follows it, in its chunk as well, as one bad record.
    pub fn poison(&mut self) {
        self.stage = Stage::Drain;
    }

    fn cut_chunk(&mut self, content: &mut impl Content, chunk: &mut Chunk) -> Result<(), DropFault> {
        let mut used = 0;
        loop {
            if !std::mem::take(&mut self.full) {
                self.read_on(content, &mut chunk.bytes, used)?;
            }
            let shape = match &mut self.shape {
                Some(shape) => shape,
                untold => match shape::tell(self.format, self.named_lines, &chunk.bytes, self.ended)? {
                    Some((told, skipped)) => {
                        used = skipped;
                        untold.insert(told)
                    }
                    None => continue,
                },
            };
            let (ended, early) = (self.ended, content.ended_early());
            let mut cut = Cut { bytes: &chunk.bytes, spans: &mut chunk.spans, used, line: self.line, ended, early };
            let stop = match shape {
                Shape::Lines => lines::cut(&mut cut),
                Shape::Values(values) => values.cut(&mut cut),
                Shape::Csv => self.csv.cut(&mut cut)?,
            };
            (used, self.line) = (cut.used, cut.line);
            match stop {
                Stop::More if chunk.spans.is_empty() => {
                    // Blanks are not kept: there may be gigabytes of them.
                    chunk.bytes.drain(..used);
                    chunk.first_byte += used as u64;
                    used = 0;
                }
                Stop::More | Stop::Full => {
                    self.full = stop == Stop::Full;
                    self.carry.extend_from_slice(&chunk.bytes[used..]);
                    chunk.bytes.truncate(used);
                    self.offset = chunk.first_byte + used as u64;
                    return Ok(());
                }
                Stop::End => {
                    self.offset = chunk.first_byte + chunk.bytes.len() as u64;
                    self.stage = Stage::Done;
                    return Ok(());
                }
                Stop::LongLine => return self.skip_line(content, chunk, used),
                Stop::Seek(fault) => return self.seek_record(content, chunk, used, fault),
                Stop::Rest(fault) => return self.give_up(content, chunk, used, fault),
            }
        }
    }

    /// Reads until there is about a chunk to cut, or twice as much of an unfinished record as before.
    fn read_on(&mut self, content: &mut impl Content, bytes: &mut Vec<u8>, used: usize) -> Result<(), DropFault> {
        if !self.ended {
            let open = bytes.len() - used;
            let most = match self.chunk_bytes.saturating_sub(open) {
                0 => open.min(MAX_OPEN_BYTES.saturating_sub(open)).max(1),
                missing => missing,
            };
            self.ended = !content.fill(bytes, most)?;
        }
        Ok(())
    }

    /// Makes the line that begins at `start` a bad record and goes on after it, keeping its beginning only. It is the
    /// chunk's last record, as the bytes after what is kept are not those that follow in the content.
    fn skip_line(&mut self, content: &mut impl Content, chunk: &mut Chunk, start: usize) -> Result<(), DropFault> {
        self.carry.extend_from_slice(&chunk.bytes[start..]);
        let (mut length, mut last) = (0, None);
        let end = loop {
            let end = memchr::memchr(b'\n', &self.carry);
            let piece = &self.carry[..end.unwrap_or(self.carry.len())];
            length += piece.len();
            last = piece.last().copied().or(last);
            if end.is_some() || self.ended {
                break end;
            }
            self.carry.clear();
            self.ended = !content.fill(&mut self.carry, SKIP_BYTES)?;
        };
        self.carry.drain(..end.map_or(self.carry.len(), |end| end + 1));
        let found = length - usize::from(last == Some(b'\r'));
        let reason = OverLimit::RecordBytes { found: found as u64 }.to_string();
        push_last(chunk, start, self.line, RecordFault { reason, at: MAX_RECORD_BYTES }, Some(length));
        if end.is_none() {
            self.stage = Stage::Done;
        }
        self.line += 1;
        self.offset = chunk.first_byte + (start + length + 1) as u64;
        Ok(())
    }

    /// Makes all from `start` on one bad record.
    fn give_up(
        &mut self,
        content: &mut impl Content,
        chunk: &mut Chunk,
        start: usize,
        fault: RecordFault,
    ) -> Result<(), DropFault> {
        while !self.ended && chunk.bytes.len() - start < MAX_KEPT_FAULTY_BYTES {
            self.ended = !content.fill(&mut chunk.bytes, MAX_KEPT_FAULTY_BYTES)?;
        }
        self.offset = chunk.first_byte + chunk.bytes.len() as u64;
        push_last(chunk, start, self.line, fault, None);
        self.stage = Stage::Drain;
        Ok(())
    }

    /// The length of the content, once it was given to its last byte.
    pub fn content_bytes(&self) -> u64 {
        self.offset
    }

    fn drain(&mut self, content: &mut impl Content, carried: usize) -> Result<(), DropFault> {
        self.offset += carried as u64;
        while !self.ended {
            self.carry.clear();
            self.ended = !content.fill(&mut self.carry, SKIP_BYTES)?;
            self.offset += self.carry.len() as u64;
        }
        self.carry.clear();
        self.stage = Stage::Done;
        Ok(())
    }
}

/// Adds a bad record that ends its chunk, with no more bytes than are kept of one. Without a length it goes on to the content's end.
fn push_last(chunk: &mut Chunk, start: usize, line: u64, fault: RecordFault, length: Option<usize>) {
    let end =
        chunk.bytes.len().min(start + MAX_KEPT_FAULTY_BYTES).min(length.map_or(usize::MAX, |length| start + length));
    chunk.bytes.truncate(end);
    let missing = length.map(|length| (length - (end - start)) as u64);
    chunk.spans.push(Span { start, end, missing, line, fault: Some(fault) });
}

#[cfg(test)]
mod tests;
