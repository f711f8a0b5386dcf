use drops::notification::forward;
use serde_json::json;

use super::world::*;

fn bridge(key: &str, etag: &str, size: usize) -> String {
    json!({
        "version": "0", "detail-type": "Object Created", "source": "aws.s3", "time": "2023-11-14T22:13:20Z",
        "detail": { "bucket": { "name": BUCKET }, "object": { "key": key, "size": size, "etag": etag } },
    })
    .to_string()
}

fn sns(message: &str) -> String {
    json!({ "Type": "Notification", "Message": message }).to_string()
}

#[tokio::test]
async fn every_envelope_through_the_queue_is_ingested() {
    let mut world = World::new().await;
    let plain = world.put("orders/a+b c%.json", r#"{"a":1}"#);
    world.message(&forward(&plain));
    let in_sns = world.put("orders/sns.json", r#"{"a":2}"#);
    world.message(&sns(&forward(&in_sns)));
    let bridged = world.put("orders/bridged a+b%20.json", r#"{"a":3}"#);
    world.message(&bridge(&bridged.key, bridged.etag.as_deref().unwrap(), 7));
    assert_eq!(world.deliver().await, 0);
    let (held, rows, batches) = world.held().await;
    assert_eq!((held.len(), rows, batches), (3, 3, 1), "{held:?}");
    assert!(held.keys().all(|key| [&plain.key, &in_sns.key, &bridged.key].contains(&key)));
}

#[tokio::test]
async fn what_comes_without_a_queue_is_ingested() {
    let mut world = World::new().await;
    let own = world.put("orders/s3.json", r#"{"a":1}"#);
    world.invoke(&forward(&own)).await.unwrap();
    let bridged = world.put("orders/bridge.json", r#"{"a":2}"#);
    world.invoke(&bridge(&bridged.key, bridged.etag.as_deref().unwrap(), 7)).await.unwrap();
    let in_sns = world.put("orders/sns.json", r#"{"a":3}"#);
    let record = json!({ "EventSource": "aws:sns", "Sns": { "Message": forward(&in_sns) } });
    world.invoke(&json!({ "Records": [record] }).to_string()).await.unwrap();
    assert_eq!(world.held().await.1, 3);
    assert!(world.sent.messages.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_comes_without_a_queue_and_is_not_final_is_queued() {
    let mut world = World::new().await;
    world.drop("orders/first.json", r#"{"a":0}"#);
    world.deliver().await;
    let good = world.put("orders/good.json", r#"{"a":1}"#);
    let denied = world.put("orders/denied.json", r#"{"a":2}"#);
    world.change("orders/denied.json", |object| object.denied = 1);
    let records =
        |notification| serde_json::from_str::<serde_json::Value>(&forward(notification)).unwrap()["Records"][0].clone();
    let event = json!({ "Records": [records(&good), records(&denied)] }).to_string();
    world.sent.refuses.store(true, std::sync::atomic::Ordering::Relaxed);
    world.invoke(&event).await.unwrap_err();
    world.sent.refuses.store(false, std::sync::atomic::Ordering::Relaxed);
    world.change("orders/denied.json", |object| object.denied = 1);
    world.sent.is_silent.store(true, std::sync::atomic::Ordering::Relaxed);
    world.invoke(&event).await.unwrap_err();
    world.sent.is_silent.store(false, std::sync::atomic::Ordering::Relaxed);
    world.change("orders/denied.json", |object| object.denied = 1);
    world.invoke(&event).await.unwrap();
    let sent = world.sent.messages.lock().unwrap().clone();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].0.as_str(), &sent[0].1.body), (QUEUE, &forward(&denied)));
    world.message(&sent[0].1.body);
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.held().await.1, 3);
}

#[tokio::test]
async fn what_cannot_be_understood_goes_to_the_dead_letter_queue() {
    use std::sync::atomic::Ordering;
    let mut world = World::new().await;
    world.drop("orders/a.json", r#"{"a":1}"#);
    world.message("poison");
    world.sent.refuses.store(true, Ordering::Relaxed);
    assert_eq!(world.deliver().await, 1, "it is not acknowledged before another queue has it");
    assert_eq!((world.queue[0].1.as_str(), world.waits()), ("poison", vec![5]));
    world.invoke("poison").await.unwrap_err();
    world.sent.refuses.store(false, Ordering::Relaxed);
    assert_eq!(world.deliver().await, 0);
    world.invoke("poison").await.unwrap();
    let sent = world.sent.messages.lock().unwrap().clone();
    assert_eq!(sent.len(), 2);
    for (queue, message) in sent {
        assert_eq!((queue.as_str(), message.body.as_str()), (DEAD_QUEUE, "poison"));
        assert!(message.reason.unwrap().contains("cannot be understood"));
    }
    assert_eq!((world.counted("UnknownMessages"), world.held().await.1), (4, 1));
}

#[tokio::test]
async fn what_names_nothing_of_ours_is_acknowledged_and_counted() {
    let mut world = World::new().await;
    world.message(r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"vendor"}"#);
    world.message(r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectRemoved:Delete"}]}"#);
    for key in ["elsewhere/a.json", "orders.json", "orders/_tmp/a.json", "orders/a.parquet", "orders/b.json.tmp"] {
        world.drop(key, "x");
    }
    assert_eq!(world.deliver().await, 0);
    let counts = ["TestEvents", "OtherEvents", "ForeignObjects", "Skipped", "Drops"].map(|name| world.counted(name));
    assert_eq!(counts, [1, 1, 2, 3, 0]);
    assert_eq!(world.ledger.count_claims_of_orders().await, 0);
}

#[tokio::test]
async fn what_cannot_be_understood_is_never_sent_anew() {
    let mut world = World::new().await;
    world.message("poison");
    world.sent.refuses.store(true, std::sync::atomic::Ordering::Relaxed);
    for _ in 0..RECEIVES_MAX {
        assert_eq!(world.deliver().await, 1);
    }
    assert_eq!((world.most_receives, world.renewed), (RECEIVES_MAX, 0), "SQS makes it a dead letter");
}
