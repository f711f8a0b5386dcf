//! Formats and types as a user meets them: what a file holds, and what readers find.

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
