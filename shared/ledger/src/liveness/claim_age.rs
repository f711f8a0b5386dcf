//! Where processes share no machine: a claim is old when its time has passed, and nobody can read what its holder did.

use std::time::Duration;

use drops::{BatchId, Timestamp};

use super::{Activity, Holder, Liveness, Suspect};

/// Takes a holder for dead when its claim is older than the claim time: longer than any invocation may run.
#[derive(Clone, Copy, Debug)]
pub struct ClaimAge {
    claim_time: Duration,
}

impl ClaimAge {
    /// The claim time must exceed the time-out of every function that claims.
    pub fn new(claim_time: Duration) -> Self {
        Self { claim_time }
    }
}

impl Liveness for ClaimAge {
    fn is_dead(&self, _holder: &str, claimed_at: Timestamp, now: Timestamp) -> bool {
        u128::from(now.microseconds_since(claimed_at)) > self.claim_time.as_micros()
    }

    /// An invocation leaves no note, so each drop of its batch may have ended it.
    fn suspect(&self, _holder: &str, _batch: BatchId) -> Suspect {
        Suspect::Any
    }
}

/// One invocation of a function, by its request id. It shares no disk with the others, so it notes nothing.
#[derive(Clone, Debug)]
pub struct Invocation {
    name: String,
}

impl Invocation {
    /// The invocation with this request id.
    pub fn new(request_id: String) -> Self {
        Self { name: request_id }
    }
}

impl Holder for Invocation {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin(&self, _slot: usize, _batch: BatchId, _activity: Activity) {}

    fn idle(&self, _slot: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_old_only_after_its_time() {
        let age = ClaimAge::new(Duration::from_secs(180));
        let at = |seconds: i64| Timestamp(seconds * 1_000_000);
        assert!(!age.is_dead("x", at(100), at(280)));
        assert!(age.is_dead("x", at(100), Timestamp(280_000_001)));
        // A clock that is behind the claim's says nothing.
        assert!(!age.is_dead("x", at(1_000), at(0)));
    }
}
