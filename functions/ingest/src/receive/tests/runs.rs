//! Batches that do not fit in memory: each row is in one run, once, whatever is written before the batch ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use runs::{Manifest, SOURCE_FILE, SOURCE_ROW, read_columns};
use store::Store;

use super::super::budget::Budget;
use super::world::*;

/// A run that is full after a few hundred rows.
const RUN: usize = 16 << 10;

/// The rows of all runs of a batch: of each file the ordinals, and whether the column is there with a value.
async fn rows(world: &World, manifest: &Manifest, column: &'static str) -> BTreeMap<String, Vec<(i64, bool)>> {
    let mut found: BTreeMap<String, Vec<(i64, bool)>> = BTreeMap::new();
    for run in &manifest.runs {
        let object = world.state().open(&run.address).await.unwrap();
        let address = run.address.clone();
        let read = move || {
            let columns = [SOURCE_FILE, SOURCE_ROW, column];
            read_columns(&address, object, &columns).unwrap().collect::<Result<Vec<RecordBatch>, _>>().unwrap()
        };
        let batches = tokio::task::spawn_blocking(read).await.unwrap();
        assert_eq!(batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>(), run.rows, "{}", run.address);
        for batch in batches {
            let files = batch.column_by_name(SOURCE_FILE).unwrap().as_string::<i32>();
            let ordinals = batch.column_by_name(SOURCE_ROW).unwrap().as_primitive::<Int64Type>();
            let values: Option<Arc<dyn Array>> = batch.column_by_name(column).cloned();
            for row in 0..batch.num_rows() {
                let has = values.as_ref().is_some_and(|values| values.is_valid(row));
                found.entry(files.value(row).to_owned()).or_default().push((ordinals.value(row), has));
            }
        }
    }
    found.values_mut().for_each(|rows| rows.sort_unstable());
    found
}

async fn small() -> World {
    let world = World::with_budget(ORDERS, Budget { run: RUN, ..Budget::of(None) }).await;
    world.open().await;
    world
}

#[tokio::test]
async fn a_batch_of_more_rows_than_fit_has_several_runs_and_each_row_once() {
    let mut world = small().await;
    for at in 0..6 {
        world.drop(&format!("orders/{at}.json"), "{\"a\":1}\n".repeat(900));
    }
    assert_eq!(world.deliver().await, 0);
    let manifests = world.manifests().await;
    let [manifest] = manifests.as_slice() else { panic!("{} batches", manifests.len()) };
    assert!((2..=60).contains(&manifest.runs.len()), "{} runs", manifest.runs.len());
    let all: Vec<(i64, bool)> = (0..900).map(|row| (row, true)).collect();
    let found = rows(&world, manifest, "a").await;
    assert!(found.len() == 6 && found.values().all(|rows| *rows == all), "{:?}", found.keys());
}

#[tokio::test]
async fn columns_that_come_late_in_a_drop_are_columns_and_its_rows_are_counted_once() {
    let mut world = small().await;
    world.drop("orders/0.json", "{\"a\":1}\n".repeat(5));
    assert_eq!(world.deliver().await, 0);
    // What cannot be a number is rescued, before the drop's first run is full and after the column comes.
    let misfit = "{\"a\":\"x\"}\n";
    let (before, after) = ("{\"a\":1}\n".repeat(900), "{\"a\":1,\"late\":{\"b\":1,\"c\":2,\"d\":3}}\n".repeat(40));
    // A drop before it has some too, and shares its run.
    world.drop("orders/05.json", format!("{misfit}{}", "{\"a\":1}\n".repeat(4)));
    world.drop("orders/1.json", format!("{misfit}{before}{after}{misfit}not a record\n"));
    world.drop("orders/2.json", "{\"a\":1}\n".repeat(5));
    assert_eq!(world.deliver().await, 0);
    let manifests = world.manifests().await;
    let held = manifests.iter().flat_map(|manifest| &manifest.held).find(|drop| drop.key == "orders/1.json").unwrap();
    assert_eq!((held.records, held.rows, held.rescued_rows, held.quarantined_records), (943, 942, 2, 1));
    let mut seen = 0;
    for manifest in &manifests {
        let newest = manifest.runs.iter().map(|run| run.schema_version).max().unwrap();
        assert_eq!(manifest.schema_version, newest);
        for (file, rows) in rows(&world, manifest, "late").await {
            if file.ends_with("1.json") {
                let expected = (0..942).map(|row| (row, (901..941).contains(&row)));
                assert_eq!(rows, expected.collect::<Vec<_>>());
                seen += 1;
            } else {
                assert_eq!(rows, (0..5).map(|row| (row, false)).collect::<Vec<_>>(), "{file}");
            }
        }
    }
    assert_eq!(seen, 1);
}
