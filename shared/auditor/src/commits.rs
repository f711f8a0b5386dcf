//! I-3 and I-5: what the log's commits carry.

use std::collections::{BTreeMap, HashMap};

use drops::BatchId;
use lake::LakeError;

use crate::history::{APP_PREFIX, History, PipelineHistory};
use crate::{AuditError, Invariant, Subject, Verdict};

pub(crate) async fn check(subject: &Subject, history: &History, verdict: &mut Verdict) -> Result<(), AuditError> {
    let log = Log::read(subject, verdict).await?;
    for pipeline in &history.pipelines {
        check_pipeline(&log, pipeline, verdict);
    }
    Ok(())
}

/// The `txn`s of every version that the log still has.
struct Log {
    txns: BTreeMap<u64, BTreeMap<String, u64>>,
    /// The first version that is still there.
    from: u64,
}

impl Log {
    async fn read(subject: &Subject, verdict: &mut Verdict) -> Result<Self, AuditError> {
        let (mut txns, mut from) = (BTreeMap::new(), 0);
        if let Some(head) = subject.lake.head(&[]).await? {
            for version in (0..=head.version).rev() {
                match subject.lake.read_commit(version).await {
                    Ok(Some(commit)) => drop(txns.insert(version, commit.txns)),
                    // Cleaned up: what is older cannot be seen any more.
                    Ok(None) | Err(LakeError::Unreadable { .. }) => {
                        from = version + 1;
                        verdict.unchecked.push(format!("commits below version {from}: the log was cleaned up"));
                        break;
                    }
                    Err(e) => return Err(e.into()),
                }
            }
        }
        Ok(Self { txns, from })
    }
}

fn check_pipeline(log: &Log, pipeline: &PipelineHistory, verdict: &mut Verdict) {
    let app_id = format!("{APP_PREFIX}{}", pipeline.name);
    let mut version_of: HashMap<u64, u64> = HashMap::new();
    for (version, txns) in &log.txns {
        let Some(number) = txns.get(&app_id) else { continue };
        verdict.counts.commits += 1;
        if let Some(first) = version_of.insert(*number, *version) {
            let what =
                format!("versions {first} and {version} both carry intent {number} of pipeline {}", pipeline.name);
            verdict.find(Invariant::RunOnce, format!("version {version}"), what);
        }
    }
    let mut intent_of: HashMap<BatchId, u64> = HashMap::new();
    for intent in &pipeline.landed {
        for batch in &intent.batches {
            if let Some(first) = intent_of.insert(*batch, intent.number) {
                let what = format!("intents {first} and {} both name it, and both landed", intent.number);
                verdict.find(Invariant::RunOnce, format!("batch {batch}"), what);
            }
            if !pipeline.batches.contains_key(batch) {
                let what = format!("intent {} landed with it, and it has no sealed record", intent.number);
                verdict.find(Invariant::CommittedByIntent, format!("batch {batch}"), what);
            }
        }
    }
    for (id, batch) in &pipeline.batches {
        let carried = intent_of.get(id);
        match (batch.version, carried) {
            (Some(version), None) => {
                let what =
                    format!("it is marked as committed at version {version}, and no intent that landed names it");
                verdict.find(Invariant::CommittedByIntent, format!("batch {id}"), what);
            }
            (Some(version), Some(number)) => match version_of.get(number) {
                Some(found) if *found != version => {
                    let what =
                        format!("it is marked as committed at version {version}, its intent {number} is at {found}");
                    verdict.find(Invariant::CommittedByIntent, format!("batch {id}"), what);
                }
                None if version >= log.from => {
                    let what = format!("its intent {number} is in no commit, though it is marked at version {version}");
                    verdict.find(Invariant::CommittedByIntent, format!("batch {id}"), what);
                }
                _ => {}
            },
            (None, Some(number)) if pipeline.settled >= Some(*number) => {
                let what = format!(
                    "its intent {number} is settled, and it is still marked as staged: it would be committed again"
                );
                verdict.find(Invariant::RunOnce, format!("batch {id}"), what);
            }
            (None, _) => {}
        }
    }
}
