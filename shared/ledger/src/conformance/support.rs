use std::{future::Future, sync::Arc};

use drops::{BatchId, DropId, PipelineName, Timestamp};
use tokio::sync::Barrier;

use crate::{Claim, Expected, Intent, LedgerError, PipelineSettings, Sealed};

/// How many contend in a race.
pub(super) const RACERS: u64 = 8;

/// How often a race is run.
pub(super) const ROUNDS: u64 = 12;

/// What a call must have given.
#[track_caller]
pub(super) fn must<T>(result: Result<T, LedgerError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

/// A pipeline's name.
#[track_caller]
pub(super) fn pipeline(name: &str) -> PipelineName {
    match name.parse() {
        Ok(name) => name,
        Err(error) => panic!("{error}"),
    }
}

/// Batch ids that sort by `n`.
pub(crate) fn batch(n: u64) -> BatchId {
    BatchId::from_parts(1_700_000_000_000 + n, u128::from(n) << 70 | 0xFFFF_0000_FFFF)
}

/// A drop of the pipeline `p`.
pub(super) fn drop_of(key: &str) -> DropId {
    DropId { pipeline: pipeline("p"), bucket: "bucket".to_owned(), key: key.to_owned(), version: None }
}

/// A claim of a batch that tells it from other batches' in every field.
pub(super) fn claim_by(n: u64) -> Claim {
    Claim {
        batch: batch(n),
        holder: format!("process-{n}"),
        at: Timestamp(1_000_000 + n.cast_signed()),
        etag: format!("\"etag {n}\""),
        aborted: 2 + u32::from(n > 5),
        aborted_alone: u32::from(n > 5),
    }
}

/// A wanted claim on a drop that has none.
pub(super) fn fresh(key: &str, n: u64) -> (DropId, Expected, Claim) {
    (drop_of(key), Expected::Absent, claim_by(n))
}

/// A record that tells its batch from others in every sum.
pub(crate) fn sealed(name: &str, n: u64) -> Sealed {
    Sealed {
        pipeline: pipeline(name),
        manifest: format!("staging/{name}/{n} +%é.json"),
        digest: format!("{n:064x}"),
        drops: 10 + n,
        quarantined_drops: 1,
        rows: 1_000 + n,
        rescued_rows: 3,
        quarantined_records: 4,
        source_bytes: 50_000 + n,
        staged_bytes: 5_000_000_000 + n,
        at: Timestamp(2_000_000 - n.cast_signed()),
    }
}

/// An intent that tells its writer.
pub(crate) fn intent(number: u64, writer: u64) -> Intent {
    Intent {
        number,
        predecessor: number.checked_sub(1).filter(|n| *n > 0),
        list: format!("intents/{number}-{writer}.json"),
        digest: format!("{writer:064x}"),
        at: Timestamp(3_000_000 + writer.cast_signed()),
    }
}

/// Settings that tell their writer.
pub(crate) fn settings(writer: u64) -> PipelineSettings {
    PipelineSettings {
        source: format!("/data/in {writer}"),
        identity_holds_version: writer % 2 == 1,
        ledger: "ledger-1".to_owned(),
        table_id: format!("table-{writer}"),
        table: Some(format!("s3://lake/table {writer}")),
        at: Timestamp(4_000_000 + writer.cast_signed()),
    }
}

/// Lets all racers go at once, each with its number from 0, and gives their answers in that order.
pub(super) async fn race<T, Fut>(run: impl Fn(u64) -> Fut) -> Vec<T>
where
    T: Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    let gate = Arc::new(Barrier::new(usize::try_from(RACERS).unwrap_or(usize::MAX)));
    let tasks: Vec<_> = (0..RACERS)
        .map(|n| {
            let (gate, run) = (gate.clone(), run(n));
            tokio::spawn(async move {
                gate.wait().await;
                run.await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        match task.await {
            Ok(answer) => answers.push(answer),
            Err(error) => panic!("a racer failed: {error}"),
        }
    }
    answers
}
