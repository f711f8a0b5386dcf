//! Where a CSV record has no sure end within what a record may take: it ends where a line is a record by itself.

use crate::inflate::Content;
use crate::record::{Chunk, DropFault, RecordFault};

use super::{MAX_OPEN_BYTES, SKIP_BYTES, Splitter, Stage, push_last};

/// What was stepped over.
#[derive(Default)]
struct Stepped {
    bytes: usize,
    lines: u64,
    /// Whether they end within a line that is longer than a record may be.
    in_long_line: bool,
}

impl Splitter {
    /// Makes all from `start` up to the next line that is a record by itself one bad record, and goes on with that line. Keeps the beginning
    /// only, so it is the chunk's last record.
    pub(super) fn seek_record(
        &mut self,
        content: &mut impl Content,
        chunk: &mut Chunk,
        start: usize,
        fault: RecordFault,
    ) -> Result<(), DropFault> {
        self.carry.extend_from_slice(&chunk.bytes[start..]);
        let mut stepped = Stepped::default();
        let found = loop {
            if self.step_to_record(&mut stepped) {
                break true;
            }
            if self.ended {
                // Without a line end the last line counts only where it is known to be whole.
                let is_whole = !content.ended_early() && !stepped.in_long_line;
                break is_whole && self.csv.is_record(&self.carry);
            }
            self.ended = !content.fill(&mut self.carry, SKIP_BYTES)?;
        };
        if !found {
            stepped.bytes += self.carry.len();
            self.carry.clear();
            self.stage = Stage::Done;
        }
        // The last line end is not the record's.
        let length = found.then(|| stepped.bytes.saturating_sub(1));
        push_last(chunk, start, self.line, fault, length);
        self.line += stepped.lines;
        self.offset = chunk.first_byte + (start + stepped.bytes) as u64;
        Ok(())
    }

    /// Drops the lines at the beginning of what is carried that are no records. True if one follows that is.
    fn step_to_record(&mut self, stepped: &mut Stepped) -> bool {
        let (mut at, mut found) = (0, false);
        while let Some(end) = memchr::memchr(b'\n', &self.carry[at..]) {
            let line = &self.carry[at..at + end];
            found = !stepped.in_long_line && line.len() < MAX_OPEN_BYTES && self.csv.is_record(line);
            if found {
                break;
            }
            (at, stepped.in_long_line) = (at + end + 1, false);
            stepped.lines += 1;
        }
        if !found && self.carry.len() - at >= MAX_OPEN_BYTES {
            (at, stepped.in_long_line) = (self.carry.len(), true);
        }
        stepped.bytes += at;
        self.carry.drain(..at);
        found
    }
}
