//! The two loops that see every byte of strings and numbers.

use super::Kind;

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// What is wrong, and at which byte.
pub(super) type Wrong = (&'static str, usize);

/// Finds the closing quote of the string whose first byte is `at`, and whether it holds escapes.
#[inline]
pub(super) fn string(bytes: &[u8], mut at: usize) -> Result<(usize, Kind), Wrong> {
    let mut kind = Kind::Plain;
    loop {
        at = next_special(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok((at, kind)),
            Some(b'\\') => {
                kind = Kind::Escaped;
                at = escape(bytes, at)?;
            }
            Some(_) => return Err(("a control character in a string must be written as an escape", at)),
            None => return Err(("the string is not closed", at)),
        }
    }
}

/// The next quote, backslash or control character from `at` on, or the end. Eight bytes at a time: a byte's high bit is set
/// in the mask if the byte is one of them; borrows make false marks only above a true one, and the lowest is taken.
#[inline]
fn next_special(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let mask = ((quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word))
            & HIGHS;
        if mask != 0 {
            return at + (mask.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// Checks the escape whose backslash is at `at`; gives the byte after it. Surrogates come in pairs only.
#[cold]
fn escape(bytes: &[u8], at: usize) -> Result<usize, Wrong> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            let unit = hex(bytes, at + 2).ok_or(("four hexadecimal digits must follow `\\u`", at))?;
            match unit {
                0xD800..=0xDBFF => {
                    let low = match bytes.get(at + 6..at + 8) {
                        Some(b"\\u") => hex(bytes, at + 8),
                        _ => None,
                    };
                    match low {
                        Some(0xDC00..=0xDFFF) => Ok(at + 12),
                        _ => Err(("half of a surrogate pair stands alone: it is no character", at)),
                    }
                }
                0xDC00..=0xDFFF => Err(("half of a surrogate pair stands alone: it is no character", at)),
                _ => Ok(at + 6),
            }
        }
        Some(_) => Err(("no such escape in JSON", at)),
        None => Err(("the string is not closed", at)),
    }
}

/// The four hexadecimal digits at `at`.
pub(super) fn hex(bytes: &[u8], at: usize) -> Option<u32> {
    let mut unit = 0;
    for &byte in bytes.get(at..at + 4)? {
        unit = unit * 16 + char::from(byte).to_digit(16)?;
    }
    Some(unit)
}

/// Finds the end of the number that begins at `at`, by the grammar of RFC 8259 section 6.
#[inline]
pub(super) fn number(bytes: &[u8], mut at: usize) -> Result<(usize, Kind), Wrong> {
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    match bytes.get(at) {
        Some(b'0') => {
            at += 1;
            if bytes.get(at).is_some_and(u8::is_ascii_digit) {
                return Err(("a number must not begin with a zero", at));
            }
        }
        Some(b'1'..=b'9') => at = digits(bytes, at),
        _ => return Err(("a digit is missing", at)),
    }
    let mut kind = Kind::Integer;
    if bytes.get(at) == Some(&b'.') {
        kind = Kind::Real;
        at = some_digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        kind = Kind::Real;
        at += 1;
        if let Some(b'+' | b'-') = bytes.get(at) {
            at += 1;
        }
        at = some_digits(bytes, at)?;
    }
    Ok((at, kind))
}

#[inline]
fn digits(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

#[inline]
fn some_digits(bytes: &[u8], at: usize) -> Result<usize, Wrong> {
    let end = digits(bytes, at);
    if end == at { Err(("a digit is missing", at)) } else { Ok(end) }
}
