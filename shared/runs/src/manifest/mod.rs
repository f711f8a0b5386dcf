//! The manifest of a batch: which drops it holds, with the account of each one's records, and where its runs are. Immutable.
//!
//! It is what claims are judged by, so it is read far more often than written: compressed JSON lines, small and quick to search.

mod framing;
mod intent_list;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use drops::{BatchId, DropId, PipelineName, Timestamp};
use serde::{Deserialize, Serialize};

pub use intent_list::IntentList;

use crate::error::ManifestError;
use crate::files::RowGroupFacts;

/// The version of the layout below.
const FORMAT_VERSION: u32 = 1;

/// What became of a drop in its batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Its good records are rows of the batch's runs.
    Ingested,
    /// It could not be read, now or later.
    Quarantined {
        /// Why.
        reason: String,
    },
}

/// A drop that a batch holds. Its pipeline is the manifest's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldDrop {
    /// Its bucket; empty where the source is a folder.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Its version, where the pipeline's identity holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The content that was read.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last modified.
    pub modified: Timestamp,
    /// When it was notified, where that is known and another moment: what delays are counted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived: Option<Timestamp>,
    /// What became of it.
    pub fate: Fate,
    /// The records that were read of it: its rows and its quarantined records (I-6).
    pub records: u64,
    /// Its rows in the batch's runs.
    pub rows: u64,
    /// The rows of these that have rescued data.
    pub rescued_rows: u64,
    /// Its records that were quarantined.
    pub quarantined_records: u64,
}

/// A run in staging.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedRun {
    /// Its address in the staging store.
    pub address: String,
    /// The version of the table's schema that it was written with.
    pub schema_version: u64,
    /// The id of the order that its rows have: [`crate::Order::id`].
    pub order: String,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The key of its first row.
    #[serde(with = "framing::hex")]
    pub first_key: Vec<u8>,
    /// The key of its last row.
    #[serde(with = "framing::hex")]
    pub last_key: Vec<u8>,
    /// Its row groups.
    pub row_groups: Vec<RowGroupFacts>,
}

/// What a batch holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The batch.
    pub batch: BatchId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The newest version of the table's schema among its runs.
    pub schema_version: u64,
    /// The drops, sorted by bucket, key and version, each once.
    pub held: Vec<HeldDrop>,
    /// The runs.
    pub runs: Vec<StagedRun>,
    /// Where its quarantined records are, if it has any.
    pub quarantine: Option<String>,
}

/// What merging needs of a manifest: its runs, and few of its drops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestRuns {
    /// The runs.
    pub runs: Vec<StagedRun>,
    /// The first drop and the last, where there are any; one, where it is both.
    pub ends: Vec<HeldDrop>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    batch: BatchId,
    pipeline: PipelineName,
    schema_version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quarantine: Option<String>,
    drops: usize,
    runs: usize,
}

const KIND: &str = "lithify-manifest";

impl Manifest {
    /// Where a batch's manifest is written: apart from its runs, which are listed to be swept, as manifests are kept. The ledger names each
    /// sealed one's address; earlier builds wrote them beside the runs, where they stay.
    pub fn address_of(pipeline: &PipelineName, batch: BatchId) -> String {
        format!("manifests/{pipeline}/{batch}.jsonl.zst")
    }

    /// A manifest of these drops in any order. Refuses a drop that stands twice or whose records do not add up.
    pub fn new(
        batch: BatchId,
        pipeline: PipelineName,
        schema_version: u64,
        mut held: Vec<HeldDrop>,
        runs: Vec<StagedRun>,
        quarantine: Option<String>,
    ) -> Result<Self, ManifestError> {
        held.sort_unstable_by(|a, b| a.identity().cmp(&b.identity()));
        let manifest = Self { batch, pipeline, schema_version, held, runs, quarantine };
        manifest.check()?;
        Ok(manifest)
    }

    /// The drop of this identity, if the batch holds it.
    pub fn holds(&self, id: &DropId) -> Option<&HeldDrop> {
        if id.pipeline != self.pipeline {
            return None;
        }
        let wanted = (id.bucket.as_str(), id.key.as_str(), id.version.as_deref());
        let at = self.held.binary_search_by(|drop| drop.identity().cmp(&wanted)).ok()?;
        self.held.get(at)
    }

    /// The rows of all its runs.
    pub fn rows(&self) -> u64 {
        self.runs.iter().map(|run| run.rows).sum()
    }

    /// The manifest as stored, and the SHA-256 of these bytes in hex, which the ledger keeps.
    pub fn encode(&self) -> Result<(Bytes, String), ManifestError> {
        self.check()?;
        let header = Header {
            batch: self.batch,
            pipeline: self.pipeline.clone(),
            schema_version: self.schema_version,
            quarantine: self.quarantine.clone(),
            drops: self.held.len(),
            runs: self.runs.len(),
        };
        let mut lines = framing::Writer::new(KIND, FORMAT_VERSION, &header)?;
        self.held.iter().try_for_each(|drop| lines.push(drop))?;
        self.runs.iter().try_for_each(|run| lines.push(run))?;
        lines.finish()
    }

    /// Reads a manifest back, if its bytes are those of `digest`.
    pub fn decode(bytes: &[u8], digest: &str) -> Result<Self, ManifestError> {
        let text = framing::open(bytes, digest)?;
        let (header, mut lines): (Header, _) = framing::Lines::new(&text, KIND, FORMAT_VERSION)?;
        let held = lines.take(header.drops)?;
        let runs = lines.take(header.runs)?;
        lines.end()?;
        let Header { batch, pipeline, schema_version, quarantine, .. } = header;
        let manifest = Self { batch, pipeline, schema_version, held, runs, quarantine };
        manifest.check()?;
        Ok(manifest)
    }

    /// Reads the runs of a manifest, if its bytes are those of `digest`. Its drops are stepped over, as they are what takes time: they were
    /// checked when these bytes were made.
    pub fn decode_runs(bytes: &[u8], digest: &str) -> Result<ManifestRuns, ManifestError> {
        let text = framing::open(bytes, digest)?;
        let (header, mut lines): (Header, _) = framing::Lines::new(&text, KIND, FORMAT_VERSION)?;
        let mut ends = lines.take(header.drops.min(1))?;
        lines.skip(header.drops.saturating_sub(2))?;
        ends.extend(lines.take(header.drops.saturating_sub(1).min(1))?);
        let runs = lines.take(header.runs)?;
        lines.end()?;
        Ok(ManifestRuns { runs, ends })
    }

    /// Records add up drop by drop, rows over the runs, and each drop stands once, in order.
    fn check(&self) -> Result<(), ManifestError> {
        for drop in &self.held {
            let HeldDrop { records, rows, quarantined_records: quarantined, .. } = *drop;
            if rows.checked_add(quarantined) != Some(records) {
                return Err(ManifestError::Unbalanced { key: drop.key.clone(), records, rows, quarantined });
            }
        }
        for pair in self.held.windows(2) {
            if let [a, b] = pair
                && a.identity() >= b.identity()
            {
                return Err(ManifestError::Damaged(format!("the drop {} stands twice or out of order", b.key)));
            }
        }
        // What is damaged can say any number: wide enough that no sum is too large.
        let held: u128 = self.held.iter().map(|drop| u128::from(drop.rows)).sum();
        let rows: u128 = self.runs.iter().map(|run| u128::from(run.rows)).sum();
        if held != rows || u64::try_from(rows).is_err() {
            return Err(ManifestError::Damaged(format!("its drops have {held} rows and its runs {rows}")));
        }
        Ok(())
    }
}

impl HeldDrop {
    /// What `_source_file` says of it: its S3 address, or its path relative to the source.
    pub fn source_file(&self) -> String {
        if self.bucket.is_empty() { self.key.clone() } else { format!("s3://{}/{}", self.bucket, self.key) }
    }

    /// What `_source_version` says of it: its version where the pipeline's identity holds it, else the etag.
    pub fn source_version(&self) -> &str {
        self.version.as_deref().unwrap_or(&self.etag)
    }

    fn identity(&self) -> (&str, &str, Option<&str>) {
        (&self.bucket, &self.key, self.version.as_deref())
    }
}
