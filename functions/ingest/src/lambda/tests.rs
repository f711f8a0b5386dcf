//! No credential is in a log: the function's own clients, with credentials from the environment, before AWS that refuses and AWS that is dead.
//!
//! The function runs in a process of its own, whose whole output is read. That the credentials were in use is seen by the server, which
//! gets the key's id and the session's token with each request, and names the id in its refusals as AWS does.

mod queues;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use drops::notification::{Notification, forward};
use lambda_runtime::{Context, LambdaEvent};
use ledger::{EmbeddedLedger, Ledger, PipelineSettings};
use runtime::telemetry;
use serde_json::json;
use tokio::runtime::Handle;

use super::*;
use crate::Schemas;
use crate::receive::{Budget, Lane, Lanes, Loader};

/// The variables that hold credentials, and what they hold here.
const CREDENTIALS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIACREDENTIAL0815"),
    ("AWS_SECRET_ACCESS_KEY", "secret-CREDENTIAL-0815"),
    ("AWS_SESSION_TOKEN", "token-CREDENTIAL-0815"),
];

/// What is in each of them.
const MARK: &str = "CREDENTIAL";

/// Names the endpoint, in the process that logs.
const INSIDE: &str = "LITHIFY_TEST_ENDPOINT";

/// A function whose settings can be read while nothing else can.
struct Given(Arc<Lanes>);

#[async_trait]
impl crate::receive::Loader for Given {
    async fn load(&self) -> Result<Arc<Lanes>, String> {
        Ok(self.0.clone())
    }
}

fn event() -> String {
    let object = Notification {
        bucket: "vendor".into(),
        key: "orders/a.json".into(),
        etag: Some("9a0364b9e99bb480dd25e1f0284c8555".into()),
        size: Some(7),
        event_time: Some(Timestamp(1_600_000_000_000_000)),
        ..Notification::default()
    };
    let record = |id: &str, body: String| {
        json!({ "messageId": id, "receiptHandle": id, "body": body, "attributes": { "ApproximateReceiveCount": "1" },
            "messageAttributes": {}, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-central-1:1:lithify" })
    };
    json!({ "Records": [record("m1", forward(&object)), record("m2", "not understood".to_owned())] }).to_string()
}

/// The function as Lambda starts it, and beside it the same with a ledger that answers, so that S3 and SQS are asked as well.
#[tokio::test]
async fn inside() {
    let Ok(endpoint) = std::env::var(INSIDE) else { return };
    telemetry::log(Some("trace"));
    tokio::join!(as_a_whole(), with_a_ledger(&endpoint));
}

async fn as_a_whole() {
    let function = Function::default();
    function.warm().await;
    let mut context = Context::default();
    context.deadline = 4_000_000_000_000;
    let payload = serde_json::value::RawValue::from_string(event()).unwrap();
    let answer = function.handle(LambdaEvent::new(payload, context)).await;
    println!("as a whole: {:?}", answer.map(|answer| answer.batch_item_failures.len()));
}

async fn with_a_ledger(endpoint: &str) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(EmbeddedLedger::open(&folder.path().join("ledger.db"), "one".into()).unwrap());
    let clients = Clients::load().await.unwrap();
    let settings = super::settings::checked(&object(endpoint), "settings").unwrap();
    let source = Arc::new(S3Source::new(clients.s3.clone(), 1, 1 << 20));
    let pipeline = settings.pipelines.into_iter().next().unwrap();
    ledger.add_schema(&pipeline.table, 1, "{\"fields\":[]}").await.unwrap();
    let fixed = PipelineSettings {
        source: pipeline.source.clone(),
        identity_holds_version: false,
        ledger: ledger.identity().await.unwrap(),
        table_id: "t".into(),
        table: Some(pipeline.table.clone()),
        at: Timestamp(0),
    };
    ledger.fix_settings(&pipeline.name, &fixed).await.unwrap();
    let state = Arc::new(store::S3Store::new(clients.s3.clone(), "lake", "orders/_lithify/", Handle::current()));
    let schemas = Arc::new(Schemas::new(ledger.clone(), pipeline.table.clone(), pipeline.schema_hints.clone()));
    let lane = Arc::new(Lane::new(pipeline, source.clone(), source, state, schemas));
    let lanes = Lanes::new(ledger, settings.aws.unwrap().queues.unwrap(), vec![lane]);
    let own =
        ReceiverSettings { claim_time: std::time::Duration::from_secs(960), is_large: false, budget: Budget::of(None) };
    let loader: Arc<dyn Loader> = Arc::new(Given(Arc::new(lanes)));
    let queues = Arc::new(SqsQueues::new(clients.sqs.clone()));
    let receiver = Receiver::new(loader, queues, Arc::new(SystemClock::new()), Arc::new(SystemEntropy), own);
    let told = Call { request_id: "one".into(), deadline: Timestamp(4_000_000_000_000_000) };
    let answer = receiver.receive(&event(), &told, &mut Metrics::default()).await;
    println!("with a ledger: {:?}", answer.map(|answer| answer.batch_item_failures.len()));
}

/// The settings object.
fn object(endpoint: &str) -> String {
    json!({
        "ledger": "dynamodb://ledger", "queue": format!("{endpoint}/1/q"), "large_queue": format!("{endpoint}/1/large"),
        "dead_letter_queue": format!("{endpoint}/1/dead"),
        "pipelines": [{ "name": "orders", "source": "s3://vendor/orders/", "table": "s3://lake/orders" }],
    })
    .to_string()
}

/// The head and the body of one request.
fn received(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let (mut head, mut byte) = (Vec::new(), [0_u8; 1]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? > 0 {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok((head, body))
}

fn answered(stream: &mut TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// Answers one request: with the settings where they are asked for, else by refusing.
fn answer(mut stream: TcpStream, endpoint: &str) -> std::io::Result<bool> {
    let (head, _) = received(&mut stream)?;
    let id = CREDENTIALS[0].1;
    let (status, body) = if head.contains("/settings/object") {
        ("200 OK", object(endpoint))
    } else if head.to_lowercase().contains("x-amz-target") {
        // DynamoDB and SQS repeat what the request should have been signed with, the session's token included.
        let signed = format!("'POST\n/\n\nhost:x\nx-amz-security-token:{}\n'", CREDENTIALS[2].1);
        let told = format!(
            "The signature does not match.\n\nThe Canonical String for this request should have been\n{signed}"
        );
        let kind = "com.amazon.coral.service#InvalidSignatureException";
        ("400 Bad Request", json!({ "__type": kind, "message": told }).to_string())
    } else {
        let told = "The AWS Access Key Id you provided does not exist in our records.";
        let error =
            format!("<Code>InvalidAccessKeyId</Code><Message>{told}</Message><AWSAccessKeyId>{id}</AWSAccessKeyId>");
        ("403 Forbidden", format!("<?xml version=\"1.0\"?><Error>{error}<RequestId>1</RequestId></Error>"))
    };
    answered(&mut stream, status, &body)?;
    Ok(CREDENTIALS.iter().filter(|(name, _)| !name.contains("SECRET")).all(|(_, value)| head.contains(value)))
}

/// Runs one of the tests in a process of its own. Gives whether it succeeded, and all that it said.
fn output(test: &str, endpoint: &str) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).envs(CREDENTIALS).env(INSIDE, endpoint);
    command
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_REGION", "eu-central-1")
        .env("LITHIFY_SETTINGS", "s3://settings/object");
    command.env("RUST_BACKTRACE", "0").env_remove("AWS_PROFILE").env_remove("AWS_ENDPOINT_URL_S3");
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

fn logged(endpoint: &str) -> String {
    let (succeeded, told) = output("lambda::tests::inside", endpoint);
    assert!(succeeded && told.contains("as a whole:") && told.contains("with a ledger: Ok"), "{told}");
    let found: Vec<&str> = told.lines().filter(|line| line.contains(MARK)).collect();
    assert!(found.is_empty(), "a credential is in the log:\n{}", found.join("\n"));
    told
}

#[test]
fn logs_hold_no_credential_when_aws_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (signed, own) = (Arc::new(AtomicUsize::new(0)), endpoint.clone());
    let counted = signed.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            counted.fetch_add(usize::from(answer(stream, &own).unwrap_or(false)), Ordering::Relaxed);
        }
    });
    let told = logged(&endpoint);
    assert!(signed.load(Ordering::Relaxed) >= 4, "the credentials of the environment were not in use:\n{told}");
    // Of the ledger, of S3 and of SQS.
    for word in ["InvalidSignatureException", "InvalidAccessKeyId", "the dead-letter queue did not accept it"] {
        assert!(
            told.lines().any(|line| line.contains("\"level\"") && line.contains(word)),
            "nothing of {word}:\n{told}"
        );
    }
}

#[test]
fn logs_hold_no_credential_when_aws_is_dead() {
    // A port that nobody listens on any more.
    let endpoint = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let told = logged(&endpoint);
    for word in ["not ready yet", "the invocation failed", "left out, to come again"] {
        assert!(
            told.lines().any(|line| line.contains("\"level\"") && line.contains(word)),
            "nothing of {word}:\n{told}"
        );
    }
}
