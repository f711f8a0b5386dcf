//! Formats and types as a user meets them: what a file holds, and what readers find.

use std::process::Command;

use end_to_end::drops::{gzip, put};
use end_to_end::place::Place;
use end_to_end::reader::{self, Engine};
use serde_json::{Value, json};

use crate::exit;

fn rows(place: &Place, sql: &str) -> Value {
    let answer = reader::ask(Engine::DuckDb, &[("rows", &place.table())], &[("rows", sql)]);
    Value::Array(answer.rows("rows").clone())
}

#[test]
fn csv_keeps_leading_zeros_and_tells_null_from_empty() {
    let place = Place::new("csv");
    let text =
        "id,zip,name,real,day,Full Name\n1,00501,,1,2026-03-01,\"a, \"\"b\"\"\"\n2,10001,\"\",2.5,2026-03-02,c\n";
    put(&place.source(), "in/a.csv", text.as_bytes());
    put(&place.source(), "in/b.csv.gz", &gzip(&[b"id,zip,name,real,day,Full Name\n3,00007,x,3,,d\n"]));
    place.run(&[]).expect(&[exit::FINAL]);
    let sql = "SELECT id, zip, name, real, CAST(day AS VARCHAR), \"Full_Name\", _rescued_data FROM rows ORDER BY id";
    let expected = json!([
        [1, "00501", null, 1.0, "2026-03-01", "a, \"b\"", null],
        [2, "10001", "", 2.5, "2026-03-02", "c", null],
        [3, "00007", "x", 3.0, null, "d", null],
    ]);
    assert_eq!(rows(&place, sql), expected);
}

#[test]
fn json_is_lines_arrays_and_documents() {
    let place = Place::new("json");
    put(&place.source(), "lines.json", b"{\"id\":1}\n{\"id\":2}");
    put(&place.source(), "array.json", b"[{\"id\":3},\n {\"id\":4}]");
    put(&place.source(), "document.json", b"{\n  \"id\": 5\n}\n{\n  \"id\": 6\n}\n");
    place.run(&[]).expect(&[exit::FINAL]);
    let sql = "SELECT id, _source_file, _source_row FROM rows ORDER BY id";
    let expected = json!([
        [1, "lines.json", 0],
        [2, "lines.json", 1],
        [3, "array.json", 0],
        [4, "array.json", 1],
        [5, "document.json", 0],
        [6, "document.json", 1],
    ]);
    assert_eq!(rows(&place, sql), expected);
}

#[test]
fn a_bad_first_line_costs_only_itself_where_the_name_says_lines() {
    let place = Place::new("named-lines");
    let good = b"{\"id\":1}\n{\"id\":2}\n";
    let bad: [&[u8]; 4] = [b"[1,2\n", b"{\"a\":1,\n", b"[\n", b"{\"a\":\n"];
    for (at, first) in bad.into_iter().enumerate() {
        let content = [first, good].concat();
        put(&place.source(), &format!("{at}.jsonl"), &content);
        put(&place.source(), &format!("{at}.ndjson.gz"), &gzip(&[&content]));
    }
    put(&place.source(), "told.json", b"[1,2\n{\"id\":1}\n{\"id\":2}\n");
    put(&place.source(), "array.jsonl", b"[\n {\"id\":1},\n {\"id\":2}\n]\n");
    let summary = place.run(&[]).expect(&[exit::QUARANTINED]).json();
    let total = &summary["total"];
    assert_eq!((&total["rows"], &total["quarantined_records"]), (&json!(20), &json!(9)), "{summary}");
    assert_eq!(total["drops_quarantined"], json!(0), "{summary}");
    let sql = "SELECT count(*), count(DISTINCT _source_file), CAST(sum(id) AS BIGINT) FROM rows";
    assert_eq!(rows(&place, sql), json!([[20, 10, 30]]));
}

#[test]
fn what_does_not_fit_is_rescued_and_new_columns_appear() {
    let place = Place::new("rescue");
    put(&place.source(), "1.json", b"{\"n\":1,\"a\":{\"x\":1}}\n{\"n\":2,\"a\":{\"x\":2}}\n");
    place.run(&[]).expect(&[exit::FINAL]);
    put(
        &place.source(),
        "2.json",
        b"{\"n\":\"three\",\"a\":{\"x\":3,\"y\":\"new\"},\"late\":true}\n{\"n\":4.5,\"a\":{\"x\":4}}\n",
    );
    place.run(&[]).expect(&[exit::FINAL]);
    let sql = "SELECT n, a.x, a.y, late, _rescued_data IS NOT NULL, coalesce(_rescued_data LIKE '%three%', false), \
               coalesce(_rescued_data LIKE '%4.5%', false) FROM rows ORDER BY _source_file, _source_row";
    let expected = json!([
        [1, 1, null, null, false, false, false],
        [2, 2, null, null, false, false, false],
        [null, 3, "new", true, true, true, false],
        [null, 4, null, null, true, false, true],
    ]);
    assert_eq!(rows(&place, sql), expected);
}

#[test]
fn a_file_that_ends_early_gives_its_whole_rows() {
    let place = Place::new("cut");
    put(&place.source(), "cut.json", b"{\"id\":1}\n{\"id\":2}\n{\"id\":3,\"na");
    put(&place.source(), "whole.json", b"{\"id\":9}\n");
    place.run(&[]).expect(&[exit::QUARANTINED]);
    assert_eq!(rows(&place, "SELECT id FROM rows ORDER BY id"), json!([[1], [2], [9]]));
}

#[test]
fn hidden_and_unknown_files_are_left_alone() {
    let place = Place::new("skip");
    put(&place.source(), "good.json", b"{\"id\":1}\n");
    for path in [".hidden.json", "_part.json", "half.json.tmp", "good.json.crc", "_dir/inside.json", "picture.png"] {
        put(&place.source(), path, b"{\"id\":2}\n");
    }
    let ended = place.run(&[]).expect(&[exit::FINAL]);
    assert!(ended.stdout.contains("png"), "the unknown extension is not counted in {}", ended.stdout);
    assert_eq!(rows(&place, "SELECT id FROM rows"), json!([[1]]));
}

#[test]
fn links_and_pipes_are_called_what_they_are() {
    let place = Place::new("links");
    put(&place.source(), "good.json", b"{\"id\":1}\n");
    std::os::unix::fs::symlink("nowhere.json", place.source().join("dead.json")).unwrap();
    std::os::unix::fs::symlink(".", place.source().join("loop")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(place.source().join("pipe.json")).status().unwrap();
    assert!(made.success());
    let total = place.run(&[]).expect(&[exit::FINAL]).json()["total"].clone();
    let counts = ["no_files", "files_of_unknown_format", "drops_ingested"].map(|name| total[name].as_u64());
    assert_eq!(counts, [Some(3), Some(0), Some(1)], "{total}");
    let (source, table) = (place.source(), place.path("other"));
    let words = ["run", source.to_str().unwrap(), table.to_str().unwrap(), "--settle-time", "0s"];
    let ended = place.lithify(&words);
    for part in ["(link to nothing): 1", "(link to a folder above): 1", "(pipe, socket or device): 1"] {
        assert!(ended.stdout.contains(part), "{part} is not in {}", ended.stdout);
    }
    assert!(!ended.stdout.contains("of unknown formats"), "{}", ended.stdout);
}

#[test]
fn a_table_inside_its_source_is_skipped() {
    let place = Place::new("inside");
    put(&place.source(), "a.json", b"{\"id\":1}\n");
    let (source, table) = (place.source(), place.source().join("lake/table"));
    for _ in 0..2 {
        let words = ["run", source.to_str().unwrap(), table.to_str().unwrap(), "--settle-time", "0s"];
        place.lithify(&words).expect(&[exit::FINAL]);
    }
    let answer = reader::ask(Engine::DuckDb, &[("rows", &table)], &[("count", "SELECT count(*) FROM rows")]);
    assert_eq!(answer.integers("count"), [1]);
}

/// A record whose field `a` holds a value below so many levels, of objects, of arrays, or of both by turns.
fn nested(id: usize, levels: usize, kind: usize) -> String {
    let object = |level: usize| kind == 0 || kind == 2 && level.is_multiple_of(2);
    let open: String = (0..levels).map(|level| if object(level) { "{\"x\":" } else { "[" }).collect();
    let close: String = (0..levels).rev().map(|level| if object(level) { '}' } else { ']' }).collect();
    format!("{{\"id\":{id},\"a{kind}\":{open}1{close}}}\n")
}

#[test]
fn what_nests_too_deep_for_readers_is_rescued_and_the_table_goes_on() {
    let place = Place::new("deep");
    put(&place.source(), "0.json", b"{\"id\":0}\n");
    place.run(&[]).expect(&[exit::FINAL]);
    let mut rows = 1;
    for kind in 0..3 {
        // Deepest first: what is rescued is no column, whatever came before.
        for levels in [63, 45, 31, 30] {
            let name = format!("{kind}-{levels}.json");
            put(&place.source(), &name, nested(rows, levels, kind).as_bytes());
            let summary = place.run(&[]).expect(&[exit::FINAL]).json();
            assert_eq!(summary["total"]["rescued_rows"], 1, "{name}: {summary}");
            let conflicts = summary["pipelines"][0]["conflicts"].to_string();
            assert!(conflicts.contains("limit of 30 levels"), "{name}: {conflicts}");
            rows += 1;
        }
        put(&place.source(), &format!("{kind}-29.json"), nested(rows, 29, kind).as_bytes());
        place.run(&[]).expect(&[exit::FINAL]);
        rows += 1;
    }
    place.run(&[]).expect(&[exit::FINAL]);
    let sql = "SELECT count(*), count(a0), count(a1), count(a2), count(_rescued_data) FROM rows";
    let answer = reader::ask(Engine::Delta, &[("rows", &place.table())], &[("count", sql)]);
    assert_eq!(answer.integers("count"), [rows as i64, 1, 1, 1, 12]);
    // DuckDB's time doubles with each level of arrays that it reads: `a1` would take minutes.
    let sql = "SELECT count(*), count(a0), count(a2), count(_rescued_data) FROM rows";
    let answer = reader::ask(Engine::DuckDb, &[("rows", &place.table())], &[("count", sql)]);
    assert_eq!(answer.integers("count"), [rows as i64, 1, 1, 12]);
}

#[test]
fn control_characters_in_names_become_underscores() {
    let place = Place::new("control");
    put(&place.source(), "a.json", b"{\"id\":1,\"a\\u0000b\":2,\"o\":{\"c\\u0001d\":3,\"e\\u0000\":4}}\n");
    put(&place.source(), "b.csv", b"id,x\0y\n2,z\n");
    place.run(&[]).expect(&[exit::FINAL]);
    for engine in [Engine::DuckDb, Engine::Delta] {
        let sql = "SELECT id, a_b, o['c_d'], o['e_'], x_y FROM rows ORDER BY id";
        let answer = reader::ask(engine, &[("rows", &place.table())], &[("rows", sql)]);
        let expected = [json!([1, 2, 3, 4, null]), json!([2, null, null, null, "z"])];
        assert_eq!(answer.rows("rows")[..], expected, "{engine:?}");
    }
    // The source's names are known to the next run as well.
    put(&place.source(), "c.json", b"{\"id\":3,\"a\\u0000b\":5}\n");
    let summary = place.run(&[]).expect(&[exit::FINAL]).json();
    assert_eq!(summary["total"]["rescued_rows"], 0, "{summary}");
    assert_eq!(rows(&place, "SELECT a_b FROM rows WHERE id = 3"), json!([[5]]));
}

#[test]
fn names_that_say_nothing_are_told_by_their_first_bytes() {
    let place = Place::new("silent");
    let json = b"{\"id\":1}\n";
    for name in ["a.log", "b.txt", "c.json.1", "d", "e.jsonlines", "f.out"] {
        put(&place.source(), name, json);
    }
    put(&place.source(), "g.log", b"[2026-11-22 10:00:00] started\n");
    put(&place.source(), "h.txt", b"id\n5\n");
    put(&place.source(), "i.geojson", json);
    let (source, table) = (place.source(), place.table());
    let words = ["run", source.to_str().unwrap(), table.to_str().unwrap(), "--settle-time", "0s"];
    let ended = place.lithify(&words).expect(&[exit::FINAL]);
    for part in [".geojson: 1", ".log: 1", ".txt: 1", "--format json"] {
        assert!(ended.stdout.contains(part), "{part} is not in {}", ended.stdout);
    }
    assert_eq!(rows(&place, "SELECT count(*) FROM rows"), json!([[6]]));
}

#[test]
fn an_empty_partition_value_is_rescued_counted_and_named() {
    let place = Place::new("empty-partition");
    put(&place.source(), "a.csv", b"id,day\n1,\"\"\n2,\"\"\n3,x\n4,\n");
    let flags = ["--partition-columns", "day"];
    let summary = place.run(&flags).expect(&[exit::FINAL]).json();
    assert_eq!(summary["total"]["rescued_rows"], 2, "{summary}");
    let conflicts = summary["pipelines"][0]["conflicts"].to_string();
    assert!(conflicts.contains("cannot be a partition's value"), "{conflicts}");
    let tables: [(&str, &std::path::Path); 1] = [("drops", &place.audit())];
    let answer = reader::ask(Engine::DuckDb, &tables, &[("rescued", "SELECT rows, rescued_rows FROM drops")]);
    assert_eq!(answer.integers("rescued"), [4, 2]);
}

#[test]
fn every_column_in_conflict_is_named_however_many_rows_are_rescued() {
    let place = Place::new("conflicts");
    put(&place.source(), "0.json", b"{\"id\":1,\"a\":1,\"o\":{\"b\":[1]}}\n");
    place.run(&[]).expect(&[exit::FINAL]);
    let mut lines = "{\"id\":2,\"a\":\"x\"}\n".repeat(5_000);
    lines += "{\"id\":3,\"o\":{\"b\":[\"y\"]}}\n{\"id\":4,\"a\":\"z\",\"A\":5}\n";
    put(&place.source(), "1.json", lines.as_bytes());
    let summary = place.run(&[]).expect(&[exit::FINAL]).json();
    assert_eq!(summary["total"]["rescued_rows"], 5_002, "{summary}");
    let pipeline = &summary["pipelines"][0];
    let columns: Vec<_> = pipeline["conflicts"].as_array().unwrap().iter().map(|one| &one["column"]).collect();
    assert!(["a", "o.b.element", "A"].iter().all(|name| columns.contains(&&json!(name))), "{pipeline}");
    assert_eq!((columns.len(), &pipeline["further_conflicts"]), (3, &json!(0)), "{pipeline}");
}

#[test]
fn a_wide_record_after_many_narrow_ones_is_a_row() {
    let place = Place::new("wide-late");
    std::fs::write(place.source().join("0.json"), "{\"id\":0}\n").unwrap();
    place.run(&[]).expect(&[exit::FINAL]);
    let narrow: String = (1..=40_000).map(|n| format!("{{\"id\":{n}}}\n")).collect();
    std::fs::write(place.source().join("a.json"), narrow).unwrap();
    let wide: Vec<String> = (0..1_990).map(|n| format!("\"k{n}\":{n}")).collect();
    std::fs::write(place.source().join("b.json"), format!("{{{}}}\n{{\"id\":-1}}\n", wide.join(","))).unwrap();
    // Every row in memory would take on every new column.
    let told = place.run(&["--workers", "1"]).expect(&[exit::FINAL]).json();
    assert_eq!((&told["total"]["rows"], &told["total"]["quarantined_records"]), (&40_002.into(), &0.into()), "{told}");
}

#[test]
fn small_files_that_others_wrote_in_all_ways_become_one() {
    let place = Place::new("foreign-files");
    put(&place.source(), "a.json", b"{\"id\":-1}\n");
    let script = end_to_end::checkout().join("tests/foreign_files.py");
    let made = Command::new(end_to_end::place::python()).arg(script).arg(place.table()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let files: usize = String::from_utf8_lossy(&made.stdout).trim().parse().unwrap();
    // Of everything in a row, whatever order its columns and rows have.
    let sql = "SELECT count(*), CAST(sum(hash(id, name, text, x, flag, day, tags, place.city, place.n)) AS VARCHAR) \
               FROM rows WHERE id >= 0";
    let before = rows(&place, sql);
    let ended = place.run(&["--append-existing"]).expect(&[exit::FINAL]);
    assert_eq!(ended.json()["total"]["files_merged"], files + 1, "{}", ended.stderr);
    assert_eq!(rows(&place, sql), before);
    assert_eq!(reader::describe(&place.table()).unwrap().files.len(), 1);
}
