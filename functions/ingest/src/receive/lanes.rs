//! What the function works with: the ledger, the queues, and one lane for each pipeline.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ledger::{Ledger, LedgerError};
use runtime::Clock;
use runtime::settings::{Overwrites, Pipeline, Queues, S3Address};
use store::{Source, Store};

use super::Heads;
use crate::Schemas;

/// How long the ledger's identity is taken for granted. A ledger is restored under the name of another only after that was deleted, which
/// takes DynamoDB longer than this.
const IDENTITY_KNOWN: Duration = Duration::from_secs(60);

/// One pipeline with the places that it works on.
pub struct Lane {
    /// Its settings.
    pub pipeline: Pipeline,
    /// Where its drops are read.
    pub source: Arc<dyn Source>,
    /// What its objects are now.
    pub heads: Arc<dyn Heads>,
    /// Where its runs, manifests and quarantine are written.
    pub state: Arc<dyn Store>,
    /// The schemas of its table.
    pub schemas: Arc<Schemas>,
    address: Option<S3Address>,
}

/// Everything that settings come to.
pub struct Lanes {
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The queues' addresses.
    pub queues: Queues,
    /// The pipelines.
    pub lanes: Vec<Arc<Lane>>,
    identity: Mutex<Option<(Duration, String)>>,
}

/// Reads the settings.
#[async_trait]
pub trait Loader: Send + Sync {
    /// What the settings come to now. Settings that did not change give the same lanes again, with all that they have learned.
    ///
    /// # Errors
    /// Everything that is wrong with them, or why they cannot be read.
    async fn load(&self) -> Result<Arc<Lanes>, String>;
}

impl Lane {
    /// Puts the parts together.
    pub fn new(
        pipeline: Pipeline,
        source: Arc<dyn Source>,
        heads: Arc<dyn Heads>,
        state: Arc<dyn Store>,
        schemas: Arc<Schemas>,
    ) -> Self {
        // Checked when the settings were: an address that cannot be parsed takes nothing.
        let address = S3Address::source(&pipeline.source).ok();
        Self { pipeline, source, heads, state, schemas, address }
    }

    /// What a key is called below the pipeline's source; `None` where it does not lie there.
    pub(super) fn below<'a>(&self, bucket: &str, key: &'a str) -> Option<&'a str> {
        let source = self.address.as_ref().filter(|source| source.bucket == bucket)?;
        key.strip_prefix(&source.path)
    }

    /// Whether the object's version is part of a drop's identity.
    pub(super) fn holds_version(&self) -> bool {
        self.pipeline.overwrites == Overwrites::Ingest
    }
}

impl Lanes {
    /// Puts the parts together.
    pub fn new(ledger: Arc<dyn Ledger>, queues: Queues, lanes: Vec<Arc<Lane>>) -> Self {
        Self { ledger, queues, lanes, identity: Mutex::default() }
    }

    /// Why nothing may be claimed for a pipeline: the compactor has not opened it with this ledger and these settings. `None` if it may.
    pub(super) async fn closed(&self, lane: &Lane, clock: &dyn Clock) -> Result<Option<String>, LedgerError> {
        let name = &lane.pipeline.name;
        let Some(fixed) = self.ledger.settings(name).await? else {
            return Ok(Some(format!(
                "pipeline {name} has not been opened: invoke the compactor with {{\"pipelines\": [\"{name}\"]}}, its answer says what is amiss"
            )));
        };
        if fixed.ledger != self.identity(clock).await? {
            return Ok(Some(format!(
                "pipeline {name} was opened with another ledger: this one was restored or copied; restore ledger and table to the same moment"
            )));
        }
        // Settings that an earlier build fixed name no table.
        if let Some(table) = fixed.table.as_ref().filter(|table| **table != lane.pipeline.table) {
            return Ok(Some(format!(
                "pipeline {name} was made for the table {table}, and the settings say {}: set it back, and give what is to go into another \
                 table a pipeline of a new name; until then its drops wait in the queue",
                lane.pipeline.table
            )));
        }
        if fixed.source != lane.pipeline.source || fixed.identity_holds_version != lane.holds_version() {
            return Ok(Some(format!(
                "pipeline {name} was made for the source {}{}: what is another source, or has other overwrites, is a pipeline of another name",
                fixed.source,
                if fixed.identity_holds_version { " with overwrites = \"ingest\"" } else { "" }
            )));
        }
        Ok(None)
    }

    async fn identity(&self, clock: &dyn Clock) -> Result<String, LedgerError> {
        let now = clock.monotonic();
        let known = self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, identity)) = known
            && now.saturating_sub(at) < IDENTITY_KNOWN
        {
            return Ok(identity);
        }
        let identity = self.ledger.identity().await?;
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, identity.clone()));
        Ok(identity)
    }
}
