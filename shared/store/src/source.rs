use std::future::Future;
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use drops::{DroppedObject, Timestamp};
use tokio::task::JoinHandle;

/// Why an object could not be read; each variant is something else to do for the caller.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not there any more: acknowledge and count it.
    #[error("it is gone")]
    Gone,
    /// Its etag is another than the one that was listed, or it is known by its etag and has a version: ask what it is now.
    #[error("it changed while it was read")]
    Changed,
    /// The version that its identity or its notification names is none that S3 can have: no delivery can mend that, so its message goes where
    /// people look. A version that there was is [`ReadError::Gone`].
    #[error("{0}")]
    NoVersionId(String),
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
    /// Opens the content that `object` was listed with. `Changed` where its etag is another by now, or where it is known by its etag
    /// ([`DroppedObject::is_known_by_etag`]) and has a version: then that is what it is known by.
    async fn open(&self, object: &DroppedObject) -> Result<Box<dyn OpenObject>, ReadError>;

    /// How far ahead of their turn objects are opened.
    fn read_ahead(&self) -> ReadAhead {
        ReadAhead::default()
    }

    /// The same source for somebody who has this much time: what is not read by then is given up as passing, so that nothing waits beyond
    /// it. `None` where reading never waits for long.
    fn within(&self, time: Duration) -> Option<Arc<dyn Source>> {
        let _ = time;
        None
    }

    /// The same source for somebody who looks into objects that are read soon after: what it can keep of them is fetched once. `None` where
    /// opening an object again costs nothing.
    fn looking(&self) -> Option<Arc<dyn Source>> {
        None
    }

    /// Begins to open an object ahead of its turn; dropped, the answer breaks it off. A task of the runtime, so that it goes on while its
    /// caller decodes. A source of which each history must be the only one of its seed does it in its caller's thread.
    fn open_ahead(self: Arc<Self>, object: DroppedObject) -> Begun
    where
        Self: 'static,
    {
        let task = tokio::spawn(async move { self.open(&object).await });
        Box::pin(Task(task))
    }
}

/// An object that is being opened ahead of its turn.
pub type Begun = Pin<Box<dyn Future<Output = Result<Box<dyn OpenObject>, ReadError>> + Send>>;

/// A task that ends when its answer is not waited for any more.
struct Task(JoinHandle<Result<Box<dyn OpenObject>, ReadError>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Future for Task {
    type Output = Result<Box<dyn OpenObject>, ReadError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let broken_off = |e| Err(ReadError::Passing(format!("reading it was broken off: {e}")));
        Pin::new(&mut self.0).poll(context).map(|opened| opened.unwrap_or_else(broken_off))
    }
}
