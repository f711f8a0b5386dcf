//! Pipelines that the ledger has and the settings have not: what they have staged is acknowledged, and nobody commits it.

use drops::PipelineName;
use ledger::StagedTotals;

use crate::{CompactError, Compactor};

/// A pipeline with staged batches that nobody commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its name.
    pub pipeline: PipelineName,
    /// What it has staged.
    pub waiting: StagedTotals,
}

impl Compactor {
    /// The pipelines in the ledger that are none of these and have staged something. One read of the ledger, and one for each pipeline that is
    /// none of these.
    pub async fn removed(&self, known: &[&str]) -> Result<Vec<Removed>, CompactError> {
        let ledger = &self.parts.ledger;
        let mut removed = Vec::new();
        for pipeline in ledger.pipelines().await? {
            if known.contains(&pipeline.as_str()) {
                continue;
            }
            let waiting = ledger.staged_totals(&pipeline).await?;
            if waiting.batches > 0 {
                removed.push(Removed { pipeline, waiting });
            }
        }
        Ok(removed)
    }
}
