//! What the tests of this crate share: a store that is watched, and rows as JSON.

use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::{RecordBatch, StructArray};
use async_trait::async_trait;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use store::{MemoryStore, ObjectWriter, RandomRead, Store, StoreError};

use crate::merge::json_value;

/// Objects in memory, of which is seen how they are opened, and which refuse to be read.
#[derive(Clone)]
pub(crate) struct WatchedStore {
    memory: MemoryStore,
    /// Counts the objects that are open and the most that ever were.
    pub(crate) open: Arc<(AtomicUsize, AtomicUsize)>,
    /// How many reads of open objects go well before one is refused; set it for one refusal.
    pub(crate) reads_left: Arc<AtomicUsize>,
}

impl Default for WatchedStore {
    fn default() -> Self {
        let reads_left = Arc::new(AtomicUsize::new(usize::MAX));
        Self { memory: MemoryStore::default(), open: Arc::default(), reads_left }
    }
}

impl Deref for WatchedStore {
    type Target = MemoryStore;

    fn deref(&self) -> &MemoryStore {
        &self.memory
    }
}

#[async_trait]
impl Store for WatchedStore {
    async fn put(&self, address: &str, content: Bytes) -> Result<(), StoreError> {
        self.memory.put(address, content).await
    }

    async fn get(&self, address: &str) -> Result<Bytes, StoreError> {
        self.memory.get(address).await
    }

    async fn open(&self, address: &str) -> Result<Arc<dyn RandomRead>, StoreError> {
        let object = self.memory.open(address).await?;
        let open = self.open.0.fetch_add(1, Ordering::Relaxed) + 1;
        self.open.1.fetch_max(open, Ordering::Relaxed);
        let (open, reads_left) = (Arc::clone(&self.open), Arc::clone(&self.reads_left));
        Ok(Arc::new(WatchedObject { object, open, reads_left }))
    }

    fn writer(&self, address: &str) -> Result<Box<dyn ObjectWriter>, StoreError> {
        self.memory.writer(address)
    }

    async fn delete(&self, address: &str) -> Result<(), StoreError> {
        self.memory.delete(address).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        self.memory.list(prefix).await
    }
}

struct WatchedObject {
    object: Arc<dyn RandomRead>,
    open: Arc<(AtomicUsize, AtomicUsize)>,
    reads_left: Arc<AtomicUsize>,
}

impl Drop for WatchedObject {
    fn drop(&mut self) {
        self.open.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl RandomRead for WatchedObject {
    fn size(&self) -> u64 {
        self.object.size()
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        if self.reads_left.fetch_sub(1, Ordering::Relaxed) == 0 {
            return Err(io::Error::other("the service asks for fewer requests"));
        }
        self.object.read_at(offset, length)
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
