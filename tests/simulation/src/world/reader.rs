//! A reader at every step: at its newest version the table holds of each drop all good rows once, or none, each with the cells that its
//! record says, and each row of other writers once, as they wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::Schema;
use bytes::Bytes;
use lake::Lake;

use super::cells::{Cells, differs};
use super::files::{self, Origin, Row};
use super::{BEGINNING, World, lock};
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

/// The `_ingested_at` of the rows of each content of each key.
pub(super) type Moments = BTreeMap<(String, String), BTreeSet<i64>>;

/// What is in a table.
#[derive(Default)]
pub(super) struct Seen {
    /// The rows of drops.
    pub rows: Rows,
    /// When these were ingested, by their own account.
    pub moments: Moments,
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
                self.judge_moments(&seen.moments, version);
                self.judge_theirs(seen.theirs, version);
            }
            Err(why) => self.violation("a reader sees whole states", format!("version {version}: {why}")),
        }
    }

    /// What is in the table now.
    ///
    /// # Errors
    /// A live file is not there, or none of the table's.
    pub(super) fn seen(&self) -> Result<Seen, String> {
        let mut seen = Seen::default();
        let Some(head) = now(self.table.head(&[])).map_err(|e| e.to_string())? else { return Ok(seen) };
        for file in now(self.table.live_files()).map_err(|e| e.to_string())? {
            let path = file.path;
            let known = self.known(&path, &head.schema).map_err(|why| format!("the live file {path}: {why}"))?;
            for origin in &known.origins {
                let place = (key_of(&origin.file).to_owned(), origin.version.clone());
                seen.moments.entry(place.clone()).or_default().insert(origin.ingested);
                seen.rows.entry(place).or_default().push(origin.ordinal);
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
                    self.judge_time(&origin);
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
        let Origin { file, version, ordinal, .. } = origin;
        let key = key_of(file);
        let content = self.bucket.etag_of(key, version).and_then(|etag| self.bucket.content(key, &etag));
        if let Some(why) = content.and_then(|content| differs(cells, &content.bytes, *ordinal)) {
            self.violation("a row says what its record says", format!("{key} ({version}): {why}"));
        }
    }

    /// A row's `_source_time` is when its object was last modified.
    fn judge_time(&self, origin: &Origin) {
        let Origin { file, version, ordinal, time, .. } = origin;
        if !self.bucket.was_put_at(key_of(file), version, *time) {
            let what = format!("{file} ({version}): row {ordinal} says {time}, and nothing was put there then");
            self.violation("a row says when its object was modified", what);
        }
    }

    /// The rows of a drop were ingested at one moment, which has been.
    fn judge_moments(&self, moments: &Moments, version: u64) {
        let been = BEGINNING..=self.scheduler.now();
        for ((key, source_version), moments) in moments {
            if moments.len() != 1 || moments.iter().any(|moment| !been.contains(moment)) {
                let what =
                    format!("version {version} has rows of {key} ({source_version}) that say {moments:?} of {been:?}");
                self.violation("a row says when its batch was ingested", what);
            }
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
    use arrow_array::cast::AsArray;
    use arrow_array::types::TimestampMicrosecondType;
    use arrow_array::{Array, RecordBatch};
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

    /// A live file is written anew, with other rows.
    fn rewritten(world: &World, file: &LiveFile, change: impl Fn(RecordBatch) -> RecordBatch) {
        let content = now(store::Store::get(&world.files, &file.path)).expect("a file");
        let rows: Vec<RecordBatch> = files::batches(content).expect("rows").into_iter().map(change).collect();
        let (content, _) = files::write(&rows.first().expect("rows").schema(), &rows).expect("a file");
        world.files.insert(&file.path, content);
        world.after_effect("files.put", &file.path);
    }

    /// The same, without what it held in a column.
    fn without(world: &World, file: &LiveFile, column: &str) {
        rewritten(world, file, |mut batch| {
            let place = batch.schema().index_of(column).expect("the column");
            let _gone = batch.remove_column(place);
            batch
        });
    }

    /// The same, with other moments in a column, in microseconds since 1970.
    fn at_other_moments(world: &World, file: &LiveFile, column: &str, change: impl Fn(i64) -> i64) {
        rewritten(world, file, |batch| {
            let place = batch.schema().index_of(column).expect("the column");
            let moments = batch.column(place).as_primitive::<TimestampMicrosecondType>();
            let moments =
                moments.unary::<_, TimestampMicrosecondType>(&change).with_data_type(moments.data_type().clone());
            let mut columns = batch.columns().to_vec();
            columns[place] = Arc::new(moments);
            RecordBatch::try_new(batch.schema(), columns).expect("rows")
        });
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
    fn a_row_says_when_its_object_was_modified() {
        let (world, ours, _) = world();
        at_other_moments(&world, &ours, runs::SOURCE_TIME, |moment| moment + 1);
        assert!(is_violated(&world, "a row says when its object was modified"));
    }

    #[test]
    fn the_rows_of_a_batch_say_one_moment_at_which_it_was_at_work() {
        const INVARIANT: &str = "a row says when its batch was ingested";
        for moment in [BEGINNING - 1, BEGINNING + 1_000_000_000_000] {
            let (world, ours, _) = world();
            at_other_moments(&world, &ours, runs::INGESTED_AT, |_| moment);
            assert!(is_violated(&world, INVARIANT), "{moment} has not been");
        }
        // Moments that have been, of which no reader knows whether they are the batch's.
        let (world, ours, _) = world();
        world.judge_healed();
        assert!(!is_violated(&world, INVARIANT), "{:?}", world.violations());
        at_other_moments(&world, &ours, runs::INGESTED_AT, |_| BEGINNING);
        assert!(!is_violated(&world, INVARIANT), "{:?}", world.violations());
        world.judge_healed();
        assert!(is_violated(&world, INVARIANT));
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
