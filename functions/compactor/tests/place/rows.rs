//! What is in a table, read from its files.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::Array as _;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use bytes::Bytes;
use lake::{Lake, LiveFile};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use store::Store;

/// A row: id, row, shop as a partition's text or null, and where it came from.
pub type Row = (i64, i64, Option<String>, String, i64);

/// The rows of one file, in its order. Columns that it lacks count as 0.
pub async fn rows_of(store: &Arc<dyn Store>, file: &LiveFile) -> Vec<Row> {
    let bytes = store.get(&file.path).await.unwrap_or_else(|error| panic!("{} is live: {error}", file.path));
    assert_eq!(bytes.len() as u64, file.size, "{}", file.path);
    let rows = rows_in(bytes, &file.partition_values);
    assert_eq!(file.rows, Some(rows.len() as u64), "{}", file.path);
    rows
}

/// The rows of a file with these partition values, in its order. What is null counts as 0 or no text.
pub fn rows_in(bytes: Bytes, partition_values: &BTreeMap<String, Option<String>>) -> Vec<Row> {
    // Types by Parquet alone: others note Arrow's types that they have in memory.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options).unwrap().build().unwrap();
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let valid = |name: &str, row: usize| batch.column_by_name(name).filter(|column| column.is_valid(row));
        let number =
            |name: &str, row: usize| valid(name, row).map_or(0, |column| column.as_primitive::<Int64Type>().value(row));
        for row in 0..batch.num_rows() {
            let shop = match partition_values.get("shop") {
                Some(value) => value.clone(),
                None => Some(number("shop", row).to_string()),
            };
            let source =
                valid("_source_file", row).map_or("", |column| column.as_string::<i32>().value(row)).to_owned();
            rows.push((number("id", row), number("row", row), shop, source, number("_source_row", row)));
        }
    }
    rows
}

/// All rows of the table, sorted.
pub async fn rows(lake: &dyn Lake, store: Arc<dyn Store>) -> Vec<Row> {
    let mut all = Vec::new();
    for file in lake.live_files().await.unwrap() {
        all.extend(rows_of(&store, &file).await);
    }
    all.sort();
    all
}

/// The rows that `drops` files of ten rows give.
pub fn expected(drops: u32) -> Vec<Row> {
    let row = |n: u32, row: u32| {
        (i64::from(n), i64::from(row), Some((n % 3).to_string()), format!("{n:05}.json"), i64::from(row))
    };
    (0..drops).flat_map(|n| (0..10).map(move |r| row(n, r))).collect()
}
