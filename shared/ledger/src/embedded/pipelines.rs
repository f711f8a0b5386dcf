//! What the ledger keeps of a pipeline: its number in the file, settings, intents and `head`.

use drops::PipelineName;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{HeadOutcome, Intent, PipelineSettings};

use super::{
    failure::Failure,
    values::{counted, stored},
};

/// The number that stands for a pipeline in the file, if it has one yet.
pub(super) fn number(conn: &Connection, name: &PipelineName) -> Result<Option<i64>, Failure> {
    let mut statement = conn.prepare_cached("SELECT no FROM pipelines WHERE name = ?1")?;
    Ok(statement.query_row([name.as_str()], |row| row.get(0)).optional()?)
}

/// The number that stands for a pipeline in the file, given now if it had none.
pub(super) fn intern(conn: &Connection, name: &PipelineName) -> Result<i64, Failure> {
    if let Some(no) = number(conn, name)? {
        return Ok(no);
    }
    conn.prepare_cached("INSERT INTO pipelines (name) VALUES (?1)")?.execute([name.as_str()])?;
    Ok(conn.last_insert_rowid())
}

/// See `Ledger::reserve_intent`.
pub(super) fn reserve_intent(conn: &Connection, pipeline: &PipelineName, intent: &Intent) -> Result<bool, Failure> {
    if let Some(standing) = self::intent(conn, pipeline, intent.number)? {
        return Ok(standing == *intent);
    }
    conn.prepare_cached("INSERT INTO intents (pipeline_no, number, record) VALUES (?1, ?2, ?3)")?.execute(params![
        intern(conn, pipeline)?,
        stored(intent.number)?,
        serde_json::to_string(intent)?
    ])?;
    Ok(true)
}

/// The intent with this number.
pub(super) fn intent(conn: &Connection, pipeline: &PipelineName, number: u64) -> Result<Option<Intent>, Failure> {
    let record: Option<String> = conn
        .prepare_cached(
            "SELECT record FROM intents JOIN pipelines ON no = pipeline_no WHERE pipelines.name = ?1 AND number = ?2",
        )?
        .query_row(params![pipeline.as_str(), stored(number)?], |row| row.get(0))
        .optional()?;
    Ok(record.map(|text| serde_json::from_str(&text)).transpose()?)
}

/// The number of the last settled intent.
pub(super) fn head(conn: &Connection, pipeline: &PipelineName) -> Result<Option<u64>, Failure> {
    let mut statement = conn.prepare_cached("SELECT head FROM pipelines WHERE name = ?1")?;
    let head: Option<Option<i64>> = statement.query_row([pipeline.as_str()], |row| row.get(0)).optional()?;
    head.flatten().map(counted).transpose()
}

/// See `Ledger::move_head`.
pub(super) fn move_head(conn: &Connection, pipeline: &PipelineName, number: u64) -> Result<HeadOutcome, Failure> {
    let mut statement =
        conn.prepare_cached("UPDATE pipelines SET head = ?2 WHERE no = ?1 AND (head IS NULL OR head < ?2)")?;
    Ok(match statement.execute(params![intern(conn, pipeline)?, stored(number)?])? {
        0 => HeadOutcome::AlreadyThere,
        _ => HeadOutcome::Moved,
    })
}

/// What was fixed when the pipeline was made.
pub(super) fn settings(conn: &Connection, pipeline: &PipelineName) -> Result<Option<PipelineSettings>, Failure> {
    let mut statement = conn.prepare_cached("SELECT settings FROM pipelines WHERE name = ?1")?;
    let text: Option<Option<String>> = statement.query_row([pipeline.as_str()], |row| row.get(0)).optional()?;
    Ok(text.flatten().map(|text| serde_json::from_str(&text)).transpose()?)
}

/// See `Ledger::fix_settings`.
pub(super) fn fix_settings(
    conn: &Connection,
    pipeline: &PipelineName,
    wanted: &PipelineSettings,
) -> Result<PipelineSettings, Failure> {
    if let Some(standing) = settings(conn, pipeline)? {
        return Ok(standing);
    }
    conn.prepare_cached("UPDATE pipelines SET settings = ?2 WHERE no = ?1")?
        .execute(params![intern(conn, pipeline)?, serde_json::to_string(wanted)?])?;
    Ok(wanted.clone())
}

/// See `Ledger::fix_table`.
pub(super) fn fix_table(conn: &Connection, pipeline: &PipelineName, table: &str) -> Result<PipelineSettings, Failure> {
    let mut standing = settings(conn, pipeline)?
        .ok_or_else(|| Failure::lasting(format!("pipeline '{pipeline}' has no settings, into which its table goes")))?;
    if standing.table.is_none() {
        standing.table = Some(table.to_owned());
        conn.prepare_cached("UPDATE pipelines SET settings = ?2 WHERE name = ?1")?
            .execute(params![pipeline.as_str(), serde_json::to_string(&standing)?])?;
    }
    Ok(standing)
}

/// The pipelines that have settings, by name.
pub(super) fn list(conn: &Connection) -> Result<Vec<PipelineName>, Failure> {
    let mut statement = conn.prepare_cached("SELECT name FROM pipelines WHERE settings IS NOT NULL ORDER BY name")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    names
        .iter()
        .map(|name| name.parse().map_err(|e| Failure::lasting(format!("a record in it cannot be read: {e}"))))
        .collect()
}
