//! I-6, the quarantine: what batches quarantined is kept, drop by drop as many records as their manifests say, and each whole drop once.

use std::collections::BTreeMap;

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

/// How many entries there are of one content of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kept {
    records: u64,
    whole: u64,
}

/// By `source_file` and `source_version`.
type Entries = BTreeMap<(String, String), Kept>;

pub(crate) async fn check(
    subject: &Subject,
    name: &PipelineName,
    batches: &BTreeMap<BatchId, SealedBatch>,
    verdict: &mut Verdict,
) -> Result<(), AuditError> {
    let kept = |batch: &SealedBatch| batch.manifest.quarantine.clone();
    let wanted: Vec<(&BatchId, &SealedBatch, Option<String>)> =
        batches.iter().map(|(id, batch)| (id, batch, kept(batch))).collect();
    let mut found = Vec::new();
    if wanted.iter().any(|(_, _, prefix)| prefix.is_some()) {
        let listed = subject.state.list(&format!("quarantine/{name}/")).await?;
        found.extend(listed.into_iter().map(|(address, _)| address));
    }
    // Sorted by name: those below a prefix stand together.
    found.sort_unstable();
    for (id, batch, prefix) in wanted {
        let mut entries = Entries::new();
        if let Some(prefix) = prefix {
            let from = found.partition_point(|address| *address < prefix);
            let own = found.iter().skip(from).take_while(|address| address.starts_with(&prefix));
            for address in own {
                read(subject, address, &mut entries, verdict).await?;
            }
            if found.get(from).is_none_or(|address| !address.starts_with(&prefix)) {
                let what = format!("what it quarantined was kept in {prefix}*, and nothing is there any more");
                verdict.find(Invariant::Balance, format!("batch {id}"), what);
                continue;
            }
        }
        for (file, what) in differences(&expected(&batch.manifest), &entries) {
            verdict.find(Invariant::Balance, file, format!("{what} (batch {id})"));
        }
    }
    Ok(())
}

async fn read(
    subject: &Subject,
    address: &str,
    entries: &mut Entries,
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
fn count(content: &[u8], entries: &mut Entries) -> Result<(), String> {
    let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    for (line, number) in lines.zip(1_u64..) {
        let Entry { source_file, source_version, row } = serde_json::from_slice(line)
            .map_err(|error| format!("entry {number} of this file of the quarantine cannot be read: {error}"))?;
        let kept = entries.entry((source_file, source_version)).or_default();
        match row {
            Some(_) => kept.records += 1,
            None => kept.whole += 1,
        }
    }
    Ok(())
}

/// What must be kept of a batch.
fn expected(manifest: &Manifest) -> Entries {
    let mut expected = Entries::new();
    for drop in &manifest.held {
        let whole = u64::from(matches!(drop.fate, Fate::Quarantined { .. }));
        if whole + drop.quarantined_records > 0 {
            let kept = expected.entry((drop.source_file(), drop.source_version().to_owned())).or_default();
            kept.whole += whole;
            kept.records += drop.quarantined_records;
        }
    }
    expected
}

/// The files of which not that is kept which must be, and what is wrong.
fn differences(expected: &Entries, found: &Entries) -> Vec<(String, String)> {
    let mut all: Entries = expected.clone();
    for key in found.keys() {
        all.entry(key.clone()).or_default();
    }
    let wrong = all.into_iter().filter_map(|(key, must)| {
        let is = found.get(&key).copied().unwrap_or_default();
        let what = if must.whole != is.whole {
            format!("it must be in the quarantine as a whole {} times, and is there {} times", must.whole, is.whole)
        } else {
            format!("of its records {} must be in the quarantine, and {} are there", must.records, is.records)
        };
        (must != is).then_some((key.0, what))
    });
    wrong.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"source_file":"f","source_version":"v","row":3,"line":4,"reason":"r"}"#;
    const WHOLE: &str = r#"{"source_file":"f","source_version":"v","reason":"r"}"#;

    fn entries(records: u64, whole: u64) -> Entries {
        match (records, whole) {
            (0, 0) => Entries::new(),
            _ => [(("f".to_owned(), "v".to_owned()), Kept { records, whole })].into(),
        }
    }

    fn counted(text: &str) -> Result<Entries, String> {
        let mut entries = Entries::new();
        count(text.as_bytes(), &mut entries).map(|()| entries)
    }

    #[test]
    fn records_and_whole_drops_are_counted_apart() {
        assert_eq!(counted(""), Ok(entries(0, 0)));
        assert_eq!(counted(&format!("{RECORD}\n{RECORD}\n{WHOLE}\n")), Ok(entries(2, 1)));
        let cut = counted(&format!("{RECORD}\n{}", &WHOLE[..20])).unwrap_err();
        assert!(cut.starts_with("entry 2 of this file"), "{cut}");
    }

    #[test]
    fn more_or_less_than_must_be_kept_is_found() {
        let found = |must: (u64, u64), is: (u64, u64)| {
            let wrong = differences(&entries(must.0, must.1), &entries(is.0, is.1));
            wrong.into_iter().map(|(file, what)| format!("{file}: {what}")).collect::<Vec<_>>()
        };
        for kept in [(0, 0), (2, 0), (0, 1)] {
            assert_eq!(found(kept, kept), [""; 0]);
        }
        for is in [(0, 0), (1, 0), (3, 0)] {
            assert_eq!(
                found((2, 0), is),
                [format!("f: of its records 2 must be in the quarantine, and {} are there", is.0)]
            );
        }
        for (must, is) in [((0, 1), (0, 0)), ((0, 1), (0, 2)), ((0, 0), (0, 1)), ((1, 0), (1, 1))] {
            let what = format!("it must be in the quarantine as a whole {} times, and is there {} times", must.1, is.1);
            assert_eq!(found(must, is), [format!("f: {what}")]);
        }
    }
}
