//! How a function's memory is shared out.

/// What the process takes before it reads anything: code, the runtime, connections, an event.
const BASE_MEMORY: u64 = 48 << 20;

/// What the function is assumed to have where nothing says it: Lambda's least.
const LEAST_MEMORY: u64 = 128 << 20;

/// The bytes that the parts of the work may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Decoded rows of a run.
    pub run: usize,
    /// How many objects are opened ahead of their turn.
    pub objects_ahead: usize,
    /// What those hold.
    pub bytes_ahead: u64,
}

impl Budget {
    /// Shares out so many bytes. Columns that grow, a chunk of content and the encoding of a run take about six times the rows that
    /// are held.
    pub fn of(memory: Option<u64>) -> Self {
        let memory = memory.unwrap_or(LEAST_MEMORY).max(LEAST_MEMORY);
        let bytes_ahead = (memory / 16).min(64 << 20);
        let run = memory.saturating_sub(BASE_MEMORY + bytes_ahead) / 6;
        Self { run: usize::try_from(run.clamp(1 << 20, 48 << 20)).unwrap_or(1 << 20), objects_ahead: 64, bytes_ahead }
    }
}
