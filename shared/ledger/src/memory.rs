//! A ledger in memory: the double that the simulation runs on. The same contract as the others, nothing durable.
//!
//! Clones are the same ledger. What is in it can be kept and put back ([`MemoryLedger::snapshot`], [`MemoryLedger::restore`]), as a
//! point-in-time restore does, with the identity that stood or with another, as DynamoDB gives a restored table.

mod records;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use drops::{BatchId, DropId, PipelineName, Timestamp};

use crate::{
    AbortOutcome, BatchRecord, Claim, ClaimOutcome, Expected, HeadOutcome, Intent, Lease, LeaseOutcome, Ledger,
    LedgerError, PipelineSettings, SealOutcome, Sealed, StagedTotals,
};
use records::Records;

/// A ledger whose records live in memory.
#[derive(Clone, Debug)]
pub struct MemoryLedger {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug)]
struct Kept {
    identity: String,
    records: Records,
}

/// What was in a ledger at some moment.
#[derive(Clone, Debug)]
pub struct Snapshot(Records);

impl MemoryLedger {
    /// An empty ledger of this identity.
    pub fn new(identity: String) -> Self {
        Self { kept: Arc::new(Mutex::new(Kept { identity, records: Records::default() })) }
    }

    /// What is in it now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.lock().records.clone())
    }

    /// Puts back what was in it then. DynamoDB gives what it restores another identity: `identity` is that, `None` keeps the one that
    /// stands, as a copied file does.
    pub fn restore(&self, snapshot: &Snapshot, identity: Option<String>) {
        let mut kept = self.lock();
        kept.records = snapshot.0.clone();
        if let Some(identity) = identity {
            kept.identity = identity;
        }
    }

    /// Loses everything: a ledger that was made anew, of another identity.
    pub fn lose(&self, identity: String) {
        *self.lock() = Kept { identity, records: Records::default() };
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics between two writes of one method, so what a panic left behind is right.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lasting failure: asking again is no use.
fn lasting(action: &'static str, reason: String) -> LedgerError {
    LedgerError { action, reason, passing: false }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn identity(&self) -> Result<String, LedgerError> {
        Ok(self.lock().identity.clone())
    }

    async fn claims(&self, ids: &[DropId]) -> Result<Vec<Option<Claim>>, LedgerError> {
        let kept = self.lock();
        Ok(ids.iter().map(|id| kept.records.claims.get(id).cloned()).collect())
    }

    async fn claim(&self, wanted: &[(DropId, Expected, Claim)]) -> Result<Vec<ClaimOutcome>, LedgerError> {
        let mut kept = self.lock();
        wanted.iter().map(|(id, expected, claim)| kept.records.claim(id, expected, claim)).collect()
    }

    async fn batch(&self, id: BatchId) -> Result<Option<BatchRecord>, LedgerError> {
        Ok(self.lock().records.batches.get(&id).map(|(_, record)| record.clone()))
    }

    async fn abort(&self, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, LedgerError> {
        Ok(self.lock().records.abort(pipeline, id))
    }

    async fn give_up(&self, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, LedgerError> {
        Ok(self.lock().records.give_up(pipeline, id))
    }

    async fn seal(&self, id: BatchId, sealed: &Sealed) -> Result<SealOutcome, LedgerError> {
        self.lock().records.seal(id, sealed)
    }

    async fn staged(&self, pipeline: &PipelineName) -> Result<Vec<(BatchId, Sealed)>, LedgerError> {
        Ok(self.lock().records.staged(pipeline).map(|(id, sealed)| (id, sealed.clone())).collect())
    }

    async fn staged_totals(&self, pipeline: &PipelineName) -> Result<StagedTotals, LedgerError> {
        let kept = self.lock();
        Ok(kept.records.staged(pipeline).fold(StagedTotals::default(), |totals, (_, sealed)| StagedTotals {
            batches: totals.batches + 1,
            staged_bytes: totals.staged_bytes + sealed.staged_bytes,
            drops: totals.drops + sealed.drops,
            rows: totals.rows + sealed.rows,
            oldest: Some(totals.oldest.map_or(sealed.at, |oldest| oldest.min(sealed.at))),
        }))
    }

    async fn mark_committed(&self, batches: &[BatchId], version: u64) -> Result<(), LedgerError> {
        self.lock().records.mark_committed(batches, version)
    }

    async fn batches(
        &self,
        pipeline: &PipelineName,
        after: Option<BatchId>,
        limit: usize,
    ) -> Result<Vec<(BatchId, BatchRecord)>, LedgerError> {
        let kept = self.lock();
        let own = kept.records.batches.iter().filter(|(id, (of, _))| of == pipeline && after.is_none_or(|a| **id > a));
        Ok(own.take(limit).map(|(id, (_, record))| (*id, record.clone())).collect())
    }

    async fn count_claims(&self, pipeline: &PipelineName) -> Result<u64, LedgerError> {
        Ok(self.lock().records.claims.keys().filter(|id| id.pipeline == *pipeline).count() as u64)
    }

    async fn reserve_intent(&self, pipeline: &PipelineName, intent: &Intent) -> Result<bool, LedgerError> {
        let mut kept = self.lock();
        let standing = kept.records.intents.entry((pipeline.clone(), intent.number)).or_insert_with(|| intent.clone());
        Ok(standing == intent)
    }

    async fn intent(&self, pipeline: &PipelineName, number: u64) -> Result<Option<Intent>, LedgerError> {
        Ok(self.lock().records.intents.get(&(pipeline.clone(), number)).cloned())
    }

    async fn head(&self, pipeline: &PipelineName) -> Result<Option<u64>, LedgerError> {
        Ok(self.lock().records.heads.get(pipeline).copied())
    }

    async fn move_head(&self, pipeline: &PipelineName, number: u64) -> Result<HeadOutcome, LedgerError> {
        let mut kept = self.lock();
        if kept.records.heads.get(pipeline).is_some_and(|head| *head >= number) {
            return Ok(HeadOutcome::AlreadyThere);
        }
        kept.records.heads.insert(pipeline.clone(), number);
        Ok(HeadOutcome::Moved)
    }

    async fn settings(&self, pipeline: &PipelineName) -> Result<Option<PipelineSettings>, LedgerError> {
        Ok(self.lock().records.settings.get(pipeline).cloned())
    }

    async fn fix_settings(
        &self,
        pipeline: &PipelineName,
        settings: &PipelineSettings,
    ) -> Result<PipelineSettings, LedgerError> {
        let mut kept = self.lock();
        Ok(kept.records.settings.entry(pipeline.clone()).or_insert_with(|| settings.clone()).clone())
    }

    async fn fix_table(&self, pipeline: &PipelineName, table: &str) -> Result<PipelineSettings, LedgerError> {
        let mut kept = self.lock();
        let standing = kept.records.settings.get_mut(pipeline).ok_or_else(|| LedgerError {
            action: "enter a pipeline's table",
            reason: format!("pipeline '{pipeline}' has no settings"),
            passing: false,
        })?;
        standing.table.get_or_insert_with(|| table.to_owned());
        Ok(standing.clone())
    }

    async fn pipelines(&self) -> Result<Vec<PipelineName>, LedgerError> {
        Ok(self.lock().records.settings.keys().cloned().collect())
    }

    async fn newest_schema(&self, table: &str) -> Result<Option<(u64, String)>, LedgerError> {
        let kept = self.lock();
        let Some(versions) = kept.records.schemas.get(table) else { return Ok(None) };
        Ok(versions.last().map(|text| (versions.len() as u64, text.clone())))
    }

    async fn schema(&self, table: &str, number: u64) -> Result<Option<String>, LedgerError> {
        let kept = self.lock();
        let at = number.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        Ok(at.and_then(|at| kept.records.schemas.get(table)?.get(at).cloned()))
    }

    async fn add_schema(&self, table: &str, number: u64, schema: &str) -> Result<bool, LedgerError> {
        let mut kept = self.lock();
        let stands = kept.records.schemas.get(table).map_or(0, |versions| versions.len() as u64);
        if number != stands + 1 {
            return Ok(false);
        }
        kept.records.schemas.entry(table.to_owned()).or_default().push(schema.to_owned());
        Ok(true)
    }

    async fn acquire_lease(
        &self,
        table: &str,
        owner: &str,
        expires: Timestamp,
        seen: Option<&Lease>,
    ) -> Result<LeaseOutcome, LedgerError> {
        Ok(self.lock().records.acquire_lease(table, owner, expires, seen))
    }

    async fn renew_lease(&self, table: &str, lease: &Lease, expires: Timestamp) -> Result<bool, LedgerError> {
        let mut kept = self.lock();
        let Some(own) = kept.records.own_lease(table, lease) else { return Ok(false) };
        own.expires = expires;
        Ok(true)
    }

    async fn release_lease(&self, table: &str, lease: &Lease) -> Result<(), LedgerError> {
        let mut kept = self.lock();
        if kept.records.own_lease(table, lease).is_some()
            && let Some((standing, _)) = kept.records.leases.get_mut(table)
        {
            *standing = None;
        }
        Ok(())
    }
}

/// By table: the lease, if it is held, and the last token that was given.
type Leases = BTreeMap<String, (Option<Lease>, u64)>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn keeps_the_contract() {
        conformance::all(|| async { MemoryLedger::new("ledger-1".to_owned()) }).await;
    }

    #[tokio::test]
    async fn a_restore_brings_back_what_was_there_and_may_change_the_identity() {
        let ledger = MemoryLedger::new("one".to_owned());
        let name: PipelineName = "p".parse().unwrap();
        assert_eq!(ledger.move_head(&name, 1).await.unwrap(), HeadOutcome::Moved);
        let then = ledger.snapshot();
        assert_eq!(ledger.move_head(&name, 2).await.unwrap(), HeadOutcome::Moved);
        ledger.restore(&then, None);
        assert_eq!((ledger.head(&name).await.unwrap(), ledger.identity().await.unwrap()), (Some(1), "one".to_owned()));
        ledger.restore(&then, Some("two".to_owned()));
        assert_eq!((ledger.head(&name).await.unwrap(), ledger.identity().await.unwrap()), (Some(1), "two".to_owned()));
        ledger.lose("three".to_owned());
        assert_eq!((ledger.head(&name).await.unwrap(), ledger.identity().await.unwrap()), (None, "three".to_owned()));
    }
}
