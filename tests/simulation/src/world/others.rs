//! Other writers of the table: they append, delete and optimize, and add columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use drops::Timestamp;
use lake::{AddFile, Foreign, Lake, TableMetadata};
use runs::RESCUED_DATA;

use super::reader::their_row;
use super::{World, files, lock};
use crate::doubles::now;

/// What another writer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// Appends a file of rows of its own.
    Append,
    /// Deletes a file that it appended.
    Delete,
    /// Rewrites all live files as one.
    Optimize,
    /// Adds a column.
    AddColumn,
    /// Commits nothing but a version.
    Empty,
}

/// How the paths of another writer's own files begin.
const THEIRS: &str = "theirs-";

/// How the names of columns begin that another writer added.
const THEIR_COLUMN: &str = "theirs_";

impl World {
    /// Another writer commits, on top of the newest version. False where there is nothing to do it to.
    pub fn other_writer(&self, what: Other) -> bool {
        let done = self.try_other(what);
        let told = match &done {
            Ok(version) => format!("{version:?}"),
            Err(why) => format!("failed: {why}"),
        };
        self.note("others", "table.commit", &format!("{what:?}"), &told);
        self.after_effect("table.commit", "");
        if let Err(why) = &done {
            self.violation("the simulation works", format!("another writer could not do {what:?}: {why}"));
        }
        matches!(done, Ok(Some(_)))
    }

    fn try_other(&self, what: Other) -> Result<Option<u64>, String> {
        let Some(head) = now(self.table.head(&[])).map_err(|e| e.to_string())? else { return Ok(None) };
        let live = now(self.table.live_files()).map_err(|e| e.to_string())?;
        let foreign = match what {
            Other::Empty => Foreign::default(),
            Other::Append => {
                let rows = self.their_rows(&head.schema, head.version)?;
                let (content, count) = files::write(&rows.schema(), &[rows])?;
                let written = files::rows(content.clone(), &head.schema)?;
                lock(&self.theirs).extend(written.iter().map(|row| their_row(&row.cells)));
                let path = format!("{THEIRS}{}.parquet", head.version + 1);
                Foreign { adds: vec![self.their_file(path, content, count)], ..Foreign::default() }
            }
            Other::Delete => {
                let Some(theirs) = live.iter().find(|file| file.path.starts_with(THEIRS)) else { return Ok(None) };
                for gone in files::rows(self.table_file(&theirs.path)?, &head.schema)? {
                    let text = their_row(&gone.cells);
                    lock(&self.theirs).retain(|row| *row != text);
                }
                Foreign { removes: vec![theirs.path.clone()], ..Foreign::default() }
            }
            Other::Optimize => {
                if live.len() < 2 {
                    return Ok(None);
                }
                let mut rows = Vec::new();
                for file in &live {
                    rows.extend(files::batches(self.table_file(&file.path)?)?);
                }
                let (content, count) = files::write(&head.schema, &rows)?;
                let removes = live.iter().map(|file| file.path.clone()).collect();
                let path = format!("optimized-{}.parquet", head.version + 1);
                Foreign { adds: vec![self.their_file(path, content, count)], removes, ..Foreign::default() }
            }
            Other::AddColumn => {
                let name = format!("{THEIR_COLUMN}{}", head.version);
                let mut fields: Vec<_> = head.schema.fields().iter().cloned().collect();
                fields.push(Arc::new(Field::new(name, DataType::Utf8, true)));
                let metadata = TableMetadata {
                    id: String::new(),
                    schema: Arc::new(Schema::new(fields)),
                    partition_columns: head.partition_columns.clone(),
                    configuration: head.configuration.clone(),
                    created: Timestamp(self.scheduler.now()),
                };
                Foreign { metadata: Some(metadata), ..Foreign::default() }
            }
        };
        self.table.append_foreign(foreign).map(Some).map_err(|e| e.to_string())
    }

    /// Two rows of another writer, in every column that no pipeline fills alone: their columns, `id`, and a text that no other row has.
    fn their_rows(&self, table: &Schema, version: u64) -> Result<RecordBatch, String> {
        let own = [1, 2].map(|row| format!(r#"{{"theirs":"{version}-{row}"}}"#));
        let fields = table.fields().iter().filter(|field| {
            let (name, kind) = (field.name(), field.data_type());
            name == "id" && *kind == DataType::Int64 || name == RESCUED_DATA || name.starts_with(THEIR_COLUMN)
        });
        let fields: Vec<_> = fields.cloned().collect();
        let columns = fields.iter().map(|field| -> ArrayRef {
            match field.data_type() {
                DataType::Int64 => Arc::new(Int64Array::from(vec![-1, -2])),
                _ => Arc::new(StringArray::from(own.to_vec())),
            }
        });
        let columns = columns.collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|e| e.to_string())
    }

    fn their_file(&self, path: String, content: Bytes, rows: u64) -> AddFile {
        let size = content.len() as u64;
        self.files.insert(&path, content);
        let modified = Timestamp(self.scheduler.now());
        AddFile { path, partition_values: BTreeMap::new(), size, modified, stats: format!("{{\"numRecords\":{rows}}}") }
    }

    fn table_file(&self, path: &str) -> Result<Bytes, String> {
        now(store::Store::get(&self.files, path)).map_err(|e| e.to_string())
    }
}
