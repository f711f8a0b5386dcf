//! Files of others whose footers say what is not so: each is named, nothing breaks off, and no row comes twice or goes.

use bytes::Bytes;
use parquet::file::metadata::{
    ColumnChunkMetaDataBuilder, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter,
    RowGroupMetaData, RowGroupMetaDataBuilder,
};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::writer::TrackedWrite;

use super::model::{Row, World, batch, schema};
use crate::RunsError;
use crate::files::{WriteSettings, read_columns, write_run};
use crate::merge::{TableRun, table_run};
use crate::order::Order;

const ROWS: i64 = 30_000;

/// A file of two pages for each column.
fn file() -> Bytes {
    let row = |row| Row { number: Some(row), text: None, x: None, list: None, day: None, file: "f".into(), row };
    let rows: Vec<Row> = (0..ROWS).map(row).collect();
    write_run(&[batch(&rows, &schema())], &WriteSettings::default()).unwrap().bytes
}

/// The file with its footer changed.
fn changed(change: impl Fn(ParquetMetaData) -> ParquetMetaData) -> Bytes {
    let file = file();
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    let metadata = reader.parse_and_finish(&file).unwrap();
    let chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
    let end = chunks.map(|chunk| chunk.byte_range()).map(|(start, length)| start + length).max().unwrap();
    let metadata = change(metadata);
    let mut bytes = Vec::new();
    let mut written = TrackedWrite::new(&mut bytes);
    std::io::Write::write_all(&mut written, &file[..end as usize]).unwrap();
    ParquetMetaDataWriter::new_with_tracked(written, &metadata).finish().unwrap();
    bytes.into()
}

fn with_group(change: impl Fn(RowGroupMetaDataBuilder) -> RowGroupMetaDataBuilder) -> Bytes {
    changed(|metadata| {
        let group = metadata.row_groups()[0].clone();
        let groups = vec![change(group.into_builder()).build().unwrap()];
        metadata.into_builder().set_row_groups(groups).build()
    })
}

/// The same change of every column chunk.
fn with_chunks(change: impl Fn(ColumnChunkMetaDataBuilder) -> ColumnChunkMetaDataBuilder) -> Bytes {
    changed(|metadata| {
        let group: RowGroupMetaData = metadata.row_groups()[0].clone();
        let chunks = group.columns().iter().map(|chunk| change(chunk.clone().into_builder()).build().unwrap());
        let groups = vec![group.clone().into_builder().set_column_metadata(chunks.collect()).build().unwrap()];
        metadata.into_builder().set_row_groups(groups).build()
    })
}

/// Another page index of the first column.
fn with_pages(change: impl Fn(&mut Vec<PageLocation>)) -> Bytes {
    changed(|metadata| {
        let mut index = metadata.offset_index().unwrap().clone();
        change(&mut index[0][0].page_locations);
        metadata.into_builder().set_offset_index(Some(index)).build()
    })
}

/// The file with another size in memory in the header of its first page: the largest of as many digits.
fn with_larger_page() -> Bytes {
    let mut bytes = file().to_vec();
    // Behind the magic word: the field of the type, and of the size.
    assert_eq!((bytes[4], bytes[6]), (0x15, 0x15));
    let digits = 1 + bytes[7..].iter().position(|digit| digit & 0x80 == 0).unwrap();
    bytes[7..6 + digits].fill(0xFF);
    bytes[6 + digits] = 0x7E;
    bytes.into()
}

/// A file whose first value takes more than a page may.
fn large_page() -> Bytes {
    let text = Some("x".repeat(65 << 20));
    let row = Row { number: None, text, x: None, list: None, day: None, file: "f".into(), row: 0 };
    write_run(&[batch(&[row], &schema())], &WriteSettings::default()).unwrap().bytes
}

/// What upkeep makes of a file: its look at it, then the merge of it alone, which takes row groups as they are, and of it beside another.
fn merged(file: &Bytes) -> Result<(), RunsError> {
    for is_alone in [true, false] {
        let mut world = World::new(Order::default());
        world.staging.insert("lies", file.clone());
        let object = world.runtime.block_on(store::Store::open(&world.staging, "lies")).unwrap();
        let run = match table_run("lies", object, &world.schema, &world.order, &[world.order.id()])? {
            TableRun::Run(run) => *run,
            TableRun::Unfit(reason) => panic!("{reason}"),
        };
        let other = Row { number: None, text: None, x: None, list: None, day: None, file: "f".into(), row: 7 };
        let others = (!is_alone).then(|| world.stage("other", batch(&[other], &schema())));
        world.try_merge(std::iter::once(run).chain(others).collect(), u64::MAX)?;
    }
    Ok(())
}

#[test]
fn a_footer_that_lies_is_named() {
    merged(&changed(|metadata| metadata)).unwrap();
    // On this nothing rests but how much is read at once.
    merged(&with_chunks(|chunk| chunk.set_num_values(i64::MAX))).unwrap();
    for (what, file) in [
        ("rows below none", with_group(|group| group.set_num_rows(-1))),
        ("rows without end", with_group(|group| group.set_num_rows(i64::MAX))),
        ("fewer values than rows", with_chunks(|chunk| chunk.set_num_values(1))),
        ("a place before the file", with_chunks(|chunk| chunk.set_data_page_offset(-1))),
        ("a dictionary before the file", with_chunks(|chunk| chunk.set_dictionary_page_offset(Some(i64::MIN)))),
        ("a place behind the file", with_chunks(|chunk| chunk.set_data_page_offset(1 << 40))),
        ("a length below none", with_chunks(|chunk| chunk.set_total_compressed_size(-1))),
        ("a length beyond the file", with_chunks(|chunk| chunk.set_total_compressed_size(1 << 40))),
        ("a length without end", with_chunks(|chunk| chunk.set_total_compressed_size(i64::MAX / 64))),
        ("bytes without end", with_chunks(|chunk| chunk.set_total_uncompressed_size(i64::MAX))),
        ("bytes below none", with_chunks(|chunk| chunk.set_total_uncompressed_size(-1))),
        ("a page that is left out", with_pages(|pages| _ = pages.remove(0))),
        ("a page twice", with_pages(|pages| pages[1] = pages[0].clone())),
        ("a page that becomes larger than its column", with_larger_page()),
        ("a page without measure", large_page()),
        ("pages of another column", with_pages(|pages| pages.iter_mut().for_each(|page| page.offset += 100))),
    ] {
        let error = merged(&file).expect_err(what);
        assert!(matches!(&error, RunsError::Damaged { address, .. } if address == "lies"), "{what}: {error}");
        assert!(!error.to_string().contains("broke off"), "{what}: {error}");
        // Whoever reads single columns is told as well, but of the page index, which is not asked for them.
        let world = World::new(Order::default());
        world.staging.insert("lies", file);
        let object = world.runtime.block_on(store::Store::open(&world.staging, "lies")).unwrap();
        let read = read_columns("lies", object, &["number"]).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        assert!(what.contains("page") || matches!(read, Err(RunsError::Damaged { .. })), "{what}");
    }
}
