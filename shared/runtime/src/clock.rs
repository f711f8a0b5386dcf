use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    pin::Pin,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use drops::{BatchId, Timestamp};

/// The time, as a parameter: a test replays what it saw.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;
    /// Time that only grows, since some fixed moment: for measuring, never for deciding.
    fn monotonic(&self) -> Duration;
    /// Waits before something is tried again.
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// Randomness, as a parameter.
pub trait Entropy: Send + Sync {
    /// 128 random bits.
    fn bits(&self) -> u128;

    /// A new batch id.
    fn batch_id(&self, now: Timestamp) -> BatchId {
        BatchId::from_parts(now.milliseconds(), self.bits())
    }
}

/// The machine's clock.
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// The process's randomness: the standard library's hash keys, which the operating system seeds.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn bits(&self) -> u128 {
        let half = || u128::from(RandomState::new().hash_one(0_u8));
        half() << 64 | half()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_ids_differ_and_carry_the_time() {
        let now = SystemClock::new().now();
        let (a, b) = (SystemEntropy.batch_id(now), SystemEntropy.batch_id(now));
        assert_ne!(a, b);
        assert_eq!(a.milliseconds(), now.milliseconds());
    }
}
