//! A checkpoint of a table that others write to: the bytes are that of version 2, as Parquet or, where they begin with `{`, as JSON. No commit
//! stands below it, as in a log that was cleaned up.
//!
//! - It is read, or an error names the table; nothing of a file may pass by itself.
//! - Every `txn` that the head tells of stands in it, as Parquet's own reader of records or `serde_json` sees it.
//! - Where a commit can be made upon it, it says afterwards what it said before, and the commit's `txn`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use drops::Timestamp;
use lake::{Commit, CommitOutcome, DeltaLake, Lake, LakeError};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::Value;

use super::table::{let_readers_break_off, named, with_log};

/// The checkpoint's version.
const VERSION: u64 = 2;

/// An application id that commits upon it.
const OURS: &str = "lithify/fuzz";

pub(super) fn check(bytes: &[u8]) -> bool {
    let_readers_break_off();
    with_log(async |table| read(table, bytes).await)
}

async fn read(table: &Path, bytes: &[u8]) -> bool {
    let log = table.join("_delta_log");
    let is_json = bytes.starts_with(b"{");
    fs::write(log.join(name(is_json)), bytes).expect("a file");
    let lake = DeltaLake::local(table).expect("a path");
    let app_ids = match lake.app_ids("").await {
        Ok(app_ids) => app_ids,
        Err(error) => return named(&error),
    };
    let asked: Vec<&str> = app_ids.iter().map(String::as_str).chain([OURS]).collect();
    let head = match lake.head(&asked).await {
        Ok(head) => head.expect("a log with a checkpoint is a table"),
        Err(error) => return named(&error),
    };
    assert_eq!(head.version, VERSION);
    if let Some(stands) = if is_json { txns_in_json(bytes) } else { txns_in_parquet(bytes) } {
        for txn in &head.txns {
            assert!(stands.iter().any(|(app, version)| (app, version) == txn), "{txn:?} is not in it: {stands:?}");
        }
    }
    // What makes files of it is the kernel, for which more must be right.
    if let Err(error) = lake.live_files().await {
        named(&error);
    }
    commit_upon(&lake, &asked, &head.txns).await
}

/// One more commit. True if it landed.
async fn commit_upon(lake: &DeltaLake, asked: &[&str], before: &BTreeMap<String, u64>) -> bool {
    let txn = before.get(OURS).map_or(1, |txn| txn.saturating_add(1));
    let commit = Commit {
        app_id: OURS.to_owned(),
        txn,
        metadata: None,
        adds: Vec::new(),
        removes: Vec::new(),
        operation: "FUZZ",
        info: BTreeMap::new(),
        at: Timestamp(1_700_000_000_000_000),
    };
    match lake.commit(VERSION + 1, &commit).await {
        Ok(CommitOutcome::Landed) => {}
        Ok(CommitOutcome::Taken) => panic!("nothing stands there"),
        Err(LakeError::Unwritable { .. }) => return false,
        Err(error) => return named(&error),
    }
    let after = lake.head(asked).await.expect("it was read before").expect("a table");
    let mut expected = before.clone();
    expected.insert(OURS.to_owned(), txn);
    assert_eq!((after.version, after.txns), (VERSION + 1, expected));
    true
}

fn name(is_json: bool) -> PathBuf {
    // The second kind of checkpoints is named by a UUID.
    let kind = if is_json { "80a083e8-7026-4e79-81be-64bd76c43a11.json" } else { "parquet" };
    format!("{VERSION:020}.checkpoint.{kind}").into()
}

/// The `txn`s of a checkpoint as JSON; `None` if `serde_json` cannot read it.
fn txns_in_json(bytes: &[u8]) -> Option<Vec<(String, u64)>> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let actions = lines.map(serde_json::from_slice).collect::<Result<Vec<Value>, _>>().ok()?;
    let txn = |action: &Value| {
        let txn = action.get("txn")?;
        Some((txn["appId"].as_str()?.to_owned(), txn["version"].as_u64()?))
    };
    Some(actions.iter().filter_map(txn).collect())
}

/// The `txn`s of a checkpoint as Parquet; `None` if its reader of records cannot read it.
fn txns_in_parquet(bytes: &[u8]) -> Option<Vec<(String, u64)>> {
    let body = bytes.to_vec();
    // A second opinion: what makes that reader break off is its own affair.
    let rows = std::panic::catch_unwind(move || {
        let reader = SerializedFileReader::new(bytes_of(body)).ok()?;
        let rows = reader.get_row_iter(None).ok()?;
        rows.collect::<Result<Vec<Row>, _>>().ok()
    });
    let txn = |row: &Row| {
        let (_, Field::Group(txn)) = row.get_column_iter().find(|(name, _)| *name == "txn")? else { return None };
        let mut columns: BTreeMap<&str, &Field> = BTreeMap::new();
        columns.extend(txn.get_column_iter().map(|(name, field)| (name.as_str(), field)));
        match (columns.get("appId")?, columns.get("version")?) {
            (Field::Str(app), Field::Long(version)) => Some((app.clone(), u64::try_from(*version).ok()?)),
            (Field::Str(app), Field::Int(version)) => Some((app.clone(), u64::try_from(*version).ok()?)),
            _ => None,
        }
    };
    Some(rows.ok()??.iter().filter_map(txn).collect())
}

fn bytes_of(body: Vec<u8>) -> bytes::Bytes {
    body.into()
}
