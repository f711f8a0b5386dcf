//! A log in a bucket.
//!
//! S3 puts a name at most once where it is asked to (`If-None-Match: *`), is durable once it has answered, and shows what was written to
//! every later request. What it lacks is a cheap look at a folder: a listing costs a request for every 1,000 names, so it begins at the
//! version from which on the caller wants to know.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, S3ConditionalPut};
use object_store::client::{ClientOptions, CredentialProvider};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, RetryConfig};
use tokio::runtime::Handle;

use super::{LogFiles, Named, Names, Put, Stamp};
use crate::listing::LAST_CHECKPOINT;
use crate::s3::connector::Connector;
use crate::s3::{S3Config, S3Credentials};

/// The log's folder within the table.
const LOG: &str = "_delta_log";

/// So often a put is tried that S3 answers with "somebody else writes this name just now, ask again" (409).
const CONFLICTS_MAX: u32 = 5;

/// How long to wait after the first of them; each further one waits twice as long.
const CONFLICT_PAUSE: Duration = Duration::from_millis(50);

/// A request that fails is tried again, as often and as long as a function can afford.
const RETRIES_MAX: usize = 5;
const RETRY_TIME_MAX: Duration = Duration::from_secs(60);

/// The log of a table in a bucket.
#[derive(Debug)]
pub(crate) struct S3Log {
    /// Rooted at the table.
    table: Arc<PrefixStore<AmazonS3>>,
    runtime: Handle,
}

impl S3Log {
    /// The log of the table under this prefix of a bucket. The error says what is wrong with the settings.
    pub(crate) fn new(bucket: &str, prefix: &str, config: &S3Config, runtime: Handle) -> Result<Self, String> {
        let prefix = Path::parse(prefix.trim_end_matches('/')).map_err(|error| error.to_string())?;
        let store = build(bucket, config, runtime.clone()).map_err(|error| error.to_string())?;
        Ok(Self { table: Arc::new(PrefixStore::new(store, prefix)), runtime })
    }

    fn path(name: &str) -> Path {
        Path::from_iter([LOG, name])
    }

    /// Waits for the network. The log is only used on threads that may.
    fn wait<T>(&self, work: impl Future<Output = Result<T, Error>>) -> io::Result<T> {
        self.runtime.block_on(work).map_err(io::Error::from)
    }
}

fn build(bucket: &str, config: &S3Config, runtime: Handle) -> Result<AmazonS3, Error> {
    let retry = RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_TIME_MAX, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
    let is_plain = config.address.starts_with("http://");
    builder = builder.with_client_options(ClientOptions::new().with_allow_http(is_plain));
    // Both: the environment may name the other, which would win.
    builder = builder.with_endpoint(&config.address).with_config(AmazonS3ConfigKey::S3Endpoint, &config.address);
    if let Some(region) = &config.region {
        builder = builder.with_region(region);
    }
    if let Some(credentials) = &config.credentials {
        builder = builder.with_credentials(Arc::new(Provided(credentials.clone())));
    }
    builder
        // The address is the bucket's already, and is taken as it is.
        .with_virtual_hosted_style_request(true)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_http_connector(Connector::new(config.requests.clone(), runtime))
        .build()
}

/// Credentials of ours as the store asks for them.
#[derive(Debug)]
struct Provided(Arc<dyn S3Credentials>);

#[async_trait::async_trait]
impl CredentialProvider for Provided {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let key = self.0.key().await.map_err(|reason| Error::Generic { store: "S3", source: reason.into() })?;
        let crate::s3::S3Key { id, secret, token } = key;
        Ok(Arc::new(AwsCredential { key_id: id, secret_key: secret, token }))
    }
}

impl LogFiles for S3Log {
    fn is_remote(&self) -> bool {
        true
    }

    fn names(&self, from: u64) -> io::Result<Names> {
        // Sorts before every name of that version, and after all of the versions below it.
        let after = Self::path(&format!("{from:020}"));
        let log = Path::from(LOG);
        let listed = async {
            let mut names = Vec::new();
            let mut found = self.table.list_with_offset(Some(&log), &after);
            while let Some(object) = found.try_next().await? {
                let name = object.location.as_ref().strip_prefix(LOG).and_then(|name| name.strip_prefix('/'));
                // What sorts after the hint (the parts of other writers' checkpoints) is no version and can be very long.
                let Some(name) = name.filter(|name| *name <= LAST_CHECKPOINT) else { break };
                names.push(Named { name: name.to_owned(), stamp: Some(stamp(&object)) });
            }
            Ok(names)
        };
        Ok(Names { files: self.wait(listed)?, from })
    }

    fn stamp(&self, name: &str) -> io::Result<Option<Stamp>> {
        match self.wait(self.table.head(&Self::path(name))) {
            Ok(object) => Ok(Some(stamp(&object))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let path = Self::path(name);
        self.wait(async { self.table.get(&path).await?.bytes().await }).map(Vec::from)
    }

    /// S3 answers with nothing that is not durable.
    fn flush(&self, _names: &[String]) -> io::Result<()> {
        Ok(())
    }

    /// A bucket has no folders.
    fn prepare(&self) -> io::Result<()> {
        Ok(())
    }

    fn put_if_absent(&self, name: &str, body: &[u8]) -> io::Result<Put> {
        let path = Self::path(name);
        let body = PutPayload::from(body.to_vec());
        self.runtime.block_on(async {
            for conflict in 0..CONFLICTS_MAX {
                match self.table.put_opts(&path, body.clone(), PutMode::Create.into()).await {
                    Ok(_) => return Ok(Put::Done),
                    Err(Error::AlreadyExists { source, .. }) if is_taken(source.as_ref()) => return Ok(Put::Exists),
                    // A conflict says that somebody writes, not that anybody has written.
                    Err(Error::AlreadyExists { .. }) => {
                        tokio::time::sleep(CONFLICT_PAUSE * 2_u32.saturating_pow(conflict)).await;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Err(io::Error::other(format!("{name}: S3 answered {CONFLICTS_MAX} times that others write it (409)")))
        })
    }

    fn replace(&self, name: &str, body: &[u8]) -> io::Result<()> {
        self.wait(self.table.put(&Self::path(name), PutPayload::from(body.to_vec()))).map(|_| ())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match self.wait(self.table.delete(&Self::path(name))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Nobody leaves anything behind: a put is whole or nothing.
    fn sweep(&self, _newest: u64) -> io::Result<()> {
        Ok(())
    }

    fn object_store(&self) -> io::Result<Arc<dyn ObjectStore>> {
        Ok(self.table.clone())
    }
}

/// Listings and single looks tell times in different precision, so the etag speaks where there is one.
fn stamp(object: &ObjectMeta) -> Stamp {
    let modified = object.e_tag.is_none().then(|| object.last_modified.into());
    Stamp { size: object.size, modified, etag: object.e_tag.clone() }
}

/// Whether S3 refused a put because the name is taken (412), and not because of a conflict (409), which the store calls by the same name.
fn is_taken(cause: &(dyn std::error::Error + 'static)) -> bool {
    matches!(cause.downcast_ref::<Error>(), Some(Error::Precondition { .. } | Error::NotModified { .. }))
}
