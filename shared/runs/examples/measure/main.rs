//! Measures what a row costs: writing runs, merging runs that overlap, copying runs that do not, and manifests.
//! `cargo run --release -p runs --example measure [rows [columns]]`

#![allow(clippy::unwrap_used, reason = "a measurement may stop at any fault")]

mod rows;

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use drops::{BatchId, Timestamp};
use runs::{
    Fate, FinishedRun, HeldDrop, Manifest, MergeStores, MergeTarget, Order, RunInput, StagedRun, WriteSettings, merge,
    write_run,
};
use store::{LocalStore, Store};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "merge") {
        return merge_staged(&arguments[1..]);
    }
    let rows: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let batches = rows::orders(rows);
    let memory: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
    println!("{rows} rows, {} columns, {} MB in memory", batches[0].num_columns(), memory / 1_000_000);
    if std::env::args().nth(2).is_some() {
        return by_column(&batches);
    }
    for level in [1, 3] {
        let settings = WriteSettings { compression_level: level, ..WriteSettings::default() };
        let start = cpu_seconds();
        let mut bytes = 0;
        for part in batches.chunks(batches.len().div_ceil(10)) {
            bytes += write_run(part, &settings).unwrap().bytes.len();
        }
        report(&format!("write 10 runs, zstd {level}"), rows, bytes, start);
    }
    let start = cpu_seconds();
    let sorted = Order::default().sort_all(batches.clone()).unwrap();
    report("find rows in order", rows, sorted.len(), start);
    let start = cpu_seconds();
    let keys: usize = batches.iter().map(|batch| Order::default().keys(batch).len()).sum();
    report("keys", rows, keys, start);
    merges(&batches, folder.path());
    manifests();
}

/// What each column costs, to find the dear ones.
fn by_column(batches: &[RecordBatch]) {
    for i in 0..batches[0].num_columns() {
        let one: Vec<_> = batches.iter().map(|batch| batch.project(&[i]).unwrap()).collect();
        let start = cpu_seconds();
        let run = write_run(&one, &WriteSettings::default()).unwrap();
        report(one[0].schema_ref().field(0).name(), run.rows as usize, run.bytes.len(), start);
    }
}

/// Seconds that this thread has computed: other work on the machine does not count.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn report(what: &str, rows: usize, bytes: usize, start: f64) {
    let seconds = cpu_seconds() - start;
    println!("{what:32} {seconds:7.3} s {:9.0} rows/s {:7.1} MB", rows as f64 / seconds, bytes as f64 / 1e6);
}

/// Stages runs, then merges them in processes of their own, so that each one's peak of memory is its own.
fn merges(batches: &[RecordBatch], folder: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = LocalStore::new(folder, "measure");
    let put = |address: String, batches: &[RecordBatch]| {
        let run = write_run(batches, &WriteSettings::default()).unwrap();
        runtime.block_on(store.put(&address, run.bytes.clone())).unwrap();
        staged(address, run)
    };
    let apart = batches.chunks(batches.len().div_ceil(10)).enumerate().map(|(i, part)| put(format!("a{i}"), part));
    let apart = remember(&store, apart.collect());
    // Every tenth source file of ten rows: stretches are as short as they get with the default order.
    let overlapping = (0..10).map(|run| {
        let part = |batch: &RecordBatch| {
            let keep: BooleanArray = (0..batch.num_rows()).map(|row| Some(row / 10 % 10 == run)).collect();
            arrow_select::filter::filter_record_batch(batch, &keep).unwrap()
        };
        put(format!("o{run}"), &batches.iter().map(part).collect::<Vec<_>>())
    });
    let overlapping = remember(&store, overlapping.collect());
    for (what, manifest, megabytes) in [
        ("copy runs that are apart", &apart, "256"),
        ("merge runs that overlap", &overlapping, "256"),
        ("the same with less memory", &overlapping, "64"),
        ("merge in several passes", &overlapping, "24"),
    ] {
        let program = std::env::current_exe().unwrap();
        let status = Command::new(program).args(["merge", what, manifest, megabytes]).arg(folder).status().unwrap();
        assert!(status.success());
    }
}

/// Keeps a list of runs as a manifest under its digest.
fn remember(store: &LocalStore, runs: Vec<StagedRun>) -> String {
    let rows = runs.iter().map(|run| run.rows).sum();
    let held = vec![held("all".into(), rows)];
    let manifest = Manifest::new(BatchId::from_parts(1, 1), "default".parse().unwrap(), 1, held, runs, None).unwrap();
    let (bytes, digest) = manifest.encode().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(store.put(&digest, bytes)).unwrap();
    digest
}

/// The child's part.
fn merge_staged(arguments: &[String]) {
    let [what, digest, megabytes, folder] = arguments else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let store: Arc<dyn Store> = Arc::new(LocalStore::new(Path::new(folder), "measure"));
    let stores = MergeStores {
        inputs: Arc::clone(&store),
        staging: Arc::clone(&store),
        table: Arc::clone(&store),
        runtime: runtime.handle().clone(),
    };
    let manifest = Manifest::decode(&runtime.block_on(store.get(digest)).unwrap(), digest).unwrap();
    let schema = rows::orders(1)[0].schema();
    let runs = manifest.runs.iter().map(|run| RunInput::new(run, schema.clone())).collect();
    let target = MergeTarget {
        schema,
        order: Order::default(),
        file_bytes: 128 << 20,
        memory_bytes: megabytes.parse::<u64>().unwrap() << 20,
        compression_level: 1,
        file_name: &|_, n| format!("table/{n}.parquet"),
        scratch_name: &|n| format!("scratch/{n}.parquet"),
    };
    let start = cpu_seconds();
    let files = merge(runs, &stores, &target, &mut |_| ControlFlow::Continue(())).unwrap().files;
    let rows: u64 = files.iter().map(|file| file.rows).sum();
    report(what, rows as usize, files.iter().map(|file| file.size as usize).sum(), start);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim();
    println!("{:32} at most {peak} resident, {megabytes} MiB allowed", "");
}

fn staged(address: String, run: FinishedRun) -> StagedRun {
    StagedRun {
        address,
        schema_version: 1,
        order: Order::default().id(),
        rows: run.rows,
        bytes: run.bytes.len() as u64,
        first_key: run.first_key,
        last_key: run.last_key,
        row_groups: run.row_groups,
    }
}

fn held(key: String, rows: u64) -> HeldDrop {
    HeldDrop {
        bucket: String::new(),
        key,
        version: None,
        etag: format!("3660-17000000{rows:09}"),
        size: 3_660,
        modified: Timestamp(1_700_000_000_000_000),
        arrived: None,
        fate: Fate::Ingested,
        records: rows,
        rows,
        rescued_rows: 0,
        quarantined_records: 0,
    }
}

fn manifests() {
    let key = |i| format!("topics/orders/partition={}/orders+{}+{i:010}.json", i % 8, i % 8);
    let held = (0..10_000).map(|i| held(key(i), 10)).collect();
    let run = FinishedRun {
        bytes: Default::default(),
        rows: 100_000,
        first_key: vec![1; 60],
        last_key: vec![2; 60],
        row_groups: Vec::new(),
    };
    let runs = vec![staged("staging/default/01.parquet".into(), run)];
    let pipeline = "default".parse().unwrap();
    let manifest = Manifest::new(BatchId::from_parts(1, 1), pipeline, 1, held, runs, None).unwrap();
    let start = cpu_seconds();
    let (bytes, digest) = manifest.encode().unwrap();
    report("encode a manifest (drops)", 10_000, bytes.len(), start);
    let start = cpu_seconds();
    let read = Manifest::decode(&bytes, &digest).unwrap();
    report("decode a manifest (drops)", read.held.len(), bytes.len(), start);
}
