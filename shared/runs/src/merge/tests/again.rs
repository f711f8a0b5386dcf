//! Files of the table merged again: upkeep's half of the merge.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Int32Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use proptest::prelude::*;

use super::model::{Row, World, batch, schema, sorted};
use super::union::{orders, row};
use crate::RunsError;
use crate::files::{WriteSettings, write_run};
use crate::merge::{TableRun, table_run};
use crate::order::Order;
use crate::testing::{WatchedStore, json_rows, read_parquet};

/// The files of the world's table as inputs of a world without partitions, whose table begins empty.
fn again(world: &World, order: &Order) -> World {
    let mut next = World::new(Order { partition_columns: Vec::new(), ..order.clone() });
    let whole = schema();
    let kept = whole.fields().iter().filter(|field| !order.partition_columns.contains(field.name())).cloned();
    next.schema = Arc::new(Schema::new(kept.collect::<Vec<_>>()));
    next.inputs = world.table.clone();
    (next.memory_bytes, next.row_group_rows) = (world.memory_bytes, world.row_group_rows);
    next
}

fn looked_at(world: &World, path: &str, sorted_as: &[String]) -> Result<TableRun, RunsError> {
    let object = world.runtime.block_on(store::Store::open(&world.inputs, path)).unwrap();
    table_run(path, object, &world.schema, &world.order, sorted_as)
}

fn run(world: &World, path: &str, sorted_as: &[String]) -> crate::RunInput {
    match looked_at(world, path, sorted_as).unwrap() {
        TableRun::Run(run) => *run,
        TableRun::Unfit(reason) => panic!("{path}: {reason}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn merging_files_again_keeps_rows_and_order(
        batches in proptest::collection::vec(proptest::collection::vec(row(), 1..40), 2..6), order in orders(),
        known in any::<bool>(), memory in prop_oneof![Just(0_u64), Just(64 << 20)],
    ) {
        // Each batch was committed by itself: its files are sorted, and overlap those of others.
        let mut world = World::new(order.clone());
        world.memory_bytes = memory;
        let mut partitions: BTreeMap<Vec<Option<String>>, Vec<String>> = BTreeMap::new();
        let tables: Vec<WatchedStore> = batches.iter().enumerate().map(|(i, rows)| {
            world.table = WatchedStore::default();
            let input = world.stage(&format!("run-{i}"), batch(rows, &schema()));
            for file in world.merge(vec![input]).0 {
                let values = order.partition_columns.iter().map(|name| file.partition_values[name].clone()).collect();
                partitions.entry(values).or_default().push(format!("{i}/{}", file.path));
            }
            world.table.clone()
        }).collect();
        world.table = WatchedStore::default();
        for (i, table) in tables.iter().enumerate() {
            table.addresses().iter().for_each(|path| world.table.insert(&format!("{i}/{path}"), table.found(path).unwrap()));
        }
        // Where the id is not known, the files are taken for unsorted and put in order again.
        let sorted_as = if known { vec![order.id()] } else { Vec::new() };
        for paths in partitions.values() {
            let mut next = again(&world, &order);
            let inputs: Vec<_> = paths.iter().map(|path| run(&next, path, &sorted_as)).collect();
            prop_assert!(inputs.iter().all(|input| (input.order == next.order.id()) == known));
            for input in inputs.iter().filter(|_| known) {
                let rows = read_parquet(&next.inputs.found(&input.address).unwrap());
                let keys: Vec<_> = rows.iter().map(|rows| next.order.keys(rows)).collect();
                prop_assert_eq!(keys.first().unwrap().get(0), input.first_key.as_slice());
                prop_assert_eq!(keys.last().unwrap().get(keys.last().unwrap().len() - 1), input.last_key.as_slice());
            }
            let expected = paths.iter().flat_map(|path| read_parquet(&world.table.found(path).unwrap()));
            let expected: Vec<_> = expected.flat_map(|rows| json_rows(&rows)).collect();
            // The model's merge sees that rows come out in order.
            let (files, merged) = next.merge(inputs);
            prop_assert_eq!(sorted(merged), sorted(expected));
            prop_assert_eq!(files.len(), 1);
            // What was merged says so, and can be merged once more.
            let ours = vec![next.order.id()];
            next.inputs = next.table.clone();
            prop_assert_eq!(run(&next, &files[0].path, &ours).order, next.order.id());
        }
    }
}

fn file_of(rows: &RecordBatch) -> World {
    let world = World::new(Order::default());
    let run = write_run(std::slice::from_ref(rows), &WriteSettings::default()).unwrap();
    world.staging.insert("file", run.bytes);
    world
}

#[test]
fn what_would_be_bent_is_left_alone_and_says_why() {
    let row = Row { number: Some(1), text: None, x: None, list: None, day: None, file: "f".into(), row: 0 };
    let rows = batch(&[row], &schema());
    let with = |field: Field| {
        let fields: Vec<_> = schema().fields().iter().filter(|f| f.name() != field.name()).cloned().collect();
        let kept: Vec<usize> =
            (0..rows.num_columns()).filter(|i| rows.schema_ref().field(*i).name() != field.name()).collect();
        let fields: Vec<_> = fields.into_iter().chain([Arc::new(field)]).collect();
        let mut columns = rows.project(&kept).unwrap().columns().to_vec();
        columns.push(Arc::new(Int32Array::from(vec![1])));
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    };
    for (rows, named) in [
        (with(Field::new("number", DataType::Int32, true)), "its column number is int, the table's is bigint"),
        (with(Field::new("other", DataType::Int32, true)), "it has a column other, which the table has not"),
    ] {
        match looked_at(&file_of(&rows), "file", &[Order::default().id()]).unwrap() {
            TableRun::Unfit(reason) => assert_eq!(reason, named),
            TableRun::Run(run) => panic!("{run:?}"),
        }
    }
    let world = file_of(&rows);
    let whole = world.staging.found("file").unwrap();
    world.staging.insert("file", whole.slice(..whole.len() - 9));
    assert!(matches!(looked_at(&world, "file", &[]), Err(RunsError::Damaged { .. })));
}
