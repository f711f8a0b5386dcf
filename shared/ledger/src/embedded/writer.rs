//! Group commit: one thread owns the connection that writes and carries all writes that wait in one transaction, so that many
//! callers share one fsync.
//!
//! Each write has a savepoint of its own: one that fails undoes itself and nothing else. Nobody is answered before the commit is
//! on the disk, so an answer is never lost between the two, except that a caller who stops waiting (drops the future) does not
//! learn it; the write may then happen or not, and the contract's conditional methods make asking again safe.

use std::{
    collections::VecDeque,
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{connection::Place, failure::Failure};

/// Most writes in one transaction.
const GROUP_WRITES_MAX: usize = 256;

/// Rows after which a transaction takes no further write: other processes wait for it.
const GROUP_ROWS_MAX: usize = 50_000;

/// A write that waits: runs in the open transaction, or learns why there is none.
type Job = Box<dyn FnOnce(Result<&Connection, Failure>) -> Answer + Send>;

/// Gives the caller its answer, once it is known whether the transaction stands.
type Answer = Box<dyn FnOnce(Result<(), Failure>)>;

struct Queued {
    rows: usize,
    job: Job,
}

/// The queue of writes and the thread that carries them out. Dropping it carries out what waits, then closes the file.
pub(super) struct Writer {
    queue: Option<Sender<Queued>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread that owns `conn`, to the file at `place`.
    pub(super) fn start(conn: Connection, place: Place) -> Result<Self, Failure> {
        let (queue, waiting) = channel();
        let thread = thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || serve(&conn, &place, &waiting))
            .map_err(|e| Failure::passing(format!("its writing thread cannot start: {e}")))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Carries out one write atomically; `rows` is about how many rows it touches. What it returns is on the disk.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        rows: usize,
        write: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |conn| {
            let outcome = conn.and_then(|conn| in_savepoint(conn, write));
            // Nobody may be waiting any more: the write stands all the same.
            Box::new(move |stands| drop(reply.send(outcome.and_then(|written| stands.map(|()| written)))))
        });
        let ended = || Failure::lasting("its writing thread has ended");
        self.queue.as_ref().ok_or_else(ended)?.send(Queued { rows, job }).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // The thread ends when the queue is empty and closed; if it panicked, its callers have been told.
            drop(thread.join());
        }
    }
}

fn serve(conn: &Connection, place: &Place, waiting: &Receiver<Queued>) {
    while let Ok(first) = waiting.recv() {
        let mut group = gather(first, waiting);
        while !group.is_empty() {
            carry_out(conn, place, &mut group);
        }
    }
}

/// The first write and what else waits already.
fn gather(first: Queued, waiting: &Receiver<Queued>) -> VecDeque<Job> {
    let mut rows = first.rows;
    let mut group = VecDeque::from([first.job]);
    while rows < GROUP_ROWS_MAX && group.len() < GROUP_WRITES_MAX {
        let Ok(next) = waiting.try_recv() else { break };
        rows += next.rows;
        group.push_back(next.job);
    }
    group
}

/// One transaction with as much of the group as it can carry: all, unless SQLite undoes it in the middle.
fn carry_out(conn: &Connection, place: &Place, group: &mut VecDeque<Job>) {
    if let Err(failure) = place.check().and_then(|()| run(conn, "BEGIN IMMEDIATE")) {
        for job in group.drain(..) {
            job(Err(failure.clone()))(Ok(()));
        }
        return;
    }
    let mut answers = Vec::with_capacity(group.len());
    while let Some(job) = group.pop_front() {
        answers.push(job(Ok(conn)));
        if conn.is_autocommit() {
            // A full disk or a failed read undoes the whole transaction; the rest of the group gets another.
            let undone = Failure::passing("a write in the same transaction failed and undid it: try again");
            return answer_failed(answers, &undone);
        }
    }
    match run(conn, "COMMIT") {
        Ok(()) => answers.into_iter().for_each(|answer| answer(Ok(()))),
        Err(failure) => {
            roll_back(conn);
            answer_failed(answers, &failure);
        }
    }
}

/// Tells every caller that the transaction does not stand. A write that failed by itself says why instead.
fn answer_failed(answers: Vec<Answer>, failure: &Failure) {
    for answer in answers {
        answer(Err(failure.clone()));
    }
}

fn in_savepoint<T>(conn: &Connection, write: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
    run(conn, "SAVEPOINT one_write")?;
    let outcome = write(conn);
    if conn.is_autocommit() {
        return outcome;
    }
    let closed = match outcome {
        Ok(_) => run(conn, "RELEASE one_write"),
        Err(_) => run(conn, "ROLLBACK TO one_write").and_then(|()| run(conn, "RELEASE one_write")),
    };
    // Half a write must not be committed with the others.
    if closed.is_err() {
        roll_back(conn);
    }
    closed.and(outcome)
}

fn roll_back(conn: &Connection) {
    if !conn.is_autocommit()
        && let Err(failure) = run(conn, "ROLLBACK")
    {
        tracing::error!(?failure, "the ledger could not roll back a transaction");
    }
}

fn run(conn: &Connection, sql: &str) -> Result<(), Failure> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}
