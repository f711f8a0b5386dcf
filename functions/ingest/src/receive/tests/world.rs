//! A small AWS: one bucket, one queue with messages that come until they are acknowledged, one ledger.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use decode::infer::Observed;
use drops::notification::{Notification, forward};
use drops::{DropId, DroppedObject, Timestamp};
use ledger::{EmbeddedLedger, Ledger, PipelineSettings};
use runs::Manifest;
use runtime::settings::{self, Pipeline, json};
use runtime::telemetry::Metrics;
use runtime::{Clock, SystemEntropy};
use serde_json::{Value, json};
use store::{LocalStore, Store};
use tempfile::TempDir;

use super::super::*;
pub(super) use super::bucket::*;
use crate::{Schemas, Standing};

pub(super) const BUCKET: &str = "vendor";
pub(super) const QUEUE: &str = "https://sqs/1/lithify";
pub(super) const LARGE_QUEUE: &str = "https://sqs/1/lithify-large";
pub(super) const DEAD_QUEUE: &str = "https://sqs/1/lithify-dead";
pub(super) const CLAIM_TIME: Duration = Duration::from_secs(960);
/// What a queue of the Terraform module bears.
pub(super) const RECEIVES_MAX: u32 = 12;
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// Queues that remember what they were sent.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) messages: Mutex<Vec<(String, Outgoing)>>,
    pub(super) waits: Mutex<Vec<(String, Duration)>>,
    pub(super) refuses: AtomicBool,
    /// Whether they answer less than they were asked.
    pub(super) is_silent: AtomicBool,
    /// The one queue that refuses.
    pub(super) refused: Mutex<Option<&'static str>>,
}

#[async_trait]
impl Queues for Sent {
    async fn send(&self, queue: &str, messages: Vec<Outgoing>) -> Vec<Result<(), String>> {
        if self.is_silent.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let refuses = self.refuses.load(Ordering::Relaxed) || *self.refused.lock().unwrap() == Some(queue);
        let mut sent = self.messages.lock().unwrap();
        messages
            .into_iter()
            .map(|message| {
                if refuses {
                    return Err("throttled".to_owned());
                }
                sent.push((queue.to_owned(), message));
                Ok(())
            })
            .collect()
    }

    async fn come_again(&self, _queue: &str, messages: Vec<(String, Duration)>) -> Result<(), String> {
        self.waits.lock().unwrap().extend(messages);
        Ok(())
    }
}

pub(super) struct Settings(pub(super) Mutex<Result<Arc<Lanes>, String>>);

#[async_trait]
impl Loader for Settings {
    async fn load(&self) -> Result<Arc<Lanes>, String> {
        self.0.lock().unwrap().clone()
    }
}

pub(super) struct World {
    folder: TempDir,
    pub(super) clock: Arc<SetClock>,
    pub(super) bucket: Arc<Bucket>,
    pub(super) ledger: Arc<EmbeddedLedger>,
    pub(super) sent: Arc<Sent>,
    pub(super) settings: Arc<Settings>,
    pub(super) receiver: Receiver,
    pub(super) large: Receiver,
    /// Messages that are not acknowledged: id, body, receives.
    pub(super) queue: Vec<(String, String, u32)>,
    pub(super) invocations: u32,
    messages: u32,
    /// How often messages were received that others stand for: by the id of these.
    earlier: BTreeMap<String, u32>,
    /// Messages that were sent anew.
    pub(super) renewed: usize,
    /// How often a message was received that was not acknowledged then.
    pub(super) most_receives: u32,
    pub(super) metrics: BTreeMap<String, u64>,
}

pub(super) const ORDERS: &str = r#"{ "name": "orders", "source": "s3://vendor/orders/", "table": "s3://lake/orders" }"#;

impl World {
    pub(super) async fn new() -> Self {
        let world = Self::with(ORDERS).await;
        world.open().await;
        world
    }

    pub(super) async fn with(pipelines: &str) -> Self {
        Self::with_budget(pipelines, Budget::of(None)).await
    }

    pub(super) async fn with_budget(pipelines: &str, budget: Budget) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SetClock::default());
        let bucket = Arc::new(Bucket { clock: clock.clone(), ..Bucket::default() });
        let ledger = Arc::new(EmbeddedLedger::open(&folder.path().join("ledger.db"), "ledger-1".into()).unwrap());
        let sent = Arc::new(Sent::default());
        let settings = Arc::new(Settings(Mutex::new(Err("not read".into()))));
        let receiver = |is_large| {
            let own = ReceiverSettings { claim_time: CLAIM_TIME, is_large, budget };
            Receiver::new(settings.clone(), sent.clone(), clock.clone(), Arc::new(SystemEntropy), own)
        };
        let (receiver, large) = (receiver(false), receiver(true));
        let (queue, metrics) = (Vec::new(), BTreeMap::new());
        let world = Self {
            folder,
            clock,
            bucket,
            ledger,
            sent,
            settings,
            receiver,
            large,
            queue,
            invocations: 0,
            messages: 0,
            earlier: BTreeMap::new(),
            renewed: 0,
            most_receives: 0,
            metrics,
        };
        world.set_pipelines(pipelines);
        world
    }

    /// Writes the settings.
    pub(super) fn set_pipelines(&self, pipelines: &str) {
        *self.settings.0.lock().unwrap() = Ok(Arc::new(self.lanes(pipelines)));
    }

    fn lanes(&self, pipelines: &str) -> Lanes {
        let text = format!(
            r#"{{"ledger":"dynamodb://ledger","queue":"{QUEUE}","large_queue":"{LARGE_QUEUE}",
                "dead_letter_queue":"{DEAD_QUEUE}","large_drop_size":"100kB","pipelines":[{pipelines}]}}"#
        );
        let look = |_: &str| settings::Place::NoFolder;
        let around = settings::Surroundings { processors: 1, s3: true, look: &look };
        let checked = json::read(&text, "settings").and_then(|raw| settings::check(&raw, &around)).unwrap();
        let lane = |pipeline: Pipeline| {
            let schemas = Schemas::new(self.ledger.clone(), pipeline.table.clone(), pipeline.schema_hints.clone());
            Arc::new(Lane::new(pipeline, self.bucket.clone(), self.bucket.clone(), self.state(), Arc::new(schemas)))
        };
        let lanes = checked.pipelines.into_iter().map(lane).collect();
        Lanes::new(self.ledger.clone(), checked.aws.unwrap().queues.unwrap(), lanes)
    }

    pub(super) fn state(&self) -> Arc<LocalStore> {
        Arc::new(LocalStore::new(&self.folder.path().join("state"), "test"))
    }

    pub(super) fn current(&self) -> Arc<Lanes> {
        self.settings.0.lock().unwrap().clone().unwrap()
    }

    /// Every file that lies in the world's folder, by its path there.
    pub(super) fn files(&self) -> Vec<String> {
        let (mut files, mut open) = (Vec::new(), vec![self.folder.path().to_path_buf()]);
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    files.push(path.strip_prefix(self.folder.path()).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        files
    }

    /// Does what the compactor does first: the table is made, with the columns that hints type as the first version of its schema, and the
    /// settings are fixed.
    pub(super) async fn open(&self) {
        for lane in &self.current().lanes {
            let hinted = Observed::default().resolve(&lane.pipeline.schema_hints, None).schema;
            let first = serde_json::to_string(&hinted).unwrap();
            let _stands = self.ledger.add_schema(&lane.pipeline.table, 1, &first).await.unwrap();
            let fixed = PipelineSettings {
                source: lane.pipeline.source.clone(),
                identity_holds_version: lane.holds_version(),
                ledger: self.ledger.identity().await.unwrap(),
                table_id: "t".into(),
                table: Some(lane.pipeline.table.clone()),
                at: self.clock.now(),
            };
            self.ledger.fix_settings(&lane.pipeline.name, &fixed).await.unwrap();
        }
    }

    pub(super) fn put(&self, key: &str, content: impl Into<Vec<u8>>) -> Notification {
        let object = Object { content: content.into(), ..Object::default() };
        self.bucket.objects.lock().unwrap().insert(key.to_owned(), object);
        self.notification(key)
    }

    pub(super) fn change(&self, key: &str, change: impl FnOnce(&mut Object)) {
        change(self.bucket.objects.lock().unwrap().get_mut(key).unwrap());
    }

    pub(super) fn remove(&self, key: &str) {
        self.bucket.objects.lock().unwrap().remove(key);
    }

    pub(super) fn notification(&self, key: &str) -> Notification {
        let objects = self.bucket.objects.lock().unwrap();
        let content = &objects[key].content;
        Notification {
            bucket: BUCKET.into(),
            key: key.into(),
            etag: Some(etag(content)),
            size: Some(content.len() as u64),
            event_time: Some(self.clock.now()),
            ..Notification::default()
        }
    }

    /// Puts an object and sends its notification.
    pub(super) fn drop(&mut self, key: &str, content: impl Into<Vec<u8>>) {
        let notification = self.put(key, content);
        self.notify(&notification);
    }

    pub(super) fn notify(&mut self, notification: &Notification) {
        self.message(&forward(notification));
    }

    pub(super) fn message(&mut self, body: &str) {
        self.messages += 1;
        let id = format!("m{}", self.messages);
        self.queue.push((id, body.to_owned(), 0));
    }

    pub(super) fn told(&mut self) -> Call {
        self.invocations += 1;
        let deadline = Timestamp(self.clock.now().0 + 120_000_000);
        Call { request_id: format!("invocation-{}", self.invocations), deadline }
    }

    /// One invocation with every message that is not acknowledged yet. Gives how many of them are not after it.
    pub(super) async fn deliver(&mut self) -> usize {
        let told = self.told();
        self.deliver_until(told).await
    }

    /// The same, to the function for large drops.
    pub(super) async fn deliver_to_large(&mut self) -> usize {
        std::mem::swap(&mut self.receiver, &mut self.large);
        let left = self.deliver().await;
        std::mem::swap(&mut self.receiver, &mut self.large);
        left
    }

    pub(super) async fn deliver_until(&mut self, told: Call) -> usize {
        self.queue.iter_mut().for_each(|(_, _, receives)| *receives += 1);
        let event = sqs_event_of(&self.queue, &self.earlier);
        self.sent.waits.lock().unwrap().clear();
        let before = self.sent.messages.lock().unwrap().len();
        let mut metrics = Metrics::default();
        let answer = self.receiver.receive(&event, &told, &mut metrics).await.unwrap();
        self.count(&mut metrics);
        let failed: Vec<String> = answer.batch_item_failures.into_iter().map(|f| f.item_identifier).collect();
        assert!(
            failed.iter().all(|id| self.queue.iter().any(|(own, ..)| own == id)),
            "an unknown id fails the whole batch"
        );
        self.queue.retain(|(id, ..)| failed.contains(id));
        // What was sent anew comes as it would.
        let sent: Vec<_> =
            self.sent.messages.lock().unwrap().extract_if(before.., |(queue, _)| queue == QUEUE).collect();
        self.renewed += sent.len();
        for (_, message) in sent {
            self.message(&message.body);
            let id = format!("m{}", self.messages);
            self.sent.waits.lock().unwrap().push((id.clone(), message.delay));
            self.earlier.insert(id, message.earlier_receives);
        }
        let most = self.queue.iter().map(|(_, _, receives)| *receives).max().unwrap_or(0);
        self.most_receives = self.most_receives.max(most);
        self.queue.len()
    }

    /// One invocation without a queue.
    pub(super) async fn invoke(&mut self, event: &str) -> Result<(), ReceiveError> {
        let (told, mut metrics) = (self.told(), Metrics::default());
        let answer = self.receiver.receive(event, &told, &mut metrics).await;
        self.count(&mut metrics);
        answer.map(|answer| assert!(answer.batch_item_failures.is_empty()))
    }

    pub(super) fn count(&mut self, metrics: &mut Metrics) {
        let mut text = Vec::new();
        metrics.flush(self.clock.now(), &mut text).unwrap();
        for line in String::from_utf8(text).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            for (name, value) in line.as_object().unwrap() {
                let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                *self.metrics.entry(name.clone()).or_default() += values.iter().filter_map(Value::as_u64).sum::<u64>();
            }
        }
    }

    pub(super) fn counted(&self, name: &str) -> u64 {
        self.metrics.get(name).copied().unwrap_or(0)
    }

    /// How long the open messages were told to wait, in seconds.
    pub(super) fn waits(&self) -> Vec<u64> {
        self.sent.waits.lock().unwrap().iter().map(|(_, wait)| wait.as_secs()).collect()
    }

    /// What stands of a key: `None` if nothing that is final.
    pub(super) async fn quarantined(&self, key: &str) -> Option<bool> {
        let lanes = self.current();
        let told = Call { request_id: "auditor".into(), deadline: Timestamp(i64::MAX) };
        let ingest = self.receiver.ingest(&lanes.lanes[0], &lanes, &told, self.bucket.clone());
        let object =
            DroppedObject { id: drop_id(key), etag: String::new(), size: 0, modified: Timestamp(0), read_at: None };
        let claim = self.ledger.claims(std::slice::from_ref(&object.id)).await.unwrap().remove(0)?;
        let sealed = self.ledger.batch(claim.batch).await.unwrap()?;
        sealed.sealed()?;
        // The etag of what is held: a drop that is held as quarantined is open for another content.
        match ingest.judge(&DroppedObject { etag: claim.etag.clone(), ..object }, Some(&claim)).await.unwrap() {
            Standing::Final { quarantined, .. } => Some(quarantined),
            _ => None,
        }
    }

    /// The manifests of all sealed batches.
    pub(super) async fn manifests(&self) -> Vec<Manifest> {
        let mut manifests = Vec::new();
        for (_, record) in self.ledger.batches(&"orders".parse().unwrap(), None, 10_000).await.unwrap() {
            let Some(sealed) = record.sealed() else { continue };
            let content = self.state().get(&sealed.manifest).await.unwrap();
            let manifest = Manifest::decode(&content, &sealed.digest).unwrap();
            assert_eq!(sealed.rows, manifest.held.iter().map(|drop| drop.rows).sum::<u64>());
            manifests.push(manifest);
        }
        manifests
    }

    /// How many sealed batches hold each key, and how many rows they hold in all.
    pub(super) async fn held(&self) -> (BTreeMap<String, u32>, u64, usize) {
        let (mut held, mut rows) = (BTreeMap::new(), 0);
        let manifests = self.manifests().await;
        for drop in manifests.iter().flat_map(|manifest| &manifest.held) {
            rows += drop.rows;
            *held.entry(drop.key.clone()).or_default() += 1;
        }
        (held, rows, manifests.len())
    }
}

/// The drop of a key, in a pipeline that ignores overwrites.
pub(super) fn drop_id(key: &str) -> DropId {
    DropId { pipeline: "orders".parse().unwrap(), bucket: BUCKET.into(), key: key.into(), version: None }
}

pub(super) fn sqs_event(messages: &[(String, String, u32)]) -> String {
    sqs_event_of(messages, &BTreeMap::new())
}

fn sqs_event_of(messages: &[(String, String, u32)], earlier: &BTreeMap<String, u32>) -> String {
    let records: Vec<Value> = messages
        .iter()
        .map(|(id, body, receives)| {
            let earlier = earlier.get(id).map(|n| json!({ "stringValue": n.to_string(), "dataType": "Number" }));
            let attributes = earlier.map_or(json!({}), |earlier| json!({ EARLIER_RECEIVES: earlier }));
            json!({
                "messageId": id, "receiptHandle": format!("r-{id}"), "body": body,
                "attributes": { "ApproximateReceiveCount": receives.to_string(), "SentTimestamp": "1545082649183" },
                "messageAttributes": attributes, "md5OfBody": "e4e6", "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:1:lithify", "awsRegion": "eu-central-1",
            })
        })
        .collect();
    json!({ "Records": records }).to_string()
}

/// What tests ask a ledger.
#[async_trait]
pub(super) trait Asked {
    async fn count_claims_of_orders(&self) -> u64;
}

#[async_trait]
impl Asked for EmbeddedLedger {
    async fn count_claims_of_orders(&self) -> u64 {
        self.count_claims(&"orders".parse().unwrap()).await.unwrap()
    }
}
