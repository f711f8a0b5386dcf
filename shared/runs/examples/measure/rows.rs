//! Rows as a shop's events give them, the same in every measurement.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, ListBuilder, StringBuilder, StructBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Fields, Schema};

const BATCH_ROWS: usize = 8192;

/// A generator of numbers (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

/// Orders as a shop's events hold them: nested, with lists, some columns of few and some of many different values.
pub(crate) fn orders(rows: usize) -> Vec<RecordBatch> {
    let mut numbers = Numbers(88_172_645_463_325_252);
    (0..rows).step_by(BATCH_ROWS).map(|start| batch(start, BATCH_ROWS.min(rows - start), &mut numbers)).collect()
}

fn batch(start: usize, rows: usize, n: &mut Numbers) -> RecordBatch {
    let texts = |n: &mut Numbers, text: &dyn Fn(&mut Numbers, usize) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..rows).map(|i| text(n, start + i))))
    };
    let longs = |n: &mut Numbers, end: u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values((0..rows).map(|_| n.below(end) as i64)))
    };
    let moments = |n: &mut Numbers, spread: u64, divisor: usize| -> ArrayRef {
        let at = |i: usize, n: &mut Numbers| {
            1_700_000_000_000_000 + ((start + i) / divisor) as i64 * 1_000 + n.below(spread) as i64
        };
        Arc::new(TimestampMicrosecondArray::from_iter_values((0..rows).map(|i| at(i, n))).with_timezone("UTC"))
    };
    let pick = |n: &mut Numbers, of: &[&str]| of[n.below(of.len() as u64) as usize].to_owned();
    let address = structure(vec![
        ("city", texts(n, &|n, _| format!("City {}", n.below(500)))),
        ("zip", texts(n, &|n, _| format!("{:05}", n.below(30_000)))),
        ("country", texts(n, &|n, _| pick(n, &["DE", "FR", "US", "JP", "BR"]))),
    ]);
    let customer = structure(vec![
        ("id", longs(n, 100_000)),
        ("email", texts(n, &|n, _| format!("user{}@example.com", n.below(100_000)))),
        ("address", address),
    ]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("order_id", texts(n, &|n, _| format!("{:016x}{:08x}", n.below(u64::MAX), n.below(1 << 32)))),
        ("ordered_at", moments(n, 900_000_000, 1)),
        ("status", texts(n, &|n, _| pick(n, &["new", "paid", "shipped", "returned"]))),
        ("customer", customer),
        ("total", Arc::new(Float64Array::from_iter_values((0..rows).map(|_| n.below(100_000) as f64 / 100.0)))),
        ("currency", texts(n, &|n, _| pick(n, &["EUR", "USD", "JPY"]))),
        ("items", items(rows, n)),
        ("gift", Arc::new(BooleanArray::from_iter((0..rows).map(|_| Some(n.below(10) == 0))))),
        (
            "device",
            structure(vec![("os", texts(n, &|n, _| pick(n, &["ios", "android", "web"]))), ("version", longs(n, 40))]),
        ),
        ("_source_file", texts(n, &|_, i| format!("topics/orders/partition=0/orders+0+{:010}.json", i / 10))),
        ("_source_version", texts(n, &|_, i| format!("3660-1700000000{:09}", i / 10 * 7919))),
        ("_source_row", Arc::new(Int64Array::from_iter_values((start..start + rows).map(|i| i as i64 % 10)))),
        ("_source_time", moments(n, 1, 10)),
        ("_ingested_at", moments(n, 1, usize::MAX)),
        (
            "_rescued_data",
            Arc::new(StringArray::from_iter((0..rows).map(|_| (n.below(500) == 0).then_some("{\"total\":\"x\"}")))),
        ),
    ];
    let fields: Vec<_> =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, column)| column).collect())
        .unwrap()
}

fn structure(columns: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let fields: Fields =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    Arc::new(StructArray::new(fields, columns.into_iter().map(|(_, column)| column).collect(), None))
}

fn items(rows: usize, n: &mut Numbers) -> ArrayRef {
    let fields: Fields = [("sku", DataType::Utf8), ("quantity", DataType::Int64), ("price", DataType::Float64)]
        .map(|(name, data_type)| Field::new(name, data_type, true))
        .into_iter()
        .collect();
    let element = Field::new("element", DataType::Struct(fields.clone()), true);
    let mut list = ListBuilder::new(StructBuilder::from_fields(fields, rows * 2)).with_field(element);
    for _ in 0..rows {
        for _ in 0..n.below(4) {
            let item = list.values();
            item.field_builder::<StringBuilder>(0).unwrap().append_value(format!("SKU-{:05}", n.below(5_000)));
            item.field_builder::<Int64Builder>(1).unwrap().append_value(n.below(9) as i64 + 1);
            item.field_builder::<Float64Builder>(2).unwrap().append_value(n.below(20_000) as f64 / 100.0);
            item.append(true);
        }
        list.append(true);
    }
    Arc::new(list.finish())
}
