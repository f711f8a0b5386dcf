//! Stores as a process sees them, through its door.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use store::{MemoryObject, MemoryStore, ObjectWriter, RandomRead, Store, StoreError};

use super::{BROKE_OFF, told};
use crate::port::{Call, Port};

/// What is read of a file that was opened: what it was then.
struct Opened {
    content: MemoryObject,
    /// How many bytes come before a read breaks off, if one does.
    left: Mutex<Option<u64>>,
}

impl Opened {
    /// So many bytes are read; only the read that would go beyond what comes fails.
    fn take(&self, length: usize) -> io::Result<()> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = *left {
            *left = before.checked_sub(length as u64);
            if left.is_none() {
                return Err(io::Error::other(BROKE_OFF));
            }
        }
        Ok(())
    }
}

impl RandomRead for Opened {
    fn size(&self) -> u64 {
        self.content.size()
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        self.take(length)?;
        self.content.read_at(offset, length)
    }
}

/// Which of the stores: it is told from the others by the names of its operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Runs, manifests, intents, the quarantine.
    State,
    /// The table's files.
    Table,
    /// The audit table's files.
    Audit,
}

impl Place {
    fn operation(self, what: What) -> &'static str {
        const NAMES: [[&str; 5]; 3] = [
            ["state.put", "state.get", "state.open", "state.delete", "state.list"],
            ["files.put", "files.get", "files.open", "files.delete", "files.list"],
            ["audit-files.put", "audit-files.get", "audit-files.open", "audit-files.delete", "audit-files.list"],
        ];
        NAMES[self as usize][what as usize]
    }
}

#[derive(Clone, Copy)]
enum What {
    Put,
    Get,
    Open,
    Delete,
    List,
}

/// A store as a process sees it.
pub struct SimStore {
    /// The process's door.
    pub port: Arc<Port>,
    /// Which store.
    pub place: Place,
    /// What is in it.
    pub inner: MemoryStore,
}

fn io_error(action: &'static str, address: &str) -> impl Fn(String) -> StoreError {
    let address = address.to_owned();
    move |reason| StoreError::Io { action, address: address.clone(), source: io::Error::other(reason) }
}

#[async_trait]
impl Store for SimStore {
    async fn put(&self, address: &str, content: Bytes) -> Result<(), StoreError> {
        let (inner, to, failed) = (self.inner.clone(), address.to_owned(), io_error("write", address));
        let effect = move || {
            inner.insert(&to, content.clone());
            Ok(())
        };
        let show = |answer: &Result<(), StoreError>| told(answer, |()| "written".to_owned());
        self.port.call(Call::late_write(self.place.operation(What::Put), address), effect, show, |reason| {
            Err(failed(reason))
        })
    }

    async fn get(&self, address: &str) -> Result<Bytes, StoreError> {
        let (inner, from, failed) = (self.inner.clone(), address.to_owned(), io_error("read", address));
        let show = |answer: &Result<Bytes, StoreError>| told(answer, |content| format!("{} bytes", content.len()));
        let (content, left) = self.port.open(
            Call::opening(self.place.operation(What::Get), address),
            move || inner.found(&from),
            show,
            |reason| Err(failed(reason)),
        );
        match (content, left) {
            (Ok(content), Some(left)) if left < content.len() as u64 => {
                Err(io_error("read", address)(BROKE_OFF.to_owned()))
            }
            (content, _) => content,
        }
    }

    /// One call; what is read of it afterwards is no other, as nothing that is read so ever changes. It may break off.
    async fn open(&self, address: &str) -> Result<Arc<dyn RandomRead>, StoreError> {
        let (inner, from, failed) = (self.inner.clone(), address.to_owned(), io_error("open", address));
        let show = |answer: &Result<Bytes, StoreError>| told(answer, |content| format!("{} bytes", content.len()));
        let (content, left) = self.port.open(
            Call::opening(self.place.operation(What::Open), address),
            move || inner.found(&from),
            show,
            |reason| Err(failed(reason)),
        );
        Ok(Arc::new(Opened { content: MemoryObject(content?), left: Mutex::new(left) }))
    }

    fn writer(&self, address: &str) -> Result<Box<dyn ObjectWriter>, StoreError> {
        let (port, store) = (self.port.clone(), self.inner.clone());
        Ok(Box::new(Writing { port, place: self.place, store, address: address.to_owned(), content: Vec::new() }))
    }

    async fn delete(&self, address: &str) -> Result<(), StoreError> {
        let (inner, from, failed) = (self.inner.clone(), address.to_owned(), io_error("delete", address));
        let effect = move || {
            inner.remove(&from);
            Ok(())
        };
        let show = |answer: &Result<(), StoreError>| told(answer, |()| "deleted".to_owned());
        self.port.call(Call::late_write(self.place.operation(What::Delete), address), effect, show, |reason| {
            Err(failed(reason))
        })
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let (inner, from, failed) = (self.inner.clone(), prefix.to_owned(), io_error("list", prefix));
        let show = |answer: &Result<Vec<(String, u64)>, StoreError>| told(answer, |l| format!("{} files", l.len()));
        self.port.call(
            Call::read(self.place.operation(What::List), prefix),
            move || Ok(inner.listed(&from)),
            show,
            |reason| Err(failed(reason)),
        )
    }
}

/// A file that is being written: there when it is finished, and nothing of it before.
struct Writing {
    port: Arc<Port>,
    place: Place,
    store: MemoryStore,
    address: String,
    content: Vec<u8>,
}

impl Write for Writing {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        self.content.extend_from_slice(content);
        Ok(content.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ObjectWriter for Writing {
    fn finish(self: Box<Self>) -> Result<u64, StoreError> {
        let Self { port, place, store, address, content } = *self;
        let (size, content) = (content.len() as u64, Bytes::from(content));
        let (to, failed) = (address.clone(), io_error("write", &address));
        let effect = move || {
            store.insert(&to, content.clone());
            Ok(size)
        };
        let show = |answer: &Result<u64, StoreError>| told(answer, |size| format!("{size} bytes written"));
        port.call(Call::late_write(place.operation(What::Put), &address), effect, show, |reason| Err(failed(reason)))
    }
}
