use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use store::{Store, StoreError};

use crate::proxy::{Fault, Proxy, Request};
use crate::{BUCKET, ODD, client, noise, prefix, server, store};

const PART: usize = 8 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn writes_reads_lists_and_deletes() {
    let store = store(&server(), &prefix());
    store.put("a/b/c", "abc".into()).await.unwrap();
    store.put("a/x", "x".into()).await.unwrap();
    store.put("a/x", "xyz".into()).await.unwrap();
    store.put("ab", "beside".into()).await.unwrap();
    assert_eq!(store.get("a/x").await.unwrap(), "xyz");
    assert_eq!(store.open("a/b/c").await.unwrap().read_at(1, 2).unwrap(), "bc");
    assert_eq!(store.list("a/").await.unwrap(), [("a/b/c".to_owned(), 3), ("a/x".to_owned(), 3)]);
    assert_eq!(store.list("a/b").await.unwrap(), [("a/b/c".to_owned(), 3)]);
    assert_eq!(store.list("a/x").await.unwrap(), [("a/x".to_owned(), 3)]);
    assert!(store.list("a/b/d").await.unwrap().is_empty() && store.list("a").await.is_err());
    store.delete("a/x").await.unwrap();
    store.delete("a/x").await.unwrap();
    assert!(matches!(store.get("a/x").await, Err(StoreError::Missing(_))));
    assert!(matches!(store.open("a/x").await, Err(StoreError::Missing(_))));
    assert!(store.list("nothing/").await.unwrap().is_empty());
    for bad in ["../out", "/etc/passwd", "a/../../out", "a//b", "", "a/.", &"k/".repeat(512)] {
        assert!(matches!(store.put(bad, "x".into()).await, Err(StoreError::Address(_))), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_addresses_survive() {
    // The store's prefix is as odd as the addresses below it.
    let store = store(&server(), &format!("{}a b+%2B=ü", prefix()));
    let mut expected = Vec::new();
    for odd in ODD {
        let address = format!("in/{odd}");
        store.put(&address, address.clone().into()).await.unwrap();
        assert_eq!(store.get(&address).await.unwrap(), address);
        expected.push((address.clone(), address.len() as u64));
    }
    expected.sort();
    assert_eq!(store.list("in/").await.unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_written_in_parts() {
    let prefix = prefix();
    for (length, requests) in [(0, 1), (5, 1), (PART, 1), (PART + 1, 4), (3 * PART, 5), (3 * PART + 7, 6)] {
        let content = noise(length);
        let proxy = Proxy::start(&server(), |_| Fault::None);
        let store = store(&proxy.endpoint, &prefix);
        let mut writer = store.writer("a").unwrap();
        for piece in content.chunks(1_000_003) {
            writer.write_all(piece).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), length as u64);
        assert_eq!(proxy.seen().len(), requests, "{length}: {:?}", proxy.seen());
        assert!(store.get("a").await.unwrap() == content, "{length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_object_does_not_exist_and_leaves_nothing() {
    let prefix = prefix();
    let store = store(&server(), &prefix);
    for length in [10, 3 * PART] {
        let mut writer = store.writer("sub/a").unwrap();
        writer.write_all(&noise(length)).unwrap();
        assert!(store.list("sub/").await.unwrap().is_empty());
        drop(writer);
        let mut left = usize::MAX;
        for _ in 0..600 {
            let uploads =
                client(&server()).list_multipart_uploads().bucket(BUCKET).prefix(&prefix).send().await.unwrap();
            left = uploads.uploads().len();
            if left == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(left, 0);
        assert!(store.list("sub/").await.unwrap().is_empty());
    }
}

/// Spoils the first request that matches.
fn once(matches: impl Fn(&Request) -> bool, fault: Fault) -> impl Fn(&Request) -> Fault {
    let left = AtomicU32::new(1);
    move |request| {
        let hit =
            matches(request) && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
        if hit { fault } else { Fault::None }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_replies_lose_and_double_nothing() {
    let prefix = prefix();
    let content = noise(2 * PART + 1);
    type Matches = fn(&Request) -> bool;
    let places: [(&str, Matches); 4] = [
        ("create", |request| request.method == "POST" && request.target.contains("uploads")),
        ("part", |request| request.method == "PUT" && request.target.contains("partNumber=2")),
        ("complete", |request| request.method == "POST" && request.target.contains("uploadId=")),
        ("put", |request| request.method == "PUT" && !request.target.contains("partNumber")),
    ];
    for (name, place) in places {
        for fault in [Fault::LoseReply, Fault::DropRequest, Fault::Answer(503, "SlowDown")] {
            let proxy = Proxy::start(&server(), once(place, fault));
            let store = store(&proxy.endpoint, &prefix);
            let content = if name == "put" { &content[..1000] } else { &content };
            let mut writer = store.writer(name).unwrap();
            writer.write_all(content).unwrap();
            assert_eq!(writer.finish().unwrap(), content.len() as u64, "{name} {fault:?}");
            assert!(store.get(name).await.unwrap() == content, "{name} {fault:?}");
            store.delete(name).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_fails_says_so_and_stands_nowhere() {
    let prefix = prefix();
    for part in ["partNumber=1", "partNumber=3", "uploadId="] {
        let proxy = Proxy::start(&server(), move |request| {
            let hit = request.target.contains(part) && matches!(request.method.as_str(), "PUT" | "POST");
            if hit { Fault::Answer(403, "AccessDenied") } else { Fault::None }
        });
        let store = store(&proxy.endpoint, &prefix);
        let mut writer = store.writer("a").unwrap();
        let failed = match writer.write_all(&noise(4 * PART)) {
            Err(error) => {
                assert!(writer.write_all(b"more").is_err());
                assert!(writer.finish().is_err());
                error.to_string()
            }
            Ok(()) => writer.finish().unwrap_err().to_string(),
        };
        assert!(failed.contains("AccessDenied"), "{part}: {failed}");
        assert!(matches!(store.get("a").await, Err(StoreError::Missing(_))), "{part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_stretch_of_an_object_is_read() {
    let prefix = prefix();
    for length in [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (5 << 20) + 12_345] {
        let content = noise(length);
        let plain = store(&server(), &prefix);
        plain.put("a", content.clone().into()).await.unwrap();
        let proxy = Proxy::start(&server(), |_| Fault::None);
        let object = store(&proxy.endpoint, &prefix).open("a").await.unwrap();
        assert_eq!(object.size(), length as u64);
        let mut at = length as u64;
        for n in 0..200_u64 {
            // Here and there, of every length, more often near the end.
            at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n + 1) % (length as u64 + 1);
            let most = length - at as usize;
            let wanted = [most, 1, 100, 100_000, 1 << 20, 3 << 20][n as usize % 6].min(most);
            let read = object.read_at(at, wanted).unwrap();
            assert!(read == content[at as usize..at as usize + wanted], "{wanted} at {at} of {length}");
        }
        assert!(object.read_at(length as u64, 1).is_err());
        assert!(object.read_at(u64::MAX, 2).is_err());
        if (1..=1 << 20).contains(&length) {
            // The one that opened it, but for reads of a whole block.
            assert!(proxy.seen().len() <= 1 + 200 / 3, "{length}: {}", proxy.seen().len());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn small_reads_share_their_blocks() {
    let prefix = prefix();
    let content = noise(3 << 20);
    store(&server(), &prefix).put("a", content.clone().into()).await.unwrap();
    let proxy = Proxy::start(&server(), |_| Fault::None);
    let object = store(&proxy.endpoint, &prefix).open("a").await.unwrap();
    for at in (0..content.len() - 1000).rev().step_by(10_000) {
        assert!(object.read_at(at as u64, 1000).unwrap() == content[at..at + 1000], "{at}");
    }
    assert_eq!(proxy.seen().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_object_is_never_mixed_with_its_successor() {
    let prefix = prefix();
    let store = store(&server(), &prefix);
    store.put("a", noise(3 << 20).into()).await.unwrap();
    let object = store.open("a").await.unwrap();
    store.put("a", vec![1; 3 << 20].into()).await.unwrap();
    assert!(object.read_at(0, 100).unwrap_err().to_string().contains("replaced"));
    store.delete("a").await.unwrap();
    assert_eq!(object.read_at(0, 100).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}
