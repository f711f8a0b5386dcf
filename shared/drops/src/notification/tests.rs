use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A record as S3's user guide shows it, with one thing or another in it changed.
fn record(changed: &[(&str, serde_json::Value)]) -> serde_json::Value {
    let mut record = json!({
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-central-1",
        "eventTime": "1970-01-01T00:00:01.500Z", "eventName": "ObjectCreated:Put",
        "userIdentity": { "principalId": "AIDAJDPLRKLG7UEXAMPLE" },
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": "c",
            "bucket": { "name": "vendor", "ownerIdentity": { "principalId": "A3" }, "arn": "arn:aws:s3:::vendor" },
            "object": {
                "key": "orders/a%2Bb+c.json", "size": 1024, "eTag": "d41d8cd9", "versionId": "096f", "sequencer": "0055AED6DCD90281E5"
            },
        },
    });
    for (pointer, value) in changed {
        match record.pointer_mut(pointer) {
            Some(place) => *place = value.clone(),
            None => record[pointer.trim_start_matches('/')] = value.clone(),
        }
    }
    record
}

fn s3(records: &[serde_json::Value]) -> String {
    json!({ "Records": records }).to_string()
}

fn sns_in_sqs(message: &str) -> String {
    json!({ "Type": "Notification", "MessageId": "m", "TopicArn": "t", "Subject": "Amazon S3 Notification", "Message": message })
        .to_string()
}

fn sns_to_function(message: &str) -> String {
    json!({ "Records": [{ "EventVersion": "1.0", "EventSource": "aws:sns", "Sns": { "Type": "Notification", "Message": message } }] })
        .to_string()
}

fn bridge(source: &str, detail_type: &str) -> String {
    json!({
        "version": "0", "id": "2d4e", "detail-type": detail_type, "source": source, "time": "1970-01-01T00:00:01Z",
        "detail": {
            "version": "0", "bucket": { "name": "vendor" }, "reason": "PutObject",
            "object": { "key": "orders/a+b%20c.json", "size": 5, "etag": "b57f", "version-id": "IYV3", "sequencer": "00617F08299329D189" },
        },
    })
    .to_string()
}

fn expected() -> Notification {
    Notification {
        bucket: "vendor".into(),
        key: "orders/a+b c.json".into(),
        other_key: None,
        version_id: Some("096f".into()),
        etag: Some("d41d8cd9".into()),
        size: Some(1024),
        event_time: Some(Timestamp(1_500_000)),
        sequencer: Some("0055AED6DCD90281E5".into()),
    }
}

const TEST_EVENT: &str = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2014-10-13T15:57:02.089Z","Bucket":"vendor","RequestId":"5582"}"#;

/// What Lambda sends to a function's destination for failures (its developer guide, "Asynchronous invocation").
fn failed(event: &str) -> String {
    let payload: serde_json::Value = serde_json::from_str(event).unwrap();
    let context = json!({ "requestId": "e4b46cbf", "condition": "RetriesExhausted", "approximateInvokeCount": 3 });
    json!({ "version": "1.0", "requestContext": context, "requestPayload": payload, "responsePayload": { "errorType": "x" } }).to_string()
}

#[test]
fn reads_every_envelope() {
    let own = s3(&[record(&[])]);
    let bridged = Notification {
        key: "orders/a+b%20c.json".into(),
        other_key: Some("orders/a b c.json".into()),
        version_id: Some("IYV3".into()),
        etag: Some("b57f".into()),
        size: Some(5),
        event_time: Some(Timestamp(1_000_000)),
        sequencer: Some("00617F08299329D189".into()),
        ..expected()
    };
    let created = bridge("aws.s3", "Object Created");
    for (name, message, found) in [
        ("S3's own", own.clone(), expected()),
        ("SNS in SQS", sns_in_sqs(&own), expected()),
        ("SNS to a function", sns_to_function(&own), expected()),
        ("SNS in SNS", sns_in_sqs(&sns_in_sqs(&own)), expected()),
        ("EventBridge", created.clone(), bridged.clone()),
        ("EventBridge in SNS in SQS", sns_in_sqs(&created), bridged.clone()),
        ("EventBridge, forwarded by us", forward(&bridged), bridged),
        ("failed without a queue", failed(&own), expected()),
        ("forwarded by us", forward(&expected()), expected()),
        ("a size as text", s3(&[record(&[("/s3/object/size", json!("1024"))])]), expected()),
        ("an etag in quotes", s3(&[record(&[("/s3/object/eTag", json!("\"d41d8cd9\""))])]), expected()),
        (
            "content where folders are",
            s3(&[record(&[("/s3/object/key", json!("orders/"))])]),
            Notification { key: "orders/".into(), ..expected() },
        ),
        (
            "what may be a folder",
            s3(&[record(&[("/s3/object/key", json!("orders/")), ("/s3/object/size", json!(null))])]),
            Notification { key: "orders/".into(), size: None, ..expected() },
        ),
        ("a later minor version", s3(&[record(&[("/eventVersion", json!("2.9"))])]), expected()),
    ] {
        assert_eq!(read(&message), Ok(Told { notifications: vec![found], ..Told::default() }), "{name}");
    }
}

#[test]
fn counts_what_is_no_drop() {
    let removed = record(&[("/eventName", json!("ObjectRemoved:Delete")), ("/s3", json!(null))]);
    let marker = record(&[("/s3/object/key", json!("orders/")), ("/s3/object/size", json!(0))]);
    for (name, message, test_events, others) in [
        ("a test", TEST_EVENT.to_owned(), 1, 0),
        ("a test in SNS", sns_in_sqs(TEST_EVENT), 1, 0),
        ("removed", s3(std::slice::from_ref(&removed)), 0, 1),
        ("a folder marker", s3(&[marker, removed]), 0, 2),
        ("no records", s3(&[]), 0, 1),
        ("another event of EventBridge", bridge("aws.s3", "Object Deleted"), 0, 1),
    ] {
        assert_eq!(read(&message), Ok(Told { notifications: vec![], test_events, others }), "{name}");
    }
}

#[test]
fn understands_nothing_by_halves() {
    let mut deep = s3(&[record(&[])]);
    for _ in 0..MAX_DEPTH {
        deep = sns_in_sqs(&deep);
    }
    for (name, message) in [
        ("no JSON", "hello".to_owned()),
        ("no object", "[1]".to_owned()),
        ("nothing known", r#"{"hello":"world"}"#.to_owned()),
        ("cut", s3(&[record(&[])])[..200].to_owned()),
        ("another major version", s3(&[record(&[("/eventVersion", json!("3.0"))])])),
        ("another service", s3(&[record(&[("/eventSource", json!("aws:ses"))])])),
        ("another service of EventBridge", bridge("aws.ec2", "Object Created")),
        ("a subscription", json!({ "Type": "SubscriptionConfirmation", "Message": "You have chosen" }).to_string()),
        ("a key that is no key", s3(&[record(&[("/s3/object/key", json!("100%"))])])),
        ("an etag of two lines", s3(&[record(&[("/s3/object/eTag", json!("a\nb"))])])),
        ("an etag that is none", s3(&[record(&[("/s3/object/eTag", json!("a\"b"))])])),
        ("no bucket", s3(&[record(&[("/s3/bucket", json!({}))])])),
        ("a good one beside a bad one", s3(&[record(&[]), record(&[("/s3/object", json!({}))])])),
        ("a size that is none", s3(&[record(&[("/s3/object/size", json!("big"))])])),
        ("too deep", deep),
        (
            "too many",
            s3(&vec![
                json!({ "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": { "bucket": { "name": "b" }, "object": { "key": "k" } } });
                MAX_NOTIFICATIONS + 1
            ]),
        ),
    ] {
        assert!(read(&message).is_err(), "{name}");
    }
}

/// What is not understood is told in logs and in an attribute of the buried message.
/// The ledger would refuse it, and whatever is claimed with it.
#[test]
fn what_is_longer_than_s3_has_any_is_not_understood() {
    let key = |length: usize| format!("orders/{}", "k".repeat(length - "orders/".len()));
    for (pointer, most) in [("/s3/object/key", 1_024), ("/s3/object/versionId", 1_000), ("/s3/object/eTag", 1_000)] {
        assert!(read(&s3(&[record(&[(pointer, json!(key(most)))])])).is_ok(), "{pointer}");
        assert!(read(&s3(&[record(&[(pointer, json!(key(most + 1)))])])).is_err(), "{pointer}");
    }
    // Bytes, after it was decoded.
    let decoded = "é".repeat(512);
    assert!(read(&s3(&[record(&[("/s3/object/key", json!(encode_key(&decoded)))])])).is_ok());
    assert!(read(&s3(&[record(&[("/s3/object/key", json!(encode_key(&format!("{decoded}x"))))])])).is_err());
    // EventBridge's may be encoded: then it is too long to be another.
    let bridged = |key: &str| bridge("aws.s3", "Object Created").replace("orders/a+b%20c.json", key);
    let told = read(&bridged(&encode_key(&decoded))).unwrap().notifications.remove(0);
    assert_eq!((told.key, told.other_key), (decoded, None));
    assert!(read(&bridged(&"k".repeat(1_025))).is_err());
}

#[test]
fn an_error_shows_nothing_of_the_message() {
    const SECRET: &str = "patient-4711";
    let with = |pointer: &str, value: serde_json::Value| s3(&[record(&[(pointer, value)])]);
    for message in [
        json!(SECRET).to_string(),
        json!([SECRET]).to_string(),
        json!({ SECRET: 1 }).to_string(),
        json!({ "Records": SECRET }).to_string(),
        json!({ "Type": { "a": SECRET } }).to_string(),
        json!({ "Type": SECRET }).to_string(),
        bridge(SECRET, "Object Created"),
        with("/eventSource", json!(SECRET)),
        with("/eventVersion", json!(SECRET)),
        with("/s3/object", json!(SECRET)),
        with("/s3/object/size", json!(SECRET)),
        with("/s3/object/size", json!({ "a": SECRET })),
        with("/s3/object/key", json!([SECRET])),
        with("/s3/object/key", json!(format!("{SECRET}%"))),
        with("/s3/bucket", json!(SECRET)),
        format!("{SECRET} is no JSON"),
    ] {
        let why = read(&message).expect_err(&message).to_string();
        assert!(!why.contains(SECRET) && why.len() < 300, "{why}");
    }
    let why = read(&with("/s3/object", json!({ "size": 1 }))).expect_err("no key").to_string();
    assert!(why.contains("missing field `key`") && why.contains("column"), "{why}");
}

#[test]
fn sequencers_order_events_of_one_key() {
    let with = |sequencer: &str| Notification { sequencer: Some(sequencer.into()), ..Notification::default() };
    assert!(with("0055AED6DCD90281E6").is_later_than(&with("0055AED6DCD90281E5")));
    assert!(with("0055aed6dcd90281e6").is_later_than(&with("0055AED6DCD90281E5")), "case means nothing");
    // As long as a message allows, which is longer than text can be padded to.
    let long = "0".repeat(70_000);
    assert!(with(&format!("{long}1")).is_later_than(&with("0")) && !with(&long).is_later_than(&with("0")));
    assert!(with("00B").is_later_than(&with("00A1")), "the shorter one is filled on its right");
    assert!(!with("00A").is_later_than(&with("00A0")) && !with("00A0").is_later_than(&with("00A")));
    let at = |time| Notification { event_time: Some(Timestamp(time)), ..Notification::default() };
    assert!(at(2).is_later_than(&at(1)) && !Notification::default().is_later_than(&Notification::default()));
}

proptest! {
    #[test]
    fn what_is_forwarded_comes_back(
        key in "[^/]{1,30}", version in proptest::option::of("[a-z.]{1,9}"), size in proptest::option::of(any::<u64>()),
        seconds in proptest::option::of(0..253_402_300_799_i64),
    ) {
        let event_time = seconds.map(|s| Timestamp(s * 1_000_000));
        let sent = Notification { bucket: "b".into(), key, version_id: version, size, event_time, ..Notification::default() };
        prop_assert_eq!(read(&forward(&sent)).map(|told| told.notifications), Ok(vec![sent]));
    }

    #[test]
    fn no_text_makes_it_panic(text: String) {
        let _ = read(&text);
    }

    #[test]
    fn no_cut_or_changed_message_makes_it_panic(cut in 0..900_usize, byte: u8) {
        for whole in [s3(&[record(&[])]), sns_in_sqs(&s3(&[record(&[])])), bridge("aws.s3", "Object Created")] {
            let mut bytes = whole.into_bytes();
            let at = cut % bytes.len();
            bytes[at] = byte;
            let _ = read(&String::from_utf8_lossy(&bytes));
            let _ = read(&String::from_utf8_lossy(&bytes[..at]));
        }
    }
}
