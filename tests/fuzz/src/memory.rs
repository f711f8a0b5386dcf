//! A store in memory.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use store::{ObjectWriter, RandomRead, Store, StoreError};

/// Objects by their addresses; what is not finished is not there. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<BTreeMap<String, Bytes>>>);

impl Memory {
    /// What there is.
    pub fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.0.lock().expect("no panic")
    }
}

#[async_trait]
impl Store for Memory {
    async fn put(&self, address: &str, content: Bytes) -> Result<(), StoreError> {
        self.objects().insert(address.to_owned(), content);
        Ok(())
    }

    async fn get(&self, address: &str) -> Result<Bytes, StoreError> {
        self.objects().get(address).cloned().ok_or_else(|| StoreError::Missing(address.to_owned()))
    }

    async fn open(&self, address: &str) -> Result<Arc<dyn RandomRead>, StoreError> {
        Ok(Arc::new(Object(self.get(address).await?)))
    }

    fn writer(&self, address: &str) -> Result<Box<dyn ObjectWriter>, StoreError> {
        Ok(Box::new(Writer { store: self.clone(), address: address.to_owned(), content: Vec::new() }))
    }

    async fn delete(&self, address: &str) -> Result<(), StoreError> {
        self.objects().remove(address);
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let objects = self.objects();
        let below = objects.iter().filter(|(address, _)| address.starts_with(prefix));
        Ok(below.map(|(address, content)| (address.clone(), content.len() as u64)).collect())
    }
}

/// An object that is read as one of a folder or a bucket is.
pub struct Object(pub Bytes);

impl RandomRead for Object {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start.checked_add(length).filter(|end| *end <= self.0.len());
        Ok(self.0.slice(start..end.ok_or(io::ErrorKind::UnexpectedEof)?))
    }
}

struct Writer {
    store: Memory,
    address: String,
    content: Vec<u8>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.content.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ObjectWriter for Writer {
    fn finish(self: Box<Self>) -> Result<u64, StoreError> {
        let size = self.content.len() as u64;
        self.store.objects().insert(self.address, self.content.into());
        Ok(size)
    }
}
