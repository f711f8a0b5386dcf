//! The table files of a merge: rows come in order, files are cut at the target size and where the partition changes.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use parquet::arrow::ArrowSchemaConverter;
use parquet::schema::types::SchemaDescriptor;

use super::partition::{self, PartitionValues};
use super::{FinishedFile, Job};
use crate::error::RunsError;
use crate::files::{CopySource, RowGroupFacts, TableFileWriter};
use crate::stats::statistics;

/// Rows that are written before the size of the file is looked at again.
const STEP_ROWS: usize = 8192;

pub(super) struct Output<'a> {
    /// The columns of a file: all but the partition columns.
    schema: SchemaRef,
    parquet_schema: SchemaDescriptor,
    kept: Vec<usize>,
    partitions: Vec<usize>,
    /// A file of this size is ended.
    cut_bytes: u64,
    open: Option<OpenFile>,
    files: u64,
    rows: u64,
    finished: &'a mut Vec<FinishedFile>,
}

struct OpenFile {
    path: String,
    file: TableFileWriter,
    partition_values: PartitionValues,
}

impl<'a> Output<'a> {
    /// `total_bytes` is the size of all runs, from which files of even size are planned.
    pub(super) fn new(job: &Job<'_>, total_bytes: u64, finished: &'a mut Vec<FinishedFile>) -> Result<Self, RunsError> {
        let fields = job.schema.fields();
        let column = |name: &String| {
            let missing = || RunsError::encode("partition the table")(format!("there is no column {name}"));
            job.schema.index_of(name).map_err(|_| missing())
        };
        let partitions = job.target.order.partition_columns.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let kept: Vec<usize> = (0..fields.len()).filter(|i| !partitions.contains(i)).collect();
        let schema = Arc::new(Schema::new(kept.iter().map(|i| Arc::clone(&fields[*i])).collect::<Vec<_>>()));
        let parquet_schema =
            ArrowSchemaConverter::new().convert(&schema).map_err(RunsError::encode("store this schema"))?;
        let row_group_bytes = job.settings.row_group_bytes as u64;
        let cut_bytes = if partitions.is_empty() {
            even_size(total_bytes, job.target.file_bytes, row_group_bytes)
        } else {
            job.target.file_bytes
        };
        Ok(Self { schema, parquet_schema, kept, partitions, cut_bytes, open: None, files: 0, rows: 0, finished })
    }

    /// Whether row groups of a run may be taken as they are.
    pub(super) fn can_copy(&self, source: &CopySource) -> bool {
        source.fits(&self.parquet_schema)
    }

    /// Takes a row group of a run as it is. Tables without partitions only.
    pub(super) fn copy(
        &mut self,
        source: &CopySource,
        group: usize,
        facts: &RowGroupFacts,
        job: &mut Job<'_>,
    ) -> Result<(), RunsError> {
        if self.open.as_ref().is_some_and(|open| open.file.bytes() + facts.bytes / 2 > self.cut_bytes) {
            self.end_file(job)?;
        }
        let open = self.file(PartitionValues::new(), None, job)?;
        open.file.copy(source, group, facts.rows)?;
        self.rows += facts.rows;
        job.told(facts.rows)
    }

    /// Encodes rows, all columns of the table.
    pub(super) fn write(&mut self, batch: RecordBatch, job: &mut Job<'_>) -> Result<(), RunsError> {
        if self.partitions.is_empty() {
            return self.write_rows(&batch, &PartitionValues::new(), job);
        }
        for stretch in partition::stretches(&batch, &self.partitions)? {
            let values = partition::values_of(&batch, &self.partitions, stretch.start)?;
            if self.open.as_ref().is_some_and(|open| open.partition_values != values) {
                self.end_file(job)?;
            }
            let rows = batch.slice(stretch.start, stretch.len());
            let rows = rows.project(&self.kept).map_err(RunsError::encode("leave partition columns out"))?;
            self.write_rows(&rows, &values, job)?;
        }
        Ok(())
    }

    fn write_rows(&mut self, rows: &RecordBatch, values: &PartitionValues, job: &mut Job<'_>) -> Result<(), RunsError> {
        let mut written = 0;
        while written < rows.num_rows() {
            let piece = rows.slice(written, (rows.num_rows() - written).min(STEP_ROWS));
            self.file(values.clone(), Some(&piece), job)?.file.write(&piece)?;
            written += piece.num_rows();
            self.rows += piece.num_rows() as u64;
            job.told(piece.num_rows() as u64)?;
            if self.open.as_ref().is_some_and(|open| open.file.bytes() >= self.cut_bytes) {
                self.end_file(job)?;
            }
        }
        Ok(())
    }

    /// The open file, begun if there is none.
    fn file(
        &mut self,
        partition_values: PartitionValues,
        sample: Option<&RecordBatch>,
        job: &Job<'_>,
    ) -> Result<&mut OpenFile, RunsError> {
        if self.open.as_ref().is_some_and(|open| open.file.is_full()) {
            self.end_file(job)?;
        }
        match &mut self.open {
            Some(open) => Ok(open),
            none => {
                let folder = partition::hive_path(&job.target.order.partition_columns, &partition_values);
                let path = (job.target.file_name)(&folder, self.files);
                self.files += 1;
                let object = job.stores.table.writer(&path)?;
                let file = TableFileWriter::new(object, Arc::clone(&self.schema), &job.settings, sample)?;
                Ok(none.insert(OpenFile { path, file, partition_values }))
            }
        }
    }

    fn end_file(&mut self, job: &Job<'_>) -> Result<(), RunsError> {
        let Some(OpenFile { path, file, partition_values }) = self.open.take() else { return Ok(()) };
        let written = file.finish()?;
        let stats_json = statistics(&self.schema, &job.target.order, &written.metadata);
        let (size, rows) = (written.size, written.rows);
        self.finished.push(FinishedFile { path, size, rows, partition_values, stats_json });
        Ok(())
    }

    /// Ends the last file. Gives the rows of all.
    pub(super) fn finish(mut self, job: &Job<'_>) -> Result<u64, RunsError> {
        self.end_file(job)?;
        Ok(self.rows)
    }
}

/// At which size files are cut: as many files as needed, all of about one size, so that no small one is left at the end.
fn even_size(total_bytes: u64, target_bytes: u64, row_group_bytes: u64) -> u64 {
    let largest = target_bytes.max(1) + row_group_bytes / 2;
    let files = total_bytes.div_ceil(largest).max(1);
    let share = total_bytes / files;
    // What is merged may need a little more room than its parts.
    (share + share / 20).clamp(target_bytes.min(largest) / 2, largest).max(1)
}

#[cfg(test)]
mod tests {
    use super::even_size;

    #[test]
    fn files_are_even_and_never_far_above_the_target() {
        assert_eq!(even_size(130, 128, 16), 136);
        assert_eq!(even_size(260, 128, 16), 136);
        assert_eq!(even_size(300, 128, 16), 105);
        assert_eq!(even_size(10, 128, 16), 64);
        assert_eq!(even_size(0, 1, 1), 1);
    }
}
