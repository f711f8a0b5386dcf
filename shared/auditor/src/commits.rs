//! I-3 and I-5: what the log's commits carry.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
    /// Versions whose commit is there and cannot be read: each is a finding.
    damaged: BTreeSet<u64>,
}

impl Log {
    async fn read(subject: &Subject, verdict: &mut Verdict) -> Result<Self, AuditError> {
        let (mut txns, mut from, mut damaged) = (BTreeMap::new(), 0, BTreeSet::new());
        if let Some(head) = subject.lake.head(&[]).await? {
            for version in (0..=head.version).rev() {
                match subject.lake.read_commit(version).await {
                    Ok(Some(commit)) => {
                        let ours = commit.txns.keys().any(|app_id| app_id.starts_with("lithify"));
                        verdict.counts.foreign_commits += u64::from(!ours && !commit.files.is_empty());
                        txns.insert(version, commit.txns);
                    }
                    // A checkpoint hides it from those who only read the newest version.
                    Err(error @ LakeError::Unreadable { .. }) => {
                        damaged.insert(version);
                        verdict.find(Invariant::CommittedByIntent, format!("version {version}"), error.to_string());
                    }
                    // Cleaned up: what is older cannot be seen any more.
                    Ok(None) | Err(LakeError::Gone { .. }) => {
                        from = version + 1;
                        verdict.unchecked.push(format!("commits below version {from}: the log was cleaned up"));
                        break;
                    }
                    Err(e) => return Err(e.into()),
                }
            }
        }
        Ok(Self { txns, from, damaged })
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
                None if version >= log.from && !log.damaged.contains(&version) => {
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

#[cfg(test)]
mod tests {
    use runs::Manifest;

    use super::*;
    use crate::history::{Landed, SealedBatch};

    fn batch(n: u64, version: Option<u64>) -> (BatchId, SealedBatch) {
        let id = BatchId::from_parts(n, 1);
        let manifest = Manifest::new(id, "p".parse().unwrap(), 1, Vec::new(), Vec::new(), None).unwrap();
        (id, SealedBatch { manifest, version, quarantined: Default::default() })
    }

    /// What is found where intent 1 names batch 1, which is marked at this version, and the log has these versions' numbers.
    fn found(marked: Option<u64>, settled: Option<u64>, log: &[(u64, u64)], from: u64) -> Vec<Invariant> {
        found_in(marked, settled, log, from, &[])
    }

    /// The same of a log in which these versions are damaged.
    fn found_in(
        marked: Option<u64>,
        settled: Option<u64>,
        log: &[(u64, u64)],
        from: u64,
        damaged: &[u64],
    ) -> Vec<Invariant> {
        let (id, sealed) = batch(1, marked);
        let landed = vec![Landed { number: 1, batches: vec![id] }];
        let batches = [(id, sealed)].into();
        let pipeline = PipelineHistory { name: "p".parse().unwrap(), batches, landed, settled };
        let txns = log.iter().map(|(version, number)| (*version, [("lithify/p".to_owned(), *number)].into())).collect();
        let mut verdict = Verdict::default();
        let damaged = damaged.iter().copied().collect();
        check_pipeline(&Log { txns, from, damaged }, &pipeline, &mut verdict);
        assert_eq!(verdict.counts.commits, log.len() as u64);
        verdict.findings.iter().map(|finding| finding.invariant).collect()
    }

    #[test]
    fn a_batch_is_committed_where_the_log_has_its_intent() {
        assert_eq!(found(Some(5), Some(1), &[(5, 1)], 0), []);
        assert_eq!(found(Some(4), Some(1), &[(5, 1)], 0), [Invariant::CommittedByIntent]);
        assert_eq!(found(Some(5), Some(1), &[(5, 1), (6, 1)], 0), [Invariant::RunOnce, Invariant::CommittedByIntent]);
    }

    #[test]
    fn an_intent_that_no_commit_carries_is_found_unless_the_log_was_cleaned_up_there() {
        for (from, expected) in
            [(0, vec![Invariant::CommittedByIntent]), (5, vec![Invariant::CommittedByIntent]), (6, vec![])]
        {
            assert_eq!(found(Some(5), Some(1), &[], from), expected, "from {from}");
        }
    }

    #[test]
    fn a_damaged_commit_is_not_missed_a_second_time_where_it_is_and_hides_nothing_elsewhere() {
        assert_eq!(found_in(Some(5), Some(1), &[], 0, &[5]), []);
        assert_eq!(found_in(Some(5), Some(1), &[], 0, &[4]), [Invariant::CommittedByIntent]);
        assert_eq!(found_in(Some(4), Some(1), &[(5, 1)], 0, &[4]), [Invariant::CommittedByIntent]);
    }

    #[test]
    fn what_is_settled_is_marked() {
        assert_eq!(found(None, None, &[(5, 1)], 0), []);
        assert_eq!(found(None, Some(1), &[(5, 1)], 0), [Invariant::RunOnce]);
    }
}
