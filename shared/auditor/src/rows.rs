//! I-1: every live row of the table against what the manifests say that must be there. I-6, the ordinals: none is a row's and a quarantined record's.

use std::collections::{BTreeMap, HashMap};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use lake::LiveFile;
use runs::{SOURCE_FILE, SOURCE_ROW, SOURCE_VERSION, read_columns};

use crate::holdings::{Expected, Holdings};
use crate::{AuditError, Invariant, Subject, Verdict};

pub(crate) async fn check(subject: &Subject, holdings: &Holdings, verdict: &mut Verdict) -> Result<(), AuditError> {
    let mut seen = Seen::of(holdings);
    for file in subject.lake.live_files().await? {
        verdict.counts.files += 1;
        let object = subject.table_store.open(&file.path).await?;
        let path = file.path.clone();
        let batches = tokio::task::spawn_blocking(move || {
            let columns = [SOURCE_FILE, SOURCE_VERSION, SOURCE_ROW];
            read_columns(&path, object, &columns)?.collect::<Result<Vec<_>, _>>()
        });
        let batches = batches.await.map_err(|e| AuditError::Internal(e.to_string()))??;
        let foreign_before = verdict.counts.foreign_rows;
        for batch in &batches {
            seen.take(batch, holdings, &file.path, verdict);
        }
        let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let own = rows - (verdict.counts.foreign_rows - foreign_before);
        count(&file, rows, own, verdict);
    }
    seen.compare(holdings, verdict);
    Ok(())
}

/// A file's statistics against the rows that are in it, of which so many are ours.
fn count(file: &LiveFile, rows: u64, own: u64, verdict: &mut Verdict) {
    if file.deletion_vector.is_some() {
        // It marks rows: which of them are gone is not in the file. No more than there are can be left.
        verdict.unchecked.push(format!("{}: rows of it were deleted", file.path));
    }
    let Some(told) = file.rows else { return };
    if told == rows || (file.deletion_vector.is_some() && told < rows) {
        return;
    }
    let what =
        format!("the log says that it has {told} rows, and {rows} are in it: who counts by the log counts wrong");
    if own > 0 {
        verdict.find(Invariant::RowsOnce, file.path.clone(), what);
    } else {
        // Another writer's, with nothing of ours in it.
        verdict.unchecked.push(format!("{}: {what}", file.path));
    }
}

/// What was seen of one content of one file.
#[derive(Default)]
struct SeenFile {
    rows: u64,
    /// Which ordinals were seen, once for each copy that may be there.
    ordinals: Vec<Vec<u64>>,
}

#[derive(Default)]
struct Seen {
    files: HashMap<String, BTreeMap<String, SeenFile>>,
}

impl Seen {
    /// Nothing of the table yet, of which the quarantine keeps what it keeps.
    fn of(holdings: &Holdings) -> Self {
        let mut seen = Self::default();
        let contents = holdings.files.iter().flat_map(|(file, contents)| contents.iter().map(move |of| (file, of)));
        for (file, (version, expected)) in contents {
            for ordinal in &expected.quarantined {
                // One that cannot be is found where the quarantine is looked at.
                let _found_there = seen.file(file, version).note(*ordinal, expected);
            }
        }
        seen
    }

    fn take(&mut self, batch: &RecordBatch, holdings: &Holdings, path: &str, verdict: &mut Verdict) {
        verdict.counts.rows += batch.num_rows() as u64;
        let text = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let ordinals = batch.column_by_name(SOURCE_ROW).and_then(|column| column.as_primitive_opt::<Int64Type>());
        let (Some(files), Some(versions), Some(ordinals)) = (text(SOURCE_FILE), text(SOURCE_VERSION), ordinals) else {
            verdict.counts.foreign_rows += batch.num_rows() as u64;
            return;
        };
        for row in 0..batch.num_rows() {
            if files.is_null(row) || versions.is_null(row) || ordinals.is_null(row) {
                verdict.counts.foreign_rows += 1;
                continue;
            }
            let (file, version) = (files.value(row), versions.value(row));
            let expected = holdings.files.get(file).and_then(|contents| contents.get(version));
            let seen = self.file(file, version);
            seen.rows += 1;
            let Some(expected) = expected.filter(|expected| expected.copies > 0) else { continue };
            let ordinal = u64::try_from(ordinals.value(row)).unwrap_or(u64::MAX);
            if let Err(what) = seen.note(ordinal, expected) {
                let is_kept = expected.quarantined.contains(&ordinal);
                let (invariant, what) = if is_kept {
                    (Invariant::Balance, "it is in the table and in the quarantine")
                } else {
                    (Invariant::RowsOnce, what.as_str())
                };
                let row = format!("{file} row {}", ordinals.value(row));
                verdict.find(invariant, row, format!("{what} (in {path}; {})", holdings.holder_of(expected)));
            }
        }
    }

    fn file(&mut self, file: &str, version: &str) -> &mut SeenFile {
        // Two look-ups where the file is known, so that no text is made for each row.
        if !self.files.contains_key(file) {
            self.files.insert(file.to_owned(), BTreeMap::new());
        }
        let contents = self.files.entry(file.to_owned()).or_default();
        contents.entry(version.to_owned()).or_default()
    }

    fn compare(&self, holdings: &Holdings, verdict: &mut Verdict) {
        for (file, contents) in &holdings.files {
            for (version, expected) in contents {
                let seen = self.files.get(file).and_then(|seen| seen.get(version)).map_or(0, |seen| seen.rows);
                if seen != expected.rows {
                    let staged = if expected.staged { ", its batch is not committed" } else { "" };
                    let (must, holder) = (rows(expected.rows), holdings.holder_of(expected));
                    let what = format!("{must} must be in the table, {seen} are there{staged} ({holder})");
                    verdict.find(Invariant::RowsOnce, file.clone(), what);
                }
            }
        }
        for (file, contents) in &self.files {
            for (version, seen) in contents {
                if !holdings.files.get(file).is_some_and(|known| known.contains_key(version)) {
                    let seen = rows(seen.rows);
                    let what = format!("the table has {seen} of its version {version}, and no sealed batch holds it");
                    verdict.find(Invariant::RowsOnce, file.clone(), what);
                }
            }
        }
    }
}

fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

impl SeenFile {
    /// Marks an ordinal. The error says why it cannot be right.
    fn note(&mut self, at: u64, expected: &Expected) -> Result<(), String> {
        if at >= expected.records {
            return Err(format!("its file has {} records", expected.records));
        }
        let (word, bit) = (usize::try_from(at / 64).unwrap_or(usize::MAX), 1_u64 << (at % 64));
        let words = usize::try_from(expected.records.div_ceil(64)).unwrap_or(usize::MAX);
        self.ordinals.resize_with(expected.copies, Vec::new);
        for copy in &mut self.ordinals {
            copy.resize(words, 0);
            if let Some(marks) = copy.get_mut(word).filter(|marks| **marks & bit == 0) {
                *marks |= bit;
                return Ok(());
            }
        }
        Err("it is in the table more than once".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};
    use drops::BatchId;

    use super::*;
    use crate::Finding;

    fn batch_of(rows: &[(Option<&str>, Option<&str>, Option<i64>)]) -> RecordBatch {
        let files: StringArray = rows.iter().map(|row| row.0).collect();
        let versions: StringArray = rows.iter().map(|row| row.1).collect();
        let ordinals: Int64Array = rows.iter().map(|row| row.2).collect();
        let columns: [(&str, ArrayRef); 3] =
            [(SOURCE_FILE, Arc::new(files)), (SOURCE_VERSION, Arc::new(versions)), (SOURCE_ROW, Arc::new(ordinals))];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    /// A file of so many records that are all rows, held once.
    fn holding(file: &str, records: u64) -> Holdings {
        let holder = Some((0, BatchId::from_parts(1, 1)));
        let expected = Expected { rows: records, records, copies: 1, holder, ..Expected::default() };
        let files = [(file.to_owned(), [("v".to_owned(), expected)].into())].into();
        Holdings { files, pipelines: vec!["p".parse().unwrap()] }
    }

    fn judged(holdings: &Holdings, batch: &RecordBatch) -> Verdict {
        let (mut seen, mut verdict) = (Seen::of(holdings), Verdict::default());
        seen.take(batch, holdings, "part", &mut verdict);
        seen.compare(holdings, &mut verdict);
        verdict
    }

    fn found(verdict: &Verdict) -> Vec<(&str, &str)> {
        verdict.findings.iter().map(|Finding { object, what, .. }| (object.as_str(), what.as_str())).collect()
    }

    #[test]
    fn a_row_that_is_doubled_in_the_place_of_another_is_found() {
        let holdings = holding("f", 100);
        let all = |twice: i64, lost: i64| {
            let ordinals = (0..100).map(|n| if n == lost { twice } else { n });
            batch_of(&ordinals.map(|n| (Some("f"), Some("v"), Some(n))).collect::<Vec<_>>())
        };
        assert_eq!(found(&judged(&holdings, &all(7, 7))), []);
        for (twice, lost) in [(0, 1), (7, 70), (99, 0)] {
            let verdict = judged(&holdings, &all(twice, lost));
            let object = format!("f row {twice}");
            let what =
                format!("it is in the table more than once (in part; pipeline p, batch {})", BatchId::from_parts(1, 1));
            assert_eq!(found(&verdict), [(object.as_str(), what.as_str())]);
        }
    }

    #[test]
    fn a_row_that_is_quarantined_as_well_is_found() {
        let mut holdings = holding("f", 2);
        let expected = holdings.files.get_mut("f").unwrap().get_mut("v").unwrap();
        (expected.records, expected.quarantined) = (3, vec![1]);
        let rows = |ordinals: [i64; 2]| batch_of(&ordinals.map(|n| (Some("f"), Some("v"), Some(n))));
        assert_eq!(found(&judged(&holdings, &rows([2, 0]))), []);
        let verdict = judged(&holdings, &rows([2, 1]));
        let what = format!(
            "it is in the table and in the quarantine (in part; pipeline p, batch {})",
            BatchId::from_parts(1, 1)
        );
        assert_eq!(found(&verdict), [("f row 1", what.as_str())]);
        assert_eq!(verdict.findings[0].invariant, Invariant::Balance);
    }

    /// What is found, and what cannot be checked, of a file of three rows of which the log tells so many, so many of them ours.
    fn counted(told: Option<u64>, own: u64, has_deletion_vector: bool) -> (u64, usize) {
        let file = LiveFile {
            path: "part".into(),
            size: 1,
            rows: told,
            spelled: "part".into(),
            modified: drops::Timestamp(0),
            partition_values: BTreeMap::new(),
            deletion_vector: has_deletion_vector.then(|| "u1".to_owned()),
        };
        let mut verdict = Verdict::default();
        count(&file, 3, own, &mut verdict);
        (verdict.found, verdict.unchecked.len())
    }

    #[test]
    fn a_number_of_rows_that_is_not_that_of_the_file_is_found_and_taken_for_no_deletion() {
        for own in [0, 1, 3] {
            assert_eq!(counted(Some(3), own, false), (0, 0));
            assert_eq!(counted(None, own, false), (0, 0));
            for told in [2, 4] {
                assert_eq!(counted(Some(told), own, false), if own > 0 { (1, 0) } else { (0, 1) });
            }
            assert_eq!(counted(Some(2), own, true), (0, 1));
            assert_eq!(counted(None, own, true), (0, 1));
            assert_eq!(counted(Some(4), own, true), if own > 0 { (1, 1) } else { (0, 2) });
        }
    }

    #[test]
    fn an_ordinal_that_its_file_has_not_is_found() {
        let holdings = holding("f", 2);
        for ordinal in [2, -1] {
            let verdict =
                judged(&holdings, &batch_of(&[(Some("f"), Some("v"), Some(0)), (Some("f"), Some("v"), Some(ordinal))]));
            assert_eq!(found(&verdict).len(), 1, "{ordinal}: {:?}", found(&verdict));
        }
    }

    #[test]
    fn rows_of_what_is_not_in_the_table_are_found_once_for_all() {
        let mut holdings = holding("f", 0);
        holdings.files.get_mut("f").unwrap().get_mut("v").unwrap().copies = 0;
        let verdict = judged(&holdings, &batch_of(&[(Some("f"), Some("v"), Some(0)), (Some("f"), Some("v"), Some(1))]));
        assert_eq!(found(&verdict).len(), 1);
        let verdict = judged(&Holdings::default(), &batch_of(&[(Some("f"), Some("v"), Some(0))]));
        assert_eq!(found(&verdict).len(), 1);
    }

    #[test]
    fn rows_that_do_not_say_their_origin_are_others() {
        let others = batch_of(&[(None, Some("v"), Some(0)), (Some("f"), None, Some(0)), (Some("f"), Some("v"), None)]);
        let verdict = judged(&Holdings::default(), &others);
        assert!(verdict.holds());
        assert_eq!((verdict.counts.rows, verdict.counts.foreign_rows), (3, 3));
        let without = others.project(&[0]).unwrap();
        assert_eq!(judged(&Holdings::default(), &without).counts.foreign_rows, 3);
    }
}
