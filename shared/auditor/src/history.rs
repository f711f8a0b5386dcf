//! What ledger and manifests say: every sealed batch with what it holds, and the intents that the log has.

use std::collections::BTreeMap;

use drops::{BatchId, DropId, PipelineName};
use ledger::{BatchRecord, Intent};
use runs::{HeldDrop, IntentList, Manifest};

use crate::quarantine::{self, ByContent};
use crate::{AuditError, Invariant, Subject, Verdict, pipelines};

/// What the application ids of our commits begin with.
pub(crate) const APP_PREFIX: &str = "lithify/";

/// How many batches are asked for at once: a page of a ledger in DynamoDB costs a look at all of it.
const PAGE: usize = 1_000_000;

/// A batch that was sealed.
pub(crate) struct SealedBatch {
    /// What it holds.
    pub manifest: Manifest,
    /// The version of the table that carries it; `None` while it is staged.
    pub version: Option<u64>,
    /// The ordinals of its records that the quarantine keeps.
    pub quarantined: ByContent<Vec<u64>>,
}

/// An intent whose number is in the log, or below one that is.
pub(crate) struct Landed {
    pub number: u64,
    pub batches: Vec<BatchId>,
}

/// One pipeline's past.
pub(crate) struct PipelineHistory {
    pub name: PipelineName,
    pub batches: BTreeMap<BatchId, SealedBatch>,
    /// The intents of its commits, oldest first.
    pub landed: Vec<Landed>,
    /// The number of the last settled intent.
    pub settled: Option<u64>,
}

/// Every pipeline of the table.
pub(crate) struct History {
    pub pipelines: Vec<PipelineHistory>,
}

/// The drop that a manifest's entry is of.
pub(crate) fn drop_of(pipeline: &PipelineName, held: &HeldDrop) -> DropId {
    DropId {
        pipeline: pipeline.clone(),
        bucket: held.bucket.clone(),
        key: held.key.clone(),
        version: held.version.clone(),
    }
}

impl History {
    pub(crate) async fn read(subject: &Subject, verdict: &mut Verdict) -> Result<Self, AuditError> {
        let mut histories = Vec::new();
        for name in pipelines::of_table(subject, verdict).await? {
            verdict.counts.pipelines += 1;
            // In the order opposite to the one in which a commit is made and settled: what a compactor does meanwhile can only make the later ones
            // say more than the earlier, never less.
            let settled = subject.ledger.head(&name).await?;
            let landed = landed(subject, &name, settled, verdict).await?;
            let mut batches = batches(subject, &name, verdict).await?;
            quarantine::check(subject, &name, &mut batches, verdict).await?;
            let is_staged = |id: &BatchId, batch: &SealedBatch| {
                batch.version.is_none() && !landed.iter().any(|one: &Landed| one.batches.contains(id))
            };
            verdict.counts.staged += batches.iter().filter(|(id, batch)| is_staged(id, batch)).count() as u64;
            verdict.counts.unsettled += landed.iter().filter(|one| settled < Some(one.number)).count() as u64;
            histories.push(PipelineHistory { name, batches, landed, settled });
        }
        Ok(Self { pipelines: histories })
    }
}

async fn batches(
    subject: &Subject,
    name: &PipelineName,
    verdict: &mut Verdict,
) -> Result<BTreeMap<BatchId, SealedBatch>, AuditError> {
    let (mut found, mut after) = (BTreeMap::new(), None);
    loop {
        let page = subject.ledger.batches(name, after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(found) };
        after = Some(*last);
        for (id, record) in page {
            let Some(sealed) = record.sealed() else {
                verdict.counts.aborted += 1;
                continue;
            };
            verdict.counts.batches += 1;
            let version = match record {
                BatchRecord::Committed { version, .. } => Some(version),
                BatchRecord::Staged(_) | BatchRecord::Aborted | BatchRecord::GivenUp => None,
            };
            let manifest = match subject.state.get(&sealed.manifest).await {
                Ok(content) => Manifest::decode(&content, &sealed.digest).map_err(|e| e.to_string()),
                Err(e) => Err(e.to_string()),
            };
            match manifest {
                Ok(manifest) => {
                    balance(&manifest, sealed, verdict);
                    found.insert(id, SealedBatch { manifest, version, quarantined: ByContent::new() });
                }
                Err(reason) => verdict.find(
                    Invariant::Balance,
                    format!("batch {id}"),
                    format!("its manifest {} cannot be read: {reason}", sealed.manifest),
                ),
            }
        }
    }
}

/// The record says of the batch what its manifest says.
fn balance(manifest: &Manifest, sealed: &ledger::Sealed, verdict: &mut Verdict) {
    let sum = |of: fn(&runs::HeldDrop) -> u64| manifest.held.iter().map(of).sum::<u64>();
    let told = (sealed.drops, sealed.rows, sealed.quarantined_records);
    let held = (manifest.held.len() as u64, sum(|d| d.rows), sum(|d| d.quarantined_records));
    verdict.counts.drops += held.0;
    if told != held {
        let what = format!("the ledger says (drops, rows, quarantined records) {told:?}, its manifest holds {held:?}");
        verdict.find(Invariant::Balance, format!("batch {}", manifest.batch), what);
    }
}

/// The intents that landed, from the log's `txn` back: each names its predecessor.
async fn landed(
    subject: &Subject,
    name: &PipelineName,
    settled: Option<u64>,
    verdict: &mut Verdict,
) -> Result<Vec<Landed>, AuditError> {
    let app_id = format!("{APP_PREFIX}{name}");
    let head = subject.lake.head(&[&app_id]).await?;
    let mut at = head.and_then(|head| head.txns.get(&app_id).copied());
    if settled > at {
        let number = |number: Option<u64>| number.map_or_else(|| "none".to_owned(), |number| number.to_string());
        let what = format!(
            "the ledger has settled intents up to {}, the log goes to {}: one of them was lost or restored",
            number(settled),
            number(at)
        );
        verdict.find(Invariant::CommittedByIntent, format!("pipeline {name}"), what);
    }
    let mut landed = Vec::new();
    while let Some(number) = at {
        let Some(intent) = subject.ledger.intent(name, number).await? else {
            let what = format!("the log carries intent {number}, which the ledger does not know");
            verdict.find(Invariant::CommittedByIntent, format!("pipeline {name}"), what);
            // An older ledger was restored: what it had settled by then is in the log all the same, and is not to blame.
            at = settled.filter(|settled| *settled < number);
            continue;
        };
        at = intent.predecessor.filter(|before| *before < number);
        match list(subject, &intent).await {
            Ok(batches) => landed.push(Landed { number, batches }),
            Err(reason) => verdict.find(
                Invariant::CommittedByIntent,
                format!("intent {number} of pipeline {name}"),
                format!("its list {} cannot be read: {reason}", intent.list),
            ),
        }
    }
    landed.reverse();
    Ok(landed)
}

async fn list(subject: &Subject, intent: &Intent) -> Result<Vec<BatchId>, String> {
    let content = subject.state.get(&intent.list).await.map_err(|e| e.to_string())?;
    Ok(IntentList::decode(&content, &intent.digest).map_err(|e| e.to_string())?.batches)
}
