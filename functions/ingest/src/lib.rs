//! Drops to staged runs: protocol steps 2 to 4 of one batch (ARCHITECTURE.md, "Ingest").
//!
//! [`Ingest::batch`] is the flow: claim, stage, seal. [`Ingest::judge`] says what a claim that stands means. What happens
//! before (finding or receiving drops) and after (acknowledging) is the caller's: the command line, or [`receive`], the Lambda function.

mod ahead;
mod judge;
#[cfg(feature = "lambda")]
pub mod lambda;
mod limits;
mod lineage;
mod manifests;
mod pace;
mod quarantine;
pub mod receive;
mod rescued;
mod sample;
mod schemas;
mod stage;
mod tell;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use decode::format::{Format, Packing};
use drops::{BatchId, DroppedObject, PipelineName};
use ledger::{AbortOutcome, Claim, ClaimOutcome, Holder, Ledger, LedgerError, Liveness, SealOutcome, Sealed};
use runs::{Fate, Manifest, WriteSettings};
use runtime::{Clock, Entropy};
use store::{ReadError, Source, Store, StoreError};

pub use judge::{Right, Standing, Suspicion};
pub use limits::{BATCH_BYTES, BATCH_DROPS, write_settings};
pub use quarantine::{QuarantineEntry, QuarantinedRecord, source_file};
pub use sample::SAMPLE_FILES;
pub use schemas::{SchemaNews, SchemaVersion, Schemas};

use ahead::Ahead;
use manifests::{Manifests, Verdict};
use stage::{Staged, Staging};

/// What stops a batch. Nothing of it is in the table; its drops are taken over later.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The ledger did not do what was asked.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A file of the pipeline's state could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A manifest is not what the ledger says it is.
    #[error("the manifest {address} does not fit the ledger: {reason}; restore the state folder from a backup")]
    Manifest {
        /// Its address.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// A schema version cannot be read.
    #[error("the table's schema in the ledger cannot be read: {0}")]
    Schema(String),
    /// A defect of Lithify.
    #[error("this is a defect of Lithify, please report it: {0}")]
    Internal(String),
}

/// How a pipeline's drops are read and staged.
#[derive(Clone, Debug)]
pub struct IngestSettings {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// How runs are written: their order first of all.
    pub write: WriteSettings,
    /// How many bytes of decoded rows a batch holds before it writes a run.
    pub run_memory: usize,
    /// How many aborted batches may have held a drop alone before it is quarantined: what kills its process.
    pub aborted_alone_limit: u32,
}

/// Ingests the batches of one pipeline. Its parts are given: stores, ledger, clock, randomness.
pub struct Ingest {
    ledger: Arc<dyn Ledger>,
    liveness: Arc<dyn Liveness>,
    source: Arc<dyn Source>,
    state: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    holder: Arc<dyn Holder>,
    schemas: Arc<Schemas>,
    settings: IngestSettings,
    manifests: Manifests,
    /// Whether a drop is left out in the middle when time is up.
    stops_within_drops: bool,
    /// How long a drop is read that outlasts the time that there is.
    whole_time: Option<Duration>,
    under_way: UnderWay,
    /// Held by the worker that puts very large records in order and encodes them.
    large_records: tokio::sync::Mutex<()>,
}

/// The batch that is worked on, for somebody who watches: clones look at the same work.
#[derive(Clone, Debug, Default)]
pub struct UnderWay(Arc<Mutex<Option<BatchId>>>);

impl UnderWay {
    /// The batch, if one was begun and is neither sealed nor given up.
    pub fn batch(&self) -> Option<BatchId> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, batch: Option<BatchId>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = batch;
    }
}

/// What [`Ingest`] works with.
pub struct Parts {
    /// The record of drops and batches.
    pub ledger: Arc<dyn Ledger>,
    /// Who is dead.
    pub liveness: Arc<dyn Liveness>,
    /// Where drops are read.
    pub source: Arc<dyn Source>,
    /// Where runs, manifests and the quarantine are written.
    pub state: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Who works, named in claims.
    pub holder: Arc<dyn Holder>,
    /// The table's schemas.
    pub schemas: Arc<Schemas>,
}

/// A drop that may be claimed.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The drop.
    pub object: DroppedObject,
    /// How its content is read.
    pub format: Format,
    /// How it is compressed.
    pub packing: Packing,
    /// The right to claim it.
    pub right: Right,
}

/// Why a drop is not final after its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// Its object is not there any more.
    Gone,
    /// It changed while it was read.
    Changed,
    /// What names its version is no version's id, in S3's words.
    NoVersionId(String),
    /// A passing cause, in words.
    Passing(String),
    /// The caller told it to stop.
    Stopped {
        /// Whether it was being read already.
        begun: bool,
    },
    /// It was read alone for all the time that there is, as fast as it can be.
    Outlasted {
        /// For how long.
        time: Duration,
    },
    /// Another batch claimed it first.
    Contended,
    /// The batch was aborted by others, who took its process for dead.
    Void,
}

impl From<ReadError> for LeftOut {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Gone => Self::Gone,
            ReadError::Changed => Self::Changed,
            ReadError::NoVersionId(reason) => Self::NoVersionId(reason),
            ReadError::Passing(reason) => Self::Passing(reason),
        }
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct BatchOutcome {
    /// The batch.
    pub id: Option<BatchId>,
    /// What was sealed, if anything.
    pub sealed: Option<Sealed>,
    /// Drops that are not final now, and why.
    pub left_out: Vec<(Candidate, LeftOut)>,
    /// The first few quarantined records and drops.
    pub quarantined: Vec<QuarantineEntry>,
    /// The files that hold all of them.
    pub quarantine_files: Vec<String>,
}

impl Ingest {
    /// Puts the parts together.
    pub fn new(parts: Parts, settings: IngestSettings) -> Self {
        let manifests = Manifests::new(parts.ledger.clone(), parts.state.clone());
        let Parts { ledger, liveness, source, state, clock, entropy, holder, schemas } = parts;
        Self {
            ledger,
            liveness,
            source,
            state,
            clock,
            entropy,
            holder,
            schemas,
            settings,
            manifests,
            stops_within_drops: false,
            whole_time: None,
            under_way: UnderWay::default(),
            large_records: tokio::sync::Mutex::default(),
        }
    }

    /// Looks at `stop` between the chunks of a drop as well: where time is up for good, a drop that is left out is better off than one
    /// whose process was ended over it.
    #[must_use]
    pub fn stopping_within_drops(mut self) -> Self {
        self.stops_within_drops = true;
        self
    }

    /// From which time on a drop that is read alone and not to its end outlasts all the time that it is ever given. Such a batch counts as one
    /// that died of it, and after as many of them as after deaths the drop is quarantined.
    #[must_use]
    pub fn outlasted_after(mut self, whole_time: Duration) -> Self {
        self.whole_time = Some(whole_time);
        self
    }

    /// Says which batch is worked on, while it is.
    #[must_use]
    pub fn telling(mut self, under_way: UnderWay) -> Self {
        self.under_way = under_way;
        self
    }

    /// Ingests drops as one batch. `slot` is the worker's place among its holder's notes; `stop` tells, between drops,
    /// whether the rest is to be left out.
    ///
    /// # Errors
    /// What stops the batch as a whole. It is aborted then, so that its drops can be taken over at once.
    pub async fn batch(
        &self,
        slot: usize,
        candidates: Vec<Candidate>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<BatchOutcome, IngestError> {
        let id = self.entropy.batch_id(self.clock.now());
        self.under_way.set(Some(id));
        let outcome = self.batch_with(id, slot, candidates, stop).await;
        self.under_way.set(None);
        outcome
    }

    async fn batch_with(
        &self,
        id: BatchId,
        slot: usize,
        candidates: Vec<Candidate>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<BatchOutcome, IngestError> {
        let alone = candidates.len() == 1;
        let (granted, contended) = self.claim(id, candidates).await?;
        tracing::debug!(batch = %id, granted = granted.len(), contended = contended.len(), "claimed");
        let contended = contended.into_iter().map(|candidate| (candidate, LeftOut::Contended));
        if granted.is_empty() {
            // No claim names this batch: there is nothing to fence.
            return Ok(BatchOutcome { id: Some(id), left_out: contended.collect(), ..BatchOutcome::default() });
        }
        let staged = self.stage((id, alone), slot, granted, stop).await;
        let sealed = match staged {
            Ok(staged) => self.seal(id, staged).await,
            Err(e) => Err(e),
        };
        self.holder.idle(slot);
        let is_void = !sealed.as_ref().is_ok_and(|outcome| outcome.sealed.is_some());
        let outlasted = |(_, why): &(Candidate, LeftOut)| matches!(why, LeftOut::Outlasted { .. });
        match &sealed {
            Ok(outcome) if is_void && outcome.left_out.iter().any(outlasted) => self.abort_own(id).await,
            _ if is_void => self.give_up(id).await,
            _ => {}
        }
        let mut outcome = sealed?;
        outcome.left_out.extend(contended);
        Ok(outcome)
    }

    /// Protocol step 2: one conditional write per drop. Returns what was granted, and what was not.
    async fn claim(
        &self,
        id: BatchId,
        candidates: Vec<Candidate>,
    ) -> Result<(Vec<Candidate>, Vec<Candidate>), IngestError> {
        let alone = u32::from(candidates.len() == 1);
        let at = self.clock.now();
        let claim = |c: &Candidate| Claim {
            batch: id,
            holder: self.holder.name().to_owned(),
            at,
            etag: c.object.etag.clone(),
            aborted: c.right.aborted,
            aborted_alone: c.right.aborted_alone + alone,
        };
        let wanted: Vec<_> =
            candidates.iter().map(|c| (c.object.id.clone(), c.right.expected.clone(), claim(c))).collect();
        let outcomes = match self.ledger.claim(&wanted).await {
            Ok(outcomes) => outcomes,
            Err(e) => {
                // Some may have been granted: nobody is to wait for this batch, nor to take it for dead.
                self.give_up(id).await;
                return Err(e.into());
            }
        };
        let (mut granted, mut contended) = (Vec::with_capacity(candidates.len()), Vec::new());
        for (candidate, outcome) in candidates.into_iter().zip(outcomes) {
            match outcome {
                ClaimOutcome::Granted => granted.push(candidate),
                ClaimOutcome::Held(_) => contended.push(candidate),
            }
        }
        Ok((granted, contended))
    }

    /// Protocol step 3: read, decode, sort, stage. Everything that the manifest names is durable when this returns.
    async fn stage(
        &self,
        (id, alone): (BatchId, bool),
        slot: usize,
        granted: Vec<Candidate>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Staged, IngestError> {
        let (deadly, readable): (Vec<_>, Vec<_>) =
            granted.into_iter().partition(|c| c.right.is_deadly(self.settings.aborted_alone_limit));
        // Only now: a drop that ends its process while the schema is learned from it is claimed, and told by that.
        self.learn(&readable, stop).await?;
        let mut staging = Staging::begin(self, id, slot, alone).await?;
        for candidate in deadly {
            staging.quarantine_deadly(candidate).await?;
        }
        let mut ahead = Ahead::new(self.source.clone(), readable);
        while !stop() {
            let Some((candidate, opening)) = ahead.next() else { break };
            staging.read(candidate, opening, stop).await?;
        }
        for candidate in ahead.rest() {
            staging.leave_out(candidate, LeftOut::Stopped { begun: false });
        }
        staging.finish().await
    }

    /// Protocol step 4: the fence. One write, however many drops.
    async fn seal(&self, id: BatchId, staged: Staged) -> Result<BatchOutcome, IngestError> {
        let Staged { manifest, held, left_out, quarantined, quarantine_files } = staged;
        let mut outcome = BatchOutcome { id: Some(id), sealed: None, left_out, quarantined, quarantine_files };
        if manifest.held.is_empty() {
            // Nothing to fence.
            return Ok(outcome);
        }
        let (content, digest) = manifest.encode().map_err(|e| IngestError::Internal(e.to_string()))?;
        let address = Manifest::address_of(&self.settings.pipeline, id);
        self.state.put(&address, content).await?;
        let sealed = describe(&manifest, address, digest, self.clock.now());
        match self.ledger.seal(id, &sealed).await? {
            SealOutcome::Sealed => {
                tracing::debug!(batch = %id, drops = sealed.drops, rows = sealed.rows, left_out = outcome.left_out.len(), "sealed");
                self.manifests.remember(id, &Verdict::Sealed(Arc::new(manifest)));
                outcome.sealed = Some(sealed);
            }
            SealOutcome::Void => {
                tracing::warn!(batch = %id, fence = "void", "another process aborted this batch: its drops are looked at again");
                let void = held.into_iter().map(|candidate| (candidate, LeftOut::Void));
                let left_out = void.chain(outcome.left_out).collect();
                outcome = BatchOutcome { id: Some(id), left_out, ..BatchOutcome::default() };
            }
        }
        Ok(outcome)
    }

    /// Makes a batch void as others would if it had died: its one drop outlasts the time that it is given. If this fails, others do it when its
    /// claim is old, to the same effect.
    async fn abort_own(&self, id: BatchId) {
        match self.ledger.abort(&self.settings.pipeline, id).await {
            Ok(AbortOutcome::Aborted) => self.delete_void(id).await,
            Ok(AbortOutcome::Stands(record)) if record.sealed().is_none() => self.delete_void(id).await,
            Ok(AbortOutcome::Stands(_)) => {}
            Err(e) => tracing::warn!(batch = %id, error = %e, "a batch whose drop outlasts the time was not marked so"),
        }
    }

    /// Makes a batch void that will not be sealed, so that its drops can be claimed again at once, and deletes its files. If this fails,
    /// whoever takes its drops over does it.
    pub(crate) async fn give_up(&self, id: BatchId) {
        match self.ledger.give_up(&self.settings.pipeline, id).await {
            Ok(AbortOutcome::Aborted) => self.delete_void(id).await,
            // Others made it void, and may have deleted what was there by then.
            Ok(AbortOutcome::Stands(record)) if record.sealed().is_none() => self.delete_void(id).await,
            Ok(AbortOutcome::Stands(_)) => {}
            Err(e) => tracing::warn!(batch = %id, error = %e, "a batch that was given up was not marked so"),
        }
    }
}

fn describe(manifest: &Manifest, address: String, digest: String, at: drops::Timestamp) -> Sealed {
    let sum = |of: fn(&runs::HeldDrop) -> u64| manifest.held.iter().map(of).sum();
    Sealed {
        pipeline: manifest.pipeline.clone(),
        manifest: address,
        digest,
        drops: manifest.held.len() as u64,
        quarantined_drops: sum(|d| u64::from(d.fate != Fate::Ingested)),
        rows: sum(|d| d.rows),
        rescued_rows: sum(|d| d.rescued_rows),
        quarantined_records: sum(|d| d.quarantined_records),
        source_bytes: sum(|d| d.size),
        staged_bytes: manifest.runs.iter().map(|r| r.bytes).sum(),
        at,
    }
}
