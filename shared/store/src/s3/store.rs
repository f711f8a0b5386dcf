//! Files of ours in a bucket.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use tokio::runtime::Handle;

use super::Place;
use super::cache::Cache;
use super::content::{Content, Stretch, Wanted};
use super::failure::Failure;
use super::listing::S3Listing;
use super::over::Over;
use super::random::{BLOCK_BYTES, RandomObject};
use super::writer::S3Writer;
use crate::store::{ObjectWriter, RandomRead, Store, StoreError, is_address};

/// S3 takes no longer key.
const KEY_BYTES_MAX: usize = 1024;

/// What all open objects of a store keep in memory together.
const CACHE_BYTES: usize = 32 << 20;

/// A prefix of a bucket. What `put` and `finish` have written is durable once they return, as S3 promises.
#[derive(Clone)]
pub struct S3Store {
    shared: Arc<Shared>,
}

/// What readers and writers need as well.
pub(super) struct Shared {
    pub client: Client,
    pub runtime: Handle,
    pub cache: Cache,
    bucket: String,
    /// Ends in `/` unless it is empty.
    prefix: String,
}

impl S3Store {
    /// A store in a bucket under a prefix, which may be empty and may end in `/`. Readers and writers, which block, wait for `runtime`,
    /// a multi-thread one.
    pub fn new(client: Client, bucket: &str, prefix: &str, runtime: Handle) -> Self {
        let prefix = match prefix.trim_end_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let cache = Cache::new(CACHE_BYTES);
        Self { shared: Arc::new(Shared { client, runtime, cache, bucket: bucket.to_owned(), prefix }) }
    }

    fn place(&self, address: &str) -> Result<Place, StoreError> {
        let key = format!("{}{address}", self.shared.prefix);
        if !is_address(address) || key.len() > KEY_BYTES_MAX {
            return Err(StoreError::Address(address.to_owned()));
        }
        Ok(Place { bucket: self.shared.bucket.clone(), key })
    }
}

impl Shared {
    /// Writes an object whole.
    pub(super) async fn put(&self, place: &Place, content: Bytes) -> Result<(), Failure> {
        let request = self.client.put_object().bucket(&place.bucket).key(&place.key);
        let put = request.body(ByteStream::from(content)).send().await;
        put.map(|_| ()).map_err(|error| Failure::of("PutObject", place, error))
    }
}

#[async_trait]
impl Store for S3Store {
    async fn put(&self, address: &str, content: Bytes) -> Result<(), StoreError> {
        let put = self.shared.put(&self.place(address)?, content).await;
        put.map_err(|failure| failure.to_store("write", address))
    }

    async fn get(&self, address: &str) -> Result<Bytes, StoreError> {
        let wanted = Wanted { place: self.place(address)?, version: None, etag: None, over: Over::default() };
        let read = match Content::open(&self.shared.client, wanted, Stretch::Whole).await {
            Ok(content) => content.rest().await,
            Err(failure) => Err(failure),
        };
        read.map_err(|failure| failure.to_store("read", address))
    }

    /// One request, which brings the end of the object as well: where Parquet keeps its footer. A small object is in memory then.
    async fn open(&self, address: &str) -> Result<Arc<dyn RandomRead>, StoreError> {
        let failed = |failure: Failure| failure.to_store("open", address);
        let place = self.place(address)?;
        let wanted = Wanted { place: place.clone(), version: None, etag: None, over: Over::default() };
        let content = match Content::open(&self.shared.client, wanted, Stretch::Last(BLOCK_BYTES)).await {
            Ok(content) => content,
            // Of an object without bytes there are no last ones.
            Err(Failure::OutOfRange) => return Ok(Arc::new(RandomObject::empty(self.shared.clone(), place))),
            Err(failure) => return Err(failed(failure)),
        };
        let (size, etag) = (content.size(), content.etag().map(str::to_owned));
        let tail = content.rest().await.map_err(failed)?;
        Ok(Arc::new(RandomObject::new(self.shared.clone(), place, etag, size, tail)))
    }

    fn writer(&self, address: &str) -> Result<Box<dyn ObjectWriter>, StoreError> {
        Ok(Box::new(S3Writer::new(self.shared.clone(), self.place(address)?, address)))
    }

    /// On a bucket that keeps versions this hides the object behind a delete marker.
    async fn delete(&self, address: &str) -> Result<(), StoreError> {
        let place = self.place(address)?;
        let request = self.shared.client.delete_object().bucket(&place.bucket).key(&place.key);
        match request.send().await.map_err(|error| Failure::of("DeleteObject", &place, error)) {
            Ok(_) | Err(Failure::Missing | Failure::Deleted) => Ok(()),
            Err(failure) => Err(failure.to_store("delete", address)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let Some((base, begin)) = prefix.rsplit_once('/').filter(|(base, _)| is_address(base)) else {
            return Err(StoreError::Address(prefix.to_owned()));
        };
        let below = format!("{}{begin}", self.place(base)?.key_of_folder());
        let mut listing = S3Listing::new(self.shared.client.clone(), &self.shared.bucket, &below);
        let mut found = Vec::new();
        while let Some(page) = listing.next_page().await.map_err(|failed| StoreError::Io {
            action: "list",
            address: prefix.to_owned(),
            source: std::io::Error::other(failed.to_string()),
        })? {
            // An object whose key ends in '/' stands for a folder; it is no file of ours.
            let files = page.into_iter().filter(|object| !object.key.ends_with('/'));
            found
                .extend(files.filter_map(|object| {
                    Some((object.key.strip_prefix(&self.shared.prefix)?.to_owned(), object.size))
                }));
        }
        found.sort_unstable();
        Ok(found)
    }
}

impl Place {
    fn key_of_folder(&self) -> String {
        format!("{}/", self.key)
    }
}
