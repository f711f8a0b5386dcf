//! The files of a table's `_delta_log`, behind a seam: a local folder, or a prefix of a bucket.
//!
//! The one thing that a Delta log asks of its store is [`LogFiles::put_if_absent`]: of several writers of one name exactly one wins, and
//! readers see all of its bytes or none. Everything here blocks; callers run it on a thread that may wait.

mod local;
#[cfg(feature = "s3")]
mod s3;

use std::io;
use std::sync::Arc;

use object_store::ObjectStore;

pub(crate) use local::LocalLog;
#[cfg(feature = "s3")]
pub(crate) use s3::S3Log;

/// Tells one content of a name from another, as well as the store can without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Bytes.
    pub size: u64,
    /// The store's word for when it was written.
    pub modified: Option<std::time::SystemTime>,
    /// The store's word for its content.
    pub etag: Option<String>,
}

/// A file in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// Its name.
    pub name: String,
    /// Its stamp, where the listing tells it.
    pub stamp: Option<Stamp>,
}

/// A listing of a log.
#[derive(Debug)]
pub(crate) struct Names {
    /// The files, in any order.
    pub files: Vec<Named>,
    /// Files of versions below this one may be missing from it.
    pub from: u64,
}

/// What became of a conditional put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// The name is ours, durably.
    Done,
    /// The name was taken.
    Exists,
}

/// The files of one table's log, by their names within `_delta_log`. A missing file is [`io::ErrorKind::NotFound`].
pub(crate) trait LogFiles: Send + Sync + std::fmt::Debug {
    /// Whether a listing costs more the more it tells, so that it is worth a request to know where to begin.
    fn is_remote(&self) -> bool {
        false
    }

    /// The names in the log, or at least those of this version and above; none if there is no log.
    fn names(&self, from: u64) -> io::Result<Names>;

    /// The stamp of a file; `None` if it is missing.
    fn stamp(&self, name: &str) -> io::Result<Option<Stamp>>;

    /// The bytes of a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Makes these files and the folder that names them durable. Who acts on what was read in a log (and writes that down elsewhere)
    /// must not lose it to a power cut: its writer may have died before it flushed.
    fn flush(&self, names: &[String]) -> io::Result<()>;

    /// Makes room for a log that does not exist yet.
    fn prepare(&self) -> io::Result<()>;

    /// Writes a file that must not exist: atomically and durably. After an error it is unknown whether the name is taken.
    fn put_if_absent(&self, name: &str, body: &[u8]) -> io::Result<Put>;

    /// Writes a file or replaces it: atomically and durably.
    fn replace(&self, name: &str, body: &[u8]) -> io::Result<()>;

    /// Removes a file durably; one that is missing is removed already.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Removes what writers that died have left behind and that nobody can still be writing, given the newest version.
    fn sweep(&self, newest: u64) -> io::Result<()>;

    /// The table's folder as a store whose root it is.
    fn object_store(&self) -> io::Result<Arc<dyn ObjectStore>>;
}
