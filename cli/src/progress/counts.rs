//! What a run has done so far: counters that the flows add to from any thread, and that the progress shows.

use std::sync::{
    PoisonError, RwLock,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

/// The counters. Adding to one is a single relaxed atomic operation: they are for eyes, never for decisions.
#[derive(Debug, Default)]
pub struct Counts {
    found_drops: AtomicU64,
    found_bytes: AtomicU64,
    listed: AtomicBool,
    done_drops: AtomicU64,
    done_bytes: AtomicU64,
    reading_bytes: AtomicU64,
    rows: AtomicU64,
    quarantined: AtomicU64,
    staged_drops: AtomicU64,
    merged_rows: AtomicU64,
    phase: RwLock<&'static str>,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Drops that the listing found and that are to be ingested.
    pub found_drops: u64,
    /// Their bytes in the source.
    pub found_bytes: u64,
    /// Whether the listing is done, so that `found` grows no more.
    pub listed: bool,
    /// Drops that are done with: sealed, quarantined or left out.
    pub done_drops: u64,
    /// Their bytes in the source.
    pub done_bytes: u64,
    /// Bytes that were read of drops that are not done with, about.
    pub reading_bytes: u64,
    /// Rows decoded from what is done.
    pub rows: u64,
    /// Quarantined drops and records.
    pub quarantined: u64,
    /// Drops that are staged and not yet committed.
    pub staged_drops: u64,
    /// Rows that were merged into files since the phase began.
    pub merged_rows: u64,
    /// What is being done, in a word or two; empty before the first.
    pub phase: &'static str,
}

impl Snapshot {
    /// Bytes that were read, of drops that are done with and of others, never more than were found.
    pub fn read_bytes(&self) -> u64 {
        self.done_bytes.saturating_add(self.reading_bytes).min(self.found_bytes.max(self.done_bytes))
    }
}

impl Counts {
    /// Counts drops that are to be ingested, with their bytes in the source.
    pub fn found(&self, drops: u64, bytes: u64) {
        self.found_drops.fetch_add(drops, Relaxed);
        self.found_bytes.fetch_add(bytes, Relaxed);
    }

    /// Takes back drops that were found and will be found again, with their bytes.
    pub fn lost(&self, drops: u64, bytes: u64) {
        self.found_drops.fetch_sub(drops, Relaxed);
        self.found_bytes.fetch_sub(bytes, Relaxed);
        self.is_read(bytes);
    }

    /// Counts bytes as they are read from a drop that is to be ingested.
    pub fn reading(&self, bytes: u64) {
        self.reading_bytes.fetch_add(bytes, Relaxed);
    }

    /// What was read so far was read to look at it, and is read again.
    pub fn only_looked(&self) {
        self.reading_bytes.store(0, Relaxed);
    }

    fn is_read(&self, bytes: u64) {
        let less = |count: u64| Some(count.saturating_sub(bytes));
        // It is never refused.
        let _ = self.reading_bytes.fetch_update(Relaxed, Relaxed, less);
    }

    /// Says whether the listing is done. Before that the time left is not known.
    pub fn set_listed(&self, listed: bool) {
        self.listed.store(listed, Relaxed);
    }

    /// Counts drops that are done with (sealed, quarantined, left out, or another's), with their bytes and rows.
    pub fn done(&self, drops: u64, bytes: u64, rows: u64) {
        self.done_drops.fetch_add(drops, Relaxed);
        self.done_bytes.fetch_add(bytes, Relaxed);
        self.rows.fetch_add(rows, Relaxed);
        self.is_read(bytes);
    }

    /// Counts quarantined drops and records.
    pub fn quarantined(&self, count: u64) {
        self.quarantined.fetch_add(count, Relaxed);
    }

    /// Takes back that a drop is quarantined: it was repaired.
    pub fn repaired(&self) {
        let less = |count: u64| Some(count.saturating_sub(1));
        // It is never refused.
        let _ = self.quarantined.fetch_update(Relaxed, Relaxed, less);
    }

    /// Says how many drops are staged and not yet committed.
    pub fn set_staged(&self, drops: u64) {
        self.staged_drops.store(drops, Relaxed);
    }

    /// Counts rows that were merged into files.
    pub fn merged(&self, rows: u64) {
        self.merged_rows.fetch_add(rows, Relaxed);
    }

    /// Says what is being done now, in a word or two: `reading`, `committing`, `waiting for files`.
    pub fn set_phase(&self, phase: &'static str) {
        self.merged_rows.store(0, Relaxed);
        *self.phase.write().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// The counters now. What is done is read before what was found, so that it is never more.
    pub fn snapshot(&self) -> Snapshot {
        let (done_drops, done_bytes) = (self.done_drops.load(Relaxed), self.done_bytes.load(Relaxed));
        Snapshot {
            done_drops,
            done_bytes,
            reading_bytes: self.reading_bytes.load(Relaxed),
            rows: self.rows.load(Relaxed),
            listed: self.listed.load(Relaxed),
            found_drops: self.found_drops.load(Relaxed).max(done_drops),
            found_bytes: self.found_bytes.load(Relaxed).max(done_bytes),
            quarantined: self.quarantined.load(Relaxed),
            staged_drops: self.staged_drops.load(Relaxed),
            merged_rows: self.merged_rows.load(Relaxed),
            phase: *self.phase.read().unwrap_or_else(PoisonError::into_inner),
        }
    }
}
