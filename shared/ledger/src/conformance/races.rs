//! Eight at once on one thing: exactly one wins, and all are told the same.

use std::sync::Arc;

use drops::Timestamp;

use crate::{AbortOutcome, BatchRecord, ClaimOutcome, Expected, LeaseOutcome, Ledger, PipelineSettings, SealOutcome};

use super::support::{RACERS, ROUNDS, batch, claim_by, drop_of, fresh, intent, must, pipeline, race, sealed, settings};

/// The only winner, and that there is only one.
#[track_caller]
fn only(won: impl IntoIterator<Item = bool>) -> u64 {
    let winners: Vec<_> = (0..).zip(won).filter(|(_, won)| *won).map(|(n, _)| n).collect();
    match winners[..] {
        [winner] => winner,
        _ => panic!("one must win, but these did: {winners:?}"),
    }
}

/// Eight batches claim one drop.
pub async fn one_claim<L: Ledger + 'static>(ledger: Arc<L>) {
    for round in 0..ROUNDS {
        let key = format!("drop {round}");
        let outcomes = race(|n| {
            let (ledger, wanted) = (ledger.clone(), fresh(&key, n));
            async move { must(ledger.claim(&[wanted]).await).remove(0) }
        })
        .await;
        let winner = only(outcomes.iter().map(|outcome| *outcome == ClaimOutcome::Granted));
        let told = outcomes.iter().filter(|outcome| **outcome == ClaimOutcome::Held(claim_by(winner))).count();
        assert_eq!(told as u64, RACERS - 1);
        assert_eq!(must(ledger.claims(&[drop_of(&key)]).await), [Some(claim_by(winner))]);
    }
}

/// Eight batches take one drop over from the same batch.
pub async fn one_take_over<L: Ledger + 'static>(ledger: Arc<L>) {
    for round in 0..ROUNDS {
        let key = format!("drop {round}");
        assert_eq!(must(ledger.claim(&[fresh(&key, 99)]).await), [ClaimOutcome::Granted]);
        let outcomes = race(|n| {
            let (ledger, wanted) = (ledger.clone(), (drop_of(&key), Expected::HeldBy(batch(99)), claim_by(n)));
            async move { must(ledger.claim(&[wanted]).await).remove(0) }
        })
        .await;
        let winner = only(outcomes.iter().map(|outcome| *outcome == ClaimOutcome::Granted));
        assert_eq!(must(ledger.claims(&[drop_of(&key)]).await), [Some(claim_by(winner))]);
    }
}

/// Half seal a batch (one of them, its retries), half abort it: all are told of the same end, and the list agrees.
pub async fn seal_against_abort<L: Ledger + 'static>(ledger: Arc<L>) {
    let mut staged = Vec::new();
    for round in 0..ROUNDS {
        let (id, record) = (batch(round), sealed("p", round));
        let ended_sealed = race(|n| {
            let (ledger, record) = (ledger.clone(), record.clone());
            async move {
                // Which of the two asks first changes from round to round.
                if (n + round) % 2 == 0 {
                    must(ledger.seal(id, &record).await) == SealOutcome::Sealed
                } else {
                    match must(ledger.abort(&record.pipeline, id).await) {
                        AbortOutcome::Aborted => false,
                        AbortOutcome::Stands(standing) => {
                            assert_eq!(standing, BatchRecord::Staged(record));
                            true
                        }
                    }
                }
            }
        })
        .await;
        assert!(ended_sealed.iter().all(|end| *end == ended_sealed[0]), "{ended_sealed:?}");
        let expected = if ended_sealed[0] { BatchRecord::Staged(record.clone()) } else { BatchRecord::Aborted };
        assert_eq!(must(ledger.batch(id).await), Some(expected));
        staged.extend(ended_sealed[0].then_some((id, record)));
        assert_eq!(must(ledger.staged(&pipeline("p")).await), staged);
    }
}

/// Eight say that a batch is in eight different versions.
pub async fn one_version_for_a_batch<L: Ledger + 'static>(ledger: Arc<L>) {
    for round in 0..ROUNDS {
        let id = batch(round);
        assert_eq!(must(ledger.seal(id, &sealed("p", round)).await), SealOutcome::Sealed);
        let marked = race(|n| {
            let ledger = ledger.clone();
            async move { ledger.mark_committed(&[id], n).await.is_ok() }
        })
        .await;
        let committed = BatchRecord::Committed { sealed: sealed("p", round), version: only(marked) };
        assert_eq!(must(ledger.batch(id).await), Some(committed));
        assert_eq!(must(ledger.staged(&pipeline("p")).await), []);
    }
}

/// Eight writers reserve one number for different intents.
pub async fn one_intent_number<L: Ledger + 'static>(ledger: Arc<L>) {
    for number in 1..=ROUNDS {
        let reserved = race(|n| {
            let ledger = ledger.clone();
            async move { must(ledger.reserve_intent(&pipeline("p"), &intent(number, n)).await) }
        })
        .await;
        assert_eq!(must(ledger.intent(&pipeline("p"), number).await), Some(intent(number, only(reserved))));
    }
}

/// Eight move `head` to different numbers; each sees it at or above its own afterwards, and it ends at the highest.
pub async fn head_only_grows<L: Ledger + 'static>(ledger: Arc<L>) {
    for round in 0..ROUNDS {
        let seen = race(|n| {
            let ledger = ledger.clone();
            async move {
                let (p, number) = (pipeline("p"), round * RACERS + n);
                let before = must(ledger.head(&p).await);
                let _ = must(ledger.move_head(&p, number).await);
                let after = must(ledger.head(&p).await);
                after >= Some(number) && after >= before
            }
        })
        .await;
        assert!(seen.into_iter().all(|grew| grew));
        assert_eq!(must(ledger.head(&pipeline("p")).await), Some(round * RACERS + RACERS - 1));
    }
}

/// Eight fix a pipeline's settings: all are told the same ones.
pub async fn one_set_of_settings<L: Ledger + 'static>(ledger: Arc<L>) {
    for round in 0..ROUNDS {
        let name = pipeline(&format!("p{round}"));
        let told = race(|n| {
            let (ledger, name) = (ledger.clone(), name.clone());
            async move { must(ledger.fix_settings(&name, &settings(n)).await) }
        })
        .await;
        assert!(told.iter().all(|settings| *settings == told[0]), "{told:?}");
        assert_eq!(must(ledger.settings(&name).await), Some(told[0].clone()));
    }
}

/// Eight enter a pipeline's table: all are told the same one.
pub async fn one_table<L: Ledger + 'static>(ledger: Arc<L>) {
    for round in 0..ROUNDS {
        let name = pipeline(&format!("p{round}"));
        let without = PipelineSettings { table: None, ..settings(1) };
        assert_eq!(must(ledger.fix_settings(&name, &without).await), without);
        let told = race(|n| {
            let (ledger, name) = (ledger.clone(), name.clone());
            async move { must(ledger.fix_table(&name, &format!("table {n}")).await) }
        })
        .await;
        assert!(told[0].table.is_some() && told.iter().all(|settings| *settings == told[0]), "{told:?}");
        assert_eq!(must(ledger.settings(&name).await), Some(told[0].clone()));
    }
}

/// Eight add different schemas under one number.
pub async fn one_schema_number<L: Ledger + 'static>(ledger: Arc<L>) {
    for number in 1..=ROUNDS {
        let added = race(|n| {
            let ledger = ledger.clone();
            async move { must(ledger.add_schema("t", number, &format!("schema of {n}")).await) }
        })
        .await;
        let winner = only(added);
        assert_eq!(must(ledger.newest_schema("t").await), Some((number, format!("schema of {winner}"))));
    }
}

/// Eight ask for a lease that nobody holds, then eight others take over the one that they all judged to be dead.
pub async fn one_lease<L: Ledger + 'static>(ledger: Arc<L>) {
    let mut seen = None;
    for round in 0..ROUNDS {
        let outcomes = race(|n| {
            let (ledger, seen) = (ledger.clone(), seen.clone());
            async move {
                let owner = format!("owner {round}-{n}");
                must(ledger.acquire_lease("t", &owner, Timestamp(100), seen.as_ref()).await)
            }
        })
        .await;
        let winner = only(outcomes.iter().map(|outcome| matches!(outcome, LeaseOutcome::Granted(_))));
        let mut leases = outcomes.into_iter().map(|outcome| match outcome {
            LeaseOutcome::Granted(lease) | LeaseOutcome::Held(lease) => lease,
        });
        let Some(lease) = leases.next() else { panic!("nobody was answered") };
        assert!(leases.all(|other| other == lease), "all are told of the winner's");
        assert_eq!(lease.owner, format!("owner {round}-{winner}"));
        assert!(seen.is_none_or(|before| before.token < lease.token));
        seen = Some(lease);
    }
}
