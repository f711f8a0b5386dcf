//! Peak memory stays below the setting, whatever the source looks like. The kernel's own count is what is judged.

use std::fs::{self, File};
use std::io::{BufWriter, Write};

use benches::layout::{self, Shape};
use benches::random::Random;
use benches::row;
use benches::truth::Truth;
use end_to_end::place::Place;
use end_to_end::process::Ended;
use end_to_end::reader::{self, Engine};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::exit;

/// Runs within so many MiB.
fn within(place: &Place, mebibytes: u64, more: &[&str]) -> Ended {
    let memory = format!("{mebibytes}MiB");
    let (ended, measured) = place.measured(&[&["--memory", &memory], more].concat());
    let peak = measured.peak_bytes >> 20;
    assert!(peak < mebibytes, "peak memory was {peak} MiB where {mebibytes} MiB are the bound; {}", ended.stderr);
    assert!(peak >= 5, "a peak of {peak} MiB is none: was the binary measured?");
    ended
}

fn counts(place: &Place, sql: &str) -> Vec<i64> {
    reader::ask(Engine::DuckDb, &[("rows", &place.table())], &[("counts", sql)]).integers("counts")
}

#[test]
fn twenty_thousand_tiny_files() {
    let place = Place::new("memory-tiny");
    let truth = layout::write_files(&place.source(), &Shape::new(20_000, 10, 51)).unwrap();
    within(&place, 256, &[]).expect(&[exit::FINAL]);
    let sql = "SELECT count(*), count(DISTINCT (_source_file, _source_row)), sum(order_id)::BIGINT FROM rows";
    assert_eq!(counts(&place, sql), [truth.rows, truth.rows, truth.order_ids]);
}

#[test]
fn one_gzip_file_of_300_megabytes() {
    let place = Place::new("memory-gzip");
    let file = BufWriter::new(File::create(place.source().join("large.json.gz")).unwrap());
    let (mut out, mut truth, mut lines) = (GzEncoder::new(file, Compression::fast()), Truth::default(), Vec::new());
    while truth.bytes < 300_000_000 {
        lines.clear();
        for _ in 0..1_000 {
            let next = truth.rows as u64;
            truth += row::write(&mut lines, 52, 0, next);
        }
        out.write_all(&lines).unwrap();
    }
    out.finish().unwrap().flush().unwrap();
    within(&place, 256, &[]).expect(&[exit::FINAL]);
    let sql = "SELECT count(*), count(DISTINCT _source_row), sum(order_id)::BIGINT FROM rows";
    assert_eq!(counts(&place, sql), [truth.rows, truth.rows, truth.order_ids]);
}

#[test]
fn a_very_wide_file() {
    const COLUMNS: usize = 1_900;
    const ROWS: i64 = 3_000;
    let place = Place::new("memory-wide");
    let mut out = BufWriter::new(File::create(place.source().join("wide.json")).unwrap());
    let mut random = Random::of(53, &[]);
    let mut sum = 0;
    for _ in 0..ROWS {
        for column in 0..COLUMNS {
            let value = random.below(1_000_000) as i64;
            sum += if column == COLUMNS - 1 { value } else { 0 };
            write!(out, "{}\"c{column}\":{value}", if column == 0 { '{' } else { ',' }).unwrap();
        }
        out.write_all(b"}\n").unwrap();
    }
    out.into_inner().unwrap();
    within(&place, 256, &[]).expect(&[exit::FINAL]);
    assert_eq!(counts(&place, "SELECT count(*), sum(c1899)::BIGINT FROM rows"), [ROWS, sum]);
}

#[test]
fn very_many_columns_after_many_narrow_rows() {
    const COLUMNS: i64 = 1_900;
    const ROWS: i64 = 600_000;
    let place = Place::new("memory-wide-late");
    let mut out = BufWriter::new(File::create(place.source().join("a.json")).unwrap());
    for row in 0..ROWS {
        // More bytes than the sample for the first schema has, and few values.
        writeln!(out, "{{\"id\":{row}{:110}}}", "").unwrap();
    }
    out.into_inner().unwrap();
    let late: Vec<String> = (0..COLUMNS).map(|column| format!("\"c{column}\":{column}")).collect();
    fs::write(place.source().join("b.json"), format!("{{{}}}\n", late.join(","))).unwrap();
    within(&place, 256, &[]).expect(&[exit::FINAL]);
    let sql = "SELECT count(*), sum(id)::BIGINT, sum(c1899)::BIGINT FROM rows";
    assert_eq!(counts(&place, sql), [ROWS + 1, ROWS * (ROWS - 1) / 2, COLUMNS - 1]);
}

#[test]
fn fifty_small_files_of_very_many_columns_become_one() {
    const COLUMNS: usize = 1_900;
    const ROWS: i64 = 100;
    let place = Place::new("memory-wide-upkeep");
    let mut random = Random::of(56, &[]);
    let mut sum = 0;
    for run in 0..50 {
        let mut out = BufWriter::new(File::create(place.source().join(format!("{run:02}.json"))).unwrap());
        for _ in 0..ROWS {
            for column in 0..COLUMNS {
                let value = random.below(1_000_000_000) as i64;
                sum += if column == COLUMNS - 1 { value } else { 0 };
                // Half of them texts.
                let quote = if column % 2 == 0 { "\"" } else { "" };
                let text = if column % 2 == 0 { "text " } else { "" };
                write!(out, "{}\"c{column}\":{quote}{text}{value}{quote}", if column == 0 { '{' } else { ',' })
                    .unwrap();
            }
            out.write_all(b"}\n").unwrap();
        }
        out.into_inner().unwrap();
        within(&place, 256, &["--z-order-by", "c1,c3"]).expect(&[exit::FINAL]);
    }
    assert_eq!(counts(&place, "SELECT count(*), sum(c1899)::BIGINT FROM rows"), [50 * ROWS, sum]);
    let status = place.lithify(&["status", place.table().to_str().unwrap(), "--json"]).expect(&[exit::FINAL]).json();
    assert!(
        status["table"]["files"]["files"].as_u64().is_some_and(|files| files < 5),
        "small files were merged: {status}"
    );
}

#[test]
fn large_records_of_many_columns_in_a_cluster_order() {
    const COLUMNS: usize = 1_900;
    const ROWS: i64 = 200;
    let place = Place::new("memory-wide-clustered");
    let mut out = BufWriter::new(File::create(place.source().join("wide.json")).unwrap());
    let mut random = Random::of(54, &[]);
    let (mut keys, mut last) = (0, 0);
    for _ in 0..ROWS {
        let key = random.below(1_000_000_000) as i64;
        keys += key;
        write!(out, "{{\"key\":{key}").unwrap();
        for column in 1..COLUMNS {
            let value = random.below(1_000_000) as i64;
            last += if column == COLUMNS - 1 { value } else { 0 };
            // Text that does not shrink to nothing: each word differs.
            write!(out, ",\"c{column}\":\"{value}").unwrap();
            for _ in 0..53 {
                write!(out, " {:016x}", random.below(u64::MAX)).unwrap();
            }
            out.write_all(b"\"").unwrap();
        }
        out.write_all(b"}\n").unwrap();
    }
    out.into_inner().unwrap();
    within(&place, 256, &["--cluster-by", "key"]).expect(&[exit::FINAL]);
    let last_column = "SELECT count(*), sum(key)::BIGINT, sum(split_part(c1899, ' ', 1)::BIGINT)::BIGINT FROM rows";
    assert_eq!(counts(&place, last_column), [ROWS, keys, last]);
}

#[test]
fn records_of_fifteen_megabytes_each_in_a_partition_of_its_own() {
    const FILES: i64 = 12;
    let place = Place::new("memory-large-partitions");
    let mut random = Random::of(55, &[]);
    for file in 0..FILES {
        let path = place.source().join(format!("{file:02}.json.gz"));
        let mut out = GzEncoder::new(BufWriter::new(File::create(path).unwrap()), Compression::fast());
        for record in 0..2 {
            let block: String = (0..64_000).map(|_| format!("{:016x}", random.below(u64::MAX))).collect();
            writeln!(out, "{{\"n\":{},\"k\":\"{}\"}}", 2 * file + record, block.repeat(15)).unwrap();
        }
        out.finish().unwrap().flush().unwrap();
    }
    within(&place, 256, &["--partition-columns", "n"]).expect(&[exit::FINAL]);
    let sql = "SELECT count(*), sum(n::BIGINT)::BIGINT, sum(length(k))::BIGINT FROM rows";
    let rows = 2 * FILES;
    assert_eq!(counts(&place, sql), [rows, rows * (rows - 1) / 2, rows * 15 * 1_024_000]);
}

/// Each takes much in another way; together they are one table, and are merged into one file.
#[test]
fn large_texts_long_lists_and_many_columns_together() {
    let place = Place::new("memory-mixed");
    let write = |name: String, lines: &mut dyn Iterator<Item = String>| {
        let mut out = BufWriter::new(File::create(place.source().join(name)).unwrap());
        lines.for_each(|line| writeln!(out, "{line}").unwrap());
        out.into_inner().unwrap();
    };
    let object = |of: &dyn Fn(usize) -> String, count| (0..count).map(of).collect::<Vec<_>>().join(",");
    for file in 0..4 {
        write(format!("text-{file}.json"), &mut (0..3).map(|n| format!("{{\"t\":\"{n}{}\"}}", "x".repeat(15_900_000))));
    }
    let members = format!("{{\"l\":[{{{}}}]}}", object(&|n| format!("\"m{n}\":\"a\""), 300));
    let list = format!("{{\"l\":[{}]}}", object(&|_| "{}".to_owned(), 21_000));
    for file in 0..3 {
        write(format!("list-{file}.json"), &mut std::iter::once(&members).chain([&list; 3]).cloned());
    }
    let columns = format!("{{{}}}", object(&|n| format!("\"k{n}\":{n}"), 1_500));
    for file in 0..2 {
        let narrow = (0..6_000).map(|n| format!("{{\"id\":{n}}}"));
        write(format!("wide-{file}.json"), &mut std::iter::once(columns.clone()).chain(narrow));
    }
    within(&place, 256, &[]).expect(&[exit::FINAL]);
    let sql = "SELECT count(*), sum(length(t))::BIGINT, sum(len(l))::BIGINT, sum(id)::BIGINT FROM rows";
    let narrow = 2 * (0..6_000).sum::<i64>();
    assert_eq!(counts(&place, sql), [12 + 12 + 2 * 6_001, 12 * 15_900_001, 3 * (1 + 3 * 21_000), narrow]);
}

#[test]
fn one_line_of_200_megabytes_is_quarantined() {
    let place = Place::new("memory-line");
    let path = place.source().join("line.json");
    let mut out = BufWriter::new(File::create(&path).unwrap());
    out.write_all(b"{\"id\":1,\"text\":\"").unwrap();
    for _ in 0..200 {
        out.write_all(&[b'x'; 1_000_000]).unwrap();
    }
    out.write_all(b"\"}\n").unwrap();
    out.into_inner().unwrap();
    assert!(fs::metadata(&path).unwrap().len() > 200_000_000);
    fs::write(place.source().join("good.json"), "{\"id\":2}\n").unwrap();
    within(&place, 256, &[]).expect(&[exit::QUARANTINED]);
    assert_eq!(counts(&place, "SELECT count(*), sum(id)::BIGINT FROM rows"), [1, 2]);
    let balance = "SELECT sum(rows)::BIGINT, sum(records)::BIGINT - sum(quarantined_records)::BIGINT FROM drops";
    let answer = reader::ask(Engine::DuckDb, &[("drops", &place.audit())], &[("balance", balance)]);
    assert_eq!(answer.integers("balance"), [1, 1], "rows, and records less quarantined ones, in the audit table");
}
