use std::io::Read;

use async_trait::async_trait;
use drops::{DroppedObject, Timestamp};

/// Why an object could not be read; each variant is something else to do for the caller.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not there any more: acknowledge and count it.
    #[error("it is gone")]
    Gone,
    /// Its etag is another than the one that was listed: leave it out, it comes again.
    #[error("it changed while it was read")]
    Changed,
    /// Denied, throttled, a broken connection: leave it out, it comes again.
    #[error("{0}")]
    Passing(String),
}

/// A listing that could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("cannot list {place}: {reason}")]
pub struct ListError {
    /// The folder or prefix.
    pub place: String,
    /// What went wrong.
    pub reason: String,
}

/// An object opened for reading.
pub trait OpenObject: Read + Send {
    /// After the last byte: whether what was read is the content that was listed.
    fn verify(&mut self) -> Result<(), ReadError>;

    /// When the content was last modified, where opening it told: a notification knows only when it was sent.
    fn modified(&self) -> Option<Timestamp> {
        None
    }
}

/// How far ahead of its turn an object of a source is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadAhead {
    /// How many objects at once; 0: none, opening is quick.
    pub objects: usize,
    /// How many bytes they may hold together; one object may hold more by itself.
    pub bytes: u64,
    /// How many bytes one opened object holds at most.
    pub bytes_per_object: u64,
}

/// Where the drops of a pipeline are read from. Only reads: nothing here writes to a source.
#[async_trait]
pub trait Source: Send + Sync {
    /// Opens the content that `object` was listed with. `Changed` where its etag is another by now.
    async fn open(&self, object: &DroppedObject) -> Result<Box<dyn OpenObject>, ReadError>;

    /// How far ahead of their turn objects are opened.
    fn read_ahead(&self) -> ReadAhead {
        ReadAhead::default()
    }
}
