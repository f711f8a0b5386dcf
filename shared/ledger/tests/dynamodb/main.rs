//! The ledger in DynamoDB, against DynamoDB Local, whose address is in `LITHIFY_DYNAMODB`: `cargo xtask test` starts it.
//!
//! * [`faults`]: requests that get lost, answers that get lost, refusals, what is late: nothing comes out wrong
//! * [`history`]: scripted histories, the same ones on the embedded ledger as the model
//! * [`requests`]: how many requests each call costs
//! * [`failures`]: what a user is told
//! * [`proxy`]: stands between the ledger and the server, counts requests and makes the faults

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod failures;
mod faults;
mod history;
mod proxy;
mod requests;

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use ledger::DynamoLedger;

/// Where DynamoDB Local answers.
fn endpoint() -> String {
    std::env::var("LITHIFY_DYNAMODB").unwrap_or_else(|_| {
        panic!(
            "LITHIFY_DYNAMODB is not set: it names a DynamoDB Local (http://127.0.0.1:PORT); `cargo xtask test` starts \
             one and runs these tests"
        )
    })
}

fn settings(endpoint: &str) -> aws_sdk_dynamodb::config::Builder {
    aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("lithify", "lithify", None, None, "tests"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
}

fn client(endpoint: &str) -> Client {
    Client::from_conf(settings(endpoint).build())
}

/// Makes a table and gives its name: no other in this run or one at the same time has it.
async fn new_table() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let name = format!("ledger-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    ledger::create_table(&client(&endpoint()), &name).await.unwrap();
    name
}

/// A ledger in a new table that is spoken to at this address.
async fn ledger_at(address: &str) -> DynamoLedger {
    DynamoLedger::new(client(address), new_table().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_the_contract() {
    let server = endpoint();
    ledger::conformance::all(|| ledger_at(&server)).await;
}
