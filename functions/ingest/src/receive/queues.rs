//! What the flow asks of queues and of S3, as traits of its own: a test has them in memory.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drops::{DropId, DroppedObject};
use store::ReadError;

/// A message to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// Its text.
    pub body: String,
    /// Why it is sent, for people: an attribute of the message.
    pub reason: Option<String>,
    /// How often the messages were received that it stands for: the attribute [`EARLIER_RECEIVES`], where it is not 0.
    pub earlier_receives: u32,
    /// After what time it comes; no longer than [`DELAY_MAX`].
    pub delay: Duration,
}

/// The message attribute that says how often a drop was received before its message was sent anew.
pub const EARLIER_RECEIVES: &str = "lithify-receives";

/// SQS delays no message for longer.
pub const DELAY_MAX: Duration = Duration::from_secs(900);

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

    /// The same for somebody who has this much time: what is not answered by then is given up as passing. `None` where nobody waits for long.
    fn within(&self, time: Duration) -> Option<Arc<dyn Heads>> {
        let _ = time;
        None
    }
}
