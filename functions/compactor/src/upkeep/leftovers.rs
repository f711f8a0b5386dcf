//! Staging leftovers: runs of batches that are done, and of batches whose process died before they were sealed.

use std::collections::BTreeMap;

use drops::{BatchId, Timestamp};
use ledger::{AbortOutcome, BatchRecord};
use runs::Manifest;

use crate::{CompactError, Compactor};

/// What of a batch's files in staging is still needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needed {
    /// All of them: it waits for its commit, or may yet be sealed.
    All,
    /// The manifest, which lives as long as the record: of batches of earlier builds it lies beside the runs.
    Manifest,
    /// None: it is void.
    Nothing,
}

impl Compactor {
    /// Deletes from staging what nothing needs any more; gives how many files. A batch without a record that began longer ago than any
    /// process works on one is aborted first: only then can it never be sealed. `alone` says that the table's lease is held, so that
    /// runs of merges that lie there are those of the dead.
    pub(crate) async fn sweep_staging(&self, alone: bool) -> Result<u64, CompactError> {
        let prefix = format!("staging/{}/", self.settings.pipeline);
        let mut batches: BTreeMap<BatchId, Vec<String>> = BTreeMap::new();
        let (mut going, mut void) = (Vec::new(), Vec::new());
        for (address, _) in self.parts.state.list(&prefix).await? {
            let name = address.strip_prefix(&prefix).unwrap_or_default();
            let batch = name.split('-').next().and_then(|id| id.parse().ok());
            match batch {
                Some(batch) => batches.entry(batch).or_default().push(address),
                None if alone && name.starts_with("merge-") => going.push(address),
                None => {}
            }
        }
        // Of batches of earlier builds the manifest lies here as well: where that is all, they are not asked for.
        let is_run = |address: &String| address.ends_with(".parquet");
        for (batch, addresses) in batches.into_iter().filter(|(_, addresses)| addresses.iter().any(is_run)) {
            match self.needed(batch).await? {
                Needed::All => {}
                Needed::Manifest => going.extend(addresses.into_iter().filter(is_run)),
                Needed::Nothing => {
                    void.push(Manifest::address_of(&self.settings.pipeline, batch));
                    going.extend(addresses);
                }
            }
        }
        // Before the runs, without which it would not be found again.
        for address in &void {
            self.parts.state.delete(address).await?;
        }
        for address in &going {
            self.parts.state.delete(address).await?;
        }
        Ok(going.len() as u64)
    }

    async fn needed(&self, batch: BatchId) -> Result<Needed, CompactError> {
        let ledger = &self.parts.ledger;
        let record = match ledger.batch(batch).await? {
            None if self.is_old(batch) => match ledger.abort(&self.settings.pipeline, batch).await? {
                AbortOutcome::Aborted => Some(BatchRecord::Aborted),
                AbortOutcome::Stands(record) => Some(record),
            },
            record => record,
        };
        Ok(match record {
            None | Some(BatchRecord::Staged(_)) => Needed::All,
            Some(BatchRecord::Committed { .. }) => Needed::Manifest,
            Some(BatchRecord::Aborted | BatchRecord::GivenUp) => Needed::Nothing,
        })
    }

    fn is_old(&self, batch: BatchId) -> bool {
        let began = i64::try_from(batch.milliseconds()).unwrap_or(i64::MAX).saturating_mul(1_000);
        let age = self.parts.clock.now().microseconds_since(Timestamp(began));
        u128::from(age) > self.settings.leftover_age.as_micros()
    }
}
