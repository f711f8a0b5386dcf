//! Notifications: S3's word that a drop happened, out of every envelope that AWS delivers it in.
//!
//! [`read`] takes the text of one message, or of one event without a queue:
//! - S3's own (`Records` of `aws:s3`), which S3 sends to SQS and to functions;
//! - SNS's around it, as SQS gets it (`Type`, `Message`), and as functions get it (`Records` of `aws:sns`); with raw delivery there is none;
//! - EventBridge's (`detail-type`), direct or through SQS or SNS;
//! - Lambda's (`requestPayload`) around an event that failed without a queue, as its destination for failures gets it.
//!
//! What is no created object is counted, never guessed at; what cannot be understood is an error for the message as a whole, so that
//! it goes where people look (the dead-letter queue). [`forward`] writes notifications the way S3 does.

mod envelope;
mod key;
mod write;

#[cfg(test)]
mod tests;

use crate::Timestamp;

pub use envelope::without_content;
pub use key::{decode_key, encode_key};
pub use write::{forward, forward_all};

/// The most bytes of one message that are looked at: what Lambda hands a function at once.
pub const MAX_MESSAGE_BYTES: usize = 6 << 20;

/// The most notifications of one message. S3 sends one.
pub const MAX_NOTIFICATIONS: usize = 10_000;

/// The most bytes of a key, by S3's rules. What is longer would be refused by the ledger, and its neighbours with it.
const MAX_KEY_BYTES: usize = 1_024;

/// The most bytes of a bucket's name, an etag, and a version's id, of which S3 promises that it has no more than 1,024.
const MAX_NAME_BYTES: usize = 1_000;

/// How many envelopes may lie inside each other. Three are known: EventBridge in SNS in SQS.
const MAX_DEPTH: usize = 4;

/// The word that an object was created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notification {
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// What the key would be if it were encoded, where that is another: AWS's documents leave open whether EventBridge encodes keys, and
    /// LocalStack does. The object's etag tells which of the two is meant.
    pub other_key: Option<String>,
    /// The object's version, where the bucket has versions.
    pub version_id: Option<String>,
    /// The object's etag, without quotes.
    pub etag: Option<String>,
    /// The object's size in bytes.
    pub size: Option<u64>,
    /// When S3 had finished the request.
    pub event_time: Option<Timestamp>,
    /// Orders the events of one key: the later has the greater one (see [`Notification::is_later_than`]).
    pub sequencer: Option<String>,
}

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The objects that were created.
    pub notifications: Vec<Notification>,
    /// `s3:TestEvent`s: S3 sends one when a bucket's notifications are configured.
    pub test_events: u64,
    /// Events that are no drop: removed objects, folder markers, tags.
    pub others: u64,
}

/// A message that cannot be understood: nothing of it may be acknowledged away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message cannot be understood: {0}")]
pub struct NotUnderstood(pub(crate) String);

/// Reads one message.
///
/// # Errors
/// It is none of the envelopes above, or something in it is not as S3 writes it.
pub fn read(message: &str) -> Result<Told, NotUnderstood> {
    if message.len() > MAX_MESSAGE_BYTES {
        return Err(NotUnderstood(format!("it has {} bytes, the limit is {MAX_MESSAGE_BYTES}", message.len())));
    }
    let mut told = Told::default();
    envelope::read(message, 0, &mut told)?;
    Ok(told)
}

impl Notification {
    /// The version that was notified, if the object has one: S3 calls `null` what was put while its bucket kept no versions.
    pub fn named_version(&self) -> Option<&str> {
        self.version_id.as_deref().filter(|id| *id != "null")
    }

    /// The same of the object's other key, where it has one: what was told is its encoded form.
    #[must_use]
    pub fn by_its_other_key(self) -> Self {
        match self.other_key {
            Some(key) => Self { key, other_key: None, ..self },
            None => self,
        }
    }

    /// Whether this is the word of a later event of the same key than `other`; false where that cannot be told.
    ///
    /// Sequencers are hexadecimal numbers of differing lengths, compared after the shorter one was filled with zeros on its right (S3's
    /// user guide, "Event ordering and duplicate events").
    pub fn is_later_than(&self, other: &Self) -> bool {
        match (&self.sequencer, &other.sequencer) {
            (Some(own), Some(others)) => {
                // Of any length that a message allows.
                let width = own.len().max(others.len());
                let filled = |text: &str| -> Vec<u8> {
                    let zeros = std::iter::repeat_n(b'0', width - text.len());
                    text.bytes().map(|byte| byte.to_ascii_uppercase()).chain(zeros).collect()
                };
                filled(own) > filled(others)
            }
            _ => self.event_time > other.event_time,
        }
    }
}
