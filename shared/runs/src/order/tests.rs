use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    StringViewArray,
};
use arrow_schema::{DataType, Field, Fields, Schema};
use proptest::prelude::*;

use super::*;
use crate::row_columns::{SOURCE_FILE, SOURCE_ROW};

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

fn sort_by(columns: &[&str]) -> Order {
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    Order { partition_columns: vec![], cluster_key: ClusterKey::Sort(columns) }
}

fn z_order(columns: &[&str]) -> Order {
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    Order { partition_columns: vec![], cluster_key: ClusterKey::ZOrder(columns) }
}

/// One row of the batches below.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
struct Row {
    number: Option<i64>,
    text: Option<String>,
    real: Option<f64>,
    flag: Option<bool>,
    file: String,
    row: i64,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let number = proptest::option::of(prop_oneof![Just(i64::MIN), Just(i64::MAX), -3..3_i64, any::<i64>()]);
    let text = proptest::option::of(prop_oneof![Just(String::new()), "[ab\0\u{1}é]{0,4}", "a{120,140}b?"]);
    let real =
        proptest::option::of(prop_oneof![-2.0..2.0_f64, Just(0.0), Just(f64::MIN), Just(f64::MAX), Just(-1e-310)]);
    let row = (number, text, real, proptest::option::of(any::<bool>()), "[a-c\0]{0,3}", 0..4_i64);
    let row = row.prop_map(|(number, text, real, flag, file, row)| Row { number, text, real, flag, file, row });
    proptest::collection::vec(row, 0..40)
}

fn of_rows(rows: &[Row]) -> RecordBatch {
    batch(vec![
        ("number", Arc::new(rows.iter().map(|r| r.number).collect::<Int64Array>())),
        ("text", Arc::new(rows.iter().map(|r| r.text.as_deref()).collect::<StringArray>())),
        ("real", Arc::new(rows.iter().map(|r| r.real).collect::<Float64Array>())),
        ("flag", Arc::new(rows.iter().map(|r| r.flag).collect::<BooleanArray>())),
        (SOURCE_FILE, Arc::new(rows.iter().map(|r| Some(r.file.as_str())).collect::<StringArray>())),
        (SOURCE_ROW, Arc::new(rows.iter().map(|r| Some(r.row)).collect::<Int64Array>())),
    ])
}

/// What the keys are to compare by, in Rust's own order: nulls first, texts by their first 128 bytes.
type Expected = (Option<i64>, Option<Vec<u8>>, Option<f64>, Option<bool>, Vec<u8>, i64);

fn expected(row: &Row) -> Expected {
    let text = row.text.as_ref().map(|text| text.bytes().take(128).collect());
    (row.number, text, row.real, row.flag, row.file.clone().into_bytes(), row.row)
}

proptest! {
    #[test]
    fn keys_compare_as_the_values_do_whatever_batch_they_are_in(left in rows(), right in rows()) {
        let order = sort_by(&["number", "text", "real", "flag"]);
        let (left_keys, right_keys) = (order.keys(&of_rows(&left)), order.keys(&of_rows(&right)));
        for (i, a) in left.iter().enumerate() {
            for (j, b) in right.iter().enumerate() {
                let expected = expected(a).partial_cmp(&expected(b)).unwrap();
                prop_assert_eq!(left_keys.get(i).cmp(right_keys.get(j)), expected, "{:?} and {:?}", a, b);
            }
        }
    }

    #[test]
    fn sorting_gives_the_same_rows_in_the_order_of_their_keys(rows in rows(), cut in 0..40_usize, z in any::<bool>()) {
        let order = if z { z_order(&["text", "real"]) } else { sort_by(&["real", "number"]) };
        let (a, b) = rows.split_at(cut.min(rows.len()));
        let sorted = order.sort_all(vec![of_rows(a), of_rows(b)]).unwrap();
        let schema = of_rows(&rows).schema();
        let sorted = arrow_select::concat::concat_batches(&schema, &sorted).unwrap();
        let keys = order.keys(&sorted);
        prop_assert!((1..keys.len()).all(|i| keys.get(i - 1) <= keys.get(i)));
        prop_assert_eq!(&order.sort(of_rows(&rows)).unwrap(), &sorted);

        let all = Order::default().keys(&of_rows(&rows));
        let mut before: Vec<_> = (0..rows.len()).map(|i| all.get(i)).collect();
        let all = Order::default().keys(&sorted);
        let mut after: Vec<_> = (0..rows.len()).map(|i| all.get(i)).collect();
        before.sort();
        after.sort();
        prop_assert_eq!(before, after);
    }

    /// What makes a Z-order prune: a row that is nowhere above another never stands behind it.
    #[test]
    fn a_z_order_never_goes_down_where_no_column_does(rows in rows()) {
        let order = z_order(&["number", "real"]);
        let keys = order.keys(&of_rows(&rows));
        let bits = 2 * 8;
        for (i, a) in rows.iter().enumerate() {
            for (j, b) in rows.iter().enumerate() {
                if a.number <= b.number && a.real <= b.real {
                    // Null has the bits of the smallest value, so only the bits are compared.
                    prop_assert!(keys.get(i)[..bits] <= keys.get(j)[..bits], "{:?} and {:?}", a, b);
                }
            }
        }
    }

    #[test]
    fn the_first_key_above_a_bound_is_found(rows in rows(), bound in rows(), start in 0..40_usize) {
        let order = Order::default();
        let keys = order.keys(&order.sort(of_rows(&rows)).unwrap());
        let bounds = order.keys(&of_rows(&bound));
        let start = start.min(keys.len());
        for i in 0..bounds.len() {
            let linear = (start..keys.len()).find(|row| keys.get(*row) > bounds.get(i)).unwrap_or(keys.len());
            prop_assert_eq!(keys.first_above(bounds.get(i), start), linear);
        }
    }
}

#[test]
fn bits_are_interleaved_highest_first() {
    let mut bytes = Vec::new();
    super::zorder::interleave(&[u64::MAX, 0], &mut bytes);
    assert_eq!(bytes, vec![0b1010_1010; 16]);
    bytes.clear();
    super::zorder::interleave(&[1, 0, 1 << 63], &mut bytes);
    assert_eq!((bytes[0], bytes[23], bytes.len()), (0b0010_0000, 0b0000_0100, 24));
}

/// Manifests keep keys for years. If this test fails, the version in `keys.rs` must grow.
#[test]
fn the_encoding_of_keys_is_fixed() {
    let rows = batch(vec![
        ("day", Arc::new(Date32Array::from(vec![Some(1)]))),
        ("n", Arc::new(Int32Array::from(vec![None]))),
        (SOURCE_FILE, Arc::new(StringArray::from(vec!["f\0"]))),
        (SOURCE_ROW, Arc::new(Int64Array::from(vec![-1]))),
    ]);
    let order = Order { partition_columns: vec!["day".into()], ..sort_by(&["n"]) };
    let day = [1, 128, 0, 0, 0, 0, 0, 0, 1];
    let file = [1, b'f', 0, 255, 0, 0];
    let row = [1, 127, 255, 255, 255, 255, 255, 255, 255];
    assert_eq!(order.keys(&rows).get(0), [&day[..], &[0], &file, &row].concat());
    assert_eq!(order.id(), r#"[1,["day"],"sort",["n"]]"#);
}

#[test]
fn a_missing_column_counts_as_null_and_the_layout_of_texts_does_not_matter() {
    let file: ArrayRef = Arc::new(StringArray::from(vec!["f"]));
    let row: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let with = |column: ArrayRef| {
        let rows = batch(vec![("c", column), (SOURCE_FILE, file.clone()), (SOURCE_ROW, row.clone())]);
        sort_by(&["c"]).keys(&rows)
    };
    let without = batch(vec![(SOURCE_FILE, file.clone()), (SOURCE_ROW, row.clone())]);
    assert_eq!(sort_by(&["c"]).keys(&without), with(Arc::new(StringArray::from(vec![None::<&str>]))));
    assert_eq!(with(Arc::new(StringViewArray::from(vec!["x"]))), with(Arc::new(StringArray::from(vec!["x"]))));
}

#[test]
fn an_empty_partition_is_the_null_partition() {
    let of = |text: Option<&str>| batch(vec![("p", Arc::new(StringArray::from(vec![text])))]);
    let order = Order { partition_columns: vec!["p".into()], cluster_key: ClusterKey::SourceRow };
    assert_eq!(order.keys(&of(Some(""))), order.keys(&of(None)));
    assert!(order.keys(&of(Some(""))).get(0) < order.keys(&of(Some("\0"))).get(0));
    assert_ne!(sort_by(&["p"]).keys(&of(Some(""))), sort_by(&["p"]).keys(&of(None)));
}

#[test]
fn wrong_keys_are_all_named_at_once() {
    let point = DataType::Struct(Fields::from(vec![Field::new("x", DataType::Int64, true)]));
    let fields = [("a", DataType::Int64), ("b", point), ("d", DataType::Float64), ("e", DataType::Utf8)];
    let schema = Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec());
    let order = Order {
        partition_columns: vec!["d".into(), "f".into()],
        cluster_key: ClusterKey::Sort(vec!["a".into(), "b".into(), "c".into(), "a".into()]),
    };
    let faults = order.check(&schema).unwrap_err();
    let about = |text: &str| faults.iter().any(|fault| fault.contains(text));
    assert!(about("cluster key b: values") && about("cluster key c: the table has no such column"), "{faults:?}");
    assert!(
        about("cluster key a is named twice")
            && about("partition column f")
            && about("partition column d: it cannot be"),
        "{faults:?}"
    );
    assert_eq!(faults.len(), 5, "{faults:?}");
    // What there is to choose from, and what hints would bring, stand once.
    let (choices, hints): (Vec<_>, Vec<_>) = (
        faults.iter().filter(|fault| fault.contains("(it has a, d, e)")).collect(),
        faults.iter().filter(|fault| fault.contains("schema_hints")).collect(),
    );
    assert_eq!((choices.len(), hints.len()), (1, 1), "{faults:?}");
    assert!(about("partition column f: the table has no such column (it has a, e)"), "no real can be one: {faults:?}");
    assert!(hints[0].ends_with("given their types: schema_hints = \"c string, f string\""), "{faults:?}");

    assert!(ClusterKey::Sort(vec![]).check(&schema).is_err());
    let fault = |name: &str| ClusterKey::Sort(vec![name.into()]).check(&schema).unwrap_err().remove(0);
    assert!(fault("b.x").contains("a field within the column b is no column"), "{}", fault("b.x"));
    assert!(fault("b.x").ends_with("name a column of the table (it has a, d, e)"), "{}", fault("b.x"));
    assert!(fault("b").ends_with("name a plain column of the table (it has a, d, e)"), "{}", fault("b"));
    assert!(fault("f g").contains("schema_hints = \"`f g` string\""), "{}", fault("f g"));
    let long = Schema::new(vec![Field::new("customer", DataType::Utf8, true), Field::new("day", DataType::Utf8, true)]);
    let slip = ClusterKey::Sort(vec!["custmer".into()]).check(&long).unwrap_err().remove(0);
    assert!(slip.contains("no such column, did you mean 'customer'? (it has customer, day)"), "{slip}");
    assert!(ClusterKey::ZOrder(vec!["a".into(), "e".into(), "d".into()]).check(&schema).is_ok());
    assert!(ClusterKey::SourceRow.check(&schema).is_ok());
    assert!(Order { partition_columns: vec!["e".into()], ..Order::default() }.check(&schema).is_ok());
    assert!(Order { partition_columns: vec!["e".into()], ..sort_by(&["e"]) }.check(&schema).is_err());
}
