//! Merges that fail leave nothing behind, and no fault passes for success.

use std::sync::atomic::Ordering;

use super::model::{Row, World, batch, schema};
use crate::error::RunsError;
use crate::files::read_columns;
use crate::merge::table_run;
use crate::order::Order;

fn rows(file: &str, count: i64) -> Vec<Row> {
    let row = |row| Row { number: Some(row), text: None, x: None, list: None, day: None, file: file.into(), row };
    (0..count).map(row).collect()
}

fn world() -> (World, Vec<crate::RunInput>) {
    let mut world = World::new(Order::default());
    world.file_bytes = 2_000;
    let inputs = vec![
        world.stage("a", batch(&rows("m", 500), &schema())),
        world.stage("b", batch(&rows("m", 700), &schema())),
        world.stage("c", batch(&rows("z", 300), &schema())),
    ];
    (world, inputs)
}

fn leaves_nothing(world: &mut World, inputs: Vec<crate::RunInput>, stop_after: u64) -> RunsError {
    let staged = world.staging.addresses();
    let error = world.try_merge(inputs, stop_after).unwrap_err();
    assert_eq!(world.table.addresses(), Vec::<String>::new(), "{error}");
    assert_eq!(world.staging.addresses(), staged);
    error
}

#[test]
fn a_missing_run_fails_the_merge() {
    let (mut world, inputs) = world();
    world.staging.remove("c");
    assert!(matches!(leaves_nothing(&mut world, inputs, u64::MAX), RunsError::Store(_)));
}

#[test]
fn a_damaged_run_is_named() {
    for (cut, memory) in [(40, 64 << 20), (2, 64 << 20), (40, 0)] {
        let (mut world, inputs) = world();
        world.memory_bytes = memory;
        let bytes = world.staging.found("b").unwrap();
        world.staging.insert("b", bytes.slice(..bytes.len() - cut));
        let error = leaves_nothing(&mut world, inputs, u64::MAX);
        assert!(matches!(&error, RunsError::Damaged { address, .. } if address == "b"), "{error}");
    }
}

#[test]
fn what_a_store_refuses_is_no_damage() {
    for (memory, healthy) in [(64 << 20, false), (64 << 20, true), (0, false)] {
        let mut refusals = 0;
        for reads in 0.. {
            let (mut world, mut inputs) = world();
            let groups = inputs.iter_mut().flat_map(|input| &mut input.row_groups);
            groups.filter(|_| healthy).for_each(|group| group.bytes = 8 << 20);
            (world.memory_bytes, world.inputs) = (memory, world.staging.clone());
            world.inputs.reads_left.store(reads, Ordering::Relaxed);
            let Err(error) = world.try_merge(inputs, u64::MAX) else { break };
            assert!(matches!(&error, RunsError::Store(_)), "read {reads}: {error}");
            assert!(error.to_string().contains("fewer requests"), "read {reads}: {error}");
            refusals = reads + 1;
        }
        assert!(refusals > 10, "only {refusals} reads were refused");
    }
}

#[test]
fn looking_at_a_file_tells_what_its_store_refuses() {
    let (world, inputs) = world();
    let (run, sorted_as) = (&inputs[1], [world.order.id()]);
    for (what, look) in [
        ("a look", (&|| table_run("b", open(&world), &world.schema, &world.order, &sorted_as).map(drop)) as Look<'_>),
        ("columns", &|| read_columns("b", open(&world), &["number"])?.try_for_each(|batch| batch.map(drop))),
    ] {
        let mut refusals = 0;
        for reads in 0.. {
            world.staging.reads_left.store(reads, Ordering::Relaxed);
            let Err(error) = look() else { break };
            assert!(matches!(&error, RunsError::Store(_)), "{what}, read {reads}: {error}");
            refusals = reads + 1;
        }
        assert!(refusals > 3, "{what}: only {refusals} reads were refused of {} bytes", run.bytes);
    }
}

type Look<'a> = &'a dyn Fn() -> Result<(), RunsError>;

fn open(world: &World) -> std::sync::Arc<dyn store::RandomRead> {
    world.runtime.block_on(store::Store::open(&world.staging, "b")).unwrap()
}

#[test]
fn a_run_with_other_rows_than_its_manifest_says_fails_the_merge() {
    for (name, delta) in [("a", 1), ("b", -1), ("c", 1), ("c", -1)] {
        for healthy in [false, true] {
            let (mut world, mut inputs) = world();
            for input in &mut inputs {
                input.row_groups.iter_mut().filter(|_| healthy).for_each(|group| group.bytes = 8 << 20);
                if input.address == name {
                    input.rows = input.rows.checked_add_signed(delta).unwrap();
                }
            }
            let error = leaves_nothing(&mut world, inputs, u64::MAX);
            assert!(matches!(&error, RunsError::Damaged { address, .. } if address == name), "{error}");
        }
    }
}

#[test]
fn a_merge_can_be_stopped_and_leaves_nothing() {
    for memory in [0, 64 << 20] {
        let (mut world, inputs) = world();
        world.memory_bytes = memory;
        assert!(matches!(leaves_nothing(&mut world, inputs, 600), RunsError::Stopped));
    }
}

#[test]
fn rows_without_a_place_for_what_does_not_fit_are_not_dropped() {
    let (mut world, inputs) = world();
    let kept: Vec<usize> = (0..world.schema.fields().len() - 1).filter(|i| *i != 0).collect();
    world.schema = std::sync::Arc::new(world.schema.project(&kept).unwrap());
    assert!(matches!(leaves_nothing(&mut world, inputs, u64::MAX), RunsError::NoRescue { .. }));
}

#[test]
fn no_runs_give_no_files() {
    let (mut world, _) = world();
    assert_eq!(world.merge(Vec::new()).0, Vec::new());
}
