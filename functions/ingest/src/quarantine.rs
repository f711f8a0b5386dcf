//! What could not be read, kept with its address, position and reason, as JSON lines beside the batch's runs.

use std::borrow::Cow;
use std::sync::Arc;

use decode::limits::MAX_KEPT_FAULTY_BYTES;
use decode::record::{Chunk, RecordFault, Span};
use decode::split::ENDED_EARLY;
use drops::{BatchId, DroppedObject, PipelineName};
use serde::{Deserialize, Serialize};
use store::Store;

use crate::IngestError;

/// How many bytes of entries of one drop are held in memory before they get a file of their own.
const HELD_BYTES: usize = 4 << 20;

/// How many drops and how many records of a batch are shown to the user; all are in its files.
const SHOWN: usize = 20;

/// One line of a quarantine file: a record, or a whole drop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineEntry {
    /// The drop: its address or path relative to the source.
    pub source_file: String,
    /// The drop's version id or etag.
    pub source_version: String,
    /// The record; absent where the whole drop is meant.
    #[serde(flatten)]
    pub record: Option<QuarantinedRecord>,
    /// Why it could not be read.
    pub reason: String,
}

/// Where a quarantined record lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedRecord {
    /// Its ordinal in the drop, from 0.
    pub row: u64,
    /// The line it begins on, from 1.
    pub line: u64,
    /// Its first byte in the decompressed content, from 0.
    pub byte_start: u64,
    /// The byte after its last.
    pub byte_end: u64,
    /// The fault's byte in the decompressed content.
    pub fault_byte: u64,
    /// Its content, or the beginning of it; the bytes themselves are in the drop, from `byte_start` to `byte_end`.
    pub content: String,
    /// Whether content is all of it, to the byte: not cut to 64 KiB, nothing in it that is not UTF-8 and was replaced.
    pub content_whole: bool,
}

/// The quarantine of one batch: entries of whole drops in one file, a drop with very many in files of its own.
pub(crate) struct Quarantine {
    state: Arc<dyn Store>,
    prefix: String,
    next: u32,
    kept: Vec<u8>,
    files: Vec<String>,
    /// The first few entries, for the user.
    shown: Vec<QuarantineEntry>,
    drop: Vec<u8>,
    /// A record that goes on to the end of the drop at hand, which is not known yet.
    to_the_end: Option<QuarantineEntry>,
    drop_shown: Vec<QuarantineEntry>,
    drop_files: Vec<String>,
}

impl Quarantine {
    pub(crate) fn new(state: Arc<dyn Store>, pipeline: &PipelineName, batch: BatchId) -> Self {
        let prefix = format!("quarantine/{pipeline}/{batch}-");
        Self {
            state,
            prefix,
            next: 0,
            kept: Vec::new(),
            files: Vec::new(),
            shown: Vec::new(),
            drop: Vec::new(),
            to_the_end: None,
            drop_shown: Vec::new(),
            drop_files: Vec::new(),
        }
    }

    /// Notes a bad record of the drop at hand. One that `spreads` takes the rest of the drop with it.
    pub(crate) fn record(&mut self, object: &DroppedObject, chunk: &Chunk, bad: &BadRecord, spreads: bool) {
        let BadRecord { row, span, fault } = bad;
        let end = if spreads { chunk.bytes.len() } else { span.end };
        let content = chunk.bytes.get(span.start..end).unwrap_or_default();
        let kept = content.get(..MAX_KEPT_FAULTY_BYTES).unwrap_or(content);
        let text = String::from_utf8_lossy(kept);
        let missing = span.missing.filter(|_| !spreads);
        let byte_start = chunk.first_byte + span.start as u64;
        let record = QuarantinedRecord {
            row: *row,
            line: span.line,
            byte_start,
            byte_end: byte_start + content.len() as u64 + missing.unwrap_or(0),
            fault_byte: byte_start + fault.at as u64,
            content_whole: missing.unwrap_or(0) == 0 && kept.len() == content.len() && matches!(text, Cow::Borrowed(_)),
            content: text.into_owned(),
        };
        let rest = if spreads { "; the rest of the file, from this record on, is not read" } else { "" };
        let entry = entry(object, Some(record), format!("{}{rest}", fault.reason));
        if missing.is_some() { self.push(&entry) } else { self.to_the_end = Some(entry) }
    }

    /// The drop at hand was read to its last byte: says where a record ends that goes on to there.
    pub(crate) fn ends_at(&mut self, content_bytes: u64) {
        if let Some(mut entry) = self.to_the_end.take() {
            if let Some(record) = &mut entry.record {
                record.content_whole &= record.byte_end == content_bytes;
                record.byte_end = content_bytes.max(record.byte_end);
            }
            self.push(&entry);
        }
    }

    /// Notes that the drop at hand cannot be read at all; forgets its records.
    pub(crate) async fn whole(&mut self, object: &DroppedObject, reason: &str) -> Result<(), IngestError> {
        self.forget().await?;
        self.push(&entry(object, None, reason.to_owned()));
        Ok(())
    }

    fn push(&mut self, entry: &QuarantineEntry) {
        // A drop with many bad records hides no drop that is missing as a whole.
        let alike = |other: &&QuarantineEntry| other.record.is_some() == entry.record.is_some();
        if self.shown.iter().chain(&self.drop_shown).filter(alike).count() < SHOWN {
            self.drop_shown
                .push(QuarantineEntry { record: entry.record.clone().map(without_content), ..entry.clone() });
        }
        // Writing strings and numbers to memory as JSON cannot fail.
        if serde_json::to_writer(&mut self.drop, entry).is_ok() {
            self.drop.push(b'\n');
        }
    }

    /// Writes the drop's entries to a file of their own if they have become many.
    pub(crate) async fn spill(&mut self) -> Result<(), IngestError> {
        if self.drop.len() > HELD_BYTES {
            let content = std::mem::take(&mut self.drop);
            let address = self.write(content).await?;
            self.drop_files.push(address);
        }
        Ok(())
    }

    /// The drop at hand is whole: its entries stay.
    pub(crate) async fn keep(&mut self) -> Result<(), IngestError> {
        self.files.append(&mut self.drop_files);
        self.shown.append(&mut self.drop_shown);
        self.kept.append(&mut self.drop);
        if self.kept.len() > HELD_BYTES {
            let content = std::mem::take(&mut self.kept);
            let address = self.write(content).await?;
            self.files.push(address);
        }
        Ok(())
    }

    /// The drop at hand does not count: its entries go.
    pub(crate) async fn forget(&mut self) -> Result<(), IngestError> {
        self.drop.clear();
        self.to_the_end = None;
        self.drop_shown.clear();
        for address in self.drop_files.drain(..) {
            self.state.delete(&address).await?;
        }
        Ok(())
    }

    /// Writes what is held.
    pub(crate) async fn finish(mut self) -> Result<Kept, IngestError> {
        if !self.kept.is_empty() {
            let content = std::mem::take(&mut self.kept);
            let address = self.write(content).await?;
            self.files.push(address);
        }
        let prefix = (!self.files.is_empty()).then_some(self.prefix);
        Ok(Kept { prefix, files: self.files, shown: self.shown })
    }

    async fn write(&mut self, content: Vec<u8>) -> Result<String, IngestError> {
        let address = format!("{}{}.jsonl", self.prefix, self.next);
        self.next += 1;
        self.state.put(&address, content.into()).await?;
        Ok(address)
    }
}

/// What the quarantine of a batch came to.
pub(crate) struct Kept {
    /// What the addresses of its files begin with; none if there are none.
    pub(crate) prefix: Option<String>,
    /// The files.
    pub(crate) files: Vec<String>,
    /// The first few entries.
    pub(crate) shown: Vec<QuarantineEntry>,
}

fn without_content(record: QuarantinedRecord) -> QuarantinedRecord {
    QuarantinedRecord { content: String::new(), ..record }
}

fn entry(object: &DroppedObject, record: Option<QuarantinedRecord>, reason: String) -> QuarantineEntry {
    let source_version = object.id.version.clone().unwrap_or_else(|| object.etag.clone());
    QuarantineEntry { source_file: source_file(object), source_version, record, reason }
}

/// A record that fitting or splitting could not read.
pub(crate) struct BadRecord {
    /// Its ordinal in the drop.
    pub(crate) row: u64,
    pub(crate) span: Span,
    pub(crate) fault: RecordFault,
}

impl BadRecord {
    /// Where it lies and what is wrong with it.
    pub(crate) fn told(&self, chunk: &Chunk) -> String {
        let (byte, line) = (chunk.first_byte + self.span.start as u64, self.span.line);
        // Of a drop without any whole record it is not the rest that is missing.
        let reason = match self.fault.reason.as_str() {
            ENDED_EARLY => "the compressed file ends before it; have the file sent again",
            reason => reason,
        };
        format!("at byte {byte} (line {line}): {reason}")
    }
}

/// What `_source_file` says of a drop: its S3 address, or its path relative to the source.
pub fn source_file(object: &DroppedObject) -> String {
    if object.id.bucket.is_empty() {
        object.id.key.clone()
    } else {
        format!("s3://{}/{}", object.id.bucket, object.id.key)
    }
}
