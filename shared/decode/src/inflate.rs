//! A drop's content, decompressed while it is read, with every way that it can end kept apart:
//!
//! - its last byte came and all checksums are right: [`Content::fill`] gives false;
//! - the compressed stream ends early: the same, and [`Content::ended_early`] is true. All that could be decompressed was given;
//! - it is damaged in the middle, a checksum is wrong, or it exceeds a limit: [`DropFault::Unreadable`];
//! - reading it failed for a cause outside the bytes: [`DropFault::Passing`].
//!
//! What was given before a fault must not be used: only the end vouches for it. Content is appended straight to the
//! caller's buffer, a plain drop without any copy, and the decompressors' states live in [`Buffers`] from drop to drop: a
//! drop of three kilobytes costs its read and no allocation.

mod gzip;
mod tell;
mod zstd;

use std::io::Read;

pub use tell::tell;

use crate::format::{Compression, Packing, by_first_bytes};
use crate::limits::{INFLATE_RATIO_FROM_BYTES, MAX_INFLATE_RATIO, MAX_INFLATED_BYTES, OverLimit};
use crate::record::DropFault;

/// Compressed bytes that are read at once.
const INPUT_BYTES: usize = 128 << 10;

/// Decompressed bytes that are made room for at once.
const OUTPUT_BYTES: usize = 64 << 10;

/// Bytes that are looked at to tell text from damage.
const TEXT_BYTES: usize = 512;

/// Bytes that any magic number fits in.
const MAGIC_BYTES: usize = 4;

/// The decompressed content of a drop, from its beginning to its end, once.
pub trait Content {
    /// Appends the next bytes to `into`: at least `most` (and about that many) or, giving false, all that are left.
    ///
    /// # Errors
    /// The drop cannot be read; go no further, and use nothing of it.
    fn fill(&mut self, into: &mut Vec<u8>, most: usize) -> Result<bool, DropFault>;

    /// Whether the compressed stream ended before its end; known once `fill` gave false.
    fn ended_early(&self) -> bool;
}

/// What decompressing reuses from drop to drop.
#[derive(Default)]
pub struct Buffers {
    input: Vec<u8>,
    gzip: Option<gzip::Gzip>,
    zstd: Option<zstd::Zstd>,
}

/// The [`Content`] of a reader's bytes.
pub struct Inflate<'b, R> {
    reader: R,
    buffers: &'b mut Buffers,
    packing: Packing,
    stage: Stage,
    /// The first byte of the input that is not decompressed yet.
    at: usize,
    input_ended: bool,
    early: bool,
    compressed: u64,
    inflated: u64,
}

/// Where reading stands.
#[derive(Clone, Copy)]
enum Stage {
    Start,
    Plain,
    Gzip,
    Zstd,
    Ended,
}

/// How far a decompressor came with its input.
struct Step {
    /// Bytes of the input that it took.
    used: usize,
    progress: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It wants more input, or more room.
    Going,
    /// The input ended where the stream may end.
    Ended,
    /// The input ended within the stream.
    EndedEarly,
}

/// Why decompressing failed.
enum Damage {
    Broken(String),
    Limit(OverLimit),
}

impl Buffers {
    /// Empty ones; they grow to what the drops need.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<'b, R: Read> Inflate<'b, R> {
    /// The content of what `reader` gives, compressed as `packing` says.
    pub fn new(buffers: &'b mut Buffers, reader: R, packing: Packing) -> Self {
        buffers.input.clear();
        let (stage, at) = (Stage::Start, 0);
        Self { reader, buffers, packing, stage, at, input_ended: false, early: false, compressed: 0, inflated: 0 }
    }

    /// The content of bytes that are not compressed, whatever they begin with.
    pub fn plain(buffers: &'b mut Buffers, reader: R) -> Self {
        Self::new(buffers, reader, Packing::given(Compression::None))
    }

    /// Tells the compression by the first bytes. Those of a plain drop are in `into` then.
    fn start(&mut self, into: &mut Vec<u8>, most: usize) -> Result<bool, DropFault> {
        let Packing { compression, given } = self.packing;
        if compression == Compression::None {
            let from = into.len();
            let more = self.fill_plain(into, most.max(MAGIC_BYTES))?;
            let magic = if given { None } else { by_first_bytes(&into[from..]) };
            let Some(magic) = magic else {
                self.stage = Stage::Plain;
                return Ok(more);
            };
            self.buffers.input.extend_from_slice(&into[from..]);
            into.truncate(from);
            self.input_ended = !more;
            return self.start_decompressing(magic).map(|()| true);
        }
        self.refill()?;
        let first = &self.buffers.input[..];
        let magic = by_first_bytes(first);
        match magic {
            Some(magic) if magic == compression || !given => self.start_decompressing(magic)?,
            // Cut within its magic number: the decompressor sees that the stream ends early.
            None if is_cut_magic(first, compression) => self.start_decompressing(compression)?,
            // A name can be wrong; but what is neither compressed nor text is a damaged file, and its bytes are no records.
            None if !given && is_text(first) => {
                self.stage = Stage::Plain;
                into.append(&mut self.buffers.input);
                return Ok(!self.input_ended);
            }
            None if !given => {
                let what =
                    if is_markup(first) { "markup (an error page?)" } else { "neither that nor text: it is damaged" };
                return Err(DropFault::Unreadable(format!(
                    "the name says that it is compressed with {compression}, but its first bytes are {what}"
                )));
            }
            _ => {
                return Err(DropFault::Unreadable(format!(
                    "the content is not compressed with {compression}, which the settings say: correct the compression \
                     of the pipeline, or leave it away so that the content tells"
                )));
            }
        }
        Ok(true)
    }

    fn start_decompressing(&mut self, compression: Compression) -> Result<(), DropFault> {
        self.compressed = self.buffers.input.len() as u64;
        self.inflated = 0;
        self.stage = match compression {
            Compression::None => Stage::Plain,
            Compression::Gzip => {
                self.buffers.gzip.get_or_insert_with(gzip::Gzip::new).reset();
                Stage::Gzip
            }
            Compression::Zstd => {
                match &mut self.buffers.zstd {
                    Some(zstd) => zstd.reset().map_err(DropFault::Passing)?,
                    none => *none = Some(zstd::Zstd::new().map_err(DropFault::Passing)?),
                }
                Stage::Zstd
            }
        };
        Ok(())
    }

    fn fill_plain(&mut self, into: &mut Vec<u8>, most: usize) -> Result<bool, DropFault> {
        // Without room the standard library probes with tiny reads.
        into.reserve(most.min(OUTPUT_BYTES));
        let read = (&mut self.reader).take(most as u64).read_to_end(into).map_err(DropFault::Passing)?;
        self.inflated += read as u64;
        Ok(read == most)
    }

    fn refill(&mut self) -> Result<(), DropFault> {
        let input = &mut self.buffers.input;
        input.clear();
        input.reserve(INPUT_BYTES);
        self.at = 0;
        let read = (&mut self.reader).take(INPUT_BYTES as u64).read_to_end(input).map_err(DropFault::Passing)?;
        self.input_ended = read < INPUT_BYTES;
        self.compressed += read as u64;
        Ok(())
    }

    fn decompress(&mut self, into: &mut Vec<u8>, goal: usize) -> Result<bool, DropFault> {
        while into.len() < goal {
            if self.at == self.buffers.input.len() && !self.input_ended {
                self.refill()?;
            }
            let before = into.len();
            into.reserve((goal - before).min(OUTPUT_BYTES));
            let input = &self.buffers.input[self.at..];
            let step = match (self.stage, &mut self.buffers.gzip, &mut self.buffers.zstd) {
                (Stage::Gzip, Some(gzip), _) => gzip.step(input, self.input_ended, into),
                (Stage::Zstd, _, Some(zstd)) => zstd.step(input, self.input_ended, into),
                _ => return Ok(false),
            };
            let within = if self.inflated == 0 { by_first_bytes(&into[before..]) } else { None };
            self.inflated += (into.len() - before) as u64;
            if let Some(within) = within {
                return Err(DropFault::Unreadable(format!(
                    "it is compressed twice: within is a stream of {within}; have the file sent compressed once"
                )));
            }
            let step = step.map_err(|damage| self.unreadable(damage))?;
            self.at += step.used;
            self.check_limits()?;
            if step.progress != Progress::Going {
                self.stage = Stage::Ended;
                self.early = step.progress == Progress::EndedEarly;
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn check_limits(&self) -> Result<(), DropFault> {
        let (inflated, compressed) = (self.inflated, self.compressed);
        let bomb = inflated > INFLATE_RATIO_FROM_BYTES && inflated > compressed.saturating_mul(MAX_INFLATE_RATIO);
        if bomb {
            Err(self.unreadable(Damage::Limit(OverLimit::InflateRatio { inflated, compressed })))
        } else if inflated > MAX_INFLATED_BYTES {
            Err(self.unreadable(Damage::Limit(OverLimit::InflatedBytes)))
        } else {
            Ok(())
        }
    }

    fn unreadable(&self, damage: Damage) -> DropFault {
        DropFault::Unreadable(match damage {
            Damage::Limit(limit) => limit.to_string(),
            Damage::Broken(reason) => {
                // libzstd does not say how much of a failed step it gave.
                let (name, least) = match self.stage {
                    Stage::Zstd => (Compression::Zstd, "at least "),
                    _ => (Compression::Gzip, ""),
                };
                let bytes = if self.inflated == 1 { "byte" } else { "bytes" };
                format!(
                    "the {name} stream is damaged after {least}{} decompressed {bytes}: {reason}; have the file sent again",
                    self.inflated
                )
            }
        })
    }
}

impl<R: Read> Content for Inflate<'_, R> {
    fn fill(&mut self, into: &mut Vec<u8>, most: usize) -> Result<bool, DropFault> {
        let goal = into.len().saturating_add(most);
        if matches!(self.stage, Stage::Start) && !self.start(into, most)? {
            self.stage = Stage::Ended;
        }
        match self.stage {
            Stage::Ended => Ok(false),
            Stage::Start | Stage::Plain => match goal.saturating_sub(into.len()) {
                0 => Ok(true),
                missing => self.fill_plain(into, missing),
            },
            Stage::Gzip | Stage::Zstd => self.decompress(into, goal),
        }
    }

    fn ended_early(&self) -> bool {
        self.early
    }
}

/// Whether content can be records of text: UTF-8 (cut anywhere) without control characters, and no markup.
fn is_text(first: &[u8]) -> bool {
    let first = first.get(..TEXT_BYTES).unwrap_or(first);
    let whole = match std::str::from_utf8(first) {
        Ok(text) => text,
        // The end of what was read may cut a character.
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(first.get(..e.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let text = whole.trim_start_matches('\u{feff}').trim_start();
    !text.starts_with('<') && !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

/// Whether content begins as HTML or XML does.
fn is_markup(first: &[u8]) -> bool {
    first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first).trim_ascii_start().starts_with(b"<")
}

/// Whether all there is of a drop is the beginning of a compression's magic number: an empty file is no whole one either.
fn is_cut_magic(first: &[u8], compression: Compression) -> bool {
    let magic: &[u8] = match compression {
        Compression::None => return false,
        Compression::Gzip => &[0x1f, 0x8b, 0x08],
        Compression::Zstd => &[0x28, 0xb5, 0x2f, 0xfd],
    };
    first.len() < magic.len() && magic.starts_with(first)
}

#[cfg(test)]
mod tests;
