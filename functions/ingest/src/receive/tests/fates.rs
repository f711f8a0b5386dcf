//! I-4, I-2 and L-1 over random fates: whatever happens to drops and invocations, a message is acknowledged only when its drops are final,
//! handed on or gone; no two sealed batches hold a drop; and once faults stop, nothing is left.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use drops::Timestamp;
use drops::notification::{Notification, read};
use proptest::prelude::*;

use super::world::*;

/// What befalls a drop.
#[derive(Clone, Debug)]
enum Lot {
    Good,
    Unreadable,
    Denied(u32),
    Gone,
    Replaced,
    Deadly,
    Large,
    Slow,
}

/// What happens in one round.
#[derive(Clone, Debug)]
struct Round {
    /// Seconds that pass before it.
    pause: u64,
    /// Seconds that the invocation has.
    time: i64,
    /// Whether queues refuse what is sent.
    refuses: bool,
    /// Which drops' messages come.
    delivered: Vec<bool>,
}

fn lot() -> impl Strategy<Value = Lot> {
    prop_oneof![
        4 => Just(Lot::Good),
        1 => Just(Lot::Unreadable),
        2 => (1..5_u32).prop_map(Lot::Denied),
        1 => Just(Lot::Gone),
        1 => Just(Lot::Replaced),
        1 => Just(Lot::Deadly),
        1 => Just(Lot::Large),
        1 => Just(Lot::Slow),
    ]
}

fn round() -> impl Strategy<Value = Round> {
    let pause = prop_oneof![Just(0), Just(60), Just(1_020), Just(5_000)];
    let time = prop_oneof![3 => Just(120_i64), 1 => Just(5)];
    (pause, time, proptest::bool::weighted(0.2), proptest::collection::vec(any::<bool>(), 12))
        .prop_map(|(pause, time, refuses, delivered)| Round { pause, time, refuses, delivered })
}

fn key(at: usize) -> String {
    format!("orders/{at}.json")
}

async fn play(lots: Vec<Lot>, rounds: Vec<Round>) {
    let mut world = World::new().await;
    for (at, lot) in lots.iter().enumerate() {
        let key = key(at);
        let content = match lot {
            Lot::Unreadable => vec![0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8],
            Lot::Large => "{\"a\":1}\n".repeat(15_000).into_bytes(),
            _ => br#"{"a":1}"#.to_vec(),
        };
        world.drop(&key, content);
        match lot {
            Lot::Denied(times) => world.change(&key, |object| object.denied = *times),
            Lot::Gone => world.remove(&key),
            Lot::Replaced => world.change(&key, |object| object.replaced_by = Some(br#"{"a":2}"#.to_vec())),
            Lot::Deadly => world.change(&key, |object| object.deadly = true),
            Lot::Slow => world.change(&key, |object| object.slow = true),
            Lot::Good | Lot::Unreadable | Lot::Large => {}
        }
    }
    // Every other message comes twice.
    let twice: Vec<String> = world.queue.iter().step_by(2).map(|(_, body, _)| body.clone()).collect();
    twice.iter().for_each(|body| world.message(body));

    for round in &rounds {
        world.clock.pass(std::time::Duration::from_secs(round.pause));
        world.sent.refuses.store(round.refuses, Ordering::Relaxed);
        let (comes, stays): (Vec<_>, Vec<_>) =
            std::mem::take(&mut world.queue).into_iter().enumerate().partition(|(at, _)| round.delivered[at % 12]);
        world.queue = comes.into_iter().map(|(_, message)| message).collect();
        let before = world.queue.clone();
        let mut told = world.told();
        told.deadline = Timestamp(told.deadline.0 - 120_000_000 + round.time * 1_000_000);
        world.deliver_until(told).await;
        let open: BTreeSet<String> = world.queue.iter().map(|(id, ..)| id.clone()).collect();
        for (id, body, _) in before.iter().filter(|(id, ..)| !open.contains(id)) {
            let anew = world.queue.iter().filter(|(id, ..)| !before.iter().any(|(old, ..)| old == id));
            acknowledged_rightly(&world, id, body, anew.map(|(_, body, _)| body.as_str())).await;
        }
        world.queue.extend(stays.into_iter().map(|(_, message)| message));
    }

    world.sent.refuses.store(false, Ordering::Relaxed);
    for _ in 0..20 {
        if world.queue.is_empty() {
            break;
        }
        world.clock.pass(CLAIM_TIME + MINUTE);
        world.deliver().await;
    }
    assert!(world.queue.is_empty(), "L-1: {:?}", world.queue);
    let (held, _, _) = world.held().await;
    assert!(held.values().all(|times| *times == 1), "I-2: {held:?}");
    for (at, lot) in lots.iter().enumerate() {
        let stands = world.quarantined(&key(at)).await;
        match lot {
            Lot::Good | Lot::Denied(_) | Lot::Replaced => assert_eq!(stands, Some(false), "{at}: {lot:?}"),
            Lot::Unreadable | Lot::Deadly => assert_eq!(stands, Some(true), "{at}: {lot:?}"),
            Lot::Gone => assert_eq!(stands, None),
            Lot::Large => assert!(stands.is_none() && handed_on(&world, &key(at))),
            Lot::Slow => assert!(stands == Some(false) || handed_on(&world, &key(at)), "{at}: {lot:?} {stands:?}"),
        }
    }
}

fn handed_on(world: &World, key: &str) -> bool {
    world
        .sent
        .messages
        .lock()
        .unwrap()
        .iter()
        .any(|(queue, message)| queue == LARGE_QUEUE && message.body.contains(key))
}

/// `anew` are the messages that were sent in place of acknowledged ones: they answer for their drops from now on.
async fn acknowledged_rightly(world: &World, id: &str, body: &str, anew: impl Iterator<Item = &str>) {
    let anew: Vec<Notification> = anew.flat_map(|body| read(body).unwrap().notifications).collect();
    for notification in read(body).unwrap().notifications {
        let is_final = world.quarantined(&notification.key).await.is_some();
        let gone = !world.bucket.objects.lock().unwrap().contains_key(&notification.key);
        let comes = handed_on(world, &notification.key) || anew.iter().any(|one| one.key == notification.key);
        assert!(is_final || gone || comes, "I-4: {id} {}", notification.key);
    }
}

/// Sixty, or as many as `PROPTEST_CASES` says.
fn cases() -> ProptestConfig {
    let config = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { 60 };
    ProptestConfig { cases, ..config }
}

proptest! {
    #![proptest_config(cases())]
    #[test]
    fn whatever_happens_nothing_is_lost_and_nothing_doubled(
        lots in proptest::collection::vec(lot(), 1..7),
        rounds in proptest::collection::vec(round(), 0..7),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(play(lots, rounds));
    }
}
