//! What calls the functions: SQS's poller, and a schedule. They start a new sandbox for one that crashed.

use std::sync::Arc;
use std::time::Duration;

use compactor::function::Request;
use drops::notification::{Notification, read};
use drops::{DropId, PipelineName};

use super::invoke::{CompactorSandbox, IngestSandbox};
use super::{World, lock};
use crate::doubles::{BUCKET, DEAD_QUEUE, Delivered, Notified, event, told};
use crate::port::{Call, Port};
use crate::random::Random;

/// How many messages an invocation gets at most.
const MESSAGES_MAX: usize = 10;

/// SQS's poller for one queue, one invocation at a time.
#[derive(Clone, Debug)]
pub struct Service {
    /// What its invocations are called.
    pub name: String,
    /// The queue.
    pub queue: &'static str,
    /// Whether it calls the function for large drops.
    pub is_large: bool,
    /// How often it looks for messages.
    pub rounds: u32,
    /// How long it waits when there were none.
    pub pause: Duration,
    /// How many of a thousand messages stay visible while they are worked on.
    pub twice: u64,
    /// Its own randomness.
    pub seed: u64,
}

impl Service {
    /// Looks for messages and hands them to the function, so many times.
    pub fn run(&self, world: &Arc<World>, strand: usize) {
        let mut random = Random::new(self.seed);
        let mut warm: Option<IngestSandbox> = None;
        for round in 0..self.rounds {
            let name = format!("{}-poller", self.name);
            let poller = Port::around(world.clone(), random.bits(), strand, &name);
            let delivered = self.receive(&poller, random.bits());
            if delivered.is_empty() {
                poller.sleep(self.pause);
                continue;
            }
            let sandbox = match warm.take().filter(|_| random.chance(700)) {
                Some(warm) => warm,
                None => IngestSandbox::new(world, self.is_large),
            };
            let name = format!("{}.{round}", self.name);
            let text = event(self.queue, &delivered);
            let Some(answer) = sandbox.invoke(strand, &name, &text) else { continue };
            warm = Some(sandbox);
            let Ok(answer) = answer else { continue };
            let failed: Vec<String> =
                answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
            let done: Vec<&Delivered> = delivered.iter().filter(|one| !failed.contains(&one.id)).collect();
            for message in &done {
                world.acknowledge(&message.body, Some(&message.id));
            }
            self.delete(&poller, done.into_iter().map(|message| message.id.clone()).collect());
        }
    }

    fn receive(&self, poller: &Arc<Port>, seed: u64) -> Vec<Delivered> {
        let (sqs, queue, twice, world) = (poller.world.sqs.clone(), self.queue, self.twice, poller.world.clone());
        let effect = move || {
            Ok::<_, String>(sqs.receive(queue, world.scheduler.now(), MESSAGES_MAX, &mut Random::new(seed), twice))
        };
        let show = |answer: &Result<Vec<Delivered>, String>| {
            told(answer, |all| format!("{:?}", all.iter().map(|one| one.id.as_str()).collect::<Vec<_>>()))
        };
        // Where the answer was lost nothing is handed out: the messages come again.
        poller.call(Call::write("poller.receive", queue), effect, show, Err).unwrap_or_default()
    }

    fn delete(&self, poller: &Arc<Port>, ids: Vec<String>) {
        if ids.is_empty() {
            return;
        }
        let (sqs, queue, key) = (poller.world.sqs.clone(), self.queue, format!("{ids:?}"));
        let effect = move || Ok::<_, String>(sqs.delete(queue, &ids).len());
        let show = |answer: &Result<usize, String>| told(answer, |count| format!("{count} messages"));
        // Not deleted: they come again, which is harmless.
        let _ = poller.call(Call::late_write("poller.delete", &key), effect, show, Err);
    }
}

/// A schedule that calls the compactor.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// What its invocations are called.
    pub name: String,
    /// How often it calls.
    pub rounds: u32,
    /// How long it waits between calls.
    pub pause: Duration,
    /// How many of a thousand calls ask for upkeep.
    pub upkeep: u64,
    /// Its own randomness.
    pub seed: u64,
}

impl Schedule {
    /// Calls the compactor so many times.
    pub fn run(&self, world: &Arc<World>, strand: usize) {
        let mut random = Random::new(self.seed);
        let mut warm: Option<CompactorSandbox> = None;
        for round in 0..self.rounds {
            let clock = Port::around(world.clone(), random.bits(), strand, &self.name);
            clock.sleep(self.pause);
            let sandbox = match warm.take().filter(|_| random.chance(700)) {
                Some(warm) => warm,
                None => CompactorSandbox::new(world),
            };
            let request = Request { pipelines: None, upkeep: random.chance(self.upkeep), open: false };
            let name = format!("{}.{round}", self.name);
            match sandbox.invoke(strand, &name, &request) {
                None => continue,
                Some(Err(why)) => world.note(&name, "invoke", "", &format!("failed: {why}")),
                Some(Ok(answer)) => world.note(&name, "invoke", "", &format!("{:?}", answer.failure())),
            }
            warm = Some(sandbox);
        }
    }
}

impl World {
    /// S3 tells of an arrival, so many times.
    pub fn notify(&self, queue: &str, notification: &Notification, times: u32) {
        let notified = self.notified_of(notification);
        let body = drops::notification::forward(notification);
        for _ in 0..times {
            self.sqs.send(queue, &body, self.scheduler.now());
        }
        let mut all = lock(&self.notified);
        if !all.contains(&notified) {
            all.push(notified);
        }
    }

    /// S3 tells the function itself of an arrival, without a queue: the event comes until it was handled.
    pub fn tell_directly(&self, notification: &Notification) {
        let notified = self.notified_of(notification);
        lock(&self.direct).push(drops::notification::forward(notification));
        lock(&self.notified).push(notified);
    }

    /// The events without a queue that were not handled yet.
    pub fn direct_events(&self) -> Vec<String> {
        lock(&self.direct).clone()
    }

    /// An invocation by an event without a queue.
    pub fn invoke_directly(&self, sandbox: &IngestSandbox, strand: usize, name: &str, event: &str) {
        if let Some(Ok(_)) = sandbox.invoke(strand, name, event) {
            lock(&self.direct).retain(|waiting| waiting != event);
            self.acknowledge(event, None);
        }
    }

    /// Every arrival of which S3 told.
    pub fn all_notified(&self) -> Vec<Notified> {
        lock(&self.notified).clone()
    }

    /// The drop that a notification names. One without a version means what stands there now, if it is of that etag.
    pub(super) fn notified_of(&self, notification: &Notification) -> Notified {
        let etag = notification.etag.clone().unwrap_or_default();
        let version = notification.version_id.clone().or_else(|| self.bucket.version_of(&notification.key, &etag));
        let version = version.unwrap_or_else(|| etag.clone());
        Notified { key: notification.key.clone(), etag, version: self.shape.ingests_overwrites.then_some(version) }
    }

    /// The identity of an arrival.
    pub fn identity(&self, notified: &Notified) -> DropId {
        let pipeline: PipelineName = self.pipeline_of(&notified.key).unwrap_or(&self.pipeline).clone();
        let (key, version) = (notified.key.clone(), notified.version.clone());
        DropId { pipeline, bucket: BUCKET.to_owned(), key, version }
    }

    /// A function said that a message, or an event that came without a queue, is done with: from now on each of its drops must be final, unless it is
    /// gone, or a message that was sent in its place waits: that one answers for it.
    pub fn acknowledge(&self, body: &str, id: Option<&str>) {
        let Ok(told) = read(body) else {
            if !self.sqs.took(DEAD_QUEUE, |taken| taken == body) {
                self.violation("I-4", "a message that cannot be understood was acknowledged, and no queue took it");
            }
            return;
        };
        let named = |body: String| read(&body).map(|told| told.notifications).unwrap_or_default();
        let handed_on = self.sqs.handed_on(id).into_iter().flat_map(named);
        let wait: Vec<DropId> = handed_on.map(|one| self.identity(&self.notified_of(&one))).collect();
        let ours = told.notifications.iter().filter(|one| self.pipeline_of(&one.key).is_some());
        for notified in ours.map(|one| self.notified_of(one)).filter(|one| self.bucket.stands(one)) {
            let id = self.identity(&notified);
            let mut acknowledged = lock(&self.acknowledged);
            if !wait.contains(&id) && !acknowledged.contains(&id) {
                acknowledged.push(id);
            }
        }
    }

    /// The drops that must be final.
    pub(super) fn acknowledged(&self) -> Vec<DropId> {
        lock(&self.acknowledged).clone()
    }
}
