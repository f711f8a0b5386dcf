//! How the bucket of a table is reached.

pub(crate) mod connector;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

/// How the bucket of a table is reached. What is left out comes from the environment (`AWS_REGION`, ...).
#[derive(Clone, Debug)]
pub struct S3Config {
    /// The bucket's address, a URL with its name in the host or in the path. It is spoken to as it says: with TLS or without.
    pub address: String,
    /// The bucket's region.
    pub region: Option<String>,
    /// Where keys come from. Left out: the environment, a web identity, a container's or an instance's role; profiles of the AWS command
    /// line are not read then.
    pub credentials: Option<Arc<dyn S3Credentials>>,
    /// Who is told of requests.
    pub requests: Option<Arc<dyn S3Requests>>,
}

/// A key to sign requests with.
#[derive(Clone)]
pub struct S3Key {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// The session token, if it is a temporary one.
    pub token: Option<String>,
}

/// A source of keys.
#[async_trait]
pub trait S3Credentials: Debug + Send + Sync {
    /// A key that is valid now. Called for each request, so it has to keep what it has got. The error says what is missing.
    async fn key(&self) -> Result<S3Key, String>;
}

/// Who counts requests.
pub trait S3Requests: Debug + Send + Sync {
    /// A request is sent, or sent again. `operation` is S3's name for it.
    fn sent(&self, operation: &'static str);
}
