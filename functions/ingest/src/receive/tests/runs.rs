//! Batches that do not fit in memory: each row is in one run, once, whatever is written before the batch ends. Where batches are cut, what is
//! counted of them, and what is kept of records that cannot be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use decode::format::{Compression, Format, Packing};
use drops::notification::{Notification, forward};
use drops::{DroppedObject, Timestamp};
use ledger::Expected;
use runs::{Manifest, SOURCE_FILE, SOURCE_ROW, read_columns};
use runtime::telemetry::Metrics;
use store::Store;

use super::super::budget::Budget;
use super::super::shift::batches;
use super::world::*;
use crate::{BATCH_BYTES, BATCH_DROPS, Candidate, QuarantineEntry, Right};

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

#[test]
fn a_batch_takes_so_many_drops_and_so_many_bytes() {
    let candidate = |size: &u64| Candidate {
        object: DroppedObject {
            id: drop_id("a"),
            etag: String::new(),
            size: *size,
            modified: Timestamp(0),
            read_at: None,
        },
        format: Format::Json,
        packing: Packing::named(Compression::None),
        right: Right::fresh(Expected::Absent),
    };
    let cut =
        |sizes: &[u64]| -> Vec<usize> { batches(sizes.iter().map(candidate).collect()).iter().map(Vec::len).collect() };
    assert_eq!(cut(&vec![0; BATCH_DROPS + 1]), [BATCH_DROPS, 1]);
    assert_eq!(cut(&[BATCH_BYTES - 5, 5, 1, BATCH_BYTES + 1, 1]), [2, 1, 1, 1]);
}

#[tokio::test]
async fn one_invocation_works_batch_after_batch() {
    let mut world = World::new().await;
    let told_as_large = |key: &str| {
        let notification = world.put(key, r#"{"a":1}"#);
        (key.to_owned(), forward(&Notification { size: Some(BATCH_BYTES), ..notification }), 1)
    };
    let event = sqs_event(&["orders/a.json", "orders/b.json"].map(told_as_large));
    let told = world.told();
    let answer = world.large.receive(&event, &told, &mut Metrics::default()).await.unwrap();
    assert!(answer.batch_item_failures.is_empty(), "{answer:?}");
    let (_, rows, batches) = world.held().await;
    assert_eq!((rows, batches), (2, 2));
}

#[tokio::test]
async fn what_an_invocation_did_is_counted() {
    let mut world = World::new().await;
    let (first, misfit, two) = ("{\"a\":1}\n", "{\"a\":\"x\"}\n", "{\"a\":\"x\"}\n{\"a\":\"y\"}\n");
    world.drop("orders/0.json", first);
    assert_eq!(world.deliver().await, 0);
    world.drop("orders/1.json", misfit);
    world.drop("orders/2.json", two);
    world.drop("orders/3.json", first);
    world.drop("orders/4.json", first);
    world.change("orders/4.json", |object| object.denied = 1);
    world.clock.pass(std::time::Duration::from_millis(3_500));
    assert_eq!(world.deliver().await, 1);
    let counts = ["Drops", "Rows", "RescuedRows", "LeftOut", "Bytes", "EventToStaged"].map(|name| world.counted(name));
    let bytes = (2 * first.len() + misfit.len() + two.len()) as u64;
    assert_eq!(counts, [4, 5, 3, 1, bytes, 3 * 3_500]);
    // Of each drop its own, though they share a run.
    let manifests = world.manifests().await;
    let held = manifests.iter().flat_map(|manifest| &manifest.held);
    let rescued: BTreeMap<&str, u64> = held.map(|drop| (drop.key.as_str(), drop.rescued_rows)).collect();
    let expected = [("orders/0.json", 0), ("orders/1.json", 1), ("orders/2.json", 2), ("orders/3.json", 0)];
    assert_eq!(rescued, BTreeMap::from(expected));
}

#[tokio::test]
async fn of_a_record_that_cannot_be_read_its_place_and_its_bytes_are_kept() {
    const REST: &str = "the rest of the file, from this record on, is not read";
    let mut world = World::new().await;
    // What is damaged within an array takes the rest with it; what is only no record does not.
    let (lines, array) = ("{\"a\":1}\nbad\n{\"a\":2}\nworse\n", r#"[{"a":1},[2],{"a":3},tru,{"a":4}]"#);
    world.drop("orders/array.json", array);
    world.drop("orders/lines.json", lines);
    assert_eq!(world.deliver().await, 0);
    let files = world.state().list("quarantine/").await.unwrap();
    let mut entries: Vec<QuarantineEntry> = Vec::new();
    for (address, _) in files.iter().filter(|(address, _)| address.ends_with(".jsonl")) {
        let content = world.state().get(address).await.unwrap();
        let of_file = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        entries.extend(of_file.map(|line| serde_json::from_slice::<QuarantineEntry>(line).unwrap()));
    }
    let kept = entries.iter().map(|entry| {
        let record = entry.record.as_ref().unwrap();
        let drop = if entry.source_file.ends_with("array.json") { array } else { lines };
        let bytes = &drop[record.byte_start as usize..record.byte_end as usize];
        assert_eq!((record.content.as_str(), record.content_whole), (bytes, true), "{entry:?}");
        (record.row, bytes, entry.reason.ends_with(REST))
    });
    let kept: Vec<_> = kept.collect();
    assert_eq!(kept, [(1, "[2]", false), (3, r#"tru,{"a":4}]"#, true), (1, "bad", false), (3, "worse", false)]);
}
