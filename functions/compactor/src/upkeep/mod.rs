//! Upkeep of a table: small files that are in it already become large ones, and what dead processes left behind is swept.
//!
//! A round, on the table and on its audit table (decision 4):
//! 1. *Plan* (`plan`, `inspect`): the files of one version that are small, without a deletion vector, and many in one partition.
//! 2. *Write the plan down*, then *merge* (`rewrite`): the files are sorted runs, so this is the merge that made them.
//! 3. *Commit* Remove + Add with `dataChange=false` and a `txn` of upkeep's own at exactly the version after the one that was read
//!    (`land`). Any commit in between is read: if it names one of our files, or is another upkeep's, or changes the table, the plan is void.
//! 4. *Sweep* (`orphans`) what earlier plans wrote that can never land any more.
//!
//! Rows are neither lost nor doubled whatever happens: a file's rows leave the table in the commit that brings them back, or not at all.

mod inspect;
mod land;
mod leftovers;
mod orphans;
mod plan;
mod rewrite;

use std::collections::BTreeMap;
use std::sync::Arc;

use lake::Lake;
use ledger::{Lease, LeaseOutcome};
use runs::Order;
use store::Store;

use crate::{CompactError, Compactor, Until};
use rewrite::Rewrite;

/// When small files of a table are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpkeepSettings {
    /// How many small files a partition must have.
    pub files: usize,
    /// A file is small if it is below this many percent of the target size.
    pub percent: u64,
    /// How many bytes one commit rewrites, about: what a crash can make to be done again.
    pub bytes: u64,
}

impl Default for UpkeepSettings {
    fn default() -> Self {
        Self { files: 50, percent: 50, bytes: 1 << 30 }
    }
}

/// How much upkeep is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Upkeep {
    /// Merge small files.
    Merge,
    /// Also look through staging for what dead processes left, which takes a listing of every manifest.
    Sweep,
    /// Also make checkpoints of the newest versions: those of other writers' commits may never fall due.
    Full,
}

/// What upkeep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpkeepReport {
    /// Small files of the table that were merged.
    pub files_merged: u64,
    /// Files that they were merged into.
    pub files_written: u64,
    /// Bytes of these.
    pub bytes_written: u64,
    /// Rows in them.
    pub rows: u64,
    /// Commits to the table.
    pub commits: u64,
    /// The table's version after the last commit, if there was one.
    pub version: Option<u64>,
    /// Small files of the audit table that were merged.
    pub audit_files_merged: u64,
    /// Small files that were left alone, by path, with the reason: rewriting them would change what they say.
    pub left_alone: BTreeMap<String, String>,
    /// Files in staging that nothing needs and that were deleted.
    pub leftovers: u64,
    /// Whether there was more to do than time.
    pub unfinished: bool,
}

/// What became of upkeep.
#[must_use]
#[derive(Debug)]
pub enum UpkeepOutcome {
    /// It was done.
    Done(UpkeepReport),
    /// Another process compacts this table now.
    Busy {
        /// Who.
        holder: String,
    },
}

/// The application id of upkeep's `txn`s. No pipeline's name begins with `#`.
pub const UPKEEP_APP_ID: &str = "lithify/#upkeep";

/// How often upkeep plans anew in one call because of what others commit, before it leaves the rest to the next.
const OVERTAKEN_MAX: u32 = 5;

/// A table that is kept up.
pub(crate) struct Kept {
    pub(crate) lake: Arc<dyn Lake>,
    pub(crate) files: Arc<dyn Store>,
    /// The order of its rows.
    pub(crate) order: Order,
    /// Where the plans of its rewrites lie in the state: ends with `/`.
    pub(crate) plans: &'static str,
    pub(crate) is_audit: bool,
}

impl Compactor {
    /// Keeps the table and its audit table up, with a lease on the table.
    pub async fn upkeep(&self, upkeep: Upkeep, until: &Until) -> Result<UpkeepOutcome, CompactError> {
        let lease = match self.take_lease().await? {
            LeaseOutcome::Granted(lease) => lease,
            LeaseOutcome::Held(lease) => return Ok(UpkeepOutcome::Busy { holder: lease.owner }),
        };
        let done = self.upkeep_with(&lease, upkeep, until).await;
        let released = self.parts.ledger.release_lease(&self.settings.table, &lease).await;
        let done = done?;
        released?;
        Ok(UpkeepOutcome::Done(done))
    }

    /// Sweeps the pipeline's own part of staging, with a lease on the table: what is left to do for a further pipeline of a table that was kept
    /// up.
    pub async fn sweep(&self) -> Result<UpkeepOutcome, CompactError> {
        let lease = match self.take_lease().await? {
            LeaseOutcome::Granted(lease) => lease,
            LeaseOutcome::Held(lease) => return Ok(UpkeepOutcome::Busy { holder: lease.owner }),
        };
        let swept = self.sweep_staging(true).await;
        let released = self.parts.ledger.release_lease(&self.settings.table, &lease).await;
        let leftovers = swept?;
        released?;
        Ok(UpkeepOutcome::Done(UpkeepReport { leftovers, ..UpkeepReport::default() }))
    }

    /// Whether commits up to `version`, the first of them at `first`, are reason enough to look for small files: the look goes through
    /// the whole log, so it is taken as often as checkpoints are made.
    pub fn upkeep_is_due(&self, first: u64, version: u64) -> bool {
        let interval = self.settings.checkpoint_interval.max(1);
        first.saturating_sub(1) / interval < version / interval
    }

    async fn upkeep_with(&self, lease: &Lease, upkeep: Upkeep, until: &Until) -> Result<UpkeepReport, CompactError> {
        let fixed = self.still_fixed().await?;
        let until = &until.keeping(self.keeping(lease));
        if let Some(head) = self.parts.lake.head(&[]).await? {
            self.check_table_id(&head.table_id, &fixed)?;
        }
        let mut report = UpkeepReport::default();
        if upkeep >= Upkeep::Sweep {
            report.leftovers = self.sweep_staging(true).await?;
        }
        for kept in [self.kept_table(), self.kept_audit()] {
            self.keep_up(&kept, lease, until, &mut report).await?;
            if upkeep == Upkeep::Full && !until.is_over() {
                self.checkpoint_newest(&kept).await;
            }
        }
        if !report.left_alone.is_empty() {
            let (path, reason) = report.left_alone.first_key_value().map_or(("", ""), |(p, r)| (p, r));
            tracing::info!(
                table = self.settings.table_address,
                files = report.left_alone.len(),
                path,
                reason,
                "small files were left alone: rewriting them would change what they say"
            );
        }
        Ok(report)
    }

    /// Rounds until nothing is left to do.
    async fn keep_up(
        &self,
        kept: &Kept,
        lease: &Lease,
        until: &Until,
        report: &mut UpkeepReport,
    ) -> Result<(), CompactError> {
        let mut overtaken = 0;
        while overtaken < OVERTAKEN_MAX {
            let Some(plan) = self.plan(kept, until, report).await? else { return Ok(()) };
            if !self.renew(lease).await? {
                return Ok(());
            }
            match self.rewrite(kept, &plan, until).await? {
                Rewrite::Landed { version, rewritten } => {
                    self.count(kept, version, &rewritten, report);
                    self.keep_checkpoint(kept, version).await;
                }
                Rewrite::Overtaken => overtaken += 1,
                Rewrite::Stopped => {
                    report.unfinished = true;
                    return Ok(());
                }
                Rewrite::Useless => return Ok(()),
                // Each is met once in a call, and there are no more of them than files.
                Rewrite::Damaged { path, reason } => self.leave_damaged(path, reason, report),
            }
        }
        report.unfinished = true;
        Ok(())
    }

    /// Leaves a file alone that cannot be read. Somebody should know: readers of the table stop at it.
    fn leave_damaged(&self, path: String, reason: String, report: &mut UpkeepReport) {
        let table = &self.settings.table_address;
        tracing::warn!(table, path, reason, "a file of the table cannot be read, and was not merged with others");
        report.left_alone.insert(path, format!("it cannot be read: {reason}"));
    }

    fn count(&self, kept: &Kept, version: u64, rewritten: &rewrite::Rewritten, report: &mut UpkeepReport) {
        let merged = rewritten.removes.len() as u64;
        tracing::info!(
            table = self.settings.table_address,
            audit = kept.is_audit,
            version,
            merged,
            into = rewritten.adds.len(),
            rows = rewritten.rows,
            "merged small files"
        );
        if kept.is_audit {
            report.audit_files_merged += merged;
            return;
        }
        report.files_merged += merged;
        report.files_written += rewritten.adds.len() as u64;
        report.bytes_written += rewritten.adds.iter().map(|add| add.size).sum::<u64>();
        report.rows += rewritten.rows;
        report.commits += 1;
        report.version = Some(version);
    }

    /// Readers of the log begin at its newest checkpoint. The table is complete without one.
    async fn checkpoint_newest(&self, kept: &Kept) {
        let made = match kept.lake.head(&[]).await {
            Ok(Some(head)) if head.version > 0 && head.refusal.is_none() => kept.lake.checkpoint(head.version).await,
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = made {
            let (table, audit) = (&self.settings.table_address, kept.is_audit);
            tracing::warn!(table, audit, %error, "no checkpoint of the newest version was written");
        }
    }

    async fn keep_checkpoint(&self, kept: &Kept, version: u64) {
        if kept.is_audit { self.audit_checkpoint(version).await } else { self.checkpoint(version).await }
    }

    fn kept_table(&self) -> Kept {
        Kept {
            lake: self.parts.lake.clone(),
            files: self.parts.table_store.clone(),
            order: self.settings.write.order.clone(),
            plans: "upkeep/table/",
            is_audit: false,
        }
    }

    fn kept_audit(&self) -> Kept {
        Kept {
            lake: self.parts.audit.clone(),
            files: self.parts.audit_store.clone(),
            order: crate::audit::audit_order(),
            plans: "upkeep/audit/",
            is_audit: true,
        }
    }
}

impl Kept {
    /// The order within a partition.
    fn order_within(&self) -> Order {
        Order { partition_columns: Vec::new(), cluster_key: self.order.cluster_key.clone() }
    }

    /// The ids of orders in which the rows of a file of one partition need no sorting.
    fn sorted_as(&self) -> Vec<String> {
        vec![self.order.id(), self.order_within().id()]
    }
}
