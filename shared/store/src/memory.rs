//! A store in memory, for tests.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{ObjectWriter, RandomRead, Store, StoreError};

/// Objects by their addresses; what is not finished is not there. Clones are the same place.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<BTreeMap<String, Bytes>>>);

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an object there, in the place of one that was.
    pub fn insert(&self, address: &str, content: Bytes) {
        self.lock().insert(address.to_owned(), content);
    }

    /// Takes an object away, if there is one.
    pub fn remove(&self, address: &str) {
        self.lock().remove(address);
    }

    /// An object's content.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub fn found(&self, address: &str) -> Result<Bytes, StoreError> {
        self.lock().get(address).cloned().ok_or_else(|| StoreError::Missing(address.to_owned()))
    }

    /// Addresses that begin so, in order, and how many bytes are there.
    pub fn listed(&self, prefix: &str) -> Vec<(String, u64)> {
        let objects = self.lock();
        let below = objects.iter().filter(|(address, _)| address.starts_with(prefix));
        below.map(|(address, content)| (address.clone(), content.len() as u64)).collect()
    }

    /// All addresses, in order.
    pub fn addresses(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn put(&self, address: &str, content: Bytes) -> Result<(), StoreError> {
        self.insert(address, content);
        Ok(())
    }

    async fn get(&self, address: &str) -> Result<Bytes, StoreError> {
        self.found(address)
    }

    async fn open(&self, address: &str) -> Result<Arc<dyn RandomRead>, StoreError> {
        Ok(Arc::new(MemoryObject(self.found(address)?)))
    }

    fn writer(&self, address: &str) -> Result<Box<dyn ObjectWriter>, StoreError> {
        Ok(Box::new(MemoryWriter { store: self.clone(), address: address.to_owned(), content: Vec::new() }))
    }

    async fn delete(&self, address: &str) -> Result<(), StoreError> {
        self.remove(address);
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        Ok(self.listed(prefix))
    }
}

/// An object that is read as one of a folder or a bucket is.
#[derive(Clone, Debug)]
pub struct MemoryObject(pub Bytes);

impl RandomRead for MemoryObject {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start.checked_add(length).filter(|end| *end <= self.0.len());
        Ok(self.0.slice(start..end.ok_or(io::ErrorKind::UnexpectedEof)?))
    }
}

struct MemoryWriter {
    store: MemoryStore,
    address: String,
    content: Vec<u8>,
}

impl Write for MemoryWriter {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        self.content.write(content)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ObjectWriter for MemoryWriter {
    fn finish(self: Box<Self>) -> Result<u64, StoreError> {
        let size = self.content.len() as u64;
        self.store.insert(&self.address, self.content.into());
        Ok(size)
    }
}
