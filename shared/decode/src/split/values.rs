//! JSON values one after another: the elements of top-level arrays, and documents beside them. Line ends mean nothing here.
//!
//! A light scan finds each value's end by brackets and strings. What is well-formed inside is not its concern, but the
//! brackets must pair and the commas of an array must be where they belong: else what follows is not to be trusted.

use crate::limits::{MAX_NESTING, MAX_RECORD_BYTES, OverLimit};
use crate::record::RecordFault;

use super::cut::{Cut, Follows, Stop};

/// Where within the arrays and documents the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Values {
    /// In no array.
    #[default]
    Top,
    /// After an array's `[`.
    ArrayStart,
    /// After an element.
    AfterElement,
    /// After a comma.
    AfterComma,
}

/// Where a value ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// Before this byte. `deep`: it is nested deeper than the limit.
    Whole { end: usize, deep: bool },
    /// Not in these bytes.
    Open,
    /// Nowhere: at this byte it breaks.
    Broken { at: usize, reason: &'static str },
}

impl Values {
    /// Cuts as many values as there are.
    pub fn cut(&mut self, cut: &mut Cut<'_>) -> Stop {
        loop {
            if cut.is_full() {
                return Stop::Full;
            }
            let rest = cut.rest();
            cut.advance(rest.len() - rest.trim_ascii_start().len());
            let Some(&byte) = cut.rest().first() else {
                return if cut.ended { self.end(cut) } else { Stop::More };
            };
            *self = match (*self, byte) {
                (Self::Top, b'[') => Self::ArrayStart,
                (Self::AfterElement, b',') => Self::AfterComma,
                (Self::ArrayStart | Self::AfterElement, b']') => Self::Top,
                (Self::Top | Self::ArrayStart | Self::AfterComma, _) if !matches!(byte, b',' | b':' | b']' | b'}') => {
                    match self.value(cut) {
                        Ok(after) => *self = after,
                        Err(stop) => return stop,
                    }
                    continue;
                }
                (place, _) => return Stop::Rest(place.unexpected(byte)),
            };
            cut.advance(1);
        }
    }

    /// Cuts the value that begins here.
    fn value(self, cut: &mut Cut<'_>) -> Result<Self, Stop> {
        let (window, follows) = cut.window();
        let complete = matches!(follows, Follows::Nothing | Follows::TooMuch);
        match scan(window, complete) {
            Scan::Whole { end, deep } if end <= MAX_RECORD_BYTES => {
                if deep {
                    cut.push_fault(end, RecordFault { reason: OverLimit::Nesting.to_string(), at: 0 });
                } else {
                    cut.push(end);
                }
                cut.advance(end);
                Ok(if self == Self::Top { Self::Top } else { Self::AfterElement })
            }
            Scan::Broken { at, reason } => Err(Stop::Rest(RecordFault { reason: reason.to_owned(), at })),
            Scan::Whole { .. } => Err(too_long()),
            Scan::Open => Err(match follows {
                Follows::More => Stop::More,
                Follows::Missing => cut.end_early(),
                Follows::TooMuch => too_long(),
                Follows::Nothing => {
                    let reason = "the file ends within a record".to_owned();
                    Stop::Rest(RecordFault { reason, at: window.len() })
                }
            }),
        }
    }

    fn end(self, cut: &mut Cut<'_>) -> Stop {
        if cut.early {
            return cut.end_early();
        }
        if self != Self::Top {
            let reason =
                "the array has no `]`: the file ends early; have what is missing sent as a new file".to_owned();
            cut.push_fault(0, RecordFault { reason, at: 0 });
        }
        Stop::End
    }

    fn unexpected(self, byte: u8) -> RecordFault {
        let wanted = match self {
            Self::Top => "an array or an object",
            Self::ArrayStart => "an array's element or `]`",
            Self::AfterElement => "`,` or `]` after an array's element",
            Self::AfterComma => "an array's element after `,`",
        };
        let found = char::from(byte).escape_default();
        RecordFault { reason: format!("`{found}` stands where {wanted} is expected; the rest is not read"), at: 0 }
    }
}

fn too_long() -> Stop {
    let reason = format!("{}; the rest is not read", OverLimit::RecordBytesOpen);
    Stop::Rest(RecordFault { reason, at: MAX_RECORD_BYTES })
}

/// Finds the end of the value that `bytes` begin with. `complete`: nothing follows them, so that a number ends there.
pub(super) fn scan(bytes: &[u8], complete: bool) -> Scan {
    match bytes.first() {
        None => Scan::Open,
        Some(b'{' | b'[') => scan_brackets(bytes),
        Some(b'"') => match string_end(bytes, 1) {
            Ok(end) => Scan::Whole { end, deep: false },
            Err(scan) => scan,
        },
        Some(_) => {
            let delimiter = |byte: &u8| {
                matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' | b'"' | b'[' | b']' | b'{' | b'}')
            };
            match bytes.iter().position(delimiter) {
                Some(0) => Scan::Broken { at: 0, reason: "a value is expected" },
                Some(end) => Scan::Whole { end, deep: false },
                None if complete => Scan::Whole { end: bytes.len(), deep: false },
                None => Scan::Open,
            }
        }
    }
}

const OPEN: u8 = 1;
const CLOSE: u8 = 2;
const QUOTE: u8 = 3;

/// What each byte means outside of strings.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    classes[b'{' as usize] = OPEN;
    classes[b'[' as usize] = OPEN;
    classes[b'}' as usize] = CLOSE;
    classes[b']' as usize] = CLOSE;
    classes[b'"' as usize] = QUOTE;
    classes
};

fn scan_brackets(bytes: &[u8]) -> Scan {
    // The kinds of the open brackets, one bit each; deeper ones are only counted, as the record is bad anyway.
    const { assert!(MAX_NESTING <= 64) };
    let (mut kinds, mut depth, mut deepest) = (0_u64, 0_usize, 0_usize);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match CLASSES[usize::from(byte)] {
            OPEN => {
                if depth < 64 {
                    let bit = 1 << depth;
                    kinds = if byte == b'{' { kinds | bit } else { kinds & !bit };
                }
                depth += 1;
                deepest = deepest.max(depth);
            }
            CLOSE => {
                depth -= 1;
                if depth < 64 && (kinds >> depth & 1 == 1) != (byte == b'}') {
                    return Scan::Broken { at: at - 1, reason: "brackets do not pair" };
                }
                if depth == 0 {
                    return Scan::Whole { end: at, deep: deepest > MAX_NESTING };
                }
            }
            QUOTE => match string_end(bytes, at) {
                Ok(end) => at = end,
                Err(scan) => return scan,
            },
            _ => {}
        }
    }
    Scan::Open
}

/// The byte after the closing quote of the string whose content begins at `from`.
fn string_end(bytes: &[u8], from: usize) -> Result<usize, Scan> {
    let mut at = from;
    while let Some(rest) = bytes.get(at..) {
        let Some(found) = memchr::memchr3(b'"', b'\\', b'\n', rest) else { break };
        at += found;
        match bytes[at] {
            b'"' => return Ok(at + 1),
            b'\\' => at += 2,
            _ => return Err(Scan::Broken { at, reason: "a line ends within a string" }),
        }
    }
    Err(Scan::Open)
}
