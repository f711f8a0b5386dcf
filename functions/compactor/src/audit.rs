//! The audit table: one row per drop that a commit carries. Its own `txn` says which intents it holds, so that each is there exactly once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use decode::schema::timestamp_type;
use drops::BatchId;
use lake::{AddFile, Commit, CommitOutcome, LakeError, TableMetadata};
use ledger::Intent;
use runs::{ClusterKey, Fate, HeldDrop, Manifest, Order, TableFileWriter, WriteSettings, statistics};

use crate::{CREATED_BY, CompactError, Compactor};

/// How often an append that gets no clear answer is tried again.
const TRIES: u32 = 20;

/// The order of the audit table's rows: a commit's batches come in the order in which they began.
pub(crate) fn audit_order() -> Order {
    Order { partition_columns: Vec::new(), cluster_key: ClusterKey::Sort(vec!["batch".to_owned()]) }
}

/// The columns of the audit table.
pub fn audit_schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    let time = |name: &str| Field::new(name, timestamp_type(), true);
    Arc::new(Schema::new(vec![
        text("pipeline"),
        text("source_file"),
        text("source_version"),
        number("source_bytes"),
        time("source_time"),
        text("fate"),
        text("reason"),
        number("records"),
        number("rows"),
        number("rescued_rows"),
        number("quarantined_records"),
        text("batch"),
        number("intent"),
        number("table_version"),
        time("committed_at"),
    ]))
}

impl Compactor {
    /// Appends the drops of a commit, unless the audit table has them.
    pub(crate) async fn append_audit(
        &self,
        intent: &Intent,
        version: u64,
        batches: &[BatchId],
    ) -> Result<(), CompactError> {
        let app_id = self.app_id();
        let (mut file, mut last, mut unsure) = (None::<AddFile>, String::new(), false);
        for attempt in 0..TRIES {
            let head = self.parts.audit.head(&[&app_id]).await?;
            let holds = head.as_ref().and_then(|head| head.txns.get(&app_id).copied());
            if holds.is_some_and(|number| number >= intent.number) {
                // Another process was faster, and what was written here is named by nothing; unless an answer was lost.
                if let Some(add) = file.filter(|_| !unsure) {
                    self.parts.audit_store.delete(&add.path).await?;
                }
                return Ok(());
            }
            // Every intent before was settled: its drops are in the audit table, unless that was lost since.
            self.warn_of_gap(holds, intent.predecessor);
            if let Some(refusal) = head.as_ref().and_then(|head| head.refusal.as_ref()) {
                return Err(CompactError::Internal(format!("the audit table cannot be written: {refusal}")));
            }
            let add = match &file {
                Some(add) => AddFile::clone(add),
                None => file.insert(self.write_audit(intent, version, batches).await?).clone(),
            };
            let (at, path) = (self.parts.clock.now(), add.path.clone());
            let metadata = head.is_none().then(|| TableMetadata {
                id: crate::open::uuid(self.parts.entropy.bits()),
                schema: audit_schema(),
                partition_columns: Vec::new(),
                configuration: BTreeMap::from([(CREATED_BY.to_owned(), env!("CARGO_PKG_VERSION").to_owned())]),
                created: at,
            });
            let commit = Commit {
                app_id: app_id.clone(),
                txn: intent.number,
                metadata,
                adds: vec![add],
                removes: Vec::new(),
                operation: "LITHIFY AUDIT",
                info: BTreeMap::new(),
                at,
            };
            let next = head.map_or(0, |head| head.version + 1);
            match self.parts.audit.commit(next, &commit).await {
                Ok(CommitOutcome::Landed) => {
                    self.audit_checkpoint(next).await;
                    return Ok(());
                }
                // Someone was faster, or a client sent this very commit twice: only what stands there tells.
                Ok(CommitOutcome::Taken) => unsure |= !self.is_anothers(next, &path).await,
                Err(e @ LakeError::Unwritable { .. }) => return Err(e.into()),
                // It is not known: what the table holds is read again, and decides.
                Err(e) => (last, unsure) = (e.to_string(), true),
            }
            self.parts.clock.sleep(Duration::from_millis(20 * u64::from(attempt))).await;
        }
        Err(CompactError::Commit { pipeline: self.settings.pipeline.clone(), intent: intent.number, reason: last })
    }

    /// Whether another's commit stands at a version of the audit table: one that was read and does not name this file.
    async fn is_anothers(&self, version: u64, path: &str) -> bool {
        let stands = self.parts.audit.read_commit(version).await;
        stands.is_ok_and(|stands| stands.is_some_and(|commit| !commit.files.contains(path)))
    }

    pub(crate) async fn audit_checkpoint(&self, version: u64) {
        let due = version > 0 && version.is_multiple_of(self.settings.checkpoint_interval);
        if due && let Err(e) = self.parts.audit.checkpoint(version).await {
            tracing::warn!(version, error = %e, "no checkpoint of the audit table was written; it is complete without it");
        }
    }

    /// Writes the drops of all batches as one file, a manifest at a time.
    async fn write_audit(&self, intent: &Intent, version: u64, batches: &[BatchId]) -> Result<AddFile, CompactError> {
        let at = self.parts.clock.now();
        let path = format!("part-{}-{}.zstd.parquet", self.parts.entropy.batch_id(at), intent.number);
        let failed = |e: runs::RunsError| CompactError::Merge {
            pipeline: self.settings.pipeline.clone(),
            reason: e.to_string(),
        };
        let settings = WriteSettings { order: audit_order(), ..self.settings.write.clone() };
        let schema = audit_schema();
        let mut writer: Option<TableFileWriter> = None;
        for id in batches {
            let manifest = self.manifest(*id).await?;
            let rows = audit_rows(&manifest, intent.number, version, at.0)?;
            let writer = match &mut writer {
                Some(writer) => writer,
                None => {
                    let object = self.parts.audit_store.writer(&path)?;
                    writer.insert(TableFileWriter::new(object, schema.clone(), &settings, Some(&rows)).map_err(failed)?)
                }
            };
            writer.write(&rows).map_err(failed)?;
        }
        let writer =
            writer.ok_or_else(|| CompactError::Internal(format!("intent {} names no batch", intent.number)))?;
        let written = writer.finish().map_err(failed)?;
        let stats = statistics(&schema, &settings.order, &written.metadata);
        Ok(AddFile { path, partition_values: BTreeMap::new(), size: written.size, modified: at, stats })
    }
}

fn audit_rows(manifest: &Manifest, intent: u64, version: u64, at: i64) -> Result<RecordBatch, CompactError> {
    let held = &manifest.held;
    let text = |of: &dyn Fn(&HeldDrop) -> Option<String>| -> ArrayRef {
        Arc::new(held.iter().map(of).collect::<StringArray>())
    };
    let number = |of: &dyn Fn(&HeldDrop) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(held.iter().map(|d| of(d) as i64)))
    };
    let time = |of: &dyn Fn(&HeldDrop) -> i64| -> ArrayRef {
        let values = TimestampMicrosecondArray::from_iter_values(held.iter().map(of));
        Arc::new(values.with_data_type(timestamp_type()))
    };
    let columns = vec![
        text(&|_| Some(manifest.pipeline.to_string())),
        text(&|d| Some(if d.bucket.is_empty() { d.key.clone() } else { format!("s3://{}/{}", d.bucket, d.key) })),
        text(&|d| Some(d.version.clone().unwrap_or_else(|| d.etag.clone()))),
        number(&|d| d.size),
        time(&|d| d.modified.0),
        text(&|d| Some(if d.fate == Fate::Ingested { "ingested" } else { "quarantined" }.to_owned())),
        text(&|d| match &d.fate {
            Fate::Ingested => None,
            Fate::Quarantined { reason } => Some(reason.clone()),
        }),
        number(&|d| d.records),
        number(&|d| d.rows),
        number(&|d| d.rescued_rows),
        number(&|d| d.quarantined_records),
        text(&|_| Some(manifest.batch.to_string())),
        number(&|_| intent),
        number(&|_| version),
        time(&|_| at),
    ];
    RecordBatch::try_new(audit_schema(), columns).map_err(|e| CompactError::Internal(e.to_string()))
}
