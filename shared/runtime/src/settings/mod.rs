//! The settings of pipelines: plain values, checked together. The command line and the functions read the same type.
//!
//! They come in two steps, so that everything that is wrong is reported at once, wherever it was written:
//! 1. *Raw*: `file::read` (a settings file in TOML, cargo feature `toml`), [`json::read`] (the functions' settings object) and the command
//!    line (its flags) each make a [`RawSettings`]: texts with their [`Origin`], not yet judged. Flags are laid over a file's values
//!    with [`RawPipeline::overlay`].
//! 2. *Checked*: [`check`] parses every value, holds them against each other and against the folders (which it sees only
//!    through [`Surroundings`]: there is no I/O here), and gives either [`Settings`] or every [`SettingError`].

mod address;
mod aws;
mod check;
#[cfg(any(feature = "toml", test))]
pub mod file;
pub mod json;
mod raw;
mod read;
mod relations;
#[cfg(test)]
mod tests;
mod tls;
mod units;
mod values;

use std::{fmt, time::Duration};

use drops::PipelineName;

pub use address::{S3Address, dynamodb_table as ledger_table};
pub use aws::{Aws, Queues};
pub use check::{Place, Surroundings, check};
pub use decode::suggest::nearest;
pub use raw::{Given, RawAws, RawPipeline, RawSettings};
pub use tls::{check_endpoints, encrypted};
pub use units::{InvalidUnit, parse_duration, parse_size};

/// The name of a pipeline that was given none.
pub const DEFAULT_NAME: &str = "default";

/// The default of [`Settings::memory`]: 512 MiB.
pub const DEFAULT_MEMORY: u64 = 512 << 20;

/// The least memory that the work can be done in whatever the files hold: 256 MiB.
pub const MIN_MEMORY: u64 = 256 << 20;

/// The most worker threads.
pub const MAX_WORKERS: usize = 256;

/// The default of [`Pipeline::target_file_size`]: 128 MiB, as Delta's auto compaction has it, but measured on disk.
pub const DEFAULT_TARGET_FILE_SIZE: u64 = 128 << 20;

/// The least [`Pipeline::target_file_size`]: 1 MiB.
pub const MIN_TARGET_FILE_SIZE: u64 = 1 << 20;

/// The greatest [`Pipeline::target_file_size`]: 8 GiB.
pub const MAX_TARGET_FILE_SIZE: u64 = 8 << 30;

/// The default of [`Pipeline::longest_delay`].
pub const DEFAULT_LONGEST_DELAY: Duration = Duration::from_secs(5 * 60);

/// The default of [`Pipeline::settle_time`].
pub const DEFAULT_SETTLE_TIME: Duration = Duration::from_secs(2);

/// The longest time that any setting may name: 30 days. What is longer is a slip.
pub const MAX_DELAY: Duration = Duration::from_secs(30 * 24 * 3600);

/// The default of [`Queues::large_drop_size`]: 64 MiB, which a function of two minutes decodes with room to spare.
pub const DEFAULT_LARGE_DROP_SIZE: u64 = 64 << 20;

/// The columns that every row carries beside its data: where it came from, and what did not fit.
pub const ROW_COLUMNS: [&str; 6] =
    ["_source_file", "_source_version", "_source_row", "_source_time", "_ingested_at", "_rescued_data"];

/// Where a setting came from, for messages: a line of a file, or a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line, e.g. `--target-file-size`.
    Flag(String),
    /// A line of a settings file, from 1.
    Line {
        /// The file as the user named it.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// A place in a settings object.
    Object {
        /// The object's address.
        file: String,
        /// Which of its pipelines; absent outside of them.
        pipeline: Option<PipelinePlace>,
    },
    /// Nothing the user wrote: a default, or an absence.
    Absent,
}

/// One of a settings object's pipelines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelinePlace {
    /// Which of them, from 0.
    pub at: usize,
    /// Its name, if it has one: who wrote the object by Terraform knows no order.
    pub name: Option<String>,
}

impl fmt::Display for PipelinePlace {
    /// `pipelines[orders]`, or `pipelines[2]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "pipelines[{name}]"),
            None => write!(f, "pipelines[{}]", self.at),
        }
    }
}

impl fmt::Display for Origin {
    /// `--flag`, `file:line`, `object: pipelines[orders]`, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Line { file, line } => write!(f, "{file}:{line}"),
            Self::Object { file, pipeline: None } => f.write_str(file),
            Self::Object { file, pipeline: Some(place) } => write!(f, "{file}: {place}"),
            Self::Absent => Ok(()),
        }
    }
}

/// One thing that is wrong with the settings. All of them are reported together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", self.place())]
pub struct SettingError {
    /// Where it stands.
    pub origin: Origin,
    /// The setting's name.
    pub setting: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl SettingError {
    /// An error of the setting `name` that stands at `origin`.
    pub fn new(origin: &Origin, setting: &str, problem: impl Into<String>) -> Self {
        Self { origin: origin.clone(), setting: setting.to_owned(), problem: problem.into() }
    }

    /// What stands before the problem: the flag, or the file's line and the setting's name.
    fn place(&self) -> String {
        match &self.origin {
            Origin::Flag(flag) => format!("{flag}: "),
            Origin::Line { .. } | Origin::Object { pipeline: None, .. } => {
                format!("{}: {}: ", self.origin, self.setting)
            }
            Origin::Object { .. } => format!("{}.{}: ", self.origin, self.setting),
            Origin::Absent => format!("{}: ", self.setting),
        }
    }
}

/// How rows are ordered in the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClusterBy {
    /// By source file and row.
    #[default]
    Source,
    /// By these columns, in this order.
    Columns(Vec<String>),
    /// By a Z-order over these columns.
    ZOrder(Vec<String>),
}

/// One pipeline: a source, a format and a table, with its settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// Its name: `default` unless given.
    pub name: PipelineName,
    /// The source, canonical: a folder, or `s3://bucket/prefix/`.
    pub source: String,
    /// The table: a folder, canonical as far as it exists, or `s3://bucket/path`. Also what a ledger of several tables calls it.
    pub table: String,
    /// The files' format; told by name and first bytes if absent.
    pub format: Option<decode::format::Format>,
    /// The files' compression; told by name and first bytes if absent.
    pub compression: Option<decode::format::Compression>,
    /// Types that the user gave columns.
    pub schema_hints: decode::hints::Hints,
    /// The order of rows.
    pub cluster_by: ClusterBy,
    /// The table's partition columns.
    pub partition_columns: Vec<String>,
    /// Bytes that a file of the table should have on disk.
    pub target_file_size: u64,
    /// How long a staged row may wait for a file to fill, when watching.
    pub longest_delay: Duration,
    /// How long ago a file must have been modified before it is read.
    pub settle_time: Duration,
    /// Whether rows may be appended to a table that Lithify did not make.
    pub append_existing: bool,
    /// What is done with an overwritten key.
    pub overwrites: Overwrites,
}

/// What is done when an object is written over one that was ingested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overwrites {
    /// The rows stay as they were read; it is counted.
    #[default]
    Ignore,
    /// It is a drop of its own: the object's version is part of a drop's identity.
    Ingest,
}

/// The settings of one process.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The pipelines, at least one.
    pub pipelines: Vec<Pipeline>,
    /// The bound on peak memory in bytes.
    pub memory: u64,
    /// Worker threads.
    pub workers: usize,
    /// The services of AWS, where a ledger is named.
    pub aws: Option<Aws>,
}
