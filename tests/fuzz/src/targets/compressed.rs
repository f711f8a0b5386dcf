//! Compressed streams.
//!
//! - What is given, and how it ends, does not depend on how much is asked for at once.
//! - What is given as whole is what the compressor's own reader gives, and the other way round.
//! - Any deflated data within a sound gzip member is given whole.

use std::io::Read;

use decode::format::{Compression, Packing};
use decode::inflate::{Buffers, Content, Inflate};
use decode::record::DropFault;
use flate2::{Decompress, FlushDecompress, Status};

use crate::fingerprint;

/// More than this is not compared: a few bytes can hold gigabytes.
const COMPARED: usize = 1 << 20;

/// How a stream ended.
#[derive(Debug, PartialEq)]
enum Ending {
    Whole,
    Early,
    Unreadable(String),
    /// There is more than is compared.
    Long,
}

pub(super) fn gzip(bytes: &[u8]) -> bool {
    let ours = inflate_alike(bytes, Compression::Gzip);
    let mut theirs = Vec::new();
    let read = flate2::bufread::MultiGzDecoder::new(bytes).take(COMPARED as u64 + 1).read_to_end(&mut theirs);
    compare(bytes, &ours, &theirs, read.is_ok());

    // As the body of a member whose checksum is right.
    let mut content = Vec::with_capacity(COMPARED);
    let mut raw = Decompress::new(false);
    if let Ok(Status::StreamEnd) = raw.decompress_vec(bytes, &mut content, FlushDecompress::Finish) {
        let body = &bytes[..raw.total_in() as usize];
        let mut sum = flate2::Crc::new();
        sum.update(&content);
        let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        let member = [&header, body, &sum.sum().to_le_bytes(), &sum.amount().to_le_bytes()].concat();
        assert_eq!(inflate_alike(&member, Compression::Gzip), (content, Ending::Whole), "a sound member");
    }
    ours.1 == Ending::Whole
}

pub(super) fn zstd(bytes: &[u8]) -> bool {
    let ours = inflate_alike(bytes, Compression::Zstd);
    let mut theirs = Vec::new();
    let read =
        ::zstd::Decoder::new(bytes).and_then(|decoder| decoder.take(COMPARED as u64 + 1).read_to_end(&mut theirs));
    compare(bytes, &ours, &theirs, read.is_ok());
    ours.1 == Ending::Whole
}

fn compare(bytes: &[u8], (content, ending): &(Vec<u8>, Ending), theirs: &[u8], whole: bool) {
    match ending {
        Ending::Long => {}
        // Padding after the last member is none to the other reader.
        Ending::Whole => {
            assert!(theirs == content || !whole && content.starts_with(theirs), "another content was given as whole")
        }
        Ending::Early => assert!(!whole || theirs.is_empty() || theirs == content, "what is whole was taken for cut"),
        Ending::Unreadable(reason) => {
            // What the other reader does not look at.
            let ours_alone = [
                "checksum of a header",
                "unknown flags",
                "no gzip follow",
                "window of more than",
                "not compressed with",
            ];
            // A frame that holds less than it declares: libzstd sees it or not, as it is given room.
            let declared = ::zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten();
            let whole = whole && declared.is_none_or(|declared| declared == theirs.len() as u64);
            assert!(
                !whole || theirs.len() > COMPARED || ours_alone.iter().any(|text| reason.contains(text)),
                "{reason}"
            );
        }
    }
}

/// What a stream gives, whatever is asked for at once.
fn inflate_alike(bytes: &[u8], compression: Compression) -> (Vec<u8>, Ending) {
    let whole = inflate(bytes, compression, COMPARED);
    for most in [1 + (fingerprint(bytes) % 700) as usize, 4_096] {
        let pieces = inflate(bytes, compression, most);
        match (&whole.1, &pieces.1) {
            // How much came before damage shows in the text, and depends on the steps; so does whether it was come to.
            (Ending::Unreadable(_), Ending::Unreadable(_) | Ending::Long) | (Ending::Long, Ending::Unreadable(_)) => {}
            _ => assert!(pieces == whole, "by {most}: {:?} and {:?}", pieces.1, whole.1),
        }
    }
    whole
}

fn inflate(bytes: &[u8], compression: Compression, most: usize) -> (Vec<u8>, Ending) {
    let mut buffers = Buffers::new();
    let mut reader = Inflate::new(&mut buffers, bytes, Packing::given(compression));
    let mut content = Vec::new();
    loop {
        match reader.fill(&mut content, most) {
            Ok(_) if content.len() > COMPARED => {
                content.truncate(COMPARED);
                return (content, Ending::Long);
            }
            Ok(true) => {}
            Ok(false) => {
                let ending = if reader.ended_early() { Ending::Early } else { Ending::Whole };
                return (content, ending);
            }
            Err(DropFault::Unreadable(reason)) => return (Vec::new(), Ending::Unreadable(reason)),
            Err(DropFault::Passing(error)) => panic!("reading memory failed: {error}"),
        }
    }
}
