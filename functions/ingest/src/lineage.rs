//! The row columns: which bytes each row came from.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, builder::StringBuilder};
use arrow_schema::{Field, Schema};
use decode::schema::timestamp_type;
use drops::{DroppedObject, Timestamp};
use runs::{INGESTED_AT, RESCUED_DATA, SOURCE_FILE, SOURCE_ROW, SOURCE_TIME, SOURCE_VERSION};

use crate::IngestError;
use crate::quarantine::source_file;

struct SourceFile {
    file: String,
    version: String,
    modified: i64,
}

/// For each row that is held in memory: its drop and its ordinal there.
pub(crate) struct Lineage {
    ingested_at: Timestamp,
    files: Vec<SourceFile>,
    file_of_row: Vec<u32>,
    ordinals: Vec<i64>,
}

impl Lineage {
    pub(crate) fn new(ingested_at: Timestamp) -> Self {
        Self { ingested_at, files: Vec::new(), file_of_row: Vec::new(), ordinals: Vec::new() }
    }

    /// The rows that follow come from this drop.
    pub(crate) fn begin(&mut self, object: &DroppedObject) {
        // A drop without rows leaves nothing behind.
        if self.files.len() > self.file_of_row.last().map_or(0, |last| *last as usize + 1) {
            self.files.pop();
        }
        self.files.push(SourceFile {
            file: source_file(object),
            version: object.id.version.clone().unwrap_or_else(|| object.etag.clone()),
            modified: object.modified.0,
        });
    }

    pub(crate) fn push(&mut self, ordinal: u64) {
        self.file_of_row.push((self.files.len() - 1) as u32);
        self.ordinals.push(ordinal as i64);
    }

    /// What a row of the drop at hand takes as memory, in bytes, against rows of data: the row columns are made when the rows are finished, once and
    /// without growing, and encode to nearly nothing, so that they count for a third.
    pub(crate) fn row_bytes(&self) -> usize {
        let texts = self.files.last().map_or(0, |file| file.file.len() + file.version.len() + 2 * size_of::<i32>());
        let numbers = 4 * size_of::<i64>() + size_of::<u32>();
        (texts + numbers) / 3
    }

    /// The drop of a row.
    pub(crate) fn file_of(&self, row: usize) -> &str {
        let file = self.file_of_row.get(row).and_then(|file| self.files.get(*file as usize));
        file.map_or("", |file| file.file.as_str())
    }

    pub(crate) fn len(&self) -> usize {
        self.ordinals.len()
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.file_of_row.truncate(rows);
        self.ordinals.truncate(rows);
    }

    /// Adds the row columns to decoded data and forgets the rows; the drop at hand stays.
    pub(crate) fn complete(&mut self, data: RecordBatch) -> Result<RecordBatch, IngestError> {
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        let mut rescued = None;
        for (field, column) in data.schema_ref().fields().iter().zip(data.columns()) {
            if field.name() == RESCUED_DATA {
                rescued = Some((field.clone(), column.clone()));
            } else {
                fields.push(field.clone());
                columns.push(column.clone());
            }
        }
        for (name, column) in self.columns() {
            fields.push(Arc::new(Field::new(name, column.data_type().clone(), true)));
            columns.push(column);
        }
        let (field, column) =
            rescued.ok_or_else(|| IngestError::Internal("decoded rows lack the rescued column".into()))?;
        fields.push(field);
        columns.push(column);
        let last = self.files.pop();
        self.files.clear();
        self.files.extend(last);
        self.truncate(0);
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|e| IngestError::Internal(e.to_string()))
    }

    fn columns(&self) -> [(&'static str, ArrayRef); 5] {
        let rows = self.len();
        let time = |values: Vec<i64>| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from(values).with_data_type(timestamp_type()))
        };
        [
            (SOURCE_FILE, self.text(|f| &f.file)),
            (SOURCE_VERSION, self.text(|f| &f.version)),
            (SOURCE_ROW, Arc::new(Int64Array::from(self.ordinals.clone()))),
            (SOURCE_TIME, time(self.file_of_row.iter().map(|f| self.files[*f as usize].modified).collect())),
            (INGESTED_AT, time(vec![self.ingested_at.0; rows])),
        ]
    }

    fn text(&self, of: impl Fn(&SourceFile) -> &String) -> ArrayRef {
        let bytes = self.file_of_row.iter().map(|f| of(&self.files[*f as usize]).len()).sum();
        let mut builder = StringBuilder::with_capacity(self.len(), bytes);
        for file in &self.file_of_row {
            builder.append_value(of(&self.files[*file as usize]));
        }
        let array: StringArray = builder.finish();
        Arc::new(array)
    }
}
