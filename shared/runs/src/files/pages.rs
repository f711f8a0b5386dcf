//! The pages of a file's columns, as Parquet's reader asks for them: a column chunk that is small is decompressed at once.
//!
//! Parquet's own reader of a column keeps a decompressor as long as it has pages left. In a table of very many columns that is by far
//! the most that a reader holds, and takes longest.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_schema::Fields;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowGroups, RowSelection};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescPtr;

use super::chunks::Chunks;
use super::deltas;

/// What a decompressor holds, in bytes, about: zstd's context, and the one for compression that comes with it. Pages of one column are
/// decompressed before they are asked for as long as they are less than that.
pub(super) const DECOMPRESSOR_BYTES: usize = 100 << 10;

/// All row groups of a file.
pub(crate) struct FileGroups {
    pub(crate) chunks: Chunks,
    pub(crate) metadata: Arc<ParquetMetaData>,
}

impl FileGroups {
    /// A reader of those columns, so many rows at once, or only of those that are selected.
    pub(crate) fn reader(
        &self,
        columns: ProjectionMask,
        fields: &Fields,
        batch_rows: usize,
        selection: Option<RowSelection>,
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        let schema = self.metadata.file_metadata().schema_descr();
        let columns = parquet_to_arrow_field_levels(schema, columns, Some(fields))?;
        ParquetRecordBatchReader::try_new_with_row_groups(&columns, self, batch_rows, selection)
    }
}

impl RowGroups for FileGroups {
    fn num_rows(&self) -> usize {
        self.row_groups().map(|group| usize::try_from(group.num_rows()).unwrap_or(0)).fold(0, usize::saturating_add)
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>, ParquetError> {
        let (chunks, metadata) = (Arc::new(self.chunks.clone()), Arc::clone(&self.metadata));
        Ok(Box::new(ColumnChunks { chunks, metadata, column, group: 0 }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.metadata.row_groups().iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The chunks of one column, row group by row group.
struct ColumnChunks {
    chunks: Arc<Chunks>,
    metadata: Arc<ParquetMetaData>,
    column: usize,
    group: usize,
}

impl PageIterator for ColumnChunks {}

impl Iterator for ColumnChunks {
    type Item = Result<Box<dyn PageReader>, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (group, column) = (self.group, self.column);
        let facts = self.metadata.row_groups().get(group)?;
        self.group += 1;
        let index = self.metadata.offset_index().and_then(|index| index.get(group)?.get(column));
        let pages = index.map(|index| index.page_locations().clone());
        let rows = usize::try_from(facts.num_rows()).unwrap_or(0);
        let chunk = facts.columns().get(column)?;
        let reader = SerializedPageReader::new(Arc::clone(&self.chunks), chunk, rows, pages);
        let pages = reader.and_then(|reader| ChunkPages::new(reader, chunk.column_descr_ptr()));
        Some(pages.map(|pages| Box::new(pages) as Box<dyn PageReader>))
    }
}

/// The pages of a column chunk: the first in memory, the reader as long as it may have others.
struct ChunkPages {
    first: VecDeque<Page>,
    others: Option<SerializedPageReader<Chunks>>,
    column: ColumnDescPtr,
}

impl ChunkPages {
    fn new(mut reader: SerializedPageReader<Chunks>, column: ColumnDescPtr) -> Result<Self, ParquetError> {
        let (mut first, mut bytes) = (VecDeque::new(), 0);
        while bytes < DECOMPRESSOR_BYTES {
            let Some(page) = reader.get_next_page()? else { return Ok(Self { first, others: None, column }) };
            bytes += page.buffer().len();
            first.push_back(page);
        }
        Ok(Self { first, others: Some(reader), column })
    }
}

impl PageReader for ChunkPages {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        let page = match (self.first.pop_front(), &mut self.others) {
            (Some(page), _) => Some(page),
            (None, Some(reader)) => reader.get_next_page()?,
            (None, None) => None,
        };
        page.map(|page| deltas::check(&page, &self.column).map(|()| page)).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        match (self.first.front(), &mut self.others) {
            (Some(page), _) => Ok(Some(facts_of(page))),
            (None, Some(reader)) => reader.peek_next_page(),
            (None, None) => Ok(None),
        }
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        match (self.first.pop_front(), &mut self.others) {
            (None, Some(reader)) => reader.skip_next_page(),
            _ => Ok(()),
        }
    }

    fn at_record_boundary(&mut self) -> Result<bool, ParquetError> {
        match (self.first.front(), &mut self.others) {
            // Rows of a page of the first version may end in the next one.
            (Some(page), _) => Ok(!matches!(page, Page::DataPage { .. })),
            (None, Some(reader)) => reader.at_record_boundary(),
            (None, None) => Ok(true),
        }
    }
}

impl Iterator for ChunkPages {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

fn facts_of(page: &Page) -> PageMetadata {
    let count = |number: u32| usize::try_from(number).ok();
    match page {
        Page::DictionaryPage { .. } => PageMetadata { num_rows: None, num_levels: None, is_dict: true },
        Page::DataPage { num_values, .. } => {
            PageMetadata { num_rows: None, num_levels: count(*num_values), is_dict: false }
        }
        Page::DataPageV2 { num_values, num_rows, .. } => {
            PageMetadata { num_rows: count(*num_rows), num_levels: count(*num_values), is_dict: false }
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::builder::{Int64Builder, ListBuilder};
    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::{
        ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelector,
    };
    use parquet::basic::{Compression, ZstdLevel};
    use parquet::file::metadata::PageIndexPolicy;
    use parquet::file::properties::{WriterProperties, WriterVersion};
    use store::{MemoryStore, Store};

    use super::*;

    const ROWS: i64 = 5_000;

    /// Columns whose chunks are small and large, of a dictionary and of plain values, with lists that are longer than a page.
    fn batch() -> RecordBatch {
        let mut lists = ListBuilder::new(Int64Builder::new());
        for i in 0..ROWS {
            (0..if i % 500 == 3 { 900 } else { i % 3 })
                .for_each(|n| lists.values().append_option((n != 1).then_some(i)));
            lists.append(i % 4 != 0);
        }
        let texts = |of: &dyn Fn(i64) -> String| -> ArrayRef {
            Arc::new((0..ROWS).map(|i| (i % 5 != 0).then(|| of(i))).collect::<StringArray>())
        };
        let columns = [
            ("few", texts(&|i| format!("value {}", i % 9))),
            ("large", texts(&|i| format!("{i:0>200}"))),
            ("lists", Arc::new(lists.finish()) as ArrayRef),
            ("number", Arc::new((0..ROWS).collect::<Int64Array>()) as ArrayRef),
            ("nulls", Arc::new((0..ROWS).map(|_| None).collect::<Int64Array>()) as ArrayRef),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).expect("a batch")
    }

    fn file(batch: &RecordBatch, version: WriterVersion, compression: Compression) -> Bytes {
        let properties = WriterProperties::builder()
            .set_writer_version(version)
            .set_compression(compression)
            .set_data_page_size_limit(2 << 10)
            .set_write_batch_size(64)
            .set_max_row_group_row_count(Some(3_000));
        let mut bytes = Vec::new();
        let writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties.build()));
        let mut writer = writer.expect("a writer");
        writer.write(batch).and_then(|()| writer.close()).expect("written");
        bytes.into()
    }

    /// The rows that a selection leaves, by Parquet's own reader and by this one.
    fn both(bytes: &Bytes, batch_rows: usize, index: PageIndexPolicy, wanted: &[RowSelector]) -> [Vec<RecordBatch>; 2] {
        let options = ArrowReaderOptions::new().with_page_index_policy(index);
        let metadata = ArrowReaderMetadata::load(bytes, options).expect("metadata");
        let selection = RowSelection::from(wanted.to_vec());
        let theirs = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata.clone())
            .with_batch_size(batch_rows)
            .with_row_selection(selection.clone());
        let store = MemoryStore::default();
        store.insert("file", bytes.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let chunks = Chunks::of_pages("file", runtime.block_on(store.open("file")).expect("open"));
        let groups = FileGroups { chunks, metadata: Arc::clone(metadata.metadata()) };
        assert_eq!(groups.num_rows(), ROWS as usize);
        let ours = groups.reader(ProjectionMask::all(), metadata.schema().fields(), batch_rows, Some(selection));
        let rows = |reader: ParquetRecordBatchReader| reader.map(|batch| batch.expect("rows")).collect::<Vec<_>>();
        [rows(theirs.build().expect("a reader")), rows(ours.expect("a reader"))]
    }

    #[test]
    fn gives_what_the_reader_of_parquet_gives() {
        let batch = batch();
        let zstd = Compression::ZSTD(ZstdLevel::default());
        let all = vec![RowSelector::select(ROWS as usize)];
        let some: Vec<_> = (0..25).flat_map(|i| [RowSelector::skip(190 - i), RowSelector::select(10 + i)]).collect();
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for compression in [zstd, Compression::SNAPPY, Compression::UNCOMPRESSED] {
                let bytes = file(&batch, version, compression);
                for index in [PageIndexPolicy::Skip, PageIndexPolicy::Required] {
                    for (rows, wanted) in [(1_000, &all), (7, &all), (100, &some)] {
                        let [theirs, ours] = both(&bytes, rows, index, wanted);
                        assert!(theirs == ours, "{version:?}, {compression}, {index:?}, {rows} rows at once");
                    }
                }
            }
        }
    }

    #[test]
    fn a_small_chunk_keeps_no_decompressor() {
        let bytes = file(&batch(), WriterVersion::PARQUET_1_0, Compression::ZSTD(ZstdLevel::default()));
        let metadata = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new()).expect("metadata");
        let store = MemoryStore::default();
        store.insert("file", bytes);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let chunks = Arc::new(Chunks::of_pages("file", runtime.block_on(store.open("file")).expect("open")));
        let group = metadata.metadata().row_group(0);
        let pages = |column: usize| {
            let reader = SerializedPageReader::new(Arc::clone(&chunks), group.column(column), 3_000, None);
            ChunkPages::new(reader.expect("a reader"), group.column(column).column_descr_ptr()).expect("pages")
        };
        let (small, large) = (pages(3), pages(1));
        assert!(small.others.is_none() && small.first.len() > 1);
        let before_last: usize = large.first.iter().rev().skip(1).map(|page| page.buffer().len()).sum();
        assert!(large.others.is_some() && before_last < DECOMPRESSOR_BYTES, "{before_last} bytes before the last page");
    }
}
