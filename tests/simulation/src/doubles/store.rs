//! Files in memory behind [`Store`].

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use store::{ObjectWriter, RandomRead, Store, StoreError};

use super::{BROKE_OFF, told};
use crate::port::{Call, Port};

/// Files by their addresses. Clones are the same place.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<BTreeMap<String, Bytes>>>);

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn found(&self, address: &str) -> Result<Bytes, StoreError> {
        self.lock().get(address).cloned().ok_or_else(|| StoreError::Missing(address.to_owned()))
    }

    /// Whether there is something at an address.
    pub fn holds(&self, address: &str) -> bool {
        self.lock().contains_key(address)
    }

    /// Writes a file.
    pub fn write(&self, address: &str, content: Bytes) {
        self.lock().insert(address.to_owned(), content);
    }

    /// The addresses that begin so.
    pub fn below(&self, prefix: &str) -> Vec<String> {
        self.lock().keys().filter(|address| address.starts_with(prefix)).cloned().collect()
    }

    fn listed(&self, prefix: &str) -> Vec<(String, u64)> {
        let files = self.lock();
        let below = files.iter().filter(|(address, _)| address.starts_with(prefix));
        below.map(|(address, content)| (address.clone(), content.len() as u64)).collect()
    }
}

/// What is read of a file that was opened: what it was then.
struct Opened {
    content: Bytes,
    /// How many bytes come before a read breaks off, if one does.
    left: Mutex<Option<u64>>,
}

impl Opened {
    fn new(content: Bytes, left: Option<u64>) -> Arc<Self> {
        Arc::new(Self { content, left: Mutex::new(left) })
    }

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
        self.content.len() as u64
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        self.take(length)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        match start.checked_add(length) {
            Some(end) if end <= self.content.len() => Ok(self.content.slice(start..end)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn put(&self, address: &str, content: Bytes) -> Result<(), StoreError> {
        self.write(address, content);
        Ok(())
    }

    async fn get(&self, address: &str) -> Result<Bytes, StoreError> {
        self.found(address)
    }

    async fn open(&self, address: &str) -> Result<Arc<dyn RandomRead>, StoreError> {
        Ok(Opened::new(self.found(address)?, None))
    }

    fn writer(&self, address: &str) -> Result<Box<dyn ObjectWriter>, StoreError> {
        Ok(Box::new(Writing { store: self.clone(), address: address.to_owned(), content: Vec::new(), via: None }))
    }

    async fn delete(&self, address: &str) -> Result<(), StoreError> {
        self.lock().remove(address);
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        Ok(self.listed(prefix))
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
            inner.write(&to, content.clone());
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
        Ok(Opened::new(content?, left))
    }

    fn writer(&self, address: &str) -> Result<Box<dyn ObjectWriter>, StoreError> {
        let via = Some((self.port.clone(), self.place));
        let store = self.inner.clone();
        Ok(Box::new(Writing { store, address: address.to_owned(), content: Vec::new(), via }))
    }

    async fn delete(&self, address: &str) -> Result<(), StoreError> {
        let (inner, from, failed) = (self.inner.clone(), address.to_owned(), io_error("delete", address));
        let effect = move || {
            inner.lock().remove(&from);
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
    store: MemoryStore,
    address: String,
    content: Vec<u8>,
    via: Option<(Arc<Port>, Place)>,
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
        let Self { store, address, content, via } = *self;
        let (size, content) = (content.len() as u64, Bytes::from(content));
        let Some((port, place)) = via else {
            store.write(&address, content);
            return Ok(size);
        };
        let (to, failed) = (address.clone(), io_error("write", &address));
        let effect = move || {
            store.write(&to, content.clone());
            Ok(size)
        };
        let show = |answer: &Result<u64, StoreError>| told(answer, |size| format!("{size} bytes written"));
        port.call(Call::late_write(place.operation(What::Put), &address), effect, show, |reason| Err(failed(reason)))
    }
}
