//! How many drops of 4 KB a second are opened, 64 at once, from the S3 server that `LITHIFY_S3` names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "it measures by the real clock"
)]

use std::sync::Arc;
use std::time::Instant;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use drops::{DropId, DroppedObject, Timestamp};
use futures::StreamExt;
use store::{S3Listing, S3Source, S3Store, Source, Store};
use tokio::runtime::Handle;

const COUNT: usize = 10_000;

#[tokio::main]
async fn main() {
    let endpoint = std::env::var("LITHIFY_S3").expect("LITHIFY_S3 names an S3 server with a bucket 'lithify'");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new("us-east-1"));
    let client = Client::from_conf(config.build());
    let store = S3Store::new(client.clone(), "lithify", "gets", Handle::current());
    let began = Instant::now();
    let put = |n: usize| {
        let store = store.clone();
        async move { store.put(&format!("{n:06}.json"), vec![b'x'; 4096].into()).await.unwrap() }
    };
    futures::stream::iter((0..COUNT).map(put)).buffer_unordered(64).for_each(|()| async {}).await;
    println!("{:.0} puts a second", COUNT as f64 / began.elapsed().as_secs_f64());

    let began = Instant::now();
    let mut listing = S3Listing::new(client.clone(), "lithify", "gets/");
    let mut objects = Vec::new();
    while let Some(page) = listing.next_page().await.unwrap() {
        objects.extend(page.into_iter().map(|object| DroppedObject {
            id: DropId { pipeline: "p".parse().unwrap(), bucket: "lithify".into(), key: object.key, version: None },
            etag: object.etag,
            size: object.size,
            modified: Timestamp(0),
            read_at: None,
        }));
    }
    println!("{:.0} listed a second", objects.len() as f64 / began.elapsed().as_secs_f64());

    let source = Arc::new(S3Source::new(client, 64, 64 << 20));
    let began = Instant::now();
    let count = objects.len();
    let open = |object: DroppedObject| {
        let source = source.clone();
        tokio::spawn(async move { source.open(&object).await.map(|_| ()).unwrap() })
    };
    futures::stream::iter(objects.into_iter().map(open))
        .buffered(64)
        .for_each(|opened| async { opened.unwrap() })
        .await;
    println!("{:.0} gets a second", count as f64 / began.elapsed().as_secs_f64());
}
