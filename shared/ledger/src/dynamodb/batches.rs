//! Items `batch#<ulid>`: the record of a batch, the fence. Written once when it is sealed or aborted, and once more when it is
//! committed; kept for ever, because claims name it.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_dynamodb::types::Select;
use drops::{BatchId, PipelineName};

use crate::{AbortOutcome, BatchRecord, SealOutcome, Sealed};

use super::condition::Condition;
use super::door::{Door, Waits, Written};
use super::failure::Failure;
use super::item::{Item, Key, number, number_in, text, text_in, unreadable};
use super::many::Filter;
use super::staged;
use super::transaction::{Transacted, Write};

const PREFIX: &str = "batch#";

/// Batches that one transaction marks: it holds 100 items, and each batch has a record and an entry in the list.
const MARKED_AT_ONCE: usize = 50;

fn key(id: BatchId) -> Result<Key, Failure> {
    Key::new(format!("{PREFIX}{id}"), "record".to_owned())
}

fn item(id: BatchId, pipeline: &PipelineName, record: &BatchRecord) -> Result<Item, Failure> {
    let mut item = key(id)?.into_item();
    item.insert("pipeline".to_owned(), text(pipeline.as_str()));
    let state = match record {
        BatchRecord::Staged(_) => "staged",
        BatchRecord::Committed { .. } => "committed",
        BatchRecord::Aborted => "aborted",
        BatchRecord::GivenUp => "given_up",
    };
    item.insert("state".to_owned(), text(state));
    if let Some(sealed) = record.sealed() {
        item.insert("sealed".to_owned(), text(serde_json::to_string(sealed)?));
    }
    if let BatchRecord::Committed { version, .. } = record {
        item.insert("version".to_owned(), number(version));
    }
    Ok(item)
}

fn parse(item: &Item) -> Result<BatchRecord, Failure> {
    let sealed = || -> Result<Sealed, Failure> { Ok(serde_json::from_str(text_in(item, "sealed")?)?) };
    match text_in(item, "state")? {
        "staged" => Ok(BatchRecord::Staged(sealed()?)),
        "committed" => Ok(BatchRecord::Committed { sealed: sealed()?, version: number_in(item, "version")? }),
        "aborted" => Ok(BatchRecord::Aborted),
        "given_up" => Ok(BatchRecord::GivenUp),
        _ => Err(unreadable(item, "state", "none that is known")),
    }
}

/// The record of a batch, if it has one.
pub(super) async fn record(door: &Door, id: BatchId) -> Result<Option<BatchRecord>, Failure> {
    door.get(key(id)?).await?.as_ref().map(parse).transpose()
}

/// See `Ledger::abort`.
pub(super) async fn abort(door: &Door, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, Failure> {
    make_void(door, pipeline, id, &BatchRecord::Aborted).await
}

/// See `Ledger::give_up`.
pub(super) async fn give_up(door: &Door, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, Failure> {
    make_void(door, pipeline, id, &BatchRecord::GivenUp).await
}

async fn make_void(
    door: &Door,
    pipeline: &PipelineName,
    id: BatchId,
    void: &BatchRecord,
) -> Result<AbortOutcome, Failure> {
    match door.put(item(id, pipeline, void)?, Condition::Absent).await? {
        Written::Done => Ok(AbortOutcome::Aborted),
        Written::Refused(standing) => match parse(&standing.ok_or_else(|| vanished(id))?)? {
            record if record == *void => Ok(AbortOutcome::Aborted),
            record => Ok(AbortOutcome::Stands(record)),
        },
    }
}

/// See `Ledger::seal`: the record and the entry in the list in one transaction.
pub(super) async fn seal(door: &Door, id: BatchId, sealed: &Sealed) -> Result<SealOutcome, Failure> {
    let record = item(id, &sealed.pipeline, &BatchRecord::Staged(sealed.clone()))?;
    let entry = staged::item(id, sealed)?;
    // The entry's condition can only fail together with the record's: both are written and removed in one transaction each.
    let writes = vec![Write::Put(record, Condition::Absent), Write::Put(entry, Condition::Absent)];
    let standing = match door.transact(writes).await? {
        Transacted::Done => return Ok(SealOutcome::Sealed),
        Transacted::Refused(standing) => standing.into_iter().next().flatten(),
    };
    match parse(&standing.ok_or_else(|| vanished(id))?)? {
        BatchRecord::Aborted | BatchRecord::GivenUp => Ok(SealOutcome::Void),
        BatchRecord::Staged(standing) | BatchRecord::Committed { sealed: standing, .. } if standing == *sealed => {
            Ok(SealOutcome::Sealed)
        }
        _ => Err(Failure::lasting(format!("batch {id} is sealed with another record already: read it and go by that"))),
    }
}

fn vanished(id: BatchId) -> Failure {
    Failure::lasting(format!(
        "the record of batch {id} that stood a moment ago is gone: somebody deletes items of this table, which must never be"
    ))
}

/// See `Ledger::mark_committed`.
pub(super) async fn mark_committed(door: &Door, ids: &[BatchId], version: u64) -> Result<(), Failure> {
    let mut seen = HashSet::with_capacity(ids.len());
    let ids: Vec<BatchId> = ids.iter().copied().filter(|id| seen.insert(*id)).collect();
    let open = still_staged(door, &ids, version).await?;
    for group in open.chunks(MARKED_AT_ONCE) {
        mark_group(door, group, version).await?;
    }
    Ok(())
}

/// The batches that are yet to be marked.
async fn still_staged(door: &Door, ids: &[BatchId], version: u64) -> Result<Vec<(BatchId, Sealed)>, Failure> {
    let keys = ids.iter().map(|id| key(*id)).collect::<Result<Vec<_>, _>>()?;
    let found = door.get_many(keys.clone()).await?;
    let mut open = Vec::new();
    for (id, key) in ids.iter().zip(&keys) {
        match found.get(key).map(parse).transpose()? {
            Some(BatchRecord::Staged(sealed)) => open.push((*id, sealed)),
            Some(BatchRecord::Committed { version: standing, .. }) if standing == version => {}
            Some(BatchRecord::Committed { version: standing, .. }) => {
                return Err(Failure::lasting(format!(
                    "batch {id} is committed at version {standing}, not {version}: compare the ledger with the table's log"
                )));
            }
            Some(BatchRecord::Aborted | BatchRecord::GivenUp) => {
                return Err(Failure::lasting(format!(
                    "batch {id} is aborted, so no commit may carry it, yet version {version} is said to: compare the \
                     ledger with the table's log"
                )));
            }
            None => {
                return Err(Failure::lasting(format!(
                    "batch {id} has no record, yet version {version} is said to carry it: the ledger was lost or restored"
                )));
            }
        }
    }
    Ok(open)
}

/// Marks a group in one transaction. Refused means that another call marked some of it first: those are left away.
async fn mark_group(door: &Door, group: &[(BatchId, Sealed)], version: u64) -> Result<(), Failure> {
    let mut open = group.to_vec();
    let mut waits = Waits::default();
    while !open.is_empty() {
        let mut writes = Vec::with_capacity(open.len() * 2);
        for (id, sealed) in &open {
            let committed = BatchRecord::Committed { sealed: sealed.clone(), version };
            let still = Condition::is("state", text("staged"));
            writes.push(Write::Put(item(*id, &sealed.pipeline, &committed)?, still));
            writes.push(Write::Delete(staged::key(&sealed.pipeline, *id)?));
        }
        match door.transact(writes).await? {
            Transacted::Done => return Ok(()),
            Transacted::Refused(_) => {
                let ids: Vec<BatchId> = open.iter().map(|(id, _)| *id).collect();
                open = still_staged(door, &ids, version).await?;
                waits.next(Failure::passing("others mark the same batches at this moment: try again")).await?;
            }
        }
    }
    Ok(())
}

/// The first `limit` batches of a pipeline above `after`, by id: a look through the whole table, in which claims are by far the most.
pub(super) async fn list(
    door: &Door,
    pipeline: &PipelineName,
    after: Option<BatchId>,
    limit: usize,
) -> Result<Vec<(BatchId, BatchRecord)>, Failure> {
    let filter = Filter {
        text: "begins_with(pk, :batches) AND pipeline = :pipeline".to_owned(),
        values: HashMap::from([
            (":batches".to_owned(), text(PREFIX)),
            (":pipeline".to_owned(), text(pipeline.as_str())),
        ]),
    };
    let mut found = BTreeMap::new();
    door.scan(&filter, Select::AllAttributes, |page| {
        for item in page.items() {
            let id = text_in(item, "pk")?.strip_prefix(PREFIX).unwrap_or_default();
            let id: BatchId = id.parse().map_err(Failure::unreadable)?;
            if after.is_none_or(|after| id > after) {
                found.insert(id, parse(item)?);
            }
            // The scan has no order: whatever is beyond the limit now stays beyond it.
            if found.len() > limit {
                found.pop_last();
            }
        }
        Ok(())
    })
    .await?;
    Ok(found.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{batch, sealed};

    #[test]
    fn records_come_back() {
        let pipeline: PipelineName = "p".parse().unwrap();
        for record in [
            BatchRecord::Aborted,
            BatchRecord::GivenUp,
            BatchRecord::Staged(sealed("p", 1)),
            BatchRecord::Committed { sealed: sealed("p", u64::MAX / 4), version: u64::MAX },
        ] {
            assert_eq!(parse(&item(batch(1), &pipeline, &record).unwrap()).unwrap(), record);
        }
    }

    #[test]
    fn a_state_of_a_newer_program_is_refused() {
        let mut item = item(batch(1), &"p".parse().unwrap(), &BatchRecord::Aborted).unwrap();
        item.insert("state".to_owned(), text("petrified"));
        assert!(parse(&item).is_err());
    }
}
