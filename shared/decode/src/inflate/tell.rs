//! Telling a drop's format by its first bytes, where its name does not.

use super::{Buffers, Content, Inflate};
use crate::format::{Compression, by_first_bytes};
use crate::format::{FIRST_BYTES, Format, Packing, begins_like_json};

/// The format and compression of a drop that begins with these bytes (its first [`FIRST_BYTES`], or all if it is shorter),
/// or none if they do not tell. Only JSON can be told. What `packing` says of the compression holds as in reading.
pub fn tell(buffers: &mut Buffers, first: &[u8], packing: Packing) -> Option<(Format, Packing)> {
    let mut content = Vec::new();
    // A fault further on does not change what the content began with: reading the drop will find it.
    let _ = Inflate::new(buffers, first, packing).fill(&mut content, FIRST_BYTES);
    if !begins_like_json(&content) {
        return None;
    }
    let found = by_first_bytes(first).unwrap_or(Compression::None);
    Some((Format::Json, if packing.given { packing } else { Packing::named(found) }))
}
