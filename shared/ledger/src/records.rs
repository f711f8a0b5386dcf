use drops::{BatchId, PipelineName, Timestamp};
use serde::{Deserialize, Serialize};

/// A batch's right to ingest one drop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The batch that claims the drop.
    pub batch: BatchId,
    /// Who works on the batch: on one machine the name of the process's lock, so that death is seen at once.
    pub holder: String,
    /// When it was claimed.
    pub at: Timestamp,
    /// The object's etag at that time.
    pub etag: String,
    /// How many aborted batches have held the drop.
    pub aborted: u32,
    /// How many of those held it alone: what kills its process shows here.
    pub aborted_alone: u32,
}

/// What must stand for a claim to be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// No claim.
    Absent,
    /// A claim of this batch: a take-over.
    HeldBy(BatchId),
}

/// The answer to one wanted claim.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The drop is the batch's.
    Granted,
    /// This claim stands instead.
    Held(Claim),
}

/// What a sealed batch says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The batch's pipeline.
    pub pipeline: PipelineName,
    /// Where its manifest lies.
    pub manifest: String,
    /// The manifest's SHA-256, in hex.
    pub digest: String,
    /// Drops that it holds, quarantined ones included.
    pub drops: u64,
    /// Drops that it holds as quarantined.
    pub quarantined_drops: u64,
    /// Rows in its runs.
    pub rows: u64,
    /// Rows with something in `_rescued_data`.
    pub rescued_rows: u64,
    /// Records that were quarantined.
    pub quarantined_records: u64,
    /// Bytes that its drops have in the source.
    pub source_bytes: u64,
    /// Bytes of its runs.
    pub staged_bytes: u64,
    /// When it was sealed.
    pub at: Timestamp,
}

/// The record of a batch: the fence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BatchRecord {
    /// Sealed, waiting to be committed.
    Staged(Sealed),
    /// In the table since this version.
    Committed {
        /// What was sealed.
        sealed: Sealed,
        /// The Delta version that carries it.
        version: u64,
    },
    /// Void for ever: others took its holder for dead.
    Aborted,
    /// Void for ever: its own holder gave it up. Nothing died of its drops.
    GivenUp,
}

impl BatchRecord {
    /// What was sealed; nothing if it is void.
    pub fn sealed(&self) -> Option<&Sealed> {
        match self {
            Self::Staged(sealed) | Self::Committed { sealed, .. } => Some(sealed),
            Self::Aborted | Self::GivenUp => None,
        }
    }
}

/// The answer to an abort.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AbortOutcome {
    /// The batch is void as was asked for, by this call or before.
    Aborted,
    /// Another record was there first: judge by this.
    Stands(BatchRecord),
}

/// The answer to a seal.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealOutcome {
    /// The batch is sealed with this record, by this call or by an earlier one whose answer was lost.
    Sealed,
    /// It was aborted first: the batch is void.
    Void,
}

/// How much waits to be committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StagedTotals {
    /// Staged batches.
    pub batches: u64,
    /// Bytes of their runs.
    pub staged_bytes: u64,
    /// Their drops.
    pub drops: u64,
    /// Their rows.
    pub rows: u64,
    /// When the oldest of them was sealed.
    pub oldest: Option<Timestamp>,
}

/// The immutable statement of which batches one commit carries. Its list lies in a file, so that no record grows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Its number, which is also the commit's `txn` version.
    pub number: u64,
    /// The `txn` version that the commit must find; `None` for the first.
    pub predecessor: Option<u64>,
    /// Where the list of batches lies.
    pub list: String,
    /// The list's SHA-256, in hex.
    pub digest: String,
    /// When it was written.
    pub at: Timestamp,
}

/// The answer to moving `head`.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadOutcome {
    /// It moved.
    Moved,
    /// It was there or further already.
    AlreadyThere,
}

/// What is fixed when a pipeline is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineSettings {
    /// The source: a canonical folder, or bucket and prefix.
    pub source: String,
    /// Whether the object's version is part of a drop's identity.
    pub identity_holds_version: bool,
    /// The ledger's identity when this was written: a restored or copied ledger has another.
    pub ledger: String,
    /// The Delta table's id.
    pub table_id: String,
    /// The table, as the ledger names it. Not known of a pipeline that an earlier build made: it is entered when the pipeline is opened
    /// again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// When the pipeline was made.
    pub at: Timestamp,
}

/// The right to compact a table. It saves work; it is not what makes a commit right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds it.
    pub owner: String,
    /// Grows with every change of owner.
    pub token: u64,
    /// When it may be taken by others.
    pub expires: Timestamp,
}

/// The answer to asking for a lease.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// It is the caller's.
    Granted(Lease),
    /// Another holds it.
    Held(Lease),
}
