//! What is in a table, read from its files.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use lake::{Lake, LiveFile};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use store::Store;

/// A row: id, row, shop as a partition's text or null, and where it came from.
pub type Row = (i64, i64, Option<String>, String, i64);

/// The rows of one file, in its order. Columns that it lacks count as 0.
pub async fn rows_of(store: &Arc<dyn Store>, file: &LiveFile) -> Vec<Row> {
    let bytes = store.get(&file.path).await.unwrap_or_else(|error| panic!("{} is live: {error}", file.path));
    assert_eq!(bytes.len() as u64, file.size, "{}", file.path);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let number = |name: &str, row: usize| {
            batch.column_by_name(name).map_or(0, |column| column.as_primitive::<Int64Type>().value(row))
        };
        for row in 0..batch.num_rows() {
            let shop = match file.partition_values.get("shop") {
                Some(value) => value.clone(),
                None => Some(number("shop", row).to_string()),
            };
            let source = batch.column_by_name("_source_file").unwrap().as_string::<i32>().value(row).to_owned();
            rows.push((number("id", row), number("row", row), shop, source, number("_source_row", row)));
        }
    }
    assert_eq!(file.rows, Some(rows.len() as u64), "{}", file.path);
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
