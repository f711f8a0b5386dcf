use std::io::{self, Write};

use flate2::GzBuilder;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;
use crate::format::{FIRST_BYTES, Format};

/// How a drop ended: its content, and whether early.
type Outcome = Result<(Vec<u8>, bool), DropFault>;

fn read_with(buffers: &mut Buffers, reader: impl Read, packing: Packing, most: usize) -> Outcome {
    let mut content = Inflate::new(buffers, reader, packing);
    let mut all = Vec::new();
    while content.fill(&mut all, most)? {}
    assert!(!content.fill(&mut all, most)?, "an end stays an end");
    Ok((all, content.ended_early()))
}

fn read(bytes: &[u8], compression: Compression) -> Outcome {
    read_with(&mut Buffers::new(), bytes, Packing::named(compression), 1000)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(content: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 3).expect("a level");
    encoder.include_checksum(true).expect("a parameter");
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

fn pack(content: &[u8], compression: Compression) -> Vec<u8> {
    match compression {
        Compression::None => content.to_vec(),
        Compression::Gzip => gzip(content),
        Compression::Zstd => zstd(content),
    }
}

fn lines(count: usize) -> Vec<u8> {
    (0..count).flat_map(|n| format!("{{\"n\":{n},\"sq\":{}}}\n", n * n).into_bytes()).collect()
}

fn unreadable(outcome: Outcome) -> String {
    match outcome {
        Err(DropFault::Unreadable(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn whole_streams_of_several_parts() {
    let (a, b) = (lines(5000), lines(10));
    for compression in Compression::ALL {
        let both = [pack(&a, compression), pack(&b, compression), pack(b"", compression)].concat();
        let (all, early) = read(&both, compression).expect("whole");
        assert!(all == [&a[..], &b[..]].concat() && !early, "{compression}");
    }
}

#[test]
fn buffers_serve_drop_after_drop() {
    let mut buffers = Buffers::new();
    for n in [0, 1, 3, 900] {
        for compression in Compression::ALL {
            let content = lines(n);
            let packed = pack(&content, compression);
            let cut = &packed[..packed.len() - packed.len().min(1)];
            // What a drop leaves behind, cut or broken, does not reach the next one.
            let _ = read_with(&mut buffers, cut, Packing::named(compression), 7);
            let (all, early) = read_with(&mut buffers, &packed[..], Packing::named(compression), 7).expect("whole");
            assert!(all == content && !early, "{compression} {n}");
        }
    }
}

#[test]
fn cut_anywhere_gives_what_came_and_says_so() {
    let content = lines(200);
    for compression in [Compression::Gzip, Compression::Zstd] {
        let packed = pack(&content, compression);
        let mut longest = 0;
        for cut in 0..packed.len() {
            let (all, early) = read(&packed[..cut], compression).expect("not damaged");
            assert!(early, "{compression} cut at {cut}");
            assert!(content.starts_with(&all));
            longest = longest.max(all.len());
        }
        assert_eq!(longest, content.len(), "{compression}: all before the checksum is given");
    }
}

#[test]
fn cut_in_the_second_part() {
    let content = lines(20);
    for compression in [Compression::Gzip, Compression::Zstd] {
        let packed = pack(&content, compression);
        let twice = [&packed[..], &packed[..]].concat();
        for cut in packed.len() + 1..twice.len() {
            let (all, early) = read(&twice[..cut], compression).expect("not damaged");
            assert!(early && all.starts_with(&content), "{compression} cut at {cut}");
        }
    }
}

#[test]
fn a_flipped_bit_never_gives_wrong_content() {
    let content = lines(60);
    for compression in [Compression::Gzip, Compression::Zstd] {
        let packed = pack(&content, compression);
        for at in 0..packed.len() {
            for bit in [0x01, 0x80] {
                let mut bytes = packed.clone();
                bytes[at] ^= bit;
                // Flips of the header's time, system or name, and ones that make the stream end early, do no harm; a
                // flip of the magic number makes it a plain drop.
                match read_with(&mut Buffers::new(), &bytes[..], Packing::given(compression), 4096) {
                    Ok((_, true)) => {}
                    Ok((all, false)) => assert!(all == content, "{compression} flipped at {at}"),
                    Err(DropFault::Unreadable(_)) => {}
                    Err(DropFault::Passing(error)) => panic!("{error}"),
                }
            }
        }
    }
}

#[test]
fn gzip_headers_with_every_field() {
    let mut encoder = GzBuilder::new()
        .extra(vec![7; 300])
        .filename("name.json")
        .comment("words")
        .write(Vec::new(), flate2::Compression::best());
    encoder.write_all(b"content").expect("memory");
    let packed = encoder.finish().expect("memory");
    assert_eq!(read(&packed, Compression::Gzip).expect("whole"), (b"content".to_vec(), false));

    // With a checksum of the header, which the encoder above does not write.
    let plain = gzip(b"content");
    let mut header = plain[..10].to_vec();
    header[3] = 2;
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    let sum = crc.sum().to_le_bytes();
    let good = [&header[..], &sum[..2], &plain[10..]].concat();
    assert_eq!(read(&good, Compression::Gzip).expect("whole"), (b"content".to_vec(), false));
    let bad = [&header[..], &[sum[0], !sum[1]], &plain[10..]].concat();
    assert!(unreadable(read(&bad, Compression::Gzip)).contains("checksum of a header"));
}

#[test]
fn damage_is_placed_behind_what_was_decompressed() {
    let content = lines(5000);
    for most in [1000, usize::MAX] {
        let told =
            |packed: &[u8]| unreadable(read_with(&mut Buffers::new(), packed, Packing::named(Compression::Gzip), most));
        let mut wrong_sum = gzip(&content);
        let length = wrong_sum.len();
        wrong_sum[length - 8] ^= 1;
        let at_end = format!("after {} decompressed bytes", content.len());
        assert!(told(&wrong_sum).contains(&at_end), "{}", told(&wrong_sum));
        let rest = [gzip(&content), b"rest".to_vec()].concat();
        assert!(told(&rest).contains(&at_end), "{}", told(&rest));
    }
}

#[test]
fn what_follows_a_gzip_member() {
    let packed = gzip(b"content");
    let zeros = [&packed[..], &[0; 512]].concat();
    assert_eq!(read(&zeros, Compression::Gzip).expect("padding"), (b"content".to_vec(), false));
    for rest in [&b"x"[..], &[0, 0, 1], &[0x1f, 0x8c], b"{\"a\":1}"] {
        let bytes = [&packed[..], rest].concat();
        assert!(unreadable(read(&bytes, Compression::Gzip)).contains("no gzip follow"));
    }
    let mut wrong = packed.clone();
    let length = wrong.len();
    wrong[length - 8] ^= 1;
    assert!(unreadable(read(&wrong, Compression::Gzip)).contains("checksum of the content"));
}

#[test]
fn the_content_overrules_the_name_and_never_the_settings() {
    let content = lines(3);
    for named in Compression::ALL {
        for real in Compression::ALL {
            let packed = pack(&content, real);
            for most in [1, 4000] {
                let outcome = read_with(&mut Buffers::new(), &packed[..], Packing::named(named), most);
                assert_eq!(outcome.expect("told by content"), (content.clone(), false), "{named} {real}");
            }
            let outcome = read_with(&mut Buffers::new(), &packed[..], Packing::given(named), 4000);
            match (named, real) {
                (named, real) if named == real => assert_eq!(outcome.expect("as given").0, content),
                (Compression::None, _) => assert_eq!(outcome.expect("as given").0, packed),
                _ => assert!(unreadable(outcome).contains("correct the compression")),
            }
        }
    }
}

#[test]
fn what_is_compressed_twice_is_called_that() {
    let inner = gzip(&lines(100));
    for compression in [Compression::Gzip, Compression::Zstd] {
        let reason = unreadable(read(&pack(&inner, compression), compression));
        assert!(reason.contains("compressed twice: within is a stream of gzip"), "{reason}");
    }
}

#[test]
fn a_damaged_header_is_no_text() {
    let packed = gzip(&lines(3));
    let named = |bytes: &[u8]| read_with(&mut Buffers::new(), bytes, Packing::named(Compression::Gzip), 4000);
    for at in 0..3 {
        let mut damaged = packed.clone();
        damaged[at] ^= 0xff;
        assert!(unreadable(named(&damaged)).contains("it is damaged"), "byte {at}");
    }
    let zeroed = [&[0; 512][..], &packed[512.min(packed.len())..]].concat();
    assert!(unreadable(named(&zeroed)).contains("it is damaged"));
    assert!(unreadable(named(b"<!DOCTYPE html>\n<html>502 Bad Gateway</html>\n")).contains("markup (an error page?)"));
    // A name that is only wrong costs nothing.
    for text in [&b"id,name\r\n1,\xc3\xa4\r\n"[..], b"\xef\xbb\xbf{\"a\":1}\n", b"{\"a\":\"\xc3"] {
        assert_eq!(named(text).expect("text"), (text.to_vec(), false));
    }
}

#[test]
fn bombs_are_stopped() {
    // gzip cannot exceed 1032 times, zstd can by far.
    let bomb = ::zstd::encode_all(io::repeat(b' ').take(3 << 30), 1).expect("memory");
    assert!(bomb.len() < 1 << 20);
    let mut buffers = Buffers::new();
    let mut content = Inflate::new(&mut buffers, &bomb[..], Packing::named(Compression::Zstd));
    let (mut piece, mut total) = (Vec::new(), 0);
    let reason = loop {
        piece.clear();
        match content.fill(&mut piece, 1 << 20) {
            Ok(true) => total += piece.len(),
            Ok(false) => panic!("read to its end"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(reason.contains("decompression bomb"), "{reason}");
    assert!(total as u64 <= INFLATE_RATIO_FROM_BYTES.max(bomb.len() as u64 * MAX_INFLATE_RATIO) + (1 << 20));

    // A small file of blanks is none.
    let blanks = ::zstd::encode_all(io::repeat(b' ').take(10 << 20), 1).expect("memory");
    assert_eq!(read(&blanks, Compression::Zstd).expect("small").0.len(), 10 << 20);
}

#[test]
fn a_wide_window_is_refused() {
    // A frame header that asks for a window of 64 MiB: descriptor 0, window descriptor (26 - 10) << 3.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 16 << 3, 0x01, 0x00, 0x00];
    assert!(unreadable(read(&frame, Compression::Zstd)).contains("33554432"));
}

#[test]
fn a_failing_reader_is_passing_whatever_the_kind() {
    struct Failing<'a>(&'a [u8], io::ErrorKind);
    impl Read for Failing<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() { Err(self.1.into()) } else { self.0.read(into) }
        }
    }
    for compression in Compression::ALL {
        let packed = pack(&lines(50), compression);
        for kind in [io::ErrorKind::UnexpectedEof, io::ErrorKind::InvalidData, io::ErrorKind::TimedOut] {
            for cut in [0, 2, packed.len() / 2, packed.len()] {
                let reader = Failing(&packed[..cut], kind);
                let outcome = read_with(&mut Buffers::new(), reader, Packing::named(compression), 100);
                assert!(matches!(outcome, Err(DropFault::Passing(error)) if error.kind() == kind));
            }
        }
    }
}

#[test]
fn first_bytes_tell_the_format() {
    let mut buffers = Buffers::new();
    for compression in Compression::ALL {
        let packed = pack(&lines(40_000), compression);
        let first = &packed[..packed.len().min(FIRST_BYTES)];
        for named in Compression::ALL {
            let told = tell(&mut buffers, first, Packing::named(named));
            assert_eq!(told, Some((Format::Json, Packing::named(compression))), "{named} {compression}");
        }
        assert_eq!(tell(&mut buffers, &pack(b"a,b\n1,2\n", compression), Packing::named(compression)), None);
        assert_eq!(tell(&mut buffers, b"", Packing::named(compression)), None);
    }
    let given = Packing::given(Compression::Gzip);
    assert_eq!(tell(&mut buffers, &gzip(b"[{}]"), given), Some((Format::Json, given)));
    assert_eq!(tell(&mut buffers, b"[1]", given), None);
}

proptest! {
    #[test]
    fn any_pieces_give_the_same(content in proptest::collection::vec(0_u8..4, 0..3000), most in 1_usize..500) {
        for compression in Compression::ALL {
            let packed = pack(&content, compression);
            let packing = Packing::named(compression);
            let (all, early) = read_with(&mut Buffers::new(), &packed[..], packing, most).expect("whole");
            prop_assert!(all == content && !early);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in 0..3) {
        let magic: &[u8] = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0][..], &[0x28, 0xb5, 0x2f, 0xfd], &[]][kind as usize];
        bytes.splice(0..0, magic.iter().copied());
        let _ = read(&bytes, Compression::None);
    }
}

#[test]
fn damage_of_zstd_is_told_in_our_words() {
    let content = b"{\"id\":1}\n".repeat(10_000);
    let packed = pack(&content, Compression::Zstd);
    let mut checksum = packed.clone();
    *checksum.last_mut().unwrap() ^= 0xff;
    let reason = unreadable(read(&checksum, Compression::Zstd));
    assert!(reason.contains(": the checksum of the content is wrong (libzstd: "), "{reason}");
    let mut followed = packed.clone();
    followed.extend_from_slice(b"what is this doing here");
    let reason = unreadable(read(&followed, Compression::Zstd));
    assert!(reason.contains(": bytes that are no zstd follow a frame (libzstd: "), "{reason}");
    let mut broken = packed;
    let middle = broken.len() / 2;
    broken[middle..middle + 8].iter_mut().for_each(|byte| *byte ^= 0xff);
    let reason = unreadable(read(&broken, Compression::Zstd));
    assert!(reason.contains(" (libzstd: "), "{reason}");
}
