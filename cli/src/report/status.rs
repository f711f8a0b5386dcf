//! What ledger and table hold. One stable JSON object, as in `summary`.

use serde::Serialize;

use super::{moment::Moment, summary::FORMAT_VERSION};
use crate::exit;

/// What ledger and table hold at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatusReport {
    /// See [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The process's exit code: 0.
    pub exit_code: u8,
    /// When it was read.
    pub at: Moment,
    /// The table.
    pub table: TableStatus,
    /// The pipelines that feed it, by name.
    pub pipelines: Vec<PipelineStatus>,
}

/// What the table holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableStatus {
    /// Its folder.
    pub path: String,
    /// Its newest version; null before the first commit.
    pub version: Option<u64>,
    /// When that was committed; null where it is not known.
    pub last_commit_at: Option<Moment>,
    /// Its rows; null where a file's statistics do not say.
    pub rows: Option<u64>,
    /// The newest version of the audit table beside it; null where there is none.
    pub audit_version: Option<u64>,
    /// Why the audit table cannot be read; null where it can, and where there is none.
    pub audit_fault: Option<String>,
    /// Its live files by size.
    pub files: SizeDistribution,
}

/// What the ledger holds of one pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PipelineStatus {
    /// Its name.
    pub name: String,
    /// Its source.
    pub source: String,
    /// Drops that are in the table; quarantined ones are not among them.
    pub drops_committed: u64,
    /// Drops that are staged and wait for a commit; quarantined ones are not among them.
    pub drops_staged: u64,
    /// Drops that are quarantined, whether their batch is staged or committed.
    pub drops_quarantined: u64,
    /// Drops that are claimed and that no sealed batch holds: at work, or taken over by the next run.
    pub drops_unfinished: u64,
    /// Drops that were claimed and whose files or objects are gone from the source before any batch held them: there is nothing to take over.
    /// Told apart where the source is there; in a folder that is away they are among the unfinished.
    pub drops_gone: u64,
    /// Unfinished drops of which it is not known whether they are gone: of a bucket a thousand objects are asked for at most, and S3 may
    /// not tell.
    pub drops_not_asked_for: u64,
    /// Records that are quarantined, of drops whose other records are rows.
    pub quarantined_records: u64,
    /// The staged batches.
    pub waiting: Waiting,
    /// The number of the last settled intent; null before the first.
    pub head: Option<u64>,
    /// The number of the newest intent that is in the table and not settled yet, so that drops of it count as staged; null where all are settled.
    pub unsettled: Option<u64>,
    /// The table's version that this pipeline committed last; null before the first.
    pub last_version: Option<u64>,
    /// When that was committed; null where it is not known.
    pub last_commit_at: Option<Moment>,
}

/// Staged batches that wait for a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Batches.
    pub batches: u64,
    /// Their drops, quarantined ones included.
    pub drops: u64,
    /// Their rows.
    pub rows: u64,
    /// Bytes of their runs.
    pub staged_bytes: u64,
    /// How long ago the oldest of them was sealed, in seconds; null where none waits.
    pub oldest_age_seconds: Option<u64>,
}

/// Files by size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SizeDistribution {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The smallest one's bytes; null where there is none. So are the next two.
    pub min_bytes: Option<u64>,
    /// The middle one's bytes: of an even number of files the larger of the two in the middle.
    pub median_bytes: Option<u64>,
    /// The largest one's bytes.
    pub max_bytes: Option<u64>,
    /// All classes of size, the smallest first, empty ones included.
    pub buckets: Vec<SizeBucket>,
}

/// Files of a class of size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SizeBucket {
    /// The least bytes of a file in it.
    pub from_bytes: u64,
    /// All are smaller than this; null for the last class.
    pub below_bytes: Option<u64>,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Where one class of size ends and the next begins.
const BOUNDS: [u64; 5] = [1 << 20, 8 << 20, 32 << 20, 128 << 20, 512 << 20];

impl StatusReport {
    /// A report of what was read at this moment.
    pub fn new(at: Moment, table: TableStatus, pipelines: Vec<PipelineStatus>) -> Self {
        Self { format_version: FORMAT_VERSION, exit_code: exit::FINAL, at, table, pipelines }
    }
}

impl SizeDistribution {
    /// Sorts files into classes by their sizes in bytes.
    pub fn of(sizes: impl IntoIterator<Item = u64>) -> Self {
        let mut sizes: Vec<u64> = sizes.into_iter().collect();
        sizes.sort_unstable();
        let begins = std::iter::once(0).chain(BOUNDS);
        let ends = BOUNDS.into_iter().map(Some).chain([None]);
        let bucket = |(from, below): (u64, Option<u64>)| {
            let start = sizes.partition_point(|size| *size < from);
            let end = below.map_or(sizes.len(), |below| sizes.partition_point(|size| *size < below));
            let within = &sizes[start..end];
            SizeBucket { from_bytes: from, below_bytes: below, files: within.len() as u64, bytes: within.iter().sum() }
        };
        Self {
            files: sizes.len() as u64,
            bytes: sizes.iter().sum(),
            min_bytes: sizes.first().copied(),
            median_bytes: sizes.get(sizes.len() / 2).copied(),
            max_bytes: sizes.last().copied(),
            buckets: begins.zip(ends).map(bucket).collect(),
        }
    }
}

impl Waiting {
    /// Sets the age of the oldest batch from when it was sealed.
    pub fn with_oldest(self, sealed: Option<drops::Timestamp>, now: drops::Timestamp) -> Self {
        Self { oldest_age_seconds: sealed.map(|sealed| now.microseconds_since(sealed) / 1_000_000), ..self }
    }
}
