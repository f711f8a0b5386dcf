//! The Delta log of a table that others write to: the bytes are its first commits, each after a line `---`.
//!
//! - A log is read or an error names the table; the same commit says the same, alone and as part of the log.
//! - Every `txn` that the head tells of stands in a commit; a version that is no number of ours is not told of.

use std::fs;
use std::path::Path;

use lake::{DeltaLake, Lake};

use super::table::{named, with_log};

/// The most commits of one log.
const COMMITS: usize = 4;

pub(super) fn check(bytes: &[u8]) -> bool {
    with_log(async |table| read(table, bytes).await)
}

async fn read(table: &Path, bytes: &[u8]) -> bool {
    let log = table.join("_delta_log");
    let commits = split(bytes);
    for (version, commit) in commits.iter().enumerate() {
        fs::write(log.join(format!("{version:020}.json")), commit).expect("a file");
    }
    let lake = DeltaLake::local(table).expect("a path");
    let (mut told, mut untold) = (Vec::new(), false);
    for version in 0..commits.len() as u64 {
        match lake.read_commit(version).await {
            Ok(summary) => told.extend(summary.expect("it stands there").txns),
            Err(error) => untold |= !named(&error),
        }
    }
    let app_ids = match lake.app_ids("").await {
        Ok(app_ids) => app_ids,
        Err(error) => return named(&error),
    };
    let asked: Vec<&str> = app_ids.iter().map(String::as_str).collect();
    match lake.head(&asked).await {
        Ok(head) => {
            let head = head.expect("a log with commits is a table");
            assert_eq!(head.version + 1, commits.len() as u64);
            for txn in &head.txns {
                assert!(untold || told.iter().any(|(app, version)| (app, version) == txn), "{txn:?} is in no commit");
            }
        }
        Err(error) => return named(&error),
    }
    lake.live_files().await.map_or_else(|error| named(&error), |_| true)
}

/// The commits: what lies between lines `---`.
fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let mut commits = vec![];
    let mut rest = bytes;
    while commits.len() + 1 < COMMITS {
        let Some(at) = rest.windows(5).position(|window| window == b"\n---\n") else { break };
        commits.push(&rest[..at]);
        rest = &rest[at + 5..];
    }
    commits.push(rest);
    commits
}
