use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use futures::StreamExt;
use store::{S3Listing, Store};

use crate::proxy::{Fault, Proxy};
use crate::{BUCKET, ODD, client, prefix, put, server, store};

async fn keys(mut listing: S3Listing) -> Vec<String> {
    let mut keys = Vec::new();
    while let Some(page) = listing.next_page().await.unwrap() {
        keys.extend(page.into_iter().map(|object| object.key));
    }
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_comes_in_the_order_of_the_keys() {
    const COUNT: usize = 2_100;
    let prefix = prefix();
    let store = store(&server(), &prefix);
    let put = |n: usize| {
        let store = store.clone();
        async move { store.put(&format!("{n:05}"), "x".into()).await.unwrap() }
    };
    futures::stream::iter((0..COUNT).map(put)).buffer_unordered(32).collect::<Vec<()>>().await;
    let expected: Vec<_> = (0..COUNT).map(|n| format!("{prefix}{n:05}")).collect();
    let proxy = Proxy::start(&server(), |_| Fault::None);
    assert_eq!(keys(S3Listing::new(client(&proxy.endpoint), BUCKET, &prefix)).await, expected);
    assert_eq!(proxy.seen().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_keys_are_listed_as_they_are() {
    let prefix = prefix();
    let mut expected = Vec::new();
    for odd in ODD {
        expected.push(put(&format!("{prefix}{odd}"), odd).await);
    }
    expected.sort_by(|a, b| a.id.key.cmp(&b.id.key));
    let mut listing = S3Listing::new(client(&server()), BUCKET, &prefix);
    let mut listed = Vec::new();
    while let Some(page) = listing.next_page().await.unwrap() {
        listed.extend(page);
    }
    listed.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(listed.len(), expected.len());
    for (listed, expected) in listed.iter().zip(&expected) {
        assert_eq!((&listed.key, &listed.etag, listed.size), (&expected.id.key, &expected.etag, expected.size));
        // A look at one object rounds to seconds.
        assert_eq!(listed.modified.0 / 1_000_000, expected.modified.0 / 1_000_000);
    }
}

/// Of each key the version that is current, if one is; what has none is listed as well.
#[tokio::test(flavor = "multi_thread")]
async fn versions_are_listed_where_they_are_asked_for() {
    let (client, bucket) = (client(&server()), format!("listed-{}", std::process::id()));
    client.create_bucket().bucket(&bucket).send().await.unwrap();
    let put = async |key: &str| {
        let put = client.put_object().bucket(&bucket).key(key).body(ByteStream::from_static(b"content"));
        put.send().await.unwrap().version_id
    };
    let put = &put;
    let list = async || {
        let mut listing = S3Listing::new(client.clone(), &bucket, "a ").with_versions();
        let (mut listed, mut pages) = (Vec::new(), 0);
        while let Some(page) = listing.next_page().await.unwrap() {
            pages += 1;
            listed.extend(page.into_iter().map(|object| (object.key, object.version)));
        }
        (listed, pages)
    };
    let before = "a +before%2B".to_owned();
    assert_eq!(put(&before).await, None);
    assert_eq!(list().await, (vec![(before.clone(), None)], 1), "a bucket that keeps none");
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(&bucket).versioning_configuration(enabled).send().await.unwrap();
    let mut expected = vec![(before, None)];
    for key in ["a /deleted", "a /twice", "another"] {
        put(key).await;
        let last = put(key).await;
        assert!(last.is_some());
        if key == "a /twice" {
            expected.push((key.to_owned(), last));
        }
    }
    client.delete_object().bucket(&bucket).key("a /deleted").send().await.unwrap();
    // More than a page, each key with an older version.
    for _ in 0..2 {
        let puts = (0..700).map(|n| {
            let key = format!("a {n:04}+");
            async move { (key.clone(), put(&key).await) }
        });
        let put: Vec<_> = futures::stream::iter(puts).buffer_unordered(32).collect().await;
        expected.retain(|(key, _)| !key.starts_with("a 0"));
        expected.extend(put);
    }
    expected.sort();
    assert_eq!(list().await, (expected, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_fails_says_where_and_goes_on_later() {
    let prefix = prefix();
    put(&format!("{prefix}a"), "x").await;
    let proxy = Proxy::start(&server(), |_| Fault::Answer(503, "SlowDown"));
    let error = S3Listing::new(client(&proxy.endpoint), BUCKET, &prefix).next_page().await.unwrap_err();
    assert!(
        error.to_string().contains(&format!("s3://{BUCKET}/{prefix}")) && error.reason.contains("SlowDown"),
        "{error}"
    );
    let error = S3Listing::new(client(&server()), "no-such-bucket", "").next_page().await.unwrap_err();
    assert!(error.reason.contains("NoSuchBucket"), "{error}");
    assert_eq!(keys(S3Listing::new(client(&server()), BUCKET, &prefix)).await.len(), 1);
}
