//! Step 6: the audit rows, then the batches, then `head`, in this order; each may be done twice.

use bytes::Bytes;
use drops::BatchId;
use ledger::{BatchRecord, Intent};
use runs::{IntentList, Manifest, ManifestError, ManifestRuns};
use store::StoreError;

use crate::{CompactError, Compactor};

impl Compactor {
    /// Settles a commit that was read in the log at `version`.
    pub(crate) async fn settle(&self, intent: &Intent, version: u64) -> Result<(), CompactError> {
        let batches = self.batches_of(intent).await?;
        self.append_audit(intent, version, &batches).await?;
        self.parts.ledger.mark_committed(&batches, version).await?;
        let _already_there = self.parts.ledger.move_head(&self.settings.pipeline, intent.number).await?;
        self.delete_runs(&batches).await;
        Ok(())
    }

    async fn batches_of(&self, intent: &Intent) -> Result<Vec<BatchId>, CompactError> {
        let content = self.named(&intent.list).await?;
        let list = IntentList::decode(&content, &intent.digest)
            .map_err(|e| CompactError::Damaged { address: self.place_of(&intent.list), reason: e.to_string() })?;
        Ok(list.batches)
    }

    /// A file of the state folder as the user finds it.
    pub(crate) fn place_of(&self, address: &str) -> String {
        format!("{}/_lithify/{address}", self.settings.table_address)
    }

    /// A file that the ledger names.
    async fn named(&self, address: &str) -> Result<Bytes, CompactError> {
        match self.parts.state.get(address).await {
            Err(StoreError::Missing(_)) => {
                Err(CompactError::Damaged { address: self.place_of(address), reason: "it is not there".to_owned() })
            }
            read => Ok(read?),
        }
    }

    /// What a sealed batch holds.
    pub(crate) async fn manifest(&self, id: BatchId) -> Result<Manifest, CompactError> {
        self.read_manifest(id, Manifest::decode).await
    }

    /// The runs of a sealed batch.
    pub(crate) async fn manifest_runs(&self, id: BatchId) -> Result<ManifestRuns, CompactError> {
        self.read_manifest(id, Manifest::decode_runs).await
    }

    async fn read_manifest<T>(
        &self,
        id: BatchId,
        decode: fn(&[u8], &str) -> Result<T, ManifestError>,
    ) -> Result<T, CompactError> {
        let record = self.parts.ledger.batch(id).await?;
        let sealed = record.as_ref().and_then(BatchRecord::sealed);
        let sealed =
            sealed.ok_or_else(|| CompactError::Internal(format!("an intent names batch {id}, which is not sealed")))?;
        let content = self.named(&sealed.manifest).await?;
        decode(&content, &sealed.digest)
            .map_err(|e| CompactError::Damaged { address: self.place_of(&sealed.manifest), reason: e.to_string() })
    }

    /// The rows are in the table; the runs are not needed. What is left if this fails costs space only.
    async fn delete_runs(&self, batches: &[BatchId]) {
        for id in batches {
            let runs = match self.manifest_runs(*id).await {
                Ok(manifest) => manifest.runs,
                Err(e) => {
                    tracing::warn!(batch = %id, error = %e, "runs of a committed batch were not deleted");
                    continue;
                }
            };
            for run in runs {
                if let Err(e) = self.parts.state.delete(&run.address).await {
                    tracing::warn!(batch = %id, address = run.address, error = %e, "a run of a committed batch was not deleted");
                }
            }
        }
    }
}
