//! Versions that are named wrongly, and objects that have none among others that have one.

use std::sync::atomic::Ordering;

use drops::notification::{Notification, forward};

use super::world::*;

fn overwrites() -> String {
    ORDERS.replace("}", r#", "overwrites": "ingest" }"#)
}

/// A name of a version that cannot be one is no passing cause: its message cannot be understood. Its neighbours in the same message and in others
/// are ingested, and a version that was is missing.
#[tokio::test]
async fn what_names_no_version_is_a_dead_letter_and_holds_nobody_up() {
    for pipeline in [ORDERS.to_owned(), overwrites()] {
        let mut world = World::with(&pipeline).await;
        world.open().await;
        world.bucket.versions.store(true, Ordering::Relaxed);
        let mut told = Vec::new();
        for key in ["orders/good.json", "orders/bad.json", "orders/gone.json", "orders/bad+0+7"] {
            let notification = world.put(key, "{\"a\":1}");
            // Behind a delete marker, the version that was notified is what is asked for.
            world.change(key, |object| object.deleted = !key.contains("good"));
            let version = if key.contains("bad") { NO_VERSION.to_owned() } else { version_of(b"{\"a\":1}") };
            told.push(Notification { version_id: Some(version), ..notification });
        }
        world.remove("orders/gone.json");
        // The bad one shares its message with a good one.
        let [good, bad] = [&told[0], &told[1]].map(|told| {
            let text: serde_json::Value = serde_json::from_str(&forward(told)).unwrap();
            text["Records"][0].clone()
        });
        world.message(&serde_json::json!({ "Records": [good, bad] }).to_string());
        world.notify(&told[2]);
        world.notify(&told[3]);
        *world.sent.refused.lock().unwrap() = Some(DEAD_QUEUE);
        assert_eq!(world.deliver().await, 2, "not before the dead-letter queue has them: {pipeline}");
        assert_eq!((world.held().await.1, world.counted("MissingObjects")), (1, 1));
        *world.sent.refused.lock().unwrap() = None;
        assert_eq!(world.deliver().await, 0);
        let sent = world.sent.messages.lock().unwrap().clone();
        assert!(sent.iter().all(|(queue, message)| {
            queue == DEAD_QUEUE && message.reason.as_ref().is_some_and(|why| why.contains("Invalid version id"))
        }));
        let mut bodies: Vec<String> = sent.into_iter().map(|(_, message)| message.body).collect();
        let mut expected = vec![forward(&told[1]), forward(&told[3])];
        bodies.sort();
        expected.sort();
        assert_eq!(bodies, expected, "each as a message of its own, as it was told");
        assert_eq!((world.held().await.1, world.counted("UnknownMessages"), world.renewed), (1, 4, 0));
        // Sent again from there with its version mended, it is taken.
        let mended = Notification { version_id: Some(version_of(b"{\"a\":1}")), ..told[1].clone() };
        world.notify(&mended);
        assert_eq!((world.deliver().await, world.held().await.1), (0, 2), "{pipeline}");
    }
}

/// Without a queue as well: the event is done with once the dead-letter queue has it.
#[tokio::test]
async fn what_names_no_version_and_came_without_a_queue_is_a_dead_letter() {
    let mut world = World::with(&overwrites()).await;
    world.open().await;
    let told = world.put("orders/bad.json", "{\"a\":1}");
    let event = forward(&Notification { version_id: Some(NO_VERSION.to_owned()), ..told });
    world.invoke(&event).await.unwrap();
    let sent = world.sent.messages.lock().unwrap().clone();
    assert_eq!(sent.iter().map(|(queue, _)| queue.as_str()).collect::<Vec<_>>(), [DEAD_QUEUE]);
    // Refused there, it goes to the queue, and comes from that.
    *world.sent.refused.lock().unwrap() = Some(DEAD_QUEUE);
    world.invoke(&event).await.unwrap();
    assert_eq!(world.sent.messages.lock().unwrap().last().unwrap().0, QUEUE);
}

/// What was put before its bucket kept versions is there still when others are put over it, and when it is deleted.
#[tokio::test]
async fn what_has_no_version_is_read_though_others_were_put_over_it() {
    for (unsaid, deleted) in [(None, false), (Some("null"), false), (Some(""), true), (None, true)] {
        for asks in [false, true] {
            let mut world = World::with(&overwrites()).await;
            world.open().await;
            let mut older = Vec::new();
            for at in 0..3 {
                let told = world.put(&format!("orders/{at}.json"), format!("{{\"a\":{at}}}"));
                older.push(Notification { version_id: unsaid.map(str::to_owned), ..told });
            }
            world.bucket.versions.store(true, Ordering::Relaxed);
            let mut newer = Vec::new();
            for (at, told) in older.iter().enumerate() {
                let content = format!("{{\"b\":{at}}}\n{{\"b\":-1}}");
                let now = world.put(&told.key, content.clone());
                let before = Some(format!("{{\"a\":{at}}}").into_bytes());
                world.change(&told.key, |object| (object.before, object.deleted) = (before, deleted));
                newer.push(Notification { version_id: Some(version_of(content.as_bytes())), ..now });
            }
            // With a version beside them, or where something was not told, each is asked for before it is claimed.
            let told: Vec<&Notification> =
                if asks { older.iter().chain(&newer).collect() } else { older.iter().collect() };
            told.iter().for_each(|notification| world.notify(notification));
            let seen = world.queue.clone();
            assert_eq!((world.deliver().await, world.counted("MissingObjects")), (0, 0), "{unsaid:?} {deleted} {asks}");
            let expected = if asks { (6, 9) } else { (3, 3) };
            let (held, rows, _) = world.held().await;
            assert_eq!((held.values().sum::<u32>(), rows), expected, "{unsaid:?} {deleted} {asks}");
            // Told again, they are known, each by its etag.
            world.queue = seen;
            assert_eq!((world.deliver().await, world.held().await.1), (0, expected.1));
            let versions: Vec<_> = world.manifests().await.into_iter().flat_map(|manifest| manifest.held).collect();
            for at in 0..3 {
                let etag = etag(format!("{{\"a\":{at}}}").as_bytes());
                assert_eq!(versions.iter().filter(|held| held.version.as_ref() == Some(&etag)).count(), 1);
            }
            // One that is not there any more by any name is missing.
            world.change("orders/0.json", |object| object.before = None);
            let gone = Notification { etag: Some("0".repeat(32)), ..older[0].clone() };
            world.notify(&gone);
            world.change("orders/0.json", |object| object.deleted = true);
            assert_eq!((world.deliver().await, world.counted("MissingObjects")), (0, 1));
            // So is one that another stands in the place of, whether or not it is asked for before it is claimed.
            let size = if asks { None } else { older[1].size };
            world.change("orders/1.json", |object| (object.before, object.deleted) = (None, false));
            world.notify(&Notification { etag: Some("0".repeat(32)), size, ..older[1].clone() });
            assert_eq!((world.deliver().await, world.counted("MissingObjects")), (0, 2));
            assert_eq!(world.held().await.1, expected.1);
        }
    }
}

/// The same, told by its encoded key, and where something else lies under that.
#[tokio::test]
async fn what_has_no_version_is_read_though_its_key_was_told_encoded() {
    for (asks, deleted, other) in
        [(false, false, false), (true, false, false), (true, true, false), (true, false, true)]
    {
        let mut world = World::with(&overwrites()).await;
        world.open().await;
        let told = world.put("orders/a b.json", "{\"a\":1}");
        let told = Notification { key: "orders/a%20b.json".into(), other_key: Some(told.key.clone()), ..told };
        world.bucket.versions.store(true, Ordering::Relaxed);
        world.put("orders/a b.json", "{\"b\":1}\n{\"b\":2}");
        let before = Some(b"{\"a\":1}".to_vec());
        world.change("orders/a b.json", |object| (object.before, object.deleted) = (before, deleted));
        if other {
            world.put("orders/a%20b.json", "{\"c\":1}\n{\"c\":2}\n{\"c\":3}");
        }
        let size = told.size.filter(|_| !asks);
        world.notify(&Notification { size, ..told.clone() });
        let words = format!("asks {asks}, deleted {deleted}, other {other}");
        assert_eq!((world.deliver().await, world.counted("MissingObjects")), (0, 0), "{words}");
        let (held, rows, _) = world.held().await;
        assert_eq!((held.get("orders/a b.json"), held.len(), rows), (Some(&1), 1, 1), "{words}: {held:?}");
        // One that is not there any more by either name is missing.
        world.notify(&Notification { size, etag: Some("0".repeat(32)), ..told });
        assert_eq!((world.deliver().await, world.counted("MissingObjects")), (0, 1), "{words}");
    }
}
