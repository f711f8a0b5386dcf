//! From messages to arrivals: which drop of which pipeline each notification names.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use decode::format::{Plan, extension_of, plan};
use drops::notification::{NotUnderstood, Notification, Told, read};
use drops::{DropId, DroppedObject, is_hidden_or_temporary};

use super::event::Message;
use super::lanes::Lanes;

/// A drop, and the messages that wait for it.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    /// Its pipeline's place among the lanes.
    pub(super) lane: usize,
    /// Whose it is if its other key is meant, where that lies in another pipeline's source.
    pub(super) other_lane: Option<usize>,
    /// Whether it could not be told which of the two it is: it comes again.
    pub(super) unresolved: bool,
    /// What was said of it last.
    pub(super) notification: Notification,
    /// What else was said of it, as far as that differs, the last first: other contents of the same key, of which one may stand where the last does
    /// not. Whatever answers for the drop's messages carries all of it.
    pub(super) earlier: Vec<Notification>,
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
        let mut places: HashMap<Named, usize> = HashMap::new();
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
        places: &mut HashMap<Named, usize>,
    ) {
        let Some((notification, lane, other_lane)) = placed(notification, lanes) else {
            self.strangers.push(message);
            return;
        };
        let arrival = match Arrival::new(notification, lane, lanes) {
            Ok(arrival) => Arrival { other_lane, messages: vec![message], receives, ..arrival },
            Err(extension) => return self.skip(lane, extension),
        };
        match places.entry(arrival.named()) {
            Entry::Occupied(at) => self.drops[*at.get()].join(arrival),
            Entry::Vacant(place) => {
                place.insert(self.drops.len());
                self.drops.push(arrival);
            }
        }
    }

    fn skip(&mut self, lane: usize, extension: String) {
        *self.skipped.entry((lane, extension)).or_default() += 1;
    }
}

/// What notifications that are joined have in common: the drop. Where the key may be another one, which only the etag tells, two that share no
/// etag may mean two drops.
type Named = (DropId, Option<(String, Option<String>)>);

/// Which pipelines' sources the names of a notification's object lie in: that of the name that was told, and that of its other name if it
/// is another one. Where the told name lies in none, the object has its other name: only there it is anybody's. `None`: nobody's.
fn placed(notification: Notification, lanes: &Lanes) -> Option<(Notification, usize, Option<usize>)> {
    let lane_of = |key: &str| lanes.lanes.iter().position(|lane| lane.below(&notification.bucket, key).is_some());
    match (lane_of(&notification.key), notification.other_key.as_deref().and_then(lane_of)) {
        (Some(lane), other) => Some((notification, lane, other.filter(|other| *other != lane))),
        (None, Some(lane)) => Some((notification.by_its_other_key(), lane, None)),
        (None, None) => None,
    }
}

impl Arrival {
    /// The drop of a lane that a notification means, or the extension of what is no drop.
    pub(super) fn new(notification: Notification, lane: usize, lanes: &Lanes) -> Result<Self, String> {
        let own = &lanes.lanes[lane];
        let plan = plan(&notification.key, own.pipeline.format, own.pipeline.compression);
        let name = own.below(&notification.bucket, &notification.key).unwrap_or_default();
        if is_hidden_or_temporary(name) {
            return Err(format!("hidden or temporary {}", extension_of(&notification.key)));
        }
        if let Plan::Unknown(extension) = plan {
            return Err(extension);
        }
        let object = object(&notification, own.pipeline.name.clone(), own.holds_version());
        Ok(Self {
            lane,
            other_lane: None,
            unresolved: false,
            notification,
            earlier: Vec::new(),
            object,
            plan,
            messages: Vec::new(),
            receives: 0,
            overwritten: 0,
        })
    }

    /// What it shares with every notification that is joined to it.
    fn named(&self) -> Named {
        let Notification { other_key, etag, .. } = &self.notification;
        (self.object.id.clone(), other_key.clone().map(|key| (key, etag.clone())))
    }

    /// All that was said of it, the last first.
    pub(super) fn notifications(&self) -> impl Iterator<Item = &Notification> {
        std::iter::once(&self.notification).chain(&self.earlier)
    }

    /// Whether this etag is another than all that were told of it: each content counts once, however often it is notified.
    fn is_told_of_another(&self, etag: Option<&str>) -> bool {
        let mut known = self.notifications().filter_map(|notification| notification.etag.as_deref()).peekable();
        etag.is_some_and(|etag| known.peek().is_some() && known.all(|one| one != etag))
    }

    /// Another notification of the same drop: what was said last counts first, and the messages share their fate.
    fn join(&mut self, other: Self) {
        for message in other.messages {
            if !self.messages.contains(&message) {
                self.messages.push(message);
            }
        }
        self.receives = self.receives.max(other.receives);
        self.overwritten += u64::from(self.is_told_of_another(other.notification.etag.as_deref()));
        let (said, at) = if other.notification.is_later_than(&self.notification) {
            self.object = other.object;
            (std::mem::replace(&mut self.notification, other.notification), 0)
        } else {
            (other.notification, self.earlier.len())
        };
        let says = |one: &Notification| (one.version_id.clone(), one.etag.clone());
        if !self.notifications().any(|known| says(known) == says(&said)) {
            self.earlier.insert(at, said);
        }
    }
}

/// What is known of an object from its notification. An empty etag: it was not told.
fn object(notification: &Notification, pipeline: drops::PipelineName, holds_version: bool) -> DroppedObject {
    let Notification { bucket, key, etag, size, event_time, .. } = notification;
    let version = || notification.named_version().map(str::to_owned).or_else(|| etag.clone());
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
        read_at: None,
    }
}
