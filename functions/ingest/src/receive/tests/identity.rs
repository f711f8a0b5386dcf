//! Notifications that do not say the whole of what they are about.

use std::sync::atomic::Ordering;

use super::world::*;
use drops::notification::Notification;
use runtime::Clock as _;

fn overwrites() -> String {
    ORDERS.replace("}", r#", "overwrites": "ingest" }"#)
}

#[tokio::test]
async fn a_notification_without_a_version_means_the_one_that_the_bucket_has() {
    let mut world = World::with(&overwrites()).await;
    world.open().await;
    world.bucket.versions.store(true, Ordering::Relaxed);
    let whole = world.put("orders/one.json", "{\"a\":1}\n{\"a\":2}\n");
    let whole = Notification { version_id: Some(version_of(b"{\"a\":1}\n{\"a\":2}\n")), ..whole };
    let versionless = Notification { version_id: None, ..whole.clone() };
    let bare = Notification { etag: None, size: None, ..versionless.clone() };
    for notification in [&whole, &versionless, &bare, &whole] {
        world.notify(notification);
        assert_eq!(world.deliver().await, 0);
    }
    // All at once, and in another order: one drop.
    for notification in [&bare, &versionless, &whole] {
        world.notify(notification);
    }
    assert_eq!(world.deliver().await, 0);
    let (held, rows, _) = world.held().await;
    assert_eq!((held.values().sum::<u32>(), rows), (1, 2), "{held:?}");
}

#[tokio::test]
async fn a_bucket_without_versions_is_asked_once() {
    let mut world = World::with(&overwrites()).await;
    world.open().await;
    for at in 0..50 {
        world.drop(&format!("orders/{at}.json"), format!("{{\"a\":{at}}}"));
    }
    // The same drop, told with and without its etag: its neighbours are asked nothing.
    let told = world.notification("orders/7.json");
    world.notify(&Notification { etag: None, size: None, ..told });
    assert_eq!(world.deliver().await, 0);
    assert!(world.bucket.heads.load(Ordering::Relaxed) <= 2, "{}", world.bucket.heads.load(Ordering::Relaxed));
    let (held, rows, _) = world.held().await;
    assert_eq!((held.len(), held.values().sum::<u32>(), rows), (50, 50, 50));
}

/// Objects from before versions were kept have none, nor have those that were put while that was suspended.
#[tokio::test]
async fn of_a_bucket_in_which_some_objects_have_versions_each_is_one_drop() {
    for unsaid in [None, Some("null"), Some("")] {
        let mut world = World::with(&overwrites()).await;
        world.open().await;
        world.bucket.versions.store(true, Ordering::Relaxed);
        let mut told = Vec::new();
        for at in 0..100 {
            let key = format!("orders/{at:03}.json");
            let content = format!("{{\"a\":{at}}}");
            let notification = world.put(&key, content.clone());
            let versionless = at < 40 || at % 3 == 0;
            world.change(&key, |object| object.versionless = versionless);
            let version = (!versionless).then(|| version_of(content.as_bytes()));
            // By hand, without a version.
            world.notify(&Notification { version_id: unsaid.map(str::to_owned), ..notification.clone() });
            told.push(Notification { version_id: version, ..notification });
        }
        assert_eq!(world.deliver().await, 0);
        // S3's own word, which names the version where there is one.
        told.iter().for_each(|notification| world.notify(notification));
        assert_eq!(world.deliver().await, 0);
        let (held, rows, _) = world.held().await;
        assert_eq!((held.len(), held.values().sum::<u32>(), rows), (100, 100, 100), "{unsaid:?}: {held:?}");
        assert_eq!((world.counted("Duplicates"), world.counted("MissingObjects")), (100, 0));
    }
}

/// A delete marker stands before a version that was notified: it can still be read, and is.
#[tokio::test]
async fn a_version_that_was_notified_is_read_behind_a_delete_marker() {
    for pipeline in [ORDERS.to_owned(), overwrites()] {
        let mut world = World::with(&pipeline).await;
        world.open().await;
        world.bucket.versions.store(true, Ordering::Relaxed);
        for at in 0..40 {
            let content = format!("{{\"a\":{at}}}");
            let told = world.put(&format!("orders/{at}.json"), content.clone());
            world.notify(&Notification { version_id: Some(version_of(content.as_bytes())), ..told });
        }
        for at in 0..3 {
            world.change(&format!("orders/{at}.json"), |object| object.deleted = true);
        }
        // Of one no version was told, and one is gone with all of its versions.
        let bare = world.put("orders/bare.json", "{\"a\":1}");
        world.change("orders/bare.json", |object| object.deleted = true);
        world.notify(&bare);
        world.remove("orders/3.json");
        let seen = world.queue.clone();
        assert_eq!(world.deliver().await, 0);
        let (held, rows, _) = world.held().await;
        assert_eq!((held.len(), held.values().sum::<u32>(), rows), (39, 39, 39), "{held:?}");
        assert_eq!(world.counted("MissingObjects"), 2);
        // Told again, they are known.
        world.queue = seen;
        assert_eq!((world.deliver().await, world.held().await.1), (0, 39));
        assert_eq!((world.counted("Duplicates"), world.counted("MissingObjects")), (39, 4));
    }
}

/// Of one key several versions were notified at once, and the last of them is gone for good behind a delete marker: an earlier one can still be
/// read, whichever was told first, and also where the messages had been sent anew as one by then.
#[tokio::test]
async fn of_several_versions_that_were_notified_one_that_stands_is_read() {
    for (renewed, last_first) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut world = World::with(ORDERS).await;
        world.open().await;
        world.bucket.versions.store(true, Ordering::Relaxed);
        let content = "{\"a\":1}\n{\"a\":2}";
        let stands =
            Notification { version_id: Some(version_of(content.as_bytes())), ..world.put("orders/a.json", content) };
        world.clock.pass(MINUTE);
        let (version_id, etag) = (Some("version-gone".to_owned()), Some("0".repeat(32)));
        let gone = Notification { version_id, etag, event_time: Some(world.clock.now()), ..stands.clone() };
        let mut told = [&stands, &gone];
        if last_first {
            told.reverse();
        }
        told.into_iter().for_each(|notification| world.notify(notification));
        if renewed {
            world.change("orders/a.json", |object| object.denied = u32::MAX);
            world.bucket.denies_heads.store(true, Ordering::Relaxed);
            while world.renewed == 0 {
                world.deliver().await;
                world.clock.pass(10 * MINUTE);
            }
            world.bucket.denies_heads.store(false, Ordering::Relaxed);
            world.change("orders/a.json", |object| object.denied = 0);
        }
        world.change("orders/a.json", |object| object.deleted = true);
        assert_eq!(world.deliver().await, 0);
        assert_eq!((world.held().await.1, world.counted("MissingObjects")), (2, 0), "{renewed} {last_first}");
    }
}

/// What could not be read is put again under the same key, repaired, and then deleted: each time that is what counts.
#[tokio::test]
async fn what_was_quarantined_is_repaired_under_the_same_key() {
    for (pipeline, keeps) in
        [(ORDERS.to_owned(), false), (ORDERS.to_owned(), true), (overwrites(), false), (overwrites(), true)]
    {
        let mut world = World::with(&pipeline).await;
        world.open().await;
        world.bucket.versions.store(keeps, Ordering::Relaxed);
        let put = |world: &mut World, content: &str| {
            let told = world.put("orders/a.json", content);
            let version_id = keeps.then(|| version_of(content.as_bytes()));
            world.notify(&Notification { version_id, ..told });
        };
        put(&mut world, "no record");
        assert_eq!((world.deliver().await, world.held().await.1), (0, 0));
        put(&mut world, "still no record");
        assert_eq!((world.deliver().await, world.counted("QuarantinedDrops")), (0, 2));
        put(&mut world, "{\"a\":1}\n{\"a\":2}");
        world.change("orders/a.json", |object| object.deleted = keeps);
        let seen = world.queue.clone();
        assert_eq!((world.deliver().await, world.held().await.1), (0, 2), "{pipeline} {keeps}");
        world.queue = seen;
        assert_eq!((world.deliver().await, world.held().await.1), (0, 2));
        assert_eq!((world.counted("Duplicates"), world.counted("IgnoredOverwrites")), (1, 0));
    }
}

/// As EventBridge sends it, the key encoded or not.
fn bridged(world: &World, key: &str, told: &str) -> String {
    let object = world.notification(key);
    serde_json::json!({
        "version": "0", "detail-type": "Object Created", "source": "aws.s3", "time": "2026-11-01T00:00:00Z",
        "detail": { "bucket": { "name": BUCKET }, "object": { "key": told, "size": object.size, "etag": object.etag } },
    })
    .to_string()
}

#[tokio::test]
async fn a_key_of_eventbridge_is_taken_as_its_etag_says() {
    let mut world = World::new().await;
    let names = [("a b", "a%20b"), ("a+b", "a%2Bb"), ("x%2Fy", "x%252Fy"), ("100%", "100%25"), ("plain", "plain")];
    for (at, (key, encoded)) in names.into_iter().enumerate() {
        for (folder, told) in [("raw", key), ("encoded", encoded)] {
            let (key, told) = (format!("orders/{folder}/{key}.json"), format!("orders/{folder}/{told}.json"));
            world.put(&key, format!("{{\"a\":{at}}}"));
            let message = bridged(&world, &key, &told);
            world.message(&message);
        }
    }
    assert_eq!(world.deliver().await, 0);
    let (held, rows, _) = world.held().await;
    assert_eq!((held.len(), rows, world.counted("MissingObjects")), (10, 10, 0), "{held:?}");
    // Two objects of which one is called what the other is encoded as.
    world.put("orders/both%20.json", "{\"a\":8}");
    world.put("orders/both .json", "{\"a\":9,\"b\":1}");
    for key in ["orders/both%20.json", "orders/both .json"] {
        let message = bridged(&world, key, "orders/both%20.json");
        world.message(&message);
        assert_eq!(world.deliver().await, 0);
    }
    assert_eq!(world.held().await.0.len(), 12);
    // The same at once: one text names both.
    world.put("orders/two%20.json", "{\"a\":8}");
    world.put("orders/two .json", "{\"a\":9,\"b\":1}");
    for key in ["orders/two%20.json", "orders/two .json"] {
        let message = bridged(&world, key, "orders/two%20.json");
        world.message(&message);
    }
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.held().await.0.len(), 14);
    // One of them without its size, which must be asked for, and of the other nobody has told yet.
    for (name, told) in [("three%20", true), ("three ", false), ("four%20", false), ("four ", true)] {
        let key = format!("orders/{name}.json");
        world.put(&key, format!("{{\"a\":8,\"{name}\":1}}"));
        if told {
            let mut message: serde_json::Value =
                serde_json::from_str(&bridged(&world, &key, &key.replace(' ', "%20"))).unwrap();
            message["detail"]["object"].as_object_mut().unwrap().remove("size");
            world.message(&message.to_string());
        }
    }
    assert_eq!(world.deliver().await, 0);
    let held = world.held().await.0;
    assert_eq!(held.len(), 16, "{held:?}");
    assert!(held.contains_key("orders/three%20.json") && held.contains_key("orders/four .json"), "{held:?}");
}

#[tokio::test]
async fn of_two_notifications_that_turn_out_to_mean_one_drop_the_one_that_was_asked_counts() {
    for asked_last in [true, false] {
        let mut world = World::new().await;
        world.drop("orders/first.json", "{\"a\":0}");
        assert_eq!(world.deliver().await, 0);
        let counts = |world: &World| [&world.bucket.reads, &world.bucket.heads].map(|n| n.load(Ordering::Relaxed));
        let [first, _] = counts(&world);
        world.drop("orders/neighbour.json", "{\"a\":0}");
        // Overwritten, and told of by its first content, and by its other name without one.
        let before = world.put("orders/a b.json", "{\"a\":1}");
        world.put("orders/a b.json", "{\"a\":1}\n{\"a\":2}");
        let (etag, size) = (None, None);
        let bare =
            Notification { key: "orders/a%20b.json".into(), other_key: Some(before.key.clone()), ..before.clone() };
        let bare = Notification { etag, size, ..bare };
        for notification in if asked_last { [&before, &bare] } else { [&bare, &before] } {
            world.notify(notification);
        }
        assert_eq!(world.deliver().await, 0);
        let (held, rows, batches) = world.held().await;
        assert_eq!((held.len(), held.values().sum::<u32>(), rows, batches), (3, 3, 4, 2), "{held:?}");
        assert_eq!((world.counted("IgnoredOverwrites"), world.counted("Drops")), (1, 3));
        // The question told what it is now: it is read once, each name was asked for, and nothing is asked again.
        assert_eq!(counts(&world), [first + 2, 3], "asked last: {asked_last}");
    }
}

#[tokio::test]
async fn drops_without_a_telling_name_are_read_once() {
    let mut world = World::new().await;
    for at in 0..200 {
        world.drop(&format!("orders/{at:04}"), format!("{{\"a\":{at}}}"));
    }
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.held().await.1, 200);
    let first = world.bucket.reads.load(Ordering::Relaxed);
    for at in 200..400 {
        world.drop(&format!("orders/{at:04}"), format!("{{\"a\":{at}}}"));
    }
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.held().await.1, 400);
    assert_eq!(world.bucket.reads.load(Ordering::Relaxed) - first, 200);
}

#[tokio::test]
async fn a_source_whose_name_is_encoded_is_found() {
    let mut world = World::with(&ORDERS.replace("vendor/orders/", "vendor/year=2026/")).await;
    world.open().await;
    world.put("year=2026/a.json", "{\"a\":1}");
    let message = bridged(&world, "year=2026/a.json", "year%3D2026/a.json");
    world.message(&message);
    assert_eq!(world.deliver().await, 0);
    let (held, rows, _) = world.held().await;
    assert_eq!((held.get("year=2026/a.json"), rows, world.counted("ForeignObjects")), (Some(&1), 1, 0), "{held:?}");
}

const TWO: &str = r#"{ "name": "orders", "source": "s3://vendor/orders/a=1/", "table": "s3://lake/orders" },
    { "name": "raw", "source": "s3://vendor/orders/a%3D1/", "table": "s3://lake/raw" }"#;

#[tokio::test]
async fn a_drop_whose_two_names_are_of_two_pipelines_is_of_the_one_that_has_it() {
    let mut world = World::with(TWO).await;
    world.open().await;
    world.put("orders/a=1/one.json", "{\"a\":1}");
    world.put("orders/a%3D1/two.json", "{\"a\":22}");
    // Both exist: the etag tells.
    world.put("orders/a=1/both.json", "{\"a\":333}");
    world.put("orders/a%3D1/both.json", "{\"a\":4444}");
    for (key, told) in [("a=1/one", "one"), ("a%3D1/two", "two"), ("a=1/both", "both"), ("a%3D1/both", "both")] {
        let message = bridged(&world, &format!("orders/{key}.json"), &format!("orders/a%3D1/{told}.json"));
        world.message(&message);
        // Where S3 does not say, it comes again.
        world.bucket.denies_heads.store(true, Ordering::Relaxed);
        assert_eq!((world.deliver().await, world.waits()), (1, vec![5]), "{key}");
        world.bucket.denies_heads.store(false, Ordering::Relaxed);
        assert_eq!(world.deliver().await, 0, "{key}");
    }
    assert_eq!((world.counted("Drops"), world.counted("MissingObjects"), world.counted("ForeignObjects")), (4, 0, 0));
    let held: Vec<String> = world.held().await.0.into_keys().collect();
    assert_eq!(held, ["orders/a=1/both.json", "orders/a=1/one.json"]);
}

#[tokio::test]
async fn the_key_that_was_told_is_read_and_only_what_is_not_there_is_asked_for() {
    let mut world = World::new().await;
    world.drop("orders/first.json", "{\"a\":0}");
    assert_eq!(world.deliver().await, 0);
    let counts = |world: &World| [&world.bucket.reads, &world.bucket.heads].map(|n| n.load(Ordering::Relaxed));
    let first = counts(&world)[0];
    // Kafka Connect's names, as EventBridge tells them: not encoded.
    for at in 0..50 {
        let key = format!("orders/orders+0+{at:010}.json");
        world.put(&key, format!("{{\"a\":{at}}}"));
        let message = bridged(&world, &key, &key);
        world.message(&message);
    }
    assert_eq!((world.deliver().await, world.held().await.1), (0, 51));
    assert_eq!(counts(&world), [first + 50, 0], "a read each, and nothing is asked");
    // Encoded, each costs a read in vain and one question.
    for at in 0..10 {
        let key = format!("orders/more+0+{at:010}.json");
        world.put(&key, format!("{{\"a\":{at}}}"));
        let message = bridged(&world, &key, &key.replace('+', "%2B"));
        world.message(&message);
    }
    assert_eq!((world.deliver().await, world.held().await.1), (0, 61));
    assert_eq!(counts(&world), [first + 70, 10]);
    // One drop by both of its names at once.
    world.drop("orders/a b.json", "{\"a\":7}");
    let message = bridged(&world, "orders/a b.json", "orders/a%20b.json");
    world.message(&message);
    assert_eq!((world.deliver().await, world.held().await.1), (0, 62));
    assert_eq!(world.counted("MissingObjects"), 0);
}

#[tokio::test]
async fn a_replaced_object_whose_key_was_told_encoded_is_read_as_it_is_now() {
    let mut world = World::new().await;
    world.put("orders/a b.json", "{\"a\":1}");
    let message = bridged(&world, "orders/a b.json", "orders/a%20b.json");
    world.message(&message);
    world.put("orders/a b.json", "{\"a\":1}\n{\"a\":2}");
    assert_eq!(world.deliver().await, 0);
    assert_eq!((world.held().await.1, world.counted("MissingObjects")), (2, 0));
}

#[tokio::test]
async fn a_replaced_object_whose_key_only_looks_encoded_is_read_as_it_is_now() {
    for is_other_there in [false, true] {
        let mut world = World::new().await;
        if is_other_there {
            world.put("orders/a b.json", "{\"b\":1}");
        }
        world.put("orders/a%20b.json", "{\"a\":1}");
        let message = bridged(&world, "orders/a%20b.json", "orders/a%20b.json");
        world.message(&message);
        world.put("orders/a%20b.json", "{\"a\":1}\n{\"a\":2}");
        assert_eq!(world.deliver().await, 0);
        let (held, rows, _) = world.held().await;
        assert_eq!(
            (held.get("orders/a%20b.json"), rows, world.counted("MissingObjects")),
            (Some(&1), 2, 0),
            "{held:?}"
        );
    }
}

/// Told twice by one encoded key, of contents that are both replaced by now.
#[tokio::test]
async fn an_object_that_was_replaced_again_and_again_is_not_missing() {
    let mut world = World::new().await;
    for at in 0..2 {
        world.put("orders/a b.json", format!("{{\"a\":{at}}}"));
        let message = bridged(&world, "orders/a b.json", "orders/a%20b.json");
        world.message(&message);
    }
    world.put("orders/a b.json", "{\"a\":1}\n{\"a\":2}");
    assert_eq!(world.deliver().await, 0);
    let (held, rows, _) = world.held().await;
    assert_eq!((held.get("orders/a b.json"), rows, world.counted("MissingObjects")), (Some(&1), 2, 0), "{held:?}");
}

#[tokio::test]
async fn only_another_content_is_an_overwrite() {
    let mut world = World::new().await;
    let told = world.put("orders/a.json", r#"{"a":1}"#);
    for etag in [&told.etag, &told.etag, &None] {
        world.notify(&Notification { etag: etag.clone(), ..told.clone() });
    }
    assert_eq!(world.deliver().await, 0);
    assert_eq!((world.counted("IgnoredOverwrites"), world.held().await.1), (0, 1));
}
