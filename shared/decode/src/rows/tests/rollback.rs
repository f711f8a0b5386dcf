//! Rolling back, memory, and using rows again.

use proptest::prelude::*;

use super::*;
use crate::limits::MAX_RECORD_MEMORY_BYTES;

const DDL: &str = "a bigint, b boolean, d double, e date, t timestamp, s struct<x: string, y: struct<z: bigint>>, \
                   l array<struct<k: string, m: array<bigint>>>";

const RECORDS: [&str; 7] = [
    r#"{"a":1,"b":true,"d":1.5,"e":"1970-01-01","t":"1970-01-01T00:00:00Z","s":{"x":"one","y":{"z":1}},"l":[{"k":"k","m":[1,2]}]}"#,
    "{}",
    r#"{"a":"no","s":{"x":"two","y":7},"l":[{"m":[1,"x"]},{"k":"long"},null]}"#,
    r#"{"l":[]}"#,
    r#"{"s":{},"l":[{"m":[]}],"b":false}"#,
    r#"{"new":{"n":1},"a":9}"#,
    r#"{"s":null,"d":2,"e":"no day","l":[null,{"k":"end","m":[3]}]}"#,
];

fn append(rows: &mut Rows, records: &[usize]) {
    records.iter().for_each(|record| rows.append_json(RECORDS[*record]).unwrap());
}

fn any_records() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..RECORDS.len(), 0..80)
}

proptest! {
    /// Rows that were appended and rolled back leave no trace.
    #[test]
    fn rolling_back_undoes_appending(before in any_records(), undone in any_records(), after in any_records()) {
        let mut plain = rows(DDL);
        append(&mut plain, &before);
        append(&mut plain, &after);
        let mut rolled = rows(DDL);
        append(&mut rolled, &before);
        let memory = rolled.memory();
        append(&mut rolled, &undone);
        rolled.truncate(before.len());
        prop_assert_eq!(rolled.memory(), memory);
        rolled.truncate(before.len() + 5);
        append(&mut rolled, &after);
        prop_assert_eq!((rolled.len(), rolled.rescued_rows()), (plain.len(), plain.rescued_rows()));
        prop_assert_eq!(read(&rolled.finish()), read(&plain.finish()));
    }

    /// A record in a batch is what it is alone, and finishing leaves nothing behind.
    #[test]
    fn records_do_not_touch_each_other(first in any_records(), second in any_records()) {
        let mut rows = rows(DDL);
        for records in [first, second] {
            append(&mut rows, &records);
            let alone: Vec<_> = records.iter().flat_map(|record| fitted(DDL, &[RECORDS[*record]])).collect();
            prop_assert_eq!(read(&rows.finish()), alone);
            prop_assert!(rows.is_empty() && rows.rescued_rows() == 0 && rows.memory() == 0);
        }
    }

    /// New columns are null in the rows before, wherever they are.
    #[test]
    fn growing_keeps_the_rows(before in any_records(), after in any_records()) {
        let mut rows = rows(DDL);
        append(&mut rows, &before);
        rows.evolve(schema(&format!("{DDL}, new struct<n: bigint>, l.element.q string"))).unwrap();
        append(&mut rows, &after);
        let found = read(&rows.finish());
        let old: Vec<_> = before.iter().flat_map(|record| fitted(DDL, &[RECORDS[*record]])).collect();
        let grown = format!("{DDL}, new struct<n: bigint>");
        let new: Vec<_> = after.iter().flat_map(|record| fitted(&grown, &[RECORDS[*record]])).collect();
        prop_assert_eq!(found, [old, new].concat());
    }
}

#[test]
fn memory_counts_what_nulls_will_take() {
    let wide: Vec<_> = (0..100).map(|index| format!("c{index}: bigint")).collect();
    let mut rows = rows(&format!("l array<struct<{}>>", wide.join(",")));
    rows.append_json(&format!("{{\"l\":[{}{{}}]}}", "{},".repeat(9_999))).unwrap();
    let memory = rows.memory();
    assert!(memory >= 10_000 * 100 * 8, "{memory}");
    let batch = rows.finish();
    assert!(batch.get_array_memory_size() <= memory + 100_000, "{} {memory}", batch.get_array_memory_size());
}

#[test]
fn a_record_that_explodes_is_a_fault_and_leaves_no_trace() {
    let wide: Vec<_> = (0..1_900).map(|index| format!("c{index}: bigint")).collect();
    let mut rows = rows(&format!("a string, l array<struct<{}>>", wide.join(",")));
    rows.append_json(r#"{"a":"x"}"#).unwrap();
    let bomb = format!("{{\"a\":\"bomb\",\"l\":[{}{{\"c0\":1}}],\"new\":1}}", "{},".repeat(40_000));
    let fault = rows.append_json(&bomb).unwrap_err();
    assert!(fault.reason.contains(&MAX_RECORD_MEMORY_BYTES.to_string()), "{fault}");
    assert!(rows.unknown().is_none());
    rows.append_json(r#"{"a":"y","l":[{}]}"#).unwrap();
    assert_eq!(read(&rows.finish()), [kept(json!({"a": "x"})), kept(json!({"a": "y", "l": [{}]}))]);
    assert!(rows.append_json(&bomb).unwrap_err().reason.contains("the record takes"));
}

#[test]
fn what_a_schema_would_take_is_known_before_it_is_taken_on() {
    let mut rows = rows("a bigint, l array<struct<b: bigint>>");
    for _ in 0..10 {
        rows.append_json(r#"{"l":[{},{"b":1},{}]}"#).unwrap();
    }
    let wider = schema("a bigint, l array<struct<b: bigint, c: bigint, d: string>>, n bigint");
    let (now, then) = (rows.memory(), rows.memory_with(&wider));
    assert_eq!(then - now, 30 * (9 + 5) + 10 * 9);
    rows.evolve(wider).unwrap();
    assert_eq!(rows.memory(), then);
}

#[test]
fn what_rows_take_elsewhere_counts() {
    let mut rows = rows("a bigint");
    rows.set_room(10_000);
    rows.set_beside(1_000);
    for _ in 0..9 {
        rows.append_json(r#"{"a":1}"#).unwrap();
        assert!(!rows.is_full());
    }
    rows.set_beside(10);
    assert_eq!(rows.memory() / 9, 1_014, "the rows that are there take what they took");
    rows.append_json(r#"{"a":1}"#).unwrap();
    assert!(rows.is_full());
    rows.finish();
    rows.set_beside(10);
    rows.append_json(r#"{"a":1}"#).unwrap();
    assert_eq!(rows.memory(), 24);
}

#[test]
fn rows_are_full_by_what_they_take() {
    let mut rows = rows("a string");
    rows.set_room(100_000);
    let mut count = 0;
    while !rows.is_full() {
        rows.append_json(r#"{"a":"0123456789"}"#).unwrap();
        count += 1;
    }
    // 10 bytes of text, and an offset for each of the two columns.
    assert!((4_900..5_100).contains(&count), "{count}");
    assert!((100_000..101_000).contains(&rows.memory()));
    rows.finish();
    assert!(!rows.is_full());
}
