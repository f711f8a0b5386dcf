//! Items `staged#<pipeline>#<shard>` / `<ulid>`: the compactor's list. An entry is written in the seal's transaction and removed in the
//! one that marks its batch as committed, so that the list never reads history. It repeats the record's content, so that the list is one
//! Query (about 2,000 batches a page).
//!
//! One shard is enough: a partition of DynamoDB takes 1,000 write units a second, an entry below 1 KB costs two in a transaction to
//! write and two to remove, so a pipeline can seal 250 batches a second for ever. Batches of 100 drops are then 25,000 drops
//! a second, more than one compactor merges; bursts beyond it are throttled and tried again. The shard is in the key, so that more
//! can be added without a change of what lies there.

use drops::{BatchId, PipelineName};

use crate::{Sealed, StagedTotals};

use super::door::Door;
use super::failure::Failure;
use super::item::{Item, Key, text, text_in};

const SHARD: u32 = 0;

fn partition(pipeline: &PipelineName) -> String {
    format!("staged#{pipeline}#{SHARD}")
}

/// The key of a batch's entry.
pub(super) fn key(pipeline: &PipelineName, id: BatchId) -> Result<Key, Failure> {
    Key::new(partition(pipeline), id.to_string())
}

/// A batch's entry.
pub(super) fn item(id: BatchId, sealed: &Sealed) -> Result<Item, Failure> {
    let mut item = key(&sealed.pipeline, id)?.into_item();
    item.insert("sealed".to_owned(), text(serde_json::to_string(sealed)?));
    Ok(item)
}

fn parse(item: &Item) -> Result<(BatchId, Sealed), Failure> {
    let id = text_in(item, "sk")?.parse().map_err(Failure::unreadable)?;
    Ok((id, serde_json::from_str(text_in(item, "sealed")?)?))
}

/// The staged batches of a pipeline, by id.
pub(super) async fn list(door: &Door, pipeline: &PipelineName) -> Result<Vec<(BatchId, Sealed)>, Failure> {
    door.query(&partition(pipeline), "", false).await?.iter().map(parse).collect()
}

/// Their sums.
pub(super) async fn totals(door: &Door, pipeline: &PipelineName) -> Result<StagedTotals, Failure> {
    let mut totals = StagedTotals::default();
    for (_, sealed) in list(door, pipeline).await? {
        totals.batches += 1;
        totals.staged_bytes += sealed.staged_bytes;
        totals.drops += sealed.drops;
        totals.rows += sealed.rows;
        totals.oldest = Some(totals.oldest.map_or(sealed.at, |oldest| oldest.min(sealed.at)));
    }
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{batch, sealed};

    #[test]
    fn entries_come_back_under_their_pipeline() {
        let item = item(batch(7), &sealed("p", 7)).unwrap();
        assert_eq!(parse(&item).unwrap(), (batch(7), sealed("p", 7)));
        assert_eq!(Key::of(&item).unwrap(), key(&"p".parse().unwrap(), batch(7)).unwrap());
        assert_eq!(text_in(&item, "pk").unwrap(), "staged#p#0");
    }
}
