//! Reading commits: only what a committer must know; the files that a commit names are passed over.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{MetaData, Protocol, Txn};
use crate::path;

/// One line of a commit or one row of a checkpoint: at most one of these is there.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Line {
    pub protocol: Option<Protocol>,
    #[serde(rename = "metaData")]
    pub metadata: Option<MetaData>,
    pub txn: Option<Txn>,
}

/// The actions of a commit that matter here. The error says where and why the commit cannot be read.
pub(crate) fn lines(commit: &[u8]) -> Result<Vec<Line>, String> {
    let mut found = Vec::new();
    let mut empty = true;
    for (number, line) in commit.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        empty = false;
        let action: Line =
            serde_json::from_slice(line).map_err(|error| format!("line {} is no whole action: {error}", number + 1))?;
        if action.protocol.is_some() || action.metadata.is_some() || action.txn.is_some() {
            found.push(action);
        }
    }
    // A commit says at least who made it. One without a line is one that a power cut took the bytes of.
    if empty { Err("it holds no action".to_owned()) } else { Ok(found) }
}

/// A line of a commit that names a file.
#[derive(Deserialize)]
struct FileLine {
    add: Option<Named>,
    remove: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    path: String,
}

/// The decoded paths of all files that a commit adds or removes. The error says where and why the commit cannot be read.
pub(crate) fn files(commit: &[u8]) -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    let lines = commit.split(|byte| *byte == b'\n').enumerate();
    for (number, line) in lines.map(|(number, line)| (number, line.trim_ascii())).filter(|(_, line)| !line.is_empty()) {
        let action: FileLine =
            serde_json::from_slice(line).map_err(|error| format!("line {} is no whole action: {error}", number + 1))?;
        found.extend(action.add.into_iter().chain(action.remove).map(|file| path::decode(&file.path)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_matters_is_kept() {
        let commit = br#"{"commitInfo":{"timestamp":1,"operation":"WRITE"}}
{"txn":{"appId":"a","version":7,"lastUpdated":1}}

{"add":{"path":"x","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}
{"somethingNew":{"a":[1,2]}}
"#;
        let lines = lines(commit).expect("lines");
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].txn.as_ref().map(|txn| (txn.app_id.as_str(), txn.version)), Some(("a", 7)));
    }

    #[test]
    fn every_file_that_a_commit_names_is_found() {
        let commit = br#"{"commitInfo":{"timestamp":1}}
{"remove":{"path":"a%20b","dataChange":true}}
{"add":{"path":"x","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true,"deletionVector":{"storageType":"u"}}}
{"cdc":{"path":"_change_data/y","partitionValues":{},"size":1,"dataChange":false}}"#;
        assert_eq!(files(commit).expect("files").into_iter().collect::<Vec<_>>(), ["a b", "x"]);
        assert!(files(b"{\"add\":{\"path\":").is_err());
    }

    #[test]
    fn a_cut_commit_is_an_error_that_says_where() {
        let reason = lines(b"{\"commitInfo\":{}}\n{\"add\":{\"path\":\"x\",\"par").expect_err("cut");
        assert!(reason.starts_with("line 2 is no whole action"), "{reason}");
        assert!(lines(b"").is_err());
        assert!(lines(b"\0\0\0\0").is_err());
    }

    #[test]
    fn nulls_in_maps_are_left_out() {
        let line = br#"{"metaData":{"id":"1","format":{"provider":"parquet","options":null},"schemaString":"{}","configuration":{"a":null,"b":"c"}}}"#;
        let lines = lines(line).expect("lines");
        let metadata = lines[0].metadata.as_ref().expect("metadata");
        assert_eq!(metadata.configuration.iter().collect::<Vec<_>>(), [(&"b".to_owned(), &"c".to_owned())]);
        assert!(metadata.format.options.is_empty() && metadata.partition_columns.is_empty());
    }
}
