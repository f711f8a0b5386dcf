use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::types::Decimal128Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, PrimitiveArray, RecordBatch,
    StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_schema::{Field, Fields};
use parquet::file::metadata::ParquetMetaDataReader;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::files::{WriteSettings, write_run};
use crate::order::ClusterKey;

/// The statistics of these rows, written in row groups of a few rows.
fn of(batch: &RecordBatch, row_group_rows: usize, order: &Order) -> Value {
    let settings = WriteSettings { row_group_rows, ..WriteSettings::default() };
    let run = write_run(std::slice::from_ref(batch), &settings).unwrap();
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&run.bytes).unwrap();
    serde_json::from_str(&statistics(batch.schema_ref(), order, &metadata)).unwrap()
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

fn structure(columns: Vec<(&str, ArrayRef)>, nulls: Option<Vec<bool>>) -> ArrayRef {
    let fields: Fields = columns.iter().map(|(name, c)| Field::new(*name, c.data_type().clone(), true)).collect();
    Arc::new(StructArray::new(fields, columns.into_iter().map(|(_, c)| c).collect(), nulls.map(Into::into)))
}

#[test]
fn every_type_is_written_as_delta_reads_it() {
    let mut list = ListBuilder::new(Int64Builder::new()).with_field(Field::new("element", DataType::Int64, true));
    list.append_value([Some(1), None]);
    list.append_null();
    list.append_value([Some(2)]);
    let nested = structure(
        vec![
            ("x", Arc::new(Int64Array::from(vec![Some(5), Some(7), None]))),
            ("in", structure(vec![("y", Arc::new(StringArray::from(vec![None::<&str>; 3])))], None)),
        ],
        Some(vec![true, false, true]),
    );
    let decimals: PrimitiveArray<Decimal128Type> =
        Decimal128Array::from(vec![Some(-12_345_678_901_234_567_890), Some(5), None]);
    let rows = batch(vec![
        ("long", Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(9_007_199_254_740_993)]))),
        ("double", Arc::new(Float64Array::from(vec![Some(1.5), Some(-0.25), None]))),
        ("infinite", Arc::new(Float64Array::from(vec![Some(f64::INFINITY), Some(1.0), None]))),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None, None]))),
        ("day", Arc::new(Date32Array::from(vec![Some(19_723), Some(-1), None]))),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), Some(1_001), None]).with_timezone("UTC"))),
        ("money", Arc::new(decimals.with_precision_and_scale(30, 2).unwrap())),
        ("list", Arc::new(list.finish())),
        ("nested", nested),
        ("nothing", Arc::new(StringArray::from(vec![None::<&str>; 3]))),
        (RESCUED_DATA, Arc::new(StringArray::from(vec![None, Some("{}"), None]))),
    ]);
    let expected = json!({
        "numRecords": 3,
        "minValues": {
            "long": i64::MIN, "double": -0.25, "day": "1969-12-31", "at": "1969-12-31T23:59:59.999Z",
            "nested": {"x": 5},
        },
        "maxValues": {
            "long": 9_007_199_254_740_993_i64, "double": 1.5, "day": "2024-01-01", "at": "1970-01-01T00:00:00.002Z",
            "nested": {"x": 5},
        },
        "nullCount": {
            "long": 1, "double": 1, "infinite": 1, "flag": 2, "day": 1, "at": 1, "money": 1,
            "nested": {"x": 2, "in": {"y": 3}}, "nothing": 3, "_rescued_data": 2,
        },
    });
    for row_group_rows in [1, 2, 3] {
        let mut found = of(&rows, row_group_rows, &Order::default());
        // A parsed number has lost digits already; the text is looked at below.
        for end in ["minValues", "maxValues"] {
            assert!(found[end].as_object_mut().unwrap().remove("money").is_some());
        }
        assert_eq!(found, expected, "row groups of {row_group_rows}");
    }
    let run = write_run(std::slice::from_ref(&rows), &WriteSettings::default()).unwrap();
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&run.bytes).unwrap();
    let text = statistics(rows.schema_ref(), &Order::default(), &metadata);
    assert!(text.contains("\"money\":-123456789012345678.90"), "every digit stays: {text}");
}

#[test]
fn long_texts_are_cut_outward_and_paths_are_kept() {
    let long = "ä".repeat(40);
    let path = "topics/orders/year=2024/month=01/day=01/hour=00/orders+0+0000000001.json";
    let top = "\u{10ffff}".repeat(40);
    let rows = batch(vec![
        ("text", Arc::new(StringArray::from(vec![long.as_str()]))),
        ("top", Arc::new(StringArray::from(vec![top.as_str()]))),
        ("before_surrogates", Arc::new(StringArray::from(vec!["\u{d7ff}".repeat(33)]))),
        (SOURCE_FILE, Arc::new(StringArray::from(vec![path]))),
    ]);
    let stats = of(&rows, 10, &Order::default());
    assert_eq!(stats["minValues"]["text"], "ä".repeat(32));
    assert_eq!(stats["maxValues"]["text"], "ä".repeat(31) + "å");
    let ends = ["minValues", "maxValues"].map(|end| stats[end].get("top"));
    assert_eq!(ends, [None, None], "no text is above it, and one end is not told alone");
    assert_eq!(stats["maxValues"]["before_surrogates"], "\u{d7ff}".repeat(31) + "\u{e000}");
    assert_eq!((&stats["minValues"][SOURCE_FILE], &stats["maxValues"][SOURCE_FILE]), (&json!(path), &json!(path)));
}

#[test]
fn wide_tables_index_their_first_columns_and_those_that_rows_are_ordered_by() {
    let names: Vec<String> = (0..40).map(|i| format!("c{i:02}")).collect();
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let mut columns: Vec<(&str, ArrayRef)> = names.iter().map(|name| (name.as_str(), column.clone())).collect();
    columns.push((SOURCE_ROW, column.clone()));
    let order = Order { cluster_key: ClusterKey::Sort(vec!["c39".into()]), ..Order::default() };
    let stats = of(&batch(columns), 10, &order);
    let indexed: Vec<&String> = stats["nullCount"].as_object().unwrap().keys().collect();
    assert_eq!(indexed.len(), 34);
    assert!(indexed.contains(&&"c31".to_owned()) && !indexed.contains(&&"c32".to_owned()));
    assert!(indexed.contains(&&"c39".to_owned()) && indexed.contains(&&SOURCE_ROW.to_owned()));
}

#[test]
fn days_that_have_no_written_form_have_no_bound() {
    let stats =
        of(&batch(vec![("day", Arc::new(Date32Array::from(vec![i32::MIN, 0, i32::MAX])))]), 10, &Order::default());
    assert_eq!((stats["minValues"].get("day"), stats["maxValues"].get("day")), (None, None));
    assert_eq!(stats["nullCount"]["day"], 0);
}

proptest! {
    #[test]
    fn bounds_enclose_every_value_and_nulls_are_counted(
        rows in proptest::collection::vec((
            proptest::option::of(any::<i64>()), proptest::option::of((-1_000_000..1_000_000_i64).prop_map(|n| n as f64 / 8.0)), proptest::option::of("[a-c\u{7f}\u{10ffff}]{0,40}"), any::<bool>(),
        ), 1..60),
        row_group_rows in 1..30_usize,
    ) {
        let long: Int64Array = rows.iter().map(|r| r.0).collect();
        let real: Float64Array = rows.iter().map(|r| r.1).collect();
        let text: StringArray = rows.iter().map(|r| r.2.as_deref()).collect();
        let there: Vec<bool> = rows.iter().map(|r| r.3).collect();
        let nested = structure(vec![("long", Arc::new(long.clone()))], Some(there));
        let batch = batch(vec![("real", Arc::new(real)), ("text", Arc::new(text)), ("s", nested)]);
        let stats = of(&batch, row_group_rows, &Order::default());
        prop_assert_eq!(&stats["numRecords"], rows.len());

        let longs: Vec<i64> = rows.iter().filter(|r| r.3).filter_map(|r| r.0).collect();
        prop_assert_eq!(stats["minValues"]["s"]["long"].as_i64(), longs.iter().min().copied());
        prop_assert_eq!(stats["maxValues"]["s"]["long"].as_i64(), longs.iter().max().copied());
        prop_assert_eq!(stats["nullCount"]["s"]["long"].as_u64(), Some((rows.len() - longs.len()) as u64));

        let reals: Vec<f64> = rows.iter().filter_map(|r| r.1).collect();
        prop_assert_eq!(stats["minValues"]["real"].as_f64(), reals.iter().copied().reduce(f64::min));
        prop_assert_eq!(stats["maxValues"]["real"].as_f64(), reals.iter().copied().reduce(f64::max));

        let texts: Vec<&str> = rows.iter().filter_map(|r| r.2.as_deref()).collect();
        prop_assert_eq!(&stats["nullCount"]["text"], rows.len() - texts.len());
        if let Some(smallest) = texts.iter().min() {
            let min = stats["minValues"]["text"].as_str().unwrap();
            prop_assert!(smallest.starts_with(min) && min.chars().count() == smallest.chars().count().min(32));
        }
        if let Some(max) = stats["maxValues"]["text"].as_str() {
            prop_assert!(texts.iter().all(|text| *text <= max));
        } else {
            let highest = "\u{10ffff}".repeat(32);
            prop_assert!(texts.iter().max().is_none_or(|text| text.starts_with(&highest)));
        }
    }
}
