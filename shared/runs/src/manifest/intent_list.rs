//! The list that an intent names: which batches one commit will carry. Immutable once stored.

use bytes::Bytes;
use drops::BatchId;
use serde::{Deserialize, Serialize};

use super::framing;
use crate::error::ManifestError;

const KIND: &str = "lithify-intent";
const FORMAT_VERSION: u32 = 1;

/// The batches of one commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntentList {
    /// The batches.
    pub batches: Vec<BatchId>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    batches: usize,
}

impl IntentList {
    /// The list as stored, and the SHA-256 of these bytes in hex, which the ledger keeps.
    pub fn encode(&self) -> Result<(Bytes, String), ManifestError> {
        let mut lines = framing::Writer::new(KIND, FORMAT_VERSION, &Header { batches: self.batches.len() })?;
        self.batches.iter().try_for_each(|batch| lines.push(batch))?;
        lines.finish()
    }

    /// Reads a list back, if its bytes are those of `digest`.
    pub fn decode(bytes: &[u8], digest: &str) -> Result<Self, ManifestError> {
        let text = framing::open(bytes, digest)?;
        let (header, mut lines): (Header, _) = framing::Lines::new(&text, KIND, FORMAT_VERSION)?;
        let batches = lines.take(header.batches)?;
        lines.end()?;
        Ok(Self { batches })
    }
}
