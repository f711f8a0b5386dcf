//! Histories of random calls, made by a seed: the ledger in DynamoDB, with faults in between, must answer as the embedded one does.

use std::collections::BTreeMap;

use drops::{BatchId, DropId, PipelineName, Timestamp};
use ledger::{
    Claim, EmbeddedLedger, Expected, Intent, Lease, LeaseOutcome, Ledger, LedgerError, PipelineSettings, Sealed,
};

use tokio::task::JoinSet;

use crate::proxy::{Fate, Proxy, mixed};
use crate::{endpoint, ledger_at};

const STEPS: u64 = 150;
const SEEDS: u64 = 32;

/// Random numbers of one seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = mixed(self.0);
        self.0 % limit
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> Option<&'t T> {
        let index = usize::try_from(self.below(from.len().max(1) as u64)).unwrap();
        from.get(index)
    }
}

/// What is known from the answers so far: calls are made of it, so that they hit what stands.
#[derive(Default)]
struct Known {
    leases: Vec<Lease>,
    sealed: Vec<(BatchId, Sealed)>,
}

fn pipeline(dice: &mut Dice) -> PipelineName {
    ["p", "q"][usize::try_from(dice.below(2)).unwrap()].parse().unwrap()
}

fn batch(n: u64) -> BatchId {
    BatchId::from_parts(1_700_000_000_000 + n, u128::from(n))
}

/// One of few drops; those of one pipeline all have a version.
fn drop_of(dice: &mut Dice) -> DropId {
    let key = ["a", "b/c", "b/c@1", "é+ %"][usize::try_from(dice.below(4)).unwrap()].to_owned();
    let (pipeline, number) = (pipeline(dice), dice.below(2));
    let version = (pipeline.as_str() == "q").then(|| number.to_string());
    DropId { pipeline, bucket: "bucket".into(), key, version }
}

fn sealed(dice: &mut Dice, n: u64) -> Sealed {
    Sealed {
        pipeline: pipeline(dice),
        manifest: format!("staging/{n}"),
        digest: format!("{n:x}"),
        drops: n,
        quarantined_drops: 1,
        rows: 2 * n,
        rescued_rows: 3,
        quarantined_records: 4,
        source_bytes: 5 * n,
        staged_bytes: 6 * n,
        at: Timestamp(9_000 - n.cast_signed()),
    }
}

/// An answer, or that there was none: what an error says differs by ledger, that it is no passing one must not.
fn told<T: std::fmt::Debug>(result: Result<T, LedgerError>) -> String {
    match result {
        Ok(answer) => format!("{answer:?}"),
        Err(error) => {
            assert!(!error.passing, "{error}");
            "refused".to_owned()
        }
    }
}

/// Both ledgers' answers to one call.
macro_rules! both {
    ($ledgers:expr, $ledger:ident => $call:expr) => {{
        let $ledger: &dyn Ledger = $ledgers.0;
        let real = $call.await;
        let $ledger: &dyn Ledger = $ledgers.1;
        let model = $call.await;
        (stringify!($call), told(real), told(model))
    }};
}

type Both<'l> = (&'l dyn Ledger, &'l dyn Ledger);
type Answers = (&'static str, String, String);

/// Calls about drops and batches. Every step has a number of its own, so that no batch takes a drop over twice.
async fn drops_and_batches(ledgers: Both<'_>, dice: &mut Dice, known: &mut Known, step: u64) -> Answers {
    let (p, recent) = (&pipeline(dice), batch(step.saturating_sub(dice.below(12))));
    match dice.below(9) {
        0..3 => {
            let ids: Vec<_> = (0..6).map(|_| drop_of(dice)).collect();
            let stands = ledgers.1.claims(&ids).await.unwrap();
            let claim = |n| Claim {
                batch: batch(n),
                holder: format!("h{n}"),
                at: Timestamp(n.cast_signed()),
                etag: format!("e{n}"),
                aborted: 1,
                aborted_alone: 0,
            };
            let expect = |stands: Option<Claim>, guess| match stands {
                Some(claim) if guess > 0 => Expected::HeldBy(claim.batch),
                _ => Expected::Absent,
            };
            let wanted: Vec<_> = ids
                .into_iter()
                .zip(stands)
                .map(|(id, stands)| (id, expect(stands, dice.below(3)), claim(step)))
                .collect();
            let wanted = &wanted;
            both!(ledgers, ledger => ledger.claim(wanted))
        }
        3 if dice.below(2) == 0 => both!(ledgers, ledger => ledger.abort(p, recent)),
        3 => both!(ledgers, ledger => ledger.give_up(p, recent)),
        4..6 => {
            let id = batch(step + dice.below(2));
            let mut record = sealed(dice, step);
            if let (1, Some((_, known))) = (dice.below(2), known.sealed.last()) {
                record = known.clone();
            }
            let id = known.sealed.iter().find(|(_, known)| *known == record).map_or(id, |(id, _)| *id);
            known.sealed.push((id, record.clone()));
            let record = &record;
            both!(ledgers, ledger => ledger.seal(id, record))
        }
        6..8 => {
            let ids: Vec<_> = (0..4).filter_map(|_| dice.pick(&known.sealed).map(|(id, _)| *id)).collect();
            let (ids, version) = (&ids, dice.below(2));
            both!(ledgers, ledger => ledger.mark_committed(ids, version))
        }
        _ => both!(ledgers, ledger => ledger.batch(recent)),
    }
}

/// Calls about pipelines and tables.
async fn pipelines_and_tables(ledgers: Both<'_>, dice: &mut Dice, known: &mut Known, step: u64) -> Answers {
    let (p, number) = (&pipeline(dice), dice.below(12));
    let expires = Timestamp(step.cast_signed());
    match dice.below(8) {
        0 => {
            let (list, digest) = (format!("l{}", dice.below(2)), String::new());
            let intent = &Intent { number, predecessor: None, list, digest, at: Timestamp(1) };
            both!(ledgers, ledger => ledger.reserve_intent(p, intent))
        }
        1 => both!(ledgers, ledger => ledger.move_head(p, number)),
        2 => {
            let (source, ledger_id, table_id) = (format!("s3://in/{step}"), "l".into(), "t".into());
            let at = Timestamp(1);
            let table = None;
            let settings =
                &PipelineSettings { source, identity_holds_version: false, ledger: ledger_id, table_id, table, at };
            both!(ledgers, ledger => ledger.fix_settings(p, settings))
        }
        3 => {
            // As callers do: the number above the newest, or one that was the newest a moment ago.
            let newest = ledgers.1.newest_schema("t").await.unwrap().map_or(0, |(number, _)| number);
            let (number, text) = (newest + dice.below(2), "x".repeat(usize::try_from(step * 60).unwrap()));
            let text = &text;
            both!(ledgers, ledger => ledger.add_schema("t", number, text))
        }
        4..6 => {
            let owner = ["x", "y", "z"][usize::try_from(dice.below(3)).unwrap()];
            let seen = dice.pick(&known.leases[known.leases.len().saturating_sub(2)..]).cloned();
            let seen = seen.as_ref();
            let answers = both!(ledgers, ledger => ledger.acquire_lease("t", owner, expires, seen));
            let stands = ledgers.1.acquire_lease("t", "nobody", expires, None).await.unwrap();
            match stands {
                LeaseOutcome::Held(lease) => known.leases.push(lease),
                LeaseOutcome::Granted(lease) => panic!("somebody holds it: {lease:?}"),
            }
            answers
        }
        6 => match dice.pick(&known.leases).cloned() {
            Some(lease) => {
                let lease = &lease;
                both!(ledgers, ledger => ledger.renew_lease("t", lease, expires))
            }
            None => both!(ledgers, ledger => ledger.pipelines()),
        },
        _ => match known.leases.last().cloned() {
            Some(lease) => {
                let lease = &lease;
                both!(ledgers, ledger => ledger.release_lease("t", lease))
            }
            None => both!(ledgers, ledger => ledger.head(p)),
        },
    }
}

/// Everything that both ledgers hold at the end.
async fn compare(ledgers: Both<'_>, seed: u64) {
    for name in ["p", "q"] {
        let p = &name.parse::<PipelineName>().unwrap();
        for (call, real, model) in [
            both!(ledgers, ledger => ledger.batches(p, None, 1_000)),
            both!(ledgers, ledger => ledger.count_claims(p)),
            both!(ledgers, ledger => ledger.staged(p)),
            both!(ledgers, ledger => ledger.staged_totals(p)),
            both!(ledgers, ledger => ledger.head(p)),
            both!(ledgers, ledger => ledger.settings(p)),
            both!(ledgers, ledger => ledger.pipelines()),
            both!(ledgers, ledger => ledger.newest_schema("t")),
        ] {
            assert_eq!(real, model, "seed {seed}, at the end: {call}");
        }
        for number in 0..12 {
            let (_, real, model) = both!(ledgers, ledger => ledger.intent(p, number));
            assert_eq!(real, model, "seed {seed}, intent {number}");
        }
    }
}

/// How often each call was answered, and how often refused.
type Calls = BTreeMap<(&'static str, bool), u64>;

async fn history_at(seed: u64) -> Calls {
    const FAULTS: [Fate; 6] = [
        Fate::Lost,
        Fate::AnswerLost,
        Fate::AnswerLost,
        Fate::Late,
        Fate::Refused(400, "ThrottlingException"),
        Fate::Refused(500, "InternalServerError"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::faulty(&endpoint(), seed, 5, &FAULTS).await;
    let real = ledger_at(&proxy.endpoint).await;
    let model = EmbeddedLedger::open(&folder.path().join("model"), "model".into()).unwrap();
    let ledgers: Both<'_> = (&real, &model);
    let (mut dice, mut known, mut calls) = (Dice(mixed(seed)), Known::default(), Calls::new());
    for step in 1..=STEPS {
        let (call, real, model) = match dice.below(2) {
            0 => drops_and_batches(ledgers, &mut dice, &mut known, step).await,
            _ => pipelines_and_tables(ledgers, &mut dice, &mut known, step).await,
        };
        assert_eq!(real, model, "seed {seed}, step {step}: {call}");
        *calls.entry((call, real == "refused")).or_default() += 1;
    }
    compare(ledgers, seed).await;
    assert!(proxy.faults() > 20, "only {} faults were made", proxy.faults());
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_those_of_the_model() {
    let mut seeds: JoinSet<Calls> = (0..SEEDS).map(history_at).collect();
    let mut calls = Calls::new();
    while let Some(history) = seeds.join_next().await {
        for (call, count) in history.unwrap() {
            *calls.entry(call).or_default() += count;
        }
    }
    // Histories in which nothing succeeds, or nothing is refused, would prove little.
    for call in ["ledger.claim(wanted)", "ledger.seal(id, record)", "ledger.mark_committed(ids, version)"] {
        assert!(calls.get(&(call, false)).is_some_and(|count| *count > 50), "{calls:?}");
    }
    assert!(calls.get(&("ledger.mark_committed(ids, version)", true)).is_some_and(|count| *count > 50), "{calls:?}");
}
