//! A Parquet file in the making, over any sink: rows are encoded into the open row group, encoded row groups are taken as they are.

use std::io::Write;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_schema::{FieldRef, Schema, SchemaRef};
use decode::schema::type_name;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;

use super::copy::CopySource;
use super::properties::{WriteSettings, writer_properties};
use super::waiting::Waiting;
use crate::error::RunsError;

/// Rows that are encoded before the size of the row group is looked at again.
const STEP_ROWS: usize = 8192;
/// More columns than this are not encoded side by side.
const COLUMNS_AT_ONCE: usize = 100;
/// Row groups of a file are numbered with 16 bits.
const ROW_GROUPS_MAX: usize = i16::MAX as usize;
/// Of each column of each row group a kilobyte and a half is remembered for the footer until the file ends: 50 MB for so many.
const CHUNKS_MAX: usize = 32 << 10;

pub(super) struct FileWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    open: Vec<ArrowColumnWriter>,
    open_rows: usize,
    /// Rows of a table with very many columns.
    waiting: Option<Waiting>,
    row_group_bytes: usize,
    row_group_rows: usize,
}

impl<W: Write + Send + Default> FileWriter<W> {
    /// Begins a file. The first rows, where they are known, settle how each column is encoded.
    pub(super) fn new(
        sink: W,
        schema: SchemaRef,
        settings: &WriteSettings,
        sample: Option<&RecordBatch>,
    ) -> Result<Self, RunsError> {
        let parquet = ArrowSchemaConverter::new().convert(&schema).map_err(RunsError::encode("store this schema"))?;
        let properties = Arc::new(writer_properties(settings, sample, parquet.num_columns())?);
        let file = SerializedFileWriter::new(sink, parquet.root_schema_ptr(), properties).map_err(failed)?;
        let columns = ArrowRowGroupWriterFactory::new(&file, Arc::clone(&schema));
        let row_group_bytes = settings.row_group_bytes_for(file.schema_descr().num_columns()).max(1);
        let row_group_rows = settings.row_group_rows.max(1);
        let waiting = (file.schema_descr().num_columns() > COLUMNS_AT_ONCE).then(|| Waiting::new(&schema));
        Ok(Self { file, columns, schema, open: Vec::new(), open_rows: 0, waiting, row_group_bytes, row_group_rows })
    }

    /// Bytes of the file so far, with an estimate of the open row group.
    pub(super) fn bytes(&self) -> usize {
        self.file.bytes_written() + self.open_bytes()
    }

    /// Encodes rows; their columns must be those of the schema, in its order.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), RunsError> {
        let mut written = 0;
        let step = if self.waiting.is_some() { self.wide_step_rows(batch) } else { STEP_ROWS };
        while written < batch.num_rows() {
            let rows = (batch.num_rows() - written).min(step).min(self.row_group_rows - self.open_rows);
            self.encode(&batch.slice(written, rows))?;
            written += rows;
            if self.open_rows >= self.row_group_rows || self.open_bytes() >= self.row_group_bytes {
                self.close_row_group()?;
            }
        }
        Ok(())
    }

    /// Where a table has very many columns a row takes much: no more rows are taken at once than a row group's bytes. Columns without values are not
    /// kept.
    fn wide_step_rows(&self, batch: &RecordBatch) -> usize {
        let held = batch.columns().iter().filter(|values| values.null_count() < values.len());
        let bytes: usize = held.map(|values| values.to_data().get_slice_memory_size().unwrap_or(0)).sum();
        (self.row_group_bytes / (bytes / batch.num_rows().max(1)).max(1)).clamp(1, STEP_ROWS)
    }

    fn encode(&mut self, batch: &RecordBatch) -> Result<(), RunsError> {
        if let Some(waiting) = &mut self.waiting {
            self.open_rows += batch.num_rows();
            check_columns(&self.schema, batch)?;
            return waiting.push(batch);
        }
        if self.open.is_empty() {
            self.check_room()?;
            let group = self.file.flushed_row_groups().len();
            self.open = self.columns.create_column_writers(group).map_err(failed)?;
        }
        check_columns(&self.schema, batch)?;
        let mut writers = self.open.iter_mut();
        for (field, column) in self.schema.fields().iter().zip(batch.columns()) {
            for leaf in compute_leaves(field, column).map_err(failed)? {
                let writer = writers.next().ok_or_else(|| RunsError::encode("encode rows")("a leaf has no writer"))?;
                writer.write(&leaf).map_err(failed)?;
            }
        }
        self.open_rows += batch.num_rows();
        Ok(())
    }

    fn open_bytes(&self) -> usize {
        if let Some(waiting) = &self.waiting {
            return waiting.bytes();
        }
        self.open.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum()
    }

    /// Ends the open row group, if there is one.
    pub(super) fn close_row_group(&mut self) -> Result<(), RunsError> {
        if self.waiting.is_some() {
            return self.close_waiting();
        }
        if self.open.is_empty() {
            return Ok(());
        }
        let mut group = self.file.next_row_group().map_err(failed)?;
        for column in self.open.drain(..) {
            column.close().and_then(|chunk| chunk.append_to_row_group(&mut group)).map_err(failed)?;
        }
        group.close().map_err(failed)?;
        self.open_rows = 0;
        Ok(())
    }

    /// Encodes the rows that wait, one column after another.
    fn close_waiting(&mut self) -> Result<(), RunsError> {
        if self.open_rows == 0 {
            return Ok(());
        }
        let Some(waiting) = self.waiting.replace(Waiting::new(&self.schema)) else { return Ok(()) };
        self.check_room()?;
        let properties = Arc::clone(self.file.properties());
        let mut group = self.file.next_row_group().map_err(failed)?;
        waiting.each(&self.schema, &mut |pieces| {
            let Some((field, _)) = pieces.first() else { return Ok(()) };
            let writers = column_writers(field, &properties)?;
            let mut leaves = Vec::new();
            for (field, values) in pieces {
                leaves.push(compute_leaves(&field, &values).map_err(failed)?.into_iter());
            }
            for mut writer in writers {
                for leaf in leaves.iter_mut().filter_map(Iterator::next) {
                    writer.write(&leaf).map_err(failed)?;
                }
                writer.close().and_then(|chunk| chunk.append_to_row_group(&mut group)).map_err(failed)?;
            }
            Ok(())
        })?;
        group.close().map_err(failed)?;
        self.open_rows = 0;
        Ok(())
    }

    /// Takes an encoded row group as it is.
    pub(super) fn copy(&mut self, source: &CopySource, group: usize) -> Result<(), RunsError> {
        self.close_row_group()?;
        self.check_room()?;
        let mut writer = self.file.next_row_group().map_err(failed)?;
        source.append_to(&mut writer, group)?;
        writer.close().map_err(failed)?;
        Ok(())
    }

    /// Whether the file had better end before another row group.
    pub(super) fn is_full(&self) -> bool {
        let groups = self.file.flushed_row_groups().len();
        let chunks = (groups + 1).saturating_mul(self.file.schema_descr().num_columns());
        groups + 1 >= ROW_GROUPS_MAX || (groups > 0 && chunks > CHUNKS_MAX)
    }

    fn check_room(&self) -> Result<(), RunsError> {
        if self.file.flushed_row_groups().len() >= ROW_GROUPS_MAX {
            return Err(RunsError::encode("encode rows")(
                "the file would have more row groups than Parquet can number",
            ));
        }
        Ok(())
    }

    /// Ends the file. Gives the sink back with all its bytes, their number, and what the footer says.
    pub(super) fn finish(mut self) -> Result<(W, u64, ParquetMetaData), RunsError> {
        self.close_row_group()?;
        let metadata = self.file.finish().map_err(failed)?;
        let bytes = self.file.bytes_written() as u64;
        Ok((std::mem::take(self.file.inner_mut()), bytes, metadata))
    }
}

/// The writers of one column's leaves. Parquet makes those of a whole schema at once, and each holds a hundred kilobytes before it is used:
/// so it is told of a file that has no other column.
fn column_writers(field: &FieldRef, properties: &WriterPropertiesPtr) -> Result<Vec<ArrowColumnWriter>, RunsError> {
    let schema = Arc::new(Schema::new(vec![Arc::clone(field)]));
    let parquet = ArrowSchemaConverter::new().convert(&schema).map_err(RunsError::encode("store this schema"))?;
    let alone = SerializedFileWriter::new(std::io::sink(), parquet.root_schema_ptr(), Arc::clone(properties));
    let factory = ArrowRowGroupWriterFactory::new(&alone.map_err(failed)?, schema);
    factory.create_column_writers(0).map_err(failed)
}

fn check_columns(schema: &SchemaRef, batch: &RecordBatch) -> Result<(), RunsError> {
    if batch.num_columns() != schema.fields().len() {
        return Err(RunsError::encode("encode rows")("their columns are not those of the file"));
    }
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if field.data_type() != column.data_type() {
            let reason = format!(
                "column {} is {}, not {}",
                field.name(),
                type_name(column.data_type()),
                type_name(field.data_type())
            );
            return Err(RunsError::encode("encode rows")(reason));
        }
    }
    Ok(())
}

fn failed(error: impl Into<ParquetError>) -> RunsError {
    RunsError::encode("encode rows")(error.into())
}
