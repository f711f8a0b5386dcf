//! A bucket in memory, whose objects bring trouble to those who read them, and the clock that they move.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use drops::{DropId, DroppedObject, Timestamp};
use runtime::Clock;
use store::{OpenObject, ReadAhead, ReadError, Source};

use super::super::*;

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
    /// By how much the clock goes on while it is decoded, each time.
    pub(super) heavy: Duration,
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
    pub(super) clock: Arc<SetClock>,
    pub(super) reads: AtomicI64,
    pub(super) heads: AtomicI64,
    /// Whether the bucket keeps versions.
    pub(super) versions: AtomicBool,
    /// Whether nobody is told what an object is.
    pub(super) denies_heads: AtomicBool,
    /// Whether nobody is answered who asks what an object is whose key says `hangs`.
    pub(super) hangs_heads: AtomicBool,
    /// By how many seconds the clock goes on while S3 is asked, each time.
    pub(super) heads_take: AtomicU64,
    /// How far ahead of their turn objects are opened, and what is open.
    pub(super) in_flight: Arc<InFlight>,
}

/// What is open at once, from when it is asked for until its reader drops it.
#[derive(Default)]
pub(super) struct InFlight {
    pub(super) limit: Mutex<ReadAhead>,
    /// How many must be open, or all that are left, before one is answered. 0 as soon as one waited in vain for that.
    pub(super) awaited: AtomicUsize,
    /// How many are to be read yet.
    pub(super) left: AtomicUsize,
    now: Mutex<(usize, u64)>,
    /// The most objects that were open at once, and the most bytes that several of them held.
    pub(super) most: Mutex<(usize, u64)>,
}

/// An object that is open.
struct Held(Arc<InFlight>, u64);

impl Held {
    async fn begin(flight: &Arc<InFlight>, size: u64) -> Self {
        let limit = *flight.limit.lock().unwrap();
        let held = size.min(limit.bytes_per_object);
        {
            let (mut now, mut most) = (flight.now.lock().unwrap(), flight.most.lock().unwrap());
            *now = (now.0 + 1, now.1 + held);
            most.0 = most.0.max(now.0);
            most.1 = if now.0 > 1 { most.1.max(now.1) } else { most.1 };
        }
        let (this, mut turns) = (Self(flight.clone(), held), 0);
        // What is larger than the bound is alone.
        while held <= limit.bytes && flight.is_missing() {
            tokio::time::sleep(Duration::from_millis(10)).await;
            turns += 1;
            if turns > 500 {
                flight.awaited.store(0, Ordering::Relaxed);
            }
        }
        if turns > 0 {
            // One that is one too many comes now.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        this
    }
}

impl InFlight {
    fn is_missing(&self) -> bool {
        let awaited = self.awaited.load(Ordering::Relaxed).min(self.left.load(Ordering::Relaxed));
        self.now.lock().unwrap().0 < awaited
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut now = self.0.now.lock().unwrap();
        *now = (now.0 - 1, now.1 - self.1);
        let _ = self.0.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    }
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
    heavy: Option<(Arc<SetClock>, Duration)>,
    _held: Held,
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
        if let Some((clock, time)) = self.heavy.take() {
            clock.1.store(time.as_micros() as i64, Ordering::Relaxed);
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
        let held = Held::begin(&self.in_flight, object.size).await;
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
            let opened = Opened { content, deadly: false, slow: None, heavy: None, _held: held };
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
        let heavy = (!found.heavy.is_zero()).then(|| (self.clock.clone(), found.heavy));
        let content = io::Cursor::new(found.content.clone());
        Ok(Box::new(Opened { content, deadly: found.deadly, slow, heavy, _held: held }))
    }

    fn read_ahead(&self) -> ReadAhead {
        *self.in_flight.limit.lock().unwrap()
    }
}

#[async_trait]
impl Heads for Bucket {
    async fn head(&self, id: &DropId) -> Result<Option<DroppedObject>, ReadError> {
        self.heads.fetch_add(1, Ordering::Relaxed);
        self.clock.pass(Duration::from_secs(self.heads_take.load(Ordering::Relaxed)));
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
