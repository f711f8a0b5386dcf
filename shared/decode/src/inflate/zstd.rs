//! Decompressing Zstandard (RFC 8878): frame after frame, checksums verified, the window under a limit.

use std::io;

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::{Damage, Progress, Step};
use crate::limits::{MAX_ZSTD_WINDOW_LOG, OverLimit};

/// What libzstd says of a frame whose window is over the limit that it was given.
const WINDOW_TOO_LARGE: &str = "Frame requires too much memory for decoding";

/// A zstd stream that is being decompressed.
pub(super) struct Zstd {
    decoder: Decoder<'static>,
    /// Whether a frame was begun and not ended, or none was begun yet.
    within: bool,
}

impl Zstd {
    pub(super) fn new() -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(MAX_ZSTD_WINDOW_LOG))?;
        Ok(Self { decoder, within: true })
    }

    /// Begins with another stream.
    pub(super) fn reset(&mut self) -> io::Result<()> {
        self.within = true;
        self.decoder.reinit()
    }

    /// Decompresses into the room that `into` has, from `input`, the last there is if `last`.
    pub(super) fn step(&mut self, input: &[u8], last: bool, into: &mut Vec<u8>) -> Result<Step, Damage> {
        if input.is_empty() && last && !self.within {
            return Ok(Step { used: 0, progress: Progress::Ended });
        }
        let from = into.len();
        let mut source = InBuffer::around(input);
        let hint = {
            let mut target = OutBuffer::around_pos(into, from);
            self.decoder.run(&mut source, &mut target).map_err(damage)?
        };
        self.within = hint != 0;
        // Without input and without output nothing is left in its buffers.
        let starved = input.is_empty() && last && into.len() == from && self.within;
        let progress = if starved { Progress::EndedEarly } else { Progress::Going };
        Ok(Step { used: source.pos(), progress })
    }
}

fn damage(error: io::Error) -> Damage {
    let reason = error.to_string();
    if reason == WINDOW_TOO_LARGE {
        return Damage::Limit(OverLimit::ZstdWindow);
    }
    let ours = match reason.as_str() {
        "Restored data doesn't match checksum" => "the checksum of the content is wrong",
        "Unknown frame descriptor" => "bytes that are no zstd follow a frame",
        "Dictionary mismatch" => "it was compressed with a dictionary, which is not read",
        _ => "the compressed data breaks the zstd format",
    };
    Damage::Broken(format!("{ours} (libzstd: {reason})"))
}
