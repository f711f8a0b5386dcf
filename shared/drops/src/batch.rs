use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// The identity of a batch: a ULID, so that batches sort by the time they began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BatchId(Ulid);

impl BatchId {
    /// Makes an identity from a time in milliseconds since 1970 and 80 random bits (the upper bits of `random` are ignored).
    pub fn from_parts(milliseconds: u64, random: u128) -> Self {
        Self(Ulid::from_parts(milliseconds, random))
    }

    /// The time in milliseconds since 1970 at which the batch began.
    pub fn milliseconds(&self) -> u64 {
        self.0.timestamp_ms()
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for BatchId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ulid::from_string(text).map(Self).map_err(|e| format!("'{text}' is no batch id: {e}"))
    }
}

impl TryFrom<String> for BatchId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<BatchId> for String {
    fn from(id: BatchId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_prints_and_sorts_by_time() {
        let early = BatchId::from_parts(1_000, u128::MAX);
        let late = BatchId::from_parts(1_001, 0);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(late.milliseconds(), 1_001);
        assert!("not an id".parse::<BatchId>().is_err());
    }
}
