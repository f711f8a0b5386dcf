//! What SQS is asked for where messages are to come again, request by request, by the function's own client.
//!
//! The client is made in a process of its own, as it reads the environment; the server is here.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_sqs::config::retry::RetryConfig;
use serde_json::Value;

use super::*;
use crate::receive::Queues;

/// How often a request is sent: what is throttled once is asked for again.
const ATTEMPTS: u32 = 2;

/// Queues by what SQS does with what is asked of them.
const ALL: [&str; 4] = ["well", "partly", "throttled-once", "throttled"];

/// The receipt that SQS knows nothing of, where it does a part.
const UNKNOWN: &str = "receipt-13";

/// Receipts with how long their messages are to wait: three requests, the last of them not full.
fn waits() -> Vec<(String, Duration)> {
    let wait = |at: u64| match at {
        0 => Duration::ZERO,
        1 => Duration::from_millis(5_900),
        // Longer than SQS takes.
        2 => Duration::from_secs(50_000),
        at => Duration::from_secs(10 * at),
    };
    (0..23).map(|at| (format!("receipt-{at}"), wait(at))).collect()
}

/// What SQS is to be told of these.
fn wanted() -> BTreeMap<String, u64> {
    let seconds = |at: u64| match at {
        0 => 0,
        1 => 5,
        2 => 43_200,
        at => 10 * at,
    };
    (0..23).map(|at| (format!("receipt-{at}"), seconds(at))).collect()
}

#[tokio::test]
async fn inside() {
    let Ok(endpoint) = std::env::var(INSIDE) else { return };
    let client = Clients::load().await.unwrap().sqs;
    let retry = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(Duration::from_millis(1));
    let queues =
        SqsQueues::new(aws_sdk_sqs::Client::from_conf(client.config().to_builder().retry_config(retry).build()));
    for name in ALL {
        println!("asked {name}: {:?}", queues.come_again(&format!("{endpoint}/1/{name}"), waits()).await);
    }
}

/// One queue's requests.
#[derive(Default)]
struct Asked {
    /// The receipts of each request, in the order of its entries, with the seconds.
    requests: Vec<Vec<(String, u64)>>,
    others: Vec<String>,
}

impl Asked {
    /// Of each receipt the seconds that it was named with, each time.
    fn by_receipt(&self) -> BTreeMap<String, Vec<u64>> {
        let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        self.requests
            .iter()
            .flatten()
            .for_each(|(receipt, time)| found.entry(receipt.clone()).or_default().push(*time));
        found
    }
}

/// Answers one request as SQS does, and notes it.
fn answer(mut stream: TcpStream, asked: &Mutex<BTreeMap<String, Asked>>) -> std::io::Result<()> {
    let (head, body) = received(&mut stream)?;
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    let queue = told["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default().to_owned();
    let mut asked = asked.lock().unwrap();
    let asked = asked.entry(queue.clone()).or_default();
    if !head.contains("AmazonSQS.ChangeMessageVisibilityBatch") {
        asked.others.push(head);
        return answered(&mut stream, "400 Bad Request", "{}");
    }
    let entries = told["Entries"].as_array().cloned().unwrap_or_default();
    let receipt = |entry: &Value| entry["ReceiptHandle"].as_str().unwrap().to_owned();
    let named: Vec<_> = entries.iter().map(|e| (receipt(e), e["VisibilityTimeout"].as_u64().unwrap())).collect();
    let is_first = !asked.requests.contains(&named);
    asked.requests.push(named);
    if queue == "throttled" || (queue == "throttled-once" && is_first) {
        let told = json!({ "__type": "com.amazonaws.sqs#RequestThrottled", "message": "Slow down." });
        return answered(&mut stream, "400 Bad Request", &told.to_string());
    }
    let fails = |entry: &&Value| queue == "partly" && receipt(entry) == UNKNOWN;
    let (failed, done): (Vec<_>, Vec<_>) = entries.iter().partition(fails);
    let done: Vec<_> = done.iter().map(|entry| json!({ "Id": entry["Id"] })).collect();
    let failed = failed.iter().map(|entry| {
        json!({ "Id": entry["Id"], "Code": "ReceiptHandleIsInvalid", "Message": "It is unknown.", "SenderFault": true })
    });
    let told = json!({ "Successful": done, "Failed": failed.collect::<Vec<_>>() });
    answered(&mut stream, "200 OK", &told.to_string())
}

#[test]
fn messages_come_again_after_their_own_time_as_far_as_sqs_lets_them() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<Mutex<BTreeMap<String, Asked>>> = Arc::default();
    let noted = asked.clone();
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(answer(stream, &noted))));
    let (succeeded, told) = output("lambda::tests::queues::inside", &endpoint);
    assert!(succeeded, "{told}");

    let line = |name: &str| {
        let begin = format!("asked {name}: ");
        told.lines().find_map(|line| line.split_once(&begin)).map(|(_, result)| result.to_owned()).unwrap_or_default()
    };
    assert_eq!((line("well").as_str(), line("throttled-once").as_str()), ("Ok(())", "Ok(())"), "{told}");
    assert!(line("partly").contains("/1/partly: ReceiptHandleIsInvalid It is unknown."), "{told}");
    assert!(line("throttled").contains("/1/throttled: SQS answered RequestThrottled"), "{told}");

    let asked = asked.lock().unwrap();
    assert_eq!(asked.keys().collect::<Vec<_>>(), ["partly", "throttled", "throttled-once", "well"]);
    for (name, tries) in [("well", 1), ("partly", 1), ("throttled-once", 2), ("throttled", ATTEMPTS as usize)] {
        let asked = &asked[name];
        assert_eq!(asked.others, Vec::<String>::new(), "{name}");
        // Each message with its own time, whatever becomes of the others.
        let wanted = wanted().into_iter().map(|(receipt, time)| (receipt, vec![time; tries])).collect();
        assert_eq!(asked.by_receipt(), wanted, "{name}");
        let mut sizes: Vec<_> = asked.requests.iter().map(Vec::len).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [vec![3; tries], vec![10; tries], vec![10; tries]].concat(), "{name}");
    }
}
