//! Encoded row groups of one file, to be taken into another without decoding: bytes, statistics and page index as they are.

use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::SchemaDescriptor;
use store::{RandomRead, StoreError};

use super::facts::{RowGroupFacts, row_group_facts};
use super::footer;
use crate::error::{RunsError, unbroken};

/// How much of a column chunk is read at once when it is copied.
const READ_BYTES: usize = 1 << 20;

/// An object as the Parquet reader wants it.
#[derive(Clone)]
pub(crate) struct Chunks {
    object: Arc<dyn RandomRead>,
    read_bytes: usize,
}

impl Chunks {
    /// For pages: what is not asked for is hardly read.
    pub(crate) fn of_pages(object: Arc<dyn RandomRead>) -> Self {
        Self { object, read_bytes: 8 << 10 }
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.object.size()
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<Sequential>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::with_capacity(self.read_bytes, Sequential { object: Arc::clone(&self.object), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.object.read_at(start, length).map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// Reads an object from an offset to its end.
pub(crate) struct Sequential {
    object: Arc<dyn RandomRead>,
    at: u64,
}

impl Read for Sequential {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.object.size().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = into.len().min(left);
        if length == 0 {
            return Ok(0);
        }
        let bytes = self.object.read_at(self.at, length)?;
        into[..bytes.len()].copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}

/// What the system refused (a full disk, too many open files) says nothing about the file that is copied; all else is damage.
fn failed(address: &str) -> impl Fn(ParquetError) -> RunsError {
    move |error| match &error {
        ParquetError::External(cause) => match cause.downcast_ref::<io::Error>() {
            Some(refused) if refused.raw_os_error().is_some() => RunsError::Store(StoreError::Io {
                action: "copy",
                address: address.to_owned(),
                source: io::Error::new(refused.kind(), refused.to_string()),
            }),
            _ => RunsError::damaged(address)(error.to_string()),
        },
        _ => RunsError::damaged(address)(error.to_string()),
    }
}

/// A file whose row groups can be taken into another.
pub(crate) struct CopySource {
    address: String,
    object: Arc<dyn RandomRead>,
    metadata: ParquetMetaData,
}

impl CopySource {
    /// Reads the footer and page index of a file.
    pub(crate) fn open(address: &str, object: Arc<dyn RandomRead>) -> Result<Self, RunsError> {
        let metadata = unbroken(address, || {
            let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
            reader.parse_and_finish(&Chunks::of_pages(Arc::clone(&object))).map_err(failed(address))
        })?;
        footer::check(address, object.size(), &metadata)?;
        Ok(Self { address: address.to_owned(), object, metadata })
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
        let damaged = || RunsError::damaged(&self.address)("its page index is incomplete");
        let facts = self.metadata.row_group(group);
        let rows = u64::try_from(facts.num_rows()).unwrap_or(0);
        let source = Chunks { object: Arc::clone(&self.object), read_bytes: READ_BYTES };
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
            writer.append_column(&source, close).map_err(failed(&self.address))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_damage() {
        let full = ParquetError::External(Box::new(io::Error::from_raw_os_error(28)));
        let told = failed("staging/a")(full);
        assert!(matches!(&told, RunsError::Store(StoreError::Io { .. })), "{told:?}");
        assert!(told.to_string().contains("staging/a") && told.to_string().contains("(os error 28)"), "{told}");
        let cut = ParquetError::External(Box::new(io::Error::from(io::ErrorKind::UnexpectedEof)));
        assert!(matches!(failed("a")(cut), RunsError::Damaged { .. }));
        assert!(matches!(failed("a")(ParquetError::EOF("x".to_owned())), RunsError::Damaged { .. }));
    }
}
