//! The meaning of a string's raw text, and back.

use super::scan;

/// Appends what the raw text of a string (between the quotes, checked by the tape) means.
pub fn unescape_onto(raw: &str, out: &mut Vec<u8>) {
    let bytes = raw.as_bytes();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        out.extend_from_slice(rest.get(..plain).unwrap_or_default());
        at += plain;
        let Some(letter) = bytes.get(at + 1) else { break };
        at += 2;
        let byte = match letter {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (character, read) = unicode(bytes, at);
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                at += read;
                continue;
            }
            itself => *itself,
        };
        out.push(byte);
    }
}

/// The character whose hexadecimal digits are at `at`, and how many bytes it takes from there.
fn unicode(bytes: &[u8], at: usize) -> (char, usize) {
    let unit = scan::hex(bytes, at).unwrap_or_default();
    if let 0xD800..=0xDBFF = unit {
        let low = scan::hex(bytes, at + 6).unwrap_or_default();
        let code = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
        (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 10)
    } else {
        (char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 4)
    }
}

/// Appends `text` as a JSON string, quotes included.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            ..0x20 => b"",
            _ => continue,
        };
        out.extend_from_slice(text.as_bytes().get(written..at).unwrap_or_default());
        if escape.is_empty() {
            let digit = |nibble: u8| b"0123456789abcdef".get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 0x0f)]);
        } else {
            out.extend_from_slice(escape);
        }
        written = at + 1;
    }
    out.extend_from_slice(text.as_bytes().get(written..).unwrap_or_default());
    out.push(b'"');
}
