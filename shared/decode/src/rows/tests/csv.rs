//! Each fitting rule for CSV text.

use super::*;

fn check(data_type: &str, text: &str, cell: Option<Value>) {
    let found = fitted_csv(&format!("x {data_type}"), &["x"], &[&[text]]);
    let plain = text.strip_prefix('"').unwrap_or(text);
    let expected = match cell {
        Some(Value::Null) => kept(json!({})),
        Some(cell) => kept(json!({ "x": cell })),
        None => rescued(json!({}), &json!({ "x": plain }).to_string()),
    };
    assert_eq!(found, [expected], "{data_type} {text}");
}

#[test]
fn empty_is_null_and_empty_in_quotes_is_text() {
    for data_type in ["boolean", "bigint", "double", "date", "timestamp", "struct<a: date>", "array<date>"] {
        check(data_type, "", Some(Value::Null));
        check(data_type, "\"", None);
    }
    check("string", "", Some(Value::Null));
    check("string", "\"", Some(json!("")));
}

#[test]
fn a_column_that_takes_no_empty_text_has_it_rescued_and_counted() {
    let mut rows = rows("day string, name string");
    rows.never_empty(&["day".to_owned(), "later".to_owned()]);
    rows.set_csv_header(&["day".to_owned(), "name".to_owned()]);
    for record in [&["\"", "\""][..], &["", "a"], &["x", "b"]] {
        rows.append_csv(&fields(record)).unwrap();
    }
    rows.append_json(r#"{"day":"","name":"","later":""}"#).unwrap();
    assert_eq!(rows.rescued_rows(), 2);
    let whole = rows.unknown().unwrap().resolve(&Hints::default(), Some(rows.schema())).schema;
    rows.evolve(Arc::new(whole)).unwrap();
    rows.append_json(r#"{"later":""}"#).unwrap();
    assert_eq!(rows.rescued_rows(), 3);
    let found = read(&rows.finish());
    assert_eq!(found[0], rescued(json!({"name": ""}), r#"{"day":""}"#));
    assert_eq!(found[1], kept(json!({"name": "a"})));
    assert_eq!(found[3], rescued(json!({"name": ""}), r#"{"day":"","later":""}"#));
    assert_eq!(found[4], rescued(json!({}), r#"{"later":""}"#));
}

#[test]
fn text_by_type() {
    check("string", " 007 ", Some(json!(" 007 ")));
    check("bigint", "-42", Some(json!(-42)));
    check("bigint", "\"42", Some(json!(42)));
    check("bigint", "1.0", Some(json!(1)));
    check("double", "1", Some(json!(1.0)));
    check("double", "-1.5e3", Some(json!(-1500.0)));
    check("boolean", "TRUE", Some(json!(true)));
    check("boolean", "False", Some(json!(false)));
    check("date", "1970-01-02", Some(json!(1)));
    check("timestamp", "1970-01-01 00:00:01Z", Some(json!(1_000_000)));
    check("struct<a: bigint>", "{\"a\":1}", Some(json!({"a": 1})));
    check("array<bigint>", " [1,2] ", Some(json!([1, 2])));
    for text in ["007", "+1", " 1", "-0", "1.5", "1e99", "x", "0x1", "9223372036854775808", "tab\t\"quote"] {
        check("bigint", text, None);
    }
    for text in ["1.", ".5", "inf", "NaN", "1e999", "9007199254740993", "1,5"] {
        check("double", text, None);
    }
    for text in ["1", "yes", "truely"] {
        check("boolean", text, None);
    }
    for text in ["{", "[1]", "null", "1", "{\"a\":1}}"] {
        check("struct<a: bigint>", text, None);
    }
    for text in ["[1", "{}", "null", "\"x\""] {
        check("array<bigint>", text, None);
    }
}

#[test]
fn json_in_a_field_is_rescued_in_part() {
    let found = fitted_csv(
        "a bigint, s struct<b: bigint>, l array<bigint>",
        &["s", "a", "l", "\"new\" \\ one"],
        &[&["{\"b\":\"x\",\"c\":1}", "y", "[1,\"z\"]", "v"], &["{\"b\":1}", "2", "[3]", ""]],
    );
    assert_eq!(
        found,
        [
            rescued(
                json!({"s": {}, "l": [1, null]}),
                r#"{"s":{"b":"x","c":1},"a":"y","l":[null,"z"],"\"new\" \\ one":"v"}"#
            ),
            kept(json!({"s": {"b": 1}, "a": 2, "l": [3]})),
        ]
    );
}

#[test]
fn twins_and_unnamed_fields_of_the_header() {
    assert_eq!(
        fitted_csv(
            "a string, `` bigint",
            &["a", "a", "", "A", ""],
            &[&["1", "2", "3", "4", "5"], &["", "2", "", "", ""]]
        ),
        [rescued(json!({"a": "1", "_": 3}), r#"{"a":"2","A":"4","":"5"}"#), rescued(json!({}), r#"{"a":"2"}"#),]
    );
}

#[test]
fn the_number_of_fields_must_be_the_headers() {
    let mut rows = rows("a string");
    rows.set_csv_header(&["a".to_owned(), "b".to_owned()]);
    for record in [&["1"][..], &["1", "2", "3"]] {
        assert!(rows.append_csv(&fields(record)).unwrap_err().reason.contains("2 fields"));
    }
    assert_eq!(rows.len(), 0);
}

#[test]
fn headers_change_from_drop_to_drop() {
    let mut rows = rows("a string, b string");
    let header = |names: [&str; 2]| names.map(str::to_owned);
    rows.set_csv_header(&header(["a", "b"]));
    rows.append_csv(&fields(&["1", "2"])).unwrap();
    rows.set_csv_header(&header(["b", "c"]));
    rows.append_csv(&fields(&["3", "4"])).unwrap();
    assert_eq!(read(&rows.finish()), [kept(json!({"a": "1", "b": "2"})), rescued(json!({"b": "3"}), r#"{"c":"4"}"#)]);
}
