//! I-6, the quarantine: what batches quarantined is kept, drop by drop as many records as their manifests say, each of another ordinal, and each
//! whole drop once. That no row has one of these ordinals is seen with the rows.

use std::collections::{BTreeMap, BTreeSet};

use drops::{BatchId, PipelineName};
use runs::{Fate, Manifest};
use serde::Deserialize;
use store::StoreError;

use crate::history::SealedBatch;
use crate::{AuditError, Invariant, Subject, Verdict};

/// An entry, as far as it is counted.
#[derive(Deserialize)]
struct Entry {
    source_file: String,
    source_version: String,
    /// The record's ordinal; absent where the whole drop is meant.
    row: Option<u64>,
}

/// By `source_file` and `source_version`.
pub(crate) type ByContent<T> = BTreeMap<(String, String), T>;

/// What is kept of one content of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Kept {
    /// The ordinals of its records.
    records: Vec<u64>,
    /// How many entries mean all of it.
    whole: u64,
}

/// What must be kept of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Must {
    records: u64,
    whole: u64,
    /// How many records were read of it: every ordinal is below.
    read: u64,
}

pub(crate) async fn check(
    subject: &Subject,
    name: &PipelineName,
    batches: &mut BTreeMap<BatchId, SealedBatch>,
    verdict: &mut Verdict,
) -> Result<(), AuditError> {
    let mut found = Vec::new();
    if batches.values().any(|batch| batch.manifest.quarantine.is_some()) {
        let listed = subject.state.list(&format!("quarantine/{name}/")).await?;
        found.extend(listed.into_iter().map(|(address, _)| address));
    }
    // Sorted by name: those below a prefix stand together.
    found.sort_unstable();
    for (id, batch) in batches {
        let mut entries = ByContent::new();
        if let Some(prefix) = &batch.manifest.quarantine {
            let from = found.partition_point(|address| address < prefix);
            let own = found.iter().skip(from).take_while(|address| address.starts_with(prefix));
            for address in own {
                read(subject, address, &mut entries, verdict).await?;
            }
            if found.get(from).is_none_or(|address| !address.starts_with(prefix)) {
                let what = format!("what it quarantined was kept in {prefix}*, and nothing is there any more");
                verdict.find(Invariant::Balance, format!("batch {id}"), what);
                continue;
            }
        }
        for (file, what) in differences(&expected(&batch.manifest), &entries) {
            verdict.find(Invariant::Balance, file, format!("{what} (batch {id})"));
        }
        batch.quarantined = entries.into_iter().map(|(content, kept)| (content, kept.records)).collect();
    }
    Ok(())
}

async fn read(
    subject: &Subject,
    address: &str,
    entries: &mut ByContent<Kept>,
    verdict: &mut Verdict,
) -> Result<(), AuditError> {
    let content = match subject.state.get(address).await {
        Ok(content) => content,
        // It was listed a moment ago: counted as lacking below.
        Err(StoreError::Missing(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if let Err(what) = count(&content, entries) {
        verdict.find(Invariant::Balance, address, what);
    }
    Ok(())
}

/// Counts the entries of a file, up to one that cannot be read.
fn count(content: &[u8], entries: &mut ByContent<Kept>) -> Result<(), String> {
    let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    for (line, number) in lines.zip(1_u64..) {
        let Entry { source_file, source_version, row } = serde_json::from_slice(line)
            .map_err(|error| format!("entry {number} of this file of the quarantine cannot be read: {error}"))?;
        let kept = entries.entry((source_file, source_version)).or_default();
        match row {
            Some(ordinal) => kept.records.push(ordinal),
            None => kept.whole += 1,
        }
    }
    Ok(())
}

/// What must be kept of a batch.
fn expected(manifest: &Manifest) -> ByContent<Must> {
    let mut expected = ByContent::<Must>::new();
    for drop in &manifest.held {
        let whole = u64::from(matches!(drop.fate, Fate::Quarantined { .. }));
        if whole + drop.quarantined_records > 0 {
            let must = expected.entry((drop.source_file(), drop.source_version().to_owned())).or_default();
            must.whole += whole;
            must.records += drop.quarantined_records;
            must.read = must.read.max(drop.records);
        }
    }
    expected
}

/// The files of which not that is kept which must be, and what is wrong.
fn differences(expected: &ByContent<Must>, found: &ByContent<Kept>) -> Vec<(String, String)> {
    let (nothing, none) = (Must::default(), Kept::default());
    let others = found.keys().filter(|content| !expected.contains_key(*content));
    let all = expected.keys().chain(others);
    let wrong = all.filter_map(|content| {
        let (must, is) = (expected.get(content).unwrap_or(&nothing), found.get(content).unwrap_or(&none));
        Some((content.0.clone(), must.differs_from(is)?))
    });
    wrong.collect()
}

impl Must {
    /// Why what is kept is not what must be, if so.
    fn differs_from(&self, is: &Kept) -> Option<String> {
        let Self { records, whole, read } = self;
        if *whole != is.whole {
            return Some(format!(
                "it must be in the quarantine as a whole {whole} times, and is there {} times",
                is.whole
            ));
        }
        if *records != is.records.len() as u64 {
            let kept = is.records.len();
            return Some(format!("of its records {records} must be in the quarantine, and {kept} are there"));
        }
        if let Some(ordinal) = is.records.iter().find(|ordinal| *ordinal >= read) {
            return Some(format!("the quarantine has its record {ordinal}, and {read} records were read of it"));
        }
        let mut seen = BTreeSet::new();
        let twice = is.records.iter().find(|ordinal| !seen.insert(**ordinal))?;
        Some(format!("the quarantine has its record {twice} more than once"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"source_file":"f","source_version":"v","row":3,"line":4,"reason":"r"}"#;
    const WHOLE: &str = r#"{"source_file":"f","source_version":"v","reason":"r"}"#;

    fn kept(records: &[u64], whole: u64) -> ByContent<Kept> {
        match (records, whole) {
            ([], 0) => ByContent::new(),
            _ => [(("f".to_owned(), "v".to_owned()), Kept { records: records.to_vec(), whole })].into(),
        }
    }

    fn counted(text: &str) -> Result<ByContent<Kept>, String> {
        let mut entries = ByContent::new();
        count(text.as_bytes(), &mut entries).map(|()| entries)
    }

    #[test]
    fn records_and_whole_drops_are_counted_apart() {
        assert_eq!(counted(""), Ok(kept(&[], 0)));
        assert_eq!(counted(&format!("{RECORD}\n{RECORD}\n{WHOLE}\n")), Ok(kept(&[3, 3], 1)));
        let cut = counted(&format!("{RECORD}\n{}", &WHOLE[..20])).unwrap_err();
        assert!(cut.starts_with("entry 2 of this file"), "{cut}");
    }

    /// What is found where of five records that were read so many must be kept, and these are.
    fn found(records: u64, whole: u64, is: &[u64], is_whole: u64) -> Vec<String> {
        let must = Must { records, whole, read: 5 };
        let expected =
            if records + whole > 0 { [(("f".to_owned(), "v".to_owned()), must)].into() } else { ByContent::new() };
        let wrong = differences(&expected, &kept(is, is_whole));
        wrong.into_iter().map(|(file, what)| format!("{file}: {what}")).collect()
    }

    #[test]
    fn more_or_less_than_must_be_kept_is_found() {
        assert_eq!([found(0, 0, &[], 0), found(2, 0, &[4, 0], 0), found(0, 1, &[], 1)].concat(), [""; 0]);
        for is in [&[][..], &[1], &[1, 2, 3]] {
            let what = format!("f: of its records 2 must be in the quarantine, and {} are there", is.len());
            assert_eq!(found(2, 0, is, 0), [what]);
        }
        for (must, records, is) in [(0, 1, 0), (1, 0, 0), (1, 0, 2), (0, 0, 1), (0, 1, 1)] {
            let wrong = found(records, must, &(0..records).collect::<Vec<_>>(), is);
            let what = format!("f: it must be in the quarantine as a whole {must} times, and is there {is} times");
            assert_eq!(wrong, if must == is { Vec::new() } else { vec![what] });
        }
    }

    #[test]
    fn a_record_that_is_kept_in_the_place_of_another_is_found() {
        assert_eq!(found(2, 0, &[3, 3], 0), ["f: the quarantine has its record 3 more than once"]);
        assert_eq!(found(2, 0, &[3, 5], 0), ["f: the quarantine has its record 5, and 5 records were read of it"]);
    }
}
