//! Staged runs to Delta commits: the compactor's half of the protocol (ARCHITECTURE.md, "Compact").
//!
//! [`Compactor::compact`] is the flow: lease, recover, choose, intent, merge, commit, settle. [`Compactor::open`] says, before anything
//! is claimed, whether ledger and table belong together.

mod audit;
mod choose;
mod commit;
mod merge;
mod open;
mod recover;
mod schema;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;
use drops::{PipelineName, Timestamp};
use lake::{Head, Lake, LakeError};
use ledger::{Intent, Lease, LeaseOutcome, Ledger, LedgerError, Liveness, StagedTotals};
use runs::WriteSettings;
use runtime::{Clock, Entropy};
use store::{Store, StoreError};

pub use audit::audit_schema;
pub use open::{NotOpened, Opened, not_an_audit_table};

/// What stops the compactor. What it has committed stays; whoever compacts next begins with recovery.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// The ledger did not do what was asked.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The Delta log could not be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A file could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Runs could not be merged.
    #[error("runs of pipeline {pipeline} could not be merged: {reason}")]
    Merge {
        /// The pipeline.
        pipeline: PipelineName,
        /// What went wrong.
        reason: String,
    },
    /// Ledger and log tell different histories.
    #[error(transparent)]
    Apart(#[from] NotOpened),
    /// A file that the ledger names is not what it says.
    #[error(
        "{address} does not fit the ledger: {reason}; restore the state folder from a backup; without one, ingest into a new table"
    )]
    Damaged {
        /// The file's address.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The commit was tried again and again.
    #[error("the commit of intent {intent} of pipeline {pipeline} did not come through: {reason}; run again")]
    Commit {
        /// The pipeline.
        pipeline: PipelineName,
        /// The intent's number.
        intent: u64,
        /// What the last try said.
        reason: String,
    },
    /// A defect of Lithify.
    #[error("this is a defect of Lithify, please report it: {0}")]
    Internal(String),
}

/// How a pipeline's runs become table files.
#[derive(Clone, Debug)]
pub struct CompactorSettings {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The table, as the ledger names it.
    pub table: String,
    /// The table, as the user knows it.
    pub table_address: String,
    /// The source, as it is fixed in the ledger: the canonical folder.
    pub source: String,
    /// How files are written: the order of rows, with the table's partition columns, first of all.
    pub write: WriteSettings,
    /// Bytes that a table file should have on disk.
    pub target_file_size: u64,
    /// How long a staged run may wait for a file to fill.
    pub longest_delay: Duration,
    /// Bytes that merging may take.
    pub merge_memory: usize,
    /// A checkpoint is written when a commit's version is a multiple of this.
    pub checkpoint_interval: u64,
    /// Whether rows may be appended to a table that Lithify did not make.
    pub append_existing: bool,
}

/// What [`Compactor`] works with.
#[derive(Clone)]
pub struct Parts {
    /// The record of drops and batches.
    pub ledger: Arc<dyn Ledger>,
    /// Who is dead.
    pub liveness: Arc<dyn Liveness>,
    /// The table's log.
    pub lake: Arc<dyn Lake>,
    /// The audit table's log.
    pub audit: Arc<dyn Lake>,
    /// Runs, manifests and intents.
    pub state: Arc<dyn Store>,
    /// The table's files.
    pub table_store: Arc<dyn Store>,
    /// The audit table's files.
    pub audit_store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Who we are in leases: on one machine the name of the process's lock.
    pub owner: String,
}

/// Compacts one pipeline's staged batches into one table.
pub struct Compactor {
    parts: Parts,
    settings: CompactorSettings,
}

/// When to commit what is staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Whatever there is.
    Now,
    /// Only if it fills a target file or has waited for the longest delay.
    WhenDue,
}

/// One commit that was made.
#[derive(Clone, Debug)]
pub struct CommitReport {
    /// The table's version.
    pub version: u64,
    /// Drops that it carries.
    pub drops: u64,
    /// Rows that it carries.
    pub rows: u64,
    /// Files that it adds.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What became of a compaction.
#[must_use]
#[derive(Debug)]
pub enum Outcome {
    /// What was due was committed.
    Done {
        /// The commits, oldest first.
        commits: Vec<CommitReport>,
        /// The table's columns now, if it was looked at: others may have changed them.
        schema: Option<SchemaRef>,
    },
    /// Another process compacts this table now.
    Busy {
        /// Who.
        holder: String,
    },
}

/// How long a lease is asked for: it is renewed at every step.
const LEASE: Duration = Duration::from_secs(15 * 60);

impl Compactor {
    /// Puts the parts together.
    pub fn new(parts: Parts, settings: CompactorSettings) -> Self {
        Self { parts, settings }
    }

    /// The application id of this pipeline's `txn`s.
    pub fn app_id(&self) -> String {
        format!("{APP_PREFIX}{}", self.settings.pipeline)
    }

    /// How much waits to be committed.
    pub async fn waiting(&self) -> Result<StagedTotals, CompactError> {
        Ok(self.parts.ledger.staged_totals(&self.settings.pipeline).await?)
    }

    /// Commits what is due, with a lease on the table.
    pub async fn compact(&self, trigger: Trigger) -> Result<Outcome, CompactError> {
        if !self.due(&self.waiting().await?, trigger) {
            return Ok(Outcome::Done { commits: Vec::new(), schema: None });
        }
        let lease = match self.take_lease().await? {
            LeaseOutcome::Granted(lease) => lease,
            LeaseOutcome::Held(lease) => return Ok(Outcome::Busy { holder: lease.owner }),
        };
        let done = self.compact_with(&lease, trigger).await;
        let released = self.parts.ledger.release_lease(&self.settings.table, &lease).await;
        let done = done?;
        released?;
        Ok(done)
    }

    async fn compact_with(&self, lease: &Lease, trigger: Trigger) -> Result<Outcome, CompactError> {
        let mut commits = Vec::new();
        loop {
            let head = self.recover().await?;
            let chosen = self.choose(trigger).await?;
            if chosen.is_empty() || !self.renew(lease).await? {
                return Ok(Outcome::Done { commits, schema: Some(head.schema) });
            }
            let intent = self.write_intent(&head, &chosen).await?;
            tracing::debug!(intent = intent.number, batches = chosen.len(), after = head.version, "intent written");
            let merged = self.merge(&head, &intent, &chosen).await?;
            let Some(version) = self.commit(&head, &intent, &merged).await? else {
                // Something else stands where this commit would have been: it never lands, so nothing will name its files.
                self.discard(&merged).await;
                continue;
            };
            tracing::debug!(
                intent = intent.number,
                version,
                files = merged.adds.len(),
                rows = merged.rows,
                "committed"
            );
            self.settle(&intent, version).await?;
            self.checkpoint(version).await;
            commits.push(merged.report(version));
        }
    }

    async fn take_lease(&self) -> Result<LeaseOutcome, CompactError> {
        let Parts { ledger, owner, .. } = &self.parts;
        let (table, now) = (&self.settings.table, self.parts.clock.now());
        let expires = after(now, LEASE);
        match ledger.acquire_lease(table, owner, expires, None).await? {
            LeaseOutcome::Held(held) if self.parts.liveness.is_dead(&held.owner, held.expires, now) => {
                Ok(ledger.acquire_lease(table, owner, expires, Some(&held)).await?)
            }
            outcome => Ok(outcome),
        }
    }

    /// False if the lease is another's now: it is theirs to go on.
    async fn renew(&self, lease: &Lease) -> Result<bool, CompactError> {
        let expires = after(self.parts.clock.now(), LEASE);
        Ok(self.parts.ledger.renew_lease(&self.settings.table, lease, expires).await?)
    }

    /// A checkpoint every so many commits, outside the commit: the commit stands whether or not this works.
    async fn checkpoint(&self, version: u64) {
        let due = version > 0 && version.is_multiple_of(self.settings.checkpoint_interval);
        if due && let Err(e) = self.parts.lake.checkpoint(version).await {
            tracing::warn!(version, error = %e, "no checkpoint was written; the table is complete without it");
        }
    }

    fn txn(&self, head: &Head) -> Option<u64> {
        head.txns.get(&self.app_id()).copied()
    }

    async fn intent(&self, number: u64) -> Result<Option<Intent>, CompactError> {
        Ok(self.parts.ledger.intent(&self.settings.pipeline, number).await?)
    }
}

/// What every application id of ours begins with.
pub const APP_PREFIX: &str = "lithify/";

/// The table property that says that Lithify made the table.
pub const CREATED_BY: &str = "lithify.createdBy";

fn after(now: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(now.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
}
