//! The file's tables, and how a file is known to be a ledger of a format that this build reads.
//!
//! SQLite keeps two numbers in the header for exactly this: `application_id` says whose file it is, `user_version` its format.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::failure::Failure;

/// "LITH": tells our files from other SQLite databases.
const APPLICATION_ID: i64 = 0x4C49_5448;

/// The format that this build writes and reads.
const FORMAT: i64 = 1;

/// Small rows: names of pipelines and holders are kept once and referred to by number, batch ids are 16 bytes. `staged` repeats
/// what the totals need, so that neither the list nor the totals read the history of batches.
const TABLES: &str = "
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE pipelines (no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, settings TEXT, head INTEGER) STRICT;
CREATE TABLE holders (no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE claims (
    pipeline_no INTEGER NOT NULL, drop_id TEXT NOT NULL, batch BLOB NOT NULL, holder_no INTEGER NOT NULL, at INTEGER NOT NULL,
    etag TEXT NOT NULL, aborted INTEGER NOT NULL, aborted_alone INTEGER NOT NULL,
    PRIMARY KEY (pipeline_no, drop_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE batches (
    id BLOB PRIMARY KEY, pipeline_no INTEGER NOT NULL, sealed TEXT, version INTEGER, CHECK (version IS NULL OR sealed IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX batches_of_pipeline ON batches (pipeline_no, id);
CREATE TABLE staged (
    pipeline_no INTEGER NOT NULL, id BLOB NOT NULL, staged_bytes INTEGER NOT NULL, drops INTEGER NOT NULL, rows INTEGER NOT NULL,
    at INTEGER NOT NULL, PRIMARY KEY (pipeline_no, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE intents (
    pipeline_no INTEGER NOT NULL, number INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (pipeline_no, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE schemas (
    table_name TEXT NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (table_name, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE leases (table_name TEXT PRIMARY KEY, owner TEXT, token INTEGER NOT NULL, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// What an opened file turned out to be, where it is not a reason to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing is in it yet.
    Empty,
    /// A ledger of our format.
    Ledger,
}

/// Tells what the file is. A foreign file and another format are failures that name the remedy.
pub(super) fn inspect(conn: &Connection) -> Result<Found, Failure> {
    // One statement, so that a file in the making is seen either before or after.
    let (application, format, entries): (i64, i64, i64) = conn.query_row(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
                (SELECT count(*) FROM sqlite_schema)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    match (application, format) {
        (0, 0) if entries == 0 => Ok(Found::Empty),
        (APPLICATION_ID, FORMAT) => Ok(Found::Ledger),
        (APPLICATION_ID, newer) if newer > FORMAT => Err(Failure::lasting(format!(
            "its format is {newer} and this lithify reads {FORMAT}: use the lithify that wrote it, or a newer one"
        ))),
        (APPLICATION_ID, other) => Err(Failure::lasting(format!(
            "its format is {other} and this lithify reads {FORMAT}: restore the file from a copy"
        ))),
        _ => Err(Failure::lasting("the file is an SQLite database of another program: name another place")),
    }
}

/// Makes the tables in an empty file and stores the ledger's identity; nothing if another process was first.
pub(super) fn create(conn: &mut Connection, identity: &str) -> Result<(), Failure> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if inspect(&transaction)? == Found::Empty {
        transaction.execute_batch(TABLES)?;
        transaction.execute("INSERT INTO about (key, value) VALUES ('identity', ?1)", [identity])?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    transaction.commit()?;
    Ok(())
}

/// The ledger's identity.
pub(super) fn identity(conn: &Connection) -> Result<String, Failure> {
    let found = conn.query_row("SELECT value FROM about WHERE key = 'identity'", [], |row| row.get(0)).optional()?;
    found.ok_or_else(|| Failure::lasting("its identity is gone: restore the file from a copy"))
}
