//! Two ledgers on one file as one: every call goes to the other of the two, so that the conformance suite runs across both.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use drops::{BatchId, DropId, PipelineName, Timestamp};

use crate::*;

pub struct Alternating {
    ledgers: [EmbeddedLedger; 2],
    calls: AtomicUsize,
}

impl Alternating {
    pub fn new(one: EmbeddedLedger, other: EmbeddedLedger) -> Self {
        Self { ledgers: [one, other], calls: AtomicUsize::new(0) }
    }

    fn next(&self) -> &EmbeddedLedger {
        &self.ledgers[self.calls.fetch_add(1, Ordering::Relaxed) % 2]
    }
}

type Answer<T> = Result<T, LedgerError>;

macro_rules! alternate {
    ($(fn $method:ident($($name:ident: $type:ty),*) -> $answer:ty;)+) => {
        #[async_trait]
        impl Ledger for Alternating {
            $(async fn $method(&self, $($name: $type),*) -> Answer<$answer> {
                self.next().$method($($name),*).await
            })+
        }
    };
}

alternate! {
    fn identity() -> String;
    fn claims(ids: &[DropId]) -> Vec<Option<Claim>>;
    fn claim(wanted: &[(DropId, Expected, Claim)]) -> Vec<ClaimOutcome>;
    fn batch(id: BatchId) -> Option<BatchRecord>;
    fn abort(pipeline: &PipelineName, id: BatchId) -> AbortOutcome;
    fn give_up(pipeline: &PipelineName, id: BatchId) -> AbortOutcome;
    fn seal(id: BatchId, sealed: &Sealed) -> SealOutcome;
    fn staged(pipeline: &PipelineName) -> Vec<(BatchId, Sealed)>;
    fn staged_totals(pipeline: &PipelineName) -> StagedTotals;
    fn mark_committed(batches: &[BatchId], version: u64) -> ();
    fn batches(pipeline: &PipelineName, after: Option<BatchId>, limit: usize) -> Vec<(BatchId, BatchRecord)>;
    fn count_claims(pipeline: &PipelineName) -> u64;
    fn reserve_intent(pipeline: &PipelineName, intent: &Intent) -> bool;
    fn intent(pipeline: &PipelineName, number: u64) -> Option<Intent>;
    fn head(pipeline: &PipelineName) -> Option<u64>;
    fn move_head(pipeline: &PipelineName, number: u64) -> HeadOutcome;
    fn settings(pipeline: &PipelineName) -> Option<PipelineSettings>;
    fn fix_settings(pipeline: &PipelineName, settings: &PipelineSettings) -> PipelineSettings;
    fn fix_table(pipeline: &PipelineName, table: &str) -> PipelineSettings;
    fn pipelines() -> Vec<PipelineName>;
    fn newest_schema(table: &str) -> Option<(u64, String)>;
    fn schema(table: &str, number: u64) -> Option<String>;
    fn add_schema(table: &str, number: u64, schema: &str) -> bool;
    fn acquire_lease(table: &str, owner: &str, expires: Timestamp, seen: Option<&Lease>) -> LeaseOutcome;
    fn renew_lease(table: &str, lease: &Lease, expires: Timestamp) -> bool;
    fn release_lease(table: &str, lease: &Lease) -> ();
}
