//! Drops whose names do not tell their format are looked into before they are claimed. What is small is kept, so that it is read once.

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
    kept: Mutex<Kept>,
    room: u64,
}

#[derive(Default)]
struct Kept {
    objects: HashMap<DropId, KeptObject>,
    bytes: u64,
}

/// An object that was read to its end and verified.
struct KeptObject {
    etag: String,
    content: Bytes,
    modified: Option<Timestamp>,
}

impl Peeked {
    /// A source before this one, which keeps so many bytes.
    pub(super) fn new(inner: Arc<dyn Source>, room: u64) -> Self {
        Self { inner, kept: Mutex::default(), room }
    }

    /// The first bytes of an object, all of them where it is shorter.
    pub(super) async fn first_bytes(&self, object: &DroppedObject) -> Result<Vec<u8>, ReadError> {
        let mut open = self.inner.open(object).await?;
        let failed = |e: io::Error| ReadError::Passing(format!("its first bytes cannot be read: {e}"));
        let keeps = object.size <= KEPT_BYTES_MAX;
        let most = if keeps { KEPT_BYTES_MAX + 1 } else { FIRST_BYTES as u64 };
        let mut content = Vec::new();
        open.as_mut().take(most).read_to_end(&mut content).map_err(failed)?;
        let mut first = content.clone();
        first.truncate(FIRST_BYTES);
        if keeps && content.len() as u64 <= KEPT_BYTES_MAX {
            open.verify()?;
            let kept = KeptObject { etag: object.etag.clone(), content: content.into(), modified: open.modified() };
            self.keep(object, kept);
        }
        Ok(first)
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

    fn open_ahead(self: Arc<Self>, object: DroppedObject) -> Begun {
        match self.take(&object) {
            Some(kept) => Box::pin(std::future::ready(Ok(kept))),
            None => self.inner.clone().open_ahead(object),
        }
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
