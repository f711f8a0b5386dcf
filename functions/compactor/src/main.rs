//! The Lambda function `compactor`: binds the flow of an invocation to Lambda's runtime. Everything else is in the library.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use compactor::Until;
use compactor::function::aws::Context;
use compactor::function::{Request, invoke};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use runtime::telemetry::{self, Metrics};
use runtime::{Clock, SystemClock};
use serde_json::Value;
use tokio::sync::OnceCell;

/// What is kept back of an invocation's time for what is not given up: a commit, its settling, the answer.
const MARGIN_MIN: Duration = Duration::from_secs(15);
/// More than this is never needed for that.
const MARGIN_MAX: Duration = Duration::from_secs(90);

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::log(std::env::var("LITHIFY_LOG").ok().as_deref());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    // Made by the first event, so that a failure is that invocation's, in full; tried again by the next one.
    let context: OnceCell<Context> = OnceCell::new();
    lambda_runtime::run(service_fn(|event| handle(&context, &clock, event))).await
}

/// One invocation.
async fn handle(
    context: &OnceCell<Context>,
    clock: &Arc<dyn Clock>,
    event: LambdaEvent<Value>,
) -> Result<Value, Diagnostic> {
    let context = context.get_or_try_init(|| Context::load(clock.clone())).await;
    let context = context.map_err(|error| failed("Settings", &error))?;
    let request = Request::parse(&event.payload, &context.names()).map_err(|error| failed("Event", &error))?;
    let left = Duration::from_millis(event.context.deadline.saturating_sub(clock.now().milliseconds()));
    let margin = (left / 10).clamp(MARGIN_MIN, MARGIN_MAX);
    let until = Until::at(clock.clone(), clock.monotonic() + left.saturating_sub(margin));
    let jobs = context.jobs(&event.context.request_id, left);
    let mut metrics = Metrics::default();
    let answer = invoke(&jobs, &request, &until, clock.as_ref(), &mut metrics).await;
    metrics.requests(context.clients.requests.take());
    if let Err(error) = metrics.flush(clock.now(), &mut io::stdout().lock()) {
        tracing::warn!(%error, "metrics were not written");
    }
    match answer.failure() {
        Some(failure) => Err(failed("Compaction", &failure)),
        None => serde_json::to_value(&answer).map_err(|error| failed("Answer", &error)),
    }
}

/// How Lambda tells of a failed invocation: what failed, and all that is known of it.
fn failed(what: &str, reason: &dyn ToString) -> Diagnostic {
    let error_message = reason.to_string();
    tracing::error!(what, reason = error_message, "the invocation failed");
    Diagnostic { error_type: what.to_owned(), error_message }
}
