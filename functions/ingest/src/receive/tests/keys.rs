use std::fs;

use drops::notification::Notification;

use super::world::*;

/// Keys are names and nothing else: what looks like a path out of the source leads nowhere, and costs no neighbour.
#[tokio::test]
async fn hostile_keys_are_names_and_nothing_else() {
    let mut world = World::new().await;
    let longest = format!("orders/{}.json", "k".repeat(1024 - "orders/.json".len()));
    let keys = [
        "orders/a/../../../etc/passwd.json",
        "orders//etc/passwd.json",
        "orders/nul\0.json",
        "orders/line\nfeed\r\u{1b}[2J.json",
        "orders/percent%2e%2e%2f%00.json",
        "orders/\u{202e}nosj.json",
        "orders/back\\..\\slash.json",
        longest.as_str(),
        "orders/neighbour.json",
    ];
    for key in keys {
        world.drop(key, r#"{"a":1}"#);
    }
    world.drop("../orders/outside.json", r#"{"a":1}"#);
    world.drop("/orders/outside.json", r#"{"a":1}"#);
    assert_eq!(world.deliver().await, 0, "every message is done with");
    let (held, rows, batches) = world.held().await;
    let expected: Vec<&str> = keys.into_iter().filter(|key| *key != keys[0]).collect();
    let skipped = keys.len() - held.len();
    assert!(expected.iter().all(|key| held.get(*key) == Some(&1)), "{held:?}");
    assert_eq!((rows, batches, world.counted("ForeignObjects")), (held.len() as u64, 1, 2));
    assert_eq!(world.counted("Skipped"), skipped as u64, "what is not held is counted");
    // What is written is named by us: nothing lies outside of the state's folder, and no key is in a name.
    let written = world.files();
    assert!(written.len() > 1 && written.iter().all(|name| name.is_ascii() && !name.contains("passwd")), "{written:?}");
    assert!(fs::metadata("/etc/passwd.json").is_err());
}

/// What stands for a folder is empty: content under such a key is a drop, and where no size was told S3 is asked.
#[tokio::test]
async fn content_is_a_drop_though_its_key_ends_as_a_folders() {
    let more = |more: &str| ORDERS.replace('}', &format!(", {more} }}"));
    // With versions what was replaced is another drop, which is missing.
    for (pipeline, skipped, missing) in [
        (ORDERS.to_owned(), 4, 0),
        (more(r#""format": "json""#), 4, 0),
        (more(r#""format": "json", "overwrites": "ingest""#), 1, 3),
    ] {
        let mut world = World::with(&pipeline).await;
        world.open().await;
        for (key, content) in [("orders/", r#"{"a":1}"#), ("orders/day=1/", r#"{"a":2}"#), ("orders/empty/", "")] {
            world.drop(key, content);
            let told = world.notification(key);
            world.notify(&Notification { size: None, ..told });
            // Replaced by what stands for a folder before it is read.
            let told = world.put(&format!("{key}replaced/"), r#"{"a":3}"#);
            world.put(&told.key, "");
            world.notify(&told);
        }
        assert_eq!(world.deliver().await, 0, "{pipeline}");
        let (held, rows, _) = world.held().await;
        assert_eq!((held.into_keys().collect::<Vec<_>>(), rows), (vec!["orders/".into(), "orders/day=1/".into()], 2));
        let counted = ["OtherEvents", "Skipped", "MissingObjects"].map(|name| world.counted(name));
        assert_eq!(counted, [1, skipped, missing], "{pipeline}");
    }
}
