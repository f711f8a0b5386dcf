//! The Delta log of a table, read and written.
//!
//! Reading, in order:
//! 1. *List* the log. Nothing newer than what is known: done, which is what most calls find.
//! 2. *Follow* the commits since then, one small JSON file each; or, at first, begin at the newest checkpoint.
//! 3. *Flush* what was read: the caller writes down elsewhere what it saw here.
//!
//! Committing: read as above, judge ([`crate::admit`]), put the version's file if it is absent, and see that the log still goes through
//! it. Only the listing of live files and the writing of checkpoints look at every file of the table ([`crate::bulk`]).

mod follow;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use buoyant_kernel::Error as KernelError;

use crate::admit::{Admission, admit};
use crate::answer::without_body;
use crate::files::{LocalLog, LogFiles, Put};
use crate::listing::{LAST_CHECKPOINT, Listing, checkpoint_name, commit_name};
use crate::state::{Replay, TableState};
use crate::{Commit, CommitOutcome, CommitSummary, Head, Lake, LakeError, LiveFile, actions, bulk, checkpoint};

/// A Delta table. Clones share what they know of the log.
#[derive(Clone, Debug)]
pub struct DeltaLake {
    log: Arc<Log>,
}

/// The log and what is known of it. All of it blocks.
#[derive(Debug)]
struct Log {
    /// The table's address, for messages.
    table: String,
    files: Box<dyn LogFiles>,
    known: Mutex<Option<Arc<TableState>>>,
}

impl DeltaLake {
    /// The table in a local folder, which need not exist: the first commit makes it.
    ///
    /// # Errors
    /// [`LakeError::Unreadable`] if the path cannot be made absolute.
    pub fn local(folder: &Path) -> Result<Self, LakeError> {
        let table = folder.display().to_string();
        let absolute = std::path::absolute(folder).map_err(|error| LakeError::Unreadable {
            table: table.clone(),
            reason: format!("no such path can be: {error}"),
        })?;
        let files = Box::new(LocalLog::new(absolute));
        Ok(Self { log: Arc::new(Log { table, files, known: Mutex::new(None) }) })
    }

    /// The table under a prefix of a bucket, where nothing need be: the first commit makes it. Requests are sent on the runtime that this
    /// is called on.
    ///
    /// # Errors
    /// [`LakeError::Unreadable`] if the settings can reach no bucket, or this is called outside of a runtime.
    #[cfg(feature = "s3")]
    pub fn s3(bucket: &str, prefix: &str, config: &crate::S3Config) -> Result<Self, LakeError> {
        let table = format!("s3://{bucket}/{}", prefix.trim_end_matches('/'));
        let files = tokio::runtime::Handle::try_current()
            .map_err(|error| error.to_string())
            .and_then(|runtime| crate::files::S3Log::new(bucket, prefix, config, runtime))
            .map_err(|reason| LakeError::Unreadable { table: table.clone(), reason })?;
        Ok(Self { log: Arc::new(Log { table, files: Box::new(files), known: Mutex::new(None) }) })
    }

    /// Runs work that blocks where it may.
    async fn blocking<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Log) -> Result<T, LakeError> + Send + 'static,
    ) -> Result<T, LakeError> {
        let log = self.log.clone();
        let done = tokio::task::spawn_blocking(move || work(&log)).await;
        done.unwrap_or_else(|error| match error.try_into_panic() {
            // Parquet's reader does so over some damaged files, and will again.
            Ok(panic) => Err(self.log.broken_off(panic.as_ref())),
            Err(error) => Err(self.log.passing(action, error)),
        })
    }
}

#[async_trait]
impl Lake for DeltaLake {
    async fn head(&self, app_ids: &[&str]) -> Result<Option<Head>, LakeError> {
        let newest = self.blocking("be read", Log::newest).await?;
        Ok(newest.map(|newest| newest.head(app_ids)))
    }

    async fn app_ids(&self, prefix: &str) -> Result<Vec<String>, LakeError> {
        let newest = self.blocking("be read", Log::newest).await?;
        Ok(newest.map_or_else(Vec::new, |newest| newest.app_ids(prefix)))
    }

    async fn commit(&self, version: u64, commit: &Commit) -> Result<CommitOutcome, LakeError> {
        let commit = commit.clone();
        self.blocking("take a commit", move |log| log.commit(version, &commit)).await
    }

    async fn read_commit(&self, version: u64) -> Result<Option<CommitSummary>, LakeError> {
        self.blocking("be read", move |log| log.read_commit(version)).await
    }

    async fn checkpoint(&self, version: u64) -> Result<(), LakeError> {
        self.blocking("take a checkpoint", move |log| log.checkpoint(version)).await
    }

    async fn live_files(&self) -> Result<Vec<LiveFile>, LakeError> {
        self.blocking("be read", Log::live_files).await
    }

    async fn small_files(&self, version: u64, below: u64) -> Result<Vec<LiveFile>, LakeError> {
        self.blocking("be read", move |log| log.small_files(version, below)).await
    }
}

impl Log {
    fn commit(&self, version: u64, commit: &Commit) -> Result<CommitOutcome, LakeError> {
        let newest = self.newest()?;
        let metadata = match admit(&self.table, newest.as_deref(), version, commit)? {
            Admission::Try(metadata) => metadata,
            Admission::Taken => return Ok(CommitOutcome::Taken),
        };
        let body = actions::encode(version, commit, metadata.as_deref()).map_err(|reason| LakeError::Unwritable {
            table: self.table.clone(),
            version,
            reason,
        })?;
        if version == 0 {
            self.files.prepare().map_err(|error| self.passing("make its folders", error))?;
        }
        let put = self.files.put_if_absent(&commit_name(version), &body);
        match put.map_err(|error| self.passing("take a commit", error))? {
            Put::Exists => Ok(CommitOutcome::Taken),
            Put::Done if self.goes_through(version, commit)? => Ok(CommitOutcome::Landed),
            Put::Done => {
                let removed = self.files.remove(&commit_name(version));
                removed.map_err(|error| self.passing("lose a commit that came too late", error))?;
                Ok(CommitOutcome::Taken)
            }
        }
    }

    /// Whether the table's history goes through the commit just written.
    ///
    /// A process that slept between reading the log and writing to it may find its version's name free because the log was checkpointed
    /// and cleaned up beyond it. What it wrote then is in no version of the table. Without a checkpoint at or above it, nothing below it
    /// was cleaned; with one, the table itself says whether it knows the commit's `txn`. A higher number than the commit's is no proof:
    /// it may stand above the commit or instead of it, which only whoever knows what each number rests on can tell. That is an error, and
    /// what was written stays.
    fn goes_through(&self, version: u64, commit: &Commit) -> Result<bool, LakeError> {
        if self.list(version)?.checkpoint_above(version).is_none() {
            return Ok(true);
        }
        *self.known() = None;
        let newest = self.newest()?;
        match newest.and_then(|newest| newest.txn(&commit.app_id)) {
            Some(txn) if txn > commit.txn => Err(self.passing(
                "tell whether a commit landed",
                format!(
                    "it was written as version {version} with number {} of {}, and the table is at number {txn}",
                    commit.txn, commit.app_id
                ),
            )),
            txn => Ok(txn == Some(commit.txn)),
        }
    }

    fn read_commit(&self, version: u64) -> Result<Option<CommitSummary>, LakeError> {
        let name = commit_name(version);
        let body = match self.files.read(&name) {
            Ok(body) => body,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return match self.list(version)?.newest() {
                    Some(newest) if newest >= version => {
                        Err(LakeError::Gone { table: self.table.clone(), version, newest })
                    }
                    _ => Ok(None),
                };
            }
            Err(error) => return Err(self.passing("be read", error)),
        };
        let lines = actions::lines(&body).map_err(|reason| self.damaged(&name, &reason))?;
        self.files.flush(&[name]).map_err(|error| self.passing("be flushed", error))?;
        let changes_table = lines.iter().any(|line| line.protocol.is_some() || line.metadata.is_some());
        let txns = lines.into_iter().filter_map(|line| line.txn);
        let txns = txns.filter_map(|txn| Some((txn.app_id, u64::try_from(txn.version).ok()?))).collect();
        let files = actions::files(&body).map_err(|reason| self.damaged(&commit_name(version), &reason))?;
        Ok(Some(CommitSummary { version, txns, changes_table, files }))
    }

    fn live_files(&self) -> Result<Vec<LiveFile>, LakeError> {
        let Some(newest) = self.newest()? else { return Ok(Vec::new()) };
        bulk::live_files(self.files.as_ref(), newest.version, u64::MAX).map_err(|error| self.kernel("be read", error))
    }

    fn small_files(&self, version: u64, below: u64) -> Result<Vec<LiveFile>, LakeError> {
        if self.newest()?.is_none_or(|newest| newest.version < version) {
            return Ok(Vec::new());
        }
        bulk::live_files(self.files.as_ref(), version, below).map_err(|error| self.kernel("be read", error))
    }

    fn checkpoint(&self, version: u64) -> Result<(), LakeError> {
        let listing = self.list(version)?;
        let name = checkpoint_name(version);
        if !listing.has_checkpoint(version) {
            let made = bulk::checkpoint(self.files.as_ref(), version)
                .map_err(|error| self.kernel("make a checkpoint", error))?;
            self.prove(version, &made.body)?;
            let size = made.body.len();
            let put = self.files.put_if_absent(&name, &made.body);
            put.map_err(|error| self.passing("take a checkpoint", error))?;
            // The hint only after what it points to is on disk, and never back to an older one.
            if self.hinted()?.is_none_or(|hinted| hinted < version) {
                let hint = serde_json::json!({
                    "version": version, "size": made.actions, "sizeInBytes": size, "numOfAddFiles": made.adds,
                });
                let replaced = self.files.replace(LAST_CHECKPOINT, hint.to_string().as_bytes());
                replaced.map_err(|error| self.passing("point to its checkpoint", error))?;
            }
        }
        self.files.sweep(version).map_err(|error| self.passing("be swept", error))
    }

    /// Sees that a checkpoint says what the commits say: readers will take it in their place, and clean-up will delete them.
    fn prove(&self, version: u64, body: &[u8]) -> Result<(), LakeError> {
        let name = checkpoint_name(version);
        let mut told = Replay::default();
        told.apply(checkpoint::read(&name, body.to_vec()).map_err(|reason| self.damaged(&name, &reason))?);
        match self.at(version)? {
            Some(state) if state.replay != told => Err(self.unreadable(format!(
                "a checkpoint of version {version} would not say what the commits say of the protocol, the metadata or the \
                 transactions, so it was not written"
            ))),
            _ => Ok(()),
        }
    }

    /// The version that the hint points to. A hint that cannot be read is no hint.
    fn hinted(&self) -> Result<Option<u64>, LakeError> {
        match self.files.read(LAST_CHECKPOINT) {
            Ok(body) => {
                Ok(serde_json::from_slice::<serde_json::Value>(&body).ok().and_then(|hint| hint["version"].as_u64()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.passing("be read", error)),
        }
    }

    /// What stands in the log, from a version on at least.
    fn list(&self, from: u64) -> Result<Listing, LakeError> {
        self.files.names(from).map(Listing::of).map_err(|error| self.passing("be listed", error))
    }

    fn known(&self) -> MutexGuard<'_, Option<Arc<TableState>>> {
        // A state is replaced whole, so one that a panic left behind is right.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn passing(&self, action: &'static str, reason: impl ToString) -> LakeError {
        LakeError::Passing { table: self.table.clone(), action, reason: without_body(&reason.to_string()) }
    }

    fn unreadable(&self, reason: String) -> LakeError {
        LakeError::Unreadable { table: self.table.clone(), reason: without_body(&reason) }
    }

    fn broken_off(&self, panic: &(dyn Any + Send)) -> LakeError {
        let words =
            panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        self.unreadable(format!(
            "what reads its log broke off ({}): a checkpoint is damaged; restore it, or the table to a version before it",
            words.unwrap_or("without a word")
        ))
    }

    fn damaged(&self, name: &str, reason: &str) -> LakeError {
        self.unreadable(format!("{name} is damaged ({reason}); restore that file, or the table to a version before it"))
    }

    fn kernel(&self, action: &'static str, error: KernelError) -> LakeError {
        match error {
            KernelError::IOError(_) | KernelError::ObjectStore(_) | KernelError::FileNotFound(_) => {
                self.passing(action, error)
            }
            error => self.unreadable(error.to_string()),
        }
    }
}
