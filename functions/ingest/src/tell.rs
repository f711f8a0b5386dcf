//! Telling a drop's format where its name does not: by its first bytes, before it is claimed.

use std::io::Read;

use decode::format::{FIRST_BYTES, Format, Packing};
use decode::inflate::{Buffers, tell};
use drops::DroppedObject;

use crate::Ingest;

impl Ingest {
    /// The format of a drop, told by its first bytes; `None` where they do not tell, and where it cannot be read now.
    pub async fn tell(&self, object: &DroppedObject, packing: Packing) -> Option<(Format, Packing)> {
        let open = self.source.open(object).await.ok()?;
        let mut first = Vec::new();
        open.take(FIRST_BYTES as u64).read_to_end(&mut first).ok()?;
        tell(&mut Buffers::new(), &first, packing)
    }
}
