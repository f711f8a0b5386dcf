//! The world's time and a process's own randomness.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use drops::Timestamp;
use runtime::{Clock, Entropy};

use crate::port::Port;

/// The world's clock, as a process sees it.
pub struct SimClock(pub Arc<Port>);

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.world.scheduler.now())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.world.scheduler.now()).unwrap_or(0))
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move { self.0.sleep(time) })
    }
}

/// A process's randomness.
pub struct SimEntropy(pub Arc<Port>);

impl Entropy for SimEntropy {
    fn bits(&self) -> u128 {
        self.0.bits()
    }
}
