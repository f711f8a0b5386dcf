//! A Delta log in memory: the double that the simulation runs on. The same rules for what may be committed, the same schema as read back
//! from Delta's JSON; nothing of files, checkpoints or damage.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::actions::{Line, OUR_PROTOCOL, Txn, rows_of};
use crate::admit::{Admission, admit};
use crate::state::{Replay, TableState};
use crate::{
    AddFile, Commit, CommitOutcome, CommitSummary, Head, Lake, LakeError, LiveFile, TableMetadata, actions, path,
};

const TABLE: &str = "memory";

/// A table whose log lives in memory. Clones are the same table.
#[derive(Clone, Debug, Default)]
pub struct MemoryLake {
    log: Arc<Mutex<Log>>,
}

/// A commit that somebody else makes: what lithify would not write itself.
#[derive(Clone, Debug, Default)]
pub struct Foreign {
    /// The files that join.
    pub adds: Vec<AddFile>,
    /// The paths of the files that leave.
    pub removes: Vec<String>,
    /// Live files that get a deletion vector, by path, with its id: some of their rows are deleted.
    pub deletion_vectors: BTreeMap<String, String>,
    /// The table's new metadata, if it changes; an id of its own is kept as the table's.
    pub metadata: Option<TableMetadata>,
    /// The `txn`s.
    pub txns: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct Log {
    entries: Vec<Entry>,
}

/// One version.
#[derive(Debug)]
struct Entry {
    commit: Option<Commit>,
    adds: Vec<AddFile>,
    removes: Vec<String>,
    deletion_vectors: BTreeMap<String, String>,
    summary: CommitSummary,
    /// The table as it is with this version.
    state: TableState,
}

impl MemoryLake {
    /// A table that does not exist yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends somebody else's commit at the next version, which it gives.
    ///
    /// # Errors
    /// [`LakeError::Unwritable`] if there is no table and the commit brings no metadata, or if the metadata cannot be written.
    pub fn append_foreign(&self, foreign: Foreign) -> Result<u64, LakeError> {
        let mut log = self.lock();
        let version = log.next();
        let newest = log.newest();
        let unwritable = |reason: String| LakeError::Unwritable { table: TABLE.to_owned(), version, reason };
        let mut metadata = foreign.metadata;
        if let (Some(metadata), Some(newest)) = (&mut metadata, newest) {
            metadata.id.clone_from(&newest.metadata().id);
        }
        let metadata = match metadata {
            Some(metadata) => Some(crate::admit::metadata_action(newest, &metadata).map_err(unwritable)?),
            None => None,
        };
        let protocol = newest.is_none().then_some(OUR_PROTOCOL);
        let changes_table = metadata.is_some();
        let replay = advance(newest, Line { protocol, metadata, txn: None }, &foreign.txns);
        let state = TableState::new(version, None, replay, newest).map_err(unwritable)?;
        let Foreign { adds, removes, deletion_vectors, txns, .. } = foreign;
        let added = adds.iter().map(|add| add.path.clone());
        let files = added.chain(removes.iter().cloned()).chain(deletion_vectors.keys().cloned()).collect();
        let summary = CommitSummary { version, txns, changes_table, files };
        log.entries.push(Entry { commit: None, adds, removes, deletion_vectors, summary, state });
        Ok(version)
    }

    /// Our own commit at a version, as it was asked for; `None` if nothing or somebody else's stands there.
    pub fn commit_at(&self, version: u64) -> Option<Commit> {
        self.lock().at(version).and_then(|entry| entry.commit.clone())
    }

    /// The paths that the commit at a version names, added or removed; `None` if there is no such version.
    pub fn read_version(&self, version: u64) -> Option<BTreeSet<String>> {
        self.lock().at(version).map(|entry| entry.summary.files.clone())
    }

    /// The files that were live at a version, with their statistics and partition values; none if there is no such version.
    pub fn files_at(&self, version: u64) -> Vec<AddFile> {
        let log = self.lock();
        if log.at(version).is_none() {
            return Vec::new();
        }
        log.files(version).into_iter().map(|(add, _)| add.clone()).collect()
    }

    /// Loses every version above this one, as restoring an older copy of the table does.
    pub fn lose_after(&self, version: u64) {
        self.lock().entries.retain(|entry| entry.summary.version <= version);
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        // Entries are pushed whole, so what a panic left behind is right.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn next(&self) -> u64 {
        self.entries.len() as u64
    }

    fn newest(&self) -> Option<&TableState> {
        self.entries.last().map(|entry| &entry.state)
    }

    fn at(&self, version: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(version).ok()?)
    }

    /// The live files of a version, each with its deletion vector.
    fn files(&self, version: u64) -> Vec<(&AddFile, Option<&str>)> {
        let mut files: BTreeMap<&str, (&AddFile, Option<&str>)> = BTreeMap::new();
        for entry in self.entries.iter().take_while(|entry| entry.summary.version <= version) {
            for removed in &entry.removes {
                files.remove(removed.as_str());
            }
            files.extend(entry.adds.iter().map(|add| (add.path.as_str(), (add, None))));
            for (path, id) in &entry.deletion_vectors {
                files.entry(path).and_modify(|file| file.1 = Some(id));
            }
        }
        files.into_values().collect()
    }

    fn live(&self, version: u64) -> Vec<LiveFile> {
        let live = |(add, deletion_vector): (&AddFile, Option<&str>)| LiveFile {
            path: add.path.clone(),
            spelled: path::encode(&add.path),
            size: add.size,
            rows: rows_of(&add.stats),
            modified: add.modified,
            partition_values: add.partition_values.clone(),
            deletion_vector: deletion_vector.map(str::to_owned),
        };
        self.files(version).into_iter().map(live).collect()
    }
}

fn advance(newest: Option<&TableState>, line: Line, txns: &BTreeMap<String, u64>) -> Replay {
    let mut replay = newest.map(|newest| newest.replay.clone()).unwrap_or_default();
    let txns = txns.iter().map(|(app_id, version)| Line {
        txn: Some(Txn {
            app_id: app_id.clone(),
            version: i64::try_from(*version).unwrap_or(i64::MAX),
            last_updated: None,
        }),
        ..Line::default()
    });
    replay.apply(std::iter::once(line).chain(txns));
    replay
}

#[async_trait]
impl Lake for MemoryLake {
    async fn head(&self, app_ids: &[&str]) -> Result<Option<Head>, LakeError> {
        Ok(self.lock().newest().map(|newest| newest.head(app_ids)))
    }

    async fn app_ids(&self, prefix: &str) -> Result<Vec<String>, LakeError> {
        Ok(self.lock().newest().map_or_else(Vec::new, |newest| newest.app_ids(prefix)))
    }

    async fn commit(&self, version: u64, commit: &Commit) -> Result<CommitOutcome, LakeError> {
        let mut log = self.lock();
        let newest = log.newest();
        let metadata = match admit(TABLE, newest, version, commit)? {
            Admission::Try(metadata) => metadata,
            Admission::Taken => return Ok(CommitOutcome::Taken),
        };
        let unwritable = |reason| LakeError::Unwritable { table: TABLE.to_owned(), version, reason };
        actions::encode(version, commit, metadata.as_deref()).map_err(unwritable)?;
        let changes_table = metadata.is_some();
        let txns = BTreeMap::from([(commit.app_id.clone(), commit.txn)]);
        let protocol = newest.is_none().then_some(OUR_PROTOCOL);
        let line = Line { protocol, metadata: metadata.map(|metadata| *metadata), txn: None };
        let replay = advance(newest, line, &txns);
        let state = TableState::new(version, None, replay, newest).map_err(unwritable)?;
        let adds = commit.adds.clone();
        let removes: Vec<String> = commit.removes.iter().map(|remove| path::decode(&remove.spelled)).collect();
        let files = adds.iter().map(|add| add.path.clone()).chain(removes.iter().cloned()).collect();
        let summary = CommitSummary { version, txns, changes_table, files };
        let (commit, deletion_vectors) = (Some(commit.clone()), BTreeMap::new());
        log.entries.push(Entry { commit, adds, removes, deletion_vectors, summary, state });
        Ok(CommitOutcome::Landed)
    }

    async fn read_commit(&self, version: u64) -> Result<Option<CommitSummary>, LakeError> {
        Ok(self.lock().at(version).map(|entry| entry.summary.clone()))
    }

    async fn checkpoint(&self, version: u64) -> Result<(), LakeError> {
        // There is nothing to make shorter; but a version that does not stand has no checkpoint.
        match self.lock().at(version) {
            Some(_) => Ok(()),
            None => {
                Err(LakeError::Unreadable { table: TABLE.to_owned(), reason: format!("there is no version {version}") })
            }
        }
    }

    async fn live_files(&self) -> Result<Vec<LiveFile>, LakeError> {
        let log = self.lock();
        Ok(log.newest().map_or_else(Vec::new, |newest| log.live(newest.version)))
    }

    async fn small_files(&self, version: u64, below: u64) -> Result<Vec<LiveFile>, LakeError> {
        let log = self.lock();
        let files = if log.at(version).is_some() { log.live(version) } else { Vec::new() };
        Ok(files.into_iter().filter(|file| file.size < below).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{self, commit, file, metadata};

    struct Memory(MemoryLake);

    impl conformance::Place for Memory {
        fn open(&self) -> Arc<dyn Lake> {
            Arc::new(self.0.clone())
        }
    }

    #[tokio::test]
    async fn conforms() {
        conformance::all(|| Memory(MemoryLake::new())).await;
    }

    #[tokio::test]
    async fn somebody_else_changes_the_table() {
        let lake = MemoryLake::new();
        let first = commit("a", 1, Some(metadata(&["x"], &[])), vec![file("one", 3), file("two", 4)]);
        assert_eq!(lake.commit(0, &first).await.expect("commit"), CommitOutcome::Landed);
        let version =
            lake.append_foreign(Foreign { removes: vec!["one".to_owned()], ..Foreign::default() }).expect("foreign");
        assert_eq!(version, 1);
        assert_eq!(lake.read_commit(1).await.expect("read").map(|it| it.changes_table), Some(false));
        let wider = Foreign { metadata: Some(metadata(&["x", "y"], &[])), ..Foreign::default() };
        assert_eq!(lake.append_foreign(wider).expect("foreign"), 2);
        assert_eq!(lake.read_commit(2).await.expect("read").map(|it| it.changes_table), Some(true));
        let head = lake.head(&["a"]).await.expect("head").expect("a table");
        assert_eq!((head.schema.fields().len(), head.txns.get("a")), (2, Some(&1)));
        let names = |files: Vec<AddFile>| files.into_iter().map(|file| file.path).collect::<Vec<_>>();
        assert_eq!(names(lake.files_at(0)), ["one", "two"]);
        assert_eq!(names(lake.files_at(2)), ["two"]);
        let deletion_vectors = BTreeMap::from([("two".to_owned(), "u1".to_owned())]);
        assert_eq!(lake.append_foreign(Foreign { deletion_vectors, ..Foreign::default() }).expect("foreign"), 3);
        let two = lake.live_files().await.expect("files").remove(0);
        assert_eq!((two.path.as_str(), two.deletion_vector.as_deref()), ("two", Some("u1")));
        assert!(lake.read_commit(3).await.expect("read").is_some_and(|commit| commit.files.contains("two")));
        lake.lose_after(0);
        assert_eq!(lake.head(&[]).await.expect("head").map(|head| head.version), Some(0));
        assert_eq!(lake.commit_at(0).map(|commit| commit.txn), Some(1));
    }
}
