//! Whether the holder of a claim still lives, and which drop can have killed it.
//!
//! On one machine each process holds an OS lock that its claims name ([`ProcessLocks`]): when the process dies, however that
//! happens, the lock is free, and its claims are old at once. Where processes share no machine, a claim's age is all there is to
//! judge by; that is why [`Liveness::is_dead`] is given the times. Being wrong costs work, never rows: whoever is judged dead and
//! lives finds its batch aborted when it seals.

use std::fmt::{self, Write};

use drops::{BatchId, DropId, Timestamp};

mod claim_age;
mod process_locks;
mod slots;

#[cfg(test)]
mod tests;

pub use claim_age::{ClaimAge, Invocation};
pub use process_locks::{LivenessError, ProcessLock, ProcessLocks};
pub use slots::Activity;

/// Who works: named in claims, and saying, where others can read it, what a death could be blamed on.
pub trait Holder: Send + Sync {
    /// The name that its claims carry.
    fn name(&self) -> &str;

    /// Notes what the worker with this slot begins to do for a batch. Slots are numbered from 0.
    fn begin(&self, slot: usize, batch: BatchId, activity: Activity);

    /// Notes that the worker with this slot does nothing that a drop could be blamed for.
    fn idle(&self, slot: usize);
}

/// Which drop of a dead holder's batch can have caused the death.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspect {
    /// The one with this [`drop_hash`]: it was being read.
    Drop(u64),
    /// Any drop of the batch: the holder died while staging it, or it is not known what it did.
    Any,
    /// None of them: the batch was not begun, or not being worked on, or its holder was not killed.
    None,
}

/// Judges the holders that claims name.
pub trait Liveness: Send + Sync {
    /// Whether nobody works any more for a holder's claim of `claimed_at`. False where it cannot be told: asking again later settles it.
    fn is_dead(&self, holder: &str, claimed_at: Timestamp, now: Timestamp) -> bool;

    /// What can have killed the holder while it held `batch`. Asked of dead holders only, and a hint only: it decides what is tried
    /// alone next, not what is in the table.
    fn suspect(&self, holder: &str, batch: BatchId) -> Suspect;

    /// The [`drop_hash`]es of drops that dead holders were reading for `batch`, whoever they were. For what is read before it is
    /// claimed.
    fn read_by_the_dead(&self, batch: BatchId) -> Vec<u64> {
        let _ = batch;
        Vec::new()
    }
}

/// A drop in 64 bits, to tell suspects apart: FNV-1a over its printed form, the same in every build. Only a hint: two drops can
/// share it.
pub fn drop_hash(id: &DropId) -> u64 {
    let mut hash = Fnv::default();
    // Never fails: `write_str` below does not.
    let _ = write!(hash, "{id}");
    hash.0
}

/// FNV-1a, 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>).
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn of(bytes: &[u8]) -> u64 {
        let mut hash = Self::default();
        hash.add(bytes);
        hash.0
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}
