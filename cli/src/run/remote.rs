//! Sources and tables on S3, with the ledger in DynamoDB: what the functions work on, from a command line.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_s3::Client as S3Client;
use compactor::{CLOCK_DIFFERENCE, COMMIT_BYTES, LEASE_BY_AGE};
use drops::{DropId, DroppedObject, PipelineName, is_folder_marker, is_hidden_or_temporary};
use lake::{DeltaLake, Lake, S3Config, S3Credentials, S3Key};
use ledger::{ClaimAge, DynamoLedger, Holder, Invocation, LedgerError};
use runtime::aws::Clients;
use runtime::settings::{Overwrites, Pipeline, S3Address, ledger_table};
use store::{ListError, Listed, ListedObject, S3Listing, S3Source, S3Store, Skipped, Source, Store};
use tokio::runtime::Handle;

use super::RunError;
use super::absent::no_table;
use super::machine::{Leases, Machine, Table};
use super::pipeline::lock;
use super::place::Look;
use crate::gone::Trail;
use crate::report::Failure;
use crate::status::of_lake;

/// When a claim without a batch record is old: as for the functions, which work on the same tables, their longest time-out and a minute.
const CLAIM_TIME: Duration = Duration::from_secs(16 * 60);

/// Objects that are read ahead of their turn, for each worker.
const OBJECTS_AHEAD: usize = 32;

/// Bytes that these may hold.
const BYTES_AHEAD: u64 = 32 << 20;

/// The clients, made when the first place on S3 is opened, and the ledger's table.
pub(super) struct Remote {
    clients: Option<Clients>,
    ledger: Option<String>,
}

impl Remote {
    pub(super) fn new(ledger: Option<String>) -> Self {
        Self { clients: None, ledger }
    }

    async fn clients(&mut self) -> Result<Clients, RunError> {
        if let Some(clients) = &self.clients {
            return Ok(clients.clone());
        }
        let refused = |reason| LedgerError { action: "be reached", reason, passing: false };
        Ok(self.clients.insert(Clients::load().await.map_err(refused)?).clone())
    }

    pub(super) async fn table(&mut self, address: &str, machine: &Machine) -> Result<Table, RunError> {
        let clients = self.clients().await?;
        // The check of the settings demands a ledger for every table on S3.
        let missing = || LedgerError {
            action: "be opened",
            reason: "none is named: --ledger dynamodb://NAME".into(),
            passing: false,
        };
        let ledger = self.ledger.clone().ok_or_else(missing)?;
        let parts = Parts::of(address, &clients).await.map_err(|reason| LedgerError {
            action: "be opened",
            reason,
            passing: false,
        })?;
        let now = machine.clock.now();
        let holder: Arc<dyn Holder> = Arc::new(Invocation::new(format!("lithify-{}", machine.entropy.batch_id(now))));
        Ok(Table {
            address: address.to_owned(),
            state_address: format!("{address}/_lithify"),
            name: address.to_owned(),
            ledger: Arc::new(DynamoLedger::new(clients.dynamodb.clone(), ledger)),
            liveness: Arc::new(ClaimAge::new(CLAIM_TIME)),
            leases: leases(),
            holder,
            lake: Arc::new(parts.lake?),
            audit: Arc::new(parts.audit?),
            state: parts.state,
            table_store: parts.table_store,
            audit_store: parts.audit_store,
            made: None,
        })
    }

    pub(super) async fn source(&mut self, pipeline: &Pipeline) -> Result<Bucket, RunError> {
        let client = self.clients().await?.s3;
        let refused = |reason| RunError::Folder { folder: pipeline.source.as_str().into(), reason };
        let address = S3Address::source(&pipeline.source).map_err(refused)?;
        let reader = Arc::new(S3Source::new(client.clone(), OBJECTS_AHEAD, BYTES_AHEAD));
        let (pipeline, holds_version) = (pipeline.name.clone(), pipeline.overwrites == Overwrites::Ingest);
        Ok(Bucket { client, address, pipeline, holds_version, reader, handle: Handle::current() })
    }
}

/// Nobody sees a run on another machine die, nor an invocation. As short as the compactor function's; that it has expired says enough, as
/// the lease only saves work.
fn leases() -> Leases {
    let liveness = Arc::new(ClaimAge::new(CLOCK_DIFFERENCE));
    Leases { liveness, time: LEASE_BY_AGE, commit_bytes: COMMIT_BYTES }
}

/// What a table on S3 is made of.
struct Parts {
    lake: Result<DeltaLake, lake::LakeError>,
    audit: Result<DeltaLake, lake::LakeError>,
    state: Arc<dyn Store>,
    table_store: Arc<dyn Store>,
    audit_store: Arc<dyn Store>,
}

impl Parts {
    async fn of(address: &str, clients: &Clients) -> Result<Self, String> {
        let S3Address { bucket, path } = S3Address::table(address)?;
        let audit = format!("{path}_drops");
        let config = config(clients, clients.bucket_address(&bucket).await?);
        let store = |prefix: &str| -> Arc<dyn Store> {
            Arc::new(S3Store::new(clients.s3.clone(), &bucket, prefix, Handle::current()))
        };
        Ok(Self {
            lake: DeltaLake::s3(&bucket, &path, &config),
            audit: DeltaLake::s3(&bucket, &audit, &config),
            state: store(&format!("{path}/_lithify")),
            table_store: store(&path),
            audit_store: store(&audit),
        })
    }
}

/// How a bucket at this address is reached: as the SDK reaches it, profiles included.
fn config(clients: &Clients, address: String) -> S3Config {
    let keys = clients.config.credentials_provider().map(|provider| Keys { provider, kept: Mutex::default() });
    S3Config {
        address,
        region: clients.config.region().map(ToString::to_string),
        credentials: keys.map(|keys| -> Arc<dyn S3Credentials> { Arc::new(keys) }),
        requests: None,
    }
}

/// The SDK's credentials, kept until shortly before they expire.
struct Keys {
    provider: SharedCredentialsProvider,
    kept: Mutex<Option<(S3Key, Option<SystemTime>)>>,
}

/// Credentials are fetched anew when they are valid for less than this.
const RENEWED_BEFORE: Duration = Duration::from_secs(5 * 60);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

#[async_trait]
impl S3Credentials for Keys {
    #[allow(clippy::disallowed_methods, reason = "credentials expire by the machine's clock, as the SDK judges them")]
    async fn key(&self) -> Result<S3Key, String> {
        let valid = |until: &Option<SystemTime>| until.is_none_or(|until| until > SystemTime::now() + RENEWED_BEFORE);
        if let Some((key, _)) = lock(&self.kept).as_ref().filter(|(_, until)| valid(until)) {
            return Ok(key.clone());
        }
        let found = self.provider.provide_credentials().await.map_err(|e| format!("no credentials of AWS: {e}"))?;
        let key = S3Key {
            id: found.access_key_id().to_owned(),
            secret: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        };
        *lock(&self.kept) = Some((key.clone(), found.expiry()));
        Ok(key)
    }
}

/// A prefix of a bucket as a source.
pub(crate) struct Bucket {
    client: S3Client,
    address: S3Address,
    pipeline: PipelineName,
    /// Whether an object's version is part of its drop's identity.
    holds_version: bool,
    reader: Arc<S3Source>,
    handle: Handle,
}

impl Bucket {
    pub(super) fn reader(&self) -> Arc<dyn Source> {
        self.reader.clone()
    }

    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Everything under the prefix, in the order of the keys' bytes. Of each key the version that is current.
    pub(super) fn list(&self) -> impl Iterator<Item = Result<Listed, ListError>> + '_ {
        let listing = S3Listing::new(self.client.clone(), &self.address.bucket, &self.address.path);
        let listing = if self.holds_version { listing.with_versions() } else { listing };
        Pages { bucket: self, listing: Some(listing), page: VecDeque::new() }
    }

    /// The objects that are at these keys now.
    pub(super) fn list_at(&self, keys: Vec<String>) -> impl Iterator<Item = Result<Listed, ListError>> + '_ {
        keys.into_iter().filter_map(|key| {
            let place = format!("s3://{}/{key}", self.address.bucket);
            match self.handle.block_on(self.reader.head(&self.id(key, None))) {
                Ok(object) => {
                    let DroppedObject { id, etag, size, modified, .. } = object?;
                    let DropId { key, version, .. } = id;
                    Some(Ok(self.listed(ListedObject { key, size, etag, modified, version })))
                }
                Err(e) => Some(Err(ListError { place, reason: e.to_string() })),
            }
        })
    }

    fn id(&self, key: String, version: Option<String>) -> DropId {
        DropId { pipeline: self.pipeline.clone(), bucket: self.address.bucket.clone(), key, version }
    }

    fn listed(&self, object: ListedObject) -> Listed {
        let below = object.key.strip_prefix(&self.address.path).unwrap_or(&object.key);
        if is_folder_marker(&object.key, object.size) || is_hidden_or_temporary(below) {
            return Listed::Skipped(Skipped::HiddenOrTemporary(object.key));
        }
        let ListedObject { key, size, etag, modified, version } = object;
        // A drop is known as the functions know it: by its key, whatever version it has, or by its version, and by its etag where it has none.
        let version = self.holds_version.then(|| version.unwrap_or_else(|| etag.clone()));
        Listed::Object(DroppedObject { id: self.id(key, version), etag, size, modified, read_at: None })
    }
}

/// A listing page by page. Blocks.
struct Pages<'a> {
    bucket: &'a Bucket,
    listing: Option<S3Listing>,
    page: VecDeque<ListedObject>,
}

impl Iterator for Pages<'_> {
    type Item = Result<Listed, ListError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.page.is_empty() {
            let listing = self.listing.as_mut()?;
            match self.bucket.handle.block_on(listing.next_page()) {
                Ok(Some(page)) => self.page = page.into(),
                Ok(None) => self.listing = None,
                Err(e) => {
                    self.listing = None;
                    return Some(Err(e));
                }
            }
        }
        self.page.pop_front().map(|object| Ok(self.bucket.listed(object)))
    }
}

/// Opens a table on S3 for looking.
pub(crate) async fn look(table: &str, ledger: Option<&str>) -> Result<Look, Failure> {
    let wrong = |problem: String| Failure::new(problem, "nothing was changed; `lithify status --help` has examples");
    let ledger = ledger
        .ok_or_else(|| wrong("a table on S3 has its ledger elsewhere: name it by --ledger dynamodb://NAME".into()))?;
    let ledger = ledger_table(ledger).map_err(wrong)?;
    let table = S3Address::table(table).map_err(wrong)?;
    let clients = Clients::load().await.map_err(wrong)?;
    let parts = Parts::of(&table.to_string(), &clients).await.map_err(wrong)?;
    let lake = parts.lake.map_err(of_lake)?;
    let named = format!("dynamodb://{ledger}");
    let ledger = Arc::new(DynamoLedger::new(clients.dynamodb, ledger));
    if lake.head(&[]).await.map_err(of_lake)?.is_none() {
        return Err(no_table(ledger.as_ref(), &table.to_string(), &named).await);
    }
    Ok(Look {
        trail: Trail::Bucket(ledger.clone(), S3Source::new(clients.s3, OBJECTS_AHEAD, BYTES_AHEAD)),
        ledger,
        lake: Arc::new(lake),
        audit: Arc::new(parts.audit.map_err(of_lake)?),
        state: parts.state,
        table_store: parts.table_store,
        audit_store: parts.audit_store,
    })
}
