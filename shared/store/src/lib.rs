//! Where drops are read from and where files are written to, durably. Folders now, S3 behind the same traits later.

mod local_source;
mod local_store;
mod source;
mod store;

pub use local_source::{Listed, Listing, LocalSource, Skipped};
pub use local_store::{LocalStore, create_folder, sync_folder};
pub use source::{ListError, OpenObject, ReadAhead, ReadError, Source};
pub use store::{ObjectWriter, RandomRead, Store, StoreError};
