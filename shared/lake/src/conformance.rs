//! What every [`Lake`] must do: one suite for the log on disk, its double in memory, and stores to come.
//!
//! Each function takes a table that does not exist yet. They panic where the promise is broken, as tests do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, TimeUnit};
use drops::Timestamp;

use crate::{
    AddFile, Commit, CommitOutcome, CommitSummary, Head, Lake, LakeError, LiveFile, RemoveFile, TableMetadata,
};

/// A table that a test has to itself.
pub trait Place {
    /// A handle on the table that knows nothing yet, as another process would have one.
    fn open(&self) -> Arc<dyn Lake>;
}

/// The whole suite, each part on a table of its own.
pub async fn all<P: Place>(make: impl Fn() -> P) {
    nothing_is_there(&make()).await;
    a_table_is_made(&make()).await;
    txns_are_told_apart(&make()).await;
    a_version_is_taken_once(&make()).await;
    a_log_has_no_gap(&make()).await;
    commits_are_read_back(&make()).await;
    a_schema_grows(&make()).await;
    bad_commits_write_nothing(&make()).await;
    one_of_many_writers_lands(&make()).await;
    odd_paths_survive(&make()).await;
    partition_values_may_be_null(&make()).await;
    a_checkpoint_changes_nothing(&make()).await;
    files_are_rewritten(&make()).await;
    bad_rewrites_write_nothing(&make()).await;
}

/// Metadata of the suite's table: these columns, all of text, of which some partition.
pub fn metadata(columns: &[&str], partition_columns: &[&str]) -> TableMetadata {
    let fields: Vec<Field> = columns.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
    TableMetadata {
        id: "5fba94ed-9794-4965-ba6e-6ee3c0d22af9".to_owned(),
        schema: Arc::new(Schema::new(fields)),
        partition_columns: partition_columns.iter().map(|name| (*name).to_owned()).collect(),
        configuration: BTreeMap::from([("lithify.test".to_owned(), "yes".to_owned())]),
        created: Timestamp(1_700_000_000_000_000),
    }
}

/// A file of an unpartitioned table with so many rows.
pub fn file(path: &str, rows: u64) -> AddFile {
    AddFile {
        path: path.to_owned(),
        partition_values: BTreeMap::new(),
        size: 100 + rows,
        modified: Timestamp(1_700_000_000_000_000),
        stats: format!(r#"{{"numRecords":{rows}}}"#),
    }
}

/// A commit of the suite.
pub fn commit(app_id: &str, txn: u64, metadata: Option<TableMetadata>, adds: Vec<AddFile>) -> Commit {
    Commit {
        app_id: app_id.to_owned(),
        txn,
        metadata,
        adds,
        removes: Vec::new(),
        operation: "WRITE",
        info: BTreeMap::from([("drops".to_owned(), serde_json::json!(3))]),
        at: Timestamp(1_700_000_001_000_000),
    }
}

async fn head(lake: &dyn Lake, app_ids: &[&str]) -> Head {
    lake.head(app_ids).await.expect("the log is read").expect("a table")
}

async fn land(lake: &dyn Lake, version: u64, commit: &Commit) {
    assert_eq!(lake.commit(version, commit).await.expect("a commit"), CommitOutcome::Landed, "version {version}");
}

/// The live files as path and rows, sorted.
async fn live(lake: &dyn Lake) -> Vec<(String, Option<u64>)> {
    let mut files: Vec<_> =
        lake.live_files().await.expect("the files are listed").into_iter().map(|file| (file.path, file.rows)).collect();
    files.sort();
    files
}

/// Reading a table that does not exist tells so, and makes nothing.
pub async fn nothing_is_there(place: &impl Place) {
    for _ in 0..2 {
        let lake = place.open();
        assert!(lake.head(&["a"]).await.expect("head").is_none());
        assert!(lake.app_ids("").await.expect("app ids").is_empty());
        assert!(lake.read_commit(0).await.expect("read").is_none());
        assert!(lake.live_files().await.expect("files").is_empty());
    }
}

/// Version 0 makes the table with exactly what it was told.
pub async fn a_table_is_made(place: &impl Place) {
    let lake = place.open();
    let mut made = metadata(&["name"], &[]);
    let nested = DataType::Struct(vec![Field::new("x", DataType::Float64, true)].into());
    made.schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true)
            .with_metadata([("lithify.sourceName".to_owned(), "an id".to_owned())].into()),
        Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("points", DataType::List(Arc::new(Field::new("element", nested, true))), true),
    ]));
    land(lake.as_ref(), 0, &commit("lithify/p", 7, Some(made.clone()), vec![file("a.parquet", 2)])).await;
    for lake in [lake, place.open()] {
        let head = head(lake.as_ref(), &["lithify/p", "lithify/q"]).await;
        assert_eq!(head.version, 0);
        assert_eq!(head.table_id, made.id);
        assert_eq!(head.schema, made.schema);
        assert_eq!(head.configuration, made.configuration);
        assert_eq!(head.partition_columns, made.partition_columns);
        assert_eq!(head.txns, BTreeMap::from([("lithify/p".to_owned(), 7)]));
        assert_eq!(head.refusal, None);
        assert_eq!(live(lake.as_ref()).await, [("a.parquet".to_owned(), Some(2))]);
    }
}

/// Each application's newest `txn` is told, in the log's order, and only of those that were asked for.
pub async fn txns_are_told_apart(place: &impl Place) {
    let lake = place.open();
    land(lake.as_ref(), 0, &commit("lithify/p", 1, Some(metadata(&["x"], &[])), vec![])).await;
    land(lake.as_ref(), 1, &commit("lithify/q", 9, None, vec![])).await;
    land(lake.as_ref(), 2, &commit("lithify/p", 4, None, vec![])).await;
    land(lake.as_ref(), 3, &commit("other", 2, None, vec![])).await;
    for lake in [lake, place.open()] {
        assert_eq!(head(lake.as_ref(), &["lithify/p", "x"]).await.txns, BTreeMap::from([("lithify/p".to_owned(), 4)]));
        assert_eq!(head(lake.as_ref(), &[]).await.txns, BTreeMap::new());
        let mut ids = lake.app_ids("lithify/").await.expect("app ids");
        ids.sort();
        assert_eq!(ids, ["lithify/p", "lithify/q"]);
        assert!(lake.app_ids("none").await.expect("app ids").is_empty());
    }
}

/// What stands at a version stays, and later handles see it.
pub async fn a_version_is_taken_once(place: &impl Place) {
    let (lake, other) = (place.open(), place.open());
    let made = commit("a", 1, Some(metadata(&["x"], &[])), vec![]);
    land(lake.as_ref(), 0, &made).await;
    assert_eq!(other.commit(0, &made).await.expect("commit"), CommitOutcome::Taken);
    land(other.as_ref(), 1, &commit("a", 2, None, vec![file("theirs", 1)])).await;
    // The first handle has not looked since.
    let late = commit("a", 2, None, vec![file("ours", 1)]);
    assert_eq!(lake.commit(1, &late).await.expect("commit"), CommitOutcome::Taken);
    // The very same commit once more, as after a lost answer.
    let again = commit("a", 2, None, vec![file("theirs", 1)]);
    assert_eq!(other.commit(1, &again).await.expect("commit"), CommitOutcome::Taken);
    assert_eq!(live(lake.as_ref()).await, [("theirs".to_owned(), Some(1))]);
    assert_eq!(head(lake.as_ref(), &[]).await.version, 1);
}

/// A commit beyond the next version, or without a table, is refused.
pub async fn a_log_has_no_gap(place: &impl Place) {
    let lake = place.open();
    let made = commit("a", 1, Some(metadata(&["x"], &[])), vec![]);
    assert!(matches!(lake.commit(1, &made).await, Err(LakeError::Unwritable { version: 1, .. })));
    land(lake.as_ref(), 0, &made).await;
    assert!(matches!(
        lake.commit(2, &commit("a", 2, None, vec![])).await,
        Err(LakeError::Unwritable { version: 2, .. })
    ));
    assert_eq!(head(lake.as_ref(), &[]).await.version, 0);
    assert_eq!(lake.read_commit(2).await.expect("read"), None);
}

/// A commit says whose it is and whether it changed the table.
pub async fn commits_are_read_back(place: &impl Place) {
    let lake = place.open();
    land(lake.as_ref(), 0, &commit("lithify/p", 3, Some(metadata(&["x"], &[])), vec![])).await;
    land(lake.as_ref(), 1, &commit("lithify/q", 8, None, vec![file("f g", 1)])).await;
    for lake in [lake, place.open()] {
        let summary = |version, app_id: &str, txn, changes_table, files: &[&str]| CommitSummary {
            version,
            txns: BTreeMap::from([(app_id.to_owned(), txn)]),
            changes_table,
            files: files.iter().map(|path| (*path).to_owned()).collect(),
        };
        assert_eq!(lake.read_commit(0).await.expect("read"), Some(summary(0, "lithify/p", 3, true, &[])));
        assert_eq!(lake.read_commit(1).await.expect("read"), Some(summary(1, "lithify/q", 8, false, &["f g"])));
        assert_eq!(lake.read_commit(2).await.expect("read"), None);
    }
}

/// Metadata in a commit replaces the table's, and only then.
pub async fn a_schema_grows(place: &impl Place) {
    let (lake, other) = (place.open(), place.open());
    land(lake.as_ref(), 0, &commit("a", 1, Some(metadata(&["x"], &[])), vec![file("one", 1)])).await;
    assert_eq!(head(other.as_ref(), &[]).await.schema.fields().len(), 1);
    land(lake.as_ref(), 1, &commit("a", 2, Some(metadata(&["x", "y"], &[])), vec![file("two", 1)])).await;
    land(lake.as_ref(), 2, &commit("a", 3, None, vec![file("three", 1)])).await;
    for lake in [lake, other, place.open()] {
        let head = head(lake.as_ref(), &["a"]).await;
        let names: Vec<_> = head.schema.fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["x", "y"]);
        assert_eq!((head.version, head.txns.get("a")), (2, Some(&3)));
        assert_eq!(lake.read_commit(1).await.expect("read").map(|commit| commit.changes_table), Some(true));
        assert_eq!(live(lake.as_ref()).await.len(), 3);
    }
}

/// What a table cannot hold is told before anything is written.
pub async fn bad_commits_write_nothing(place: &impl Place) {
    let lake = place.open();
    let refused = async |version: u64, bad: Commit| {
        let answer = lake.commit(version, &bad).await;
        assert!(matches!(answer, Err(LakeError::Unwritable { .. })), "{bad:?}: {answer:?}");
    };
    refused(0, commit("a", 1, None, vec![])).await;
    let mut unsigned = metadata(&["x"], &[]);
    unsigned.schema = Arc::new(Schema::new(vec![Field::new("x", DataType::UInt64, true)]));
    refused(0, commit("a", 1, Some(unsigned), vec![])).await;
    refused(0, commit("a", 1, Some(metadata(&["x"], &["y"])), vec![])).await;
    refused(0, commit("a", u64::MAX, Some(metadata(&["x"], &[])), vec![])).await;
    assert!(lake.head(&[]).await.expect("head").is_none());

    land(lake.as_ref(), 0, &commit("a", 1, Some(metadata(&["x", "y"], &["y"])), vec![])).await;
    refused(1, commit("a", 2, None, vec![file("no value for y", 1)])).await;
    let with_y = |path: &str| AddFile { partition_values: [("y".to_owned(), None)].into(), ..file(path, 1) };
    refused(1, commit("a", 2, None, vec![with_y("twice"), with_y("twice")])).await;
    refused(1, commit("a", 2, None, vec![with_y("/absolute")])).await;
    for others in [&["z"][..], &["y", "z"]] {
        let partition_values = others.iter().map(|name| ((*name).to_owned(), None)).collect();
        refused(1, commit("a", 2, None, vec![AddFile { partition_values, ..file("values of others", 1) }])).await;
    }
    refused(1, commit("a", 2, Some(metadata(&["x", "y"], &[])), vec![])).await;
    refused(
        1,
        commit("a", 2, Some(TableMetadata { id: "another".to_owned(), ..metadata(&["x", "y"], &["y"]) }), vec![]),
    )
    .await;
    let mut reserved = commit("a", 2, None, vec![]);
    reserved.info.insert("operation".to_owned(), serde_json::json!("mine"));
    refused(1, reserved).await;
    assert_eq!(head(lake.as_ref(), &["a"]).await.version, 0);
}

/// Of writers of one version exactly one lands, and its files are the table's.
pub async fn one_of_many_writers_lands(place: &impl Place) {
    land(place.open().as_ref(), 0, &commit("a", 1, Some(metadata(&["x"], &[])), vec![])).await;
    for version in 1..6 {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let lake = place.open();
                let app_id = format!("writer {writer}");
                let commit = commit(&app_id, version, None, vec![file(&format!("{version}/{writer}"), writer)]);
                tokio::spawn(async move { (writer, lake.commit(version, &commit).await.expect("a commit")) })
            })
            .collect();
        let mut landed = Vec::new();
        for writer in writers {
            match writer.await.expect("no panic") {
                (writer, CommitOutcome::Landed) => landed.push(writer),
                (_, CommitOutcome::Taken) => {}
            }
        }
        assert_eq!(landed.len(), 1, "version {version}");
        let lake = place.open();
        let stands = lake.read_commit(version).await.expect("read").expect("a commit");
        assert_eq!(stands.txns, BTreeMap::from([(format!("writer {}", landed[0]), version)]));
        assert!(live(lake.as_ref()).await.contains(&(format!("{version}/{}", landed[0]), Some(landed[0]))));
        assert_eq!(live(lake.as_ref()).await.len() as u64, version);
    }
}

/// Paths that a URI would bend come back as they were.
pub async fn odd_paths_survive(place: &impl Place) {
    let mut odd = [
        "day=2024-01-01 10%3A00%3A00/part 1.parquet",
        "a:b/c.parquet",
        "ünï/日本=語/ö.parquet",
        "plus+and&?#[]{}|^~`'\"<>.parquet",
        "100%.parquet",
        "%41.parquet",
        "A.parquet",
        "..hidden/.x.parquet",
    ];
    odd.sort_unstable();
    let lake = place.open();
    let files = odd.iter().map(|path| file(path, 1)).collect();
    land(lake.as_ref(), 0, &commit("a", 1, Some(metadata(&["x"], &[])), files)).await;
    let expected: Vec<_> = odd.iter().map(|path| ((*path).to_owned(), Some(1))).collect();
    assert_eq!(live(lake.as_ref()).await, expected);
    lake.checkpoint(0).await.expect("a checkpoint");
    assert_eq!(live(place.open().as_ref()).await, expected);
}

/// Partition values may be null, and hold anything.
pub async fn partition_values_may_be_null(place: &impl Place) {
    let lake = place.open();
    let value = |path: &str, value: Option<&str>| AddFile {
        partition_values: BTreeMap::from([("day".to_owned(), value.map(str::to_owned))]),
        ..file(path, 1)
    };
    let files = vec![
        value("day=__HIVE_DEFAULT_PARTITION__/a", None),
        value("day=x%2Fy/b", Some("x/y")),
        value("c", Some("\"\n")),
    ];
    land(lake.as_ref(), 0, &commit("a", 1, Some(metadata(&["x", "day"], &["day"])), files)).await;
    for lake in [lake, place.open()] {
        assert_eq!(head(lake.as_ref(), &[]).await.partition_columns, ["day"]);
        assert_eq!(live(lake.as_ref()).await.len(), 3);
    }
}

/// A checkpoint makes reading cheaper and says what the commits said, wherever it stands.
pub async fn a_checkpoint_changes_nothing(place: &impl Place) {
    let lake = place.open();
    land(lake.as_ref(), 0, &commit("lithify/p", 1, Some(metadata(&["x"], &[])), vec![file("0", 0)])).await;
    for version in 1..=7 {
        let app_id = if version % 2 == 0 { "lithify/p" } else { "lithify/q" };
        let metadata = (version == 3).then(|| metadata(&["x", "y"], &[]));
        land(
            lake.as_ref(),
            version,
            &commit(app_id, 10 + version, metadata, vec![file(&version.to_string(), version)]),
        )
        .await;
        if version == 4 {
            lake.checkpoint(version).await.expect("a checkpoint");
        }
    }
    // Of a version in the middle, and once more.
    lake.checkpoint(5).await.expect("a checkpoint");
    lake.checkpoint(5).await.expect("a checkpoint that stands");
    for lake in [lake.clone(), place.open()] {
        let head = head(lake.as_ref(), &["lithify/p", "lithify/q"]).await;
        assert_eq!((head.version, head.schema.fields().len()), (7, 2));
        let txns = [("lithify/p".to_owned(), 16), ("lithify/q".to_owned(), 17)];
        assert_eq!(head.txns, BTreeMap::from(txns));
        let files: Vec<_> = (0..=7).map(|version: u64| (version.to_string(), Some(version))).collect();
        assert_eq!(live(lake.as_ref()).await, files);
        assert_eq!(lake.app_ids("lithify/").await.expect("app ids").len(), 2);
    }
    assert!(lake.checkpoint(8).await.is_err(), "no such version");
    land(lake.as_ref(), 8, &commit("lithify/p", 20, None, vec![])).await;
    assert_eq!(head(place.open().as_ref(), &["lithify/p"]).await.txns.get("lithify/p"), Some(&20));
}

/// The removal of a live file.
pub fn removal(file: &LiveFile) -> RemoveFile {
    RemoveFile { spelled: file.spelled.clone(), partition_values: file.partition_values.clone(), size: file.size }
}

/// The files of a version below a size, by path.
async fn small(lake: &dyn Lake, version: u64, below: u64) -> Vec<LiveFile> {
    let mut files = lake.small_files(version, below).await.expect("the files are listed");
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Files leave for files that hold their rows, whatever their names, and older versions keep them.
pub async fn files_are_rewritten(place: &impl Place) {
    let lake = place.open();
    let odd = "day=2024-01-01 10%3A00/pärt #1.parquet";
    let placed = |path: &str, rows| AddFile {
        partition_values: BTreeMap::from([("day".to_owned(), (path != "none").then(|| "2024-01-01 10:00".to_owned()))]),
        ..file(path, rows)
    };
    let files = vec![placed(odd, 1), placed("b.parquet", 2), placed("none", 3), placed("large", 900)];
    land(lake.as_ref(), 0, &commit("a", 1, Some(metadata(&["x", "day"], &["day"])), files)).await;
    land(lake.as_ref(), 1, &commit("a", 2, None, vec![placed("later", 4)])).await;

    let before = small(lake.as_ref(), 0, 1_000).await;
    assert_eq!(before.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["b.parquet", odd, "none"]);
    assert_eq!(before[0].partition_values, placed("b.parquet", 2).partition_values);
    assert_eq!(before[2].partition_values["day"], None);
    assert!(before.iter().all(|file| file.deletion_vector.is_none()));
    assert_eq!((before[1].size, before[1].rows, before[1].modified), (101, Some(1), file(odd, 1).modified));
    assert_eq!(small(lake.as_ref(), 1, 102).await.len(), 1, "only {odd}");
    assert_eq!(small(lake.as_ref(), 9, 1_000).await, []);

    let mut rewrite = commit("lithify/#upkeep", 7, None, vec![placed("merged", 3)]);
    rewrite.removes = before[..2].iter().map(removal).collect();
    land(lake.as_ref(), 2, &rewrite).await;
    let expected: Vec<(String, Option<u64>)> = [("large", 900), ("later", 4), ("merged", 3), ("none", 3)]
        .map(|(path, rows)| (path.to_owned(), Some(rows)))
        .into();
    for lake in [lake.clone(), place.open()] {
        assert_eq!(live(lake.as_ref()).await, expected);
        assert_eq!(small(lake.as_ref(), 1, 1_000).await.len(), 4, "an older version keeps its files");
        let summary = lake.read_commit(2).await.expect("read").expect("a commit");
        assert_eq!(summary.files.iter().map(String::as_str).collect::<Vec<_>>(), ["b.parquet", odd, "merged"]);
        assert!(!summary.changes_table);
        assert_eq!(head(lake.as_ref(), &["lithify/#upkeep"]).await.txns["lithify/#upkeep"], 7);
    }
    lake.checkpoint(2).await.expect("a checkpoint");
    assert_eq!(live(place.open().as_ref()).await, expected);
}

/// A rewrite that contradicts itself is refused.
pub async fn bad_rewrites_write_nothing(place: &impl Place) {
    let lake = place.open();
    land(lake.as_ref(), 0, &commit("a", 1, Some(metadata(&["x"], &[])), vec![file("one", 1), file("two", 1)])).await;
    let files = small(lake.as_ref(), 0, 1_000).await;
    let rewrite = |removes: &[&LiveFile], adds: Vec<AddFile>, metadata| Commit {
        removes: removes.iter().map(|file| removal(file)).collect(),
        ..commit("a", 2, metadata, adds)
    };
    for bad in [
        rewrite(&[&files[0], &files[0]], vec![file("new", 2)], None),
        rewrite(&[&files[0]], vec![file("one", 1)], None),
        rewrite(&[&files[0]], vec![file("new", 1)], Some(metadata(&["x", "y"], &[]))),
    ] {
        let answer = lake.commit(1, &bad).await;
        assert!(matches!(answer, Err(LakeError::Unwritable { .. })), "{bad:?}: {answer:?}");
    }
    assert_eq!(live(lake.as_ref()).await.len(), 2);
}
