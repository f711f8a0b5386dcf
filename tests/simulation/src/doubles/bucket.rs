//! The source: a bucket of objects with etags and, where it keeps them, versions.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use drops::notification::Notification;
use drops::{DropId, DroppedObject, Timestamp};
use ingest::receive::Heads;
use store::{Begun, OpenObject, ReadAhead, ReadError, Source};

use super::told;
use crate::port::{Call, Port};

/// The bucket's name.
pub const BUCKET: &str = "vendor";

/// How much later than an object was modified S3 says that it tells of it, in microseconds: no row may say this time for that one.
const TOLD_AFTER: i64 = 700_000;

/// What an object holds, and what must become of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Its bytes.
    pub bytes: Bytes,
    /// The ordinals of its good records.
    pub good: Vec<i64>,
    /// Whether nothing of it can be read: it is quarantined whole.
    pub unreadable: bool,
    /// Whether reading it ends the process: it is quarantined in the end.
    pub deadly: bool,
}

#[derive(Clone, Debug)]
struct Version {
    /// None of what was put while the bucket kept no versions.
    id: Option<String>,
    etag: String,
    content: Content,
    at: i64,
}

/// One arrival of which S3 told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notified {
    /// The key.
    pub key: String,
    /// The content's etag.
    pub etag: String,
    /// The version, where it is part of the drop's identity: the bucket's, or the etag.
    pub version: Option<String>,
}

/// The bucket. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    inner: Arc<Mutex<Objects>>,
}

#[derive(Debug, Default)]
struct Objects {
    keeps_versions: bool,
    next: u64,
    /// All versions of each key, oldest first; whether the last is the current one or the key was deleted.
    keys: BTreeMap<String, (Vec<Version>, bool)>,
}

impl Bucket {
    /// An empty bucket.
    pub fn new(keeps_versions: bool) -> Self {
        Self { inner: Arc::new(Mutex::new(Objects { keeps_versions, ..Objects::default() })) }
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on versions are kept, or are not: what is there stays as it is.
    pub fn keep_versions(&self, keeps: bool) {
        self.lock().keeps_versions = keeps;
    }

    /// Puts an object: what S3 tells of it.
    pub fn put(&self, key: &str, content: Content, at: i64) -> Notification {
        let mut objects = self.lock();
        objects.next += 1;
        let (number, keeps) = (objects.next, objects.keeps_versions);
        let etag = etag(&content.bytes);
        let version = Version { id: keeps.then(|| format!("version-{number}")), etag, content, at };
        let notification = Notification {
            other_key: None,
            bucket: BUCKET.to_owned(),
            key: key.to_owned(),
            version_id: version.id.clone(),
            etag: Some(version.etag.clone()),
            size: Some(version.content.bytes.len() as u64),
            event_time: Some(Timestamp(at + TOLD_AFTER)),
            sequencer: Some(format!("{number:016X}")),
        };
        let (versions, is_there) = objects.keys.entry(key.to_owned()).or_default();
        versions.push(version);
        *is_there = true;
        notification
    }

    /// Deletes an object. Its versions stay where the bucket keeps them.
    pub fn delete(&self, key: &str) {
        if let Some((_, is_there)) = self.lock().keys.get_mut(key) {
            *is_there = false;
        }
    }

    /// What was ever put under this key with this etag.
    pub fn content(&self, key: &str, etag: &str) -> Option<Content> {
        let objects = self.lock();
        let (versions, _) = objects.keys.get(key)?;
        versions.iter().find(|version| version.etag == etag).map(|version| version.content.clone())
    }

    /// The etag of a version.
    pub fn etag_of(&self, key: &str, version: &str) -> Option<String> {
        let objects = self.lock();
        let (versions, _) = objects.keys.get(key)?;
        versions.iter().find(|one| one.is_called(version)).map(|one| one.etag.clone())
    }

    /// Whether a version, named by its id or by its etag, was put at this moment.
    pub fn was_put_at(&self, key: &str, version: &str, at: i64) -> bool {
        let objects = self.lock();
        let versions = objects.keys.get(key).map(|(versions, _)| versions.as_slice()).unwrap_or_default();
        versions.iter().any(|one| one.is_called(version) && one.at == at)
    }

    /// The etag of what stands under a key now.
    pub fn current(&self, key: &str) -> Option<String> {
        let objects = self.lock();
        let (versions, is_there) = objects.keys.get(key)?;
        versions.last().filter(|_| *is_there).map(|version| version.etag.clone())
    }

    /// The version of what stands under a key now, if it has this etag and a version.
    pub fn version_of(&self, key: &str, etag: &str) -> Option<String> {
        let objects = self.lock();
        let (versions, is_there) = objects.keys.get(key)?;
        versions.last().filter(|version| *is_there && version.etag == etag)?.id.clone()
    }

    /// Whether what was notified can still be read: at its version, or as what stands there now.
    pub fn stands(&self, notified: &Notified) -> bool {
        let current = self.current(&notified.key);
        let is_there_now = match &notified.version {
            Some(_) => current.as_ref() == Some(&notified.etag),
            None => current.is_some(),
        };
        is_there_now || self.has_version(&notified.key, notified)
    }

    fn has_version(&self, key: &str, notified: &Notified) -> bool {
        let objects = self.lock();
        let Some((versions, _)) = objects.keys.get(key) else { return false };
        versions.iter().any(|one| match &notified.version {
            Some(version) => one.id.as_ref() == Some(version),
            None => one.etag == notified.etag && one.id.is_some(),
        })
    }

    /// How many contents end the process that reads them.
    pub fn deadly(&self) -> u32 {
        let objects = self.lock();
        let all = objects.keys.values().flat_map(|(versions, _)| versions);
        u32::try_from(all.filter(|version| version.content.deadly).count()).unwrap_or(u32::MAX)
    }

    fn read(&self, object: &DroppedObject) -> Result<Version, ReadError> {
        let objects = self.lock();
        let (versions, is_there) = objects.keys.get(&object.id.key).ok_or(ReadError::Gone)?;
        // What names no version of the bucket's names a content: `S3Source` asks for it by its etag.
        let of_identity = object.id.version.as_ref().filter(|version| **version != object.etag);
        let found = match of_identity.or(object.read_at.as_ref()) {
            Some(id) => versions.iter().find(|version| version.id.as_ref() == Some(id)),
            None => versions.last().filter(|_| *is_there),
        };
        let found = found.ok_or(ReadError::Gone)?;
        let is_another = !object.etag.is_empty() && found.etag != object.etag;
        if is_another || (object.is_known_by_etag() && found.id.is_some()) {
            return Err(ReadError::Changed);
        }
        Ok(found.clone())
    }

    fn head(&self, id: &DropId) -> Option<DroppedObject> {
        let objects = self.lock();
        let (versions, is_there) = objects.keys.get(&id.key)?;
        let current = versions.last().filter(|_| *is_there);
        let found = match &id.version {
            None => current,
            Some(named) => versions
                .iter()
                .find(|version| version.id.as_ref() == Some(named))
                .or_else(|| current.filter(|version| version.etag == *named)),
        }?;
        let (size, modified) = (found.content.bytes.len() as u64, Timestamp(found.at));
        let id = DropId { version: found.id.clone().or_else(|| id.version.clone()), ..id.clone() };
        Some(DroppedObject { id, etag: found.etag.clone(), size, modified, read_at: None })
    }
}

impl Version {
    /// Whether an identity names it so: by its id, or by its etag where it has none or the identity holds no version.
    fn is_called(&self, version: &str) -> bool {
        self.id.as_deref() == Some(version) || self.etag == version
    }
}

/// 32 hexadecimal digits of FNV-1a, twice: what stands for S3's MD5.
pub fn etag(content: &[u8]) -> String {
    let hash = |seed: u64| {
        content.iter().fold(seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
    };
    format!("{:016x}{:016x}", hash(0xcbf2_9ce4_8422_2325), hash(content.len() as u64 + 7))
}

/// The bucket as a process sees it.
#[derive(Clone)]
pub struct SimSource {
    /// The process's door.
    pub port: Arc<Port>,
    /// The bucket.
    pub bucket: Bucket,
    /// How many objects are opened ahead of their turn.
    pub ahead: usize,
}

/// An object that is being read. Its content is that of the moment when it was opened, and half of it comes in a second piece, which may
/// not come.
struct Opened {
    port: Arc<Port>,
    key: String,
    rest: Bytes,
    /// How many bytes come in the first piece; `None`: the second is there.
    first: Option<usize>,
    deadly: bool,
    broken: Option<String>,
    modified: Timestamp,
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.deadly {
            self.port.world.note(&self.port.name(), "source.read", "", "deadly: the process ends");
            self.port.crash();
        }
        if let Some(reason) = &self.broken {
            return Err(io::Error::other(reason.clone()));
        }
        if self.first == Some(0) {
            self.first = None;
            if let Err(reason) = self.port.midway("source.read", &self.key) {
                self.broken = Some(reason.clone());
                return Err(io::Error::other(reason));
            }
        }
        let length = buffer.len().min(self.first.unwrap_or(self.rest.len()));
        self.first = self.first.map(|first| first - length);
        self.rest.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

impl OpenObject for Opened {
    fn verify(&mut self) -> Result<(), ReadError> {
        self.broken.clone().map_or(Ok(()), |reason| Err(ReadError::Passing(reason)))
    }

    fn modified(&self) -> Option<Timestamp> {
        Some(self.modified)
    }
}

impl SimSource {
    fn fetch(&self, object: &DroppedObject) -> Result<Box<dyn OpenObject>, ReadError> {
        let (bucket, wanted) = (self.bucket.clone(), object.clone());
        let show = |answer: &Result<Version, ReadError>| told(answer, |v| format!("{} bytes", v.content.bytes.len()));
        let key = object.id.to_string();
        let read = self.port.call(
            Call::read("source.open", &key),
            move || bucket.read(&wanted),
            show,
            |reason| Err(ReadError::Passing(reason)),
        );
        let Version { content: Content { bytes, deadly, .. }, at, .. } = read?;
        let (port, first) = (self.port.clone(), Some(bytes.len() / 2));
        Ok(Box::new(Opened { port, key, rest: bytes, first, deadly, broken: None, modified: Timestamp(at) }))
    }
}

#[async_trait]
impl Source for SimSource {
    async fn open(&self, object: &DroppedObject) -> Result<Box<dyn OpenObject>, ReadError> {
        self.fetch(object)
    }

    fn read_ahead(&self) -> ReadAhead {
        ReadAhead { objects: self.ahead, bytes: 1 << 20, bytes_per_object: 1 << 16 }
    }

    /// A read changes nothing, so of all moments between its beginning and its turn only the first and the last differ for others: it is
    /// made at one of these two, by the process's own randomness.
    fn open_ahead(self: Arc<Self>, object: DroppedObject) -> Begun {
        if self.port.chance(500) {
            let opened = self.fetch(&object);
            return Box::pin(std::future::ready(opened));
        }
        Box::pin(async move { self.fetch(&object) })
    }
}

#[async_trait]
impl Heads for SimSource {
    async fn head(&self, id: &DropId) -> Result<Option<DroppedObject>, ReadError> {
        let (bucket, wanted) = (self.bucket.clone(), id.clone());
        let show = |answer: &Result<Option<DroppedObject>, ReadError>| {
            told(answer, |object| object.as_ref().map_or("nothing", |object| &object.etag).to_owned())
        };
        let effect = move || Ok(bucket.head(&wanted));
        let key = id.to_string();
        self.port.call(Call::read("source.head", &key), effect, show, |reason| Err(ReadError::Passing(reason)))
    }
}
