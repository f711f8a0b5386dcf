use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_s3::error::ProvideErrorMetadata;
use ledger::{DynamoLedger, Ledger};
use runtime::aws::Clients;
use runtime::settings::{ClusterBy, Pipeline, Place, S3Address, Settings, Surroundings, check, json};
use store::{S3Source, S3Store};
use tokio::runtime::Handle;

use crate::Schemas;
use crate::receive::{Budget, Lane, Lanes, Loader};

/// The settings object in S3.
pub(super) struct SettingsObject {
    clients: Clients,
    address: S3Address,
    budget: Budget,
    /// Its text when it was last read, and what that came to.
    last: Mutex<Option<(String, Arc<Lanes>)>>,
}

impl SettingsObject {
    pub(super) fn new(clients: Clients, address: S3Address, budget: Budget) -> Self {
        Self { clients, address, budget, last: Mutex::default() }
    }

    async fn text(&self) -> Result<String, String> {
        let Self { address, .. } = self;
        let cannot = |why: String| format!("the settings {address} cannot be read: {why}");
        let get = self.clients.s3.get_object().bucket(&address.bucket).key(&address.path);
        let object = get.send().await.map_err(|e| {
            cannot(match (e.code(), e.message()) {
                // What the whole error shows besides is the answer's headers.
                (Some(code), message) => format!("S3 answered {code}: {}", message.unwrap_or("it gives no reason")),
                (None, _) => drops::causes(&e),
            })
        })?;
        let content = object.body.collect().await.map_err(|e| cannot(e.to_string()))?;
        String::from_utf8(content.to_vec()).map_err(|e| cannot(e.to_string()))
    }

    fn lanes(&self, text: &str) -> Result<Lanes, String> {
        let settings = checked(text, &self.address.to_string())?;
        let Some((ledger, Some(queues))) = settings.aws.map(|aws| (aws.ledger, aws.queues)) else {
            return Err(format!("{}: ledger and queue are missing", self.address));
        };
        let ledger: Arc<dyn Ledger> = Arc::new(DynamoLedger::new(self.clients.dynamodb.clone(), ledger));
        let Budget { objects_ahead, bytes_ahead, .. } = self.budget;
        let source = Arc::new(S3Source::new(self.clients.s3.clone(), objects_ahead, bytes_ahead));
        let lane = |pipeline: Pipeline| {
            let table = S3Address::table(&pipeline.table)?.below("_lithify");
            let state = S3Store::new(self.clients.s3.clone(), &table.bucket, &table.path, Handle::current());
            let schemas = Schemas::new(ledger.clone(), pipeline.table.clone(), pipeline.schema_hints.clone());
            let schemas = schemas.with_named(named_columns(&pipeline));
            Ok(Arc::new(Lane::new(pipeline, source.clone(), source.clone(), Arc::new(state), Arc::new(schemas))))
        };
        let lanes: Result<Vec<_>, String> = settings.pipelines.into_iter().map(lane).collect();
        Ok(Lanes::new(ledger.clone(), queues, lanes?))
    }
}

#[async_trait]
impl Loader for SettingsObject {
    async fn load(&self) -> Result<Arc<Lanes>, String> {
        let text = self.text().await?;
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, lanes)) = last.filter(|(last, _)| *last == text) {
            return Ok(lanes);
        }
        let lanes = Arc::new(self.lanes(&text)?);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((text, lanes.clone()));
        Ok(lanes)
    }
}

/// The settings, or everything that is wrong with them.
pub(super) fn checked(text: &str, name: &str) -> Result<Settings, String> {
    // Every place is on S3, so there is nothing to look at.
    let look = |_: &str| Place::NoFolder;
    let around = Surroundings { processors: 1, s3: true, look: &look };
    let settings = json::read(text, name).and_then(|raw| check(&raw, &around));
    settings.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// Columns that a table is made with because its settings name them.
fn named_columns(pipeline: &Pipeline) -> Vec<String> {
    let key = match &pipeline.cluster_by {
        ClusterBy::Source => &[],
        ClusterBy::Columns(columns) | ClusterBy::ZOrder(columns) => &columns[..],
    };
    key.iter().chain(&pipeline.partition_columns).cloned().collect()
}
