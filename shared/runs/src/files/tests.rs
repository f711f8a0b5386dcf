use std::io::Write;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields};
use parquet::basic::Compression;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use store::{MemoryStore, Store};

use super::*;
use crate::order::Order;
use crate::row_columns::{SOURCE_FILE, SOURCE_ROW};
use crate::testing::{json_rows, read_parquet};

/// Rows with a nested column and texts of this length, all different.
fn rows(start: i64, count: i64, text_bytes: usize) -> RecordBatch {
    let numbers: ArrayRef = Arc::new((start..start + count).collect::<Int64Array>());
    let text = |i: i64| format!("{:x>1$}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64), text_bytes.max(20));
    let texts: ArrayRef =
        Arc::new((start..start + count).map(|i| (i % 7 != 0).then(|| text(i))).collect::<StringArray>());
    let fields: Fields = vec![Field::new("t", DataType::Utf8, true)].into();
    let nested: ArrayRef = Arc::new(StructArray::new(fields, vec![texts], None));
    let files: ArrayRef = Arc::new((0..count).map(|_| Some("f")).collect::<StringArray>());
    let columns = [("n", nested), (SOURCE_FILE, files), (SOURCE_ROW, numbers)];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

fn settings(row_group_bytes: usize, row_group_rows: usize) -> WriteSettings {
    WriteSettings { row_group_bytes, row_group_rows, ..WriteSettings::default() }
}

fn metadata(bytes: &bytes::Bytes) -> parquet::file::metadata::ParquetMetaData {
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    reader.parse_and_finish(bytes).unwrap()
}

#[test]
fn a_run_reads_back_and_is_plain_parquet() {
    let batches = [rows(0, 10, 0), rows(10, 5, 0)];
    let run = write_run(&batches, &WriteSettings::default()).unwrap();
    let read: Vec<_> = read_parquet(&run.bytes).iter().flat_map(json_rows).collect();
    let written: Vec<_> = batches.iter().flat_map(json_rows).collect();
    assert_eq!(read, written);
    assert_eq!(run.rows, 15);
    let order = Order::default();
    assert_eq!(run.first_key, order.keys(&batches[0]).get(0));
    assert_eq!(run.last_key, order.keys(&batches[1]).get(4));

    let metadata = metadata(&run.bytes);
    let said = metadata.file_metadata().key_value_metadata().unwrap();
    assert_eq!(said.len(), 1, "readers see plain types: no Arrow schema is in the footer");
    assert_eq!((said[0].key.as_str(), said[0].value.clone()), ("lithify.order", Some(Order::default().id())));
    for chunk in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        assert!(matches!(chunk.compression(), Compression::ZSTD(_)));
        assert!(chunk.statistics().is_some_and(|s| s.null_count_opt().is_some()));
        assert_eq!(chunk.bloom_filter_offset(), None);
    }
}

#[test]
fn a_run_without_rows_is_refused() {
    assert!(write_run(&[], &WriteSettings::default()).is_err());
    assert!(write_run(&[rows(0, 0, 0)], &WriteSettings::default()).is_err());
}

#[test]
fn row_groups_are_bounded_by_rows_and_by_bytes() {
    let batch = rows(0, 50_000, 0);
    let run = write_run(std::slice::from_ref(&batch), &settings(usize::MAX, 12_000)).unwrap();
    let counts: Vec<_> = run.row_groups.iter().map(|group| group.rows).collect();
    assert_eq!(counts, [12_000, 12_000, 12_000, 12_000, 2_000]);

    let run = write_run(&[batch], &settings(100_000, usize::MAX)).unwrap();
    assert!(run.row_groups.len() > 2, "{:?}", run.row_groups);
    assert_eq!(run.row_groups.iter().map(|group| group.rows).sum::<u64>(), 50_000);
    // The estimate counts open pages plain, so a group may be smaller, but no larger than a step beyond.
    assert!(run.row_groups.iter().all(|group| group.bytes < 400_000), "{:?}", run.row_groups);
}

#[test]
fn pages_stay_small_where_rows_are_wide() {
    let run = write_run(&[rows(0, 400, 60_000)], &WriteSettings::default()).unwrap();
    let metadata = metadata(&run.bytes);
    let text = &metadata.offset_index().unwrap()[0][0];
    assert!(text.page_locations().len() > 20, "{} pages", text.page_locations().len());
    // What a reader holds is of the order of a page, not of the 24 MB of the column.
    assert!(run.row_groups[0].page_bytes < 6_000_000, "{:?}", run.row_groups);
    assert!(run.row_groups[0].row_bytes > 20_000_000, "{:?}", run.row_groups);
}

#[test]
fn a_table_file_knows_its_size_and_is_there_when_it_is_finished() {
    let store = MemoryStore::default();
    let batch = rows(0, 30_000, 0);
    let begin =
        || TableFileWriter::new(store.writer("t").unwrap(), batch.schema(), &settings(200_000, 1 << 20), Some(&batch));
    let mut file = begin().unwrap();
    let mut sizes = vec![file.bytes()];
    for start in (0..30_000).step_by(1_000) {
        file.write(&batch.slice(start, 1_000)).unwrap();
        sizes.push(file.bytes());
    }
    assert!(sizes.windows(2).all(|pair| pair[0] < pair[1] + 200_000) && sizes[30] > 250_000, "{sizes:?}");
    assert!(store.addresses().is_empty());
    let written = file.finish().unwrap();
    assert_eq!((written.rows, written.size), (30_000, store.found("t").unwrap().len() as u64));
    assert_eq!(read_parquet(&store.found("t").unwrap()).iter().map(RecordBatch::num_rows).sum::<usize>(), 30_000);

    let mut dropped = begin().unwrap();
    dropped.write(&batch).unwrap();
    drop(dropped);
    assert_eq!(store.addresses(), ["t"]);
}

#[test]
fn rows_of_other_columns_are_refused() {
    let store = MemoryStore::default();
    let batch = rows(0, 10, 0);
    let mut file = TableFileWriter::new(store.writer("t").unwrap(), batch.schema(), &settings(1, 1), None).unwrap();
    assert!(file.write(&batch.project(&[0, 1]).unwrap()).is_err());
    assert!(file.write(&batch.project(&[0, 2, 1]).unwrap()).is_err());
}

#[test]
fn copied_row_groups_keep_values_statistics_and_page_index() {
    let store = MemoryStore::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let batches = [rows(0, 30_000, 0), rows(30_000, 30_000, 0)];
    for (name, batch) in ["a", "b"].iter().zip(&batches) {
        store.insert(name, write_run(std::slice::from_ref(batch), &settings(100_000, 1 << 20)).unwrap().bytes);
    }
    let sources = ["a", "b"].map(|name| CopySource::open(name, runtime.block_on(store.open(name)).unwrap()).unwrap());
    let mut file =
        TableFileWriter::new(store.writer("t").unwrap(), batches[0].schema(), &settings(1, 1), None).unwrap();
    for source in &sources {
        for (i, group) in source.facts().iter().enumerate() {
            file.copy(source, i, group.rows).unwrap();
        }
    }
    file.write(&rows(60_000, 1, 0)).unwrap();
    assert_eq!(file.finish().unwrap().rows, 60_001);

    let read: Vec<_> = read_parquet(&store.found("t").unwrap()).iter().flat_map(json_rows).collect();
    let expected: Vec<_> = batches.iter().chain([&rows(60_000, 1, 0)]).flat_map(json_rows).collect();
    assert_eq!(read, expected);

    let (copied, origin) = (metadata(&store.found("t").unwrap()), metadata(&store.found("a").unwrap()));
    let (groups, columns) = (origin.num_row_groups(), origin.row_group(0).num_columns());
    assert!(groups > 1);
    for (group, column) in (0..groups).flat_map(|group| (0..columns).map(move |column| (group, column))) {
        let chunk =
            |metadata: &parquet::file::metadata::ParquetMetaData| metadata.row_group(group).column(column).clone();
        assert_eq!(chunk(&copied).statistics(), chunk(&origin).statistics());
        assert_eq!(chunk(&copied).encodings_mask(), chunk(&origin).encodings_mask());
        assert_eq!(copied.column_index().unwrap()[group][column], origin.column_index().unwrap()[group][column]);
        // Every page is where its index says: its bytes are those of the origin.
        let pages = |metadata: &parquet::file::metadata::ParquetMetaData, name: &str| -> Vec<bytes::Bytes> {
            let locations = metadata.offset_index().unwrap()[group][column].page_locations().clone();
            let at = |l: &parquet::file::page_index::offset_index::PageLocation| {
                store
                    .found(name)
                    .unwrap()
                    .slice(l.offset as usize..(l.offset + i64::from(l.compressed_page_size)) as usize)
            };
            locations.iter().map(at).collect()
        };
        assert_eq!(pages(&copied, "t"), pages(&origin, "a"));
    }
}

#[test]
fn a_file_of_others_is_not_taken_for_ours() {
    let batch = rows(0, 10, 0);
    let ours = write_run(std::slice::from_ref(&batch), &WriteSettings::default()).unwrap().bytes;
    let mut foreign = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut foreign, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    foreign.flush().unwrap();
    let store = MemoryStore::default();
    store.insert("ours", ours.clone());
    store.insert("foreign", foreign.into());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let open = |name: &str| CopySource::open(name, runtime.block_on(store.open(name)).unwrap()).unwrap();
    let schema = metadata(&ours).file_metadata().schema_descr_ptr();
    assert!(open("ours").fits(&schema));
    assert!(!open("foreign").fits(&schema), "it is not compressed with zstd");
    let narrower = write_run(&[batch.project(&[0, 1]).unwrap()], &WriteSettings::default()).unwrap().bytes;
    assert!(!open("ours").fits(&metadata(&narrower).file_metadata().schema_descr_ptr()));
    store.insert("cut", ours.slice(..ours.len() - 9));
    assert!(CopySource::open("cut", runtime.block_on(store.open("cut")).unwrap()).is_err());
    assert!(batch.column(0).null_count() == 0);
}

/// Rows of more columns than are encoded side by side: plain ones, objects in objects, lists, most of them null most of the time.
fn wide_rows(rows: i64) -> RecordBatch {
    use arrow_array::builder::{Int64Builder, ListBuilder};
    use arrow_buffer::NullBuffer;
    let sparse =
        |c: i64| -> ArrayRef { Arc::new((0..rows).map(|i| (i % 97 == c).then_some(i * c)).collect::<Int64Array>()) };
    let valid = |each: i64| NullBuffer::from_iter((0..rows).map(|i| i % each != 0 && !(200..900).contains(&i)));
    let object = |members: Vec<(String, ArrayRef)>, nulls: Option<NullBuffer>| -> ArrayRef {
        let fields: Fields = members.iter().map(|(name, m)| Field::new(name, m.data_type().clone(), true)).collect();
        Arc::new(StructArray::new(fields, members.into_iter().map(|(_, m)| m).collect(), nulls))
    };
    let inner = object((0..40).map(|c| (format!("i{c}"), sparse(c))).collect(), Some(valid(3)));
    let outer = object(vec![("inner".to_owned(), inner), ("n".to_owned(), sparse(5))], Some(valid(5)));
    let mut lists = ListBuilder::new(Int64Builder::new());
    for i in 0..rows {
        (0..i % 3).for_each(|n| lists.values().append_option((n > 0).then_some(i)));
        lists.append(i % 4 != 0);
    }
    let ordinals: ArrayRef = Arc::new((0..rows).collect::<Int64Array>());
    let files: ArrayRef = Arc::new((0..rows).map(|_| Some("f")).collect::<StringArray>());
    let columns = (0..80).map(|c| (format!("c{c}"), sparse(c))).chain([
        ("outer".to_owned(), outer),
        ("lists".to_owned(), Arc::new(lists.finish()) as ArrayRef),
        (SOURCE_FILE.to_owned(), files),
        (SOURCE_ROW.to_owned(), ordinals),
    ]);
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

#[test]
fn wide_rows_wait_and_lose_nothing() {
    let batch = wide_rows(3_000);
    let pieces = [batch.slice(0, 1_000), batch.slice(1_000, 1_999), batch.slice(2_999, 1)];
    let run = write_run(&pieces, &settings(usize::MAX, 1_700)).unwrap();
    assert_eq!(run.row_groups.iter().map(|group| group.rows).collect::<Vec<_>>(), [1_700, 1_300]);
    let read: Vec<_> = read_parquet(&run.bytes).iter().flat_map(json_rows).collect();
    assert_eq!(read, json_rows(&batch));
}

#[test]
fn columns_without_values_make_no_row_groups() {
    // As plain columns these rows take 180 bytes each for every 20 columns: 14 MB.
    let batch = wide_rows(100);
    let nulls = |count: i64| -> Vec<RecordBatch> {
        let one = |column: &ArrayRef| arrow_array::new_null_array(column.data_type(), 1_000);
        let batch = RecordBatch::try_new(batch.schema(), batch.columns().iter().map(one).collect()).unwrap();
        (0..count).map(|_| batch.clone()).collect()
    };
    let run = write_run(&[vec![batch.clone()], nulls(15)].concat(), &settings(1 << 20, usize::MAX)).unwrap();
    assert_eq!(run.row_groups.iter().map(|group| group.rows).collect::<Vec<_>>(), [15_100]);
}

#[test]
fn a_file_whose_footer_grows_large_is_full() {
    let store = MemoryStore::default();
    let one = wide_rows(1);
    let mut file = TableFileWriter::new(store.writer("t").unwrap(), one.schema(), &settings(1, 1), None).unwrap();
    let columns = 124;
    for _ in 0..(32 << 10) / columns {
        assert!(!file.is_full());
        file.write(&one).unwrap();
    }
    assert!(file.is_full());
    let written = file.finish().unwrap();
    assert_eq!(written.metadata.file_metadata().schema_descr().num_columns(), columns);
}
