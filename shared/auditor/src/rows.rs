//! I-1: every live row of the table against what the manifests say that must be there.

use std::collections::{BTreeMap, HashMap};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use runs::{SOURCE_FILE, SOURCE_ROW, SOURCE_VERSION, read_columns};

use crate::holdings::{Expected, Holdings};
use crate::{AuditError, Invariant, Subject, Verdict};

pub(crate) async fn check(subject: &Subject, holdings: &Holdings, verdict: &mut Verdict) -> Result<(), AuditError> {
    let mut seen = Seen::default();
    for file in subject.lake.live_files().await? {
        verdict.counts.files += 1;
        let object = subject.table_store.open(&file.path).await?;
        let path = file.path.clone();
        let batches = tokio::task::spawn_blocking(move || {
            let columns = [SOURCE_FILE, SOURCE_VERSION, SOURCE_ROW];
            read_columns(&path, object, &columns)?.collect::<Result<Vec<_>, _>>()
        });
        let batches = batches.await.map_err(|e| AuditError::Internal(e.to_string()))??;
        let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        if file.rows.is_some_and(|told| told != rows) {
            // A deletion vector marks rows: which of them are gone is not in the file.
            verdict.unchecked.push(format!("{}: rows of it were deleted", file.path));
        }
        for batch in &batches {
            seen.take(batch, holdings, &file.path, verdict);
        }
    }
    seen.compare(holdings, verdict);
    Ok(())
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
            if let Err(what) = seen.note(ordinals.value(row), expected) {
                verdict.find(
                    Invariant::RowsOnce,
                    format!("{file} row {}", ordinals.value(row)),
                    format!("{what} (in {path})"),
                );
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
                    let batch = expected.batch.map(|id| format!(" (batch {id})")).unwrap_or_default();
                    let staged = if expected.staged { ", its batch is not committed" } else { "" };
                    let what = format!("{} rows must be in the table, {seen} are{staged}{batch}", expected.rows);
                    verdict.find(Invariant::RowsOnce, file.clone(), what);
                }
            }
        }
        for (file, contents) in &self.files {
            for (version, seen) in contents {
                if !holdings.files.get(file).is_some_and(|known| known.contains_key(version)) {
                    let what = format!(
                        "{} rows of its version {version} are in the table, and no sealed batch holds it",
                        seen.rows
                    );
                    verdict.find(Invariant::RowsOnce, file.clone(), what);
                }
            }
        }
    }
}

impl SeenFile {
    /// Marks an ordinal. The error says why it cannot be right.
    fn note(&mut self, ordinal: i64, expected: &Expected) -> Result<(), String> {
        let at = u64::try_from(ordinal).ok().filter(|at| *at < expected.records);
        let at = at.ok_or_else(|| format!("its file has {} records", expected.records))?;
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
