use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use store::{ReadError, Source, Store};

use crate::proxy::{Fault, Proxy, Request};
use crate::{BUCKET, ODD, client, id, noise, prefix, put, read, server, source, store};

fn is_get(request: &Request) -> bool {
    request.method == "GET"
}

/// Spoils the first so many GETs.
fn first_gets(count: u32, fault: Fault) -> impl Fn(&Request) -> Fault {
    let seen = AtomicU32::new(0);
    move |request| {
        let spoilt = is_get(request) && seen.fetch_add(1, Ordering::Relaxed) < count;
        if spoilt { fault } else { Fault::None }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_every_size_are_read_by_one_request() {
    let prefix = prefix();
    for (n, length) in [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 9 << 20].into_iter().enumerate() {
        let content = noise(length);
        let object = put(&format!("{prefix}{n}"), content.clone()).await;
        assert_eq!((object.size, object.etag.contains('"')), (length as u64, false));
        let proxy = Proxy::start(&server(), |_| Fault::None);
        let opened = source(&proxy.endpoint).open(&object).await.unwrap();
        assert!(read(opened) == content, "{length}");
        assert_eq!(proxy.seen().len(), 1, "{length}: {:?}", proxy.seen());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_something_could_bend_are_read() {
    let long: String = (0..5).map(|_| format!("{}/", "k".repeat(200))).collect();
    let prefix = prefix();
    let long = format!("{prefix}{long}{}", "x".repeat(1024 - prefix.len() - long.len()));
    assert_eq!(long.len(), 1024);
    for key in ODD.iter().map(|odd| format!("{prefix}{odd}")).chain([long]) {
        let object = put(&key, key.as_bytes()).await;
        assert_eq!(read(source(&server()).open(&object).await.unwrap()), key.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_replaced_or_is_gone_is_told() {
    let key = format!("{}a", prefix());
    let before = put(&key, "before").await;
    let now = put(&key, "after").await;
    let source = source(&server());
    assert!(matches!(source.open(&before).await, Err(ReadError::Changed)));
    assert_eq!(read(source.open(&now).await.unwrap()), b"after");
    // As HTTP spells it.
    let mut quoted = now.clone();
    quoted.etag = format!("\"{}\"", now.etag);
    assert_eq!(read(source.open(&quoted).await.unwrap()), b"after");
    // Without versions the etag is the version.
    let as_version = |etag: &str| {
        let mut object = now.clone();
        (object.id.version, object.etag) = (Some(etag.to_owned()), etag.to_owned());
        object
    };
    assert_eq!(read(source.open(&as_version(&now.etag)).await.unwrap()), b"after");
    assert!(matches!(source.open(&as_version(&before.etag)).await, Err(ReadError::Changed)));
    assert_eq!(source.head(&as_version(&now.etag).id).await.unwrap().unwrap().size, 5);
    assert_eq!(source.head(&as_version(&before.etag).id).await.unwrap(), None);

    let by_both = [None, Some(now.etag.as_str())];
    assert_eq!(is_gone(&source, BUCKET, &key, &by_both).await, [false; 2]);
    client(&server()).delete_object().bucket(BUCKET).key(&key).send().await.unwrap();
    assert_eq!(is_gone(&source, BUCKET, &key, &by_both).await, [true; 2]);
    assert!(matches!(source.open(&now).await, Err(ReadError::Gone)));
    assert_eq!(source.head(&now.id).await.unwrap(), None);
    // A bucket that is not there is no reason to call its objects gone.
    let mut elsewhere = now;
    elsewhere.id.bucket = "no-such-bucket".into();
    assert!(
        matches!(source.open(&elsewhere).await, Err(ReadError::Passing(reason)) if reason.contains("NoSuchBucket"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_that_was_notified_is_read() {
    let (client, bucket) = (client(&server()), format!("versions-{}", std::process::id()));
    client.create_bucket().bucket(&bucket).send().await.unwrap();
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(&bucket).versioning_configuration(enabled).send().await.unwrap();
    let put = async |content: &'static str| {
        let put = client.put_object().bucket(&bucket).key("a").body(ByteStream::from_static(content.as_bytes()));
        put.send().await.unwrap().version_id.unwrap()
    };
    let versions = [put("one").await, put("two").await];
    let marker = client.delete_object().bucket(&bucket).key("a").send().await.unwrap().version_id.unwrap();

    let source = source(&server());
    for (version, content) in versions.iter().zip(["one", "two"]) {
        let mut id = id(&bucket, "a");
        id.version = Some(version.clone());
        let object = source.head(&id).await.unwrap().unwrap();
        assert_eq!(read(source.open(&object).await.unwrap()), content.as_bytes());
    }
    let current = id(&bucket, "a");
    assert_eq!(source.head(&current).await.unwrap(), None);
    assert_eq!(is_gone(&source, &bucket, "a", &[Some(&versions[0]), Some(&versions[1]), None]).await, [false; 3]);
    // Another key that begins like it has versions.
    let longer = client.put_object().bucket(&bucket).key("b c+de").body(ByteStream::from_static(b"x"));
    longer.send().await.unwrap();
    client.delete_object().bucket(&bucket).key("b c+d").send().await.unwrap();
    let gone = [None, Some("no-such-version"), Some("0123456789abcdef0123456789abcdef")];
    assert_eq!(is_gone(&source, &bucket, "b c+d", &gone).await, [true; 3]);
    assert_eq!(is_gone(&source, &bucket, "b c+de", &gone).await, [false, true, true]);
    client.delete_object().bucket(&bucket).key("b c+de").send().await.unwrap();
    assert_eq!(is_gone(&source, &bucket, "b c+de", &gone).await, [false, true, true]);
    // Where the identity names no version, the one that was notified can be asked for.
    let mut first = id(&bucket, "a");
    first.version = Some(versions[0].clone());
    let first = source.head(&first).await.unwrap().unwrap();
    let behind = drops::DroppedObject { id: current.clone(), ..first.clone() };
    assert!(matches!(source.open(&behind).await, Err(ReadError::Gone)));
    let behind = drops::DroppedObject { read_at: Some(versions[0].clone()), ..behind };
    assert_eq!(read(source.open(&behind).await.unwrap()), b"one");
    let mut marked = current;
    marked.version = Some(marker);
    assert_eq!(source.head(&marked).await.unwrap(), None);
    let object =
        drops::DroppedObject { id: marked, etag: String::new(), size: 0, modified: drops::Timestamp(0), read_at: None };
    assert!(matches!(source.open(&object).await, Err(ReadError::Gone)));
}

/// Whether a key's drops are gone, by the versions that their identities hold.
async fn is_gone(source: &store::S3Source, bucket: &str, key: &str, versions: &[Option<&str>]) -> Vec<bool> {
    let mut gone = Vec::new();
    for version in versions {
        let id = drops::DropId { version: version.map(str::to_owned), ..id(bucket, key) };
        gone.push(source.is_gone(&id).await.unwrap());
    }
    gone
}

/// Objects from before versions were kept have none: their etags tell them apart. What has one is no drop of its etag.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_by_its_etag_has_no_version() {
    let (client, bucket) = (client(&server()), format!("switched-{}", std::process::id()));
    client.create_bucket().bucket(&bucket).send().await.unwrap();
    let put = async |key: &'static str| {
        let put = client.put_object().bucket(&bucket).key(key).body(ByteStream::from_static(b"content"));
        put.send().await.unwrap().version_id
    };
    assert_eq!(put("before").await, None);
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(&bucket).versioning_configuration(enabled).send().await.unwrap();
    let version = put("after").await;
    assert!(version.is_some());

    let source = source(&server());
    for (key, version) in [("before", None), ("after", version)] {
        let now = source.head(&id(&bucket, key)).await.unwrap().unwrap();
        assert_eq!(now.id.version, version, "{key}");
        let mut by_etag = now.clone();
        by_etag.id.version = Some(now.etag.clone());
        assert!(by_etag.is_known_by_etag());
        let now = source.head(&by_etag.id).await.unwrap().unwrap();
        match version {
            None => {
                assert_eq!(now, by_etag);
                assert_eq!(read(source.open(&by_etag).await.unwrap()), b"content");
            }
            Some(version) => {
                assert!(matches!(source.open(&by_etag).await, Err(ReadError::Changed)), "{key}");
                assert_eq!(now.id.version, Some(version));
                assert_eq!(read(source.open(&now).await.unwrap()), b"content");
            }
        }
    }
    // Others are put over it: it is there by the name that S3 gives it, and known by its etag still.
    let mut before = source.head(&id(&bucket, "before")).await.unwrap().unwrap();
    before.id.version = Some(before.etag.clone());
    let over = client.put_object().bucket(&bucket).key("before").body(ByteStream::from_static(b"another"));
    over.send().await.unwrap();
    assert!(matches!(source.open(&before).await, Err(ReadError::Changed)));
    assert_eq!(source.head(&before.id).await.unwrap(), None);
    let mut null = before.id.clone();
    null.version = Some("null".to_owned());
    for deleted in [false, true] {
        if deleted {
            client.delete_object().bucket(&bucket).key("before").send().await.unwrap();
        }
        assert_eq!(source.head(&null).await.unwrap().unwrap().etag, before.etag, "deleted: {deleted}");
        let behind = drops::DroppedObject { read_at: null.version.clone(), ..before.clone() };
        assert_eq!(read(source.open(&behind).await.unwrap()), b"content", "deleted: {deleted}");
        let etags = [Some(before.etag.as_str()), Some("0123456789abcdef0123456789abcdef"), None];
        assert_eq!(is_gone(&source, &bucket, "before", &etags).await, [false, true, false], "deleted: {deleted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_is_taken_up_where_it_broke() {
    let prefix = prefix();
    for (n, length) in [300_000, 6 << 20].into_iter().enumerate() {
        let content = noise(length);
        let object = put(&format!("{prefix}{n}"), content.clone()).await;
        let proxy = Proxy::start(&server(), first_gets(3, Fault::Cut(100_000)));
        let opened = source(&proxy.endpoint).open(&object).await.unwrap();
        assert!(read(opened) == content, "{length}");
        assert!(proxy.seen().len() >= 3, "{:?}", proxy.seen());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_replaced_while_it_is_read_is_told() {
    let key = format!("{}a", prefix());
    let object = put(&key, noise(3 << 20)).await;
    // What is left after the cut is asked for ahead of the reader, and waits here until another object took its place.
    let replaced = Arc::new(AtomicBool::new(false));
    let (cut, waits) = (first_gets(1, Fault::Cut(1 << 20)), Arc::clone(&replaced));
    let proxy = Proxy::start(&server(), move |request| {
        let fault = cut(request);
        while is_get(request) && fault == Fault::None && !waits.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        fault
    });
    let mut opened = source(&proxy.endpoint).open(&object).await.unwrap();
    put(&key, noise(2 << 20)).await;
    replaced.store(true, Ordering::Relaxed);
    let mut content = Vec::new();
    assert!(opened.read_to_end(&mut content).is_err());
    assert!(content.len() < 3 << 20);
    assert!(matches!(opened.verify(), Err(ReadError::Changed)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_told_with_s3s_own_word() {
    let key = format!("{}a", prefix());
    let object = put(&key, "content").await;
    let answers = [
        (503, "SlowDown"),
        (403, "AccessDenied"),
        (403, "InvalidObjectState"),
        (400, "KMS.DisabledException"),
        (500, "InternalError"),
    ];
    for (status, code) in answers {
        let proxy = Proxy::start(&server(), move |_| Fault::Answer(status, code));
        let Err(ReadError::Passing(reason)) = source(&proxy.endpoint).open(&object).await else { panic!("{code}") };
        for part in [code, &format!("s3://{BUCKET}/{key}"), "GetObject", &status.to_string()] {
            assert!(reason.contains(part), "{part} is not in {reason}");
        }
    }
    for fault in [Fault::DropRequest, Fault::LoseReply, Fault::Cut(0)] {
        let proxy = Proxy::start(&server(), move |_| fault);
        let opened = source(&proxy.endpoint).open(&object).await;
        assert!(matches!(opened, Err(ReadError::Passing(_))), "{fault:?}");
    }
    // Once it has passed, it is read, and one request tells when it was modified.
    let opened = source(&server()).open(&object).await.unwrap();
    let head = source(&server()).head(&object.id).await.unwrap().unwrap();
    assert_eq!(opened.modified(), Some(head.modified));
    let proxy = Proxy::start(&server(), first_gets(2, Fault::Answer(503, "SlowDown")));
    assert_eq!(read(source(&proxy.endpoint).open(&object).await.unwrap()), b"content");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_streams_through_bounded_memory() {
    const LENGTH: usize = 200 << 20;
    let prefix = prefix();
    let content = noise(LENGTH);
    let mut writer = store(&server(), &prefix).writer("large").unwrap();
    std::io::Write::write_all(&mut writer, &content).unwrap();
    assert_eq!(writer.finish().unwrap(), LENGTH as u64);
    let object = source(&server()).head(&id(BUCKET, &format!("{prefix}large"))).await.unwrap().unwrap();
    assert!(object.etag.ends_with("-25"), "{}", object.etag);

    let proxy = Proxy::start(&server(), |_| Fault::None);
    let mut opened = source(&proxy.endpoint).open(&object).await.unwrap();
    assert_eq!(opened.modified(), Some(object.modified));
    // Nobody reads: it stops at what its buffer, the connection's and the kernel's hold.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let ahead = proxy.brought();
    assert!((4 << 20..24 << 20).contains(&ahead), "{ahead} bytes were fetched ahead");
    let mut at = 0;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = opened.read(&mut buffer).unwrap();
        if length == 0 {
            break;
        }
        assert!(buffer[..length] == content[at..at + length], "at {at}");
        at += length;
    }
    opened.verify().unwrap();
    assert_eq!((at, proxy.seen().len()), (LENGTH, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_early_lets_go() {
    let object = put(&format!("{}a", prefix()), noise(30 << 20)).await;
    let proxy = Proxy::start(&server(), |_| Fault::None);
    let mut opened = source(&proxy.endpoint).open(&object).await.unwrap();
    let mut some = [0; 1000];
    opened.read_exact(&mut some).unwrap();
    opened.verify().unwrap();
    drop(opened);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(proxy.brought() < 29 << 20, "{}", proxy.brought());
}

/// As the functions read: on a thread that may block, within `Handle::block_on`.
#[tokio::test]
async fn reading_blocks_no_runtime_of_one_thread() {
    let content = noise(6 << 20);
    let object = put(&format!("{}a", prefix()), content.clone()).await;
    let handle = tokio::runtime::Handle::current();
    let read = tokio::task::spawn_blocking(move || {
        handle.block_on(async { read(source(&server()).open(&object).await.unwrap()) })
    });
    assert!(read.await.unwrap() == content);
}

/// To `HEAD` S3 gives no reason: it is asked again for one. Only what is said of the version's id is about that.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_versions_id_is_told_from_what_may_pass() {
    let key = format!("{}a", prefix());
    let mut object = put(&key, "content").await;
    object.id.version = Some("no version's id".to_owned());
    let is_about_the_version = |error: Option<ReadError>| match error {
        Some(ReadError::NoVersionId(reason)) => {
            assert!(reason.contains("InvalidArgument") && reason.contains(&key), "{reason}");
            true
        }
        Some(ReadError::Passing(_)) => false,
        other => panic!("{other:?}"),
    };
    let answers = [
        (Fault::Says(400, "InvalidArgument", "Invalid version id specified"), true),
        (Fault::Says(400, "InvalidArgument", "x</Message><ArgumentName>versionId</ArgumentName><Message>"), true),
        (Fault::Says(400, "InvalidArgument", "Requests must be signed by version 4"), false),
        (Fault::Says(400, "ExpiredToken", "The provided token has expired."), false),
        (Fault::Says(400, "KMS.DisabledException", "the key is disabled"), false),
    ];
    for (fault, expected) in answers {
        let proxy = Proxy::start(&server(), move |_| fault);
        let source = source(&proxy.endpoint);
        assert_eq!(is_about_the_version(source.open(&object).await.err()), expected, "open: {fault:?}");
        assert_eq!(is_about_the_version(source.head(&object.id).await.err()), expected, "head: {fault:?}");
    }
    // Where only `HEAD` is refused, nothing is known.
    let proxy = Proxy::start(&server(), |_| Fault::Says(400, "InvalidArgument", "Invalid version id specified"));
    assert!(source(&proxy.endpoint).is_gone(&object.id).await.unwrap());
    let heads = |request: &Request| if request.method == "HEAD" { Fault::Answer(400, "") } else { Fault::None };
    let proxy = Proxy::start(&server(), heads);
    let current = drops::DropId { version: None, ..object.id.clone() };
    assert!(matches!(source(&proxy.endpoint).head(&current).await, Err(ReadError::Passing(_))));
    assert_eq!(proxy.seen().len(), 1, "of the current one there is nothing more to ask");
}
