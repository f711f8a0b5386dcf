//! The log on disk: what the conformance suite cannot see.

mod model;
mod remote;

use std::fs;
use std::path::PathBuf;

use arrow_schema::{DataType, Field, Schema};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::conformance::{self, Place, commit, file, metadata};

/// A table in a folder whose name is as awkward as a name may be.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn table(&self) -> PathBuf {
        self.0.path().join("a %41 ü#1?&/deep/table")
    }

    fn delta(&self) -> DeltaLake {
        DeltaLake::local(&self.table()).expect("a path")
    }

    fn log(&self, name: &str) -> PathBuf {
        self.table().join("_delta_log").join(name)
    }

    /// Writes a commit as somebody else would.
    fn foreign(&self, version: u64, actions: &[Value]) {
        let lines: String = actions.iter().map(|action| format!("{action}\n")).collect();
        fs::write(self.log(&commit_name(version)), lines).expect("written");
    }

    fn actions(&self, version: u64) -> Vec<Value> {
        let text = fs::read_to_string(self.log(&commit_name(version))).expect("a commit");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

impl Place for Folder {
    fn open(&self) -> Arc<dyn Lake> {
        Arc::new(self.delta())
    }
}

async fn land(lake: &dyn Lake, version: u64, commit: &Commit) {
    assert_eq!(lake.commit(version, commit).await.expect("a commit"), CommitOutcome::Landed);
}

/// A table with these many commits of one file each.
async fn table(commits: u64) -> (Folder, DeltaLake) {
    let folder = Folder::new();
    let lake = folder.delta();
    for version in 0..commits {
        let made = (version == 0).then(|| metadata(&["x"], &[]));
        land(&lake, version, &commit("lithify/p", version, made, vec![file(&format!("f{version}"), version)])).await;
    }
    (folder, lake)
}

async fn sorted_files(lake: &dyn Lake) -> Vec<LiveFile> {
    let mut files = lake.live_files().await.expect("files");
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

async fn unreadable(folder: &Folder) -> String {
    match folder.delta().head(&[]).await {
        Err(LakeError::Unreadable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    conformance::all(Folder::new).await;
}

#[tokio::test]
async fn conforms_on_one_thread() {
    conformance::all(Folder::new).await;
}

#[tokio::test]
async fn a_commit_says_what_delta_asks_for() {
    let folder = Folder::new();
    let lake = folder.delta();
    let mut adds = vec![file("day=a%3Ab/1.parquet", 5), file("2.parquet", 6)];
    for add in &mut adds {
        add.partition_values = [("day".to_owned(), None)].into();
    }
    land(&lake, 0, &commit("lithify/p", 3, Some(metadata(&["x", "day"], &["day"])), adds)).await;
    let actions = folder.actions(0);
    assert_eq!(
        actions[0]["commitInfo"],
        json!({
            "timestamp": 1_700_000_001_000_u64, "operation": "WRITE", "isBlindAppend": true, "drops": 3,
            "operationParameters": {"mode": "Append", "partitionBy": "[\"day\"]"},
            "operationMetrics": {"numFiles": "2", "numOutputBytes": "211", "numOutputRows": "11"},
            "engineInfo": concat!("lithify/", env!("CARGO_PKG_VERSION")),
        })
    );
    assert_eq!(actions[1], json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}));
    let made = &actions[2]["metaData"];
    assert_eq!(made["format"], json!({"provider": "parquet", "options": {}}));
    assert_eq!(made["partitionColumns"], json!(["day"]));
    assert_eq!(made["createdTime"], 1_700_000_000_000_u64);
    let schema: Value = serde_json::from_str(made["schemaString"].as_str().expect("text")).expect("JSON");
    assert_eq!(schema["fields"][0], json!({"name": "x", "type": "string", "nullable": true, "metadata": {}}));
    assert_eq!(actions[3], json!({"txn": {"appId": "lithify/p", "version": 3, "lastUpdated": 1_700_000_001_000_u64}}));
    assert_eq!(
        actions[4],
        json!({"add": {
            "path": "day=a%253Ab/1.parquet", "partitionValues": {"day": null}, "size": 105,
            "modificationTime": 1_700_000_000_000_u64, "dataChange": true, "stats": "{\"numRecords\":5}",
        }})
    );
    assert_eq!(actions.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewrite_says_what_delta_asks_for_and_removes_by_the_logs_spelling() {
    let (folder, lake) = table(1).await;
    // Others spell paths in other ways than we would; readers reconcile by the text.
    let spelled = ["a=b/x+y%3dz.parquet", "ü.parquet"];
    let add = |path: &str| json!({"add": {"path": path, "partitionValues": {}, "size": 7, "modificationTime": 1, "dataChange": true}});
    folder.foreign(1, &[json!({"commitInfo": {}}), add(spelled[0]), add(spelled[1])]);
    let files = lake.small_files(1, 50).await.expect("files");
    let mut paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["a=b/x+y=z.parquet", "ü.parquet"]);

    let mut rewrite = commit("lithify/#upkeep", 3, None, vec![file("merged", 2)]);
    rewrite.removes = files.iter().map(conformance::removal).collect();
    land(&lake, 2, &rewrite).await;
    let actions = folder.actions(2);
    assert_eq!(actions[0]["commitInfo"]["isBlindAppend"], false);
    assert_eq!(actions[0]["commitInfo"]["operationMetrics"]["numRemovedFiles"], "2");
    assert_eq!(actions[1]["txn"]["version"], 3);
    let removes: Vec<&Value> = actions.iter().filter_map(|action| action.get("remove")).collect();
    assert_eq!(removes.len(), 2);
    for remove in removes {
        assert!(spelled.contains(&remove["path"].as_str().expect("a path")));
        let expected = json!({
            "path": remove["path"], "deletionTimestamp": rewrite.at.milliseconds(), "dataChange": false,
            "extendedFileMetadata": true, "partitionValues": {}, "size": 7,
        });
        assert_eq!(*remove, expected);
    }
    assert_eq!(actions[4]["add"]["dataChange"], false);
    let left: Vec<String> = sorted_files(&folder.delta()).await.into_iter().map(|file| file.path).collect();
    assert_eq!(left, ["f0", "merged"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_old_commits_are_cleaned_up_still_opens() {
    let (folder, lake) = table(25).await;
    let (head, files) = (lake.head(&["lithify/p"]).await.expect("head").expect("a table"), sorted_files(&lake).await);
    assert_eq!(files.len(), 25);
    for version in [10, 20] {
        lake.checkpoint(version).await.expect("a checkpoint");
    }
    let same = async |lake: DeltaLake| {
        let now = lake.head(&["lithify/p"]).await.expect("head").expect("a table");
        assert_eq!((now.version, &now.txns, &now.schema), (24, &head.txns, &head.schema));
        assert_eq!(now.configuration, head.configuration);
        assert_eq!(sorted_files(&lake).await, files);
        assert_eq!(lake.app_ids("lithify/").await.expect("app ids"), ["lithify/p"]);
    };
    same(folder.delta()).await;
    for version in 0..=20 {
        fs::remove_file(folder.log(&commit_name(version))).expect("removed");
    }
    same(folder.delta()).await;
    same(lake.clone()).await;
    // What is cleaned up is not free.
    assert_eq!(lake.commit(7, &commit("lithify/p", 99, None, vec![])).await.expect("commit"), CommitOutcome::Taken);
    let gone = lake.read_commit(7).await;
    assert!(matches!(gone, Err(LakeError::Gone { version: 7, newest: 24, .. })), "{gone:?}");
    land(&lake, 25, &commit("lithify/p", 99, None, vec![])).await;
    // The hint points to the newest checkpoint, and is only a hint.
    let hint: Value = serde_json::from_slice(&fs::read(folder.log(LAST_CHECKPOINT)).expect("a hint")).expect("JSON");
    assert_eq!((hint["version"].as_u64(), hint["numOfAddFiles"].as_u64()), (Some(20), Some(21)));
    fs::remove_file(folder.log(LAST_CHECKPOINT)).expect("removed");
    assert_eq!(folder.delta().head(&["lithify/p"]).await.expect("head").expect("a table").txns["lithify/p"], 99);
    assert_eq!(sorted_files(&folder.delta()).await, files);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_checkpoint_does_not_move_the_hint_back() {
    let (folder, lake) = table(4).await;
    lake.checkpoint(3).await.expect("a checkpoint");
    lake.checkpoint(1).await.expect("a checkpoint");
    let hint = fs::read_to_string(folder.log(LAST_CHECKPOINT)).expect("a hint");
    assert!(hint.contains("\"version\":3"), "{hint}");
}

#[tokio::test]
async fn nothing_new_is_told_without_reading_the_log_again() {
    let (folder, lake) = table(3).await;
    assert_eq!(lake.head(&[]).await.expect("head").expect("a table").version, 2);
    fs::write(folder.log(&commit_name(0)), "no longer JSON").expect("written");
    assert_eq!(lake.head(&[]).await.expect("head").expect("a table").version, 2);
    land(&lake, 3, &commit("lithify/p", 3, None, vec![])).await;
    assert_eq!(lake.head(&["lithify/p"]).await.expect("head").expect("a table").txns["lithify/p"], 3);
    assert!(folder.delta().head(&[]).await.is_err());
}

#[tokio::test]
async fn damage_is_named() {
    let (folder, lake) = table(4).await;
    let cut = folder.log(&commit_name(2));
    let whole = fs::read(&cut).expect("read");
    fs::write(&cut, &whole[..whole.len() / 2]).expect("written");
    assert!(unreadable(&folder).await.contains("00000000000000000002.json is damaged (line "));
    assert!(matches!(lake.read_commit(2).await, Err(LakeError::Unreadable { .. })));
    fs::write(&cut, "").expect("written");
    assert!(unreadable(&folder).await.contains("00000000000000000002.json is damaged (it holds no action)"));
    fs::remove_file(&cut).expect("removed");
    assert!(unreadable(&folder).await.contains("00000000000000000002.json is missing"));
    fs::write(&cut, &whole).expect("written");
    fs::remove_file(folder.log(&commit_name(0))).expect("removed");
    assert!(unreadable(&folder).await.contains("00000000000000000000.json is missing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_checkpoints_are_named() {
    let (folder, lake) = table(3).await;
    lake.checkpoint(2).await.expect("a checkpoint");
    let checkpoint = folder.log(&checkpoint_name(2));
    let whole = fs::read(&checkpoint).expect("read");
    fs::write(&checkpoint, &whole[..whole.len() / 2]).expect("written");
    assert!(unreadable(&folder).await.contains("00000000000000000002.checkpoint.parquet is damaged"));
    fs::remove_file(&checkpoint).expect("removed");
    for version in 0..3 {
        fs::remove_file(folder.log(&commit_name(version))).expect("removed");
    }
    assert!(unreadable(&folder).await.contains("_last_checkpoint"));
}

#[tokio::test]
async fn what_others_say_of_the_table_is_kept() {
    let (folder, lake) = table(1).await;
    let mut theirs = folder.actions(0)[2].clone();
    theirs["metaData"]["name"] = json!("orders");
    theirs["metaData"]["description"] = json!("of all shops");
    theirs["metaData"]["schemaString"] =
        json!(r#"{"type":"struct","fields":[{"name":"x","type":"string","nullable":true,"metadata":{"width":12}}]}"#);
    folder.foreign(1, &[theirs, json!({"remove": {"path": "f0", "dataChange": true, "deletionTimestamp": 1}})]);
    assert_eq!(lake.live_files().await.expect("files"), []);
    assert_eq!(lake.read_commit(1).await.expect("read").map(|commit| commit.changes_table), Some(true));
    // A caller grows the schema that it read, with what Arrow made of the metadata: there a number is text.
    let head = lake.head(&[]).await.expect("head").expect("a table");
    let mut fields = head.schema.fields().to_vec();
    assert_eq!(fields[0].metadata()["width"], "12");
    fields.push(Arc::new(Field::new("y", DataType::Int64, true)));
    let mut wider = metadata(&[], &[]);
    wider.schema = Arc::new(Schema::new(fields));
    land(&lake, 2, &commit("lithify/p", 5, Some(wider), vec![])).await;
    let ours = &folder.actions(2)[1]["metaData"];
    assert_eq!((ours["name"].as_str(), ours["description"].as_str()), (Some("orders"), Some("of all shops")));
    let schema: Value = serde_json::from_str(ours["schemaString"].as_str().expect("text")).expect("JSON");
    assert_eq!(schema["fields"][0]["metadata"], json!({"width": 12}));
    assert_eq!(schema["fields"][1]["type"], "long");
}

#[tokio::test]
async fn tables_that_are_beyond_us_are_read_and_refused() {
    let (folder, lake) = table(1).await;
    let protocol = json!({"protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": [], "writerFeatures": ["rowTracking", "domainMetadata"],
    }});
    folder.foreign(1, &[protocol, json!({"txn": {"appId": "lithify/p", "version": 41}})]);
    let head = lake.head(&["lithify/p"]).await.expect("head").expect("a table");
    assert!(head.refusal.is_some_and(|reason| reason.contains("rowTracking")));
    assert_eq!((head.version, head.txns["lithify/p"]), (1, 41));
    let answer = lake.commit(2, &commit("lithify/p", 42, None, vec![])).await;
    assert!(matches!(answer, Err(LakeError::Unwritable { .. })), "{answer:?}");
    assert!(!folder.log(&commit_name(2)).exists());
}

#[tokio::test]
async fn a_table_made_anew_is_noticed() {
    let (folder, lake) = table(3).await;
    assert_eq!(lake.head(&["lithify/p"]).await.expect("head").expect("a table").txns["lithify/p"], 2);
    fs::remove_dir_all(folder.table()).expect("removed");
    assert!(lake.head(&[]).await.expect("head").is_none());
    let other = folder.delta();
    for version in 0..3 {
        let made = (version == 0).then(|| metadata(&["x", "other"], &[]));
        land(&other, version, &commit("lithify/other", version, made, vec![])).await;
    }
    let head = lake.head(&["lithify/p", "lithify/other"]).await.expect("head").expect("a table");
    assert_eq!(head.txns.into_iter().collect::<Vec<_>>(), [("lithify/other".to_owned(), 2)]);
}

#[tokio::test]
async fn a_table_restored_to_an_older_version_is_noticed() {
    let (folder, lake) = table(4).await;
    assert_eq!(lake.head(&[]).await.expect("head").expect("a table").version, 3);
    fs::remove_file(folder.log(&commit_name(3))).expect("removed");
    fs::remove_file(folder.log(&commit_name(2))).expect("removed");
    let head = lake.head(&["lithify/p"]).await.expect("head").expect("a table");
    assert_eq!((head.version, head.txns["lithify/p"]), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_below_a_cleaned_log_is_no_commit() {
    let (folder, lake) = table(6).await;
    let late = commit("lithify/late", 50, None, vec![file("late", 1)]);
    assert!(lake.log.goes_through(5, &late).expect("read"), "nothing is above it");
    lake.checkpoint(5).await.expect("a checkpoint");
    // As a writer that slept through all of it would leave it: its name was free.
    for version in 0..=5 {
        fs::remove_file(folder.log(&commit_name(version))).expect("removed");
    }
    let body = actions::encode(3, &late, None).expect("encoded");
    assert_eq!(lake.log.files.put_if_absent(&commit_name(3), &body).expect("put"), Put::Done);
    assert!(!lake.log.goes_through(3, &late).expect("read"));
    // A higher number of the same application may stand above it or instead of it.
    for (version, txn) in [(3, 4), (5, 4)] {
        let unsure = lake.log.goes_through(version, &commit("lithify/p", txn, None, vec![])).expect_err("not told");
        assert!(
            matches!(unsure, LakeError::Passing { .. }) && unsure.to_string().contains("is at number 5"),
            "{unsure}"
        );
    }
    assert!(!lake.log.goes_through(3, &commit("lithify/p", 6, None, vec![])).expect("read"));
    // And one whose version somebody checkpointed at once.
    assert!(lake.log.goes_through(5, &commit("lithify/p", 5, None, vec![])).expect("read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_writer_left_is_passed_over_and_swept() {
    let (folder, lake) = table(2).await;
    let (old, young) =
        (folder.log(".00000000000000000001.json.1.0.tmp"), folder.log(".00000000000000000002.json.1.0.tmp"));
    for left in [&old, &young] {
        fs::write(left, "{\"add\":{").expect("written");
    }
    assert_eq!(folder.delta().head(&[]).await.expect("head").expect("a table").version, 1);
    assert_eq!(folder.delta().live_files().await.expect("files").len(), 2);
    lake.checkpoint(1).await.expect("a checkpoint");
    assert!(!old.exists() && young.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_deletion_vector_marks_are_not_counted() {
    let (folder, lake) = table(1).await;
    let protocol = json!({"protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"],
    }});
    let vector = json!({"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 1, "sizeInBytes": 36, "cardinality": 4});
    folder.foreign(
        1,
        &[
            protocol,
            json!({"add": {
                "path": "marked", "partitionValues": {}, "size": 9, "modificationTime": 1, "dataChange": true,
                "stats": "{\"numRecords\":10}", "deletionVector": vector,
            }}),
        ],
    );
    let files = sorted_files(&lake).await;
    assert_eq!((files[1].path.as_str(), files[1].size, files[1].rows), ("marked", 9, Some(6)));
    assert_eq!((&files[0].deletion_vector, files[1].deletion_vector.is_some()), (&None, true));
    assert_eq!(lake.head(&[]).await.expect("head").expect("a table").refusal, None);
    land(&lake, 2, &commit("lithify/p", 7, None, vec![file("more", 1)])).await;
    lake.checkpoint(2).await.expect("a checkpoint");
    assert_eq!(sorted_files(&folder.delta()).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_of_the_second_kind_are_written_and_read() {
    let (folder, lake) = table(1).await;
    let protocol = json!({"protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": ["v2Checkpoint"], "writerFeatures": ["v2Checkpoint"],
    }});
    folder.foreign(1, std::slice::from_ref(&protocol));
    land(&lake, 2, &commit("lithify/p", 7, None, vec![file("f2", 1)])).await;
    let before = sorted_files(&lake).await;
    lake.checkpoint(2).await.expect("a checkpoint");
    let metadata = folder.actions(0)[2].clone();
    for version in 0..=2 {
        fs::remove_file(folder.log(&commit_name(version))).expect("removed");
    }
    let same = async || {
        let lake = folder.delta();
        assert_eq!(lake.head(&["lithify/p"]).await.expect("head").expect("a table").txns["lithify/p"], 7);
        assert_eq!(sorted_files(&lake).await, before);
    };
    same().await;
    // The same, as another writer would put it.
    fs::remove_file(folder.log(&checkpoint_name(2))).expect("removed");
    fs::remove_file(folder.log(LAST_CHECKPOINT)).expect("removed");
    let written = file("f0", 0).modified.milliseconds();
    let add = |path: &str, rows: u64| {
        let stats = format!("{{\"numRecords\":{rows}}}");
        json!({"add": {"path": path, "partitionValues": {}, "size": 100 + rows, "modificationTime": written, "dataChange": false, "stats": stats}})
    };
    let actions = [
        json!({"checkpointMetadata": {"version": 2}}),
        protocol,
        metadata,
        json!({"txn": {"appId": "lithify/p", "version": 7}}),
        add("f0", 0),
        add("f2", 1),
    ];
    let lines: String = actions.iter().map(|action| format!("{action}\n")).collect();
    let name = "00000000000000000002.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json";
    fs::write(folder.log(name), lines).expect("written");
    same().await;
}
