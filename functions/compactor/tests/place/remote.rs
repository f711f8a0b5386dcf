//! The table and its audit table on a real S3 server, reached through a proxy that can spoil requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use lake::{DeltaLake, Lake, S3Config, S3Credentials, S3Key};
use store::{S3Store, Store};
use tokio::runtime::Handle;

/// The bucket that the server has from the beginning.
pub const BUCKET: &str = "lithify";

/// The key of the server that tests start.
const KEY: &str = "test";

/// The server's address.
pub fn server() -> String {
    std::env::var("LITHIFY_S3")
        .unwrap_or_else(|_| panic!("LITHIFY_S3 names no S3 server: run this by `cargo xtask test`, which starts one"))
}

#[derive(Debug)]
struct TestKey;

#[async_trait::async_trait]
impl S3Credentials for TestKey {
    async fn key(&self) -> Result<S3Key, String> {
        Ok(S3Key { id: KEY.into(), secret: KEY.into(), token: None })
    }
}

/// Where a place's tables are.
#[derive(Clone)]
pub struct Remote {
    /// What every key of the place begins with; no slash at the end.
    pub prefix: String,
    /// Where requests go: the server, or a proxy before it.
    pub endpoint: String,
}

impl Remote {
    /// A prefix that no other test has, on the server itself.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self { prefix: format!("commits-{}-{number}", std::process::id()), endpoint: server() }
    }

    /// The same tables, reached another way.
    pub fn through(&self, endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), ..self.clone() }
    }

    /// The log of one of the tables.
    pub fn lake(&self, table: &str) -> Arc<dyn Lake> {
        let config = S3Config {
            address: format!("{}/{BUCKET}", self.endpoint),
            region: Some("us-east-1".into()),
            credentials: Some(Arc::new(TestKey)),
            requests: None,
        };
        Arc::new(DeltaLake::s3(BUCKET, &format!("{}/{table}", self.prefix), &config).unwrap())
    }

    /// The files of one of the tables.
    pub fn store(&self, table: &str) -> Arc<dyn Store> {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::new(KEY, KEY, None, None, "test"))
            .endpoint_url(&self.endpoint)
            .force_path_style(true)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new("us-east-1"));
        let client = Client::from_conf(config.build());
        Arc::new(S3Store::new(client, BUCKET, &format!("{}/{table}/", self.prefix), Handle::current()))
    }
}
