//! SQS: each message comes until it is deleted, and again when it was not in time; more than once, and in any order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ingest::receive::{EARLIER_RECEIVES, Outgoing, Queues};
use serde_json::{Value, json};

use super::told_all;
use crate::port::{Call, Port};
use crate::random::Random;

/// Notifications come through it.
pub const QUEUE: &str = "https://sqs/1/lithify";
/// Large drops go through it.
pub const LARGE_QUEUE: &str = "https://sqs/1/lithify-large";
/// What cannot be understood, or came too often.
pub const DEAD_QUEUE: &str = "https://sqs/1/lithify-dead";

/// How long a message that was received stays invisible, in microseconds: more than the claim time.
pub const VISIBILITY: i64 = 360_000_000;

/// After so many receives a message goes to the dead-letter queue.
pub const RECEIVES_MAX: u32 = 12;

#[derive(Clone, Debug)]
struct Message {
    id: u64,
    body: String,
    visible_at: i64,
    receives: u32,
    /// How often those were received that it was sent anew for.
    earlier: u32,
    /// Whether a function sent it, in place of a message or an event that it is done with.
    is_handed_on: bool,
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its id, which is its receipt as well.
    pub id: String,
    /// Its text.
    pub body: String,
    /// How often it was received.
    pub receives: u32,
    /// How often those were received that it was sent anew for.
    pub earlier: u32,
}

/// All queues. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Sqs(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    queues: BTreeMap<String, Vec<Message>>,
    /// Everything that was ever sent.
    sent: Vec<(String, String)>,
}

impl Sqs {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message.
    pub fn send(&self, queue: &str, body: &str, now: i64) {
        self.take(queue, body, now, None);
    }

    /// Takes a message that is visible from then on; a function sends it for others that were received so often.
    fn take(&self, queue: &str, body: &str, visible_at: i64, handed_on: Option<u32>) {
        let mut state = self.lock();
        state.next += 1;
        state.sent.push((queue.to_owned(), body.to_owned()));
        let (earlier, is_handed_on) = (handed_on.unwrap_or(0), handed_on.is_some());
        let message = Message { id: state.next, body: body.to_owned(), visible_at, receives: 0, earlier, is_handed_on };
        state.queues.entry(queue.to_owned()).or_default().push(message);
    }

    /// Hands out up to so many messages in a random order, now and then one that stays visible. What came too often goes to the
    /// dead-letter queue.
    pub fn receive(&self, queue: &str, now: i64, most: usize, random: &mut Random, twice: u64) -> Vec<Delivered> {
        let mut state = self.lock();
        let Some(messages) = state.queues.get_mut(queue) else { return Vec::new() };
        let (dead, kept): (Vec<_>, Vec<_>) =
            messages.drain(..).partition(|message| message.receives >= RECEIVES_MAX && message.visible_at <= now);
        *messages = kept;
        let mut places: Vec<usize> = (0..messages.len()).filter(|at| messages[*at].visible_at <= now).collect();
        random.shuffle(&mut places);
        let mut delivered = Vec::new();
        for at in places.into_iter().take(most) {
            let message = &mut messages[at];
            message.receives += 1;
            if !random.chance(twice) {
                message.visible_at = now + VISIBILITY;
            }
            let (id, body) = (message.id.to_string(), message.body.clone());
            delivered.push(Delivered { id, body, receives: message.receives, earlier: message.earlier });
        }
        state.queues.entry(DEAD_QUEUE.to_owned()).or_default().extend(dead);
        delivered
    }

    /// Deletes messages; those that are gone are fine. Gives the bodies of those that were there.
    pub fn delete(&self, queue: &str, ids: &[String]) -> Vec<String> {
        let mut state = self.lock();
        let Some(messages) = state.queues.get_mut(queue) else { return Vec::new() };
        let (gone, kept): (Vec<_>, Vec<_>) =
            messages.drain(..).partition(|message| ids.contains(&message.id.to_string()));
        *messages = kept;
        gone.into_iter().map(|message| message.body).collect()
    }

    /// Lets messages be visible after so long.
    fn set_visible(&self, queue: &str, ids: &[(String, Duration)], now: i64) {
        let mut state = self.lock();
        for message in state.queues.get_mut(queue).into_iter().flatten() {
            let id = message.id.to_string();
            if let Some((_, wait)) = ids.iter().find(|(named, _)| *named == id) {
                message.visible_at = now + i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
            }
        }
    }

    /// Brings back what came too often, as people do when the cause is mended.
    pub fn redrive(&self) {
        let mut state = self.lock();
        let dead = state.queues.remove(DEAD_QUEUE).unwrap_or_default();
        let (again, stay): (Vec<_>, Vec<_>) = dead.into_iter().partition(|message| message.receives > 0);
        state.queues.insert(DEAD_QUEUE.to_owned(), stay);
        let fresh = again.into_iter().map(|message| Message { receives: 0, visible_at: 0, ..message });
        state.queues.entry(QUEUE.to_owned()).or_default().extend(fresh);
    }

    /// Whether a queue ever took a message of which this is true.
    pub fn took(&self, queue: &str, is: impl Fn(&str) -> bool) -> bool {
        self.lock().sent.iter().any(|(to, body)| to == queue && is(body))
    }

    /// The texts of the messages in any queue that functions sent in place of what they were done with, but for this one.
    pub fn handed_on(&self, but_for: Option<&str>) -> Vec<String> {
        let state = self.lock();
        let others = state.queues.values().flatten().filter(|one| one.is_handed_on);
        others.filter(|one| but_for != Some(&*one.id.to_string())).map(|one| one.body.clone()).collect()
    }

    /// How many messages wait in a queue, visible or not.
    pub fn length(&self, queue: &str) -> usize {
        self.lock().queues.get(queue).map_or(0, Vec::len)
    }

    /// The texts of a queue's messages.
    pub fn bodies(&self, queue: &str) -> Vec<String> {
        self.lock().queues.get(queue).into_iter().flatten().map(|message| message.body.clone()).collect()
    }
}

/// The event that Lambda hands over for these messages.
pub fn event(queue: &str, messages: &[Delivered]) -> String {
    let name = queue.rsplit('/').next().unwrap_or_default();
    let records: Vec<Value> = messages
        .iter()
        .map(|Delivered { id, body, receives, earlier }| {
            let earlier = json!({ "stringValue": earlier.to_string(), "dataType": "Number" });
            json!({
                "messageId": id, "receiptHandle": id, "body": body,
                "attributes": { "ApproximateReceiveCount": receives.to_string() },
                "messageAttributes": { EARLIER_RECEIVES: earlier }, "eventSource": "aws:sqs",
                "eventSourceARN": format!("arn:aws:sqs:eu-central-1:1:{name}"), "awsRegion": "eu-central-1",
            })
        })
        .collect();
    json!({ "Records": records }).to_string()
}

/// The queues as a process sees them.
pub struct SimQueues {
    /// The process's door.
    pub port: Arc<Port>,
    /// The queues.
    pub sqs: Sqs,
}

#[async_trait]
impl Queues for SimQueues {
    async fn send(&self, queue: &str, messages: Vec<Outgoing>) -> Vec<Result<(), String>> {
        let send = |message: Outgoing| {
            let (sqs, to, now) = (self.sqs.clone(), queue.to_owned(), self.port.world.scheduler.now());
            let effect = move || {
                let visible_at = now + i64::try_from(message.delay.as_micros()).unwrap_or(i64::MAX);
                sqs.take(&to, &message.body, visible_at, Some(message.earlier_receives));
                Ok(())
            };
            self.port.call(Call::late_write("queue.send", queue), effect, told_all, Err)
        };
        messages.into_iter().map(send).collect()
    }

    async fn come_again(&self, queue: &str, messages: Vec<(String, Duration)>) -> Result<(), String> {
        let (sqs, of, now) = (self.sqs.clone(), queue.to_owned(), self.port.world.scheduler.now());
        let effect = move || {
            sqs.set_visible(&of, &messages, now);
            Ok(())
        };
        self.port.call(Call::late_write("queue.come-again", queue), effect, told_all, Err)
    }
}
