use serde_json::{Value, json};

use super::{Notification, encode_key};

/// Writes a notification as S3 does, to be sent to a queue of ours: what reads S3's reads this as well.
pub fn forward(notification: &Notification) -> String {
    forward_all(std::iter::once(notification))
}

/// Writes several notifications as one message.
pub fn forward_all<'a>(notifications: impl IntoIterator<Item = &'a Notification>) -> String {
    json!({ "Records": notifications.into_iter().map(record).collect::<Vec<_>>() }).to_string()
}

fn record(notification: &Notification) -> Value {
    let Notification { bucket, key, other_key, version_id, etag, size, event_time, sequencer } = notification;
    let mut object = json!({ "key": encode_key(key) });
    let fields = [
        // Not S3's: for a reader of ours.
        ("otherKey", other_key.as_ref().map(|key| json!(encode_key(key)))),
        ("size", size.map(|size| json!(size))),
        ("eTag", etag.as_ref().map(|text| json!(text))),
        ("versionId", version_id.as_ref().map(|text| json!(text))),
        ("sequencer", sequencer.as_ref().map(|text| json!(text))),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            object[name] = value;
        }
    }
    let mut record = json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Forwarded",
        "s3": { "bucket": { "name": bucket }, "object": object },
    });
    if let Some(time) = event_time {
        record["eventTime"] = json!(time.to_string());
    }
    record
}
