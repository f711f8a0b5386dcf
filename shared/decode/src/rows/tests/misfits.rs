//! Which columns values were rescued from.

use super::*;

fn named(rows: &mut Rows) -> Vec<(String, usize, String)> {
    let misfits = rows.take_misfits();
    assert!(misfits.further.is_empty() && !misfits.uncounted);
    misfits.named.into_iter().map(|misfit| (misfit.column, misfit.row, misfit.example)).collect()
}

fn place(column: &str, row: usize, example: &str) -> (String, usize, String) {
    (column.to_owned(), row, example.to_owned())
}

#[test]
fn each_column_is_named_once_with_its_first_value() {
    let mut rows = rows("price bigint, customer struct<zip: array<bigint>, `a b`: double>, tag string");
    let records = [
        r#"{"price":1,"ID":null}"#,
        r#"{"price":1.5}"#,
        r#"{"price":"abc","customer":{"zip":[1,"x","y"],"a b":true},"ID":{"deep":[1]}}"#,
        r#"{"price":2,"price":3,"tag":"a","tag":"b"}"#,
        r#"{"customer":7}"#,
    ];
    for record in records {
        rows.append_json(record).unwrap();
    }
    let expected = [
        place("price", 1, "1.5"),
        place("customer.zip.element", 2, "\"x\""),
        place("customer.`a b`", 2, "true"),
        place("ID", 2, "{\"deep\":[1]}"),
        place("tag", 3, "\"b\""),
        place("customer", 4, "7"),
    ];
    assert_eq!(named(&mut rows), expected);
    assert_eq!(named(&mut rows), [], "they were taken");
}

#[test]
fn each_cause_is_told() {
    let mut rows = rows("n bigint, day string");
    rows.never_empty(&["day".to_owned()]);
    rows.append_json(r#"{"n":"x","day":"","s":[],"n":1}"#).unwrap();
    let mut other = Rows::new(schema("n bigint"));
    other.append_json(r#"{"n":1,"\u006e":2}"#).unwrap();
    let causes = |rows: &mut Rows| -> Vec<_> { rows.take_misfits().named.into_iter().map(|m| m.cause).collect() };
    assert_eq!(
        causes(&mut rows),
        [MisfitCause::Type(Type::Long), MisfitCause::Empty, MisfitCause::NoColumn(NoColumn::NoType)]
    );
    assert_eq!(causes(&mut other), [MisfitCause::Twice]);
}

#[test]
fn why_there_is_no_column_is_told() {
    let mut rows = rows("n bigint, `a b` string, s struct<x: bigint>");
    rows.append_json(
        r#"{"e":{"l":[{},[null]],"":null},"N":1,"a_b":2,"A B":3,"_SOURCE_row":4,"s":{"X":5},"new":{"k":6}}"#,
    )
    .unwrap();
    let taken = |column: &str| NoColumn::Taken(column.to_owned());
    let found: Vec<_> = rows.take_misfits().named.into_iter().map(|m| (m.column, m.cause)).collect();
    let expected = [
        ("e", NoColumn::NoType),
        ("N", taken("n")),
        ("a_b", taken("a_b")),
        ("`A B`", taken("a_b")),
        ("_SOURCE_row", taken("_source_row")),
        ("s.X", taken("s.x")),
        ("new", NoColumn::Limit),
    ];
    assert_eq!(found, expected.map(|(column, why)| (column.to_owned(), MisfitCause::NoColumn(why))));
}

#[test]
fn what_nests_too_deep_is_told_from_what_a_full_table_lacks() {
    let mut rows = rows("n bigint, s struct<x: bigint>");
    let lists = |count: usize, inner: &str| format!("{}{inner}{}", "[".repeat(count), "]".repeat(count));
    let columns = [("fits", lists(29, "1")), ("deep", lists(30, "1")), ("empty", lists(40, ""))];
    for (name, value) in &columns {
        rows.append_json(&format!(r#"{{"{name}":{value}}}"#)).unwrap();
    }
    let (fits, deep) = (lists(28, "1"), lists(29, r#"null,"x""#));
    rows.append_json(&format!(r#"{{"s":{{"fits":{fits},"deep":{deep}}}}}"#)).unwrap();
    let found: Vec<_> = rows.take_misfits().named.into_iter().map(|m| (m.column, m.cause)).collect();
    let expected = [
        ("fits", NoColumn::Limit),
        ("deep", NoColumn::Nesting),
        ("empty", NoColumn::NoType),
        ("s.fits", NoColumn::Limit),
        ("s.deep", NoColumn::Nesting),
    ];
    assert_eq!(found, expected.map(|(column, why)| (column.to_owned(), MisfitCause::NoColumn(why))));
}

#[test]
fn csv_tells_its_columns_too() {
    let mut rows = rows("n bigint, day string, o struct<x: bigint>");
    rows.never_empty(&["day".to_owned()]);
    rows.set_csv_header(&["n", "n", "day", "o", "late"].map(str::to_owned));
    for record in [&["1", "", "a", "", ""], &["x", "2", "\"", r#"{"x":"y"}"#, "z"], &["\"", "", "", "7", ""]] {
        rows.append_csv(&fields(record)).unwrap();
    }
    let found = rows.take_misfits().named;
    let told: Vec<_> = found.iter().map(|m| (m.column.as_str(), m.row, m.example.as_str())).collect();
    let expected = [("n", 1, "x"), ("day", 1, ""), ("o.x", 1, "\"y\""), ("late", 1, "z"), ("o", 2, "7")];
    assert_eq!(told, expected);
    assert_eq!((&found[0].cause, &found[1].cause), (&MisfitCause::Type(Type::Long), &MisfitCause::Empty));
}

#[test]
fn rows_that_go_take_their_columns_with_them() {
    let mut rows = rows("a bigint, b bigint");
    rows.append_json(r#"{"a":"x"}"#).unwrap();
    rows.append_json(r#"{"a":"y","b":"z"}"#).unwrap();
    rows.truncate(1);
    assert_eq!(named(&mut rows), [place("a", 0, "\"x\"")]);
    rows.append_json(r#"{"b":"z"}"#).unwrap();
    rows.finish();
    assert_eq!(named(&mut rows), []);
}

#[test]
fn a_thousand_are_named_and_the_others_counted() {
    let mut rows = rows("a bigint");
    rows.refuse_unknown();
    for row in 0..30 {
        let members: Vec<_> = (0..100).map(|n| format!("\"f{}\":[]", row / 2 * 100 + n)).collect();
        rows.append_json(&format!("{{{}}}", members.join(","))).unwrap();
    }
    let misfits = rows.take_misfits();
    assert_eq!((misfits.named.len(), misfits.further.len(), misfits.uncounted), (MAX_MISFITS_NAMED, 500, false));
    assert!(misfits.further.contains(&column_hash("f1499")) && !misfits.further.contains(&column_hash("f999")));
    assert_eq!((misfits.named[0].column.as_str(), misfits.named[999].column.as_str()), ("f0", "f999"));
}

#[test]
fn a_long_name_is_cut() {
    let mut rows = rows("a bigint");
    rows.append_json(&format!("{{\"{}\":[]}}", "é".repeat(5_000))).unwrap();
    let column = &rows.take_misfits().named[0].column;
    assert!(column.len() < 300 && column.ends_with("é... (10000 bytes)"), "{column}");
}
