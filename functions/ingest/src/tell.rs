//! Telling a drop's format where its name does not: by its first bytes, before it is claimed.

use std::io::Read;

use decode::format::{FIRST_BYTES, Format, Packing};
use decode::inflate::{Buffers, tell};
use drops::DroppedObject;
use store::ReadError;

use crate::Ingest;

impl Ingest {
    /// The format of a drop, told by its first bytes; `None` where they do not tell.
    ///
    /// # Errors
    /// It cannot be read now.
    pub async fn tell(&self, object: &DroppedObject, packing: Packing) -> Result<Option<(Format, Packing)>, ReadError> {
        let open = self.source.open(object).await?;
        let mut first = Vec::new();
        let read = open.take(FIRST_BYTES as u64).read_to_end(&mut first);
        read.map_err(|e| ReadError::Passing(format!("its first bytes cannot be read: {e}")))?;
        Ok(tell(&mut Buffers::new(), &first, packing))
    }
}
