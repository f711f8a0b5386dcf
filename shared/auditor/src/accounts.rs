//! I-6, the second half: the audit table has each drop of each settled commit exactly once, with the account that the manifest gives.

use std::collections::HashMap;
use std::fmt;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use runs::{HeldDrop, read_columns};

use crate::history::{History, PipelineHistory};
use crate::{AuditError, Invariant, Subject, Verdict};

/// The columns that are compared.
const COLUMNS: [&str; 9] = [
    "pipeline",
    "source_file",
    "source_version",
    "batch",
    "intent",
    "records",
    "rows",
    "rescued_rows",
    "quarantined_records",
];

/// One drop's account, as both sides must tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account {
    records: i64,
    rows: i64,
    rescued_rows: i64,
    quarantined_records: i64,
}

/// Pipeline, intent, batch, source file, its version.
type Key = (String, i64, String, String, String);

pub(crate) async fn check(subject: &Subject, history: &History, verdict: &mut Verdict) -> Result<(), AuditError> {
    let mut told = HashMap::new();
    for file in subject.audit.live_files().await? {
        let object = subject.audit_store.open(&file.path).await?;
        let path = file.path.clone();
        let batches =
            tokio::task::spawn_blocking(move || read_columns(&path, object, &COLUMNS)?.collect::<Result<Vec<_>, _>>());
        for batch in batches.await.map_err(|e| AuditError::Internal(e.to_string()))?? {
            take(&batch, &mut told, &file.path, verdict);
        }
    }
    for pipeline in &history.pipelines {
        compare(pipeline, &mut told, verdict);
    }
    for ((pipeline, intent, batch, file, _), account) in told {
        let what = format!(
            "the audit table has {account} of it for intent {intent} of pipeline {pipeline} (batch {batch}), which no commit carries"
        );
        verdict.find(Invariant::Balance, file, what);
    }
    Ok(())
}

fn take(batch: &RecordBatch, told: &mut HashMap<Key, Account>, path: &str, verdict: &mut Verdict) {
    verdict.counts.audit_rows += batch.num_rows() as u64;
    let text = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let number = |name: &str| batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
    let texts = (text("pipeline"), text("batch"), text("source_file"), text("source_version"));
    let numbers = (number("records"), number("rows"), number("rescued_rows"), number("quarantined_records"));
    let ((Some(pipelines), Some(ids), Some(files), Some(versions)), Some(intents)) = (texts, number("intent")) else {
        verdict.unchecked.push(format!("{path} of the audit table: its columns are not ours"));
        return;
    };
    let (Some(records), Some(rows), Some(rescued), Some(quarantined)) = numbers else {
        verdict.unchecked.push(format!("{path} of the audit table: its columns are not ours"));
        return;
    };
    for row in (0..batch.num_rows()).filter(|row| files.is_valid(*row)) {
        let key = (
            pipelines.value(row).to_owned(),
            intents.value(row),
            ids.value(row).to_owned(),
            files.value(row).to_owned(),
            versions.value(row).to_owned(),
        );
        let account = Account {
            records: records.value(row),
            rows: rows.value(row),
            rescued_rows: rescued.value(row),
            quarantined_records: quarantined.value(row),
        };
        if told.insert(key, account).is_some() {
            let what = format!("the audit table has it twice for intent {}", intents.value(row));
            verdict.find(Invariant::Balance, files.value(row), what);
        }
    }
}

/// Takes the accounts that must be there out of what the audit table told.
fn compare(pipeline: &PipelineHistory, told: &mut HashMap<Key, Account>, verdict: &mut Verdict) {
    for intent in &pipeline.landed {
        let settled = pipeline.settled >= Some(intent.number);
        for id in &intent.batches {
            let Some(batch) = pipeline.batches.get(id) else { continue };
            for held in &batch.manifest.held {
                let number = i64::try_from(intent.number).unwrap_or(i64::MAX);
                let version = held.source_version().to_owned();
                let key = (pipeline.name.to_string(), number, id.to_string(), held.source_file(), version);
                match told.remove(&key) {
                    Some(account) if account == Account::of(held) => {}
                    Some(account) => {
                        let what = format!("the audit table says {account}, its manifest {}", Account::of(held));
                        verdict.find(Invariant::Balance, held.source_file(), what);
                    }
                    // The rows of a commit that is not settled yet may be there or not.
                    None if !settled => {}
                    None => {
                        let what = format!(
                            "intent {} of pipeline {} is settled, and the audit table lacks this drop",
                            intent.number, pipeline.name
                        );
                        verdict.find(Invariant::Balance, held.source_file(), what);
                    }
                }
            }
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, rows, rescued_rows, quarantined_records } = self;
        write!(
            f,
            "{records} records, {rows} rows, {rescued_rows} of them with rescued data, {quarantined_records} quarantined"
        )
    }
}

impl Account {
    fn of(held: &HeldDrop) -> Self {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        Self {
            records: number(held.records),
            rows: number(held.rows),
            rescued_rows: number(held.rescued_rows),
            quarantined_records: number(held.quarantined_records),
        }
    }
}
