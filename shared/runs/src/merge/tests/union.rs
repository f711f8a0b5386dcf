use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::model::{Row, World, batch, older_schema, schema, sorted};
use crate::order::{ClusterKey, Order};
use crate::testing::json_rows;

pub(super) fn row() -> impl Strategy<Value = Row> {
    let text = proptest::option::of(prop_oneof!["[a-d]{0,3}", "[a-z]{30}"]);
    let list = proptest::option::of(proptest::collection::vec(proptest::option::of(0..9_i64), 0..3));
    let number = proptest::option::of(-5..5_i64);
    (number, text, proptest::option::of(any::<i64>()), list, proptest::option::of(-2..2_i32), "[a-c]", 0..50_i64)
        .prop_map(|(number, text, x, list, day, file, row)| Row { number, text, x, list, day, file, row })
}

/// Some runs, each in the newest columns or the older ones.
fn runs() -> impl Strategy<Value = Vec<(Vec<Row>, bool)>> {
    let run = (proptest::collection::vec(row(), 1..60), any::<bool>());
    proptest::collection::vec(run, 1..9).prop_map(|mut runs| {
        for (rows, older) in &mut runs {
            rows.iter_mut().filter(|_| *older).for_each(|row| row.text = None);
        }
        runs
    })
}

pub(super) fn orders() -> impl Strategy<Value = Order> {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let keys = prop_oneof![
        Just(ClusterKey::SourceRow),
        Just(ClusterKey::Sort(names(&["text", "number"]))),
        Just(ClusterKey::ZOrder(names(&["number", "text"]))),
        Just(ClusterKey::Sort(names(&["number"]))),
    ];
    let partitions = prop_oneof![Just(names(&[])), Just(names(&["day"])), Just(names(&["text", "day"]))];
    let order = |(cluster_key, partition_columns)| Order { partition_columns, cluster_key };
    (keys, partitions).prop_map(order).prop_filter("refused by check", |order| order.check(&schema()).is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_files_hold_the_rows_of_all_runs_in_order(
        runs in runs(), order in orders(), memory in prop_oneof![Just(0_u64), Just(20_000), Just(64 << 20)],
        file_bytes in prop_oneof![Just(1_u64), Just(4_000), Just(1 << 30)], row_group_rows in prop_oneof![Just(7_usize), Just(1 << 20)],
    ) {
        let mut world = World::new(order.clone());
        (world.memory_bytes, world.file_bytes, world.row_group_rows) = (memory, file_bytes, row_group_rows);
        let inputs = runs.iter().enumerate().map(|(i, (rows, older))| {
            let schema = if *older { older_schema() } else { schema() };
            world.stage(&format!("run-{i}"), batch(rows, &schema))
        });
        let inputs = inputs.collect();
        let (files, merged) = world.merge(inputs);

        let strip = |mut row: serde_json::Value| {
            order.partition_columns.iter().for_each(|name| _ = row.as_object_mut().unwrap().remove(name));
            row
        };
        let expected = runs.iter().flat_map(|(rows, _)| json_rows(&batch(rows, &schema()))).map(strip);
        prop_assert_eq!(sorted(merged), sorted(expected));

        // The rows of each partition are those with its values.
        let mut counts: BTreeMap<Vec<Option<String>>, u64> = BTreeMap::new();
        for row in runs.iter().flat_map(|(rows, _)| rows) {
            let value = |name: &String| match name.as_str() {
                "day" => row.day.map(|day| ["1969-12-30", "1969-12-31", "1970-01-01", "1970-01-02"][(day + 2) as usize].to_owned()),
                _ => row.text.clone().filter(|text| !text.is_empty()),
            };
            *counts.entry(order.partition_columns.iter().map(value).collect()).or_default() += 1;
        }
        let mut found: BTreeMap<Vec<Option<String>>, u64> = BTreeMap::new();
        for file in &files {
            let values = order.partition_columns.iter().map(|name| file.partition_values[name].clone()).collect();
            *found.entry(values).or_default() += file.rows;
        }
        prop_assert_eq!(&counts, &found);
        if file_bytes == 1 << 30 {
            prop_assert_eq!(files.len(), counts.len(), "no file is cut without need");
        }
    }

    #[test]
    fn copied_and_merged_runs_give_the_same_rows(mut rows in proptest::collection::vec(row(), 30..200), row_group_rows in 5..50_usize) {
        let mut world = World::new(Order::default());
        world.row_group_rows = row_group_rows;
        rows.sort_by(|a, b| (&a.file, a.row).cmp(&(&b.file, b.row)));
        rows.dedup_by(|a, b| (&a.file, a.row) == (&b.file, b.row));
        let stage = |world: &World, healthy: bool| -> Vec<_> {
            let parts = rows.chunks(rows.len().div_ceil(3)).enumerate();
            let input = |(i, part): (usize, &[Row])| {
                let mut input = world.stage(&format!("run-{i}"), batch(part, &schema()));
                // Whether a run is copied hangs on what is said of its row groups.
                let said = if healthy { 8 << 20 } else { 0 };
                input.row_groups.iter_mut().for_each(|group| group.bytes = said);
                input
            };
            parts.map(input).collect()
        };
        let inputs = stage(&world, true);
        let groups: usize = inputs.iter().map(|input| input.row_groups.len()).sum();
        let (copied_files, copied) = world.merge(inputs);
        prop_assert_eq!(copied_files.len(), 1);
        let metadata = parquet::file::metadata::ParquetMetaDataReader::new().parse_and_finish(&world.table.found(&copied_files[0].path).unwrap()).unwrap();
        prop_assert_eq!(metadata.num_row_groups(), groups, "row groups are taken as they are");

        let inputs = stage(&world, false);
        let (merged_files, merged) = world.merge(inputs);
        prop_assert_eq!(copied, merged);
        let stats = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        prop_assert_eq!(stats(&copied_files[0].stats_json), stats(&merged_files[0].stats_json));
        let metadata = parquet::file::metadata::ParquetMetaDataReader::new().parse_and_finish(&world.table.found(&merged_files[0].path).unwrap()).unwrap();
        prop_assert_eq!(metadata.num_row_groups(), 1, "small ones share row groups");
    }
}

fn many_rows(file: &str, count: i64) -> Vec<Row> {
    let text = |i: i64| Some(format!("{:016x}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64)));
    let row = |i: i64| Row {
        number: Some(i % 100),
        text: text(i),
        x: Some(i),
        list: None,
        day: Some(0),
        file: file.into(),
        row: i,
    };
    (0..count).map(row).collect()
}

#[test]
fn files_are_cut_at_the_target_size_whether_copied_or_encoded() {
    let mut world = World::new(Order::default());
    world.row_group_rows = 2_000;
    world.file_bytes = 120_000;
    let a = world.stage("a", batch(&many_rows("a", 20_000), &schema()));
    let healthy = |mut input: crate::RunInput| {
        input.row_groups.iter_mut().for_each(|group| group.bytes = 8 << 20);
        input
    };
    let group = a.row_groups.iter().map(|group| group.bytes).max().unwrap();
    for inputs in [
        vec![a.clone()],
        vec![healthy(a.clone()), healthy(world.stage("b", batch(&many_rows("b", 20_000), &schema())))],
    ] {
        let (files, _) = world.merge(inputs);
        assert!(files.len() > 1, "{files:?}");
        let over = files.iter().find(|file| file.size > world.file_bytes + group.max(world.file_bytes / 2) + 20_000);
        assert!(over.is_none(), "{over:?}");
        let small = files.iter().filter(|file| file.size < world.file_bytes / 3).count();
        assert_eq!(small, 0, "{:?}", files.iter().map(|file| file.size).collect::<Vec<_>>());
    }
}

#[test]
fn copied_and_merged_stretches_stand_in_one_order() {
    let mut world = World::new(Order::default());
    let rows = many_rows("m", 3_000);
    let of = |keep: &dyn Fn(i64) -> bool| {
        batch(&rows.iter().filter(|row| keep(row.row)).cloned().collect::<Vec<_>>(), &schema())
    };
    let mut large = world.stage("large", of(&|i| (1_000..2_000).contains(&i)));
    large.row_groups[0].rows = 40_000;
    let inputs = vec![
        world.stage("even", of(&|i| i < 1_000 && i % 2 == 0)),
        world.stage("late", of(&|i| i >= 2_500)),
        large,
        world.stage("odd", of(&|i| i < 1_000 && i % 2 == 1)),
        world.stage("next", of(&|i| (2_000..2_500).contains(&i))),
    ];
    let (_, merged) = world.merge(inputs);
    let numbers: Vec<_> = merged.iter().map(|row| row["_source_row"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (0..3_000).collect::<Vec<_>>());
}

#[test]
fn memory_bounds_how_many_runs_are_open_and_passes_make_up_for_it() {
    let mut world = World::new(Order::default());
    let rows = many_rows("m", 4_000);
    let inputs: Vec<_> = (0..40)
        .map(|run| {
            world.stage(
                &format!("run-{run:02}"),
                batch(&rows.iter().filter(|r| r.row % 40 == run).cloned().collect::<Vec<_>>(), &schema()),
            )
        })
        .collect();
    let one = crate::merge::input::reader_bytes(&inputs[0], 0);
    world.memory_bytes = one * 2 * 6;
    let (_, merged) = world.merge(inputs.clone());
    let most_open = |world: &World| world.staging.open.1.swap(0, Ordering::Relaxed);
    assert!((2..=6).contains(&most_open(&world)));
    assert!((7..20).contains(&world.scratch.load(Ordering::Relaxed)), "{:?}", world.scratch);
    let numbers: Vec<_> = merged.iter().map(|row| row["_source_row"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (0..4_000).collect::<Vec<_>>());

    // With room for all there is one pass.
    world.scratch = AtomicU64::new(0);
    world.memory_bytes = one * 2 * 41;
    world.merge(inputs);
    assert_eq!((most_open(&world), world.scratch.load(Ordering::Relaxed)), (40, 0));
}

#[test]
fn runs_are_opened_when_their_first_key_is_reached() {
    let mut world = World::new(Order::default());
    let rows = many_rows("m", 3_000);
    let part =
        |start: usize, end: usize, step: usize| rows[start..end].iter().step_by(step).cloned().collect::<Vec<_>>();
    // Each run overlaps only the next.
    let inputs = (0..29)
        .map(|i| world.stage(&format!("run-{i:02}"), batch(&part(i * 100, i * 100 + 150, 2), &schema())))
        .collect();
    world.merge(inputs);
    assert_eq!(world.staging.open.1.load(Ordering::Relaxed), 2);
}
