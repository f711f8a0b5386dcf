use std::sync::Arc;
use std::sync::atomic::Ordering;

use drops::notification::Notification;
use drops::{BatchId, DroppedObject, Timestamp};
use ledger::{
    Claim, ClaimOutcome, EmbeddedLedger, Expected, Ledger, Liveness, SealOutcome, Sealed, Suspect, drop_hash,
};
use runs::Manifest;
use runtime::Clock;
use store::Store;
use tokio::runtime::Handle;

use super::super::Call;
use super::world::*;
use crate::{Right, Standing, Suspicion};

#[tokio::test]
async fn a_deadly_drop_runs_alone_the_second_time_and_is_quarantined_the_third() {
    let mut world = World::new().await;
    for at in 0..4 {
        world.drop(&format!("orders/{at}.json"), r#"{"a":1}"#);
    }
    world.drop("orders/deadly.json", r#"{"a":2}"#);
    world.change("orders/deadly.json", |object| object.deadly = true);
    for at in 5..8 {
        world.drop(&format!("orders/{at}.json"), r#"{"a":1}"#);
    }
    assert_eq!(world.deliver().await, 8, "a death is no success");
    assert_eq!(world.deliver().await, 8, "its claims are young: someone may be at work");
    world.clock.pass(CLAIM_TIME + MINUTE);
    assert_eq!(world.deliver().await, 8, "alone, it ends the second invocation");
    assert_eq!(world.held().await.0.len(), 4, "its neighbours before it are staged");
    world.clock.pass(CLAIM_TIME + MINUTE);
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.quarantined("orders/deadly.json").await, Some(true));
    let (held, rows, _) = world.held().await;
    assert!(held.len() == 8 && held.values().all(|times| *times == 1) && rows == 7, "{held:?}");
}

/// Each delivery looks for a current object first, in vain: that is no try, and does not wash off what died of it before.
#[tokio::test]
async fn a_deadly_drop_behind_a_delete_marker_is_found_out_as_well() {
    let mut world = World::new().await;
    world.bucket.versions.store(true, Ordering::Relaxed);
    world.drop("orders/first.json", r#"{"a":1}"#);
    assert_eq!(world.deliver().await, 0);
    let told = world.put("orders/deadly.json", r#"{"a":2}"#);
    world.change("orders/deadly.json", |object| (object.deadly, object.deleted) = (true, true));
    world.notify(&Notification { version_id: Some(version_of(br#"{"a":2}"#)), ..told });
    for _ in 0..2 {
        assert_eq!(world.deliver().await, 1);
        world.clock.pass(CLAIM_TIME + MINUTE);
    }
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.quarantined("orders/deadly.json").await, Some(true));
}

#[tokio::test]
async fn one_that_comes_alone_is_tried_twice_as_well() {
    let mut world = World::new().await;
    world.drop("orders/first.json", r#"{"a":1}"#);
    world.deliver().await;
    world.drop("orders/deadly.json", r#"{"a":2}"#);
    world.change("orders/deadly.json", |object| object.deadly = true);
    for _ in 0..2 {
        assert_eq!(world.deliver().await, 1);
        assert_eq!(world.quarantined("orders/deadly.json").await, None);
        world.clock.pass(CLAIM_TIME + MINUTE);
    }
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.quarantined("orders/deadly.json").await, Some(true));
    // Repaired, it is ingested.
    world.drop("orders/deadly.json", r#"{"a":3}"#);
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.held().await.1, 2);
}

#[tokio::test]
async fn what_replaced_a_deadly_content_is_read_before_it_is_judged() {
    for also_deadly in [false, true] {
        let mut world = World::new().await;
        world.drop("orders/first.json", r#"{"a":1}"#);
        world.deliver().await;
        world.drop("orders/deadly.json", r#"{"a":2}"#);
        world.change("orders/deadly.json", |object| object.deadly = true);
        for _ in 0..2 {
            assert_eq!(world.deliver().await, 1);
            world.clock.pass(CLAIM_TIME + MINUTE);
        }
        // Mended before it was quarantined.
        world.drop("orders/deadly.json", r#"{"a":3}"#);
        world.change("orders/deadly.json", |object| object.deadly = also_deadly);
        if also_deadly {
            assert!(world.deliver().await > 0, "it is read");
            world.clock.pass(CLAIM_TIME + MINUTE);
        }
        assert_eq!(world.deliver().await, 0);
        let (quarantined, rows) = (world.quarantined("orders/deadly.json").await, world.held().await.1);
        assert_eq!((quarantined, rows), (Some(also_deadly), if also_deadly { 1 } else { 2 }));
    }
}

#[tokio::test]
async fn a_death_that_was_the_machines_quarantines_nothing() {
    let mut world = World::new().await;
    world.drop("orders/first.json", r#"{"a":1}"#);
    world.deliver().await;
    for key in ["orders/a.json", "orders/b.json"] {
        world.drop(key, r#"{"a":2}"#);
    }
    world.change("orders/a.json", |object| object.deadly = true);
    assert_eq!(world.deliver().await, 2);
    world.change("orders/a.json", |object| object.deadly = false);
    world.clock.pass(CLAIM_TIME + MINUTE);
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.held().await.1, 3);
    assert_eq!(world.counted("QuarantinedDrops"), 0);
}

#[tokio::test]
async fn what_another_invocation_works_on_comes_again() {
    let mut world = World::new().await;
    world.drop("orders/a.json", r#"{"a":1}"#);
    let id = drops::DropId {
        pipeline: "orders".parse().unwrap(),
        bucket: BUCKET.into(),
        key: "orders/a.json".into(),
        version: None,
    };
    let claim = Claim {
        batch: BatchId::from_parts(1, 1),
        holder: "another".into(),
        at: world.clock.now(),
        etag: "e".into(),
        aborted: 0,
        aborted_alone: 0,
    };
    let outcome = world.ledger.claim(&[(id, Expected::Absent, claim)]).await.unwrap();
    assert_eq!(outcome, [ClaimOutcome::Granted]);
    assert_eq!((world.deliver().await, world.waits()), (1, vec![5]));
    assert_eq!((world.deliver().await, world.waits()), (1, vec![10]));
    world.clock.pass(CLAIM_TIME + MINUTE);
    assert_eq!((world.deliver().await, world.held().await.1), (0, 1));
}

/// Takes everybody for dead, of this.
struct DeadOf(Suspect);

impl Liveness for DeadOf {
    fn is_dead(&self, _: &str, _: Timestamp, _: Timestamp) -> bool {
        true
    }

    fn suspect(&self, _: &str, _: BatchId) -> Suspect {
        self.0
    }
}

/// Seals a batch when its holder is taken for dead: it was alive after all, and the word of its death comes too late.
struct SealsFirst {
    ledger: Arc<EmbeddedLedger>,
    batch: BatchId,
    sealed: Sealed,
}

impl Liveness for SealsFirst {
    fn is_dead(&self, _: &str, _: Timestamp, _: Timestamp) -> bool {
        let seal = self.ledger.seal(self.batch, &self.sealed);
        let outcome = tokio::task::block_in_place(|| Handle::current().block_on(seal)).expect("an answer");
        assert_eq!(outcome, SealOutcome::Sealed);
        true
    }

    fn suspect(&self, _: &str, _: BatchId) -> Suspect {
        Suspect::None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_batch_left_out_that_was_sealed_before_it_could_be_aborted_is_open() {
    let world = World::new().await;
    let (lanes, batch) = (world.current(), BatchId::from_parts(1, 1));
    let object = DroppedObject {
        id: drop_id("orders/a.json"),
        etag: "e".into(),
        size: 1,
        modified: Timestamp(1),
        read_at: None,
    };
    let claim =
        Claim { batch, holder: "slow".into(), at: Timestamp(0), etag: "e".into(), aborted: 0, aborted_alone: 0 };
    let _ = world.ledger.claim(&[(object.id.clone(), Expected::Absent, claim)]).await.unwrap();
    let pipeline = object.id.pipeline.clone();
    let manifest =
        Manifest { batch, pipeline, schema_version: 0, held: Vec::new(), runs: Vec::new(), quarantine: None };
    let (content, digest) = manifest.encode().unwrap();
    world.state().put("manifests/slow.json", content).await.unwrap();
    let sealed = crate::describe(&manifest, "manifests/slow.json".into(), digest, Timestamp(2));
    let told = Call { request_id: "next".into(), deadline: Timestamp(i64::MAX) };
    let mut ingest = world.receiver.ingest(&lanes.lanes[0], &lanes, &told, world.bucket.clone());
    ingest.liveness = Arc::new(SealsFirst { ledger: world.ledger.clone(), batch, sealed });
    let standings = ingest.standings(&[object]).await.unwrap();
    assert_eq!(standings, [Standing::Open(Right::fresh(Expected::HeldBy(batch)))]);
}

#[tokio::test]
async fn who_is_suspected_by_name_is_suspected_alone() {
    let world = World::new().await;
    let lanes = world.current();
    let objects: Vec<DroppedObject> = ["orders/a.json", "orders/b.json"]
        .map(|key| DroppedObject { id: drop_id(key), etag: "e".into(), size: 1, modified: Timestamp(1), read_at: None })
        .into();
    let dead = BatchId::from_parts(1, 1);
    let claim =
        Claim { batch: dead, holder: "dead".into(), at: Timestamp(0), etag: "e".into(), aborted: 1, aborted_alone: 1 };
    let wanted: Vec<_> = objects.iter().map(|object| (object.id.clone(), Expected::Absent, claim.clone())).collect();
    let _ = world.ledger.claim(&wanted).await.unwrap();
    let fresh = Right::fresh(Expected::HeldBy(dead));
    let suspected = |suspect| Right { aborted: 2, aborted_alone: 1, suspect, ..fresh.clone() };
    let named = |key: &str| Suspect::Drop(drop_hash(&drop_id(key)));
    for (noted, rights) in [
        (Suspect::None, [fresh.clone(), fresh.clone()]),
        (Suspect::Any, [suspected(Suspicion::Batch), suspected(Suspicion::Batch)]),
        (named("orders/a.json"), [suspected(Suspicion::Drop), fresh.clone()]),
        (named("orders/b.json"), [fresh.clone(), suspected(Suspicion::Drop)]),
        (named("orders/c.json"), [fresh.clone(), fresh.clone()]),
    ] {
        let told = Call { request_id: "next".into(), deadline: Timestamp(i64::MAX) };
        let mut ingest = world.receiver.ingest(&lanes.lanes[0], &lanes, &told, world.bucket.clone());
        ingest.liveness = Arc::new(DeadOf(noted));
        let standings = ingest.standings(&objects).await.unwrap();
        assert_eq!(standings, rights.map(Standing::Open));
    }
}
