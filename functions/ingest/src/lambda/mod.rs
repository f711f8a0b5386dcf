//! The Lambda function: AWS's services behind [`crate::receive`]. Everything here is wiring; what is decided is decided there.

mod environment;
mod settings;
mod sqs;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lambda_events::event::sqs::SqsBatchResponse;
use drops::{DropId, DroppedObject, Timestamp};
use lambda_runtime::{Diagnostic, LambdaEvent};
use runtime::aws::Clients;
use runtime::telemetry::Metrics;
use runtime::{Clock, SystemClock, SystemEntropy};
use serde_json::value::RawValue;
use store::{ReadError, S3Source};
use tokio::sync::OnceCell;

pub use environment::Environment;

use crate::receive::{Call, Heads, Receiver, ReceiverSettings};
use settings::SettingsObject;
use sqs::SqsQueues;

/// The function's process: started at once, ready when its clients are made and its settings read.
#[derive(Default)]
pub struct Function {
    ready: OnceCell<Ready>,
}

struct Ready {
    receiver: Receiver,
    clients: Clients,
    clock: Arc<dyn Clock>,
}

impl Function {
    /// Gets ready while nothing has come yet. What goes wrong is told by the first invocation, which tries again.
    pub async fn warm(&self) {
        if let Err(e) = self.ready.get_or_try_init(Ready::load).await {
            tracing::warn!(error = %e, "not ready yet");
        }
    }

    /// One invocation. Its metrics are written whatever becomes of it.
    ///
    /// # Errors
    /// It failed as a whole: settings that are wrong (all faults at once), or an event without a queue that is not final.
    pub async fn handle(&self, event: LambdaEvent<Box<RawValue>>) -> Result<SqsBatchResponse, Diagnostic> {
        let ready = self.ready.get_or_try_init(Ready::load).await.map_err(|e| failed("NotReady", &e))?;
        let told = Call {
            request_id: event.context.request_id,
            deadline: Timestamp(i64::try_from(event.context.deadline).unwrap_or(i64::MAX).saturating_mul(1_000)),
        };
        let mut metrics = Metrics::default();
        let answer = ready.receiver.receive(event.payload.get(), &told, &mut metrics).await;
        metrics.requests(ready.clients.requests.take());
        if let Err(e) = metrics.flush(ready.clock.now(), &mut std::io::stdout().lock()) {
            tracing::warn!(error = %e, "metrics were not written");
        }
        answer.map_err(|e| failed("NotReceived", &e.to_string()))
    }
}

/// What Lambda shows of a failed invocation.
fn failed(error_type: &str, error: &str) -> Diagnostic {
    tracing::error!(error, "the invocation failed");
    Diagnostic { error_type: error_type.to_owned(), error_message: error.to_owned() }
}

impl Ready {
    async fn load() -> Result<Self, String> {
        let environment = Environment::read(&|name| std::env::var(name).ok())?;
        let clients = Clients::load().await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let loader = SettingsObject::new(clients.clone(), environment.settings, environment.budget);
        let receiver = Receiver::new(
            Arc::new(loader),
            Arc::new(SqsQueues::new(clients.sqs.clone())),
            clock.clone(),
            Arc::new(SystemEntropy),
            ReceiverSettings {
                claim_time: environment.claim_time,
                is_large: environment.is_large,
                budget: environment.budget,
            },
        );
        receiver.warm().await.map_err(|e| e.to_string())?;
        Ok(Self { receiver, clients, clock })
    }
}

#[async_trait]
impl Heads for S3Source {
    async fn head(&self, id: &DropId) -> Result<Option<DroppedObject>, ReadError> {
        Self::head(self, id).await
    }

    fn within(&self, time: Duration) -> Option<Arc<dyn Heads>> {
        Some(Arc::new(self.in_time(time)))
    }
}
