//! Time that is lacking, requests that hang, and neighbours that die: none of it is held against a drop that is well.

use std::sync::atomic::Ordering;

use drops::Timestamp;
use drops::notification::Notification;
use ledger::{BatchRecord, Ledger};
use runtime::Clock;

use super::super::RENEWED_AT;
use super::world::*;

#[tokio::test]
async fn a_drop_whose_reading_hangs_is_given_up_and_never_quarantined() {
    let mut world = World::new().await;
    world.drop("orders/first.json", r#"{"a":1}"#);
    world.deliver().await;
    world.drop("orders/hangs.json", r#"{"a":2}"#);
    world.change("orders/hangs.json", |object| object.hangs = true);
    for round in 1..=2 {
        // A fifth of a second more than is kept for what follows reading, so that it is begun. Real time passes here: five seconds of it, until
        // what is kept for giving up.
        let mut told = world.told();
        told.deadline = Timestamp(world.clock.now().0 + 10_200_000);
        assert_eq!(world.deliver_until(told).await, 1);
        // The batch says of itself that nothing died of it: nobody has to wait until its claim is old.
        let batches = world.ledger.batches(&"orders".parse().unwrap(), None, 100).await.unwrap();
        let void: Vec<_> = batches.into_iter().map(|(_, record)| record).filter(|one| one.sealed().is_none()).collect();
        assert_eq!(void, vec![BatchRecord::GivenUp; round]);
    }
    assert_eq!(world.quarantined("orders/hangs.json").await, None);
    world.change("orders/hangs.json", |object| object.hangs = false);
    assert_eq!(world.deliver().await, 0);
    // Those who hung wake up, and find their batches void.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!((world.held().await.1, world.counted("QuarantinedDrops")), (2, 0));
}

/// A question that is not answered holds up nobody but the drop that it is about.
#[tokio::test]
async fn what_is_asked_and_not_answered_holds_nobody_up() {
    for pipeline in [ORDERS.to_owned(), ORDERS.replace("}", r#", "overwrites": "ingest" }"#)] {
        let mut world = World::with(&pipeline).await;
        world.open().await;
        world.drop("orders/0-hangs.json", r#"{"a":1}"#);
        let told = world.put("orders/1-hangs.json", r#"{"a":2}"#);
        world.notify(&Notification { etag: None, size: None, ..told });
        world.drop("orders/good.json", r#"{"a":3}"#);
        let told = world.put("orders/asked.json", r#"{"a":4}"#);
        world.notify(&Notification { size: None, ..told });
        world.bucket.hangs_heads.store(true, Ordering::Relaxed);
        // A second more than is kept for what follows reading, so that half a second is there for answers: real time passes here.
        let mut told = world.told();
        told.deadline = Timestamp(world.clock.now().0 + 11_200_000);
        assert_eq!((world.deliver_until(told).await, world.waits()), (1, vec![5]), "{pipeline}");
        assert_eq!((world.held().await.1, world.counted("MissingObjects")), (3, 0));
        world.bucket.hangs_heads.store(false, Ordering::Relaxed);
        assert_eq!((world.deliver().await, world.held().await.1), (0, 4));
    }
}

#[test]
fn a_pipeline_with_many_drops_takes_no_time_from_one_with_few() {
    let lanes = [2, 0, 2, 2, 1, 0];
    let turns = super::super::turns(lanes.into_iter().enumerate().map(|(place, lane)| (lane, place)));
    assert_eq!(turns, [(1, vec![4]), (0, vec![1, 5]), (2, vec![0, 2, 3])]);
}

#[tokio::test]
async fn what_time_was_lacking_for_is_no_suspect_however_late_it_comes() {
    let mut world = World::new().await;
    world.drop("orders/first.json", r#"{"a":1}"#);
    world.deliver().await;
    world.drop("orders/a.json", r#"{"a":2}"#);
    for _ in 0..3 {
        let mut told = world.told();
        told.deadline = world.clock.now();
        assert_eq!(world.deliver_until(told).await, 1);
        world.clock.pass(CLAIM_TIME + MINUTE);
    }
    for at in 0..9 {
        world.drop(&format!("orders/b{at}.json"), r#"{"a":3}"#);
    }
    let batches = world.held().await.2;
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.held().await.2, batches + 1, "all in one batch: nobody is suspected");
    assert_eq!(world.counted("LeftOut"), 3);
}

#[tokio::test]
async fn a_turn_that_does_not_come_makes_no_dead_letter() {
    let mut world = World::new().await;
    world.drop("orders/a.json", r#"{"a":1}"#);
    for round in 0..30 {
        let mut told = world.told();
        told.deadline = world.clock.now();
        assert_eq!(world.deliver_until(told).await, 1);
        let receives = world.queue[0].2;
        assert!(receives < RECEIVES_MAX, "round {round}: received {receives} times");
    }
    assert!(world.renewed > 3, "{}", world.renewed);
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.held().await.1, 1);
}

#[tokio::test]
async fn many_deadly_drops_make_no_dead_letters_of_their_neighbours() {
    let mut world = World::new().await;
    world.drop("orders/first.json", r#"{"a":1}"#);
    world.deliver().await;
    for at in 0..60 {
        let key = format!("orders/{at:02}.json");
        world.drop(&key, r#"{"a":1}"#);
        if at % 4 == 0 {
            world.change(&key, |object| object.deadly = true);
        }
    }
    let mut rounds = 0;
    while world.deliver().await > 0 {
        let most = world.queue.iter().map(|(_, _, receives)| *receives).max().unwrap();
        assert!(most < RECEIVES_MAX, "a message was received {most} times");
        world.clock.pass(CLAIM_TIME + MINUTE);
        rounds += 1;
        assert!(rounds < 200, "{} messages are left", world.queue.len());
    }
    let (held, rows, _) = world.held().await;
    assert!(held.len() == 61 && held.values().all(|times| *times == 1), "{held:?}");
    assert_eq!(rows, 46);
    for at in 0..60 {
        let deadly = at % 4 == 0;
        assert_eq!(world.quarantined(&format!("orders/{at:02}.json")).await, Some(deadly), "{at}");
    }
}

#[tokio::test]
async fn of_two_suspects_the_one_with_few_receives_left_waits() {
    let mut world = World::new().await;
    world.drop("orders/first.json", r#"{"a":1}"#);
    world.deliver().await;
    for key in ["orders/a.json", "orders/b.json"] {
        world.drop(key, r#"{"a":2}"#);
    }
    world.change("orders/a.json", |object| object.deadly = true);
    assert_eq!(world.deliver().await, 2, "they die together");
    world.change("orders/a.json", |object| object.deadly = false);
    world.clock.pass(CLAIM_TIME + MINUTE);
    world.queue[1].2 = RENEWED_AT;
    assert_eq!((world.deliver().await, world.renewed), (1, 1), "the second comes as a new message");
    assert_eq!(world.quarantined("orders/b.json").await, None);
    // One that is alone is run, however often it came: nobody else's receives are used up.
    world.queue[0].2 = RENEWED_AT;
    assert_eq!((world.deliver().await, world.renewed), (0, 1));
    assert_eq!(world.held().await.1, 3);
}
