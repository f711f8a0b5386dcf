//! Drops are looked into before they are read: those whose names do not tell their format, and a table's first ones, which tell its columns.
//! What is small is kept, so that it is fetched once.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use decode::format::FIRST_BYTES;
use drops::{DropId, DroppedObject, Timestamp};
use store::{Begun, OpenObject, ReadAhead, ReadError, Source};

/// The largest object that is kept whole.
const KEPT_BYTES_MAX: u64 = 64 << 10;

/// A source that remembers small objects that were looked into, up to a number of bytes.
pub(super) struct Peeked {
    inner: Arc<dyn Source>,
    kept: Arc<Mutex<Kept>>,
    room: u64,
}

/// The same source for somebody who looks into objects only: what is kept stays.
struct Looking(Arc<Peeked>);

#[derive(Default)]
struct Kept {
    objects: HashMap<DropId, KeptObject>,
    bytes: u64,
}

/// An object that was read to its end and verified.
#[derive(Clone)]
struct KeptObject {
    etag: String,
    content: Bytes,
    modified: Option<Timestamp>,
}

impl Peeked {
    /// A source before this one, which keeps so many bytes.
    pub(super) fn new(inner: Arc<dyn Source>, room: u64) -> Self {
        Self { inner, kept: Arc::default(), room }
    }

    /// The first bytes of an object, all of them where it is shorter.
    pub(super) async fn first_bytes(&self, object: &DroppedObject) -> Result<Vec<u8>, ReadError> {
        let open = self.inner.open(object).await?;
        let mut open = self.look(object, open)?;
        let failed = |e: io::Error| ReadError::Passing(format!("its first bytes cannot be read: {e}"));
        let mut first = Vec::new();
        open.as_mut().take(FIRST_BYTES as u64).read_to_end(&mut first).map_err(failed)?;
        Ok(first)
    }

    /// Reads an object that is small, and keeps it where there is room. Gives what is read instead of it: of one that turns out larger than was
    /// told its beginning, which is enough for a look.
    fn look(&self, object: &DroppedObject, mut open: Box<dyn OpenObject>) -> Result<Box<dyn OpenObject>, ReadError> {
        if object.size > KEPT_BYTES_MAX {
            return Ok(open);
        }
        let failed = |e: io::Error| ReadError::Passing(format!("it cannot be read: {e}"));
        let mut content = Vec::new();
        open.as_mut().take(KEPT_BYTES_MAX + 1).read_to_end(&mut content).map_err(failed)?;
        let is_whole = content.len() as u64 <= KEPT_BYTES_MAX;
        let read = KeptObject { etag: object.etag.clone(), content: content.into(), modified: open.modified() };
        if is_whole {
            open.verify()?;
            self.keep(object, read.clone());
        }
        Ok(Box::new(read))
    }

    /// What is kept of an object; it stays.
    fn seen(&self, object: &DroppedObject) -> Option<Box<dyn OpenObject>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.objects.get(&object.id).filter(|found| found.etag == object.etag)?;
        Some(Box::new(found.clone()))
    }

    fn keep(&self, object: &DroppedObject, new: KeptObject) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = new.content.len() as u64;
        if kept.bytes + bytes <= self.room && !kept.objects.contains_key(&object.id) {
            kept.bytes += bytes;
            kept.objects.insert(object.id.clone(), new);
        }
    }

    /// What was kept of an object; it is handed out once.
    fn take(&self, object: &DroppedObject) -> Option<Box<dyn OpenObject>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.objects.remove(&object.id)?;
        kept.bytes -= found.content.len() as u64;
        (found.etag == object.etag).then(|| Box::new(found) as Box<dyn OpenObject>)
    }
}

#[async_trait]
impl Source for Peeked {
    async fn open(&self, object: &DroppedObject) -> Result<Box<dyn OpenObject>, ReadError> {
        match self.take(object) {
            Some(kept) => Ok(kept),
            None => self.inner.open(object).await,
        }
    }

    fn read_ahead(&self) -> ReadAhead {
        self.inner.read_ahead()
    }

    fn within(&self, time: Duration) -> Option<Arc<dyn Source>> {
        self.inner.within(time)
    }

    fn looking(&self) -> Option<Arc<dyn Source>> {
        let Self { inner, kept, room } = self;
        Some(Arc::new(Looking(Arc::new(Self { inner: inner.clone(), kept: kept.clone(), room: *room }))))
    }

    fn open_ahead(self: Arc<Self>, object: DroppedObject) -> Begun {
        match self.take(&object) {
            Some(kept) => Box::pin(std::future::ready(Ok(kept))),
            None => self.inner.clone().open_ahead(object),
        }
    }
}

#[async_trait]
impl Source for Looking {
    async fn open(&self, object: &DroppedObject) -> Result<Box<dyn OpenObject>, ReadError> {
        match self.0.seen(object) {
            Some(kept) => Ok(kept),
            None => self.0.look(object, self.0.inner.open(object).await?),
        }
    }

    fn read_ahead(&self) -> ReadAhead {
        self.0.inner.read_ahead()
    }

    fn open_ahead(self: Arc<Self>, object: DroppedObject) -> Begun {
        if let Some(kept) = self.0.seen(&object) {
            return Box::pin(std::future::ready(Ok(kept)));
        }
        let begun = self.0.inner.clone().open_ahead(object.clone());
        Box::pin(async move { self.0.look(&object, begun.await?) })
    }
}

impl Read for KeptObject {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.content.len());
        self.content.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

impl OpenObject for KeptObject {
    fn verify(&mut self) -> Result<(), ReadError> {
        Ok(())
    }

    fn modified(&self) -> Option<Timestamp> {
        self.modified
    }
}
