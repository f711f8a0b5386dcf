//! A small table to merge into, its rows as plain values, and what every merge must give.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::{Array, ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray, StructArray, new_null_array};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use decode::schema::TableSchema;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::files::{FinishedRun, WriteSettings, write_run};
use crate::merge::{FinishedFile, MergeStores, MergeTarget, RescuedColumn, RunInput, merge};
use crate::order::Order;
use crate::row_columns::{RESCUED_DATA, SOURCE_FILE, SOURCE_ROW, table_schema};
use crate::testing::{WatchedStore, json_rows, read_parquet};

/// A row of the table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) number: Option<i64>,
    pub(super) text: Option<String>,
    pub(super) x: Option<i64>,
    pub(super) list: Option<Vec<Option<i64>>>,
    pub(super) day: Option<i32>,
    pub(super) file: String,
    pub(super) row: i64,
}

/// The table's columns.
pub(super) fn schema() -> SchemaRef {
    let nested: Fields = vec![Field::new("x", DataType::Int64, true), Field::new("y", DataType::Utf8, true)].into();
    let element = Arc::new(Field::new("element", DataType::Int64, true));
    let data = Schema::new(vec![
        Field::new("number", DataType::Int64, true),
        Field::new("text", DataType::Utf8, true),
        Field::new("nested", DataType::Struct(nested), true),
        Field::new("list", DataType::List(element), true),
        Field::new("day", DataType::Date32, true),
    ]);
    let data = TableSchema { fields: data.fields().iter().map(|f| decode::schema::Field::from_arrow(f)).collect() };
    table_schema(&data)
}

/// The columns before `text` and `nested.y` came.
pub(super) fn older_schema() -> SchemaRef {
    let newest = schema();
    let fields = newest.fields().iter().filter(|field| field.name() != "text").map(|field| {
        if field.name() == "nested" {
            let x: Fields = vec![Field::new("x", DataType::Int64, true)].into();
            return Arc::new(Field::new("nested", DataType::Struct(x), true));
        }
        Arc::clone(field)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows in these columns, which are all or some of the table's; missing texts must be null.
pub(super) fn batch(rows: &[Row], schema: &SchemaRef) -> RecordBatch {
    let mut list = ListBuilder::new(Int64Builder::new()).with_field(Field::new("element", DataType::Int64, true));
    rows.iter().for_each(|row| list.append_option(row.list.clone()));
    let list = list.finish();
    let column = |field: &Field| -> ArrayRef {
        match (field.name().as_str(), field.data_type()) {
            ("number", _) => Arc::new(rows.iter().map(|r| r.number).collect::<Int64Array>()),
            ("text", _) => Arc::new(rows.iter().map(|r| r.text.as_deref()).collect::<StringArray>()),
            ("nested", DataType::Struct(fields)) => {
                let x: ArrayRef = Arc::new(rows.iter().map(|r| r.x).collect::<Int64Array>());
                let children = fields
                    .iter()
                    .map(|f| if f.name() == "x" { x.clone() } else { new_null_array(f.data_type(), rows.len()) });
                Arc::new(StructArray::new(fields.clone(), children.collect(), x.nulls().cloned()))
            }
            ("list", _) => Arc::new(list.clone()),
            ("day", _) => Arc::new(rows.iter().map(|r| r.day).collect::<Date32Array>()),
            (SOURCE_FILE, _) => Arc::new(rows.iter().map(|r| Some(r.file.as_str())).collect::<StringArray>()),
            (SOURCE_ROW, _) => Arc::new(rows.iter().map(|r| Some(r.row)).collect::<Int64Array>()),
            (RESCUED_DATA, _) => {
                Arc::new(rows.iter().map(|r| (r.row % 5 == 0).then_some("{\"z\":1e400}")).collect::<StringArray>())
            }
            (_, other) => new_null_array(other, rows.len()),
        }
    };
    RecordBatch::try_new(schema.clone(), schema.fields().iter().map(|field| column(field)).collect()).unwrap()
}

/// A merge's surroundings.
pub(super) struct World {
    pub(super) runtime: Runtime,
    pub(super) staging: WatchedStore,
    /// Where inputs are: the staging store, unless table files are merged again.
    pub(super) inputs: WatchedStore,
    pub(super) table: WatchedStore,
    pub(super) order: Order,
    pub(super) schema: SchemaRef,
    pub(super) file_bytes: u64,
    pub(super) memory_bytes: u64,
    pub(super) row_group_rows: usize,
    pub(super) progress: u64,
    /// What the last merge said of rows that it rescued.
    pub(super) rescued_rows: u64,
    pub(super) rescued_columns: Vec<RescuedColumn>,
    /// Runs of the merge itself that were made.
    pub(super) scratch: AtomicU64,
}

impl World {
    pub(super) fn new(order: Order) -> Self {
        let staging = WatchedStore::default();
        Self {
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap(),
            inputs: staging.clone(),
            staging,
            table: WatchedStore::default(),
            order,
            schema: schema(),
            file_bytes: 1 << 30,
            memory_bytes: 64 << 20,
            row_group_rows: 1 << 20,
            progress: 0,
            rescued_rows: 0,
            rescued_columns: Vec::new(),
            scratch: AtomicU64::new(0),
        }
    }

    /// Stages rows as a run in this world's order.
    pub(super) fn stage(&self, name: &str, rows: RecordBatch) -> RunInput {
        let settings = WriteSettings {
            order: self.order.clone(),
            row_group_rows: self.row_group_rows,
            ..WriteSettings::default()
        };
        let sorted = self.order.sort(rows).unwrap();
        let run = write_run(std::slice::from_ref(&sorted), &settings).unwrap();
        self.staging.insert(name, run.bytes.clone());
        self.input(name, run, sorted.schema())
    }

    fn input(&self, address: &str, run: FinishedRun, schema: SchemaRef) -> RunInput {
        RunInput {
            address: address.into(),
            schema,
            order: self.order.id(),
            rows: run.rows,
            bytes: run.bytes.len() as u64,
            first_key: run.first_key,
            last_key: run.last_key,
            row_groups: run.row_groups,
        }
    }

    pub(super) fn try_merge(
        &mut self,
        runs: Vec<RunInput>,
        stop_after: u64,
    ) -> Result<Vec<FinishedFile>, crate::RunsError> {
        let stores = MergeStores {
            inputs: Arc::new(self.inputs.clone()),
            staging: Arc::new(self.staging.clone()),
            table: Arc::new(self.table.clone()),
            runtime: self.runtime.handle().clone(),
        };
        let target = MergeTarget {
            schema: self.schema.clone(),
            order: self.order.clone(),
            file_bytes: self.file_bytes,
            memory_bytes: self.memory_bytes,
            compression_level: 1,
            file_name: &|folder, n| format!("{folder}{}{n:05}.parquet", if folder.is_empty() { "" } else { "/" }),
            scratch_name: &|n| {
                self.scratch.fetch_add(1, Ordering::Relaxed);
                format!("scratch-{n}")
            },
        };
        self.progress = 0;
        let merged = merge(runs, &stores, &target, &mut |rows| {
            self.progress += rows;
            if self.progress > stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        (self.rescued_rows, self.rescued_columns) = (merged.rescued_rows, merged.rescued_columns);
        Ok(merged.files)
    }

    /// Merges, and checks what holds for every merge. Gives the files and their rows as JSON, partition columns left out.
    pub(super) fn merge(&mut self, runs: Vec<RunInput>) -> (Vec<FinishedFile>, Vec<Value>) {
        let staged = self.staging.addresses();
        let rows: u64 = runs.iter().map(|run| run.rows).sum();
        let files = self.try_merge(runs, u64::MAX).unwrap();
        assert_eq!(self.staging.addresses(), staged, "the runs are untouched and nothing is left beside them");
        assert_eq!(self.progress, rows);
        let mut written: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
        written.sort();
        assert_eq!(self.table.addresses(), written);

        let mut all = Vec::new();
        let mut last: Vec<u8> = Vec::new();
        for file in &files {
            let bytes = self.table.found(&file.path).unwrap();
            assert_eq!(bytes.len() as u64, file.size);
            let batches = read_parquet(&bytes);
            assert_eq!(batches.iter().map(|b| b.num_rows() as u64).sum::<u64>(), file.rows);
            let stats: Value = serde_json::from_str(&file.stats_json).unwrap();
            assert_eq!(stats["numRecords"], file.rows);
            // Within a file the keys ascend; across files too, where no partition column was left out.
            if !self.order.partition_columns.is_empty() {
                last.clear();
            }
            for batch in batches {
                let keys = self.order.keys(&batch);
                for row in 0..keys.len() {
                    assert!(last.as_slice() <= keys.get(row), "rows are out of order in {}", file.path);
                    last = keys.get(row).to_vec();
                }
                all.extend(json_rows(&batch));
            }
        }
        (files, all)
    }
}

/// The rows as a multiset, for comparing.
pub(super) fn sorted(rows: impl IntoIterator<Item = Value>) -> Vec<String> {
    let mut texts: Vec<String> = rows.into_iter().map(|row| row.to_string()).collect();
    texts.sort();
    texts
}
