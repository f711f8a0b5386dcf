//! Where drops are read from and where files are written to, durably: folders, and S3 behind the same traits.

mod local_source;
mod local_store;
#[cfg(feature = "memory")]
mod memory;
#[cfg(feature = "s3")]
mod s3;
mod source;
mod store;

pub use local_source::{Listed, Listing, LocalSource, Skipped};
pub use local_store::{LocalStore, create_folder, sync_folder};
#[cfg(feature = "memory")]
pub use memory::{MemoryObject, MemoryStore};
#[cfg(feature = "s3")]
pub use s3::{ListedObject, S3Listing, S3Source, S3Store};
pub use source::{Begun, ListError, OpenObject, ReadAhead, ReadError, Source};
pub use store::{ObjectWriter, RandomRead, Store, StoreError};
