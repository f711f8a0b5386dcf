use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Counts requests by service and operation, each attempt for itself: that is what AWS bills and throttles.
#[derive(Clone, Debug, Default)]
pub struct Requests(Arc<Mutex<BTreeMap<(String, String), u64>>>);

impl Requests {
    /// Counts a request that another client sends.
    pub fn sent(&self, service: &str, operation: &str) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *sent.entry((service.to_owned(), operation.to_owned())).or_default() += 1;
    }

    /// What was sent since this was last called: ((service, operation), how often), by name.
    pub fn take(&self) -> Vec<((String, String), u64)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }
}

#[dyn_dispatch_hint]
impl Intercept for Requests {
    fn name(&self) -> &'static str {
        "Requests"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(metadata) = config.load::<Metadata>() {
            self.sent(metadata.service(), metadata.name());
        }
        Ok(())
    }
}
