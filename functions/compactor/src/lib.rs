//! Staged runs to Delta commits: the compactor's half of the protocol (ARCHITECTURE.md, "Compact").
//!
//! [`Compactor::compact`] is the flow: lease, recover, choose, intent, merge, commit, settle. [`Compactor::open`] says, before anything
//! is claimed, whether ledger and table belong together.

mod adopt;
mod audit;
mod audit_gap;
mod choose;
mod commit;
pub mod function;
mod merge;
mod not_opened;
mod open;
mod recover;
mod removed;
mod schema;
mod settle;
mod until;
mod upkeep;
mod warnings;
mod wiring;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow_schema::SchemaRef;
use decode::schema::TableSchema;
use drops::{PipelineName, Timestamp};
use lake::{Head, Lake, LakeError};
use ledger::{Intent, Lease, LeaseOutcome, Ledger, LedgerError, Liveness, StagedTotals};
use runs::{RescuedColumn, WriteSettings};
use runtime::{Clock, Entropy};
use store::{Store, StoreError};
use tokio::runtime::Handle;
use warnings::Warnings;

pub use audit::audit_schema;
pub use audit_gap::not_an_audit_table;
pub use not_opened::NotOpened;
pub use open::{Opened, first_columns};
pub use removed::Removed;
pub use until::Until;
pub use upkeep::{UPKEEP_APP_ID, Upkeep, UpkeepOutcome, UpkeepReport, UpkeepSettings};
pub use wiring::{order_of, write_settings};

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
    /// Small files of the table could not be merged. Its rows are as they were, or the merge is in it: either way all of them once.
    #[error(
        "small files of the table {table} could not be merged: {reason}; what was to be merged is still there, and the next upkeep tries again"
    )]
    Upkeep {
        /// The table.
        table: String,
        /// What went wrong.
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
    /// The ledger, as the user knows it: what is to be restored where it was lost.
    pub ledger_address: String,
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
    /// Whether the object's version is part of a drop's identity. Fixed when the pipeline is opened for the first time.
    pub identity_holds_version: bool,
    /// Which columns of the cluster key may be missing from the table, to come with the data: until then they count as null.
    pub coming: Coming,
    /// Bytes of runs that one commit takes, about, however many wait: what is lost if it cannot be finished.
    pub commit_bytes: u64,
    /// How long the lease is asked for; it is renewed at every step, and while merging.
    pub lease: Duration,
    /// A batch that began longer ago than this and has no record never gets one: longer than any process works on a batch.
    pub leftover_age: Duration,
    /// When small files of the table are merged.
    pub upkeep: UpkeepSettings,
}

/// Columns that come with the data.
#[derive(Clone, Debug)]
pub enum Coming {
    /// Any, where a table is made before there are drops.
    Any,
    /// Those that hints type. Where a table is made from a sample of its drops, any other that is missing is a slip.
    Hinted(TableSchema),
}

/// The most that a lease is asked for where nobody sees its owner die: the longest that a table waits for one that did. One that is overtaken in
/// a long merge loses its work, and no row.
pub const LEASE_BY_AGE: Duration = Duration::from_secs(5 * 60);

/// How far clocks may differ: where nobody sees its owner die, a lease is dead so long after it has expired.
pub const CLOCK_DIFFERENCE: Duration = Duration::from_secs(10);

/// What one commit takes at most, about, where the lease is short: a merge of it is done in a few minutes on one core.
pub const COMMIT_BYTES: u64 = 2 << 30;

/// How long a lease is asked for where the death of its owner is seen at once.
pub const LOCAL_LEASE: Duration = Duration::from_secs(15 * 60);

/// When a batch without a record is given up where processes may sleep for as long as their machine does.
pub const LOCAL_LEFTOVER_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What [`Compactor`] works with.
#[derive(Clone)]
pub struct Parts {
    /// The record of drops and batches.
    pub ledger: Arc<dyn Ledger>,
    /// Which holders of a lease are dead, judged by when it expires.
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
    warnings: Warnings,
    /// Commits that landed and could not be settled.
    landed: Mutex<Vec<CommitReport>>,
    /// Is told of rows as they are merged into files.
    merged: Arc<dyn Fn(u64) + Send + Sync>,
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
    /// Rows whose values did not all fit the table's columns while they were merged, and that had nothing rescued before.
    pub rescued_rows: u64,
    /// The columns whose values did not all fit, by name.
    pub rescued_columns: Vec<RescuedColumn>,
    /// Files that it adds.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When drops in it arrived, of the first and the last of each batch, up to a bound.
    pub arrivals: Vec<Timestamp>,
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
        /// Whether more is due than was committed.
        unfinished: bool,
    },
    /// Another process compacts this table now.
    Busy {
        /// Who.
        holder: String,
    },
}

impl Compactor {
    /// Puts the parts together.
    pub fn new(parts: Parts, settings: CompactorSettings) -> Self {
        Self { parts, settings, warnings: Warnings::default(), landed: Mutex::default(), merged: Arc::new(|_| {}) }
    }

    /// Whoever shows progress is told how many rows were merged into files since it was last told.
    #[must_use]
    pub fn telling(self, merged: Arc<dyn Fn(u64) + Send + Sync>) -> Self {
        Self { merged, ..self }
    }

    /// The application id of this pipeline's `txn`s.
    pub fn app_id(&self) -> String {
        format!("{APP_PREFIX}{}", self.settings.pipeline)
    }

    /// How much waits to be committed.
    pub async fn waiting(&self) -> Result<StagedTotals, CompactError> {
        Ok(self.parts.ledger.staged_totals(&self.settings.pipeline).await?)
    }

    /// Whether what waits is to be committed now.
    pub fn is_due(&self, waiting: &StagedTotals, trigger: Trigger) -> bool {
        self.due(waiting, trigger)
    }

    /// Whether the pipeline was opened before, by whomever, with these settings and this ledger. Where it was not, opening says why.
    pub async fn is_fixed(&self) -> Result<bool, CompactError> {
        match self.parts.ledger.settings(&self.settings.pipeline).await? {
            None => Ok(false),
            Some(fixed) => match self.check_fixed(&fixed).await {
                Err(CompactError::Apart(_)) => Ok(false),
                // One that an earlier build opened is opened again: its table is entered then.
                checked => checked.map(|()| fixed.table.is_some()),
            },
        }
    }

    /// Commits what is due, with a lease on the table.
    pub async fn compact(&self, trigger: Trigger) -> Result<Outcome, CompactError> {
        self.compact_until(trigger, &Until::never()).await
    }

    /// Commits what is due, as far as the time goes, with a lease on the table. One read of the ledger where nothing is.
    pub async fn compact_until(&self, trigger: Trigger, until: &Until) -> Result<Outcome, CompactError> {
        self.compact_up_to(usize::MAX, trigger, until).await
    }

    /// One commit of what is due, so that others have their turn between two of them; the lease is given back.
    pub async fn compact_once(&self, trigger: Trigger, until: &Until) -> Result<Outcome, CompactError> {
        self.compact_up_to(1, trigger, until).await
    }

    async fn compact_up_to(&self, most: usize, trigger: Trigger, until: &Until) -> Result<Outcome, CompactError> {
        if !self.due(&self.waiting().await?, trigger) {
            return Ok(Outcome::Done { commits: Vec::new(), schema: None, unfinished: false });
        }
        let lease = match self.take_lease().await? {
            LeaseOutcome::Granted(lease) => lease,
            LeaseOutcome::Held(lease) => return Ok(Outcome::Busy { holder: lease.owner }),
        };
        let done = self.compact_with(&lease, most, trigger, until).await;
        let released = self.parts.ledger.release_lease(&self.settings.table, &lease).await;
        let done = done?;
        released?;
        Ok(done)
    }

    async fn compact_with(
        &self,
        lease: &Lease,
        most: usize,
        trigger: Trigger,
        until: &Until,
    ) -> Result<Outcome, CompactError> {
        let fixed = self.still_fixed().await?;
        let until = &until.keeping(self.keeping(lease));
        let mut commits = Vec::new();
        loop {
            let head = self.recover().await?;
            self.check_table_id(&head.table_id, &fixed)?;
            let chosen = self.choose(trigger, until).await?;
            let done = chosen.is_empty();
            if done || commits.len() >= most || until.is_over() || !self.renew(lease).await? {
                return Ok(Outcome::Done { commits, schema: Some(head.schema), unfinished: !done });
            }
            let intent = self.write_intent(&head, &chosen).await?;
            tracing::debug!(intent = intent.number, batches = chosen.len(), after = head.version, "intent written");
            let merged = match self.merge(&head, &intent, &chosen, until).await {
                Ok(Some(merged)) => merged,
                Ok(None) => return Ok(Outcome::Done { commits, schema: Some(head.schema), unfinished: true }),
                // Another process has committed these batches meanwhile, and deleted their runs.
                Err(_) if self.is_behind(&head).await? => continue,
                Err(error) => return Err(error),
            };
            let Some(version) = self.commit(&head, &intent, &merged).await? else {
                // Something else stands where this commit would have been: it never lands, so nothing will name its files.
                self.discard(&merged).await;
                continue;
            };
            let (files, rows) = (merged.adds.len(), merged.rows);
            let (pipeline, fence) = (&self.settings.pipeline, lease.token);
            let (batches, drops) = (chosen.len(), merged.drops);
            tracing::info!(%pipeline, fence, intent = intent.number, version, batches, drops, files, rows, "committed");
            let report = merged.report(version);
            if let Err(error) = self.settle(&intent, version).await {
                self.landed.lock().unwrap_or_else(PoisonError::into_inner).push(report);
                return Err(error);
            }
            self.checkpoint(version).await;
            commits.push(report);
        }
    }

    /// The commits that are in the table although compacting failed: they landed, and what followed did not come through. Whoever compacts next
    /// settles them.
    #[must_use]
    pub fn take_landed(&self) -> Vec<CommitReport> {
        std::mem::take(&mut self.landed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the log holds a commit of this pipeline that it did not at `head`.
    async fn is_behind(&self, head: &Head) -> Result<bool, CompactError> {
        let now = self.parts.lake.head(&[&self.app_id()]).await?;
        Ok(now.is_some_and(|now| self.txn(&now) > self.txn(head)))
    }

    async fn take_lease(&self) -> Result<LeaseOutcome, CompactError> {
        let Parts { ledger, owner, .. } = &self.parts;
        let (table, now) = (&self.settings.table, self.parts.clock.now());
        let expires = after(now, self.settings.lease);
        match ledger.acquire_lease(table, owner, expires, None).await? {
            LeaseOutcome::Held(held) if self.parts.liveness.is_dead(&held.owner, held.expires, now) => {
                Ok(ledger.acquire_lease(table, owner, expires, Some(&held)).await?)
            }
            outcome => Ok(outcome),
        }
    }

    /// False if the lease is another's now: it is theirs to go on.
    async fn renew(&self, lease: &Lease) -> Result<bool, CompactError> {
        let expires = after(self.parts.clock.now(), self.settings.lease);
        Ok(self.parts.ledger.renew_lease(&self.settings.table, lease, expires).await?)
    }

    /// Renews the lease while a merge is under way, whenever a third of its time has passed. False if it is another's now. Where the ledger does
    /// not answer the merge goes on: the lease saves work, and that would be lost.
    fn keeping(&self, lease: &Lease) -> impl Fn() -> bool + Send + Sync + use<> {
        let (ledger, clock, runtime) = (self.parts.ledger.clone(), self.parts.clock.clone(), Handle::current());
        let (table, lease, time) = (self.settings.table.clone(), lease.clone(), self.settings.lease);
        let renewed = Mutex::new(clock.monotonic());
        move || {
            let now = clock.monotonic();
            let mut renewed = renewed.lock().unwrap_or_else(PoisonError::into_inner);
            if now.saturating_sub(*renewed) < time / 3 {
                return true;
            }
            *renewed = now;
            runtime.block_on(ledger.renew_lease(&table, &lease, after(clock.now(), time))).unwrap_or_else(|error| {
                tracing::warn!(table, %error, "it is not known whether the lease was renewed");
                true
            })
        }
    }

    /// A checkpoint every so many commits, outside the commit: the commit stands whether or not this works.
    async fn checkpoint(&self, version: u64) {
        let due = version > 0 && version.is_multiple_of(self.settings.checkpoint_interval);
        if due && let Err(e) = self.parts.lake.checkpoint(version).await {
            tracing::warn!(version, error = %e, "no checkpoint was written; the table is complete without it");
        }
    }

    /// Draws one of so many.
    pub(crate) fn draw(&self, of: usize) -> usize {
        usize::try_from(self.parts.entropy.bits() % of.max(1) as u128).unwrap_or(0)
    }

    /// The table's newest version; none if there is no table.
    pub async fn table_version(&self) -> Result<Option<u64>, CompactError> {
        Ok(self.parts.lake.head(&[]).await?.map(|head| head.version))
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
