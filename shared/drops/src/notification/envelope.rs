//! From an envelope's JSON to notifications. Only what is used is looked at: AWS adds fields without asking.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{
    MAX_DEPTH, MAX_KEY_BYTES, MAX_NAME_BYTES, MAX_NOTIFICATIONS, NotUnderstood, Notification, Told, decode_key,
};
use crate::{Timestamp, is_folder_marker};

/// The outermost fields of every envelope.
#[derive(Deserialize)]
struct Envelope<'a> {
    /// S3's own, or SNS's for functions.
    #[serde(rename = "Records", borrow)]
    records: Option<Vec<&'a RawValue>>,
    /// SNS's for queues.
    #[serde(rename = "Type")]
    kind: Option<String>,
    #[serde(rename = "Message")]
    message: Option<String>,
    /// S3's test.
    #[serde(rename = "Event")]
    event: Option<String>,
    /// EventBridge's.
    #[serde(rename = "detail-type")]
    detail_type: Option<String>,
    source: Option<String>,
    time: Option<String>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    /// Lambda's around an event that it could not hand to a function in time.
    #[serde(rename = "requestPayload", borrow)]
    request_payload: Option<&'a RawValue>,
}

/// What tells a record's sender: S3 writes `eventSource`, SNS `EventSource`.
#[derive(Deserialize)]
struct Sender {
    #[serde(rename = "eventSource", alias = "EventSource")]
    event_source: String,
}

#[derive(Deserialize)]
struct SnsRecord {
    #[serde(rename = "Sns")]
    sns: SnsMessage,
}

#[derive(Deserialize)]
struct SnsMessage {
    #[serde(rename = "Message")]
    message: String,
}

/// A record of S3's own. What it is about is read only once its name says that an object was created.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3Record<'a> {
    event_version: String,
    event_name: String,
    event_time: Option<String>,
    #[serde(borrow)]
    s3: Option<&'a RawValue>,
}

/// `s3` of S3's own records, and `detail` of EventBridge's.
#[derive(Deserialize)]
struct Subject {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
    #[serde(rename = "otherKey")]
    other_key: Option<String>,
    #[serde(default, deserialize_with = "number")]
    size: Option<u64>,
    #[serde(rename = "eTag", alias = "etag")]
    etag: Option<String>,
    #[serde(rename = "versionId", alias = "version-id")]
    version_id: Option<String>,
    sequencer: Option<String>,
}

/// A number, which some senders write as text.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Number(u64),
        Text(String),
    }
    match Option::<Number>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Number::Number(number)) => Ok(Some(number)),
        Some(Number::Text(text)) => text.trim().parse().map(Some).map_err(serde::de::Error::custom),
    }
}

fn not_understood(why: impl Into<String>) -> NotUnderstood {
    NotUnderstood(why.into())
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str, what: &str) -> Result<T, NotUnderstood> {
    serde_json::from_str(text).map_err(|e| not_understood(format!("{what}: {}", without_content(&e))))
}

/// What is wrong with JSON, and where, in words that hold nothing of it: they go into logs. `serde_json` shows a value that is of another
/// type than is expected.
pub fn without_content(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let names_ours = text.starts_with("missing field `") || text.starts_with("duplicate field `");
    if error.classify() != serde_json::error::Category::Data || names_ours {
        return text;
    }
    format!("a value is not what is expected at line {} column {}", error.line(), error.column())
}

pub(super) fn read(text: &str, depth: usize, told: &mut Told) -> Result<(), NotUnderstood> {
    if depth == MAX_DEPTH {
        return Err(not_understood(format!("more than {MAX_DEPTH} envelopes lie inside each other")));
    }
    // Taken apart by position, a list would pass for an envelope.
    if !text.trim_start().starts_with('{') {
        return Err(not_understood("it is no JSON object: no notification of S3"));
    }
    let envelope: Envelope<'_> = parse(text, "it is no JSON object of a known kind")?;
    if let Some(records) = envelope.records {
        told.others += u64::from(records.is_empty());
        return records.into_iter().try_for_each(|record| self::record(record.get(), depth, told));
    }
    if let Some(payload) = envelope.request_payload {
        return read(payload.get(), depth + 1, told);
    }
    match (envelope.kind.as_deref(), envelope.message) {
        (Some("Notification"), Some(message)) => return read(&message, depth + 1, told),
        (Some(kind), _) => return Err(not_understood(format!("it is SNS's, of type {}", shown(kind)))),
        (None, _) => {}
    }
    if envelope.event.as_deref() == Some("s3:TestEvent") {
        told.test_events += 1;
        return Ok(());
    }
    let Some(detail_type) = envelope.detail_type else {
        return Err(not_understood("it has neither Records nor Message nor detail-type: no notification of S3"));
    };
    match envelope.source.as_deref() {
        Some("aws.s3") => {}
        other => return Err(not_understood(format!("it is an event of {}", shown(other.unwrap_or("nobody"))))),
    }
    if detail_type != "Object Created" {
        told.others += 1;
        return Ok(());
    }
    let detail = envelope.detail.ok_or_else(|| not_understood("an event of EventBridge without detail"))?;
    let subject: Subject = parse(detail.get(), "the detail of an event of EventBridge")?;
    let other_key = decode_key(&subject.object.key).ok().filter(|key| *key != subject.object.key);
    add(subject, Ok, other_key, envelope.time.as_deref(), told)
}

fn record(text: &str, depth: usize, told: &mut Told) -> Result<(), NotUnderstood> {
    let sender: Sender = parse(text, "a record without eventSource")?;
    match sender.event_source.as_str() {
        "aws:s3" => s3_record(text, told),
        "aws:sns" => {
            let record: SnsRecord = parse(text, "a record of SNS")?;
            read(&record.sns.message, depth + 1, told)
        }
        // Servers that speak S3's language name themselves: `minio:s3`, `ceph:s3`.
        other if other.ends_with(":s3") => s3_record(text, told),
        other => Err(not_understood(format!("a record of {}", shown(other)))),
    }
}

fn s3_record(text: &str, told: &mut Told) -> Result<(), NotUnderstood> {
    let record: S3Record<'_> = parse(text, "a record of S3")?;
    // S3's promise: within a major version fields are only added.
    if record.event_version.split('.').next() != Some("2") {
        let why = format!("a record of S3 in version {}; 2.x is known", shown(&record.event_version));
        return Err(not_understood(why));
    }
    let name = record.event_name.strip_prefix("s3:").unwrap_or(&record.event_name);
    if name == "TestEvent" {
        told.test_events += 1;
        return Ok(());
    }
    if !name.starts_with("ObjectCreated:") {
        told.others += 1;
        return Ok(());
    }
    let s3 = record.s3.ok_or_else(|| not_understood("a record of S3 that names no object"))?;
    let subject: Subject = parse(s3.get(), "a record of S3")?;
    let other_key = subject.object.other_key.as_deref().map(decode_key).transpose().map_err(not_understood)?;
    add(subject, |key| decode_key(&key), other_key, record.event_time.as_deref(), told)
}

fn add(
    subject: Subject,
    decode: impl FnOnce(String) -> Result<String, String>,
    other_key: Option<String>,
    time: Option<&str>,
    told: &mut Told,
) -> Result<(), NotUnderstood> {
    let Subject { bucket, object } = subject;
    let named = decode(object.key).map_err(not_understood)?;
    // Encoded, a key may be longer than any is: then it is no name of its own.
    let (key, other_key) = match other_key {
        Some(other) if named.len() > MAX_KEY_BYTES => (other, None),
        other => (named, other.filter(|key| key.len() <= MAX_KEY_BYTES)),
    };
    let names = [Some(&bucket.name), object.version_id.as_ref(), object.etag.as_ref()];
    if key.len() > MAX_KEY_BYTES || names.into_iter().flatten().any(|name| name.len() > MAX_NAME_BYTES) {
        return Err(not_understood("a key or another name in it is longer than S3 has any"));
    }
    let etag = object.etag.as_deref().map(|etag| etag.trim_matches('"').to_owned());
    // It is sent as a header of HTTP, which holds no others.
    if etag.as_ref().is_some_and(|etag| !etag.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')) {
        return Err(not_understood("an etag in it is none that S3 can have"));
    }
    if bucket.name.is_empty() || key.is_empty() {
        return Err(not_understood("an object without a bucket or a key"));
    }
    if object.size.is_some_and(|size| is_folder_marker(&key, size)) {
        told.others += 1;
        return Ok(());
    }
    if told.notifications.len() == MAX_NOTIFICATIONS {
        return Err(not_understood(format!("it names more than {MAX_NOTIFICATIONS} objects")));
    }
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    told.notifications.push(Notification {
        bucket: bucket.name,
        key,
        other_key: given(other_key),
        version_id: given(object.version_id),
        etag: given(etag),
        size: object.size,
        event_time: time.and_then(Timestamp::parse),
        sequencer: given(object.sequencer),
    });
    Ok(())
}

/// A word of a stranger, for a message: only one that AWS itself has, as these messages go into logs.
fn shown(word: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == ':' || c == '-';
    let source = (word.starts_with("aws:") || word.starts_with("aws.")) && word.chars().all(plain);
    let version = word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let kind = ["nobody", "SubscriptionConfirmation", "UnsubscribeConfirmation"].contains(&word);
    if word.len() <= 40 && (source || version || kind) {
        format!("{word:?}")
    } else {
        "that AWS does not have".to_owned()
    }
}
