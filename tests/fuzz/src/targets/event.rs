//! Events of the ingest function, through the function's own flow, with settings that name no pipeline.
//!
//! - Nothing is acknowledged away: a message that cannot be understood is in the dead-letter queue with all its text, or stays open.
//! - Only messages of the event stay open; an id that SQS does not know would fail the whole batch.
//! - What is no event of SQS is either done or the invocation fails.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use drops::Timestamp;
use drops::notification;
use ingest::receive::{Budget, Call, Lanes, Loader, Outgoing, Queues, Receiver, ReceiverSettings};
use ledger::EmbeddedLedger;
use runtime::telemetry::Metrics;
use runtime::{Clock, SystemEntropy, settings};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::fingerprint;

/// Settings without a pipeline.
struct Settings(Arc<Lanes>);

#[async_trait]
impl Loader for Settings {
    async fn load(&self) -> Result<Arc<Lanes>, String> {
        Ok(self.0.clone())
    }
}

/// Queues that take every second message.
#[derive(Default)]
struct Sent {
    accepted: Mutex<Vec<String>>,
    refuses: Mutex<bool>,
}

#[async_trait]
impl Queues for Sent {
    async fn send(&self, _queue: &str, messages: Vec<Outgoing>) -> Vec<Result<(), String>> {
        let mut refuses = self.refuses.lock().expect("no panic");
        let answer = |message: Outgoing| {
            *refuses = !*refuses;
            if *refuses {
                return Err("throttled".to_owned());
            }
            self.accepted.lock().expect("no panic").push(message.body);
            Ok(())
        };
        messages.into_iter().map(answer).collect()
    }

    async fn come_again(&self, _queue: &str, _messages: Vec<(String, Duration)>) -> Result<(), String> {
        Ok(())
    }
}

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

struct Place {
    _folder: TempDir,
    runtime: Runtime,
    lanes: Arc<Lanes>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = EmbeddedLedger::open(&folder.path().join("ledger.db"), "ledger".into()).expect("a ledger");
        let queues = settings::Queues {
            queue: "https://sqs/1/q".into(),
            large_queue: None,
            dead_letter_queue: Some("https://sqs/1/dead".into()),
            large_drop_size: 1 << 20,
        };
        let lanes = Arc::new(Lanes::new(Arc::new(ledger), queues, Vec::new()));
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        Self { _folder: folder, runtime, lanes }
    }
}

thread_local! {
    static PLACE: RefCell<Place> = RefCell::new(Place::new());
}

pub(super) fn check(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    PLACE.with_borrow(|place| {
        let sent = Arc::new(Sent { refuses: Mutex::new(fingerprint(bytes).is_multiple_of(2)), ..Sent::default() });
        let settings =
            ReceiverSettings { claim_time: Duration::from_secs(960), is_large: false, budget: Budget::of(None) };
        let loader = Arc::new(Settings(place.lanes.clone()));
        let receiver = Receiver::new(loader, sent.clone(), Arc::new(Stopped), Arc::new(SystemEntropy), settings);
        let call = Call { request_id: "r".into(), deadline: Timestamp(1_700_000_060_000_000) };
        let answer = place.runtime.block_on(receiver.receive(text, &call, &mut Metrics::default()));
        let open = answer.map(|answer| answer.batch_item_failures.into_iter().map(|f| f.item_identifier).collect());
        let understood = open.is_ok();
        judge(text, open, &sent.accepted.lock().expect("no panic"));
        understood
    })
}

/// Holds what became of an event against what it is.
fn judge(text: &str, open: Result<Vec<String>, ingest::receive::ReceiveError>, accepted: &[String]) {
    let Some(messages) = messages(text) else {
        // Without a queue: understood or buried, or else the invocation fails and is made again.
        let done = notification::read(text).is_ok() || accepted == [text];
        assert!(open.is_err() || done, "an event was acknowledged away");
        return;
    };
    let Ok(open) = open else { return };
    // Where two fields have one name, which is meant is not known: it is buried whole.
    if accepted == [text] {
        return;
    }
    let ids: BTreeSet<&str> = messages.iter().map(|(id, _)| id.as_str()).collect();
    assert!(open.iter().all(|id| ids.contains(id.as_str())), "{open:?}");
    for (id, body) in &messages {
        let understood = notification::read(body).is_ok();
        assert!(understood || open.contains(id) || accepted.contains(body), "message {id} was acknowledged away");
    }
}

/// The messages of an event of SQS: ids and bodies.
fn messages(text: &str) -> Option<Vec<(String, String)>> {
    let event: Value = serde_json::from_str(text).ok()?;
    let records = event.get("Records")?.as_array()?;
    let source = |record: &Value| record.get("eventSource").and_then(Value::as_str) == Some("aws:sqs");
    if !records.iter().any(source) {
        return None;
    }
    let text = |record: &Value, name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(records.iter().map(|record| (text(record, "messageId"), text(record, "body"))).collect())
}
