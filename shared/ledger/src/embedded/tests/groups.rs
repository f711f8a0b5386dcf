//! Group commit: what one failing write does to the others, and waiting for other processes.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

use super::{super::*, file_in, open};

fn note(conn: &Connection, key: &str) -> Result<(), Failure> {
    conn.execute("INSERT INTO about (key, value) VALUES (?1, '')", [key])?;
    Ok(())
}

async fn noted(ledger: &EmbeddedLedger, key: &'static str) -> bool {
    let look = move |conn: &Connection| {
        Ok(conn.query_row("SELECT count(*) FROM about WHERE key = ?1", [key], |row| row.get::<_, i64>(0))? > 0)
    };
    ledger.read("look", look).unwrap()
}

/// Keeps the writer busy until the sender is used, so that the writes after it wait together and make one group.
async fn hold_up(ledger: &Arc<EmbeddedLedger>) -> (mpsc::Sender<()>, JoinHandle<Result<(), LedgerError>>) {
    let (release, held) = mpsc::channel();
    let (started, begun) = oneshot::channel();
    let ledger = ledger.clone();
    let hold = move |_: &Connection| {
        let _ = started.send(());
        let _ = held.recv_timeout(Duration::from_secs(60));
        Ok(())
    };
    let waiting = tokio::spawn(async move { ledger.write("wait", 1, hold).await });
    begun.await.unwrap();
    (release, waiting)
}

#[tokio::test]
async fn a_write_that_fails_undoes_itself_alone() {
    let folder = TempDir::new().unwrap();
    let ledger = Arc::new(open(&file_in(&folder)));
    let (release, waiting) = hold_up(&ledger).await;
    let failing = |conn: &Connection| {
        note(conn, "half")?;
        Err::<(), _>(Failure::lasting("no"))
    };
    let (before, failed, after, ()) = tokio::join!(
        ledger.write("note", 1, |conn| note(conn, "before")),
        ledger.write("fail", 1, failing),
        ledger.write("note", 1, |conn| note(conn, "after")),
        async move { release.send(()).unwrap() },
    );
    waiting.await.unwrap().unwrap();
    before.unwrap();
    after.unwrap();
    let failed = failed.unwrap_err();
    assert!(failed.to_string().contains("could not fail") && failed.reason.ends_with(": no"), "{failed}");
    assert!(noted(&ledger, "before").await && noted(&ledger, "after").await && !noted(&ledger, "half").await);
}

#[tokio::test]
async fn nobody_is_told_of_success_when_the_whole_transaction_was_undone() {
    let folder = TempDir::new().unwrap();
    let ledger = Arc::new(open(&file_in(&folder)));
    let (release, waiting) = hold_up(&ledger).await;
    // What SQLite does by itself when the disk is full.
    let undo_all = |conn: &Connection| {
        conn.execute_batch("ROLLBACK")?;
        Err::<(), _>(Failure::lasting("the disk is full"))
    };
    let (before, undone, after, ()) = tokio::join!(
        ledger.write("note", 1, |conn| note(conn, "before")),
        ledger.write("fail", 1, undo_all),
        ledger.write("note", 1, |conn| note(conn, "after")),
        async move { release.send(()).unwrap() },
    );
    waiting.await.unwrap().unwrap();
    assert!(before.unwrap_err().passing);
    assert!(undone.unwrap_err().reason.ends_with("the disk is full"));
    after.unwrap();
    assert!(!noted(&ledger, "before").await && noted(&ledger, "after").await);
}

#[tokio::test]
async fn a_write_waits_for_another_process_and_reads_do_not() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&file_in(&folder));
    let other = Connection::open(file_in(&folder)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; INSERT INTO about (key, value) VALUES ('open', '')").unwrap();
    assert!(!noted(&ledger, "open").await);
    let waiting = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        other.execute_batch("COMMIT").unwrap();
    });
    ledger.write("note", 1, |conn| note(conn, "waited")).await.unwrap();
    assert!(noted(&ledger, "open").await && noted(&ledger, "waited").await);
    waiting.join().unwrap();
}

#[tokio::test]
async fn what_waits_is_written_before_the_file_is_closed() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&file_in(&folder));
    {
        let mut abandoned = Box::pin(ledger.write("note", 1, |conn| note(conn, "abandoned")));
        // One poll queues it; then its caller stops waiting.
        assert!(futures_poll_once(abandoned.as_mut()).await);
    }
    drop(ledger);
    assert!(noted(&open(&file_in(&folder)), "abandoned").await);
}

async fn futures_poll_once<F: Future + Unpin>(mut future: F) -> bool {
    std::future::poll_fn(|context| {
        let _ = std::pin::Pin::new(&mut future).poll(context);
        std::task::Poll::Ready(true)
    })
    .await
}
