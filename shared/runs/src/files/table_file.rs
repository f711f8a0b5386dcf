//! A table file, streamed into a store. It knows its size on disk as it grows, so that it can be cut at the target size.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::file::metadata::ParquetMetaData;
use store::ObjectWriter;

use super::copy::CopySource;
use super::properties::WriteSettings;
use super::writer::FileWriter;
use crate::error::RunsError;

/// A table file that was written whole and is durable.
#[derive(Debug)]
pub struct WrittenFile {
    /// Its size in bytes.
    pub size: u64,
    /// Its rows.
    pub rows: u64,
    /// What its footer says.
    pub metadata: ParquetMetaData,
}

/// Writes one table file. Dropped before `finish`, it leaves nothing.
pub struct TableFileWriter {
    file: FileWriter<Sink>,
    rows: u64,
}

impl TableFileWriter {
    /// Begins a file of this schema. The first rows, where they are known, settle how each column is encoded.
    pub fn new(
        object: Box<dyn ObjectWriter>,
        schema: SchemaRef,
        settings: &WriteSettings,
        sample: Option<&RecordBatch>,
    ) -> Result<Self, RunsError> {
        let file = FileWriter::new(Sink(Some(object)), schema, settings, sample)?;
        Ok(Self { file, rows: 0 })
    }

    /// Appends rows; their columns must be those of the schema, in its order.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), RunsError> {
        self.rows += batch.num_rows() as u64;
        self.file.write(batch)
    }

    /// The bytes on disk so far, with an estimate of the row group that is still open.
    pub fn bytes(&self) -> u64 {
        self.file.bytes() as u64
    }

    /// The rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether the file had better end before another row group.
    pub fn is_full(&self) -> bool {
        self.file.is_full()
    }

    /// Appends an encoded row group as it is, after the rows so far.
    pub(crate) fn copy(&mut self, source: &CopySource, group: usize, rows: u64) -> Result<(), RunsError> {
        self.rows += rows;
        self.file.copy(source, group)
    }

    /// Ends the file and makes it durable under its address.
    pub fn finish(self) -> Result<WrittenFile, RunsError> {
        let (sink, size, metadata) = self.file.finish()?;
        let object = sink.0.ok_or_else(|| RunsError::encode("finish a file")("it was finished before"))?;
        let stored = object.finish()?;
        if stored != size {
            let reason = format!("{size} bytes were written and {stored} stored");
            return Err(RunsError::encode("finish a file")(reason));
        }
        Ok(WrittenFile { size, rows: self.rows, metadata })
    }
}

/// An object's writer that can be taken out again.
#[derive(Default)]
struct Sink(Option<Box<dyn ObjectWriter>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), Write::flush)
    }
}
