//! Drops that nobody has time enough for: they come to an end, and nobody else does for them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use drops::notification::Notification;
use ledger::{BatchRecord, Ledger};
use runs::Fate;

use super::world::*;

const HEAVY: &str = "orders/heavy.json";

/// A world with a drop that outlasts every invocation, and nothing else that waits.
async fn world() -> World {
    let mut world = World::new().await;
    world.drop("orders/first.json", r#"{"a":1}"#);
    assert_eq!(world.deliver().await, 0);
    world.drop(HEAVY, "{\"a\":1}\n".repeat(9_000));
    world.change(HEAVY, |object| object.heavy = Duration::from_secs(200));
    world
}

async fn void(world: &World) -> Vec<BatchRecord> {
    let batches = world.ledger.batches(&"orders".parse().unwrap(), None, 100).await.unwrap();
    batches.into_iter().map(|(_, record)| record).filter(|record| record.sealed().is_none()).collect()
}

#[tokio::test]
async fn a_drop_that_outlasts_the_last_function_twice_alone_is_quarantined() {
    let mut world = world().await;
    assert_eq!((world.deliver_to_large().await, world.waits()), (1, vec![0]), "at once, it is tried again");
    assert_eq!(world.quarantined(HEAVY).await, None);
    assert_eq!(void(&world).await, [BatchRecord::Aborted]);
    assert_eq!(world.deliver_to_large().await, 0);
    assert_eq!(world.quarantined(HEAVY).await, Some(true));
    assert_eq!((world.held().await.1, world.counted("QuarantinedDrops")), (1, 1));
    let manifests = world.manifests().await;
    let held = manifests.iter().flat_map(|manifest| &manifest.held).find(|drop| drop.key == HEAVY).unwrap();
    let Fate::Quarantined { reason } = &held.fate else { panic!("{held:?}") };
    for part in [
        "could not be read within 200 seconds alone",
        "1 earlier try",
        "more memory",
        "a prefix that no pipeline reads, and ingest it from there by `lithify run`",
    ] {
        assert!(reason.contains(part), "{part} is not in {reason}");
    }
    // The same bytes are known; others are read.
    let known = world.notification(HEAVY);
    world.notify(&known);
    assert_eq!((world.deliver().await, world.held().await.1), (0, 1));
    world.drop(HEAVY, r#"{"a":2}"#);
    assert_eq!((world.deliver().await, world.held().await.1), (0, 2));
    let staged = world.files().into_iter().filter(|name| name.contains("staging")).count();
    assert_eq!(staged, 2, "nothing is left of what was not read to its end");
}

/// What replaced it is read before it is judged: it was not that which outlasted anything.
#[tokio::test]
async fn what_replaced_a_drop_that_outlasts_is_given_its_own_time() {
    let mut world = world().await;
    assert_eq!(world.deliver_to_large().await, 1);
    world.drop(HEAVY, "{\"a\":2}\n".repeat(9_000));
    assert_eq!((world.deliver_to_large().await, world.held().await.1), (0, 9_001));
    assert_eq!(world.counted("QuarantinedDrops"), 0);
}

/// In a batch with others it is not told whose time it was: that is no try of its own, and they are well.
#[tokio::test]
async fn neighbours_of_a_drop_that_outlasts_are_ingested_and_only_its_own_batches_count() {
    let mut world = world().await;
    for (round, tries) in [(0, 0), (1, 1), (2, 1)] {
        world.drop(&format!("orders/{round}.json"), r#"{"a":1}"#);
        // Its neighbour's turn is before its own.
        world.queue.sort_by_key(|(_, body, _)| body.contains("heavy"));
        assert_eq!(world.deliver_to_large().await, usize::from(round < 2), "{round}");
        assert_eq!(void(&world).await, vec![BatchRecord::Aborted; tries], "{round}");
        assert_eq!(world.quarantined(&format!("orders/{round}.json")).await, Some(false));
        assert_eq!(world.quarantined(HEAVY).await, (round == 2).then_some(true));
    }
    assert_eq!((world.held().await.1, world.counted("QuarantinedDrops")), (4, 1));
}

#[tokio::test]
async fn what_comes_slowly_is_passing_however_often() {
    let mut world = world().await;
    for _ in 0..6 {
        world.change(HEAVY, |object| (object.heavy, object.slow) = (Duration::ZERO, true));
        assert_eq!(world.deliver_to_large().await, 1);
    }
    assert_eq!(void(&world).await, vec![BatchRecord::GivenUp; 6]);
    assert_eq!((world.deliver_to_large().await, world.counted("QuarantinedDrops")), (0, 0));
}

/// Of the 108 seconds that are there to read something goes before it is begun.
#[tokio::test]
async fn a_drop_that_is_begun_late_was_not_given_the_whole_time() {
    for (seconds_before, record) in [(20, BatchRecord::Aborted), (50, BatchRecord::GivenUp)] {
        let mut world = world().await;
        world.change(HEAVY, |object| object.heavy = Duration::from_secs(110 - seconds_before));
        let told = world.notification(HEAVY);
        world.queue.clear();
        // Its size must be asked for.
        world.notify(&Notification { size: None, ..told });
        world.bucket.heads_take.store(seconds_before, Ordering::Relaxed);
        assert_eq!(world.deliver_to_large().await, 1);
        assert_eq!(void(&world).await, [record], "{seconds_before} seconds before");
    }
}

#[tokio::test]
async fn where_another_function_has_more_time_nothing_counts() {
    let mut world = world().await;
    let told = world.queue.clone();
    for _ in 0..4 {
        world.queue = told.clone();
        assert_eq!(world.deliver().await, 0, "it is handed on");
    }
    assert_eq!(void(&world).await, vec![BatchRecord::GivenUp; 4]);
    assert_eq!(world.quarantined(HEAVY).await, None);
}
