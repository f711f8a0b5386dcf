//! A reader at every step: at its newest version the table holds of each drop all good rows once, or none, each with the cells that its
//! record says, and each row of other writers once, as they wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::Schema;
use bytes::Bytes;
use lake::Lake;

use super::cells::{Cells, differs};
use super::files::{self, Origin, Row};
use super::{World, lock};
use crate::doubles::{BUCKET, now};

/// What the reader has read already.
#[derive(Default)]
pub(super) struct Reader {
    version: Option<u64>,
    files: BTreeMap<String, Arc<Known>>,
    live: BTreeSet<String>,
    columns: BTreeSet<String>,
}

/// What a file held when it was read.
struct Known {
    /// The very bytes: as long as they are kept, no others lie at their place in memory.
    content: Bytes,
    origins: Vec<Origin>,
    /// The rows of other writers, each as one text.
    theirs: Vec<String>,
}

/// The ordinals in the table of each content of each key, sorted.
pub(super) type Rows = BTreeMap<(String, String), Vec<i64>>;

/// What is in a table.
struct Seen {
    rows: Rows,
    theirs: Vec<String>,
}

/// A row of another writer as one text, which tells two rows apart.
pub(super) fn their_row(cells: &Cells) -> String {
    format!("{cells:?}")
}

impl World {
    /// Reads the table's newest version, if it was not read before.
    pub(super) fn read_table(&self) {
        let Ok(Some(head)) = now(self.table.head(&[])) else { return };
        if lock(&self.reader).version == Some(head.version) {
            return;
        }
        self.read_version(head.version);
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

    /// A file of the table was written: where it is a live one, the table that was read is another now.
    pub(super) fn read_table_with(&self, path: &str) {
        let version = lock(&self.reader).version;
        if let Some(version) = version.filter(|_| lock(&self.reader).live.contains(path)) {
            self.read_version(version);
        }
    }

    /// A file of the table was deleted: no live one.
    pub(super) fn read_table_without(&self, path: &str) {
        if lock(&self.reader).live.contains(path) {
            self.violation("a reader sees whole states", format!("the live file {path} was deleted"));
        }
    }

    fn read_version(&self, version: u64) {
        match self.seen() {
            Ok(seen) => {
                self.judge(&seen.rows, version);
                self.judge_theirs(seen.theirs, version);
            }
            Err(why) => self.violation("a reader sees whole states", format!("version {version}: {why}")),
        }
    }

    /// The rows of drops that are in the table now.
    ///
    /// # Errors
    /// A live file is not there, or none of the table's.
    pub(super) fn rows(&self) -> Result<Rows, String> {
        self.seen().map(|seen| seen.rows)
    }

    fn seen(&self) -> Result<Seen, String> {
        let mut seen = Seen { rows: Rows::new(), theirs: Vec::new() };
        let Some(head) = now(self.table.head(&[])).map_err(|e| e.to_string())? else { return Ok(seen) };
        for file in now(self.table.live_files()).map_err(|e| e.to_string())? {
            let path = file.path;
            let known = self.known(&path, &head.schema).map_err(|why| format!("the live file {path}: {why}"))?;
            for (source, version, ordinal) in &known.origins {
                seen.rows.entry((key_of(source).to_owned(), version.clone())).or_default().push(*ordinal);
            }
            seen.theirs.extend(known.theirs.iter().cloned());
        }
        seen.rows.values_mut().for_each(|ordinals| ordinals.sort_unstable());
        seen.theirs.sort_unstable();
        Ok(seen)
    }

    /// What a file holds. It is read again where other bytes lie at its path. The table's columns stay as they are, so what was read of a live
    /// file under them holds for later versions too.
    fn known(&self, path: &str, table: &Schema) -> Result<Arc<Known>, String> {
        let content = now(store::Store::get(&self.files, path)).map_err(|e| e.to_string())?;
        let is_same = |known: &&Arc<Known>| known.content.as_ptr_range() == content.as_ptr_range();
        if let Some(known) = lock(&self.reader).files.get(path).filter(is_same) {
            return Ok(known.clone());
        }
        let mut known = Known { content: content.clone(), origins: Vec::new(), theirs: Vec::new() };
        for Row { origin, cells } in files::rows(content, table)? {
            match origin {
                None => known.theirs.push(their_row(&cells)),
                Some(origin) => {
                    self.judge_cells(&origin, &cells);
                    known.origins.push(origin);
                }
            }
        }
        let known = Arc::new(known);
        lock(&self.reader).files.insert(path.to_owned(), known.clone());
        Ok(known)
    }

    /// A row's cells are its record's. That there is such a drop is judged with its ordinals.
    fn judge_cells(&self, origin: &Origin, cells: &Cells) {
        let (source, version, ordinal) = origin;
        let key = key_of(source);
        let content = self.bucket.etag_of(key, version).and_then(|etag| self.bucket.content(key, &etag));
        if let Some(why) = content.and_then(|content| differs(cells, &content.bytes, *ordinal)) {
            self.violation("a row says what its record says", format!("{key} ({version}): {why}"));
        }
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

    /// `theirs`: the rows of other writers that are there, sorted.
    fn judge_theirs(&self, theirs: Vec<String>, version: u64) {
        let mut wanted = lock(&self.theirs).clone();
        wanted.sort_unstable();
        if theirs != wanted {
            let what = format!("version {version} has of other writers {theirs:?}, who left there {wanted:?}");
            self.violation("rows of others stay", what);
        }
    }
}

fn key_of(source: &str) -> &str {
    source.strip_prefix("s3://").and_then(|path| path.strip_prefix(BUCKET)?.strip_prefix('/')).unwrap_or(source)
}

#[cfg(test)]
mod tests {
    use lake::{Foreign, LiveFile};

    use super::*;
    use crate::scenarios::{named, staged};
    use crate::world::Other;

    /// A table with a file of ours, and one of another writer.
    fn world() -> (Arc<World>, LiveFile, LiveFile) {
        let shape = named("opened-late").expect("a scenario").shape;
        let world = World::new(1, shape).expect("a world");
        staged(&world);
        world.compact("compactor", false);
        assert!(world.other_writer(Other::Append));
        assert!(world.violations().is_empty(), "{:?}", world.violations());
        let live = now(world.table.live_files()).expect("files");
        let (theirs, ours): (Vec<_>, Vec<_>) = live.into_iter().partition(|file| file.path.starts_with("theirs-"));
        (world, ours.first().expect("ours").clone(), theirs.first().expect("theirs").clone())
    }

    fn is_violated(world: &World, invariant: &str) -> bool {
        world.violations().iter().any(|violation| violation.invariant == invariant)
    }

    /// A live file is written anew, without what it held in a column.
    fn without(world: &World, file: &LiveFile, column: &str) {
        let content = now(store::Store::get(&world.files, &file.path)).expect("a file");
        let rows = files::batches(content).expect("rows");
        let columns = rows.iter().map(|batch| {
            let place = batch.schema().index_of(column).expect("the column");
            let mut batch = batch.clone();
            let _gone = batch.remove_column(place);
            batch
        });
        let rows: Vec<_> = columns.collect();
        let (content, _) = files::write(&rows.first().expect("rows").schema(), &rows).expect("a file");
        world.files.write(&file.path, content);
        world.after_effect("files.put", &file.path);
    }

    #[test]
    fn a_live_file_that_is_written_anew_is_read_again() {
        let (world, ours, _) = world();
        without(&world, &ours, "row");
        assert!(is_violated(&world, "a row says what its record says"));
        let (world, ours, _) = super::tests::world();
        without(&world, &ours, runs::SOURCE_ROW);
        assert!(is_violated(&world, "a reader sees whole states"));
    }

    #[test]
    fn rows_of_others_are_there_once_as_they_were_written() {
        let (world, _, theirs) = world();
        without(&world, &theirs, "id");
        assert!(is_violated(&world, "rows of others stay"));

        let (world, _, theirs) = super::tests::world();
        let removes = vec![theirs.path.clone()];
        let _version = world.table.append_foreign(Foreign { removes, ..Foreign::default() }).expect("a commit");
        world.after_effect("table.commit", "");
        assert!(is_violated(&world, "rows of others stay"));

        let (world, _, theirs) = super::tests::world();
        let removes = vec![theirs.path];
        assert!(world.other_writer(Other::Delete), "{removes:?}");
        assert!(world.violations().is_empty(), "{:?}", world.violations());
    }
}
