//! Other people's readers open the table: what they see has the promised columns, types and values.

use benches::truth::select_list;
use end_to_end::check;
use end_to_end::drops::Drops;
use end_to_end::place::Place;
use end_to_end::reader::{self, Engine};
use serde_json::json;

use crate::exit;

const ROW_COLUMNS: [&str; 6] =
    ["_source_file", "_source_version", "_source_row", "_source_time", "_ingested_at", "_rescued_data"];

#[test]
fn columns_types_and_lineage_are_as_promised() {
    let place = Place::new("peers");
    let mut drops = Drops::new(&place.source(), 41);
    drops.add(200);
    place.run(&[]).expect(&[exit::QUARANTINED]);
    check::exactly_once(&place, &drops);

    let table = reader::describe(&place.table()).unwrap();
    let last: Vec<&str> = table.columns[table.columns.len() - 6..].iter().map(String::as_str).collect();
    assert_eq!(last, ROW_COLUMNS, "the row columns come last, in this order");
    for (column, kind) in [
        ("order_id", "long"),
        ("created_at", "timestamp"),
        ("shipped", "date"),
        ("paid", "boolean"),
        ("note", "string"),
        ("_source_row", "long"),
        ("_source_time", "timestamp"),
        ("_ingested_at", "timestamp"),
        ("_rescued_data", "string"),
    ] {
        assert_eq!(table.kind(column), &json!(kind), "type of {column}");
    }
    assert_eq!((&table.kind("customer")["type"], &table.kind("items")["type"]), (&json!("struct"), &json!("array")));

    let lineage = "SELECT count(*) FILTER (_rescued_data IS NOT NULL), count(*) FILTER (_source_version IS NULL), \
                   count(*) FILTER (_source_time IS NULL), count(*) FILTER (_ingested_at < _source_time), \
                   count(DISTINCT _source_file), count(DISTINCT _source_version) > 1 FROM rows";
    let answer = reader::ask(Engine::DuckDb, &[("rows", &place.table())], &[("lineage", lineage)]);
    assert_eq!(answer.rows("lineage"), &vec![json!([0, 0, 0, 0, drops.count(), true])]);
}

#[test]
fn two_engines_see_the_same_rows() {
    let place = Place::new("engines");
    let mut drops = Drops::new(&place.source(), 42);
    for _ in 0..3 {
        drops.add(50);
        place.run(&[]).expect(&[exit::QUARANTINED]);
    }
    // Only what both dialects understand.
    let sql =
        "SELECT count(*) AS n, sum(order_id) AS ids, count(shipped) AS shipped, count(coupon) AS coupons FROM rows";
    let find = |engine| reader::ask(engine, &[("rows", &place.table())], &[("sums", sql)]).rows("sums").clone();
    let truth = drops.truth;
    let expected = vec![json!([truth.rows, truth.order_ids, truth.shipped, truth.coupons])];
    assert_eq!(find(Engine::Delta), expected, "deltalake's own engine");
    let figures = format!("SELECT {} FROM rows", select_list());
    let answer = reader::ask(Engine::DuckDb, &[("rows", &place.table())], &[("figures", &figures)]);
    assert_eq!(answer.integers("figures"), truth.figures(), "DuckDB");
}

#[test]
fn statistics_let_a_reader_skip_files_without_losing_rows() {
    let place = Place::new("statistics");
    let mut drops = Drops::new(&place.source(), 43);
    for _ in 0..3 {
        drops.add(40);
        place.run(&[]).expect(&[exit::QUARANTINED]);
    }
    // deltalake prunes files by the statistics in the log; DuckDB over the files does not look there.
    let sql = "SELECT count(*) AS n, sum(order_id) AS ids FROM rows WHERE order_id BETWEEN 1000000020 AND 3000000060";
    let find = |engine| {
        let answer = reader::ask(engine, &[("rows", &place.table())], &[("range", sql)]);
        answer.rows("range")[0][0].as_i64()
    };
    let (pruned, all) = (find(Engine::Delta), find(Engine::DuckDb));
    assert!(all.is_some_and(|count| count > 0 && count < drops.truth.rows), "the range holds {all:?} rows");
    assert_eq!(pruned, all, "rows in a range of orders");
}
