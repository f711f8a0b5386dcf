//! The Delta log behind a trait of ours. The only crate that knows Delta; the double in memory serves the simulation.
//!
//! Of deltalake only its kernel is linked, and only for what looks at every file of a table: what a commit rests on (versions, schema,
//! transactions) is read and written here, a few small files at a time.
//!
//! A commit is an atomic append to the log and nothing else: no retries, no conflict checks, no hooks. What to do about a version that is
//! taken is the compactor's business (ARCHITECTURE.md, "Compact").

mod actions;
mod admit;
mod answer;
mod bulk;
mod checkpoint;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod delta;
mod files;
mod listing;
mod memory;
mod path;
#[cfg(feature = "s3")]
mod s3;
mod schema;
mod state;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use drops::Timestamp;

pub use delta::DeltaLake;
pub use memory::{Foreign, MemoryLake};
#[cfg(feature = "s3")]
pub use s3::{S3Config, S3Credentials, S3Key, S3Requests};

/// What the log could not tell or take. After an error of `commit` other than [`LakeError::Unwritable`] it is *unknown* whether the
/// commit landed: read the version.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The log cannot be read: damaged, or not a Delta table.
    #[error("the Delta log of {table} cannot be read: {reason}")]
    Unreadable {
        /// The table's address.
        table: String,
        /// What went wrong.
        reason: String,
    },
    /// A version that the log has no more, though it has newer ones. Whatever stood there is part of those; its name is not free.
    #[error(
        "version {version} of {table} was cleaned up or lost (the newest version is {newest}); read the newest version instead"
    )]
    Gone {
        /// The table's address.
        table: String,
        /// The version that was asked for.
        version: u64,
        /// The newest one.
        newest: u64,
    },
    /// Something that may pass: I/O, throttling.
    #[error("the Delta log of {table} could not {action}: {reason}")]
    Passing {
        /// The table's address.
        table: String,
        /// What was tried.
        action: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// A commit that must not be written as it is asked for. Nothing was written; asking again is no use.
    #[error("version {version} of {table} cannot be written: {reason}")]
    Unwritable {
        /// The table's address.
        table: String,
        /// The version that was asked for.
        version: u64,
        /// What stands against it.
        reason: String,
    },
}

/// The table at its newest version.
#[derive(Clone, Debug)]
pub struct Head {
    /// The version.
    pub version: u64,
    /// The table's id, which no commit changes.
    pub table_id: String,
    /// The table's columns in order, partition columns included, with their metadata.
    pub schema: SchemaRef,
    /// The partition columns.
    pub partition_columns: Vec<String>,
    /// The table's properties.
    pub configuration: BTreeMap<String, String>,
    /// The newest `txn` version of each application id that was asked for and has one.
    pub txns: BTreeMap<String, u64>,
    /// Why we must not write to the table (a protocol feature that we do not know, a column that may not be null, ...), if so.
    /// Look here first: the schema of a table that is beyond us may be empty.
    pub refusal: Option<String>,
}

/// What a table is made of when it is created, and what a commit may change of it: its schema.
#[derive(Clone, Debug)]
pub struct TableMetadata {
    /// The table's id.
    pub id: String,
    /// The columns in order, partition columns included.
    pub schema: SchemaRef,
    /// The partition columns.
    pub partition_columns: Vec<String>,
    /// The table's properties.
    pub configuration: BTreeMap<String, String>,
    /// When the table was made.
    pub created: Timestamp,
}

/// A data file that joins the table.
#[derive(Clone, Debug, PartialEq)]
pub struct AddFile {
    /// Its path relative to the table, not encoded.
    pub path: String,
    /// The values of the partition columns, as Delta writes them (`None` is null).
    pub partition_values: BTreeMap<String, Option<String>>,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Timestamp,
    /// Its statistics, as Delta's JSON.
    pub stats: String,
}

/// A data file that leaves the table, its rows being in files that the same commit adds.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoveFile {
    /// Its path as the log spells it ([`LiveFile::spelled`]): readers reconcile by that text.
    pub spelled: String,
    /// Its partition values.
    pub partition_values: BTreeMap<String, Option<String>>,
    /// Its size in bytes.
    pub size: u64,
}

/// One commit of ours.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The application id of its `txn`.
    pub app_id: String,
    /// The version of its `txn`.
    pub txn: u64,
    /// The table's new metadata, if the schema grows or (version 0) the table is made; then the protocol is written too at version 0.
    pub metadata: Option<TableMetadata>,
    /// The files that join.
    pub adds: Vec<AddFile>,
    /// The files that leave, none of them with a deletion vector. Nothing here looks whether they are live: whoever commits has to.
    /// A commit with any says that it changes no data (`dataChange` is false): its adds hold the rows of its removes.
    pub removes: Vec<RemoveFile>,
    /// The operation's name for `DESCRIBE HISTORY`.
    pub operation: &'static str,
    /// Further facts for commitInfo: drops, rows, pipeline, intent.
    pub info: BTreeMap<String, serde_json::Value>,
    /// When the commit is made.
    pub at: Timestamp,
}

/// The answer to a commit that was not an error.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It landed at the version asked for, durably.
    Landed,
    /// Something stands at that version: perhaps this very commit, sent before its answer was lost. Read it.
    Taken,
}

/// What a commit in the log says, as far as a committer must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitSummary {
    /// Its version.
    pub version: u64,
    /// Its `txn` actions.
    pub txns: BTreeMap<String, u64>,
    /// Whether it carries `metaData` or `protocol`.
    pub changes_table: bool,
    /// The paths, decoded, of all files that it adds or removes. A file whose rows it marked as deleted is among them.
    pub files: BTreeSet<String>,
}

/// A live file of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveFile {
    /// Its path relative to the table, decoded.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its rows, where its statistics say so; without those that a deletion vector marks.
    pub rows: Option<u64>,
    /// Its path as the log spells it, by which alone it can be removed.
    pub spelled: String,
    /// When it was written.
    pub modified: Timestamp,
    /// The values of the partition columns, as Delta writes them.
    pub partition_values: BTreeMap<String, Option<String>>,
    /// The id of its deletion vector, if it has one. A file's identity in the log is its path and this.
    pub deletion_vector: Option<String>,
}

/// The log of one Delta table.
#[async_trait]
pub trait Lake: Send + Sync {
    /// The newest version of the table with the `txn`s of these application ids; `None` if there is no table.
    async fn head(&self, app_ids: &[&str]) -> Result<Option<Head>, LakeError>;

    /// Every application id that begins with `prefix` and has a `txn` in the log. For finding tables of ours whose ledger is lost.
    async fn app_ids(&self, prefix: &str) -> Result<Vec<String>, LakeError>;

    /// Appends a commit at exactly this version, if nothing stands there. Version 0 makes the table. A commit beyond the next version, to a
    /// table that refuses us, or with what a table cannot hold is [`LakeError::Unwritable`].
    async fn commit(&self, version: u64, commit: &Commit) -> Result<CommitOutcome, LakeError>;

    /// What stands at a version; `None` if nothing does. A version that was cleaned up is [`LakeError::Gone`]: it is not free.
    async fn read_commit(&self, version: u64) -> Result<Option<CommitSummary>, LakeError>;

    /// Writes a checkpoint of this version, if it has none.
    async fn checkpoint(&self, version: u64) -> Result<(), LakeError>;

    /// The files of the newest version, in any order.
    async fn live_files(&self) -> Result<Vec<LiveFile>, LakeError>;

    /// The files that were live at exactly this version and are smaller than `below` bytes, in any order. None if there is no such
    /// version; one whose log was cleaned up is an error.
    async fn small_files(&self, version: u64, below: u64) -> Result<Vec<LiveFile>, LakeError>;
}
