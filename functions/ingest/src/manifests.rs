use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use drops::BatchId;
use ledger::{BatchRecord, Ledger};
use runs::Manifest;
use store::Store;

use crate::IngestError;

/// How many manifests are kept: judging goes through keys in their order, so that one batch's drops come together.
const KEPT: usize = 8;

/// What a batch's record says for ever.
#[derive(Clone)]
pub(crate) enum Verdict {
    /// Sealed: it holds what its manifest names.
    Sealed(Arc<Manifest>),
    /// Void: others took its holder for dead.
    Aborted,
    /// Void: its holder gave it up.
    GivenUp,
}

/// Reads batch records and manifests, and keeps the last few: neither a sealed batch's manifest nor a void record ever changes.
pub(crate) struct Manifests {
    ledger: Arc<dyn Ledger>,
    state: Arc<dyn Store>,
    kept: Mutex<VecDeque<(BatchId, Verdict)>>,
}

impl Manifests {
    pub(crate) fn new(ledger: Arc<dyn Ledger>, state: Arc<dyn Store>) -> Self {
        Self { ledger, state, kept: Mutex::default() }
    }

    /// What a batch came to; `None` while it has no record.
    pub(crate) async fn verdict(&self, id: BatchId) -> Result<Option<Verdict>, IngestError> {
        if let Some(verdict) = self.recall(id) {
            return Ok(Some(verdict));
        }
        match self.ledger.batch(id).await? {
            None => Ok(None),
            Some(record) => self.verdict_of(id, &record).await.map(Some),
        }
    }

    /// What a batch with this record came to.
    pub(crate) async fn verdict_of(&self, id: BatchId, record: &BatchRecord) -> Result<Verdict, IngestError> {
        let verdict = match record {
            BatchRecord::Aborted => Verdict::Aborted,
            BatchRecord::GivenUp => Verdict::GivenUp,
            BatchRecord::Staged(sealed) | BatchRecord::Committed { sealed, .. } => {
                let content = self.state.get(&sealed.manifest).await?;
                let manifest = Manifest::decode(&content, &sealed.digest)
                    .map_err(|e| IngestError::Manifest { address: sealed.manifest.clone(), reason: e.to_string() })?;
                Verdict::Sealed(Arc::new(manifest))
            }
        };
        self.remember(id, &verdict);
        Ok(verdict)
    }

    pub(crate) fn remember(&self, id: BatchId, verdict: &Verdict) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front((id, verdict.clone()));
        kept.truncate(KEPT);
    }

    fn recall(&self, id: BatchId) -> Option<Verdict> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(kept, _)| *kept == id)?;
        if at > 0 {
            let entry = kept.remove(at)?;
            kept.push_front(entry);
        }
        kept.front().map(|(_, verdict)| verdict.clone())
    }
}
