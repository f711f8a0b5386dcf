//! The Delta log as a process sees it.

use std::sync::Arc;

use async_trait::async_trait;
use lake::{Commit, CommitOutcome, CommitSummary, Head, Lake, LakeError, LiveFile, MemoryLake};

use super::{now, told, told_all};
use crate::port::{Call, Port};
use crate::random::Random;

/// One table's log.
pub struct SimLake {
    /// The process's door.
    pub port: Arc<Port>,
    /// Whether it is the audit table's.
    pub is_audit: bool,
    /// The log.
    pub inner: MemoryLake,
}

fn failed(action: &'static str) -> impl Fn(String) -> LakeError {
    move |reason| LakeError::Passing { table: "memory".to_owned(), action, reason }
}

impl SimLake {
    fn operation(&self, table: &'static str, audit: &'static str) -> &'static str {
        if self.is_audit { audit } else { table }
    }
}

#[async_trait]
impl Lake for SimLake {
    async fn head(&self, app_ids: &[&str]) -> Result<Option<Head>, LakeError> {
        let (inner, ids) = (self.inner.clone(), app_ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
        let effect = move || now(inner.head(&ids.iter().map(String::as_str).collect::<Vec<_>>()));
        let show = |answer: &Result<Option<Head>, LakeError>| {
            told(answer, |head| match head {
                None => "no table".to_owned(),
                Some(head) => {
                    format!("version {}, {} columns, {:?}", head.version, head.schema.fields().len(), head.txns)
                }
            })
        };
        let operation = self.operation("table.head", "audit.head");
        self.port.call(Call::read(operation, ""), effect, show, |reason| Err(failed("be read")(reason)))
    }

    async fn app_ids(&self, prefix: &str) -> Result<Vec<String>, LakeError> {
        let (inner, from) = (self.inner.clone(), prefix.to_owned());
        let operation = self.operation("table.app-ids", "audit.app-ids");
        let effect = move || now(inner.app_ids(&from));
        self.port.call(Call::read(operation, prefix), effect, told_all, |reason| Err(failed("be read")(reason)))
    }

    async fn commit(&self, version: u64, commit: &Commit) -> Result<CommitOutcome, LakeError> {
        let (inner, sent) = (self.inner.clone(), commit.clone());
        let operation = self.operation("table.commit", "audit.commit");
        let key = format!("{version} of {} {}", commit.app_id, commit.txn);
        let effect = move || now(inner.commit(version, &sent));
        self.port.call(Call::late_write(operation, &key), effect, told_all, |reason| Err(failed("commit")(reason)))
    }

    async fn read_commit(&self, version: u64) -> Result<Option<CommitSummary>, LakeError> {
        let inner = self.inner.clone();
        let operation = self.operation("table.read-commit", "audit.read-commit");
        let effect = move || now(inner.read_commit(version));
        let show = |answer: &Result<Option<CommitSummary>, LakeError>| {
            told(answer, |found| match found {
                None => "nothing".to_owned(),
                Some(found) => {
                    format!("{:?}, {} files, changes the table: {}", found.txns, found.files.len(), found.changes_table)
                }
            })
        };
        let key = version.to_string();
        self.port.call(Call::read(operation, &key), effect, show, |reason| Err(failed("be read")(reason)))
    }

    async fn checkpoint(&self, version: u64) -> Result<(), LakeError> {
        let inner = self.inner.clone();
        let operation = self.operation("table.checkpoint", "audit.checkpoint");
        let (key, effect) = (version.to_string(), move || now(inner.checkpoint(version)));
        self.port.call(Call::write(operation, &key), effect, told_all, |reason| Err(failed("be checkpointed")(reason)))
    }

    async fn live_files(&self) -> Result<Vec<LiveFile>, LakeError> {
        let inner = self.inner.clone();
        let operation = self.operation("table.live-files", "audit.live-files");
        let order = self.port.random();
        let effect = move || now(inner.live_files()).map(|files| in_any_order(files, &order));
        self.port.call(Call::read(operation, ""), effect, show_files, |reason| Err(failed("be read")(reason)))
    }

    async fn small_files(&self, version: u64, below: u64) -> Result<Vec<LiveFile>, LakeError> {
        let inner = self.inner.clone();
        let operation = self.operation("table.small-files", "audit.small-files");
        let (key, order) = (version.to_string(), self.port.random());
        let effect = move || now(inner.small_files(version, below)).map(|files| in_any_order(files, &order));
        self.port.call(Call::read(operation, &key), effect, show_files, |reason| Err(failed("be read")(reason)))
    }
}

/// The log tells its files in no order.
fn in_any_order(mut files: Vec<LiveFile>, order: &Random) -> Vec<LiveFile> {
    order.clone().shuffle(&mut files);
    files
}

fn show_files(answer: &Result<Vec<LiveFile>, LakeError>) -> String {
    told(answer, |files| format!("{} files", files.len()))
}
