//! How long there is to work. A Lambda invocation ends at its deadline whatever it does: what cannot be finished is not begun, and a merge
//! that is under way is given up in time to leave nothing behind. Nothing is lost either way; the next invocation goes on.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use runtime::Clock;

/// A moment until which work may go on.
#[derive(Clone, Default)]
pub struct Until {
    end: Option<(Arc<dyn Clock>, Duration)>,
    /// Keeps the lease while a merge is under way; false if it is another's.
    keep: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl Until {
    /// No end.
    pub fn never() -> Self {
        Self::default()
    }

    /// Until the clock's monotonic time is `end`. Choose it before the process's own end: a commit and its settling are not given up.
    pub fn at(clock: Arc<dyn Clock>, end: Duration) -> Self {
        Self { end: Some((clock, end)), keep: None }
    }

    /// The same for merges that keep a lease.
    pub(crate) fn keeping(&self, keep: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { keep: Some(Arc::new(keep)), ..self.clone() }
    }

    /// The time that is left; `None` if there is no end.
    pub fn left(&self) -> Option<Duration> {
        self.end.as_ref().map(|(clock, end)| end.saturating_sub(clock.monotonic()))
    }

    /// Whether no time is left.
    pub fn is_over(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// Whether a merge is to be given up. For the thread that merges: it may wait for the ledger.
    pub(crate) fn stops_merge(&self) -> bool {
        self.is_over() || self.keep.as_ref().is_some_and(|keep| !keep())
    }

    /// How many bytes of runs can be merged in the time that is left.
    pub(crate) fn bytes(&self) -> u64 {
        let Some(left) = self.left() else { return u64::MAX };
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX).saturating_mul(BYTES_PER_SECOND / 1000)
    }
}

/// What a merge does at the least, in bytes of runs per second: an eighth of what one core does of small rows with many columns.
const BYTES_PER_SECOND: u64 = 4 << 20;

impl fmt::Debug for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Until").field("left", &self.left()).finish()
    }
}
