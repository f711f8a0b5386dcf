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

use super::{BROKE_OFF, told};
use crate::port::{Call, Port};

/// The bucket's name.
pub const BUCKET: &str = "vendor";

/// What S3 calls the version of an object that has none.
const NULL: &str = "null";

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
    /// None of what was put while the bucket kept no versions: S3 calls that [`NULL`].
    id: Option<String>,
    /// Whether it is lost: it has no id, and was overwritten or deleted while the bucket kept no versions.
    lost: bool,
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
    /// Whether a drop's identity holds its version.
    identity_holds_version: bool,
    next: u64,
    /// All versions of each key, oldest first; whether the last is the current one or the key was deleted.
    keys: BTreeMap<String, (Vec<Version>, bool)>,
}

impl Bucket {
    /// An empty bucket, whose objects are named by pipelines whose identity holds the version, or does not.
    pub fn new(keeps_versions: bool, identity_holds_version: bool) -> Self {
        Self { inner: Arc::new(Mutex::new(Objects { keeps_versions, identity_holds_version, ..Objects::default() })) }
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
        let version = Version { id: keeps.then(|| format!("version-{number}")), lost: false, etag, content, at };
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
        lose_the_null_one(versions, keeps);
        versions.push(version);
        *is_there = true;
        notification
    }

    /// Deletes an object. Its versions stay where the bucket keeps them.
    pub fn delete(&self, key: &str) {
        let mut objects = self.lock();
        let keeps = objects.keeps_versions;
        if let Some((versions, is_there)) = objects.keys.get_mut(key) {
            lose_the_null_one(versions, keeps);
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
        let holds = objects.identity_holds_version;
        versions.iter().find(|one| one.is_called(version, holds)).map(|one| one.etag.clone())
    }

    /// Whether a version, named by its id or by its etag, was put at this moment.
    pub fn was_put_at(&self, key: &str, version: &str, at: i64) -> bool {
        let objects = self.lock();
        let versions = objects.keys.get(key).map(|(versions, _)| versions.as_slice()).unwrap_or_default();
        let holds = objects.identity_holds_version;
        versions.iter().any(|one| one.is_called(version, holds) && one.at == at)
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

    /// Whether what was notified can still be read: at its version, or, where the identity holds none, as what stands there now.
    pub fn stands(&self, notified: &Notified) -> bool {
        let is_there_now = notified.version.is_none() && self.current(&notified.key).is_some();
        is_there_now || self.has_version(&notified.key, notified)
    }

    fn has_version(&self, key: &str, notified: &Notified) -> bool {
        let objects = self.lock();
        let Some((versions, _)) = objects.keys.get(key) else { return false };
        versions.iter().any(|one| match &notified.version {
            Some(version) => !one.lost && one.is_called(version, true),
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
            Some(id) => version_named(versions, id)?,
            None => versions.last().filter(|_| *is_there),
        };
        let found = found.ok_or(ReadError::Gone)?;
        let is_another = !object.etag.is_empty() && found.etag != object.etag;
        if is_another || (object.is_known_by_etag() && found.id.is_some()) {
            return Err(ReadError::Changed);
        }
        Ok(found.clone())
    }

    fn head(&self, id: &DropId) -> Result<Option<DroppedObject>, ReadError> {
        let objects = self.lock();
        let Some((versions, is_there)) = objects.keys.get(&id.key) else { return Ok(None) };
        let current = versions.last().filter(|_| *is_there);
        let found = match &id.version {
            None => current,
            Some(etag) if is_etag(etag) => current.filter(|version| version.etag == *etag),
            Some(named) => version_named(versions, named)?,
        };
        let Some(found) = found else { return Ok(None) };
        let (size, modified) = (found.content.bytes.len() as u64, Timestamp(found.at));
        let id = DropId { version: found.id.clone().or_else(|| id.version.clone()), ..id.clone() };
        Ok(Some(DroppedObject { id, etag: found.etag.clone(), size, modified, read_at: None }))
    }
}

/// While no versions are kept, what has none is lost when another is put over it, or it is deleted.
fn lose_the_null_one(versions: &mut [Version], keeps_versions: bool) {
    versions
        .iter_mut()
        .filter(|version| !keeps_versions && version.id.is_none())
        .for_each(|version| version.lost = true);
}

/// The version that S3 calls so, if it has it.
fn version_named<'v>(versions: &'v [Version], name: &str) -> Result<Option<&'v Version>, ReadError> {
    if name != NULL && !name.starts_with("version-") {
        return Err(ReadError::NoVersionId(format!("{name} is no version's id")));
    }
    let is_named = |version: &&Version| version.id.as_deref().unwrap_or(NULL) == name && !version.lost;
    Ok(versions.iter().rfind(is_named))
}

/// Whether this is an etag of ours.
fn is_etag(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Version {
    /// Whether a drop's identity names it so: by its id where the identity holds it and there is one, else by its etag. It has no other name: one
    /// that is ingested under two is there twice.
    fn is_called(&self, version: &str, identity_holds_version: bool) -> bool {
        let id = self.id.as_ref().filter(|_| identity_holds_version);
        *id.unwrap_or(&self.etag) == version
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
/// not come; nor need what follows a byte.
struct Opened {
    port: Arc<Port>,
    key: String,
    rest: Bytes,
    /// How many bytes come in the first piece; `None`: the second is there.
    first: Option<usize>,
    /// How many bytes come before it breaks off, if it does.
    left: Option<u64>,
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
        let length = length.min(self.left.map_or(length, |left| usize::try_from(left).unwrap_or(usize::MAX)));
        if self.left == Some(0) && !self.rest.is_empty() {
            self.broken = Some(BROKE_OFF.to_owned());
            return Err(io::Error::other(BROKE_OFF));
        }
        self.first = self.first.map(|first| first - length);
        self.left = self.left.map(|left| left - length as u64);
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
        let (read, left) = self.port.open(
            Call::opening("source.open", &key),
            move || bucket.read(&wanted),
            show,
            |reason| Err(ReadError::Passing(reason)),
        );
        let Version { content: Content { bytes, deadly, .. }, at, .. } = read?;
        let (port, first) = (self.port.clone(), Some(bytes.len() / 2));
        Ok(Box::new(Opened { port, key, rest: bytes, first, left, deadly, broken: None, modified: Timestamp(at) }))
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
        let effect = move || bucket.head(&wanted);
        let key = id.to_string();
        self.port.call(Call::read("source.head", &key), effect, show, |reason| Err(ReadError::Passing(reason)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(text: &'static str) -> Content {
        Content { bytes: Bytes::from_static(text.as_bytes()), ..Content::default() }
    }

    #[test]
    fn a_content_has_one_name_by_which_it_is_ingested() {
        for (keeps, holds) in [(false, false), (false, true), (true, false), (true, true)] {
            let bucket = Bucket::new(keeps, holds);
            let told = bucket.put("a", content("one"), 5);
            let (etag, id) = (told.etag.expect("an etag"), told.version_id);
            let name = if keeps && holds { id.clone().expect("a version") } else { etag.clone() };
            let is_called = |text: &str| (bucket.was_put_at("a", text, 5), bucket.etag_of("a", text).is_some());
            assert_eq!(is_called(&name), (true, true), "{keeps} {holds}");
            let other = if keeps && holds { etag } else { id.unwrap_or_default() };
            assert_eq!(is_called(&other), (false, false), "{keeps} {holds}");
        }
    }

    #[test]
    fn what_has_no_version_is_lost_only_while_none_are_kept() {
        let bucket = Bucket::new(false, true);
        let put = |text| {
            let told = bucket.put("a", content(text), 0);
            let etag = told.etag.unwrap_or_default();
            Notified { key: "a".to_owned(), version: told.version_id.or_else(|| Some(etag.clone())), etag }
        };
        let [first, second] = ["first", "second"].map(put);
        assert_eq!([&first, &second].map(|one| bucket.stands(one)), [false, true]);
        bucket.keep_versions(true);
        let third = put("third");
        bucket.delete("a");
        assert_eq!([&first, &second, &third].map(|one| bucket.stands(one)), [false, true, true]);
        bucket.keep_versions(false);
        bucket.delete("a");
        assert_eq!([&second, &third].map(|one| bucket.stands(one)), [false, true]);
    }
}
