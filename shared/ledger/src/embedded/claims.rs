//! Claims: many small rows, looked up and written by the ten thousand.

use std::collections::{HashMap, HashSet};

use drops::{BatchId, DropId, PipelineName, Timestamp};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use crate::{Claim, ClaimOutcome, Expected};

use super::{
    failure::Failure,
    pipelines,
    values::{IdBytes, counted, id_bytes, id_of},
};

const STANDING: &str =
    "SELECT batch, holder_no, at, etag, aborted, aborted_alone FROM claims WHERE pipeline_no = ?1 AND drop_id = ?2";

const CLAIM: &str = "INSERT INTO claims (pipeline_no, drop_id, batch, holder_no, at, etag, aborted, aborted_alone)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";

const TAKE_OVER: &str =
    "UPDATE claims SET batch = ?3, holder_no = ?4, at = ?5, etag = ?6, aborted = ?7, aborted_alone = ?8
    WHERE pipeline_no = ?1 AND drop_id = ?2 AND batch = ?9";

/// Wanted claims on their way to the writer's thread: the texts of all rows in one string, names once, so that a row costs no
/// allocation.
pub(super) struct Wanted {
    /// Drop and etag of each row, one after the other.
    text: String,
    rows: Vec<Row>,
    pipelines: Vec<PipelineName>,
    holders: Vec<String>,
}

struct Row {
    /// Indexes into `pipelines` and `holders`.
    pipeline: usize,
    holder: usize,
    /// Where the drop and the etag end in `text`; the drop begins where the row before ended.
    drop_end: usize,
    etag_end: usize,
    /// The batch that must hold the claim; no claim at all if `None`.
    held_by: Option<IdBytes>,
    batch: IdBytes,
    at: Timestamp,
    aborted: u32,
    aborted_alone: u32,
}

impl Wanted {
    /// Copies what is wanted.
    pub(super) fn pack(wanted: &[(DropId, Expected, Claim)]) -> Result<Self, Failure> {
        let mut packed = Self {
            text: String::with_capacity(wanted.len() * 96),
            rows: Vec::with_capacity(wanted.len()),
            pipelines: Vec::new(),
            holders: Vec::new(),
        };
        let mut batch_ids = LastId::default();
        let mut held_ids = LastId::default();
        for (id, expected, claim) in wanted {
            push_drop(&mut packed.text, id);
            let drop_end = packed.text.len();
            packed.text.push_str(&claim.etag);
            let held_by = match expected {
                Expected::Absent => None,
                Expected::HeldBy(batch) => Some(held_ids.bytes(*batch)?),
            };
            packed.rows.push(Row {
                pipeline: index_of(&mut packed.pipelines, &id.pipeline),
                holder: index_of(&mut packed.holders, &claim.holder),
                drop_end,
                etag_end: packed.text.len(),
                held_by,
                batch: batch_ids.bytes(claim.batch)?,
                at: claim.at,
                aborted: claim.aborted,
                aborted_alone: claim.aborted_alone,
            });
        }
        Ok(packed)
    }
}

/// `DropId`'s own form, which is unique within a pipeline, without the formatting machinery.
fn push_drop(text: &mut String, id: &DropId) {
    if !id.bucket.is_empty() {
        text.push_str(&id.bucket);
        text.push('/');
    }
    text.push_str(&id.key);
    if let Some(version) = &id.version {
        text.push('@');
        text.push_str(version);
    }
}

/// Where `name` is in a short list that mostly ends with it.
fn index_of<T: PartialEq + Clone>(names: &mut Vec<T>, name: &T) -> usize {
    names.iter().rposition(|known| known == name).unwrap_or_else(|| {
        names.push(name.clone());
        names.len() - 1
    })
}

/// The bytes of the id asked for last: rows that follow each other mostly name the same batch.
#[derive(Default)]
struct LastId(Option<(BatchId, IdBytes)>);

impl LastId {
    fn bytes(&mut self, id: BatchId) -> Result<IdBytes, Failure> {
        match self.0 {
            Some((last, bytes)) if last == id => Ok(bytes),
            _ => {
                let bytes = id_bytes(id)?;
                self.0 = Some((id, bytes));
                Ok(bytes)
            }
        }
    }
}

/// Claims drops, each by itself. See `Ledger::claim`.
pub(super) fn claim(conn: &Connection, wanted: &Wanted) -> Result<Vec<ClaimOutcome>, Failure> {
    let pipeline_nos =
        wanted.pipelines.iter().map(|name| pipelines::intern(conn, name)).collect::<Result<Vec<_>, _>>()?;
    let holder_nos = wanted.holders.iter().map(|name| intern_holder(conn, name)).collect::<Result<Vec<_>, _>>()?;
    let mut claim = conn.prepare_cached(CLAIM)?;
    let mut take_over = conn.prepare_cached(TAKE_OVER)?;
    let mut look_up = LookUp::new(conn)?;
    let mut outcomes = Vec::with_capacity(wanted.rows.len());
    let mut begin = 0;
    for row in &wanted.rows {
        let (drop_id, etag) = (&wanted.text[begin..row.drop_end], &wanted.text[row.drop_end..row.etag_end]);
        begin = row.etag_end;
        let (pipeline_no, holder_no) = (pipeline_nos[row.pipeline], holder_nos[row.holder]);
        let (at, aborted, alone) = (row.at.0, row.aborted, row.aborted_alone);
        let written = match row.held_by {
            None => claim.execute(params![pipeline_no, drop_id, row.batch, holder_no, at, etag, aborted, alone])?,
            Some(old) => {
                take_over.execute(params![pipeline_no, drop_id, row.batch, holder_no, at, etag, aborted, alone, old])?
            }
        };
        outcomes.push(match written {
            0 => judge(look_up.find(pipeline_no, drop_id)?, row, drop_id)?,
            _ => ClaimOutcome::Granted,
        });
    }
    Ok(outcomes)
}

/// What the answer is where nothing was written.
fn judge(standing: Option<Claim>, row: &Row, drop_id: &str) -> Result<ClaimOutcome, Failure> {
    match standing {
        Some(claim) if claim.batch == id_of(row.batch) => Ok(ClaimOutcome::Granted),
        Some(claim) => Ok(ClaimOutcome::Held(claim)),
        None => Err(Failure::lasting(format!(
            "the claim on '{drop_id}' that was read before is gone, so the file was replaced or restored: stop all other processes on it, then run again"
        ))),
    }
}

/// The claims on these drops, in their order.
pub(super) fn standing(conn: &Connection, ids: &[DropId]) -> Result<Vec<Option<Claim>>, Failure> {
    let mut look_up = LookUp::new(conn)?;
    let mut found = Vec::with_capacity(ids.len());
    let mut text = String::new();
    let mut last: Option<(&PipelineName, Option<i64>)> = None;
    for id in ids {
        let pipeline_no = match last {
            Some((name, no)) if *name == id.pipeline => no,
            _ => pipelines::number(conn, &id.pipeline)?,
        };
        last = Some((&id.pipeline, pipeline_no));
        text.clear();
        push_drop(&mut text, id);
        found.push(match pipeline_no {
            Some(no) => look_up.find(no, &text)?,
            None => None,
        });
    }
    Ok(found)
}

/// How many claims a pipeline has.
pub(super) fn count(conn: &Connection, pipeline: &PipelineName) -> Result<u64, Failure> {
    let Some(no) = pipelines::number(conn, pipeline)? else { return Ok(0) };
    counted(conn.query_row("SELECT count(*) FROM claims WHERE pipeline_no = ?1", [no], |row| row.get(0))?)
}

/// How many claims name each batch.
pub(super) fn by_batch(conn: &Connection, pipeline: &PipelineName) -> Result<Vec<(BatchId, u64)>, Failure> {
    let Some(no) = pipelines::number(conn, pipeline)? else { return Ok(Vec::new()) };
    let mut statement = conn.prepare("SELECT batch, count(*) FROM claims WHERE pipeline_no = ?1 GROUP BY batch")?;
    let mut rows = statement.query([no])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((id_of(row.get(0)?), counted(row.get(1)?)?));
    }
    Ok(found)
}

/// The drops whose claims name one of these batches: one walk through all claims, as no index leads to them.
pub(super) fn of_batches(
    conn: &Connection,
    pipeline: &PipelineName,
    batches: &HashSet<BatchId>,
) -> Result<Vec<(String, BatchId)>, Failure> {
    let Some(no) = pipelines::number(conn, pipeline)? else { return Ok(Vec::new()) };
    let mut statement = conn.prepare("SELECT batch, drop_id FROM claims WHERE pipeline_no = ?1")?;
    let mut rows = statement.query([no])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let batch = id_of(row.get(0)?);
        if batches.contains(&batch) {
            found.push((row.get(1)?, batch));
        }
    }
    Ok(found)
}

fn intern_holder(conn: &Connection, name: &str) -> Result<i64, Failure> {
    let known = conn
        .prepare_cached("SELECT no FROM holders WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    if let Some(no) = known {
        return Ok(no);
    }
    conn.prepare_cached("INSERT INTO holders (name) VALUES (?1)")?.execute([name])?;
    Ok(conn.last_insert_rowid())
}

/// Looks claims up one by one, and each holder's name once.
struct LookUp<'c> {
    claim: CachedStatement<'c>,
    holder: CachedStatement<'c>,
    holders: HashMap<i64, String>,
}

impl<'c> LookUp<'c> {
    fn new(conn: &'c Connection) -> Result<Self, Failure> {
        let claim = conn.prepare_cached(STANDING)?;
        let holder = conn.prepare_cached("SELECT name FROM holders WHERE no = ?1")?;
        Ok(Self { claim, holder, holders: HashMap::new() })
    }

    fn find(&mut self, pipeline_no: i64, drop_id: &str) -> Result<Option<Claim>, Failure> {
        let mut rows = self.claim.query(params![pipeline_no, drop_id])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let holder_no = row.get(1)?;
        let holder = match self.holders.get(&holder_no) {
            Some(name) => name.clone(),
            None => {
                let name: String = self.holder.query_row([holder_no], |row| row.get(0))?;
                self.holders.insert(holder_no, name.clone());
                name
            }
        };
        Ok(Some(Claim {
            batch: id_of(row.get(0)?),
            holder,
            at: Timestamp(row.get(2)?),
            etag: row.get(3)?,
            aborted: row.get(4)?,
            aborted_alone: row.get(5)?,
        }))
    }
}
