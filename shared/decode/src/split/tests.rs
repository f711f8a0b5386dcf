mod arbitrary;
mod csv;
mod fields;
mod json;
mod limits;

use super::*;
use crate::inflate::{Buffers, Inflate};

/// A record as the caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    ordinal: u64,
    line: u64,
    /// Its first byte, within the content.
    offset: u64,
    bytes: Vec<u8>,
    /// The fault's reason.
    fault: Option<String>,
}

/// Plain bytes that end as asked.
struct Plain<'a> {
    rest: &'a [u8],
    early: bool,
}

impl Content for Plain<'_> {
    fn fill(&mut self, into: &mut Vec<u8>, most: usize) -> Result<bool, DropFault> {
        let (taken, rest) = self.rest.split_at(most.min(self.rest.len()));
        into.extend_from_slice(taken);
        self.rest = rest;
        Ok(taken.len() == most)
    }

    fn ended_early(&self) -> bool {
        self.early && self.rest.is_empty()
    }
}

fn records(
    splitter: &mut Splitter,
    format: Format,
    content: &mut impl Content,
) -> Result<(Vec<Record>, Vec<String>), DropFault> {
    splitter.begin(format, CsvOptions::default());
    let all = rest(splitter, content)?;
    Ok((all, splitter.csv_header().to_vec()))
}

/// The records of what the splitter began with.
fn rest(splitter: &mut Splitter, content: &mut impl Content) -> Result<Vec<Record>, DropFault> {
    let (mut chunk, mut all) = (Chunk::default(), Vec::new());
    while splitter.next_chunk(content, &mut chunk)? {
        assert_eq!(chunk.first_record, all.len() as u64);
        for span in &chunk.spans {
            all.push(Record {
                ordinal: all.len() as u64,
                line: span.line,
                offset: chunk.first_byte + span.start as u64,
                bytes: chunk.bytes[span.start..span.end].to_vec(),
                fault: span.fault.as_ref().map(|fault| fault.reason.clone()),
            });
        }
    }
    assert!(chunk.spans.is_empty() && chunk.bytes.is_empty());
    assert!(!splitter.next_chunk(content, &mut chunk)?, "an end stays an end");
    Ok(all)
}

/// The records of JSON in a drop of this name, which are the same whatever the chunks are.
fn split_named(key: &str, content: &[u8]) -> Vec<Record> {
    let cut = |chunk_bytes| {
        let mut splitter = Splitter::with_chunk_bytes(chunk_bytes);
        splitter.begin_drop(key, Format::Json, CsvOptions::default());
        rest(&mut splitter, &mut Plain { rest: content, early: false }).expect("readable")
    };
    let whole = cut(4 << 20);
    for chunk_bytes in [1, 2, 3, 5, 8, 13, 30] {
        assert_eq!(cut(chunk_bytes), whole, "chunks of {chunk_bytes}");
    }
    whole
}

/// The records of content, which are the same whatever the chunks are.
fn split_as(format: Format, content: &[u8], early: bool) -> Vec<Record> {
    let whole = records(&mut Splitter::new(), format, &mut Plain { rest: content, early }).expect("readable").0;
    for chunk_bytes in [1, 2, 3, 5, 8, 13, 30] {
        let mut splitter = Splitter::with_chunk_bytes(chunk_bytes);
        // A drop before leaves nothing behind.
        let _ = records(&mut splitter, Format::Json, &mut Plain { rest: b"[{\"a\":1},{", early });
        let pieces = records(&mut splitter, format, &mut Plain { rest: content, early }).expect("readable").0;
        assert_eq!(pieces, whole, "chunks of {chunk_bytes}");
    }
    whole
}

/// The records as text, bad ones marked with `!`.
fn texts(records: &[Record]) -> Vec<String> {
    let text = |record: &Record| {
        let mark = if record.fault.is_some() { "!" } else { "" };
        format!("{mark}{}", String::from_utf8_lossy(&record.bytes))
    };
    records.iter().map(text).collect()
}

fn json(content: &str) -> Vec<String> {
    texts(&split_as(Format::Json, content.as_bytes(), false))
}

fn json_early(content: &str) -> Vec<String> {
    texts(&split_as(Format::Json, content.as_bytes(), true))
}

fn csv(content: &str) -> Vec<String> {
    texts(&split_as(Format::Csv, content.as_bytes(), false))
}

fn csv_early(content: &str) -> Vec<String> {
    texts(&split_as(Format::Csv, content.as_bytes(), true))
}

fn unreadable(format: Format, content: &[u8]) -> String {
    for chunk_bytes in [1, 7] {
        let outcome =
            records(&mut Splitter::with_chunk_bytes(chunk_bytes), format, &mut Plain { rest: content, early: false });
        assert!(matches!(outcome, Err(DropFault::Unreadable(_))), "{outcome:?}");
    }
    records(&mut Splitter::new(), format, &mut Plain { rest: content, early: false }).expect_err("the same").to_string()
}

#[test]
fn positions_are_those_of_the_content() {
    let content = "\u{feff}\n{\"a\":1}\r\n\n  \n{\"b\":2}\n{bad\n{\"c\":3}";
    let all = split_as(Format::Json, content.as_bytes(), false);
    let places: Vec<_> = all.iter().map(|record| (record.ordinal, record.line, record.offset)).collect();
    assert_eq!(places, [(0, 2, 4), (1, 5, 17), (2, 6, 25), (3, 7, 30)]);

    let all = split_as(Format::Json, b"[\n {\"a\":\n1},\n\n2]\n[{}]", false);
    let places: Vec<_> = all.iter().map(|record| (record.line, record.offset)).collect();
    assert_eq!(places, [(2, 3), (5, 14), (6, 18)]);

    let all = split_as(Format::Csv, b"a,b\n1,\"x\ny\"\r\n\n2,z\n", false);
    let places: Vec<_> = all.iter().map(|record| (record.line, record.offset)).collect();
    assert_eq!(places, [(2, 4), (5, 14)]);
}

#[test]
fn encodings_other_than_utf8_are_named() {
    for (mark, name) in [
        (&b"\xff\xfe{\0"[..], "UTF-16"),
        (b"\xfe\xff\0{", "UTF-16"),
        (b"\xff\xfe\0\0", "UTF-32"),
        (b"\0\0\xfe\xff", "UTF-32"),
    ] {
        for format in Format::ALL {
            assert!(unreadable(format, mark).contains(name));
        }
    }
}

#[test]
fn nothing_is_no_record() {
    for content in ["", "\n", " \r\n\t\n", "\u{feff}", "\u{feff}\n\n"] {
        assert!(json(content).is_empty() && csv(content).is_empty(), "{content:?}");
        assert_eq!(json_early(content), ["!"]);
        assert_eq!(csv_early(content), ["!"]);
    }
}

#[test]
fn compressed_drops_cut_anywhere_give_their_whole_records() {
    let line = |n: usize| format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(n % 7));
    let content: String = (0..40).map(|n| line(n) + "\n").collect();
    let packed = zstd::encode_all(content.as_bytes(), 3).expect("memory");
    let mut buffers = Buffers::new();
    let mut splitter = Splitter::new();
    for cut in 0..packed.len() {
        let packing = crate::format::Packing::named(crate::format::Compression::Zstd);
        let mut cut_short = Inflate::new(&mut buffers, &packed[..cut], packing);
        let (all, _) = records(&mut splitter, Format::Json, &mut cut_short).expect("not damaged");
        let (tail, whole) = all.split_last().expect("the tail");
        assert!(tail.fault.as_ref().is_some_and(|fault| fault.contains("ends early")));
        for (n, record) in whole.iter().enumerate() {
            assert!(record.fault.is_none() && record.bytes == line(n).as_bytes());
        }
    }
}

#[test]
fn damage_at_the_end_is_found_after_giving_up() {
    let mut packed = zstd::encode_all(&b"[{\"a\":1} {\"b\":2}]"[..], 3).expect("memory");
    packed.extend_from_slice(b"garbage");
    let mut buffers = Buffers::new();
    let packing = crate::format::Packing::named(crate::format::Compression::Zstd);
    let mut content = Inflate::new(&mut buffers, &packed[..], packing);
    let outcome = records(&mut Splitter::with_chunk_bytes(1), Format::Json, &mut content);
    assert!(matches!(outcome, Err(DropFault::Unreadable(_))), "{outcome:?}");
}

#[test]
fn poison_gives_up_the_rest_and_still_reads_to_the_end() {
    let content = b"[{\"a\":1},{\"a\":},{\"a\":3}]";
    let mut plain = Plain { rest: content, early: false };
    let mut splitter = Splitter::with_chunk_bytes(4);
    splitter.begin(Format::Json, CsvOptions::default());
    let mut chunk = Chunk::default();
    let mut seen = 0;
    while splitter.next_chunk(&mut plain, &mut chunk).expect("readable") {
        for span in &chunk.spans {
            seen += 1;
            let record = &chunk.bytes[span.start..span.end];
            if record == b"{\"a\":}" {
                assert!(splitter.fault_spreads(record));
                splitter.poison();
                break;
            }
            assert!(!splitter.fault_spreads(record));
        }
    }
    assert_eq!((seen, plain.rest.len()), (2, 0));
    // Where each record is one line, and for values that are no rows but well-formed, a fault does not spread.
    records(&mut splitter, Format::Json, &mut Plain { rest: b"{\"a\":1}\n{bad\n", early: false }).expect("readable");
    assert!(!splitter.fault_spreads(b"{bad"));
    records(&mut splitter, Format::Json, &mut Plain { rest: b"[1,\"a\",[2]]", early: false }).expect("readable");
    assert!(!splitter.fault_spreads(b"[2]") && !splitter.fault_spreads(b"\"\xff\"") && splitter.fault_spreads(b"tru"));
}
