//! I-2 of what comes: a drop that a sealed batch holds is claimed by it, or another batch would hold it as well.

use drops::{BatchId, DropId};
use runs::Fate;

use crate::history::{History, drop_of};
use crate::{AuditError, Invariant, Subject, Verdict};

/// How many claims are asked for at once.
const ASKED_AT_ONCE: usize = 10_000;

pub(crate) async fn check(subject: &Subject, history: &History, verdict: &mut Verdict) -> Result<(), AuditError> {
    for pipeline in &history.pipelines {
        let held = pipeline.batches.iter().flat_map(|(id, batch)| {
            batch.manifest.held.iter().map(|held| (drop_of(&pipeline.name, held), *id, held.fate == Fate::Ingested))
        });
        let held: Vec<(DropId, BatchId, bool)> = held.collect();
        for some in held.chunks(ASKED_AT_ONCE) {
            let ids: Vec<DropId> = some.iter().map(|(drop, ..)| drop.clone()).collect();
            let claims = subject.ledger.claims(&ids).await?;
            for ((drop, batch, ingested), claim) in some.iter().zip(claims) {
                let what = match claim {
                    None => format!("batch {batch} holds it, and no claim does: it would be read again"),
                    // What was quarantined may have come again.
                    Some(claim) if *ingested && claim.batch != *batch => {
                        format!("batch {batch} holds its rows, and the claim on it is that of batch {}", claim.batch)
                    }
                    Some(_) => continue,
                };
                verdict.find(Invariant::OneHolder, drop.to_string(), what);
            }
        }
    }
    Ok(())
}
