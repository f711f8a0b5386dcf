use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use drops::Timestamp;
use drops::notification::{Notification, forward};
use ledger::{EmbeddedLedger, Ledger, PipelineSettings};
use runtime::Clock;
use store::Store;

use super::super::lanes::Lanes;
use super::world::*;

#[tokio::test]
async fn every_message_twice_is_every_row_once() {
    let mut world = World::new().await;
    for at in 0..50 {
        let notification = world.put(&format!("orders/{at}.json"), format!("{{\"a\":{at}}}\n{{\"a\":-1}}"));
        world.notify(&notification);
        world.notify(&notification);
    }
    let again = world.queue.clone();
    assert_eq!(world.deliver().await, 0);
    world.queue = again;
    assert_eq!(world.deliver().await, 0);
    let (held, rows, batches) = world.held().await;
    assert_eq!((held.len(), rows, batches), (50, 100, 1));
    assert!(held.values().all(|times| *times == 1));
    assert_eq!((world.counted("Drops"), world.counted("Rows"), world.counted("Duplicates")), (50, 100, 50));
    assert_eq!(
        world.bucket.reads.load(Ordering::Relaxed),
        50,
        "the first batch tells the schema before it is ingested, and is kept meanwhile"
    );
}

#[tokio::test]
async fn messages_in_any_order_and_over_several_deliveries_are_every_row_once() {
    // Each way is another order of the same sixty messages, cut into deliveries elsewhere: forth, back, halves swapped, strides.
    for (step, turn, cut) in [(1, 0, 60), (59, 59, 7), (1, 30, 11), (7, 3, 1), (23, 41, 13)] {
        let mut world = World::new().await;
        for at in 0..30 {
            let key = format!("orders/{at:02}.json");
            let older = world.put(&key, format!("{{\"a\":{at}}}"));
            world.clock.pass(MINUTE);
            // The object was replaced before anything was read: its newer word is one of the two.
            let newer = world.put(&key, format!("{{\"a\":{at}}}\n{{\"b\":-1}}"));
            world.notify(&older);
            world.notify(&newer);
        }
        let messages = std::mem::take(&mut world.queue);
        let order: Vec<_> = (0..60).map(|at| messages[(at * step + turn) % 60].clone()).collect();
        for delivered in order.chunks(cut) {
            world.queue.extend_from_slice(delivered);
            world.deliver().await;
        }
        for _ in 0..3 {
            world.deliver().await;
        }
        assert_eq!(world.queue.len(), 0, "step {step} from {turn}");
        let (held, rows, _) = world.held().await;
        assert!(held.len() == 30 && held.values().all(|times| *times == 1), "step {step} from {turn}: {held:?}");
        assert_eq!((rows, world.counted("Drops")), (60, 30), "step {step} from {turn}");
    }
}

#[tokio::test]
async fn a_drop_is_read_once_when_the_schema_is_known() {
    let mut world = World::new().await;
    world.drop("orders/first.json", r#"{"a":1}"#);
    world.deliver().await;
    let before = world.bucket.reads.load(Ordering::Relaxed);
    for at in 0..20 {
        world.drop(&format!("orders/{at}.json"), r#"{"a":1}"#);
    }
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.bucket.reads.load(Ordering::Relaxed) - before, 20);
}

/// The first drops of a table tell its columns before they are ingested: what is small is kept meanwhile.
#[tokio::test]
async fn the_first_drops_of_a_table_are_read_once_as_well() {
    let mut world = World::new().await;
    for at in 0..100 {
        world.drop(&format!("orders/{at}.json"), format!("{{\"a\":{at}}}"));
        world.drop(&format!("orders/untold-{at}"), format!("{{\"b\":{at}}}"));
    }
    let large = format!("{{\"c\":\"{}\"}}", "x".repeat(70_000));
    world.drop("orders/more.json", large);
    assert_eq!((world.deliver().await, world.held().await.1), (0, 201));
    assert_eq!(world.bucket.reads.load(Ordering::Relaxed), 202, "only what is not kept is read twice");
}

#[tokio::test]
async fn a_bad_file_among_good_ones_is_quarantined_and_final() {
    let mut world = World::new().await;
    world.drop("orders/good.json", r#"{"a":1}"#);
    world.drop("orders/bad.json.gz", [0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    world.drop("orders/half.json", "{\"a\":2}\n{\"a\":\n{\"a\":3}");
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.quarantined("orders/bad.json.gz").await, Some(true));
    assert_eq!(world.quarantined("orders/good.json").await, Some(false));
    assert_eq!((world.counted("QuarantinedDrops"), world.counted("QuarantinedRecords")), (1, 1));
    assert_eq!(world.held().await.1, 3);
}

#[tokio::test]
async fn a_file_without_a_record_that_can_be_read_is_quarantined_whole_and_taken_when_repaired() {
    let mut world = World::new().await;
    world.drop("orders/good.json", r#"{"a":1}"#);
    let page = "<!DOCTYPE html>\n<html><body>\n<p>503, try again</p>\n</body></html>\n";
    let bad: [(&str, &[u8]); 6] = [
        ("page.json", page.as_bytes()),
        ("page.csv", page.as_bytes()),
        ("line.json", b"{\"a\":\n"),
        ("empty.json.gz", b""),
        ("empty.csv.zst", b""),
        ("short.csv", b"a,b\n1\n2\n3\n"),
    ];
    let empty: [(&str, &[u8]); 3] = [("none.json", b""), ("blank.json", b"\n \n"), ("header.csv", b"a,b\n")];
    for (name, content) in bad.iter().chain(&empty) {
        world.drop(&format!("orders/{name}"), *content);
    }
    assert_eq!(world.deliver().await, 0);
    for (name, _) in bad {
        assert_eq!(world.quarantined(&format!("orders/{name}")).await, Some(true), "{name}");
    }
    for (name, _) in empty {
        assert_eq!(world.quarantined(&format!("orders/{name}")).await, Some(false), "{name}");
    }
    assert_eq!((world.counted("QuarantinedDrops"), world.counted("QuarantinedRecords")), (6, 0));
    for (name, _) in bad {
        let whole = if name.contains("csv") { "a,b\n1,2\n" } else { r#"{"a":2}"# };
        world.drop(&format!("orders/{name}"), whole);
    }
    assert_eq!(world.deliver().await, 0);
    assert_eq!((world.held().await.1, world.counted("IgnoredOverwrites")), (7, 0));
    for (name, _) in bad {
        assert_eq!(world.quarantined(&format!("orders/{name}")).await, Some(false), "{name}");
    }
}

#[tokio::test]
async fn rows_tell_when_their_object_was_modified_and_delays_are_counted_from_its_event() {
    let mut world = World::new().await;
    world.clock.pass(MINUTE);
    let event = world.clock.now();
    world.drop("orders/a.json", r#"{"a":1}"#);
    world.drop("orders/bad.json", "{");
    world.clock.pass(MINUTE);
    assert_eq!(world.deliver().await, 0);
    let manifest = world.manifests().await.remove(0);
    for held in &manifest.held {
        assert_eq!((held.modified, held.arrived), (MODIFIED, Some(event)), "{}", held.key);
    }
    let address = manifest.runs[0].address.clone();
    let run = world.state().open(&address).await.unwrap();
    let batch = runs::read_columns(&address, run, &[runs::SOURCE_TIME]).unwrap().next().unwrap().unwrap();
    let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.values()[..], [MODIFIED.0]);
}

#[tokio::test]
async fn a_missing_object_is_acknowledged_and_ingested_if_it_comes_back() {
    let mut world = World::new().await;
    world.drop("orders/here.json", r#"{"a":1}"#);
    for (key, alone) in [("orders/gone.json", false), ("orders/gone-alone.json", true)] {
        if alone {
            assert!(world.queue.is_empty());
        }
        world.drop(key, r#"{"a":2}"#);
        world.remove(key);
        assert_eq!(world.deliver().await, 0);
    }
    assert_eq!(world.counted("MissingObjects"), 2);
    assert_eq!(world.quarantined("orders/gone.json").await, None);
    // Long after: the claims on it are old.
    world.clock.pass(CLAIM_TIME * 10);
    world.drop("orders/gone.json", r#"{"a":2}"#);
    world.drop("orders/gone-alone.json", r#"{"a":2}"#);
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.quarantined("orders/gone.json").await, Some(false));
    assert_eq!(world.quarantined("orders/gone-alone.json").await, Some(false));
    assert_eq!(world.held().await.1, 3);
}

#[tokio::test]
async fn an_object_that_was_replaced_is_read_as_it_is_now() {
    let mut world = World::new().await;
    world.drop("orders/a.json", r#"{"a":1}"#);
    world.drop("orders/b.json", r#"{"a":1}"#);
    let first = world.notification("orders/a.json");
    world.change("orders/a.json", |object| object.replaced_by = Some(b"{\"a\":2}\n{\"a\":3}".to_vec()));
    assert_eq!(world.deliver().await, 0);
    let (held, rows, _) = world.held().await;
    assert_eq!((held["orders/a.json"], rows), (1, 3));
    // The content that was notified is read by nobody any more: that is counted.
    assert_eq!(world.counted("IgnoredOverwrites"), 1);
    // Its own notification finds it ingested; the older one, late, finds it overwritten.
    let second = world.notification("orders/a.json");
    world.notify(&second);
    assert_eq!((world.deliver().await, world.counted("IgnoredOverwrites")), (0, 1));
    world.notify(&first);
    assert_eq!((world.deliver().await, world.counted("IgnoredOverwrites")), (0, 2));
    assert_eq!(world.held().await.1, 3);
}

#[tokio::test]
async fn of_two_contents_in_one_event_the_later_is_read() {
    let mut world = World::new().await;
    let first = world.put("orders/a.json", r#"{"a":1}"#);
    world.clock.pass(MINUTE);
    let second = world.put("orders/a.json", "{\"a\":2}\n{\"a\":3}");
    // Each twice, as where S3 and EventBridge both tell.
    for told in [&second, &first, &second, &first] {
        world.notify(told);
    }
    assert_eq!((world.deliver().await, world.held().await.1), (0, 2));
    assert_eq!((world.counted("IgnoredOverwrites"), world.counted("Drops")), (1, 1));
}

#[tokio::test]
async fn overwrites_are_drops_of_their_own_where_the_pipeline_says_so() {
    let pipelines =
        r#"{ "name": "orders", "source": "s3://vendor/orders/", "table": "s3://lake/orders", "overwrites": "ingest" }"#;
    let mut world = World::with(pipelines).await;
    world.open().await;
    world.drop("orders/a.json", r#"{"a":1}"#);
    assert_eq!(world.deliver().await, 0);
    world.drop("orders/a.json", "{\"a\":2}\n{\"a\":3}");
    let seen = world.queue.clone();
    assert_eq!(world.deliver().await, 0);
    world.queue = seen;
    assert_eq!(world.deliver().await, 0);
    let (held, rows, batches) = world.held().await;
    assert_eq!((held["orders/a.json"], rows, batches), (2, 3, 2));
    assert_eq!((world.counted("Duplicates"), world.counted("IgnoredOverwrites")), (1, 0));
    // A version that is gone is no version to wait for.
    let old = Notification { etag: Some("0".repeat(32)), ..world.notification("orders/a.json") };
    world.notify(&old);
    assert_eq!((world.deliver().await, world.counted("MissingObjects")), (0, 1));
}

#[tokio::test]
async fn what_was_not_told_is_asked() {
    let mut world = World::new().await;
    world.put("orders/a.json", r#"{"a":1}"#);
    let bare = Notification { bucket: BUCKET.into(), key: "orders/a.json".into(), ..Notification::default() };
    world.notify(&bare);
    // A name that tells no format is looked into.
    world.drop("orders/b+0+12", r#"{"a":2}"#);
    world.drop("orders/c+0+13", "\u{0}\u{1}\u{2}");
    assert_eq!(world.deliver().await, 0);
    assert_eq!((world.held().await.1, world.counted("Skipped")), (2, 1));
    let claim = world
        .ledger
        .claims(&[drops::DropId {
            pipeline: "orders".parse().unwrap(),
            bucket: BUCKET.into(),
            key: "orders/a.json".into(),
            version: None,
        }])
        .await
        .unwrap();
    assert_eq!(claim[0].as_ref().unwrap().etag, etag(br#"{"a":1}"#));
}

#[tokio::test]
async fn denied_is_passing_however_often_and_however_late() {
    let mut world = World::new().await;
    world.drop("orders/first.json", r#"{"a":1}"#);
    world.deliver().await;
    world.drop("orders/denied.json", r#"{"a":1}"#);
    world.change("orders/denied.json", |object| object.denied = 60);
    let mut waits = Vec::new();
    for round in 0..60 {
        assert_eq!(world.deliver().await, 1);
        waits.extend(world.waits());
        // In half of the rounds the message comes back long after its claim is old.
        world.clock.pass(if round % 2 == 0 { CLAIM_TIME * 2 } else { MINUTE });
    }
    assert_eq!(waits[..8], [5, 10, 20, 40, 80, 160, 300, 300]);
    assert!(waits.len() == 60 && waits[8..].iter().all(|wait| *wait == 300), "{waits:?}");
    assert!(world.most_receives < RECEIVES_MAX, "a message was received {} times", world.most_receives);
    assert_eq!(world.counted("Renewed"), 10);
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.quarantined("orders/denied.json").await, Some(false));
}

#[tokio::test]
async fn a_closed_pipeline_makes_no_dead_letter_however_long_it_is_closed() {
    let mut world = World::with(ORDERS).await;
    world.drop("orders/a.json", r#"{"a":1}"#);
    let mut waits = Vec::new();
    for _ in 0..40 {
        assert_eq!(world.deliver().await, 1);
        waits.extend(world.waits());
        world.clock.pass(MINUTE);
    }
    assert_eq!(waits[..5], [30, 60, 120, 240, 300]);
    assert!(waits.len() == 40 && waits[5..].iter().all(|wait| *wait == 300), "{waits:?}");
    assert!(world.most_receives < RECEIVES_MAX, "a message was received {} times", world.most_receives);
    world.open().await;
    assert_eq!((world.deliver().await, world.held().await.1), (0, 1));
}

#[tokio::test]
async fn a_queue_that_refuses_large_drops_makes_no_dead_letter() {
    let mut world = World::new().await;
    world.drop("orders/large.json", "{\"a\":1}\n".repeat(20_000));
    *world.sent.refused.lock().unwrap() = Some(LARGE_QUEUE);
    for _ in 0..30 {
        assert_eq!(world.deliver().await, 1);
    }
    assert!(world.most_receives < RECEIVES_MAX, "a message was received {} times", world.most_receives);
    *world.sent.refused.lock().unwrap() = None;
    assert_eq!((world.deliver().await, world.sent.messages.lock().unwrap().len()), (0, 1));
}

#[tokio::test]
async fn a_late_word_of_an_older_content_makes_nothing_new_of_what_is_quarantined() {
    let mut world = World::new().await;
    let damaged = |last: u8| vec![0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6, 7, last];
    let older = world.put("orders/a.json.gz", damaged(1));
    world.drop("orders/a.json.gz", damaged(2));
    assert_eq!(world.deliver().await, 0);
    let (held, _, batches) = world.held().await;
    assert_eq!((held["orders/a.json.gz"], batches), (1, 1));
    for _ in 0..2 {
        world.notify(&older);
        assert_eq!(world.deliver().await, 0);
    }
    assert_eq!((world.held().await.0["orders/a.json.gz"], world.held().await.2), (1, 1), "it is held once");
    assert_eq!((world.counted("Duplicates"), world.counted("QuarantinedDrops")), (2, 1));
    // Repaired, it is taken, whichever of its contents was notified.
    world.put("orders/a.json.gz", r#"{"a":1}"#);
    world.notify(&older);
    assert_eq!(world.deliver().await, 0);
    assert_eq!((world.held().await.0["orders/a.json.gz"], world.held().await.2), (2, 2));
    world.remove("orders/a.json.gz");
    world.notify(&older);
    assert_eq!((world.deliver().await, world.held().await.2), (0, 2));
}

#[tokio::test]
async fn a_batch_that_is_given_up_leaves_nothing_and_takes_nothing_of_others() {
    let mut world = World::new().await;
    world.drop("orders/first.json", r#"{"a":1}"#);
    world.deliver().await;
    let mut before = world.files();
    let manifests = before.iter().filter(|name| name.starts_with("state/manifests/orders/")).count();
    let runs = before.iter().filter(|name| name.starts_with("state/staging/orders/")).count();
    assert_eq!((manifests, runs), (1, 1), "{before:?}");
    // As others find it out: sealed too late, with its runs and its manifest written.
    let lanes = world.current();
    let told = world.told();
    let ingest = world.receiver.ingest(&lanes.lanes[0], &lanes, &told, world.bucket.clone());
    let pipeline = "orders".parse().unwrap();
    for abort in [true, false] {
        let batch = drops::BatchId::from_parts(1, u128::from(abort));
        for address in [runs::Manifest::address_of(&pipeline, batch), format!("staging/orders/{batch}-0.parquet")] {
            world.state().put(&address, "x".into()).await.unwrap();
        }
        if abort {
            assert_eq!(world.ledger.abort(&pipeline, batch).await.unwrap(), ledger::AbortOutcome::Aborted);
        }
        ingest.give_up(batch).await;
    }
    // What is sealed is never given up.
    let sealed = world.manifests().await[0].batch;
    ingest.give_up(sealed).await;
    let mut after = world.files();
    before.sort();
    after.sort();
    assert_eq!(after, before);
}

#[tokio::test]
async fn nothing_is_claimed_before_the_pipeline_is_open() {
    let mut world = World::with(ORDERS).await;
    world.drop("orders/a.json", r#"{"a":1}"#);
    assert_eq!(world.deliver().await, 1);
    assert_eq!((world.waits(), world.ledger.count_claims_of_orders().await), (vec![30], 0));
    world.open().await;
    assert_eq!(world.deliver().await, 0);
    // Opened for another source.
    world.set_pipelines(r#"{ "name": "orders", "source": "s3://vendor/other/", "table": "s3://lake/orders" }"#);
    world.drop("other/a.json", r#"{"a":1}"#);
    assert_eq!((world.deliver().await, world.waits()), (1, vec![30]));
}

#[tokio::test]
async fn a_pipeline_whose_table_was_changed_waits_until_it_is_set_back() {
    let mut world = World::new().await;
    world.drop("orders/a.json", r#"{"a":1}"#);
    assert_eq!(world.deliver().await, 0);
    let (files, claims) = (world.files(), world.ledger.count_claims_of_orders().await);
    world.set_pipelines(&ORDERS.replace("lake/orders", "lake/others"));
    world.drop("orders/b.json", r#"{"a":2}"#);
    world.drop("orders/a.json", r#"{"a":1}"#);
    // A process that was kept warm has read the settings before; what is nobody's lets it read them again.
    world.drop("nobody/c.json", "");
    assert_eq!((world.deliver().await, world.waits()), (2, vec![30, 30]));
    assert_eq!((world.files(), world.ledger.count_claims_of_orders().await), (files, claims), "nothing is claimed");
    world.set_pipelines(ORDERS);
    assert_eq!((world.deliver().await, world.held().await.1), (0, 2));
}

#[tokio::test]
async fn a_pipeline_of_an_earlier_build_whose_table_is_not_known_is_open() {
    let mut world = World::with(ORDERS).await;
    let fixed = PipelineSettings {
        source: "s3://vendor/orders/".into(),
        identity_holds_version: false,
        ledger: world.ledger.identity().await.unwrap(),
        table_id: "t".into(),
        table: None,
        at: world.clock.now(),
    };
    world.ledger.fix_settings(&"orders".parse().unwrap(), &fixed).await.unwrap();
    world.drop("orders/a.json", r#"{"a":1}"#);
    assert_eq!((world.deliver().await, world.held().await.1), (0, 1));
}

#[tokio::test]
async fn a_pipeline_that_is_added_later_is_found() {
    let mut world = World::new().await;
    world.drop("orders/a.json", r#"{"a":1}"#);
    assert_eq!(world.deliver().await, 0);
    let both =
        format!(r#"{ORDERS}, {{ "name": "clicks", "source": "s3://vendor/clicks/", "table": "s3://lake/clicks" }}"#);
    world.set_pipelines(&both);
    world.open().await;
    world.drop("clicks/a.json", r#"{"a":1}"#);
    assert_eq!(world.deliver().await, 0);
    assert_eq!((world.counted("ForeignObjects"), world.counted("Drops")), (0, 2));
}

#[tokio::test]
async fn wrong_settings_fail_the_invocation() {
    let mut world = World::with(ORDERS).await;
    *world.settings.0.lock().unwrap() = Err("two faults; both are named".into());
    let told = world.told();
    let event = sqs_event(&[("m".into(), "{}".into(), 1)]);
    let failed = world.receiver.receive(&event, &told, &mut runtime::telemetry::Metrics::default()).await.unwrap_err();
    assert_eq!(failed.to_string(), "two faults; both are named");
}

#[tokio::test]
async fn large_drops_go_to_the_other_function() {
    let mut world = World::new().await;
    world.drop("orders/small.json", r#"{"a":1}"#);
    let large = world.put("orders/large.json", "{\"a\":1}\n".repeat(20_000));
    world.notify(&large);
    world.sent.refuses.store(true, Ordering::Relaxed);
    assert_eq!(world.deliver().await, 1, "not before the other queue has it");
    world.sent.refuses.store(false, Ordering::Relaxed);
    assert_eq!(world.deliver().await, 0);
    let sent = world.sent.messages.lock().unwrap().clone();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].0.as_str(), &sent[0].1.body), (LARGE_QUEUE, &forward(&large)));
    assert_eq!((world.held().await.1, world.counted("LargeDrops")), (1, 2));
    let (told, mut metrics) = (world.told(), runtime::telemetry::Metrics::default());
    let event = sqs_event(&[("m".into(), sent[0].1.body.clone(), 1)]);
    let answer = world.large.receive(&event, &told, &mut metrics).await.unwrap();
    assert!(answer.batch_item_failures.is_empty());
    assert_eq!(world.held().await.1, 20_001);
}

#[tokio::test]
async fn what_time_is_lacking_for_comes_again_at_once() {
    let mut world = World::new().await;
    for at in 0..5 {
        world.drop(&format!("orders/{at}.json"), r#"{"a":1}"#);
    }
    let mut told = world.told();
    told.deadline = Timestamp(world.clock.now().0 + 9_000_000);
    assert_eq!(world.deliver_until(told).await, 5);
    assert_eq!((world.waits(), world.bucket.reads.load(Ordering::Relaxed)), (vec![0; 5], 0));
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.held().await.2, 1, "no drop is suspected for want of time");
}

#[tokio::test]
async fn a_drop_that_outlasts_the_time_goes_to_the_other_function() {
    let mut world = World::new().await;
    world.drop("orders/first.json", r#"{"a":1}"#);
    world.deliver().await;
    for key in ["orders/a.json", "orders/b.json", "orders/c.json"] {
        world.drop(key, "{\"a\":1}\n".repeat(9_000));
    }
    world.change("orders/b.json", |object| object.slow = true);
    assert_eq!(world.deliver().await, 1);
    let sent = world.sent.messages.lock().unwrap().clone();
    assert_eq!((sent.len(), world.waits()), (1, vec![0]));
    assert!(sent[0].0 == LARGE_QUEUE && sent[0].1.body.contains("orders/b.json"));
    let (held, rows, _) = world.held().await;
    assert!(
        held.contains_key("orders/a.json") && !held.contains_key("orders/b.json") && rows == 9_001,
        "{held:?} {rows}"
    );
    world.message(&sent[0].1.body);
    world.sent.messages.lock().unwrap().clear();
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.held().await.1, 27_001);
}

#[tokio::test]
async fn a_size_that_was_not_told_is_asked() {
    let mut world = World::new().await;
    let told = world.put("orders/large.json", "{\"a\":1}\n".repeat(20_000));
    world.notify(&Notification { size: None, ..told });
    assert_eq!(world.deliver().await, 0);
    assert_eq!((world.held().await.2, world.counted("LargeDrops")), (0, 1), "it is large");
}

#[tokio::test]
async fn a_ledger_that_turns_into_another_is_noticed() {
    let mut world = World::new().await;
    world.drop("orders/a.json", r#"{"a":1}"#);
    assert_eq!(world.deliver().await, 0);
    let name = "orders".parse().unwrap();
    let fixed = world.ledger.settings(&name).await.unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let other = EmbeddedLedger::open(&folder.path().join("ledger.db"), "ledger-2".into()).unwrap();
    other.fix_settings(&name, &fixed).await.unwrap();
    let current = world.current();
    let mut lanes = Lanes::new(world.ledger.clone(), current.queues.clone(), current.lanes.clone());
    assert_eq!(lanes.closed(&lanes.lanes[0], world.clock.as_ref()).await.unwrap(), None);
    lanes.ledger = Arc::new(other);
    world.clock.pass(MINUTE * 2);
    let why = lanes.closed(&lanes.lanes[0], world.clock.as_ref()).await.unwrap();
    assert!(why.is_some_and(|why| why.contains("another ledger")));
}
