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
    let after = S3Listing::new(client(&server()), BUCKET, &prefix).after(&expected[2_000]);
    assert_eq!(keys(after).await, expected[2_001..]);
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
