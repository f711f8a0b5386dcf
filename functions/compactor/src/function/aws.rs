//! What an invocation works with on AWS: clients made once, settings read once, tables known from one invocation to the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lake::{DeltaLake, LakeError, S3Config, S3Requests};
use ledger::{ClaimAge, DynamoLedger, Ledger};
use runtime::aws::{Clients, Requests};
use runtime::settings::{self, Overwrites, Pipeline, Place, S3Address, Settings, Surroundings};
use runtime::{Clock, Entropy, SystemEntropy};
use store::{S3Store, Store, StoreError};
use tokio::runtime::Handle;

use super::{Job, Opened};
use crate::{
    CLOCK_DIFFERENCE, COMMIT_BYTES, Coming, Compactor, CompactorSettings, LEASE_BY_AGE, Parts, UpkeepSettings,
    first_columns, write_settings,
};

/// Why the function cannot work at all. It is tried again with the next invocation.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The environment lacks something.
    #[error("the environment variable {0} is not set: it names the settings object, s3://BUCKET/KEY")]
    Variable(&'static str),
    /// An endpoint of AWS's services is not encrypted.
    #[error("{0}")]
    Endpoint(String),
    /// The settings object's address is none.
    #[error("LITHIFY_SETTINGS={address} is no object: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The settings object could not be read.
    #[error("the settings object {address} cannot be read: {source}")]
    Object {
        /// Its address.
        address: String,
        /// What S3 said.
        source: StoreError,
    },
    /// The settings are wrong: all of them at once.
    #[error("the settings are wrong: {}", .0.join("; "))]
    Settings(Vec<String>),
    /// A table cannot be reached.
    #[error(transparent)]
    Lake(#[from] LakeError),
}

/// How often a checkpoint is made.
const CHECKPOINT_INTERVAL: u64 = 10;

/// When a batch without a record is given up: far beyond any function's time-out, and beyond what a queue's messages live for.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 3600);

/// What the process takes besides merging: code, clients, parts of uploads, what was read of objects.
const BASE_MEMORY: u64 = 192 << 20;

/// The least that is given to merging.
const MERGE_MEMORY_MIN: u64 = 32 << 20;

/// Everything that outlives an invocation.
pub struct Context {
    /// AWS's clients, with the count of their requests.
    pub clients: Clients,
    settings: Settings,
    ledger: Arc<dyn Ledger>,
    ledger_address: String,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    merge_memory: usize,
    tables: BTreeMap<String, Table>,
    opened: BTreeMap<String, Opened>,
}

/// One table's parts.
#[derive(Clone)]
struct Table {
    lake: Arc<DeltaLake>,
    audit: Arc<DeltaLake>,
    state: Arc<S3Store>,
    files: Arc<S3Store>,
    audit_files: Arc<S3Store>,
}

impl Context {
    /// Reads the settings that the environment names and makes what they need.
    ///
    /// # Errors
    /// Everything that is wrong with the settings, or what could not be reached.
    pub async fn load(clock: Arc<dyn Clock>) -> Result<Self, ContextError> {
        let clients = Clients::load().await.map_err(ContextError::Endpoint)?;
        let settings = load_settings(&clients).await?;
        let name = settings.aws.as_ref().map(|aws| aws.ledger.clone()).unwrap_or_default();
        let ledger_address = format!("dynamodb://{name}");
        let ledger = Arc::new(DynamoLedger::new(clients.dynamodb.clone(), name));
        let (mut tables, mut opened) = (BTreeMap::new(), BTreeMap::new());
        for pipeline in &settings.pipelines {
            if !tables.contains_key(&pipeline.table) {
                tables.insert(pipeline.table.clone(), Table::new(&clients, &pipeline.table).await?);
            }
            opened.insert(pipeline.name.to_string(), Opened::default());
        }
        let merge_memory = merge_memory(memory_of_function());
        let entropy = Arc::new(SystemEntropy);
        Ok(Self { clients, settings, ledger, ledger_address, clock, entropy, merge_memory, tables, opened })
    }

    /// The names of the pipelines.
    pub fn names(&self) -> Vec<String> {
        self.settings.pipelines.iter().map(|pipeline| pipeline.name.to_string()).collect()
    }

    /// The pipelines' parts of one invocation with this request id, which ends in so long.
    pub fn jobs(&self, request_id: &str, left: Duration) -> Vec<Job> {
        self.settings.pipelines.iter().filter_map(|pipeline| self.job(pipeline, request_id, left)).collect()
    }

    fn job(&self, pipeline: &Pipeline, request_id: &str, left: Duration) -> Option<Job> {
        let table = self.tables.get(&pipeline.table)?;
        let parts = Parts {
            ledger: self.ledger.clone(),
            liveness: Arc::new(ClaimAge::new(CLOCK_DIFFERENCE)),
            lake: table.lake.clone(),
            audit: table.audit.clone(),
            state: table.state.clone(),
            table_store: table.files.clone(),
            audit_store: table.audit_files.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            owner: request_id.to_owned(),
        };
        let settings = CompactorSettings {
            pipeline: pipeline.name.clone(),
            table: pipeline.table.clone(),
            table_address: pipeline.table.clone(),
            ledger_address: self.ledger_address.clone(),
            source: pipeline.source.clone(),
            write: write_settings(pipeline),
            target_file_size: pipeline.target_file_size,
            longest_delay: pipeline.longest_delay,
            merge_memory: self.merge_memory,
            checkpoint_interval: CHECKPOINT_INTERVAL,
            append_existing: pipeline.append_existing,
            identity_holds_version: pipeline.overwrites == Overwrites::Ingest,
            coming: Coming::Any,
            commit_bytes: COMMIT_BYTES.max(pipeline.target_file_size),
            lease: left.min(LEASE_BY_AGE),
            leftover_age: LEFTOVER_AGE,
            upkeep: UpkeepSettings::default(),
        };
        let name = pipeline.name.to_string();
        Some(Job {
            opened: self.opened.get(&name).cloned().unwrap_or_default(),
            pipeline: name,
            table: pipeline.table.clone(),
            compactor: Compactor::new(parts, settings),
            first: first_columns(&pipeline.schema_hints, &pipeline.partition_columns),
        })
    }
}

impl Table {
    async fn new(clients: &Clients, table: &str) -> Result<Self, ContextError> {
        let address = |text: &str| {
            S3Address::table(text).map_err(|reason| ContextError::Address { address: text.to_owned(), reason })
        };
        let (place, audit) = (address(table)?, address(&format!("{table}_drops"))?);
        // The audit table lies in the same bucket.
        let bucket = clients.bucket_address(&place.bucket).await.map_err(ContextError::Endpoint)?;
        let (state, config) = (place.below("_lithify"), log_config(&clients.requests, bucket));
        let store = |place: &S3Address| {
            Arc::new(S3Store::new(clients.s3.clone(), &place.bucket, &place.path, Handle::current()))
        };
        let lake = |place: &S3Address| DeltaLake::s3(&place.bucket, &place.path, &config).map(Arc::new);
        Ok(Self {
            lake: lake(&place)?,
            audit: lake(&audit)?,
            state: store(&state),
            files: store(&place),
            audit_files: store(&audit),
        })
    }
}

/// How the logs in a bucket at this address are reached: as the clients reach it, but with keys from the function's own environment.
fn log_config(requests: &Requests, address: String) -> S3Config {
    S3Config { address, region: None, credentials: None, requests: Some(Arc::new(Counted(requests.clone()))) }
}

/// The requests to the logs are counted with the others.
#[derive(Debug)]
struct Counted(Requests);

impl S3Requests for Counted {
    fn sent(&self, operation: &'static str) {
        self.0.sent("S3", operation);
    }
}

async fn load_settings(clients: &Clients) -> Result<Settings, ContextError> {
    const VARIABLE: &str = "LITHIFY_SETTINGS";
    let address = std::env::var(VARIABLE).map_err(|_| ContextError::Variable(VARIABLE))?;
    let place = S3Address::parse(&address)
        .and_then(|place| if place.path.is_empty() { Err("it names no key".to_owned()) } else { Ok(place) })
        .map_err(|reason| ContextError::Address { address: address.clone(), reason })?;
    let store = S3Store::new(clients.s3.clone(), &place.bucket, "", Handle::current());
    let object =
        store.get(&place.path).await.map_err(|source| ContextError::Object { address: address.clone(), source })?;
    let text = String::from_utf8_lossy(&object);
    let told =
        |errors: Vec<settings::SettingError>| ContextError::Settings(errors.iter().map(ToString::to_string).collect());
    let raw = settings::json::read(&text, &address).map_err(told)?;
    let look = |_: &str| Place::Unknown("a function sees no folders".to_owned());
    settings::check(&raw, &Surroundings { processors: 1, s3: true, look: &look }).map_err(told)
}

/// The function's memory in bytes, as Lambda tells it.
fn memory_of_function() -> u64 {
    let megabytes = std::env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok().and_then(|text| text.parse::<u64>().ok());
    megabytes.map_or(settings::DEFAULT_MEMORY, |megabytes| megabytes << 20)
}

/// What merging may take of it: the other half of what is left is for what an estimate misses.
fn merge_memory(memory: u64) -> usize {
    let bytes = (memory.saturating_sub(BASE_MEMORY) / 2).max(MERGE_MEMORY_MIN);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::merge_memory;

    #[test]
    fn merging_gets_half_of_what_is_left() {
        assert_eq!(merge_memory(1024 << 20), 416 << 20);
        assert_eq!(merge_memory(128 << 20), 32 << 20);
    }
}
