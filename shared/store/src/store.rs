use std::io::{self, Write};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

/// What a store could not do, with the address it was about.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is nothing at the address.
    #[error("there is no {0}")]
    Missing(String),
    /// The address would leave the store's folder, or is empty.
    #[error("'{0}' is no address in this store")]
    Address(String),
    /// The operating system or the service said no.
    #[error("cannot {action} {address}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which object.
        address: String,
        /// What it said.
        source: io::Error,
    },
}

/// An immutable object, read at any offset. Blocking: called from threads that may wait.
pub trait RandomRead: Send + Sync {
    /// Its length in bytes.
    fn size(&self) -> u64;
    /// Exactly `length` bytes from `offset`.
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes>;
}

/// An object that is being written. It does not exist under its address before `finish`; dropped without it, nothing is left.
pub trait ObjectWriter: Write + Send {
    /// Makes it durable under its address: when this returns, a power cut does not lose it. Returns its size in bytes.
    fn finish(self: Box<Self>) -> Result<u64, StoreError>;
}

/// A place for files that others read by address once they were written whole: staging, manifests, quarantine, table data.
/// An address is a relative path of `/`-separated parts, none of them `.`, `..` or empty.
#[async_trait]
pub trait Store: Send + Sync {
    /// Writes an object whole, durably: the content, its name and its folders. Replaces what stood there.
    async fn put(&self, address: &str, content: Bytes) -> Result<(), StoreError>;
    /// Reads an object whole.
    async fn get(&self, address: &str) -> Result<Bytes, StoreError>;
    /// Opens an object for reading at any offset.
    async fn open(&self, address: &str) -> Result<Arc<dyn RandomRead>, StoreError>;
    /// Begins to write an object as a stream.
    fn writer(&self, address: &str) -> Result<Box<dyn ObjectWriter>, StoreError>;
    /// Deletes an object; one that is not there is fine.
    async fn delete(&self, address: &str) -> Result<(), StoreError>;
    /// The addresses that begin with a prefix, with sizes in bytes, sorted by address. The prefix names a folder at least, up to a `/`; what
    /// follows that begins the name of a file or folder in it.
    async fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError>;
}

/// Whether a text is an address: see [`Store`]. What a folder cannot hold is an address nowhere.
pub(crate) fn is_address(text: &str) -> bool {
    text.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']))
}
