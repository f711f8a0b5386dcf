//! What the ledger keeps of a table: the history of its schema, and its lease.

use drops::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{Lease, LeaseOutcome};

use super::{
    failure::Failure,
    values::{counted, stored},
};

/// The newest schema and its number.
pub(super) fn newest_schema(conn: &Connection, table: &str) -> Result<Option<(u64, String)>, Failure> {
    let found: Option<(i64, String)> = conn
        .prepare_cached("SELECT number, text FROM schemas WHERE table_name = ?1 ORDER BY number DESC LIMIT 1")?
        .query_row([table], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found.map(|(number, text)| Ok((counted(number)?, text))).transpose()
}

/// One version of the schema.
pub(super) fn schema(conn: &Connection, table: &str, number: u64) -> Result<Option<String>, Failure> {
    let mut statement = conn.prepare_cached("SELECT text FROM schemas WHERE table_name = ?1 AND number = ?2")?;
    Ok(statement.query_row(params![table, stored(number)?], |row| row.get(0)).optional()?)
}

/// See `Ledger::add_schema`: versions have no gaps, so exactly one number is free.
pub(super) fn add_schema(conn: &Connection, table: &str, number: u64, text: &str) -> Result<bool, Failure> {
    let newest = newest_schema(conn, table)?.map_or(0, |(number, _)| number);
    if number.checked_sub(1) != Some(newest) {
        return Ok(false);
    }
    conn.prepare_cached("INSERT INTO schemas (table_name, number, text) VALUES (?1, ?2, ?3)")?.execute(params![
        table,
        stored(number)?,
        text
    ])?;
    Ok(true)
}

/// The lease's row: the owner is gone after a release, the token stays so that it never repeats.
fn lease(conn: &Connection, table: &str) -> Result<(Option<Lease>, u64), Failure> {
    let found: Option<(Option<String>, i64, i64)> = conn
        .prepare_cached("SELECT owner, token, expires FROM leases WHERE table_name = ?1")?
        .query_row([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((owner, token, expires)) = found else { return Ok((None, 0)) };
    let token = counted(token)?;
    Ok((owner.map(|owner| Lease { owner, token, expires: Timestamp(expires) }), token))
}

/// See `Ledger::acquire_lease`.
pub(super) fn acquire_lease(
    conn: &Connection,
    table: &str,
    owner: &str,
    expires: Timestamp,
    seen: Option<&Lease>,
) -> Result<LeaseOutcome, Failure> {
    let (standing, last_token) = lease(conn, table)?;
    let token = match standing {
        Some(standing) if standing.owner == owner => standing.token,
        Some(standing) if seen != Some(&standing) => return Ok(LeaseOutcome::Held(standing)),
        _ => last_token + 1,
    };
    conn.prepare_cached(
        "INSERT INTO leases (table_name, owner, token, expires) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET owner = excluded.owner, token = excluded.token, expires = excluded.expires",
    )?
    .execute(params![table, owner, stored(token)?, expires.0])?;
    Ok(LeaseOutcome::Granted(Lease { owner: owner.to_owned(), token, expires }))
}

/// See `Ledger::renew_lease`.
pub(super) fn renew_lease(conn: &Connection, table: &str, lease: &Lease, expires: Timestamp) -> Result<bool, Failure> {
    let mut statement =
        conn.prepare_cached("UPDATE leases SET expires = ?4 WHERE table_name = ?1 AND owner = ?2 AND token = ?3")?;
    Ok(statement.execute(params![table, lease.owner, stored(lease.token)?, expires.0])? > 0)
}

/// See `Ledger::release_lease`.
pub(super) fn release_lease(conn: &Connection, table: &str, lease: &Lease) -> Result<(), Failure> {
    conn.prepare_cached("UPDATE leases SET owner = NULL WHERE table_name = ?1 AND owner = ?2 AND token = ?3")?
        .execute(params![table, lease.owner, stored(lease.token)?])?;
    Ok(())
}
