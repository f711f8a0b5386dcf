//! CSV with a header.
//!
//! As for JSON; and where no quoting is broken, the records and their fields are those of a reader that was written straight from what
//! our documentation says.

use decode::format::{Compression, Format};
use decode::hints::Hints;
use decode::infer::Observed;
use decode::schema::TableSchema;

use super::json::{learned_alike, read_alike};
use crate::plain_csv::{self, Record};
use crate::read::{Drop, Outcome, read};
use crate::{fingerprint, law};

const FOREIGN: &str =
    "a bigint, b double, c boolean, d date, e timestamp, f struct<x: bigint>, g array<string>, `x y` string";

pub(super) fn check(content: &[u8]) -> bool {
    let drop = Drop { bytes: content, format: Format::Csv, compression: Compression::None, chunk: 0 };
    let learned = learned_alike(drop);
    let outcome = read_alike(drop, &learned);
    let text = std::str::from_utf8(content).ok().map(|text| text.strip_prefix('\u{feff}').unwrap_or(text));
    let truth = text.and_then(plain_csv::records);
    let truth = truth.as_deref();
    check_outcome(content, &outcome, truth);
    let foreign = Observed::new().resolve(&Hints::parse(FOREIGN).expect("hints"), None).schema;
    check_outcome(content, &read(drop, &foreign, false), truth);
    let pieces = Drop { chunk: 1 + (fingerprint(content) % 97) as usize, ..drop };
    check_outcome(content, &read(pieces, &TableSchema::default(), true), truth);
    outcome.records.iter().any(|record| record.outcome.is_ok())
}

fn check_outcome(content: &[u8], outcome: &Outcome, truth: Option<&[Record]>) {
    let mut at = 0;
    for (ordinal, record) in outcome.records.iter().enumerate() {
        assert_eq!(record.ordinal, ordinal as u64);
        let start = usize::try_from(record.start).expect("small");
        assert!(start >= at, "records overlap");
        at = start + record.bytes.len();
        assert_eq!(&content[start..at], &record.bytes[..], "a record's bytes are its own");
        let newlines = content[..start].iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(record.line, newlines + 1, "a record's line");
        if let Ok(row) = &record.outcome {
            // A record that is a row has sound quoting: it can be read alone.
            let text = std::str::from_utf8(&record.bytes).expect("a row's record is text");
            let fields = plain_csv::records(&format!("{text}\r\n")).expect("a row's quoting is sound");
            let fields = fields.first().cloned().unwrap_or_else(|| vec![(String::new(), false)]);
            assert_eq!(fields.len(), outcome.header.len(), "a row has the header's fields");
            law::check_csv(&outcome.schemas[record.schema].fields, row, &outcome.header, &fields);
        }
    }
    if let (Some(truth), None) = (truth, &outcome.unreadable) {
        check_truth(outcome, truth);
    }
}

/// With sound quoting throughout, the records are beyond doubt: those with the header's number of fields are rows.
fn check_truth(outcome: &Outcome, truth: &[Record]) {
    let blank = |record: &Record, names: usize| {
        names != 1 && matches!(&record[..], [(text, false)] if text.bytes().all(|byte| matches!(byte, b' ' | b'\t')))
    };
    let mut records = truth.iter().skip_while(|record| blank(record, 0));
    let Some(header) = records.next() else {
        assert!(outcome.records.is_empty(), "no header, no records");
        return;
    };
    let names: Vec<&String> = header.iter().map(|(name, _)| name).collect();
    // It is told with the first record.
    let told: Vec<&String> = outcome.header.iter().collect();
    assert!(told == names || outcome.records.is_empty(), "the header is {names:?}, not {told:?}");
    let expected: Vec<bool> =
        records.filter(|record| !blank(record, names.len())).map(|record| record.len() == names.len()).collect();
    let found: Vec<bool> = outcome.records.iter().map(|record| record.outcome.is_ok()).collect();
    assert_eq!(found, expected, "which records are rows");
}
