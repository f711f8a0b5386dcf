//! What stops a run.

use std::path::PathBuf;

use compactor::{CompactError, NotOpened};
use ingest::IngestError;
use lake::LakeError;
use ledger::{LedgerError, LivenessError};

/// What stops a run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// See [`IngestError`].
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// See [`CompactError`].
    #[error(transparent)]
    Compact(#[from] CompactError),
    /// See [`LedgerError`].
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// See [`LakeError`].
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// See [`LivenessError`].
    #[error(transparent)]
    Lock(#[from] LivenessError),
    /// A folder that cannot be used.
    #[error("cannot use the folder {folder}: {reason}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A worker ended in a way that it should not.
    #[error("this is a defect of Lithify, please report it: a worker stopped: {0}")]
    Worker(String),
}

impl From<NotOpened> for RunError {
    fn from(error: NotOpened) -> Self {
        Self::Compact(error.into())
    }
}
