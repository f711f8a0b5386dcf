//! A reader at every step: at its newest version the table holds of each drop all good rows once, or none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lake::Lake;

use super::files::{Origin, origins};
use super::{World, lock};
use crate::doubles::{BUCKET, now};

/// What the reader has read already: files never change.
#[derive(Default)]
pub(super) struct Reader {
    version: Option<u64>,
    files: BTreeMap<String, Arc<Vec<Origin>>>,
    live: BTreeSet<String>,
    columns: BTreeSet<String>,
}

/// The ordinals in the table of each content of each key, sorted.
pub(super) type Rows = BTreeMap<(String, String), Vec<i64>>;

impl World {
    /// Reads the table's newest version, if it was not read before.
    pub(super) fn read_table(&self) {
        let Ok(Some(head)) = now(self.table.head(&[])) else { return };
        if lock(&self.reader).version == Some(head.version) {
            return;
        }
        match self.rows() {
            Ok(rows) => self.judge(&rows, head.version),
            Err(why) => self.violation("a reader sees whole states", format!("version {}: {why}", head.version)),
        }
        let live = now(self.table.live_files()).unwrap_or_default();
        let columns: BTreeSet<String> = head.schema.fields().iter().map(|field| field.name().clone()).collect();
        let gone: Vec<String> = lock(&self.reader).columns.difference(&columns).cloned().collect();
        if !gone.is_empty() {
            self.violation("columns of others stay", format!("version {} has no {gone:?} any more", head.version));
        }
        let mut reader = lock(&self.reader);
        (reader.version, reader.columns) = (Some(head.version), columns);
        reader.live = live.into_iter().map(|file| file.path).collect();
    }

    /// A file of the table was deleted: no live one.
    pub(super) fn read_table_without(&self, path: &str) {
        if lock(&self.reader).live.contains(path) {
            self.violation("a reader sees whole states", format!("the live file {path} was deleted"));
        }
    }

    /// What is in the table now.
    ///
    /// # Errors
    /// A live file is not there, or no Parquet.
    pub(super) fn rows(&self) -> Result<Rows, String> {
        let mut rows = Rows::new();
        for file in now(self.table.live_files()).map_err(|e| e.to_string())? {
            let known = lock(&self.reader).files.get(&file.path).cloned();
            let known = match known {
                Some(known) => known,
                None => {
                    let content = now(store::Store::get(&self.files, &file.path));
                    let content = content.map_err(|e| format!("the live file {}: {e}", file.path))?;
                    let read = Arc::new(origins(content).map_err(|e| format!("the live file {}: {e}", file.path))?);
                    lock(&self.reader).files.insert(file.path.clone(), read.clone());
                    read
                }
            };
            for (source, version, ordinal) in known.iter() {
                let key = source.strip_prefix(&format!("s3://{BUCKET}/")).unwrap_or(source).to_owned();
                rows.entry((key, version.clone())).or_default().push(*ordinal);
            }
        }
        rows.values_mut().for_each(|ordinals| ordinals.sort_unstable());
        Ok(rows)
    }

    fn judge(&self, rows: &Rows, version: u64) {
        let mut last: Option<&String> = None;
        for ((key, source_version), ordinals) in rows {
            let content = self.bucket.etag_of(key, source_version).and_then(|etag| self.bucket.content(key, &etag));
            let good = content.map(|content| content.good).unwrap_or_default();
            if *ordinals != good {
                let what = format!(
                    "version {version} has of {key} ({source_version}) the rows {ordinals:?}, and its good ones are {good:?}"
                );
                self.violation("I-1", what);
            }
            if !self.shape.ingests_overwrites && last == Some(key) {
                self.violation(
                    "I-1",
                    format!("version {version} has rows of two contents of {key}, which is one drop"),
                );
            }
            last = Some(key);
        }
    }
}
