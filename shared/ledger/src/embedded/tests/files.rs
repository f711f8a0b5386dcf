//! Which files are opened, and what is said of those that are not.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::Path,
    thread,
};

use rusqlite::Connection;
use tempfile::TempDir;

use drops::PipelineName;

use super::{batch, file_in, fresh, open};
use crate::{AbortOutcome, EmbeddedLedger, Ledger, LedgerError};

#[track_caller]
fn assert_says(result: Result<impl Sized, LedgerError>, path: &Path, words: &[&str]) {
    let Err(error) = result else { panic!("no error, expected {words:?}") };
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
    assert!(!error.passing, "{text}");
}

#[tokio::test]
async fn the_first_identity_stays() {
    let folder = TempDir::new().unwrap();
    let path = file_in(&folder);
    assert_eq!(open(&path).identity().await.unwrap(), "ledger-1");
    let again = EmbeddedLedger::open(&path, "ledger-2".to_owned()).unwrap();
    assert_eq!(again.identity().await.unwrap(), "ledger-1");
    assert_eq!(EmbeddedLedger::open_existing(&path).unwrap().identity().await.unwrap(), "ledger-1");
    fs::remove_file(&path).unwrap();
    drop(again);
    fs::remove_file(path.with_extension("db-wal")).ok();
    fs::remove_file(path.with_extension("db-shm")).ok();
    let anew = EmbeddedLedger::open(&path, "ledger-3".to_owned()).unwrap();
    assert_eq!(anew.identity().await.unwrap(), "ledger-3");
    assert!(EmbeddedLedger::open(&folder.path().join("x"), String::new()).is_err());
}

#[tokio::test]
async fn nothing_is_written_into_a_file_that_was_moved_away() {
    let folder = TempDir::new().unwrap();
    let path = file_in(&folder);
    let (ledger, elsewhere) = (open(&path), folder.path().join("elsewhere"));
    let pipeline: PipelineName = "orders".parse().unwrap();
    let write = || ledger.abort(&pipeline, batch(1));
    fs::rename(&path, &elsewhere).unwrap();
    assert_says(write().await, &path, &["moved away", "nothing was written", "put the table's folder back"]);
    fs::write(&path, "").unwrap();
    assert_says(write().await, &path, &["another file took its place"]);
    fs::rename(&elsewhere, &path).unwrap();
    assert_eq!(ledger.batch(batch(1)).await.unwrap(), None);
    assert_eq!(write().await.unwrap(), AbortOutcome::Aborted);
}

#[test]
fn many_can_make_it_at_once_and_agree() {
    for _ in 0..5 {
        let folder = TempDir::new().unwrap();
        let path = file_in(&folder);
        let identities: Vec<String> = thread::scope(|scope| {
            let openers: Vec<_> = (0..8)
                .map(|n| {
                    let path = &path;
                    scope.spawn(move || {
                        let ledger = EmbeddedLedger::open(path, format!("ledger-{n}")).unwrap();
                        ledger.read("read its identity", super::super::schema::identity).unwrap()
                    })
                })
                .collect();
            openers.into_iter().map(|opener| opener.join().unwrap()).collect()
        });
        assert!(identities.iter().all(|identity| *identity == identities[0]), "{identities:?}");
    }
}

#[test]
fn what_is_no_ledger_is_named() {
    let folder = TempDir::new().unwrap();
    let path = file_in(&folder);
    assert_says(EmbeddedLedger::open_existing(&path), &path, &["no such file"]);
    assert_says(EmbeddedLedger::look(&path), &path, &["no such file"]);
    assert!(!path.exists(), "asking makes nothing");
    assert_says(
        EmbeddedLedger::open(&path.join("deeper"), "x".to_owned()),
        &path,
        &["cannot be opened", "folder must exist"],
    );
    assert_says(EmbeddedLedger::open(folder.path(), "x".to_owned()), folder.path(), &["cannot be opened"]);

    fs::write(&path, "").unwrap();
    assert_says(EmbeddedLedger::open_existing(&path), &path, &["empty"]);
    fs::write(&path, "{\"not\": \"a database\"}".repeat(1_000)).unwrap();
    assert_says(EmbeddedLedger::open(&path, "x".to_owned()), &path, &["no ledger"]);
    assert!(fs::read(&path).unwrap().starts_with(b"{\"not\""), "it is left as it was");
    fs::remove_file(&path).unwrap();

    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let theirs = fs::read(&path).unwrap();
    assert_says(EmbeddedLedger::open(&path, "x".to_owned()), &path, &["another program", "name another place"]);
    assert_says(EmbeddedLedger::look(&path), &path, &["another program"]);
    assert_eq!(fs::read(&path).unwrap(), theirs, "it is left as it was");
}

#[test]
fn another_format_is_named() {
    let folder = TempDir::new().unwrap();
    let path = file_in(&folder);
    drop(open(&path));
    let set = |format: i64| Connection::open(&path).unwrap().pragma_update(None, "user_version", format).unwrap();
    set(2);
    assert_says(EmbeddedLedger::open(&path, "x".to_owned()), &path, &["format is 2", "newer"]);
    assert_says(EmbeddedLedger::look(&path), &path, &["format is 2"]);
    set(0);
    assert_says(EmbeddedLedger::open_existing(&path), &path, &["format is 0", "restore"]);
    set(1);
    open(&path);
}

#[tokio::test]
async fn damage_is_named_and_never_taken_for_an_empty_ledger() {
    let folder = TempDir::new().unwrap();
    let path = file_in(&folder);
    let wanted: Vec<_> = (0..5_000).map(|n| fresh(format!("key {n}"), 1)).collect();
    let ids: Vec<_> = wanted.iter().map(|(id, ..)| id.clone()).collect();
    {
        let ledger = open(&path);
        let _ = ledger.claim(&wanted).await.unwrap();
    }
    let whole = fs::read(&path).unwrap();
    assert!(whole.len() > 200_000, "closing folded the WAL into the file: {}", whole.len());

    let pages = 60 * 4_096;
    OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&vec![0xA5; pages], 20 * 4_096).unwrap();
    assert_says(open(&path).claims(&ids).await, &path, &["damaged", "restore"]);
    let more: Vec<_> = (0..5_000).map(|n| fresh(format!("key {n} more"), 1)).collect();
    assert_says(open(&path).claim(&more).await, &path, &["damaged", "restore"]);

    fs::write(&path, &whole[..100_000]).unwrap();
    let cut = match EmbeddedLedger::open(&path, "x".to_owned()) {
        Ok(ledger) => ledger.claims(&ids).await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert_says(cut, &path, &["damaged"]);

    let mut headless = whole.clone();
    headless[..100].fill(7);
    fs::write(&path, headless).unwrap();
    assert_says(EmbeddedLedger::open(&path, "x".to_owned()), &path, &["beginning is damaged"]);

    fs::write(&path, whole).unwrap();
    assert!(open(&path).claims(&ids).await.unwrap().iter().all(Option::is_some), "restored");
}

#[tokio::test]
async fn a_look_sees_each_write_at_once_and_writes_nothing() {
    let folder = TempDir::new().unwrap();
    let path = file_in(&folder);
    let ledger = open(&path);
    let look = EmbeddedLedger::look(&path).unwrap();
    for n in 0..50 {
        let _ = ledger.claim(&[fresh(format!("key {n}"), n)]).await.unwrap();
        assert_eq!(look.count_claims(&"p".parse().unwrap()).await.unwrap(), n + 1);
    }
    assert_says(look.claim(&[fresh("x".to_owned(), 1)]).await, &path, &["claim drops", "looking alone"]);
    assert_says(look.abort(&"p".parse().unwrap(), batch(1)).await, &path, &["looking alone"]);
    drop(ledger);
    assert_eq!(look.count_claims(&"p".parse().unwrap()).await.unwrap(), 50);
    drop(look);
    assert_eq!(EmbeddedLedger::look(&path).unwrap().count_claims(&"p".parse().unwrap()).await.unwrap(), 50);
}

#[tokio::test]
async fn a_file_at_rest_is_read_without_writing_beside_it() {
    use super::super::{Access, connection};
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("a folder? with #1%20");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("ledger.db");
    let ledger = open(&path);
    let _ = ledger.claim(&[fresh("key".to_owned(), 1)]).await.unwrap();
    assert!(!connection::is_at_rest(&path), "a write is pending beside the file");
    drop(ledger);
    assert!(connection::is_at_rest(&path));
    let still = EmbeddedLedger::open_with(&path, Access::Still, "").unwrap();
    assert_eq!(still.count_claims(&"p".parse().unwrap()).await.unwrap(), 1);
    let beside: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside, ["ledger.db"]);
}

#[tokio::test]
async fn numbers_beyond_the_file_are_refused_and_change_nothing() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&file_in(&folder));
    let p = "p".parse().unwrap();
    let error = ledger.move_head(&p, u64::MAX).await.unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
    assert_eq!(ledger.head(&p).await.unwrap(), None);
}

#[test]
fn a_commit_is_on_the_disk_when_it_returns() {
    let folder = TempDir::new().unwrap();
    let conn = super::super::connection::open(&file_in(&folder), super::super::Access::Create, "x").unwrap();
    let setting =
        |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
    assert_eq!(setting("synchronous"), rusqlite::types::Value::Integer(2), "FULL");
    assert_eq!(setting("journal_mode"), rusqlite::types::Value::Text("wal".to_owned()));
}
