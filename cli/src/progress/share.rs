//! One pipeline's share in the counters of a run, so that what a failed one leaves unfinished can be taken out of them.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Counts;

/// The counters, and what of them this pipeline has found and is not done with. Whatever is no drop goes to the counters by themselves.
#[derive(Debug)]
pub struct Share {
    counts: Arc<Counts>,
    drops: AtomicU64,
    bytes: AtomicU64,
}

impl Share {
    /// A share in these counters.
    pub fn new(counts: Arc<Counts>) -> Self {
        Self { counts, drops: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// See [`Counts::found`].
    pub fn found(&self, drops: u64, bytes: u64) {
        self.drops.fetch_add(drops, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        self.counts.found(drops, bytes);
    }

    /// See [`Counts::lost`].
    pub fn lost(&self, drops: u64, bytes: u64) {
        self.take(drops, bytes);
        self.counts.lost(drops, bytes);
    }

    /// See [`Counts::done`].
    pub fn done(&self, drops: u64, bytes: u64, rows: u64) {
        self.take(drops, bytes);
        self.counts.done(drops, bytes, rows);
    }

    /// Nothing more is done: what was found and is not done with is found no more.
    pub fn end(&self) {
        self.counts.lost(self.drops.swap(0, Relaxed), self.bytes.swap(0, Relaxed));
    }

    fn take(&self, drops: u64, bytes: u64) {
        for (of, less) in [(&self.drops, drops), (&self.bytes, bytes)] {
            // It is never refused.
            let _ = of.fetch_update(Relaxed, Relaxed, |count| Some(count.saturating_sub(less)));
        }
    }
}

impl Deref for Share {
    type Target = Counts;

    fn deref(&self) -> &Counts {
        &self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_that_ended_left_unfinished_is_found_no_more() {
        let counts = Arc::<Counts>::default();
        let (failed, other) = (Share::new(counts.clone()), Share::new(counts.clone()));
        failed.found(10, 1_000);
        other.found(5, 50);
        failed.done(3, 300, 30);
        failed.lost(1, 100);
        failed.end();
        failed.end();
        other.done(2, 20, 2);
        let seen = counts.snapshot();
        assert_eq!((seen.found_drops, seen.done_drops), (3 + 5, 3 + 2));
        assert_eq!((seen.found_bytes, seen.done_bytes, seen.rows), (300 + 50, 300 + 20, 32));
    }
}
