//! What the flow asks of queues and of S3, as traits of its own: a test has them in memory.

use std::time::Duration;

use async_trait::async_trait;
use drops::{DropId, DroppedObject};
use store::ReadError;

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its text.
    pub body: String,
    /// Why it is sent, for people: an attribute of the message.
    pub reason: Option<String>,
}

/// Queues, by their addresses.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Sends messages. Says of each, in their order, whether it was accepted; one whose answer was lost was not, though it may arrive.
    async fn send(&self, queue: &str, messages: Vec<Outgoing>) -> Vec<Result<(), String>>;

    /// Lets messages that were received (named by their receipts) come again after so long, and not after the queue's own time. Nothing is
    /// lost where this fails: they come later.
    async fn come_again(&self, queue: &str, messages: Vec<(String, Duration)>) -> Result<(), String>;
}

/// What an object is now.
#[async_trait]
pub trait Heads: Send + Sync {
    /// Etag, size and time of what an identity names; `None` if there is no such object, or no such version of it.
    async fn head(&self, id: &DropId) -> Result<Option<DroppedObject>, ReadError>;
}
