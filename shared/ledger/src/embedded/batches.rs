//! Records of batches, and the list of the staged ones beside them.

use drops::{BatchId, PipelineName, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{AbortOutcome, BatchRecord, SealOutcome, Sealed, StagedTotals};

use super::{
    failure::Failure,
    pipelines,
    values::{counted, id_bytes, id_of, stored},
};

/// The record of a batch, if it has one.
pub(super) fn record(conn: &Connection, id: BatchId) -> Result<Option<BatchRecord>, Failure> {
    let found = conn
        .prepare_cached("SELECT sealed, version FROM batches WHERE id = ?1")?
        .query_row([id_bytes(id)?], |row| raw_record(row, 0))
        .optional()?;
    found.map(parse_record).transpose()
}

/// What stands for `sealed` where the batch's own holder gave it up; nothing stands there where others aborted it.
const GIVEN_UP: &str = "";

type RawRecord = (Option<String>, Option<i64>);

fn raw_record(row: &Row<'_>, first: usize) -> rusqlite::Result<RawRecord> {
    Ok((row.get(first)?, row.get(first + 1)?))
}

fn parse_record((sealed, version): RawRecord) -> Result<BatchRecord, Failure> {
    let sealed = match sealed.as_deref() {
        None => return Ok(BatchRecord::Aborted),
        Some(GIVEN_UP) => return Ok(BatchRecord::GivenUp),
        Some(sealed) => serde_json::from_str(sealed)?,
    };
    Ok(match version {
        None => BatchRecord::Staged(sealed),
        Some(version) => BatchRecord::Committed { sealed, version: counted(version)? },
    })
}

/// See `Ledger::abort`.
pub(super) fn abort(conn: &Connection, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, Failure> {
    make_void(conn, pipeline, id, &BatchRecord::Aborted)
}

/// See `Ledger::give_up`.
pub(super) fn give_up(conn: &Connection, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, Failure> {
    make_void(conn, pipeline, id, &BatchRecord::GivenUp)
}

fn make_void(
    conn: &Connection,
    pipeline: &PipelineName,
    id: BatchId,
    void: &BatchRecord,
) -> Result<AbortOutcome, Failure> {
    match record(conn, id)? {
        Some(record) if record == *void => return Ok(AbortOutcome::Aborted),
        Some(record) => return Ok(AbortOutcome::Stands(record)),
        None => {}
    }
    let sealed = (*void == BatchRecord::GivenUp).then_some(GIVEN_UP);
    conn.prepare_cached("INSERT INTO batches (id, pipeline_no, sealed) VALUES (?1, ?2, ?3)")?.execute(params![
        id_bytes(id)?,
        pipelines::intern(conn, pipeline)?,
        sealed
    ])?;
    Ok(AbortOutcome::Aborted)
}

/// See `Ledger::seal`.
pub(super) fn seal(conn: &Connection, id: BatchId, sealed: &Sealed) -> Result<SealOutcome, Failure> {
    match record(conn, id)? {
        Some(BatchRecord::Aborted | BatchRecord::GivenUp) => return Ok(SealOutcome::Void),
        Some(BatchRecord::Staged(standing) | BatchRecord::Committed { sealed: standing, .. }) => {
            return if standing == *sealed {
                Ok(SealOutcome::Sealed)
            } else {
                Err(Failure::lasting(format!(
                    "batch {id} is sealed with another record already: read it and go by that"
                )))
            };
        }
        None => {}
    }
    let (bytes, pipeline_no) = (id_bytes(id)?, pipelines::intern(conn, &sealed.pipeline)?);
    conn.prepare_cached("INSERT INTO batches (id, pipeline_no, sealed) VALUES (?1, ?2, ?3)")?.execute(params![
        bytes,
        pipeline_no,
        serde_json::to_string(sealed)?
    ])?;
    conn.prepare_cached(
        "INSERT INTO staged (pipeline_no, id, staged_bytes, drops, rows, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        pipeline_no,
        bytes,
        stored(sealed.staged_bytes)?,
        stored(sealed.drops)?,
        stored(sealed.rows)?,
        sealed.at.0
    ])?;
    Ok(SealOutcome::Sealed)
}

/// The staged batches of a pipeline, by id.
pub(super) fn staged(conn: &Connection, pipeline: &PipelineName) -> Result<Vec<(BatchId, Sealed)>, Failure> {
    let Some(no) = pipelines::number(conn, pipeline)? else { return Ok(Vec::new()) };
    let mut statement = conn.prepare_cached(
        "SELECT staged.id, batches.sealed FROM staged JOIN batches ON batches.id = staged.id
         WHERE staged.pipeline_no = ?1 ORDER BY staged.id",
    )?;
    let mut rows = statement.query([no])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let sealed = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        found.push((id_of(row.get(0)?), serde_json::from_str(sealed)?));
    }
    Ok(found)
}

/// Their sums, from the list alone.
pub(super) fn staged_totals(conn: &Connection, pipeline: &PipelineName) -> Result<StagedTotals, Failure> {
    let Some(no) = pipelines::number(conn, pipeline)? else { return Ok(StagedTotals::default()) };
    let (batches, staged_bytes, drops, rows, oldest): (i64, i64, i64, i64, Option<i64>) = conn
        .prepare_cached(
            "SELECT count(*), coalesce(sum(staged_bytes), 0), coalesce(sum(drops), 0), coalesce(sum(rows), 0), min(at)
             FROM staged WHERE pipeline_no = ?1",
        )?
        .query_row([no], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?;
    Ok(StagedTotals {
        batches: counted(batches)?,
        staged_bytes: counted(staged_bytes)?,
        drops: counted(drops)?,
        rows: counted(rows)?,
        oldest: oldest.map(Timestamp),
    })
}

/// See `Ledger::mark_committed`. The first batch that does not fit ends it; the caller's savepoint undoes the ones before.
pub(super) fn mark_committed(conn: &Connection, ids: &[BatchId], version: u64) -> Result<(), Failure> {
    let new_version = stored(version)?;
    let mut mark = conn.prepare_cached("UPDATE batches SET version = ?2 WHERE id = ?1")?;
    let mut unlist = conn.prepare_cached(
        "DELETE FROM staged WHERE id = ?1 AND pipeline_no = (SELECT pipeline_no FROM batches WHERE id = ?1)",
    )?;
    for &id in ids {
        match record(conn, id)? {
            Some(BatchRecord::Staged(_)) => {
                let bytes = id_bytes(id)?;
                mark.execute(params![bytes, new_version])?;
                unlist.execute([bytes])?;
            }
            Some(BatchRecord::Committed { version: standing, .. }) if standing == version => {}
            Some(BatchRecord::Committed { version: standing, .. }) => {
                return Err(Failure::lasting(format!(
                    "batch {id} is committed at version {standing}, not {version}: compare the ledger with the table's log"
                )));
            }
            Some(BatchRecord::Aborted | BatchRecord::GivenUp) => {
                return Err(Failure::lasting(format!(
                    "batch {id} is aborted, so no commit may carry it, yet version {version} is said to: compare the ledger with the table's log"
                )));
            }
            None => {
                return Err(Failure::lasting(format!(
                    "batch {id} has no record, yet version {version} is said to carry it: the ledger was lost or restored"
                )));
            }
        }
    }
    Ok(())
}

/// See `Ledger::batches`.
pub(super) fn list(
    conn: &Connection,
    pipeline: &PipelineName,
    after: Option<BatchId>,
    limit: usize,
) -> Result<Vec<(BatchId, BatchRecord)>, Failure> {
    let Some(no) = pipelines::number(conn, pipeline)? else { return Ok(Vec::new()) };
    // An empty blob sorts below every id.
    let after = after.map(id_bytes).transpose()?;
    let after = after.as_ref().map_or(&[][..], |bytes| &bytes[..]);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(
        "SELECT id, sealed, version FROM batches WHERE pipeline_no = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
    )?;
    let mut rows = statement.query(params![no, after, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((id_of(row.get(0)?), parse_record(raw_record(row, 1)?)?));
    }
    Ok(found)
}
