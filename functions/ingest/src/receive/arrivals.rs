//! From messages to arrivals: which drop of which pipeline each notification names.

use std::collections::HashMap;
use std::sync::Arc;

use decode::format::{Plan, extension_of, plan};
use drops::notification::{NotUnderstood, Notification, Told, read};
use drops::{DropId, DroppedObject, is_hidden_or_temporary};

use super::event::Message;
use super::lanes::{Lane, Lanes};

/// A drop, and the messages that wait for it.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    /// Its pipeline's place among the lanes.
    pub(super) lane: usize,
    /// What was said of it last.
    pub(super) notification: Notification,
    /// What it is, as far as that was said.
    pub(super) object: DroppedObject,
    /// How its format is told.
    pub(super) plan: Plan,
    /// The messages that name it, each once.
    pub(super) messages: Vec<usize>,
    /// How often the one of them was received that was received most.
    pub(super) receives: u32,
    /// How many other contents of the same key were notified: overwritten before they were read.
    pub(super) overwritten: u64,
}

/// What the messages of an event say, all together.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// The drops, each once.
    pub(super) drops: Vec<Arrival>,
    /// Messages that cannot be understood, and why.
    pub(super) not_understood: Vec<(usize, NotUnderstood)>,
    /// Objects that are meant as no drop: by pipeline and extension.
    pub(super) skipped: HashMap<(usize, String), u64>,
    /// Notifications of objects of no pipeline, and the messages that brought them.
    pub(super) strangers: Vec<usize>,
    /// Test events.
    pub(super) test_events: u64,
    /// Events that are no drop.
    pub(super) others: u64,
}

impl Arrivals {
    /// Reads all messages. A message names its drops as a whole or not at all.
    pub(super) fn identify(messages: &[Message], lanes: &Lanes) -> Self {
        let mut arrivals = Self::default();
        let mut places = HashMap::new();
        for (at, message) in messages.iter().enumerate() {
            match read(&message.body) {
                Err(why) => arrivals.not_understood.push((at, why)),
                Ok(Told { notifications, test_events, others }) => {
                    arrivals.test_events += test_events;
                    arrivals.others += others;
                    for notification in notifications {
                        arrivals.add((at, message.receives), notification, lanes, &mut places);
                    }
                }
            }
        }
        arrivals
    }

    fn add(
        &mut self,
        (message, receives): (usize, u32),
        notification: Notification,
        lanes: &Lanes,
        places: &mut HashMap<DropId, usize>,
    ) {
        let below = |lane: &Arc<Lane>| lane.below(&notification.bucket, &notification.key);
        let found = lanes.lanes.iter().enumerate().find_map(|(at, lane)| Some((at, below(lane)?)));
        let Some((lane, name)) = found else {
            self.strangers.push(message);
            return;
        };
        let pipeline = &lanes.lanes[lane].pipeline;
        let plan = plan(&notification.key, pipeline.format, pipeline.compression);
        if is_hidden_or_temporary(name) {
            return self.skip(lane, format!("hidden or temporary {}", extension_of(&notification.key)));
        }
        if let Plan::Unknown(extension) = plan {
            return self.skip(lane, extension);
        }
        let object = object(&notification, pipeline.name.clone(), lanes.lanes[lane].holds_version());
        let messages = vec![message];
        let arrival = Arrival { lane, notification, object, plan, messages, receives, overwritten: 0 };
        match places.get(&arrival.object.id) {
            Some(at) => self.drops[*at].join(arrival),
            None => {
                places.insert(arrival.object.id.clone(), self.drops.len());
                self.drops.push(arrival);
            }
        }
    }

    fn skip(&mut self, lane: usize, extension: String) {
        *self.skipped.entry((lane, extension)).or_default() += 1;
    }
}

impl Arrival {
    /// Another notification of the same drop: what was said last counts, and the messages share their fate.
    fn join(&mut self, other: Self) {
        for message in other.messages {
            if !self.messages.contains(&message) {
                self.messages.push(message);
            }
        }
        self.receives = self.receives.max(other.receives);
        let differs = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        self.overwritten += u64::from(differs(&self.notification.etag, &other.notification.etag));
        if other.notification.is_later_than(&self.notification) {
            self.notification = other.notification;
            self.object = other.object;
        }
    }
}

/// What is known of an object from its notification. An empty etag: it was not told.
fn object(notification: &Notification, pipeline: drops::PipelineName, holds_version: bool) -> DroppedObject {
    let Notification { bucket, key, version_id, etag, size, event_time, .. } = notification;
    let version = || version_id.clone().filter(|id| id != "null").or_else(|| etag.clone());
    DroppedObject {
        id: DropId {
            pipeline,
            bucket: bucket.clone(),
            key: key.clone(),
            version: if holds_version { version() } else { None },
        },
        etag: etag.clone().unwrap_or_default(),
        size: size.unwrap_or(0),
        modified: event_time.unwrap_or_default(),
    }
}
