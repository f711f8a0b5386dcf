//! The ingest function as Lambda starts it.

use std::sync::Arc;

use ingest::lambda::Function;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    runtime::telemetry::log(std::env::var("LITHIFY_LOG").ok().as_deref());
    let function = Arc::new(Function::default());
    // Lambda waits for the first request for an event, not for the clients: they are made meanwhile.
    let warming = function.clone();
    tokio::spawn(async move { warming.warm().await });
    let handle = move |event: LambdaEvent<Box<RawValue>>| {
        let function = function.clone();
        async move { function.handle(event).await }
    };
    lambda_runtime::run(service_fn(handle)).await
}
