//! Content packed as suppliers pack it.

use std::io::Write;

use decode::format::Compression;
use flate2::write::GzEncoder;

/// The content, compressed.
pub fn pack(content: &[u8], compression: Compression) -> Vec<u8> {
    match compression {
        Compression::None => content.to_vec(),
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(content).expect("memory");
            encoder.finish().expect("memory")
        }
        Compression::Zstd => zstd::encode_all(content, 1).expect("memory"),
    }
}
