//! The time that somebody has for reading: a request that outlasts it is given up, so that its caller can still tell what became of it.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::future::{BoxFuture, Either, FutureExt, Shared, select};

use super::Place;
use super::failure::Failure;

/// When reading is over; never, unless it was said.
#[derive(Clone, Default)]
pub(super) struct Over(Option<Shared<BoxFuture<'static, ()>>>);

impl Over {
    /// After this time. Must be called within a runtime.
    pub(super) fn after(time: Duration) -> Self {
        Self(Some(tokio::time::sleep(time).boxed().shared()))
    }

    /// Does a part of the work, as long as there is time.
    pub(super) async fn limit<T>(
        &self,
        place: &Place,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let Some(over) = self.0.clone() else { return work.await };
        match select(pin!(work), over).await {
            Either::Left((done, _)) => done,
            Either::Right(_) => Err(Failure::Other(format!("{place}: no answer in the time that there was"))),
        }
    }
}

impl fmt::Debug for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Over(in time)" } else { "Over(never)" })
    }
}
