//! Writing a commit: its actions as JSON lines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{MetaData, OUR_PROTOCOL, Protocol, Txn};
use crate::{AddFile, Commit, RemoveFile, path};

/// The names that `commitInfo` gives a meaning and a type, in Delta's own writers.
const RESERVED: [&str; 17] = [
    "clusterId",
    "engineInfo",
    "inCommitTimestamp",
    "isBlindAppend",
    "isolationLevel",
    "job",
    "notebook",
    "operation",
    "operationMetrics",
    "operationParameters",
    "readVersion",
    "tags",
    "timestamp",
    "txnId",
    "userId",
    "userMetadata",
    "userName",
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Action<'a> {
    CommitInfo(CommitInfo<'a>),
    Protocol(&'a Protocol),
    MetaData(&'a MetaData),
    Txn(Txn),
    Remove(Remove<'a>),
    Add(Add<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CommitInfo<'a> {
    timestamp: u64,
    operation: &'a str,
    operation_parameters: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_version: Option<u64>,
    is_blind_append: bool,
    engine_info: &'a str,
    /// As text, as Delta's own writers do.
    operation_metrics: BTreeMap<&'a str, String>,
    #[serde(flatten)]
    info: &'a BTreeMap<String, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Add<'a> {
    path: String,
    partition_values: &'a BTreeMap<String, Option<String>>,
    size: u64,
    modification_time: u64,
    data_change: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Remove<'a> {
    path: &'a str,
    deletion_timestamp: u64,
    data_change: bool,
    extended_file_metadata: bool,
    partition_values: &'a BTreeMap<String, Option<String>>,
    size: u64,
}

/// The bytes of a commit at this version; `metadata` is what its `metaData` shall say. The error says what in the commit cannot be written.
pub(crate) fn encode(version: u64, commit: &Commit, metadata: Option<&MetaData>) -> Result<Vec<u8>, String> {
    if let Some(name) = commit.info.keys().find(|name| RESERVED.contains(&name.as_str())) {
        return Err(format!("the fact {name:?} for commitInfo has a name that Delta uses itself"));
    }
    let mut out = Vec::with_capacity(1024 + commit.adds.iter().map(|add| add.stats.len() + 512).sum::<usize>());
    put(&mut out, &Action::CommitInfo(commit_info(version, commit, metadata)))?;
    if version == 0 {
        put(&mut out, &Action::Protocol(&OUR_PROTOCOL))?;
    }
    if let Some(metadata) = metadata {
        put(&mut out, &Action::MetaData(metadata))?;
    }
    let txn = i64::try_from(commit.txn).map_err(|_| format!("its txn {} is more than Delta can hold", commit.txn))?;
    let last_updated = i64::try_from(commit.at.milliseconds()).ok();
    put(&mut out, &Action::Txn(Txn { app_id: commit.app_id.clone(), version: txn, last_updated }))?;
    for remove in &commit.removes {
        put(&mut out, &Action::Remove(remove_action(remove, commit)))?;
    }
    for add in &commit.adds {
        put(&mut out, &Action::Add(add_action(add, commit)))?;
    }
    Ok(out)
}

fn commit_info<'a>(version: u64, commit: &'a Commit, metadata: Option<&MetaData>) -> CommitInfo<'a> {
    let appends = commit.removes.is_empty();
    let mut parameters = BTreeMap::new();
    if appends {
        parameters.insert("mode", "Append".to_owned());
    }
    if let Some(metadata) = metadata {
        parameters.insert("partitionBy", Value::from(metadata.partition_columns.clone()).to_string());
    }
    let bytes: u64 = commit.adds.iter().map(|add| add.size).sum();
    let mut metrics =
        BTreeMap::from([("numFiles", commit.adds.len().to_string()), ("numOutputBytes", bytes.to_string())]);
    if !appends {
        let removed: u64 = commit.removes.iter().map(|remove| remove.size).sum();
        metrics.insert("numRemovedFiles", commit.removes.len().to_string());
        metrics.insert("numRemovedBytes", removed.to_string());
    }
    let rows: Option<u64> = commit.adds.iter().map(|add| rows_of(&add.stats)).sum();
    metrics.extend(rows.map(|rows| ("numOutputRows", rows.to_string())));
    CommitInfo {
        timestamp: commit.at.milliseconds(),
        operation: commit.operation,
        operation_parameters: parameters,
        read_version: version.checked_sub(1),
        is_blind_append: appends,
        engine_info: concat!("lithify/", env!("CARGO_PKG_VERSION")),
        operation_metrics: metrics,
        info: &commit.info,
    }
}

fn remove_action<'a>(remove: &'a RemoveFile, commit: &Commit) -> Remove<'a> {
    Remove {
        path: &remove.spelled,
        deletion_timestamp: commit.at.milliseconds(),
        data_change: false,
        extended_file_metadata: true,
        partition_values: &remove.partition_values,
        size: remove.size,
    }
}

fn add_action<'a>(add: &'a AddFile, commit: &Commit) -> Add<'a> {
    Add {
        path: path::encode(&add.path),
        partition_values: &add.partition_values,
        size: add.size,
        modification_time: add.modified.milliseconds(),
        data_change: commit.removes.is_empty(),
        stats: (!add.stats.is_empty()).then_some(add.stats.as_str()),
    }
}

/// The rows that a file's statistics tell of.
pub(crate) fn rows_of(stats: &str) -> Option<u64> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Stats {
        num_records: Option<u64>,
    }
    serde_json::from_str::<Stats>(stats).ok()?.num_records
}

fn put(out: &mut Vec<u8>, action: &Action<'_>) -> Result<(), String> {
    serde_json::to_writer(&mut *out, action).map_err(|error| format!("an action has no JSON: {error}"))?;
    out.push(b'\n');
    Ok(())
}
