//! Other writers of the table: they append, delete and optimize, and add columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use drops::Timestamp;
use lake::{AddFile, Foreign, Lake, TableMetadata};

use super::{World, files};
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
                let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
                let rows = RecordBatch::try_new(schema.clone(), vec![Arc::new(Int64Array::from(vec![-1, -2]))]);
                let (content, count) = files::write(&schema, &[rows.map_err(|e| e.to_string())?])?;
                Foreign { adds: vec![self.their_file(content, count)], ..Foreign::default() }
            }
            Other::Delete => {
                let Some(theirs) = live.iter().find(|file| file.path.starts_with(THEIRS)) else { return Ok(None) };
                Foreign { removes: vec![theirs.path.clone()], ..Foreign::default() }
            }
            Other::Optimize => {
                if live.len() < 2 {
                    return Ok(None);
                }
                let mut rows = Vec::new();
                for file in &live {
                    let content = now(store::Store::get(&self.files, &file.path)).map_err(|e| e.to_string())?;
                    rows.extend(files::batches(content)?);
                }
                let (content, count) = files::write(&head.schema, &rows)?;
                let removes = live.iter().map(|file| file.path.clone()).collect();
                let mut add = self.their_file(content, count);
                add.path = format!("optimized-{}", add.path);
                self.files.write(&add.path, self.their_content(&add)?);
                Foreign { adds: vec![add], removes, ..Foreign::default() }
            }
            Other::AddColumn => {
                let name = format!("theirs_{}", head.version);
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

    fn their_file(&self, content: bytes::Bytes, rows: u64) -> AddFile {
        let path = format!("{THEIRS}{}.parquet", self.scheduler.steps());
        let size = content.len() as u64;
        self.files.write(&path, content);
        let modified = Timestamp(self.scheduler.now());
        AddFile { path, partition_values: BTreeMap::new(), size, modified, stats: format!("{{\"numRecords\":{rows}}}") }
    }

    fn their_content(&self, add: &AddFile) -> Result<bytes::Bytes, String> {
        let path = add.path.strip_prefix("optimized-").unwrap_or(&add.path);
        now(store::Store::get(&self.files, path)).map_err(|e| e.to_string())
    }
}
