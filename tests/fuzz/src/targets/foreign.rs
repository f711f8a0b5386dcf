//! A data file of a table that others write to, as upkeep merges it with a file of ours: the bytes are that file, of which the log says nothing
//! but its size.
//!
//! - It is left alone with a reason, or an error names it and nothing is left of what was written; nothing breaks off.
//! - Where it is merged, the rows of the other file are there, once each, and besides them those that Parquet's own reader of records sees in it.
//!   Where that reader sees none of a file whose row groups were taken as they are, they may be as damaged as they were.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow_schema::{DataType, Field, Fields, SchemaRef};
use bytes::Bytes;
use decode::schema::{TableSchema, timestamp_type};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field as Cell, Row};
use runs::{
    MergeStores, MergeTarget, Order, RunInput, RunsError, SOURCE_FILE, SOURCE_ROW, TableRun, WriteSettings, merge,
    table_run, table_schema, write_run,
};
use store::{MemoryObject, MemoryStore};
use tokio::runtime::{Builder, Runtime};

use super::table::let_readers_break_off;
use crate::fingerprint;

/// The two files.
const OURS: &str = "part-00000-ours.parquet";
const FOREIGN: &str = "part-00000-foreign.parquet";

/// How often each row is there, as text.
type Rows = BTreeMap<String, u64>;

/// The table's columns.
static COLUMNS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let nullable = |name: &str, data_type| Field::new(name, data_type, true);
    let list = |of| DataType::List(Arc::new(Field::new("element", of, true)));
    let point = Fields::from(vec![nullable("x", DataType::Float64), nullable("n", DataType::Int64)]);
    let place = Fields::from(vec![nullable("city", DataType::Utf8), nullable("points", list(DataType::Struct(point)))]);
    let fields = [
        nullable("id", DataType::Int64),
        nullable("name", DataType::Utf8),
        nullable("price", DataType::Float64),
        nullable("flag", DataType::Boolean),
        nullable("day", DataType::Date32),
        nullable("at", timestamp_type()),
        nullable("amount", DataType::Decimal128(9, 2)),
        nullable("tags", list(DataType::Utf8)),
        nullable("place", DataType::Struct(place)),
    ];
    table_schema(&TableSchema { fields: fields.iter().map(decode::schema::Field::from_arrow).collect() })
});

/// A file of ours, and its rows.
static OUR_FILE: LazyLock<(Bytes, Rows)> = LazyLock::new(|| {
    let column = |field: &Arc<Field>| -> ArrayRef {
        match field.name().as_str() {
            "id" => Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])),
            "name" => Arc::new(StringArray::from(vec!["a", "b", "a"])),
            "price" => Arc::new(Float64Array::from(vec![None, Some(0.5), None])),
            SOURCE_FILE => Arc::new(StringArray::from(vec!["f", "f", "g"])),
            SOURCE_ROW => Arc::new(Int64Array::from(vec![0, 1, 0])),
            _ => new_null_array(field.data_type(), 3),
        }
    };
    let columns = COLUMNS.fields().iter().map(column).collect();
    let rows = RecordBatch::try_new(Arc::clone(&COLUMNS), columns).expect("rows");
    let file = write_run(&[rows], &WriteSettings::default()).expect("a file").bytes;
    let rows = rows_of(&file).expect("it is read");
    (file, rows)
});

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime that waits for nothing"));

pub(super) fn check(bytes: &[u8]) -> bool {
    let_readers_break_off();
    let drawn = fingerprint(bytes);
    let foreign = Bytes::copy_from_slice(bytes);
    let Some(foreign_run) = run_of(FOREIGN, foreign.clone()) else { return false };
    if foreign_run.rows == 0 {
        return false;
    }
    let (our_bytes, our_rows) = &*OUR_FILE;
    let ours = run_of(OURS, our_bytes.clone()).expect("a file of ours is a run");
    let files = MemoryStore::default();
    files.insert(OURS, our_bytes.clone());
    files.insert(FOREIGN, foreign.clone());
    // Alone a file is copied where it may be.
    let is_alone = drawn & 1 == 0;
    let runs = if is_alone { vec![foreign_run] } else { vec![ours, foreign_run] };
    let (made, merged) = merged(&files, runs, drawn);
    if let Err(error) = merged {
        assert!(error.to_string().contains(FOREIGN), "{error}");
        assert_eq!(made.addresses(), [""; 0], "{error}");
        return false;
    }
    let theirs = rows_of(&foreign);
    let mut rows = Rows::new();
    for path in made.addresses() {
        match rows_of(&made.found(&path).expect("it is there")) {
            Some(more) => add(&mut rows, &more),
            None => assert!(theirs.is_none(), "what was read can be read where it was written"),
        }
    }
    let mut expected = if is_alone { Rows::new() } else { our_rows.clone() };
    match theirs {
        Some(theirs) => {
            add(&mut expected, &theirs);
            assert_eq!(rows, expected);
        }
        None => {
            assert!(expected.iter().all(|(row, times)| rows.get(row) >= Some(times)), "{expected:?} within {rows:?}")
        }
    }
    true
}

fn add(rows: &mut Rows, more: &Rows) {
    more.iter().for_each(|(row, times)| *rows.entry(row.clone()).or_default() += times);
}

/// A file as upkeep looks at it; `None` where it leaves it alone.
fn run_of(path: &str, file: Bytes) -> Option<RunInput> {
    let order = Order::default();
    match table_run(path, Arc::new(MemoryObject(file)), &COLUMNS, &order, &[order.id()]) {
        Ok(TableRun::Run(run)) => Some(*run),
        Ok(TableRun::Unfit(reason)) => {
            assert!(!reason.is_empty(), "it is left alone for a reason");
            None
        }
        Err(error) => {
            assert!(error.to_string().contains(path), "{error}");
            None
        }
    }
}

/// What a merge makes, and how it ends.
fn merged(files: &MemoryStore, runs: Vec<RunInput>, drawn: u64) -> (MemoryStore, Result<(), RunsError>) {
    let made = MemoryStore::default();
    let stores = MergeStores {
        inputs: Arc::new(files.clone()),
        staging: Arc::new(made.clone()),
        table: Arc::new(made.clone()),
        runtime: RUNTIME.handle().clone(),
    };
    let target = MergeTarget {
        schema: Arc::clone(&COLUMNS),
        order: Order::default(),
        file_bytes: if drawn & 2 == 0 { 1 << 30 } else { 1_000 },
        memory_bytes: if drawn & 4 == 0 { 64 << 20 } else { 0 },
        compression_level: 1,
        file_name: &|_, n| format!("made-{n}"),
        scratch_name: &|n| format!("scratch-{n}"),
    };
    let done = merge(runs, &stores, &target, &mut |_| ControlFlow::Continue(())).map(|_| ());
    (made, done)
}

/// The rows of a file; `None` if Parquet's reader of records cannot read it.
fn rows_of(file: &Bytes) -> Option<Rows> {
    let file = file.clone();
    // A second opinion: what makes that reader break off is its own affair.
    let rows = std::panic::catch_unwind(move || {
        let mut rows = Rows::new();
        for row in SerializedFileReader::new(file).ok()?.get_row_iter(None).ok()? {
            *rows.entry(text_of(&row.ok()?)).or_default() += 1;
        }
        Some(rows)
    });
    rows.ok().flatten()
}

/// A row's cells that are not null, whatever the order of its columns.
fn text_of(row: &Row) -> String {
    format!("{:?}", cells_of(row))
}

fn cells_of(row: &Row) -> BTreeMap<&String, String> {
    row.get_column_iter().filter_map(|(name, cell)| Some((name, cell_text(cell)?))).collect()
}

/// A cell as text. Objects and lists that hold nothing are null: where damage makes two fields of an object contradict each other, one may say
/// that it is there and the other that it is not.
fn cell_text(cell: &Cell) -> Option<String> {
    Some(match cell {
        Cell::Null => return None,
        Cell::Group(row) if cells_of(row).is_empty() => return None,
        Cell::Group(row) => text_of(row),
        Cell::ListInternal(list) if list.elements().is_empty() => return None,
        Cell::ListInternal(list) => format!("{:?}", list.elements().iter().map(cell_text).collect::<Vec<_>>()),
        Cell::Decimal(decimal) => {
            // However many bytes hold it.
            let digits = decimal.data();
            let sign = if digits.first().is_some_and(|first| first & 0x80 != 0) { 0xFF } else { 0 };
            let mut whole = [sign; 16];
            let digits = digits.get(digits.len().saturating_sub(16)..).unwrap_or_default();
            whole[16 - digits.len()..].copy_from_slice(digits);
            format!("{}e-{}", i128::from_be_bytes(whole), decimal.scale())
        }
        other => format!("{other:?}"),
    })
}
