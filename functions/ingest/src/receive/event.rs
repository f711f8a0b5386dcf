//! What Lambda hands over: messages of a queue, or one event without a queue.

use std::collections::HashMap;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessageAttribute};
use drops::notification::{MAX_MESSAGE_BYTES, without_content};
use serde::Deserialize;

use super::{EARLIER_RECEIVES, ReceiveError};

/// One message: what SQS delivered, or the whole event where it came without a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// SQS's id; empty where there is no queue.
    pub(super) id: String,
    /// What its visibility is changed with.
    pub(super) receipt: String,
    /// The queue's ARN.
    pub(super) queue: String,
    /// How often it was received, this time included.
    pub(super) receives: u32,
    /// How often those were received that it was sent anew for.
    pub(super) earlier_receives: u32,
    /// Its text.
    pub(super) body: String,
}

/// An event of the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Its messages.
    pub(super) messages: Vec<Message>,
    /// Whether a queue holds them until they are acknowledged.
    pub(super) queued: bool,
}

/// Enough of an event to see who sent it.
#[derive(Deserialize)]
struct Outside {
    #[serde(rename = "Records", default)]
    records: Vec<Sender>,
}

#[derive(Deserialize)]
struct Sender {
    #[serde(rename = "eventSource", alias = "EventSource", default)]
    event_source: String,
}

impl Event {
    /// Reads an event. What is no event of SQS is one message; whether it can be understood is seen later.
    pub(super) fn read(text: &str) -> Result<Self, ReceiveError> {
        let outside: Option<Outside> = serde_json::from_str(text).ok();
        let from_sqs = |records: &[Sender]| records.iter().any(|record| record.event_source == "aws:sqs");
        if !outside.is_some_and(|outside| from_sqs(&outside.records)) {
            let body = text.get(..MAX_MESSAGE_BYTES + 1).unwrap_or(text).to_owned();
            return Ok(Self { messages: vec![Message { body, receives: 1, ..Message::default() }], queued: false });
        }
        let event: SqsEvent = serde_json::from_str(text).map_err(|e| ReceiveError::Event(without_content(&e)))?;
        let messages = event.records.into_iter().map(|record| Message {
            receives: receives(&record.attributes),
            earlier_receives: earlier_receives(&record.message_attributes),
            id: record.message_id.unwrap_or_default(),
            receipt: record.receipt_handle.unwrap_or_default(),
            queue: record.event_source_arn.unwrap_or_default(),
            body: record.body.unwrap_or_default(),
        });
        Ok(Self { messages: messages.collect(), queued: true })
    }
}

fn receives(attributes: &HashMap<String, String>) -> u32 {
    attributes.get("ApproximateReceiveCount").and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Anybody who may send to the queue may write it: it says how long a drop waits, and nothing else.
fn earlier_receives(attributes: &HashMap<String, SqsMessageAttribute>) -> u32 {
    let text = attributes.get(EARLIER_RECEIVES).and_then(|attribute| attribute.string_value.as_ref());
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

impl Message {
    /// How often the drops in it were received as far as is known, this time included.
    pub(super) fn all_receives(&self) -> u32 {
        self.receives.saturating_add(self.earlier_receives)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_nothing_of_the_event() {
        let event =
            r#"{"Records":[{"eventSource":"aws:sqs","body":["patient-4711"],"attributes":{},"messageAttributes":{}}]}"#;
        let why = Event::read(event).expect_err("no text").to_string();
        assert!(!why.contains("4711") && why.contains("column"), "{why}");
    }

    #[test]
    fn tells_a_queue_from_none() {
        let queued = r#"{"Records":[{"messageId":"m","receiptHandle":"r","body":"b","attributes":{"ApproximateReceiveCount":"3"},
            "messageAttributes":{"lithify-receives":{"stringValue":"6","dataType":"Number","stringListValues":[],"binaryListValues":[]}},
            "eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu:1:q","awsRegion":"eu"}]}"#;
        let event = Event::read(queued).expect("SQS's");
        let message = Message {
            id: "m".into(),
            receipt: "r".into(),
            queue: "arn:aws:sqs:eu:1:q".into(),
            receives: 3,
            earlier_receives: 6,
            body: "b".into(),
        };
        assert_eq!(event, Event { messages: vec![message], queued: true });
        for direct in [
            r#"{"Records":[{"eventSource":"aws:s3"}]}"#,
            r#"{"detail-type":"Object Created"}"#,
            "7",
            r#"{"Records":7}"#,
        ] {
            let event = Event::read(direct).expect("one message");
            assert!(!event.queued && event.messages.len() == 1 && event.messages[0].body == direct);
        }
    }
}
