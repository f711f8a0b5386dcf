//! The one definition of correct: ledger, log, manifests and rows held against the invariants of ARCHITECTURE.md.
//!
//! [`audit`] is the flow: history (the table's pipelines, their batches, what these quarantined), holdings, claims, commits, staged runs, rows, accounts. It reads everything and writes nothing. What it finds is a
//! [`Finding`] each, named by its invariant; an empty list is the verdict that nothing was lost and nothing doubled. The simulation, the
//! end-to-end tests and `lithify reconcile` all ask here.
//!
//! A table at rest is judged. Where a writer moved it meanwhile, it is looked at again, and if it moves on, [`AuditError::Moving`].

mod accounts;
mod claims;
mod commits;
mod history;
mod holdings;
mod pipelines;
mod quarantine;
mod rows;
mod staged;
mod verdict;

use std::sync::Arc;

use drops::DropId;
use lake::{Lake, LakeError};
use ledger::{Ledger, LedgerError};
use runs::RunsError;
use store::{Store, StoreError};

pub use verdict::{Counts, Finding, Invariant, Verdict};

use history::History;
use holdings::Holdings;

/// Why no verdict could be given.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The log could not be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A file could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A table file is no Parquet that can be read.
    #[error(transparent)]
    Runs(#[from] RunsError),
    /// The table was written to while it was looked at, each time.
    #[error("the table was committed to each time it was looked at: ask again when its writers rest")]
    Moving,
    /// A defect of Lithify.
    #[error("this is a defect of Lithify, please report it: {0}")]
    Internal(String),
}

/// What is judged: one table with all its pipelines.
#[derive(Clone)]
pub struct Subject {
    /// The record of drops and batches.
    pub ledger: Arc<dyn Ledger>,
    /// The table's log.
    pub lake: Arc<dyn Lake>,
    /// The audit table's log.
    pub audit: Arc<dyn Lake>,
    /// Manifests, intents and staged runs.
    pub state: Arc<dyn Store>,
    /// The table's files.
    pub table_store: Arc<dyn Store>,
    /// The audit table's files.
    pub audit_store: Arc<dyn Store>,
}

/// How often a table that moves is looked at.
const LOOKS: usize = 3;

/// Judges a table. `acknowledged` are drops of which somebody was told that they are done: each must be final (I-4, L-1).
///
/// # Errors
/// What could not be read. That something contradicts an invariant is no error but a finding.
pub async fn audit(subject: &Subject, acknowledged: &[DropId]) -> Result<Verdict, AuditError> {
    for _ in 0..LOOKS {
        let before = subject.lake.head(&[]).await?.map(|head| head.version);
        let verdict = look(subject, acknowledged).await?;
        if subject.lake.head(&[]).await?.map(|head| head.version) == before {
            return Ok(verdict);
        }
    }
    Err(AuditError::Moving)
}

async fn look(subject: &Subject, acknowledged: &[DropId]) -> Result<Verdict, AuditError> {
    let mut verdict = Verdict::default();
    let history = History::read(subject, &mut verdict).await?;
    let holdings = Holdings::of(&history, acknowledged, &mut verdict);
    claims::check(subject, &history, &mut verdict).await?;
    commits::check(subject, &history, &mut verdict).await?;
    staged::check(subject, &history, &mut verdict).await?;
    rows::check(subject, &holdings, &mut verdict).await?;
    accounts::check(subject, &history, &mut verdict).await?;
    Ok(verdict)
}
