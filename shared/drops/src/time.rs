use serde::{Deserialize, Serialize};

/// A moment, in microseconds since 1970-01-01T00:00:00Z: Delta's and Arrow's resolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment in whole milliseconds since 1970; 0 before it.
    pub fn milliseconds(self) -> u64 {
        u64::try_from(self.0 / 1_000).unwrap_or(0)
    }

    /// Microseconds from `earlier` to this moment; 0 if it is not earlier.
    pub fn microseconds_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}
