//! Hostile input: files that are made to take memory, time or neighbours with them. Each meets a limit, is told of with its name, place and
//! reason, leaves its neighbour in peace, and the whole run stays within the least memory that can be set, as the kernel counts it.
//!
//! What is large is sparse on disk: a gigabyte of zero bytes takes none.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};

use end_to_end::drops::put;
use end_to_end::place::Place;
use end_to_end::reader::{self, Engine};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::exit;

/// The least that `--memory` takes.
const MEBIBYTES: u64 = 256;

const GIBIBYTE: u64 = 1 << 30;

/// What must come of a file.
#[derive(Clone, Copy)]
enum Expected {
    /// It is quarantined whole, for a reason with this in it.
    Unreadable(&'static str),
    /// So many rows, so many quarantined records, each for a reason with this in it.
    Records(u64, u64, &'static str),
    /// So many rows, of which so many have rescued data.
    Rows(u64, u64),
    /// It is not read: counted under its extension.
    Skipped,
}

use Expected::{Records, Rows, Skipped, Unreadable};

/// A file, and what must come of it.
struct Hostile {
    name: &'static str,
    write: fn(&mut File) -> io::Result<()>,
    expected: Expected,
}

fn hostile(name: &'static str, write: fn(&mut File) -> io::Result<()>, expected: Expected) -> Hostile {
    Hostile { name, write, expected }
}

/// Zero bytes that take no room on disk.
fn zeros(file: &mut File, count: u64) -> io::Result<()> {
    let end = file.stream_position()? + count;
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end)).map(|_| ())
}

fn repeat(file: &mut File, text: &str, count: usize) -> io::Result<()> {
    file.write_all(text.repeat(count).as_bytes())
}

/// Names by the hundred thousand.
fn names(count: usize, write: impl Fn(usize) -> String) -> String {
    (0..count).map(write).collect::<Vec<_>>().join(",")
}

/// Every hostile input; docs/testing.md has the same table with what was measured.
fn table() -> Vec<Hostile> {
    vec![
        hostile("bomb.json.gz", gzip_bomb, Unreadable("decompression bomb")),
        hostile("bomb.json.zst", zstd_bomb, Unreadable("decompression bomb")),
        hostile(
            "bomb_of_gzips.json.gz",
            |f| {
                for _ in 0..2 {
                    gzip_bomb(f)?;
                }
                Ok(())
            },
            Unreadable("decompression bomb"),
        ),
        hostile(
            "window.json.zst",
            |f| f.write_all(b"\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00"),
            Unreadable("window of more than the limit"),
        ),
        hostile(
            "no_gzip.json.gz",
            |f| f.write_all(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff\xff\xff"),
            Unreadable("damaged"),
        ),
        hostile("nested.json", |f| nested(f, true), Records(2, 1, "deeper than the limit of 64 levels")),
        hostile("nested_open.json", |f| nested(f, false), Records(2, 1, "deeper than the limit of 64 levels")),
        hostile("brackets.json", |f| repeat(f, "[", 100_000), Unreadable("the file ends within a record")),
        hostile("objects.json", |f| repeat(f, "{\"a\":", 100_000), Unreadable("the file ends within a record")),
        hostile("line.json", long_line, Records(2, 1, "longer than the limit of 16777216 bytes")),
        hostile(
            "line.csv",
            |f| {
                f.write_all(b"id,b\n1,x\n2,")?;
                zeros(f, GIBIBYTE)?;
                f.write_all(b"\n3,y\n")
            },
            Records(2, 1, "longer than the limit of 16777216 bytes"),
        ),
        hostile(
            "open_quote.csv",
            |f| {
                f.write_all(b"id,b\n1,x\n2,\"")?;
                zeros(f, GIBIBYTE)
            },
            Records(1, 1, "longer than the limit of 16777216 bytes"),
        ),
        hostile(
            "open_header.csv",
            |f| {
                f.write_all(b"id,\"")?;
                zeros(f, GIBIBYTE)
            },
            Unreadable("header"),
        ),
        hostile("zeros.json", |f| zeros(f, GIBIBYTE), Unreadable("longer than the limit of 16777216 bytes")),
        hostile("zeros.csv", |f| zeros(f, GIBIBYTE), Unreadable("header")),
        hostile(
            "utf8.json",
            |f| f.write_all(b"{\"id\":1}\n{\"a\":\"\xff\xfe\"}\n{\"id\":2}\n"),
            Records(2, 1, "no valid UTF-8 at byte 7"),
        ),
        hostile("utf8.csv", |f| f.write_all(b"id,b\n1,x\n2,\xc3\x28\n"), Records(1, 1, "no valid UTF-8 at byte 3")),
        hostile("utf16.json", |f| f.write_all(b"\xff\xfe{\0}\0"), Unreadable("encoded in UTF-16")),
        hostile(
            "nul.json",
            |f| f.write_all(b"{\"id\":1}\n\0\0\n{\"a\":\"x\0\"}\n{\"id\":2}\n"),
            Records(2, 2, "no valid JSON"),
        ),
        hostile("twins.json", |f| f.write_all(b"{\"id\":1,\"id\":2,\"ID\":3}\n"), Rows(1, 1)),
        hostile(
            "numbers.json",
            |f| f.write_all(format!("{{\"id\":1,\"x\":1e400}}\n{{\"id\":{},\"x\":0.5}}\n", "9".repeat(400)).as_bytes()),
            Rows(2, 1),
        ),
        hostile(
            "nan.json",
            |f| f.write_all(b"{\"id\":NaN}\n{\"id\":Infinity}\n{\"id\":-Infinity}\n{\"id\":1}\n"),
            Records(1, 3, "no valid JSON"),
        ),
        hostile("nan.csv", |f| f.write_all(b"id,x\n1,0.5\n2,NaN\n3,-Infinity\n"), Rows(3, 0)),
        hostile(
            "million_keys.json",
            |f| write!(f, "{{{}}}\n{{\"id\":1}}\n", names(1_000_000, |n| format!("\"k{n}\":1"))),
            Records(1, 1, "more values than the limit of 500000"),
        ),
        hostile("many_keys.json", |f| writeln!(f, "{{{}}}", names(400_000, |n| format!("\"k{n}\":{n}"))), Rows(1, 1)),
        hostile(
            "million_names.csv",
            |f| writeln!(f, "{}\n1,2", names(1_000_000, |n| format!("n{n}"))),
            Unreadable("more fields than the limit of 10000"),
        ),
        hostile(
            "many_names.csv",
            |f| writeln!(f, "{}\n{}", names(10_000, |n| format!("n{n}")), names(10_000, |n| n.to_string())),
            Rows(1, 1),
        ),
        hostile("long_name.json", |f| writeln!(f, "{{\"id\":1,\"{}\":1}}", "n".repeat(1 << 20)), Rows(1, 1)),
        hostile(
            "entities.json",
            |f| f.write_all(b"<!DOCTYPE x [<!ENTITY a \"&b;&b;\">]><x>&a;</x>\n{\"id\":1}\n"),
            Records(1, 1, "no valid JSON"),
        ),
        hostile("entities.xml", |f| f.write_all(b"<!DOCTYPE x [<!ENTITY a \"&b;&b;\">]><x>&a;</x>"), Skipped),
        hostile("footer.parquet", |f| f.write_all(b"PAR1\xff\xff\xff\x7fPAR1"), Skipped),
        hostile("escape\u{1b}[2J\nroot\r.json", |f| f.write_all(b"{\"id\":1}\nx\n"), Records(1, 1, "no valid JSON")),
    ]
}

/// As hard as deflate packs: 1030 to 1.
fn gzip_bomb(file: &mut File) -> io::Result<()> {
    let mut encoder = GzEncoder::new(file, Compression::best());
    io::copy(&mut io::repeat(b' ').take(100 << 20), &mut encoder)?;
    encoder.finish().map(|_| ())
}

fn zstd_bomb(file: &mut File) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(file, 1)?;
    io::copy(&mut io::repeat(b' ').take(GIBIBYTE), &mut encoder)?;
    encoder.finish().map(|_| ())
}

fn nested(file: &mut File, closed: bool) -> io::Result<()> {
    file.write_all(b"{\"id\":1}\n{\"a\":")?;
    repeat(file, "[", 100_000)?;
    if closed {
        repeat(file, "]", 100_000)?;
        file.write_all(b"}")?;
    }
    file.write_all(b"\n{\"id\":2}\n")
}

/// A record whose list tells of 300 members, then records of so many elements without any.
fn elements(file: &mut File, count: usize, records: usize) -> io::Result<()> {
    writeln!(file, "{{\"l\":[{{{}}}]}}", names(300, |n| format!("\"m{n}\":\"a\"")))?;
    repeat(file, &format!("{{\"l\":[{}{{}}]}}\n", "{},".repeat(count - 1)), records)
}

fn long_line(file: &mut File) -> io::Result<()> {
    file.write_all(b"{\"id\":1}\n{\"a\":\"")?;
    zeros(file, GIBIBYTE)?;
    file.write_all(b"\"}\n{\"id\":2}\n")
}

/// The entries of the quarantine.
fn quarantined(place: &Place) -> Vec<Value> {
    let folder = place.state().join("quarantine/default");
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    texts.flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>()).collect()
}

/// Reads one hostile file and its neighbour; gives the peak in MiB, and what was seen as a row of the table in docs/testing.md.
fn check(input: &Hostile) -> (u64, String) {
    let place = Place::new("hostile");
    put(&place.source(), "0_neighbour.json", b"{\"id\":7777}\n");
    (input.write)(&mut File::create(place.source().join(input.name)).unwrap()).unwrap();
    let (ended, measured) = place.measured(&["--memory", &format!("{MEBIBYTES}MiB")]);
    let name = input.name;
    let ended = ended.expect(&[exit::FINAL, exit::QUARANTINED]);
    let shown = ended.stderr.clone();
    assert!(!shown.contains('\u{1b}') && !shown.contains('\r'), "{name}: a name writes to the terminal: {shown:?}");
    let (peak, told) = (measured.peak_bytes >> 20, ended.json());
    let count = |field: &str| told["total"][field].as_u64().unwrap();
    let entries = quarantined(&place);
    let reasons: Vec<&str> = entries.iter().map(|entry| entry["reason"].as_str().unwrap()).collect();
    let own = |reason: &str| {
        assert!(!reason.is_empty(), "{name}: any reason would do");
        assert!(reasons.iter().all(|found| found.contains(reason)), "{name}: {reasons:?}");
        assert!(entries.iter().all(|entry| entry["source_file"] == *name), "{name}: {entries:?}");
    };
    let (rows, records) = match input.expected {
        Unreadable(reason) => {
            own(reason);
            assert_eq!((entries.len(), count("drops_quarantined")), (1, 1), "{name}");
            (0, 0)
        }
        Records(rows, records, reason) => {
            own(reason);
            assert_eq!(entries.len() as u64, records, "{name}: {entries:?}");
            assert!(
                entries.iter().all(|entry| entry["line"].is_u64() && entry["byte_start"].is_u64()),
                "{name}: {entries:?}"
            );
            (rows, records)
        }
        Rows(rows, rescued) => {
            assert_eq!(count("rescued_rows"), rescued, "{name}");
            (rows, 0)
        }
        Skipped => {
            assert_eq!(count("files_of_unknown_format"), 1, "{name}");
            (0, 0)
        }
    };
    assert_eq!((count("rows"), count("quarantined_records")), (rows + 1, records), "{name}: {reasons:?}");
    let ask = "SELECT count(*), count(*) FILTER (CAST(id AS VARCHAR) = '7777') FROM rows";
    let answer = reader::ask(Engine::DuckDb, &[("rows", &place.table())], &[("rows", ask)]);
    assert_eq!(answer.integers("rows"), [rows as i64 + 1, 1], "{name}: the neighbour is there once");
    let told = reasons.first().map_or_else(|| format!("{rows} rows"), |reason| (*reason).to_owned());
    let row = format!("| {} | {told} | {peak} MiB | {:.1} s |", name.escape_default(), measured.seconds);
    println!("{row}");
    (peak, row)
}

#[test]
fn hostile_files_meet_limits() {
    // Every one is tried, so that one look shows all.
    let seen: Vec<_> = table().iter().map(|input| (input.name, std::panic::catch_unwind(|| check(input)))).collect();
    let wrong: Vec<_> = seen.iter().filter(|(_, seen)| seen.is_err()).map(|(name, _)| name).collect();
    assert!(wrong.is_empty(), "see above: {wrong:?}");
    let over: Vec<_> =
        seen.iter().filter(|(_, seen)| seen.as_ref().is_ok_and(|(peak, _)| *peak >= MEBIBYTES)).collect();
    assert!(over.is_empty(), "more than {MEBIBYTES} MiB: {over:?}");
}

/// Few bytes that are many in memory: a row has a place in each of 2,000 columns, an element in each column below its list.
fn wide() -> Vec<Hostile> {
    vec![
        hostile("new_names.json", |f| (0..5_000).try_for_each(|n| writeln!(f, "{{\"k{n}\":{n}}}")), Rows(5_000, 3_001)),
        hostile(
            "narrow_rows.json",
            |f| {
                writeln!(f, "{{{}}}", names(1_990, |n| format!("\"k{n}\":{n}")))?;
                repeat(f, "{\"id\":1}\n", 12_000)
            },
            Rows(12_001, 0),
        ),
        hostile(
            "sparse_rows.json",
            |f| (0..12_000).try_for_each(|n| writeln!(f, "{{\"k{}\":{n}}}", n % 1_900)),
            Rows(12_000, 0),
        ),
        hostile(
            "sparse_members.json",
            |f| (0..12_000).try_for_each(|n| writeln!(f, "{{\"o\":{{\"k{}\":\"{n}\"}}}}", n % 1_900)),
            Rows(12_000, 0),
        ),
        hostile(
            "sparse.csv",
            |f| {
                writeln!(f, "{}", names(1_900, |n| format!("k{n}")))?;
                repeat(f, &format!("1{}\n", ",".repeat(1_899)), 5_000)
            },
            Rows(5_000, 0),
        ),
        hostile("elements.json", |f| elements(f, 21_000, 5), Rows(6, 0)),
        hostile(
            "elements_above.json",
            |f| {
                elements(f, 23_000, 1)?;
                f.write_all(b"{\"id\":1}\n")
            },
            Records(2, 1, "more than the limit of 33554432 bytes as columns"),
        ),
        hostile(
            "long_texts.json",
            |f| (0..4).try_for_each(|n| writeln!(f, "{{\"t\":\"{n}{}\"}}", "x".repeat(15_900_000))),
            Rows(4, 0),
        ),
    ]
}

#[test]
fn few_bytes_that_are_many_in_memory_stay_within_it() {
    let over: Vec<_> = wide().iter().map(check).filter(|(peak, _)| *peak >= MEBIBYTES).collect();
    assert!(over.is_empty(), "more than {MEBIBYTES} MiB: {over:?}");
}

/// A key of the most bytes that S3 takes, as a path.
#[test]
fn a_path_of_a_thousand_bytes() {
    let place = Place::new("hostile-path");
    let path = [&"d".repeat(250), &"é".repeat(120), &"f".repeat(250), &"g".repeat(242)].map(String::as_str).join("/");
    put(&place.source(), &format!("{path}/{}.json", "k".repeat(30)), b"{\"id\":1}\n");
    let shown = place.run(&[]).expect(&[exit::FINAL]).json();
    assert_eq!(shown["total"]["rows"].as_u64(), Some(1));
    let sql = "SELECT length(_source_file)::BIGINT FROM rows";
    let answer = reader::ask(Engine::DuckDb, &[("rows", &place.table())], &[("rows", sql)]);
    assert!(answer.integers("rows")[0] > 900);
}
