//! Memory stays bounded, whatever the content is.

use std::io::{self, Read};

use super::*;

/// Repeats a pattern to a length, without holding it.
struct Repeat {
    block: Vec<u8>,
    at: usize,
}

impl Read for Repeat {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = into.len().min(self.block.len() - self.at);
        into[..length].copy_from_slice(&self.block[self.at..self.at + length]);
        self.at = (self.at + length) % self.block.len();
        Ok(length)
    }
}

fn repeat(pattern: &[u8], length: u64) -> io::Take<Repeat> {
    Repeat { block: pattern.repeat(20_000), at: 0 }.take(length)
}

/// The records' number, the number of bad ones, the last record, and the most bytes that were held.
fn count(format: Format, reader: impl Read) -> (u64, u64, Option<Record>, usize) {
    let mut buffers = Buffers::new();
    let mut content = Inflate::plain(&mut buffers, reader);
    let mut splitter = Splitter::new();
    splitter.begin(format, CsvOptions::default());
    let (mut chunk, mut faults, mut ordinal, mut last, mut most) = (Chunk::default(), 0, 0, None, 0);
    while splitter.next_chunk(&mut content, &mut chunk).expect("readable") {
        most = most.max(chunk.bytes.capacity() + splitter.carry.capacity());
        for span in &chunk.spans {
            faults += u64::from(span.fault.is_some());
            last = Some(Record {
                ordinal,
                line: span.line,
                offset: chunk.first_byte + span.start as u64,
                bytes: chunk.bytes[span.start..span.end].to_vec(),
                fault: span.fault.as_ref().map(|fault| fault.reason.clone()),
            });
            ordinal += 1;
        }
    }
    (ordinal, faults, last, most)
}

const GIGABYTE: u64 = 1 << 30;
const HELD: usize = 80 << 20;

#[test]
fn a_line_of_a_gigabyte() {
    let (before, after) = (&b"{\"a\":1}\n"[..], &b"\n{\"a\":2}\n"[..]);
    let content = before.chain(repeat(b"x", GIGABYTE)).chain(after);
    let (records, faults, last, most) = count(Format::Json, content);
    assert_eq!((records, faults), (3, 1));
    let last = last.expect("the line after");
    assert_eq!((last.line, last.offset), (3, 8 + GIGABYTE + 1));
    assert!(last.bytes == b"{\"a\":2}" && most < HELD, "{most}");

    let content = (&b"a,b\n1,2\n"[..]).chain(repeat(b"x", GIGABYTE)).chain(&b"\n3,4\n"[..]);
    let (records, faults, last, most) = count(Format::Csv, content);
    assert_eq!((records, faults), (3, 1));
    assert!(last.expect("the line after").bytes == b"3,4" && most < HELD, "{most}");
}

#[test]
fn a_gigabyte_of_blank_lines() {
    for (format, first, records) in [(Format::Json, "{\"a\":1}\n", 2), (Format::Csv, "a,b\n", 1)] {
        let blanks = repeat(b"     \n    \n", GIGABYTE / 11 * 11);
        let (found, faults, last, most) = count(format, first.as_bytes().chain(blanks).chain(&b"3,4"[..]));
        assert_eq!((found, faults), (records, 0));
        assert_eq!(last.expect("the last").line, 2 + GIGABYTE / 11 * 2);
        assert!(most < HELD, "{most}");
    }
}

#[test]
fn tiny_records_do_not_fill_memory_with_their_places() {
    let contents = [
        (Format::Json, "1\n", &b"1\n"[..]),
        (Format::Json, "[1", b",1"),
        (Format::Csv, "a\n", b"1\n"),
        (Format::Csv, "a,b\n", b"1\n"),
    ];
    for (format, first, pattern) in contents {
        let mut buffers = Buffers::new();
        let reader = first.as_bytes().chain(repeat(pattern, 2_000_000)).chain(&b"]"[usize::from(first != "[1")..]);
        let mut content = Inflate::plain(&mut buffers, reader);
        let mut splitter = Splitter::new();
        splitter.begin(format, CsvOptions::default());
        let (mut chunk, mut records) = (Chunk::default(), 0);
        while splitter.next_chunk(&mut content, &mut chunk).expect("readable") {
            assert!(chunk.spans.len() <= MAX_CHUNK_RECORDS && splitter.carry.len() < CHUNK_BYTES);
            assert_eq!(chunk.first_record, records);
            records += chunk.spans.len() as u64;
        }
        assert_eq!(records, 1_000_000 + u64::from(format == Format::Json), "{first}");
    }
}

#[test]
fn a_document_without_an_end() {
    let (records, faults, last, most) = count(Format::Json, (&b"[{\"a\":1},"[..]).chain(repeat(b"[", GIGABYTE / 4)));
    assert_eq!((records, faults), (2, 1));
    let last = last.expect("the rest");
    assert!(last.fault.is_some_and(|fault| fault.contains("16777216")));
    assert!(last.bytes.len() == MAX_KEPT_FAULTY_BYTES && most < HELD, "{most}");
}

#[test]
fn a_quote_that_is_never_closed_in_a_large_file() {
    // A million good lines come after it, and each is found.
    let content = (&b"a,b\n1,\"x\n"[..]).chain(repeat(b"3,4567890123456789012345678901\n", 32 << 20));
    let (records, faults, _, most) = count(Format::Csv, content);
    assert_eq!((records, faults), (1 + (32_u64 << 20).div_ceil(31), 2));
    assert!(most < HELD, "{most}");
    // No line is a record by itself: the rest is one.
    let content = (&b"a,b\n1,\"x\n"[..]).chain(repeat(b"text\n", 32 << 20));
    let (records, faults, _, _) = count(Format::Csv, content);
    assert_eq!((records, faults), (1, 1));
}

#[test]
fn a_csv_record_that_is_too_long_costs_only_itself() {
    let long_line = format!("{}\n", "y,".repeat(MAX_RECORD_BYTES));
    for between in ["text\n".repeat(5 << 20), format!("{}{long_line}text\n", "text\n".repeat(4 << 20))] {
        // Closed, and never closed.
        for quote in ["\"\n", ""] {
            let content = format!("a,b\n0,a\n1,\"{between}{quote}2,\"b\"\n3,c");
            let offset = content.find("2,\"b\"").unwrap_or(0);
            let line = 1 + content[..offset].matches('\n').count() as u64;
            for chunk_bytes in [CHUNK_BYTES, MAX_OPEN_BYTES - 9, 100 << 20] {
                let mut splitter = Splitter::with_chunk_bytes(chunk_bytes);
                let mut plain = Plain { rest: content.as_bytes(), early: false };
                let (all, _) = records(&mut splitter, Format::Csv, &mut plain).expect("readable");
                let faulty: Vec<_> = all.iter().map(|record| record.fault.is_some()).collect();
                assert_eq!(faulty, [false, true, false, false], "{chunk_bytes}");
                let told = all[1].fault.as_deref().unwrap_or_default();
                assert!(told.contains("16777216 bytes") && told.contains("never closed"), "{told}");
                assert_eq!((&all[2].bytes[..], &all[3].bytes[..]), (&b"2,\"b\""[..], &b"3,c"[..]));
                assert_eq!(all[2].offset, offset as u64);
                assert_eq!((all[2].line, all[3].line), (line, line + 1));
                assert_eq!(splitter.content_bytes(), content.len() as u64);
            }
        }
    }
}

#[test]
fn quotes_do_not_make_it_quadratic() {
    // Each of these opens, closes or escapes quotes in every line; a search per line to the end would take hours.
    for pattern in
        [&b"\"\n"[..], b"\"\"\"\n", b"1,\"\n\"\"\n", b"\"a\"\"\n", b"x\"y,\"\"\"\n", b"\"\"\n\"\"\"\n", b"1,\"x\n2,3\n"]
    {
        let (records, faults, _, _) = count(Format::Csv, (&b"a,b\n"[..]).chain(repeat(pattern, 20 << 20)));
        assert!(records > 0 && faults > 0, "{records} {faults}");
    }
}

#[test]
fn a_record_of_just_the_limit_is_whole() {
    for (extra, end, bad) in
        [(0, "\n", 0), (0, "\r\n", 0), (1, "\n", 1), (1, "\r\n", 1), (2, "\n", 1), (0, "", 0), (1, "", 1)]
    {
        let fill = "x".repeat(MAX_RECORD_BYTES - 8 + extra);
        let content = format!("{{\"a\":1}}\n{{\"a\":\"{fill}\"}}{end}");
        for chunk_bytes in [CHUNK_BYTES, MAX_OPEN_BYTES - 9, 64 << 20] {
            let mut splitter = Splitter::with_chunk_bytes(chunk_bytes);
            let mut plain = Plain { rest: content.as_bytes(), early: false };
            let (all, _) = records(&mut splitter, Format::Json, &mut plain).expect("readable");
            assert_eq!(all.len(), 2);
            assert_eq!(u64::from(all[1].fault.is_some()), bad, "{extra} {end:?} {chunk_bytes}");
            if bad == 1 {
                let found = format!("({} bytes)", MAX_RECORD_BYTES + extra);
                assert!(all[1].fault.as_ref().is_some_and(|fault| fault.contains(&found)), "{:?}", all[1].fault);
            }
        }
    }
}
