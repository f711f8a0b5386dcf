//! The ledger: the record of drops and batches. It is the index, the Delta log is the record (ARCHITECTURE.md).
//!
//! [`Ledger`] is the contract; `EmbeddedLedger` (cargo feature `embedded`) keeps it in one SQLite file that several processes use at once;
//! `DynamoLedger` (cargo feature `dynamodb`) in one DynamoDB table; `MemoryLedger` (cargo feature `memory`) nowhere, for the simulation;
//! the module `conformance` (cargo feature of that name) holds every ledger to the contract. [`Liveness`] says whether the process that a
//! claim names still lives.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(feature = "dynamodb")]
mod dynamodb;
#[cfg(feature = "embedded")]
mod embedded;
mod liveness;
#[cfg(feature = "memory")]
mod memory;
mod records;

use async_trait::async_trait;
use drops::{BatchId, DropId, PipelineName};

#[cfg(feature = "dynamodb")]
pub use dynamodb::DynamoLedger;
#[cfg(all(feature = "dynamodb", any(test, feature = "conformance")))]
pub use dynamodb::create_table;
#[cfg(feature = "embedded")]
pub use embedded::EmbeddedLedger;
pub use liveness::{
    Activity, ClaimAge, Holder, Invocation, Liveness, LivenessError, ProcessLock, ProcessLocks, Suspect, drop_hash,
};
#[cfg(feature = "memory")]
pub use memory::{MemoryLedger, Snapshot};
pub use records::{
    AbortOutcome, BatchRecord, Claim, ClaimOutcome, Expected, HeadOutcome, Intent, Lease, LeaseOutcome,
    PipelineSettings, SealOutcome, Sealed, StagedTotals,
};

/// What a ledger could not do. Nothing of a failed call may be assumed, neither that it happened nor that it did not: read again.
#[derive(Debug, thiserror::Error)]
#[error("the ledger could not {action}: {reason}")]
pub struct LedgerError {
    /// What was tried.
    pub action: &'static str,
    /// What went wrong, in words for the user.
    pub reason: String,
    /// Whether trying again later can help (busy, throttled), as opposed to a damaged or foreign ledger.
    pub passing: bool,
}

/// The record of drops and batches. Every method is atomic by itself, and conditional methods read and write in one step. All reads are
/// strongly consistent. What a method that writes has returned survives a crash of the machine.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// The ledger's own identity: another after it was made anew. Never empty.
    async fn identity(&self) -> Result<String, LedgerError>;

    /// The claims on these drops of one pipeline, in their order. Reads only.
    async fn claims(&self, ids: &[DropId]) -> Result<Vec<Option<Claim>>, LedgerError>;

    /// Claims drops, each by itself: some may be granted and others not. A drop is granted if what stands is `Expected`, or
    /// if the claim that stands already names the same batch (a retry after a lost reply: it stays as it is). Outcomes are in the
    /// drops' order. `HeldBy` where no claim stands is an error: claims never vanish, so the ledger lost some.
    async fn claim(&self, wanted: &[(DropId, Expected, Claim)]) -> Result<Vec<ClaimOutcome>, LedgerError>;

    /// The record of a batch, if it has one.
    async fn batch(&self, id: BatchId) -> Result<Option<BatchRecord>, LedgerError>;

    /// Writes `Aborted` as the record of a batch of this pipeline that has none. Says what stands if another record was there first.
    async fn abort(&self, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, LedgerError>;

    /// As `abort`, by the batch's own holder, which lives: writes `GivenUp`. Nobody may take its drops for what ended a process.
    async fn give_up(&self, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, LedgerError>;

    /// Writes `Staged` as the record of a batch that has none and enters it in its pipeline's list of staged batches, in
    /// one transaction. The same record again (a retry, even after the batch was committed) is `Sealed`; a different one is an error.
    async fn seal(&self, id: BatchId, sealed: &Sealed) -> Result<SealOutcome, LedgerError>;

    /// The staged batches of a pipeline, oldest first: by id, which is the order in which they began.
    async fn staged(&self, pipeline: &PipelineName) -> Result<Vec<(BatchId, Sealed)>, LedgerError>;

    /// How many batches of a pipeline are staged, their sums and the earliest time of a seal: `staged` without the list.
    async fn staged_totals(&self, pipeline: &PipelineName) -> Result<StagedTotals, LedgerError>;

    /// Marks staged batches as committed at a version of the table and takes them off the list of staged ones: each in one transaction,
    /// all of them not necessarily (DynamoDB's transactions hold 100 items). Every batch is looked at before the first is marked: one
    /// with no record, an aborted one or one committed at another version is an error and changes nothing. Batches that are
    /// already committed at that version are left as they are, so that after any other error the call is made again.
    async fn mark_committed(&self, batches: &[BatchId], version: u64) -> Result<(), LedgerError>;

    /// Every batch of a pipeline with its record, ids above `after` ascending, at most `limit`. For people and audits: no decision reads it.
    async fn batches(
        &self,
        pipeline: &PipelineName,
        after: Option<BatchId>,
        limit: usize,
    ) -> Result<Vec<(BatchId, BatchRecord)>, LedgerError>;

    /// How many claims a pipeline has. For people.
    async fn count_claims(&self, pipeline: &PipelineName) -> Result<u64, LedgerError>;

    /// Reserves an intent's number. False if the number is taken by a different intent (the same one again is true).
    async fn reserve_intent(&self, pipeline: &PipelineName, intent: &Intent) -> Result<bool, LedgerError>;

    /// The intent with this number.
    async fn intent(&self, pipeline: &PipelineName, number: u64) -> Result<Option<Intent>, LedgerError>;

    /// The number of the last settled intent; `None` before the first.
    async fn head(&self, pipeline: &PipelineName) -> Result<Option<u64>, LedgerError>;

    /// Moves `head` forward. It never moves back: a number at or below it changes nothing and says so.
    async fn move_head(&self, pipeline: &PipelineName, number: u64) -> Result<HeadOutcome, LedgerError>;

    /// What was fixed when the pipeline was made.
    async fn settings(&self, pipeline: &PipelineName) -> Result<Option<PipelineSettings>, LedgerError>;

    /// Fixes a pipeline's settings if it has none. Returns what stands now.
    async fn fix_settings(
        &self,
        pipeline: &PipelineName,
        settings: &PipelineSettings,
    ) -> Result<PipelineSettings, LedgerError>;

    /// Enters the table in a pipeline's settings that were fixed without one, as earlier builds did. Returns what stands now: settings that
    /// name a table keep it. An error where the pipeline has no settings.
    async fn fix_table(&self, pipeline: &PipelineName, table: &str) -> Result<PipelineSettings, LedgerError>;

    /// The pipelines that have settings, by name.
    async fn pipelines(&self) -> Result<Vec<PipelineName>, LedgerError>;

    /// The newest version of a table's schema, and its number (from 1); the schema is opaque text here.
    async fn newest_schema(&self, table: &str) -> Result<Option<(u64, String)>, LedgerError>;

    /// One version of a table's schema.
    async fn schema(&self, table: &str, number: u64) -> Result<Option<String>, LedgerError>;

    /// Writes a schema version if that number is free and the one below it stands (or it is 1). False if not, for the same text
    /// again as well: read what stands.
    async fn add_schema(&self, table: &str, number: u64, schema: &str) -> Result<bool, LedgerError>;

    /// Takes the table's lease if nobody holds it, or if what stands is `seen` (a lease that the caller judged to be dead). The
    /// token grows with every change of owner, giving it back and taking it again included. The same owner gets its own lease again,
    /// with its token and the new `expires`.
    async fn acquire_lease(
        &self,
        table: &str,
        owner: &str,
        expires: drops::Timestamp,
        seen: Option<&Lease>,
    ) -> Result<LeaseOutcome, LedgerError>;

    /// Renews the lease that owner and token hold. False if another holds it now.
    async fn renew_lease(&self, table: &str, lease: &Lease, expires: drops::Timestamp) -> Result<bool, LedgerError>;

    /// Gives the lease back, if it is still held with this token.
    async fn release_lease(&self, table: &str, lease: &Lease) -> Result<(), LedgerError>;
}
