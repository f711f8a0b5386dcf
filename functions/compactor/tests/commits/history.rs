//! What the table's log says that other writers did: which rows they took and brought, and what they made of the table. It is read as JSON,
//! file by file, without the code that is tested.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use store::{Store, StoreError};

use crate::place::rows::{Row, rows_in};

/// One commit: its actions.
struct Commit(Vec<Value>);

/// The table's history from its first version on.
pub struct History {
    store: Arc<dyn Store>,
    commits: Vec<Commit>,
}

impl Commit {
    /// Its actions of a kind.
    fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter_map(move |action| action.get(kind))
    }

    fn info(&self, name: &str) -> &str {
        self.all("commitInfo").next().and_then(|info| info[name].as_str()).unwrap_or_default()
    }

    fn is_ours(&self) -> bool {
        self.info("engineInfo").starts_with("lithify")
    }
}

impl History {
    /// Reads it, for a table whose log was not cleaned up.
    pub async fn of(store: Arc<dyn Store>) -> Self {
        let mut commits = Vec::new();
        loop {
            let name = format!("_delta_log/{:020}.json", commits.len());
            let body = match store.get(&name).await {
                Ok(body) => body,
                Err(StoreError::Missing(_)) => break,
                Err(error) => panic!("{name}: {error}"),
            };
            let lines = std::str::from_utf8(&body).unwrap().lines().filter(|line| !line.is_empty());
            commits.push(Commit(lines.map(|line| serde_json::from_str(line).unwrap()).collect()));
        }
        assert!(commits[0].is_ours(), "we made the table: {:?}", commits[0].0);
        Self { store, commits }
    }

    /// The rows that other writers deleted, and those that they brought, each sorted. Whatever else they do must keep each row.
    pub async fn rows_of_others(&self) -> (Vec<Row>, Vec<Row>) {
        let (mut deleted, mut brought) = (Vec::new(), Vec::new());
        for commit in self.commits.iter().filter(|commit| !commit.is_ours()) {
            let mut gone = self.rows(commit, "remove").await;
            let mut new = Vec::new();
            for row in self.rows(commit, "add").await {
                match gone.iter().position(|old| *old == row) {
                    Some(at) => drop(gone.swap_remove(at)),
                    None => new.push(row),
                }
            }
            let operation = commit.info("operation");
            assert!(gone.is_empty() || operation == "DELETE", "{operation} takes {gone:?}");
            assert!(new.is_empty() || operation == "WRITE", "{operation} brings {new:?}");
            deleted.extend(gone);
            brought.extend(new);
        }
        deleted.sort();
        brought.sort();
        (deleted, brought)
    }

    /// The rows of the files that a commit names in its actions of a kind. Nothing vacuums here: those that left are there.
    async fn rows(&self, commit: &Commit, kind: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for action in commit.all(kind) {
            assert!(action["deletionVector"].is_null(), "the rows of such a file are not read here: {action}");
            let path = action["path"].as_str().unwrap();
            assert!(!path.contains('%'), "a path that is decoded is not read here: {path}");
            rows.extend(rows_in(self.store.get(path).await.unwrap(), &BTreeMap::new()));
        }
        rows
    }

    /// What the table is now, and what the last other writer who changed it made of it.
    pub fn metadata(&self) -> (&Value, Option<&Value>) {
        let now = self.last_metadata(|_| true).expect("the first commit says it");
        (now, self.last_metadata(|commit| !commit.is_ours()))
    }

    fn last_metadata(&self, by: impl Fn(&Commit) -> bool) -> Option<&Value> {
        let mut said = None;
        for commit in self.commits.iter().filter(|commit| by(commit)) {
            said = commit.0.iter().filter_map(|action| action.get("metaData")).next_back().or(said);
        }
        said
    }
}

/// The columns of a `metaData`, each with all that is said of it.
pub fn columns(metadata: &Value) -> Vec<Value> {
    let schema: Value = serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
    schema["fields"].as_array().unwrap().clone()
}
