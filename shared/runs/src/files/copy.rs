//! Encoded row groups of one file, to be taken into another without decoding: bytes, statistics and page index as they are.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::Length;
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::SchemaDescriptor;
use store::{RandomRead, StoreError};

use super::chunks::Chunks;
use super::facts::{RowGroupFacts, row_group_facts};
use super::footer;
use crate::error::RunsError;

/// What writing refused (a full disk, too many open files) says nothing about the file that is copied either.
fn copied(source: &Chunks) -> impl Fn(ParquetError) -> RunsError {
    let failed = source.failed();
    let address = source.address().to_owned();
    move |error| match &error {
        ParquetError::External(cause) => match cause.downcast_ref::<io::Error>() {
            Some(refused) if refused.kind() != io::ErrorKind::UnexpectedEof => RunsError::Store(StoreError::Io {
                action: "copy",
                address: address.clone(),
                source: io::Error::new(refused.kind(), refused.to_string()),
            }),
            _ => failed(error),
        },
        _ => failed(error),
    }
}

/// A file whose row groups can be taken into another.
pub(crate) struct CopySource {
    chunks: Chunks,
    metadata: ParquetMetaData,
}

impl CopySource {
    /// Reads the footer and page index of a file.
    pub(crate) fn open(address: &str, object: Arc<dyn RandomRead>) -> Result<Self, RunsError> {
        let chunks = Chunks::of_pages(address, object);
        let metadata = chunks.unbroken(|| {
            let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
            reader.parse_and_finish(&chunks).map_err(chunks.failed())
        })?;
        footer::check(address, chunks.len(), &metadata)?;
        Ok(Self { chunks, metadata })
    }

    /// Its row groups.
    pub(crate) fn facts(&self) -> Vec<RowGroupFacts> {
        row_group_facts(&self.metadata)
    }

    /// Whether its row groups may stand in a file of this schema that we write: the same columns, zstd, statistics and page index.
    pub(crate) fn fits(&self, schema: &SchemaDescriptor) -> bool {
        let columns = self.metadata.file_metadata().schema_descr().columns();
        let indexed = self.metadata.column_index().is_some() && self.metadata.offset_index().is_some();
        let as_ours = |chunk: &parquet::file::metadata::ColumnChunkMetaData| {
            matches!(chunk.compression(), Compression::ZSTD(_)) && chunk.statistics().is_some()
        };
        indexed
            && columns == schema.columns()
            && self.metadata.row_groups().iter().flat_map(|group| group.columns()).all(as_ours)
    }

    /// Appends the columns of a row group.
    pub(super) fn append_to<W: Write + Send>(
        &self,
        writer: &mut SerializedRowGroupWriter<'_, W>,
        group: usize,
    ) -> Result<(), RunsError> {
        let damaged = || RunsError::damaged(self.chunks.address())("its page index is incomplete");
        let facts = self.metadata.row_group(group);
        let rows = u64::try_from(facts.num_rows()).unwrap_or(0);
        let source = self.chunks.to_copy();
        for (i, chunk) in facts.columns().iter().enumerate() {
            let column_index = self.metadata.column_index().and_then(|index| index.get(group)?.get(i));
            let offset_index = self.metadata.offset_index().and_then(|index| index.get(group)?.get(i));
            let close = ColumnCloseResult {
                bytes_written: u64::try_from(chunk.compressed_size()).unwrap_or(0),
                rows_written: rows,
                metadata: chunk.clone(),
                bloom_filter: None,
                column_index: Some(column_index.ok_or_else(damaged)?.clone()),
                offset_index: Some(offset_index.ok_or_else(damaged)?.clone()),
            };
            writer.append_column(&source, close).map_err(copied(&source))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_damage() {
        let store = store::MemoryStore::default();
        store.insert("staging/a", "content".into());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let source = runtime.block_on(store::Store::open(&store, "staging/a")).expect("open");
        let source = Chunks::of_pages("staging/a", source);
        let copied = copied(&source);
        let told = copied(ParquetError::External(Box::new(io::Error::from_raw_os_error(28))));
        assert!(matches!(&told, RunsError::Store(StoreError::Io { .. })), "{told:?}");
        assert!(told.to_string().contains("staging/a") && told.to_string().contains("(os error 28)"), "{told}");
        let cut = ParquetError::External(Box::new(io::Error::from(io::ErrorKind::UnexpectedEof)));
        assert!(matches!(copied(cut), RunsError::Damaged { .. }));
        assert!(matches!(copied(ParquetError::EOF("x".to_owned())), RunsError::Damaged { .. }));
    }
}
