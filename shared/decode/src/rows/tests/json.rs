//! Each fitting rule for JSON, and what is rescued how.

use arrow_schema::DataType;

use super::*;
use crate::schema::Field;

/// Whether a value, as JSON, fits a column `x` of a type and becomes `cell`; else it must be rescued as it is.
fn check(data_type: &str, value: &str, cell: Option<Value>) {
    let found = fitted(&format!("x {data_type}"), &[&format!("{{\"x\":{value}}}")]);
    let expected = match cell {
        Some(cell) => kept(json!({ "x": cell })),
        None => rescued(json!({}), &format!("{{\"x\":{value}}}")),
    };
    assert_eq!(found, [expected], "{data_type} {value}");
}

#[test]
fn booleans() {
    check("boolean", "true", Some(json!(true)));
    check("boolean", "false", Some(json!(false)));
    for value in ["1", "0", "\"true\"", "{}", "[]", "1.0"] {
        check("boolean", value, None);
    }
}

#[test]
fn longs() {
    check("bigint", "-9223372036854775808", Some(json!(i64::MIN)));
    check("bigint", "1.0", Some(json!(1)));
    check("bigint", "1e3", Some(json!(1000)));
    for value in ["1.5", "9223372036854775808", "1e30", "\"1\"", "true", "{}", "[1]"] {
        check("bigint", value, None);
    }
}

#[test]
fn doubles() {
    check("double", "0.1", Some(json!(0.1)));
    check("double", "1", Some(json!(1.0)));
    check("double", "100000000000000000000", Some(json!(1e20)));
    check("double", "0.1000000000000000055511151231257827021181583404541015625", Some(json!(0.1)));
    for value in ["9007199254740993", "1e999", "-1e999", "\"1.5\"", "\"NaN\"", "true", "[]"] {
        check("double", value, None);
    }
}

#[test]
fn strings_take_all_as_it_is_written() {
    check("string", "\"a\\n\\u00e9\\ud83d\\ude00\"", Some(json!("a\né😀")));
    check("string", "\"\"", Some(json!("")));
    for value in ["1.50", "true", "{ \"a\": [1] }", "[1, \"x\"]", "123456789012345678901234567890"] {
        check("string", value, Some(json!(value)));
    }
}

#[test]
fn dates_and_timestamps() {
    check("date", "\"1970-01-02\"", Some(json!(1)));
    check("date", "\"1970\\u002d01-02\"", Some(json!(1)));
    check("timestamp", "\"1970-01-01T00:00:01.000002Z\"", Some(json!(1_000_002)));
    check("timestamp", "\"1970-01-01\\u002001:00:00+0100\"", Some(json!(0)));
    for value in ["\"2026-02-30\"", "\"1970-01-01T00:00:00Z\"", "0", "\"\""] {
        check("date", value, None);
    }
    for value in ["\"1970-01-01\"", "\"1970-01-01T00:00:00\"", "\"1970-01-01T00:00:00.0000001Z\"", "0"] {
        check("timestamp", value, None);
    }
}

#[test]
fn structs_and_lists() {
    check("struct<a: bigint>", "{\"a\":1}", Some(json!({"a": 1})));
    check("struct<a: bigint>", "{}", Some(json!({})));
    check("struct<a: bigint>", "{\"a\":null}", Some(json!({})));
    check("array<bigint>", "[1,null,2]", Some(json!([1, null, 2])));
    check("array<bigint>", "[]", Some(json!([])));
    check("array<array<struct<a: string>>>", "[[{\"a\":\"x\"}],[],null]", Some(json!([[{"a": "x"}], [], null])));
    for value in ["1", "\"{}\"", "[]", "[{}]"] {
        check("struct<a: bigint>", value, None);
    }
    for value in ["1", "\"[]\"", "{}"] {
        check("array<bigint>", value, None);
    }
}

#[test]
fn null_fits_everything() {
    for data_type in ["boolean", "bigint", "double", "string", "date", "timestamp", "struct<a: date>", "array<date>"] {
        let found = fitted(&format!("x {data_type}"), &[r#"{"x":null}"#, "{}"]);
        assert_eq!(found, [kept(json!({})), kept(json!({}))], "{data_type}");
    }
}

#[test]
fn a_type_of_others_takes_only_null() {
    let decimal = Type::Other(DataType::Decimal128(10, 2));
    let mut rows = Rows::new(Arc::new(TableSchema { fields: vec![Field::new("x", decimal)] }));
    rows.append_json(r#"{"x":null}"#).unwrap();
    rows.append_json(r#"{"x":1.5,"x":null}"#).unwrap();
    let batch = rows.finish();
    assert_eq!((batch.column(0).data_type(), batch.column(0).null_count()), (&DataType::Decimal128(10, 2), 2));
    assert_eq!(batch.column(1).as_string::<i32>().iter().collect::<Vec<_>>(), [None, Some(r#"{"x":1.5}"#)]);
}

#[test]
fn what_does_not_fit_is_mirrored() {
    let ddl = "price double, customer struct<zip: string, age: bigint>, tags array<bigint>, at array<struct<t: date>>";
    let found = fitted(
        ddl,
        &[
            r#"{"price":"abc","customer":{"zip":"1","age":[1]},"tags":[1,"a",2,{"b":[]},3]}"#,
            r#"{"price":1,"customer":"x","at":[{"t":"1970-01-01"},{"t":"soon"},{"t":null}],"tags":7}"#,
            r#"{"price":2.50,"customer":{"new":{"a":1},"zip":null},"added":[1,{"k":"v"}],"none":null,"empty":{}}"#,
        ],
    );
    assert_eq!(
        found,
        [
            rescued(
                json!({"customer": {"zip": "1"}, "tags": [1, null, 2, null, 3]}),
                r#"{"price":"abc","customer":{"age":[1]},"tags":[null,"a",null,{"b":[]}]}"#
            ),
            rescued(
                json!({"price": 1.0, "at": [{"t": 0}, {}, {}]}),
                r#"{"customer":"x","at":[null,{"t":"soon"}],"tags":7}"#
            ),
            rescued(
                json!({"price": 2.5, "customer": {}}),
                r#"{"customer":{"new":{"a":1}},"added":[1,{"k":"v"}],"empty":{}}"#
            ),
        ]
    );
}

#[test]
fn of_twins_the_first_is_the_column() {
    assert_eq!(
        fitted(
            "a bigint, s struct<b: bigint>",
            &[
                r#"{"a":1,"a":2,"a":null}"#,
                r#"{"a":null,"a":2}"#,
                r#"{"a":"x","a":2}"#,
                r#"{"s":{"b":1,"b":1},"s":{"b":2}}"#,
                r#"{"s":null,"s":{"b":2}}"#,
            ]
        ),
        [
            rescued(json!({"a": 1}), r#"{"a":2}"#),
            rescued(json!({}), r#"{"a":2}"#),
            rescued(json!({}), r#"{"a":"x","a":2}"#),
            rescued(json!({"s": {"b": 1}}), r#"{"s":{"b":1},"s":{"b":2}}"#),
            rescued(json!({}), r#"{"s":{"b":2}}"#),
        ]
    );
}

#[test]
fn names_are_compared_by_what_they_mean() {
    assert_eq!(
        fitted(
            "`unit price` double, größe bigint",
            &[
                r#"{"unit price":1.5,"gr\u00f6\u00dfe":2}"#,
                r#"{"unit_price":1.5,"Unit Price":1,"gr\u00f6\u00dfE":2,"_source_row":1}"#,
            ]
        ),
        [
            kept(json!({"unit_price": 1.5, "größe": 2})),
            rescued(json!({}), r#"{"unit_price":1.5,"Unit Price":1,"gr\u00f6\u00dfE":2,"_source_row":1}"#),
        ]
    );
}

#[test]
fn the_order_of_fields_does_not_matter() {
    let names: Vec<_> = (0..20).map(|index| format!("c{index:02}")).collect();
    let ddl = names.iter().map(|name| format!("{name} bigint")).collect::<Vec<_>>().join(",");
    let member = |(value, name): (usize, &String)| format!("\"{name}\":{value}");
    let ahead = names.iter().enumerate().map(member).collect::<Vec<_>>();
    let mut back = ahead.clone();
    back.reverse();
    let records = [format!("{{{}}}", ahead.join(",")), format!("{{{}}}", back.join(",")), "{\"c07\":7}".to_owned()];
    let found = fitted(&ddl, &records.each_ref().map(String::as_str));
    assert_eq!(found[0], found[1]);
    assert!(found[0].1.is_none() && found[0].0.as_object().unwrap().len() == 20);
    assert_eq!(found[2], kept(json!({"c07": 7})));
}

#[test]
fn a_record_must_be_an_object() {
    let mut rows = rows("a bigint");
    for (text, at, words) in [
        ("[1]", 0, "an array"),
        ("  1", 2, "a number"),
        ("\"x\"", 1, "a string"),
        ("null", 0, "null"),
        ("{\"a\":}", 5, "no valid JSON"),
        ("", 0, "no valid JSON"),
    ] {
        let fault = rows.append_json(text).unwrap_err();
        assert!(fault.at == at && fault.reason.contains(words), "{text}: {fault:?}");
    }
    assert_eq!((rows.len(), rows.rescued_rows()), (0, 0));
    rows.append_json("{\"a\":1}").unwrap();
    assert_eq!(read(&rows.finish()), [kept(json!({"a": 1}))]);
}

#[test]
fn no_columns_is_a_schema_too() {
    assert_eq!(fitted("", &["{}", "{\"a\":1}"]), [kept(json!({})), rescued(json!({}), "{\"a\":1}")]);
}

#[test]
fn the_batch_has_the_schema_in_order() {
    let batch = rows("b bigint, `a x` struct<c: array<date>>, t timestamp").finish();
    let schema = batch.schema();
    let fields: Vec<_> = schema.fields().iter().map(|field| field.to_string()).collect();
    assert_eq!(batch.num_rows(), 0);
    assert_eq!(schema.field(1).metadata()["lithify.sourceName"], "a x");
    assert_eq!(schema.field(3).name(), "_rescued_data");
    assert!(schema.fields().iter().all(|field| field.is_nullable()), "{fields:?}");
}
