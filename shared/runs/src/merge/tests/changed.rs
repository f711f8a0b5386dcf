//! What becomes of runs when the table's columns changed since they were written.

use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields, Schema};
use decode::schema::{SOURCE_NAME, timestamp_type};
use serde_json::{Value, json};

use super::model::World;
use crate::order::{ClusterKey, Order};
use crate::row_columns::{RESCUED_DATA, SOURCE_FILE, SOURCE_ROW};

fn fields(columns: &[(&str, DataType)]) -> Vec<Field> {
    columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect()
}

/// Columns with the row columns that matter here.
fn rows(columns: Vec<(&str, ArrayRef)>, rescued: Option<&[Option<&str>]>) -> RecordBatch {
    let rows = columns[0].1.len();
    let rescued = StringArray::from(rescued.map_or_else(|| vec![None; rows], <[_]>::to_vec));
    let mut all = columns;
    all.push((SOURCE_FILE, Arc::new(StringArray::from(vec!["f"; rows]))));
    all.push((SOURCE_ROW, Arc::new((0..rows as i64).collect::<Int64Array>())));
    all.push((RESCUED_DATA, Arc::new(rescued)));
    RecordBatch::try_from_iter_with_nullable(all.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

/// The rows after a merge into a table of these data columns, row columns but rescued data left out; rescued data parsed.
fn merged(batch: RecordBatch, table: Vec<Field>) -> Vec<Value> {
    let row_columns =
        fields(&[(SOURCE_FILE, DataType::Utf8), (SOURCE_ROW, DataType::Int64), (RESCUED_DATA, DataType::Utf8)]);
    let mut world = World::new(Order::default());
    world.schema = Arc::new(Schema::new([table, row_columns].concat()));
    let input = world.stage("run", batch);
    let (_, rows) = world.merge(vec![input]);
    let plain = |mut row: Value| {
        let members = row.as_object_mut().unwrap();
        members.remove(SOURCE_FILE);
        members.remove(SOURCE_ROW);
        if let Some(Value::String(text)) = members.remove(RESCUED_DATA) {
            members.insert("rescued".into(), serde_json::from_str(&text).unwrap_or(Value::String(text)));
        }
        row
    };
    rows.into_iter().map(plain).collect()
}

#[test]
fn the_columns_that_were_rescued_from_are_named() {
    let batch = rows(
        vec![
            ("narrow", Arc::new(Int64Array::from(vec![Some(1), Some(3_000_000_000), Some(4_000_000_000)]))),
            ("fits", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ],
        None,
    );
    let table = fields(&[("narrow", DataType::Int32), ("fits", DataType::Int32)]);
    let row_columns =
        fields(&[(SOURCE_FILE, DataType::Utf8), (SOURCE_ROW, DataType::Int64), (RESCUED_DATA, DataType::Utf8)]);
    let mut world = World::new(Order::default());
    world.schema = Arc::new(Schema::new([table, row_columns].concat()));
    let input = world.stage("run", batch);
    world.merge(vec![input]);
    assert_eq!(world.rescued_rows, 2);
    let [narrow] = &world.rescued_columns[..] else { panic!("{:?}", world.rescued_columns) };
    assert_eq!((narrow.column.as_str(), narrow.rows, narrow.example.as_str()), ("narrow", 2, "3000000000"));
    assert_eq!((&narrow.had, &narrow.has), (&DataType::Int64, &Some(DataType::Int32)));
}

#[test]
fn values_that_another_type_holds_are_cast_and_the_others_rescued() {
    let batch = rows(
        vec![
            ("to_double", Arc::new(Int64Array::from(vec![Some(1), Some(9_007_199_254_740_993), None]))),
            ("to_long", Arc::new(Float64Array::from(vec![Some(2.0), Some(1.5), None]))),
            ("to_text", Arc::new(Int64Array::from(vec![Some(7), None, None]))),
            ("from_text", Arc::new(StringArray::from(vec![Some("12"), Some("012"), None]))),
            ("to_moment", Arc::new(BooleanArray::from(vec![Some(true), None, None]))),
        ],
        Some(&[None, Some(r#"{"a":1e400,"to_long":3}"#), None]),
    );
    let table = fields(&[
        ("to_double", DataType::Float64),
        ("to_long", DataType::Int64),
        ("to_text", DataType::Utf8),
        ("from_text", DataType::Int64),
        ("to_moment", timestamp_type()),
    ]);
    let raw = merged(batch, table);
    assert_eq!(
        raw[0],
        json!({"to_double": 1.0, "to_long": 2, "to_text": "7", "from_text": 12, "rescued": {"to_moment": true}})
    );
    // 1e400 is no number for the parser here: the text shows that what stood there was not touched.
    let text = r#"{"a":1e400,"to_long":3,"to_double":9007199254740993,"to_long":1.5,"from_text":"012"}"#;
    let text_of = |row: &Value| row["rescued"].as_str().map(members);
    assert_eq!(text_of(&raw[1]), Some(members(text)));
    assert_eq!(raw[2], json!({}));
}

#[test]
fn members_of_one_object_are_rescued_together() {
    use super::super::rescue::merge_rescued;
    let standing = [r#"{"st":{"X":1.50,"in":{"y":1}},"l":[1]}"#, r#"{"st":"text"}"#, r#"{"st":{"x":{}}}"#];
    let more = json!({"st": {"x": 3, "in": {"z": 2}}, "l": [2], "n": 4});
    let (texts, first) = merge_rescued(&StringArray::from(standing.to_vec()), vec![Some(more); 3]);
    assert_eq!(first, 0);
    let texts: Vec<_> = texts.iter().flatten().collect();
    let expected = [
        r#"{"st":{"X":1.50,"in":{"y":1,"z":2},"x":3},"l":[1],"l":[2],"n":4}"#,
        r#"{"st":"text","l":[2],"n":4,"st":{"in":{"z":2},"x":3}}"#,
        r#"{"st":{"x":{},"in":{"z":2},"x":3},"l":[2],"n":4}"#,
    ];
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    // In whatever order the members come.
    assert_eq!(texts.iter().map(|text| sorted(text)).collect::<Vec<_>>(), expected.map(sorted).to_vec());
    assert!(texts[0].starts_with(r#"{"st":{"X":1.50,"in":{"y":1,"z":2}"#), "{}", texts[0]);
}

/// The members of a flat object's text, sorted.
fn members(text: &str) -> Vec<String> {
    let mut members: Vec<_> = text.trim_matches(['{', '}']).split(',').map(str::to_owned).collect();
    members.sort();
    members
}

#[test]
fn columns_that_are_gone_and_nested_changes_are_rescued_by_the_names_of_the_source() {
    let child =
        Field::new("old_name", DataType::Int64, true).with_metadata([(SOURCE_NAME.into(), "old name".into())].into());
    let children: Fields =
        vec![Field::new("kept", DataType::Utf8, true), child, Field::new("same", DataType::Int64, true)].into();
    let nested = StructArray::new(
        children,
        vec![
            Arc::new(StringArray::from(vec![Some("1"), Some("x"), Some("y")])),
            Arc::new(Int64Array::from(vec![Some(5), None, Some(6)])),
            Arc::new(Int64Array::from(vec![1, 2, 3])),
        ],
        Some(vec![true, true, false].into()),
    );
    let mut list = ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true));
    list.append_value([Some("1"), Some("a"), None]);
    list.append_value([Some("2")]);
    list.append_null();
    let mut gone = ListBuilder::new(Int64Builder::new()).with_field(Field::new("element", DataType::Int64, true));
    gone.append_value([Some(1), None]);
    gone.append_value([]);
    gone.append_null();
    let batch = rows(
        vec![("nested", Arc::new(nested)), ("list", Arc::new(list.finish())), ("gone", Arc::new(gone.finish()))],
        None,
    );
    let now: Fields =
        fields(&[("new", DataType::Float64), ("same", DataType::Int64), ("kept", DataType::Int64)]).into();
    let element = Arc::new(Field::new("element", DataType::Int64, true));
    let table = fields(&[("list", DataType::List(element)), ("nested", DataType::Struct(now))]);
    let raw = merged(batch, table);
    let rescued = json!({"nested": {"old name": 5}, "list": [null, "a", null], "gone": [1, null]});
    assert_eq!(raw[0], json!({"nested": {"kept": 1, "same": 1}, "list": [1, null, null], "rescued": rescued}));
    let rescued = json!({"nested": {"kept": "x"}, "gone": []});
    assert_eq!(raw[1], json!({"nested": {"same": 2}, "list": [2], "rescued": rescued}));
    // A null struct's children mean nothing.
    assert_eq!(raw[2], json!({}));
}

#[test]
fn a_run_whose_key_column_changed_its_type_is_sorted_again() {
    let order = Order { cluster_key: ClusterKey::Sort(vec!["k".into()]), ..Order::default() };
    let mut world = World::new(order);
    // As texts "10" stands before "9".
    let texts: ArrayRef = Arc::new((0..3_000).rev().map(|i| Some(i.to_string())).collect::<StringArray>());
    let numbers: ArrayRef = Arc::new((0..3_000).map(|i| i * 2).collect::<Int64Array>());
    let runs = vec![
        world.stage("texts", rows(vec![("k", texts)], None)),
        world.stage("numbers", rows(vec![("k", numbers)], None)),
    ];
    let table = fields(&[
        ("k", DataType::Int64),
        (SOURCE_FILE, DataType::Utf8),
        (SOURCE_ROW, DataType::Int64),
        (RESCUED_DATA, DataType::Utf8),
    ]);
    world.schema = Arc::new(Schema::new(table));
    for memory_bytes in [64 << 20, 60_000] {
        world.memory_bytes = memory_bytes;
        let (_, merged) = world.merge(runs.clone());
        let mut expected: Vec<i64> = (0..3_000).chain((0..3_000).map(|i| i * 2)).collect();
        expected.sort_unstable();
        assert_eq!(merged.iter().map(|row| row["k"].as_i64().unwrap()).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_run_in_another_order_is_sorted_again() {
    let mut world = World::new(Order::default());
    world.schema = rows(vec![("k", Arc::new(Int64Array::from(vec![0])) as ArrayRef)], None).schema();
    let keys: ArrayRef = Arc::new((0..2_000).map(|i| i * 7 % 2_000).collect::<Int64Array>());
    world.order.cluster_key = ClusterKey::Sort(vec!["k".into()]);
    let run = world.stage("run", rows(vec![("k", keys)], None));
    world.order = Order::default();
    let (_, merged) = world.merge(vec![run]);
    assert_eq!(
        merged.iter().map(|row| row[SOURCE_ROW].as_i64().unwrap()).collect::<Vec<_>>(),
        (0..2_000).collect::<Vec<_>>()
    );
}

#[test]
fn rows_that_are_rescued_by_merging_are_counted_once() {
    // All at once, and in several passes.
    for key in [ClusterKey::SourceRow, ClusterKey::Sort(vec!["n".into()])] {
        let wide: ArrayRef = Arc::new((0..4_000).map(|i| i << 20).collect::<Int64Array>());
        let standing: Vec<_> = (0..4_000).map(|i| (i == 3_999).then_some(r#"{"a":1}"#)).collect();
        let mut world = World::new(Order { cluster_key: key, ..Order::default() });
        let run = world.stage("run", rows(vec![("n", wide)], Some(&standing)));
        world.schema = Arc::new(Schema::new(fields(&[
            ("n", DataType::Int32),
            (SOURCE_FILE, DataType::Utf8),
            (SOURCE_ROW, DataType::Int64),
            (RESCUED_DATA, DataType::Utf8),
        ])));
        world.memory_bytes = 60_000;
        world.merge(vec![run]);
        // But for what fits 32 bits, and the row that had something rescued before.
        assert_eq!(world.rescued_rows, 4_000 - 2_048 - 1);
    }
}
