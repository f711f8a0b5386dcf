//! A small AWS: one bucket, one queue with messages that come until they are acknowledged, one ledger.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
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
use store::{LocalStore, OpenObject, ReadError, Source, Store};
use tempfile::TempDir;

use super::super::*;
use crate::{Schemas, Standing};

pub(super) const BUCKET: &str = "vendor";
pub(super) const QUEUE: &str = "https://sqs/1/lithify";
pub(super) const LARGE_QUEUE: &str = "https://sqs/1/lithify-large";
pub(super) const DEAD_QUEUE: &str = "https://sqs/1/lithify-dead";
pub(super) const CLAIM_TIME: Duration = Duration::from_secs(960);
/// What a queue of the Terraform module bears.
pub(super) const RECEIVES_MAX: u32 = 12;
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// A clock that a test sets, and what it goes on by when somebody looks at it next.
#[derive(Default)]
pub(super) struct SetClock(AtomicI64, AtomicI64);

impl SetClock {
    pub(super) fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_micros() as i64, Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        self.0.fetch_add(self.1.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        Timestamp(1_700_000_000_000_000 + self.0.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed) as u64)
    }
}

/// An object, and what befalls those who read it.
#[derive(Clone, Default)]
pub(super) struct Object {
    pub(super) content: Vec<u8>,
    /// How often reading it is denied.
    pub(super) denied: u32,
    /// What takes its place when it is opened for the first time.
    pub(super) replaced_by: Option<Vec<u8>>,
    /// Whether reading it ends the process.
    pub(super) deadly: bool,
    /// Whether the clock passes the deadline while it is read.
    pub(super) slow: bool,
    /// Whether the clock passes the deadline while it is decoded, each time.
    pub(super) heavy: bool,
    /// Whether nobody is answered who asks for it, as long as this is so.
    pub(super) hangs: bool,
    /// Whether it has no version though its bucket keeps them: it was put before that, or while that was suspended.
    pub(super) versionless: bool,
    /// Whether a delete marker stands before it.
    pub(super) deleted: bool,
    /// What was put under its key before its bucket kept versions.
    pub(super) before: Option<Vec<u8>>,
}

#[derive(Default)]
pub(super) struct Bucket {
    pub(super) objects: Mutex<BTreeMap<String, Object>>,
    clock: Arc<SetClock>,
    pub(super) reads: AtomicI64,
    pub(super) heads: AtomicI64,
    /// Whether the bucket keeps versions.
    pub(super) versions: AtomicBool,
    /// Whether nobody is told what an object is.
    pub(super) denies_heads: AtomicBool,
    /// Whether nobody is answered who asks what an object is whose key says `hangs`.
    pub(super) hangs_heads: AtomicBool,
}

impl Bucket {
    /// The id of an object's version, if it has one.
    fn version(&self, object: &Object) -> Option<String> {
        let has_one = self.versions.load(Ordering::Relaxed) && !object.versionless;
        has_one.then(|| version_of(&object.content))
    }
}

/// The id of the version with this content.
pub(super) fn version_of(content: &[u8]) -> String {
    format!("version-{}", etag(content))
}

/// What names a version and is none, wherever it is read in full.
pub(super) const NO_VERSION: &str = "no version's id";

/// S3 looks at the form of a version's id before it looks for the object.
fn refuse(version: Option<&String>) -> Result<(), ReadError> {
    if version.is_some_and(|version| version == NO_VERSION) {
        return Err(ReadError::NoVersionId("S3 answered InvalidArgument (400): Invalid version id specified".into()));
    }
    Ok(())
}

pub(super) fn etag(content: &[u8]) -> String {
    format!(
        "{:016x}{:016x}",
        content.len(),
        content.iter().fold(7_u64, |hash, b| hash.wrapping_mul(31) + u64::from(*b))
    )
}

struct Opened {
    content: io::Cursor<Vec<u8>>,
    deadly: bool,
    slow: Option<Arc<SetClock>>,
    heavy: Option<Arc<SetClock>>,
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.deadly {
            // Ends this thread as a panic does, without the words.
            std::panic::resume_unwind(Box::new("deadly"));
        }
        if let Some(clock) = self.slow.take() {
            clock.pass(Duration::from_secs(200));
        }
        if let Some(clock) = self.heavy.take() {
            clock.1.store(200_000_000, Ordering::Relaxed);
        }
        // Little at a time, so that there are several chunks.
        let most = buffer.len().min(1 << 16);
        self.content.read(&mut buffer[..most])
    }
}

/// When every object of the bucket was last modified, as reading it tells.
pub(super) const MODIFIED: Timestamp = Timestamp(1_600_000_000_000_000);

impl OpenObject for Opened {
    fn verify(&mut self) -> Result<(), ReadError> {
        Ok(())
    }

    fn modified(&self) -> Option<Timestamp> {
        Some(MODIFIED)
    }
}

#[async_trait]
impl Source for Bucket {
    async fn open(&self, object: &DroppedObject) -> Result<Box<dyn OpenObject>, ReadError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let hangs = || self.objects.lock().unwrap().get(&object.id.key).is_some_and(|object| object.hangs);
        while hangs() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut objects = self.objects.lock().unwrap();
        let found = objects.get_mut(&object.id.key).ok_or(ReadError::Gone)?;
        if found.denied > 0 {
            found.denied -= 1;
            return Err(ReadError::Passing("AccessDenied".into()));
        }
        if let Some(content) = found.replaced_by.take() {
            found.content = content;
        }
        if let Some(before) = found.before.as_ref().filter(|_| object.read_at.as_deref() == Some("null")) {
            let is_asked = etag(before) == object.etag;
            let content = io::Cursor::new(before.clone());
            let opened = Opened { content, deadly: false, slow: None, heavy: None };
            return if is_asked { Ok(Box::new(opened)) } else { Err(ReadError::Changed) };
        }
        let version = self.version(found);
        let asked = object.id.version.as_ref().filter(|asked| **asked != object.etag).or(object.read_at.as_ref());
        refuse(asked)?;
        let is_there = asked.map_or(!found.deleted, |asked| version.as_ref() == Some(asked));
        if !is_there {
            return Err(ReadError::Gone);
        }
        if etag(&found.content) != object.etag || (object.is_known_by_etag() && version.is_some()) {
            return Err(ReadError::Changed);
        }
        let slow = found.slow.then(|| self.clock.clone());
        found.slow = false;
        let heavy = found.heavy.then(|| self.clock.clone());
        Ok(Box::new(Opened { content: io::Cursor::new(found.content.clone()), deadly: found.deadly, slow, heavy }))
    }
}

#[async_trait]
impl Heads for Bucket {
    async fn head(&self, id: &DropId) -> Result<Option<DroppedObject>, ReadError> {
        self.heads.fetch_add(1, Ordering::Relaxed);
        if self.denies_heads.load(Ordering::Relaxed) {
            return Err(ReadError::Passing("AccessDenied".into()));
        }
        while self.hangs_heads.load(Ordering::Relaxed) && id.key.contains("hangs") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        refuse(id.version.as_ref())?;
        let objects = self.objects.lock().unwrap();
        let Some(found) = objects.get(&id.key) else { return Ok(None) };
        if let Some(before) = found.before.as_ref().filter(|_| id.version.as_deref() == Some("null")) {
            let (etag, size) = (etag(before), before.len() as u64);
            return Ok(Some(DroppedObject { id: id.clone(), etag, size, modified: Timestamp(1), read_at: None }));
        }
        let (etag, version) = (etag(&found.content), self.version(found));
        let is_there = match &id.version {
            Some(asked) if version.as_ref() == Some(asked) => true,
            Some(asked) => *asked == etag && !found.deleted,
            None => !found.deleted,
        };
        if !is_there {
            return Ok(None);
        }
        let mut id = id.clone();
        id.version = version.or(id.version);
        Ok(Some(DroppedObject { id, etag, size: found.content.len() as u64, modified: Timestamp(1), read_at: None }))
    }
}

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
