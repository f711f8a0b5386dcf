//! What the tests of this crate share: a store in memory, and rows as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::{RecordBatch, StructArray};
use async_trait::async_trait;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use store::{ObjectWriter, RandomRead, Store, StoreError};

use crate::merge::json_value;

type Objects = Arc<Mutex<BTreeMap<String, Bytes>>>;

/// Objects in memory; what is not finished is not there.
#[derive(Clone)]
pub(crate) struct MemoryStore {
    pub(crate) objects: Objects,
    /// Counts the objects that are open and the most that ever were.
    pub(crate) open: Arc<(AtomicUsize, AtomicUsize)>,
    /// How many reads of open objects go well before one is refused; set it for one refusal.
    pub(crate) reads_left: Arc<AtomicUsize>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        let reads_left = Arc::new(AtomicUsize::new(usize::MAX));
        Self { objects: Objects::default(), open: Arc::default(), reads_left }
    }
}

impl MemoryStore {
    pub(crate) fn insert(&self, address: &str, bytes: Bytes) {
        self.objects.lock().unwrap().insert(address.into(), bytes);
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn read(&self, address: &str) -> Bytes {
        self.objects.lock().unwrap()[address].clone()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn put(&self, address: &str, content: Bytes) -> Result<(), StoreError> {
        self.insert(address, content);
        Ok(())
    }

    async fn get(&self, address: &str) -> Result<Bytes, StoreError> {
        let found = self.objects.lock().unwrap().get(address).cloned();
        found.ok_or_else(|| StoreError::Missing(address.into()))
    }

    async fn open(&self, address: &str) -> Result<Arc<dyn RandomRead>, StoreError> {
        let bytes = self.get(address).await?;
        let open = self.open.0.fetch_add(1, Ordering::Relaxed) + 1;
        self.open.1.fetch_max(open, Ordering::Relaxed);
        let (open, reads_left) = (Arc::clone(&self.open), Arc::clone(&self.reads_left));
        Ok(Arc::new(MemoryObject { bytes, open, reads_left }))
    }

    fn writer(&self, address: &str) -> Result<Box<dyn ObjectWriter>, StoreError> {
        Ok(Box::new(MemoryWriter { objects: Arc::clone(&self.objects), address: address.into(), bytes: Vec::new() }))
    }

    async fn delete(&self, address: &str) -> Result<(), StoreError> {
        self.objects.lock().unwrap().remove(address);
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let objects = self.objects.lock().unwrap();
        let below = objects.iter().filter(|(address, _)| address.starts_with(prefix));
        Ok(below.map(|(address, bytes)| (address.clone(), bytes.len() as u64)).collect())
    }
}

struct MemoryObject {
    bytes: Bytes,
    open: Arc<(AtomicUsize, AtomicUsize)>,
    reads_left: Arc<AtomicUsize>,
}

impl Drop for MemoryObject {
    fn drop(&mut self) {
        self.open.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl RandomRead for MemoryObject {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        if self.reads_left.fetch_sub(1, Ordering::Relaxed) == 0 {
            return Err(io::Error::other("the service asks for fewer requests"));
        }
        let start = usize::try_from(offset).unwrap();
        if start + length > self.bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.bytes.slice(start..start + length))
    }
}

struct MemoryWriter {
    objects: Objects,
    address: String,
    bytes: Vec<u8>,
}

impl Write for MemoryWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ObjectWriter for MemoryWriter {
    fn finish(self: Box<Self>) -> Result<u64, StoreError> {
        let size = self.bytes.len() as u64;
        self.objects.lock().unwrap().insert(self.address, self.bytes.into());
        Ok(size)
    }
}

/// The batches of a Parquet file.
pub(crate) fn read_parquet(bytes: &Bytes) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).unwrap().with_batch_size(1000);
    reader.build().unwrap().map(Result::unwrap).collect()
}

/// The rows of a batch as JSON objects without nulls.
pub(crate) fn json_rows(batch: &RecordBatch) -> Vec<Value> {
    let rows: arrow_array::ArrayRef = Arc::new(StructArray::from(batch.clone()));
    (0..batch.num_rows()).map(|row| json_value(&rows, row, &|_| None)).collect()
}
