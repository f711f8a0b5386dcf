//! JSON lines, arrays and documents.
//!
//! - The outcome does not depend on the chunks, nor on the compression.
//! - Records read are rows and quarantined records, each once, with its ordinal and its own bytes.
//! - A record is a row exactly if `serde_json` takes it for an object within the limits; then each of its values is in its column or
//!   rescued ([`crate::law`]).
//! - Where the content's records are beyond doubt, just those are found.

use decode::format::{Compression, Format};
use decode::hints::Hints;
use decode::infer::Observed;
use decode::limits::MAX_NESTING;
use decode::schema::TableSchema;
use serde_json::value::RawValue;

use crate::json::{Json, bracket_depth};
use crate::packing::pack;
use crate::read::{Drop, Outcome, Read, learn, read};
use crate::{fingerprint, law};

/// Columns that strange content hardly fits.
const FOREIGN: &str =
    "a bigint, b struct<c: array<double>, d: string>, e array<struct<a: boolean>>, `x y` date, t timestamp, f double";

pub(super) fn check(content: &[u8]) -> bool {
    let drop = Drop { bytes: content, format: Format::Json, compression: Compression::None, chunk: 0 };
    let learned = learned_alike(drop);
    let outcome = read_alike(drop, &learned);
    check_outcome(content, &outcome);
    let foreign = Observed::new().resolve(&Hints::parse(FOREIGN).expect("hints"), None).schema;
    check_outcome(content, &read(drop, &foreign, false));
    // From nothing: each chunk may bring columns.
    let pieces = Drop { chunk: 1 + (fingerprint(content) % 97) as usize, ..drop };
    check_outcome(content, &read(pieces, &TableSchema::default(), true));
    check_truth(content, &outcome);
    outcome.records.iter().any(|record| record.outcome.is_ok())
}

/// What a drop shows, whatever its chunks are.
pub(super) fn learned_alike(drop: Drop<'_>) -> TableSchema {
    let learned = learn(drop);
    for chunk in [1, 2 + (fingerprint(drop.bytes) % 61) as usize] {
        assert_eq!(learn(Drop { chunk, ..drop }), learned, "learned in chunks of {chunk}");
    }
    learned.schema
}

/// What a drop comes to, whatever its chunks are and however it is packed.
pub(super) fn read_alike(drop: Drop<'_>, schema: &TableSchema) -> Outcome {
    let whole = read(drop, schema, false);
    let drawn = fingerprint(drop.bytes);
    for chunk in [1, 2, 3 + (drawn % 61) as usize, 64 + (drawn >> 8 & 0xfff) as usize] {
        same(&read(Drop { chunk, ..drop }, schema, false), &whole, &format!("chunks of {chunk}"));
    }
    for compression in [Compression::Gzip, Compression::Zstd] {
        let bytes = &pack(drop.bytes, compression)[..];
        let chunk = 1 + (drawn >> 20 & 0xff) as usize;
        same(&read(Drop { bytes, compression, chunk, ..drop }, schema, false), &whole, compression.as_str());
    }
    whole
}

/// Two outcomes of the same content are the same. How much of a bad record that goes on to the end is kept may differ.
fn same(found: &Outcome, whole: &Outcome, how: &str) {
    assert_eq!(found.unreadable, whole.unreadable, "{how}");
    if whole.unreadable.is_some() {
        return;
    }
    assert_eq!((&found.header, found.records.len()), (&whole.header, whole.records.len()), "{how}");
    for (found, whole) in found.records.iter().zip(&whole.records) {
        let place = |read: &Read| (read.ordinal, read.line, read.start, read.cut_badly);
        assert_eq!((place(found), &found.outcome), (place(whole), &whole.outcome), "{how}");
        let kept = found.bytes == whole.bytes || whole.cut_badly;
        assert!(kept, "{how}: record {} has other bytes", whole.ordinal);
    }
}

/// Each record has its place, and is a row by the law or quarantined for a cause.
fn check_outcome(content: &[u8], outcome: &Outcome) {
    let mut at = 0;
    for (ordinal, record) in outcome.records.iter().enumerate() {
        assert_eq!(record.ordinal, ordinal as u64);
        let start = usize::try_from(record.start).expect("small");
        assert!(start >= at, "records overlap");
        at = start + record.bytes.len();
        assert_eq!(&content[start..at], &record.bytes[..], "a record's bytes are its own");
        let newlines = content[..start].iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(record.line, newlines + 1, "a record's line");
        let object = object(&record.bytes);
        match &record.outcome {
            Ok(row) => {
                law::check_json(&outcome.schemas[record.schema].fields, row, &object.expect("a row is an object"))
            }
            Err(reason) => assert!(record.cut_badly || object.is_none(), "{object:?} was quarantined: {reason}"),
        }
    }
}

/// The object that these bytes are, within the limits.
fn object(bytes: &[u8]) -> Option<Json> {
    if bracket_depth(bytes) > MAX_NESTING {
        return None;
    }
    Json::read(std::str::from_utf8(bytes).ok()?).filter(|json| matches!(json, Json::Object(_)))
}

/// Where all of the content is JSON values in a layout that leaves no doubt, its records are known.
fn check_truth(content: &[u8], outcome: &Outcome) {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let Ok(text) = std::str::from_utf8(content) else { return };
    let Some(expected) = records(text).filter(|_| bracket_depth(content) < 100) else { return };
    assert_eq!(outcome.unreadable, None, "{text}");
    let found: Vec<&[u8]> = outcome.records.iter().map(|record| &record.bytes[..]).collect();
    let expected: Vec<&[u8]> = expected.iter().map(|record| record.trim_ascii().as_bytes()).collect();
    assert_eq!(found.iter().map(|record| record.trim_ascii()).collect::<Vec<_>>(), expected, "the records of {text}");
}

/// The records of lines that are all objects, of arrays, or of documents of which the first goes over several lines.
fn records(text: &str) -> Option<Vec<&str>> {
    let lines: Vec<&str> = text.split('\n').filter(|line| !line.trim_ascii().is_empty()).collect();
    if lines.iter().all(|line| object(line.as_bytes()).is_some()) {
        return Some(lines);
    }
    let values: Vec<&RawValue> =
        serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, serde_json::Error>>().ok()?;
    let first = values.first()?.get();
    if !(first.starts_with('[') || first.starts_with('{') && first.contains('\n')) {
        return None;
    }
    let mut records = Vec::new();
    for value in values {
        match value.get().as_bytes().first()? {
            b'[' => {
                let elements: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
                // An element that is no object is a bad record; nothing after it is lost.
                records.extend(elements.into_iter().map(RawValue::get));
            }
            b'{' => records.push(value.get()),
            _ => return None,
        }
    }
    // What is well-formed and no text (half of a surrogate pair) makes the rest of an array untrustworthy, or not: not told here.
    records.iter().all(|record| Json::read(record).is_some()).then_some(records)
}
