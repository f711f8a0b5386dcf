//! No cell of a row and no credential is in a log of the function, whatever goes wrong and however much is logged.
//!
//! Each runs in a process of its own, whose whole output is read. For rows: what drops hold is marked, and no mark may be there. For
//! credentials: the function's own clients, with credentials from the environment, before AWS that refuses and AWS that is dead. That they
//! were in use is seen by the server, which gets the key's id and the session's token with each request, and names the id in its refusals
//! as AWS does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod place;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema};
use compactor::function::aws::Context;
use compactor::function::{Job, Opened, Request, invoke};
use compactor::{Coming, Compactor, CompactorSettings, Until};
use decode::schema::TableSchema;
use lake::{DeltaLake, Lake, S3Config};
use place::Place;
use place::lakes::Fault;
use runs::{ClusterKey, Order};
use runtime::aws::Clients;
use runtime::telemetry::{self, Metrics};
use runtime::{Clock, SystemClock};
use serde_json::json;
use store::S3Store;
use tokio::runtime::Handle;

/// What every cell here holds.
const CELL: &str = "CELL-4711";

/// The variables that hold credentials, and what they hold here.
const CREDENTIALS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIACREDENTIAL0815"),
    ("AWS_SECRET_ACCESS_KEY", "secret-CREDENTIAL-0815"),
    ("AWS_SESSION_TOKEN", "token-CREDENTIAL-0815"),
];

/// What is in each of them.
const CREDENTIAL: &str = "CREDENTIAL";

/// Set in the processes that log: to what AWS's endpoint is, where there is one.
const INSIDE: &str = "LITHIFY_TEST_LOGS";

/// One invocation with this compactor. Gives whether it failed.
async fn invoked(compactor: Compactor, upkeep: bool) -> bool {
    let job = Job {
        pipeline: "p".to_owned(),
        table: "table".to_owned(),
        compactor,
        first: TableSchema::default(),
        opened: Opened::default(),
    };
    let request = Request { pipelines: None, upkeep, open: false };
    let (clock, mut metrics) = (SystemClock::new(), Metrics::default());
    let answer = invoke(&[job], &request, &Until::never(), &clock, &mut metrics).await;
    metrics.flush(clock.now(), &mut std::io::stdout().lock()).unwrap();
    answer.failure().is_some()
}

fn due(place: &Place) -> CompactorSettings {
    CompactorSettings { coming: Coming::Any, longest_delay: Duration::ZERO, ..place.settings() }
}

/// Commits, lost answers, refusals, others' types and columns, damaged files, upkeep: over rows whose every cell is marked.
#[tokio::test(flavor = "multi_thread")]
async fn inside_rows() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    telemetry::log(Some("trace"));
    let mut place = Place::new();
    place.order = Order { partition_columns: vec![], cluster_key: ClusterKey::Sort(vec!["a".to_owned()]) };
    place.small_files = 4;
    let row =
        |n: u32| format!("{{\"a\":\"{CELL}-{n}\",\"b\":{{\"c\":\"{CELL}\"}},\"d\":[\"{CELL}\"]}}\n{{\"{CELL}\n[]\n");
    let mut failures = 0;
    for n in 0..12 {
        place.drop_file(n, &row(n));
        place.ingest().await;
        match n {
            2 => place.lake.fault(Fault::LoseAnswer, 3),
            3 => place.lake.fault(Fault::Refuse, 1),
            4 => place.audit.fault(Fault::FailBefore, 30),
            // Others make numbers of the texts, so that every cell is rescued.
            6 => {
                let head = place.lake.head(&[]).await.unwrap().unwrap();
                let number = |field: &Arc<Field>| match field.name().as_str() {
                    "a" | "d" => Field::new(field.name(), DataType::Int64, true),
                    _ => field.as_ref().clone(),
                };
                let theirs: Vec<Field> = head.schema.fields().iter().map(number).collect();
                place.change_schema(Schema::new(theirs).into());
            }
            _ => {}
        }
        failures += u32::from(invoked(place.compactor_of_settings(due(&place)), n == 11).await);
        place.audit.fault(Fault::FailBefore, 0);
    }
    assert!(failures >= 2, "{failures} invocations failed");
    // A run that is damaged, and one that is gone.
    for (n, damage) in [(20, true), (21, false)] {
        place.drop_file(n, &row(n));
        place.ingest().await;
        let run = place.passing_files().into_iter().find(|file| file.ends_with(".parquet")).unwrap();
        place.spoil(&run, damage.then_some(format!("PAR1{CELL}PAR1").as_str()));
        assert!(invoked(place.compactor_of_settings(due(&place)), false).await, "{run}");
    }
    println!("the flow is through");
}

/// The function as Lambda starts it, and the same with a ledger that answers, so that the table's log and its files are asked as well.
#[tokio::test(flavor = "multi_thread")]
async fn inside_aws() {
    let Some(endpoint) = std::env::var(INSIDE).ok().filter(|endpoint| endpoint.starts_with("http")) else { return };
    telemetry::log(Some("trace"));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    match Context::load(clock.clone()).await {
        // As the function's main tells it.
        Err(error) => tracing::error!(what = "Settings", reason = %error, "the invocation failed"),
        Ok(context) => {
            let jobs = context.jobs("one", Duration::from_secs(60));
            let mut metrics = Metrics::default();
            let answer = invoke(&jobs, &Request::default(), &Until::never(), clock.as_ref(), &mut metrics).await;
            tracing::error!(what = "Compaction", reason = answer.failure().unwrap(), "the invocation failed");
        }
    }
    let clients = Clients::load().await.unwrap();
    let place = Place::new();
    place.drop_files(0..2).await;
    place.ingest().await;
    let config = S3Config { address: format!("{endpoint}/lake"), region: None, credentials: None, requests: None };
    let log: Arc<dyn Lake> = Arc::new(DeltaLake::s3("lake", "orders", &config).unwrap());
    let files = || Arc::new(S3Store::new(clients.s3.clone(), "lake", "orders", Handle::current()));
    let without_log = place.compactor_with(|parts| parts.lake = log.clone());
    let without_files = place.compactor_with(|parts| (parts.table_store, parts.state) = (files(), files()));
    for compactor in [without_log, without_files] {
        let error = compactor.compact(compactor::Trigger::Now).await.unwrap_err();
        tracing::error!(what = "Compaction", reason = %error, "the invocation failed");
    }
    println!("the flow is through");
}

/// What a process says that runs one of the above.
fn logged(test: &str, endpoint: &str) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).envs(CREDENTIALS).env(INSIDE, endpoint).env("RUST_BACKTRACE", "0");
    command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", "eu-central-1");
    command.env("LITHIFY_SETTINGS", "s3://settings/object").env_remove("AWS_PROFILE").env_remove("AWS_ENDPOINT_URL_S3");
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && told.contains("the flow is through"), "{told}");
    for mark in [CELL, CREDENTIAL] {
        let found: Vec<&str> = told.lines().filter(|line| line.contains(mark)).collect();
        assert!(found.is_empty(), "{mark} is in the log:\n{}", found.join("\n"));
    }
    told
}

fn says(told: &str, words: &[&str]) {
    for word in words {
        let found = told.lines().any(|line| line.contains("\"level\"") && line.contains(word));
        assert!(found, "nothing is logged of {word}:\n{told}");
    }
}

#[test]
fn logs_hold_no_cell_of_a_row() {
    let told = logged("inside_rows", "inside");
    says(&told, &["\"committed\"", "the pipeline was not compacted", "small files", "\"INFO\"", "\"ERROR\""]);
}

/// Answers one request: with the settings where they are asked for, else by refusing.
fn answer(mut stream: TcpStream) -> std::io::Result<bool> {
    let (mut head, mut byte) = (Vec::new(), [0_u8; 1]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? > 0 {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    stream.read_exact(&mut vec![0; length.unwrap_or(0)])?;
    let (status, body) = if head.contains("/settings/object") {
        let pipeline = json!({ "name": "orders", "source": "s3://vendor/orders/", "table": "s3://lake/orders" });
        let queue = "https://sqs.eu-central-1.amazonaws.com/1/q";
        ("200 OK", json!({ "ledger": "dynamodb://ledger", "queue": queue, "pipelines": [pipeline] }).to_string())
    } else if lower.contains("x-amz-target") {
        // DynamoDB repeats what the request should have been signed with, the session's token included.
        let signed = format!("'POST\n/\n\nhost:x\nx-amz-security-token:{}\n'", CREDENTIALS[2].1);
        let told = format!(
            "The signature does not match.\n\nThe Canonical String for this request should have been\n{signed}"
        );
        let kind = "com.amazon.coral.service#InvalidSignatureException";
        ("400 Bad Request", json!({ "__type": kind, "message": told }).to_string())
    } else {
        let told = "The AWS Access Key Id you provided does not exist in our records.";
        let key = CREDENTIALS[0].1;
        let error =
            format!("<Code>InvalidAccessKeyId</Code><Message>{told}</Message><AWSAccessKeyId>{key}</AWSAccessKeyId>");
        ("403 Forbidden", format!("<?xml version=\"1.0\"?><Error>{error}</Error>"))
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")?;
    Ok(CREDENTIALS.iter().filter(|(name, _)| !name.contains("SECRET")).all(|(_, value)| head.contains(value)))
}

#[test]
fn logs_hold_no_credential_when_aws_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let signed = Arc::new(AtomicUsize::new(0));
    let counted = signed.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            counted.fetch_add(usize::from(answer(stream).unwrap_or(false)), Ordering::Relaxed);
        }
    });
    let told = logged("inside_aws", &endpoint);
    assert!(signed.load(Ordering::Relaxed) >= 4, "the credentials of the environment were not in use:\n{told}");
    says(
        &told,
        &["InvalidSignatureException", "InvalidAccessKeyId", "the pipeline was not compacted", "the invocation failed"],
    );
}

#[test]
fn logs_hold_no_credential_when_aws_is_dead() {
    // A port that nobody listens on any more.
    let endpoint = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    says(&logged("inside_aws", &endpoint), &["the settings object", "the invocation failed"]);
}
