//! Sources and stores on a real S3 server, which `cargo xtask test` starts.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod keeping;
mod listing;
#[allow(dead_code, reason = "other crates' tests use all of it")]
mod proxy;
mod reading;

use std::io::Read;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use drops::{DropId, DroppedObject};
use store::{OpenObject, S3Source, S3Store};
use tokio::runtime::Handle;

/// The bucket that the server has from the beginning.
const BUCKET: &str = "lithify";

/// Names that something on the way may bend.
const ODD: [&str; 8] = [
    "a b/c d",
    "plus+and%2Bpercent%",
    "day=2024-01-01 10%3A00/x=y",
    "ünï/日本語.json",
    "&?#[]{}|^~`'\"<>;:,@$!*()",
    "%41",
    "A",
    "orders+0+0000000000.json",
];

/// The server's address.
fn server() -> String {
    std::env::var("LITHIFY_S3")
        .expect("LITHIFY_S3 names no S3 server: run this by `cargo xtask test`, which starts one")
}

fn client(endpoint: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new("us-east-1"));
    Client::from_conf(config.build())
}

/// A prefix that no other test has; ends in `/`.
fn prefix() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("store-{}-{}/", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn source(endpoint: &str) -> S3Source {
    S3Source::new(client(endpoint), 64, 64 << 20)
}

fn store(endpoint: &str, prefix: &str) -> S3Store {
    S3Store::new(client(endpoint), BUCKET, prefix, Handle::current())
}

fn id(bucket: &str, key: &str) -> DropId {
    DropId { pipeline: "p".parse().unwrap(), bucket: bucket.into(), key: key.into(), version: None }
}

/// Puts an object, and gives it as it was notified.
async fn put(key: &str, content: impl Into<Vec<u8>>) -> DroppedObject {
    let client = client(&server());
    client.put_object().bucket(BUCKET).key(key).body(ByteStream::from(content.into())).send().await.unwrap();
    source(&server()).head(&id(BUCKET, key)).await.unwrap().unwrap()
}

/// Reads an object to its end and sees that it was what was asked for.
fn read(mut object: Box<dyn OpenObject>) -> Vec<u8> {
    let mut content = Vec::new();
    object.read_to_end(&mut content).unwrap();
    object.verify().unwrap();
    content
}

/// Bytes of which no two stretches are alike.
fn noise(length: usize) -> Vec<u8> {
    let words = (0..length as u64 / 8 + 1).flat_map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ n).to_le_bytes());
    words.take(length).collect()
}
