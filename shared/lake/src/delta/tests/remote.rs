//! Logs whose listings cost by the name: what is known saves looking, and nothing is overlooked for it. Whoever writes to one may sleep in between.

use std::fmt;
use std::sync::Mutex;

use super::*;
use crate::files::{Names, Stamp};

/// A local log that tells no more than it was asked for, as a bucket does, and notes what that was.
#[derive(Debug)]
struct Remote {
    files: LocalLog,
    asked: Arc<Mutex<Vec<String>>>,
    before_put: Mutex<Option<Meanwhile>>,
    /// What is read as what.
    bends: Option<(&'static str, &'static str)>,
}

/// What others do meanwhile.
struct Meanwhile(Box<dyn FnOnce() + Send>);

impl fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meanwhile")
    }
}

impl Remote {
    fn ask(&self, what: String) {
        self.asked.lock().expect("no panic").push(what);
    }
}

impl LogFiles for Remote {
    fn is_remote(&self) -> bool {
        true
    }

    fn names(&self, from: u64) -> io::Result<Names> {
        self.ask(format!("list {from}"));
        let mut files = self.files.names(0)?.files;
        files.retain(|file| file.name.starts_with('_') || file.name >= format!("{from:020}"));
        for file in &mut files {
            file.stamp = self.files.stamp(&file.name)?;
        }
        Ok(Names { files, from })
    }

    fn stamp(&self, name: &str) -> io::Result<Option<Stamp>> {
        self.ask(format!("stamp {name}"));
        self.files.stamp(name)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.ask(format!("read {name}"));
        let body = self.files.read(name)?;
        let Some((what, other)) = self.bends else { return Ok(body) };
        Ok(String::from_utf8_lossy(&body).replace(what, other).into_bytes())
    }

    fn flush(&self, names: &[String]) -> io::Result<()> {
        self.files.flush(names)
    }

    fn prepare(&self) -> io::Result<()> {
        self.files.prepare()
    }

    fn put_if_absent(&self, name: &str, body: &[u8]) -> io::Result<Put> {
        let before = self.before_put.lock().expect("no panic").take();
        if let Some(Meanwhile(others)) = before {
            others();
        }
        self.files.put_if_absent(name, body)
    }

    fn replace(&self, name: &str, body: &[u8]) -> io::Result<()> {
        self.files.replace(name, body)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }

    fn sweep(&self, newest: u64) -> io::Result<()> {
        self.files.sweep(newest)
    }

    fn object_store(&self) -> io::Result<Arc<dyn object_store::ObjectStore>> {
        self.files.object_store()
    }
}

type Asked = Arc<Mutex<Vec<String>>>;

/// A handle that knows nothing yet, and what it asks.
fn remote(folder: &Folder) -> (DeltaLake, Asked) {
    remote_with(folder, None)
}

/// The same, with what others do before its first put.
fn remote_with(folder: &Folder, before_put: Option<Meanwhile>) -> (DeltaLake, Asked) {
    let asked = Asked::default();
    let (files, before_put) = (LocalLog::new(folder.table()), Mutex::new(before_put));
    (lake_of(Remote { files, asked: asked.clone(), before_put, bends: None }), asked)
}

fn lake_of(files: Remote) -> DeltaLake {
    let files = Box::new(files);
    DeltaLake { log: Arc::new(Log { table: "remote".to_owned(), files, known: Mutex::new(None) }) }
}

fn take(asked: &Asked) -> Vec<String> {
    std::mem::take(&mut *asked.lock().expect("no panic"))
}

async fn version(lake: &DeltaLake) -> Option<u64> {
    lake.head(&[]).await.expect("head").map(|head| head.version)
}

struct RemoteFolder(Folder);

impl Place for RemoteFolder {
    fn open(&self) -> Arc<dyn Lake> {
        Arc::new(remote(&self.0).0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms_where_listings_are_partial() {
    conformance::all(|| RemoteFolder(Folder::new())).await;
}

/// Readers take a checkpoint in the place of the commits: who makes it and who reads these must have seen the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_says_what_the_commits_do_not_is_not_written() {
    let (folder, local) = table(3).await;
    let bends = Some((r#""appId":"lithify/p","version":2"#, r#""appId":"lithify/p","version":7"#));
    let files = LocalLog::new(folder.table());
    let lake = lake_of(Remote { files, asked: Asked::default(), before_put: Mutex::default(), bends });
    let txns = lake.head(&["lithify/p"]).await.expect("head").expect("a table").txns;
    assert_eq!(txns["lithify/p"], 7, "the text that is bent is there");
    let told = lake.checkpoint(2).await.expect_err("it is refused").to_string();
    assert!(told.contains("would not say what the commits say"), "{told}");
    assert!(!folder.log(&checkpoint_name(2)).exists());
    local.checkpoint(2).await.expect("a checkpoint");
    assert!(folder.log(&checkpoint_name(2)).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_looked_from_what_is_known() {
    let (folder, local) = table(12).await;
    local.checkpoint(9).await.expect("a checkpoint");
    let (lake, asked) = remote(&folder);
    assert_eq!(version(&lake).await, Some(11));
    let names = [checkpoint_name(9), commit_name(10), commit_name(11)].map(|name| format!("read {name}"));
    let expected = [vec!["read _last_checkpoint".to_owned(), "list 9".to_owned()], names.to_vec()].concat();
    assert_eq!(take(&asked), expected);
    assert_eq!(version(&lake).await, Some(11));
    assert_eq!(take(&asked), ["list 11"]);
    land(&local, 12, &commit("lithify/p", 12, None, vec![])).await;
    assert_eq!(version(&lake).await, Some(12));
    assert_eq!(take(&asked), ["list 11".to_owned(), format!("read {}", commit_name(12))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_may_be_cleaned_up() {
    // With the commit that is known, and with those that come after it alone.
    for first in [0, 5] {
        let (folder, local) = table(5).await;
        let (lake, asked) = remote(&folder);
        assert_eq!(version(&lake).await, Some(4));
        for version in 5..9 {
            land(&local, version, &commit("lithify/p", version, None, vec![])).await;
        }
        local.checkpoint(7).await.expect("a checkpoint");
        for version in first..=7 {
            fs::remove_file(folder.log(&commit_name(version))).expect("removed");
        }
        take(&asked);
        let head = lake.head(&["lithify/p"]).await.expect("head").expect("a table");
        assert_eq!((head.version, head.txns["lithify/p"]), (8, 8));
        assert_eq!(take(&asked).iter().filter(|asked| asked.starts_with("list")).count(), 1);
        let late = lake.commit(3, &commit("lithify/p", 99, None, vec![])).await;
        assert_eq!(late.expect("commit"), CommitOutcome::Taken);
        assert_eq!(lake.read_commit(3).await.is_err(), first == 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_were_restored_made_anew_or_deleted_are_noticed() {
    let (folder, local) = table(8).await;
    local.checkpoint(6).await.expect("a checkpoint");
    let (lake, _) = remote(&folder);
    assert_eq!(version(&lake).await, Some(7));
    // To an older version, the hint left as it was.
    for name in [commit_name(7), commit_name(6), commit_name(5), checkpoint_name(6)] {
        fs::remove_file(folder.log(&name)).expect("removed");
    }
    for lake in [&lake, &remote(&folder).0] {
        let head = lake.head(&["lithify/p"]).await.expect("head").expect("a table");
        assert_eq!((head.version, head.txns["lithify/p"]), (4, 4));
    }
    // Made anew, and longer than it was.
    fs::remove_dir_all(folder.table()).expect("removed");
    assert_eq!(version(&lake).await, None);
    for version in 0..6 {
        let made = (version == 0).then(|| metadata(&["x", "other"], &[]));
        land(&local, version, &commit("lithify/other", version, made, vec![])).await;
    }
    let head = lake.head(&["lithify/p", "lithify/other"]).await.expect("head").expect("a table");
    assert_eq!(head.txns.into_iter().collect::<Vec<_>>(), [("lithify/other".to_owned(), 5)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_exchanged_under_the_same_versions_is_noticed() {
    let (folder, _) = table(3).await;
    let (lake, _) = remote(&folder);
    assert_eq!(version(&lake).await, Some(2));
    fs::remove_dir_all(folder.table()).expect("removed");
    let other = folder.delta();
    for version in 0..5 {
        let made = (version == 0).then(|| metadata(&["x", "other"], &[]));
        land(&other, version, &commit("lithify/other", version, made, vec![])).await;
    }
    let head = lake.head(&["lithify/p", "lithify/other"]).await.expect("head").expect("a table");
    assert_eq!(head.txns.into_iter().collect::<Vec<_>>(), [("lithify/other".to_owned(), 4)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_that_is_wrong_costs_a_listing_and_nothing_else() {
    let (folder, local) = table(8).await;
    local.checkpoint(4).await.expect("a checkpoint");
    for hint in ["{\"version\":7}", "{\"version\":5000}", "{\"version\":1}", "no hint"] {
        fs::write(folder.log(LAST_CHECKPOINT), hint).expect("written");
        let (lake, asked) = remote(&folder);
        let head = lake.head(&["lithify/p"]).await.expect("head").expect("a table");
        assert_eq!((head.version, head.txns["lithify/p"]), (7, 7), "{hint}");
        assert!(take(&asked).iter().filter(|asked| asked.starts_with("list")).count() <= 2, "{hint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_who_slept_until_the_log_was_cleaned_up_beyond_it_is_no_commit() {
    let (folder, others) = table(3).await;
    let log = folder.log("");
    let meanwhile = Meanwhile(Box::new(move || {
        for version in 3..=6 {
            let made = commit("lithify/p", version, None, vec![file(&format!("{version}"), 1)]);
            assert_eq!(others.log.commit(version, &made).expect("a commit"), CommitOutcome::Landed);
        }
        others.log.checkpoint(6).expect("a checkpoint");
        for version in 0..=6 {
            fs::remove_file(log.join(commit_name(version))).expect("removed");
        }
    }));
    let (lake, _) = remote_with(&folder, Some(meanwhile));
    let late = commit("lithify/late", 50, None, vec![file("late", 1)]);
    assert_eq!(lake.commit(3, &late).await.expect("a commit"), CommitOutcome::Taken);
    // Nothing of it is left for whoever reads the log from its version on.
    assert!(!folder.log(&commit_name(3)).exists());
    assert_eq!(version(&lake).await, Some(6));
    assert!(lake.live_files().await.expect("files").iter().all(|file| file.path != "late"));
}
