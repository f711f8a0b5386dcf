//! Whatever becomes of single requests, the ledger's answers are right.

use std::sync::Arc;

use drops::{BatchId, DropId, Timestamp};
use ledger::conformance::{claims, pipelines, races};
use ledger::{Claim, ClaimOutcome, DynamoLedger, Expected, Ledger, SealOutcome};

use tokio::task::JoinSet;

use crate::proxy::{FAULTS, Fate, Proxy};
use crate::{client, endpoint, ledger_at, new_table, settings};

/// The whole contract while one request in ten goes wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_the_contract_while_requests_and_answers_get_lost() {
    for seed in [1, 2] {
        let proxy = Proxy::faulty(&endpoint(), seed, 10, &FAULTS).await;
        ledger::conformance::all(|| ledger_at(&proxy.endpoint)).await;
        assert!(proxy.faults() > 1_000, "only {} faults were made", proxy.faults());
    }
}

/// The races alone, at many seeds, with requests that reach the server after they were given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_wins_each_race_whatever_gets_lost_or_comes_late() {
    let mut seeds: JoinSet<()> = (0..12).map(races_at).collect();
    while let Some(done) = seeds.join_next().await {
        done.unwrap();
    }
}

async fn races_at(seed: u64) {
    const LATE: [Fate; 4] = [Fate::Late, Fate::Late, Fate::AnswerLost, Fate::Lost];
    let faults: &[Fate] = if seed.is_multiple_of(2) { &FAULTS } else { &LATE };
    let proxy = Proxy::faulty(&endpoint(), seed, 6, faults).await;
    let fresh = || async { Arc::new(ledger_at(&proxy.endpoint).await) };
    races::one_claim(fresh().await).await;
    races::one_take_over(fresh().await).await;
    races::seal_against_abort(fresh().await).await;
    races::one_version_for_a_batch(fresh().await).await;
    races::one_intent_number(fresh().await).await;
    races::head_only_grows(fresh().await).await;
    races::one_set_of_settings(fresh().await).await;
    races::one_schema_number(fresh().await).await;
    races::one_lease(fresh().await).await;
    claims::each_by_itself_and_in_order(&*fresh().await).await;
    pipelines::head_never_moves_back(&*fresh().await).await;
    assert!(proxy.faults() > 50, "only {} faults were made", proxy.faults());
}

/// The answer to the first try of every transaction gets lost, whether it happened or was cancelled: the second must not hide it.
#[tokio::test]
async fn a_lost_answer_to_a_seal_is_judged_by_what_stands() {
    let mut first = false;
    let proxy = Proxy::start(&endpoint(), move |_, operation| {
        if operation != "TransactWriteItems" {
            return Fate::Pass;
        }
        first = !first;
        if first { Fate::AnswerLost } else { Fate::Pass }
    })
    .await;
    let table = new_table().await;
    let ledger = DynamoLedger::new(client(&proxy.endpoint), table.clone());
    let sealed = ledger::Sealed {
        pipeline: "p".parse().unwrap(),
        manifest: "m".into(),
        digest: "d".into(),
        drops: 1,
        quarantined_drops: 0,
        rows: 1,
        rescued_rows: 0,
        quarantined_records: 0,
        source_bytes: 1,
        staged_bytes: 1,
        at: Timestamp(1),
    };
    let (void, fine) = (claim_by(1).batch, claim_by(2).batch);
    let other = DynamoLedger::new(client(&endpoint()), table);
    let _ = other.abort(&sealed.pipeline, void).await.unwrap();
    assert_eq!(ledger.seal(void, &sealed).await.unwrap(), SealOutcome::Void);
    assert_eq!(ledger.seal(fine, &sealed).await.unwrap(), SealOutcome::Sealed);
    ledger.mark_committed(&[fine], 1).await.unwrap();
    assert!(ledger.add_schema("t", 1, "one").await.unwrap());
    assert!(!ledger.add_schema("t", 1, "one").await.unwrap());
    assert!(!ledger.add_schema("t", 3, "three").await.unwrap());
    assert!(proxy.faults() >= 6);
}

fn drop_of(n: usize) -> DropId {
    DropId { pipeline: "p".parse().unwrap(), bucket: "b".into(), key: format!("orders+{n}.json"), version: None }
}

fn claim_by(n: usize) -> Claim {
    let batch = BatchId::from_parts(1_700_000_000_000 + n as u64, n as u128);
    let holder = format!("ingest {n}");
    Claim { batch, holder, at: Timestamp(7), etag: "\"e\"".into(), aborted: 0, aborted_alone: 0 }
}

/// What becomes of claims that are asked for until nothing passing is in the way: a busy machine's server may be silent for longer than a
/// request waits.
async fn claimed(ledger: &DynamoLedger, wanted: &[(DropId, Expected, Claim)]) -> Vec<ClaimOutcome> {
    for _ in 0..10 {
        match ledger.claim(wanted).await {
            Ok(outcomes) => return outcomes,
            Err(error) => assert!(error.passing, "{error}"),
        }
    }
    panic!("claims do not get through")
}

/// Eight claim the same thousand drops, each beginning elsewhere: every drop is granted to one, and all others are told to which.
async fn eight_claim_a_thousand(ledger: Arc<DynamoLedger>) {
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                let order: Vec<usize> = (0..1_000).map(|drop| (drop + n * 125) % 1_000).collect();
                let wanted: Vec<_> = order.iter().map(|drop| (drop_of(*drop), Expected::Absent, claim_by(n))).collect();
                let outcomes = claimed(&ledger, &wanted).await;
                order.into_iter().zip(outcomes).collect::<Vec<_>>()
            })
        })
        .collect();
    let mut granted = vec![Vec::new(); 1_000];
    let mut told = vec![Vec::new(); 1_000];
    for (n, task) in tasks.into_iter().enumerate() {
        for (drop, outcome) in task.await.unwrap() {
            match outcome {
                ClaimOutcome::Granted => granted[drop].push(n),
                ClaimOutcome::Held(claim) => told[drop].push(claim),
            }
        }
    }
    let ids: Vec<_> = (0..1_000).map(drop_of).collect();
    let stands = ledger.claims(&ids).await.unwrap();
    for drop in 0..1_000 {
        let [winner] = granted[drop][..] else { panic!("drop {drop} was granted to {:?}", granted[drop]) };
        assert_eq!(stands[drop], Some(claim_by(winner)));
        assert_eq!(told[drop], vec![claim_by(winner); 7]);
    }
    let winners: std::collections::BTreeSet<_> = granted.iter().map(|winners| winners[0]).collect();
    assert!(winners.len() > 1, "nobody contended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_drops_are_granted_once_each() {
    eight_claim_a_thousand(Arc::new(ledger_at(&endpoint()).await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_drops_are_granted_once_each_while_answers_get_lost() {
    for seed in 20..22 {
        let proxy = Proxy::faulty(&endpoint(), seed, 8, &FAULTS).await;
        eight_claim_a_thousand(Arc::new(ledger_at(&proxy.endpoint).await)).await;
        assert!(proxy.faults() > 500, "only {} faults were made", proxy.faults());
    }
}

/// A burst on a table that has yet to grow: every request is throttled twice before it passes. The SDK's own bucket of tries would
/// be empty after a hundred of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_burst_is_carried_through() {
    let proxy = Proxy::start(&endpoint(), |n, _| match n {
        0..2_000 => Fate::Refused(400, "ThrottlingException"),
        _ => Fate::Pass,
    })
    .await;
    let ledger = ledger_at(&proxy.endpoint).await;
    let wanted: Vec<_> = (0..1_000).map(|drop| (drop_of(drop), Expected::Absent, claim_by(1))).collect();
    // 64 at once can fail at the beginning, when all of their tries fall into the throttled ones; asked again, all are granted.
    let outcomes = claimed(&ledger, &wanted).await;
    assert!(outcomes.iter().all(|outcome| *outcome == ClaimOutcome::Granted));
}

/// A connection that died without a word costs one try, and not the invocation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_connection_is_given_up() {
    use aws_sdk_dynamodb::config::retry::RetryConfig;
    use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
    let proxy = Proxy::start(&endpoint(), |n, _| if n < 2 { Fate::Silent } else { Fate::Pass }).await;
    let patience = TimeoutConfig::builder().operation_attempt_timeout(std::time::Duration::from_secs(5)).build();
    // More tries than the two that are lost: on a busy machine an answer may take as long as a silence.
    let tries = RetryConfig::standard().with_max_attempts(8);
    let impatient = settings(&proxy.endpoint).timeout_config(patience).retry_config(tries).build();
    let impatient = aws_sdk_dynamodb::Client::from_conf(impatient);
    let ledger = DynamoLedger::new(impatient, new_table().await);
    assert_eq!(ledger.claim(&[(drop_of(1), Expected::Absent, claim_by(1))]).await.unwrap(), [ClaimOutcome::Granted]);
    assert_eq!(proxy.faults(), 2);
    let direct = DynamoLedger::new(client(&endpoint()), new_table().await);
    assert_eq!(direct.claims(&[drop_of(1)]).await.unwrap(), [None]);
}
