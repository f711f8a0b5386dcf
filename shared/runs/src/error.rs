//! What can go wrong, told apart by what the caller does next.

use std::fmt::Display;

use store::StoreError;

/// Why a run or a table file could not be written, read or merged.
#[derive(Debug, thiserror::Error)]
pub enum RunsError {
    /// The store said no: try again later.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A staged file is not what its manifest says, or a table file not what the log says.
    #[error(
        "the file {address} cannot be read: {reason}; it was damaged after it was written, so restore it, from a backup or its bucket's versions"
    )]
    Damaged {
        /// The file's address in its store.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value has no place in the table: it fits no column and there is no `_rescued_data`.
    #[error(
        "the values of column {column} fit the table no more and it has no column _rescued_data to keep them: add it (a nullable string column)"
    )]
    NoRescue {
        /// The column whose values are homeless.
        column: String,
    },
    /// The progress callback asked to stop. Nothing is left behind.
    #[error("the merge was stopped")]
    Stopped,
    /// Rows could not be encoded, a bug or a type that Parquet cannot hold.
    #[error("cannot {action}: {reason}")]
    Encode {
        /// What was tried.
        action: &'static str,
        /// What went wrong.
        reason: String,
    },
}

impl RunsError {
    /// An error of encoding, for `map_err`.
    pub(crate) fn encode<E: Display>(action: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Encode { action, reason: error.to_string() }
    }

    /// An error of a staged file, for `map_err`.
    pub(crate) fn damaged<E: Display>(address: &str) -> impl Fn(E) -> Self {
        move |error| Self::Damaged { address: address.to_owned(), reason: error.to_string() }
    }
}

/// Why a manifest or an intent's list could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The bytes are not those that the ledger names.
    #[error("its digest is {found} where the ledger says {expected}: it was replaced or damaged; restore it")]
    WrongDigest {
        /// What the ledger says.
        expected: String,
        /// What the bytes give.
        found: String,
    },
    /// It was written by a newer release.
    #[error(
        "it has format version {0}, which this release does not know: use the release that wrote it, or a newer one"
    )]
    UnknownVersion(u32),
    /// It ends early or holds what it may not.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// A drop's records are not its rows and its quarantined records (I-6).
    #[error("{key}: {records} records are not {rows} rows and {quarantined} quarantined records")]
    Unbalanced {
        /// The drop's key.
        key: String,
        /// Records read.
        records: u64,
        /// Rows staged.
        rows: u64,
        /// Records quarantined.
        quarantined: u64,
    },
}
