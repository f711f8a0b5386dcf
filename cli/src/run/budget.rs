//! How the process's memory is shared out.

/// What one worker may take at worst, with a record of the largest size that is read: less memory means fewer workers.
const WORKER_MEMORY: u64 = 192 << 20;

/// What the process takes before it reads anything: code, the ledger's cache, listings.
const BASE_MEMORY: u64 = 80 << 20;

/// The shares.
pub(super) struct Budget {
    /// How many workers there is memory for.
    pub(super) workers: usize,
    /// Bytes of decoded rows that a worker holds.
    pub(super) run: usize,
    /// Bytes that a merge takes.
    pub(super) merge: usize,
}

impl Budget {
    /// The shares of so many bytes, for at most so many workers.
    pub(super) fn of(memory: u64, workers: usize) -> Self {
        let workers = workers.min(in_memory(memory / WORKER_MEMORY)).max(1);
        let merge = memory / 5;
        // Columns that grow, a chunk of content and the encoding of a run take about six times the rows that are held.
        let run = memory.saturating_sub(BASE_MEMORY).saturating_sub(merge) / (6 * workers as u64);
        Self { workers, run: in_memory(run.clamp(1 << 20, 48 << 20)), merge: in_memory(merge) }
    }
}

fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
