//! Telling how a drop's records are laid out: JSON lines, arrays or documents.

use crate::format::Format;
use crate::record::DropFault;

use super::MAX_OPEN_BYTES;
use super::values::{Scan, Values, scan};

/// How far lines that are whole objects are looked for where the beginning does not tell.
const LOOK_AHEAD_BYTES: usize = 64 << 10;

/// How the records of a drop are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A JSON record a line.
    Lines,
    /// JSON values one after another, within arrays or not.
    Values(Values),
    /// CSV.
    Csv,
}

/// The shape of the content that begins with `bytes` (and is no longer if `ended`), and how many of them are no record's;
/// none if more bytes are needed to tell. `named_lines`: the drop's name says that each line is a record.
///
/// # Errors
/// The content has an encoding other than UTF-8.
pub(super) fn tell(
    format: Format,
    named_lines: bool,
    bytes: &[u8],
    ended: bool,
) -> Result<Option<(Shape, usize)>, DropFault> {
    if bytes.len() < 4 && !ended {
        return Ok(None);
    }
    let encoding = match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        _ => None,
    };
    if let Some(encoding) = encoding {
        let reason = format!("the file is encoded in {encoding}, as its byte order mark says; only UTF-8 is read");
        return Err(DropFault::Unreadable(reason));
    }
    let mark = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let shape = match format {
        Format::Csv => Some(Shape::Csv),
        Format::Json if named_lines => tell_named_lines(&bytes[mark..], ended),
        Format::Json => tell_json(&bytes[mark..], ended),
    };
    Ok(shape.map(|shape| (shape, mark)))
}

/// The shape of what is named `.jsonl` or the like: lines, however bad the first may be. The one exception costs no line: all of the
/// content is well-formed JSON that no line holds by itself, so somebody named an array or pretty-printed documents like that; or there
/// is no end of a line as far as a record may go, and several records stand there.
fn tell_named_lines(bytes: &[u8], ended: bool) -> Option<Shape> {
    let open = !ended && bytes.len() < MAX_OPEN_BYTES;
    let content = bytes.trim_ascii_start();
    let end = memchr::memchr(b'\n', content);
    let first_line = &content[..end.unwrap_or(content.len())];
    if end.is_none() && open {
        return None;
    }
    let near = &bytes[..bytes.len().min(MAX_OPEN_BYTES)];
    let is_too_long = near.len() == MAX_OPEN_BYTES && memchr::memchr(b'\n', near.trim_ascii_start()).is_none();
    if is_too_long && is_joined(near.trim_ascii_start()) {
        return Some(Shape::Values(Values::default()));
    }
    let more = !content[first_line.len()..].trim_ascii().is_empty();
    let brackets = match first_line.first() {
        Some(b'[') => !(more && is_well_formed(first_line)),
        Some(b'{') => !is_whole_object(first_line),
        _ => false,
    };
    if !brackets || bytes.len() > MAX_OPEN_BYTES || breaks(content) {
        return Some(Shape::Lines);
    }
    if open {
        return None;
    }
    Some(if is_unbroken(content) { Shape::Values(Values::default()) } else { Shape::Lines })
}

/// Whether the values that these bytes begin with break already, as those behind a line that ends too early soon do.
fn breaks(content: &[u8]) -> bool {
    first_break(content).is_some_and(|e| !e.is_eof())
}

/// Whether this is well-formed JSON, one value after another.
fn is_unbroken(content: &[u8]) -> bool {
    first_break(content).is_none()
}

fn first_break(content: &[u8]) -> Option<serde_json::Error> {
    let values = serde_json::Deserializer::from_slice(content).into_iter::<serde::de::IgnoredAny>();
    values.filter_map(Result::err).next()
}

fn tell_json(bytes: &[u8], ended: bool) -> Option<Shape> {
    // What is longer than any record cannot tell more.
    let near = &bytes[..bytes.len().min(MAX_OPEN_BYTES)];
    let ended = ended && near.len() == bytes.len();
    let enough = ended || near.len() == MAX_OPEN_BYTES;
    let bytes = near;
    let values = Shape::Values(Values::default());
    let content = bytes.trim_ascii_start();
    match content.first() {
        None => return enough.then_some(Shape::Lines),
        Some(b'[') => return tell_array(content, ended),
        Some(_) => {}
    }
    let first_line = match memchr::memchr(b'\n', content) {
        Some(end) => &content[..end],
        None if ended => content,
        None => {
            let near = if enough { content } else { &content[..content.len().min(LOOK_AHEAD_BYTES)] };
            return if is_joined(near) { Some(values) } else { enough.then_some(Shape::Lines) };
        }
    };
    if is_whole_value(first_line) {
        return Some(Shape::Lines);
    }
    match scan(content, ended) {
        Scan::Open if !enough => return None,
        Scan::Whole { end, .. } => {
            // Anything else than a value on the first one's line is a bad line.
            let alone = end > first_line.len() || begins_value(&content[end..]);
            if alone && is_well_formed(&content[..end]) {
                return Some(values);
            }
        }
        _ => {}
    }
    if !ended && bytes.len() < LOOK_AHEAD_BYTES {
        return None;
    }
    Some(if has_object_line(bytes, ended) { Shape::Lines } else { values })
}

/// Whether the first value is well-formed and an object or array follows it, as delivery streams write records that they join by nothing.
fn is_joined(content: &[u8]) -> bool {
    matches!(scan(content, false), Scan::Whole { end, .. } if begins_value(&content[end..]) && is_well_formed(&content[..end]))
}

fn begins_value(rest: &[u8]) -> bool {
    matches!(rest.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// The shape of what begins with `[`: an array, unless its first line ends too early and whole objects follow it a line each, which no
/// array and no document can hold: there a comma or a bracket stands between two values.
fn tell_array(content: &[u8], ended: bool) -> Option<Shape> {
    let values = Shape::Values(Values::default());
    let cut = !ended || content.len() > LOOK_AHEAD_BYTES;
    let near = &content[..content.len().min(LOOK_AHEAD_BYTES)];
    let mut lines = near.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let (first, second, third) = (lines.next().unwrap_or_default(), lines.next(), lines.next());
    // A line is known to its end if another follows it.
    let (Some(second), true) = (second, third.is_some() || !cut) else {
        return (ended || near.len() == LOOK_AHEAD_BYTES).then_some(values);
    };
    let goes_on = matches!(first.last(), Some(b'[' | b'{' | b',' | b':'));
    let follows = !goes_on || third.is_some_and(|line| line.first() == Some(&b'{'));
    let lines = first != b"[" && is_whole_object(second) && follows && !is_well_formed(first);
    Some(if lines { Shape::Lines } else { values })
}

/// Whether a line near the beginning is a whole object.
fn has_object_line(bytes: &[u8], ended: bool) -> bool {
    let near = &bytes[..bytes.len().min(LOOK_AHEAD_BYTES)];
    let cut = !ended || near.len() < bytes.len();
    let whole = if cut { memchr::memrchr(b'\n', near).unwrap_or(0) } else { near.len() };
    near[..whole].split(|byte| *byte == b'\n').any(is_whole_object)
}

/// Whether a line is one whole JSON value. Of an object only its brackets are looked at.
fn is_whole_value(line: &[u8]) -> bool {
    if line.first() == Some(&b'{') { is_whole_object(line) } else { is_well_formed(line) }
}

/// Whether a line is one object by its brackets, with nothing but blanks behind it.
pub(super) fn is_whole_object(line: &[u8]) -> bool {
    line.first() == Some(&b'{')
        && matches!(scan(line, true), Scan::Whole { end, .. } if line[end..].trim_ascii().is_empty())
}

/// Whether this is well-formed JSON. What its strings hold is not looked at.
pub(super) fn is_well_formed(record: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(record).is_ok()
}
