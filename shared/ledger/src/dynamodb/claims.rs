//! Items `drop#<pipeline>#<bucket>/<key>`: one claim each, kept for ever.
//!
//! The version, where it is part of the identity, is the sort key: a key may itself hold an `@`, so behind it in one text it would not be
//! told from the key. A bucket holds no `/` and a pipeline's name no `#`. The partition key has at most 5 + 64 + 1 + 63 + 1 + 1,024
//! bytes of the 2,048 that DynamoDB takes (an S3 key has 1,024 bytes of UTF-8, and is kept decoded); every drop has its own, so that
//! claims spread over all partitions.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::Select;
use drops::{BatchId, DropId, PipelineName, Timestamp};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{Claim, ClaimOutcome, Expected};

use super::condition::Condition;
use super::door::{Door, Written};
use super::failure::Failure;
use super::item::{Item, Key, number, number_in, text, text_in};
use super::many::Filter;

/// Claims in flight. At 5 ms each this is over 10,000 claims a second, more than one invocation reads; more would only cost a small
/// function memory for connections.
const AT_ONCE: usize = 64;

/// The sort key where the version is no part of the identity.
const UNVERSIONED: &str = "drop";

fn key(id: &DropId) -> Result<Key, Failure> {
    let sk = match &id.version {
        Some(version) => format!("@{version}"),
        None => UNVERSIONED.to_owned(),
    };
    Key::new(format!("{}{}/{}", prefix(&id.pipeline), id.bucket, id.key), sk)
}

fn prefix(pipeline: &PipelineName) -> String {
    format!("drop#{pipeline}#")
}

fn item(key: Key, claim: &Claim) -> Item {
    let mut item = key.into_item();
    item.extend([
        ("batch".to_owned(), text(claim.batch.to_string())),
        ("holder".to_owned(), text(&claim.holder)),
        ("at".to_owned(), number(claim.at.0)),
        ("etag".to_owned(), text(&claim.etag)),
        ("aborted".to_owned(), number(claim.aborted)),
        ("aborted_alone".to_owned(), number(claim.aborted_alone)),
    ]);
    item
}

fn parse(item: &Item) -> Result<Claim, Failure> {
    Ok(Claim {
        batch: batch_of(item)?,
        holder: text_in(item, "holder")?.to_owned(),
        at: Timestamp(number_in(item, "at")?),
        etag: text_in(item, "etag")?.to_owned(),
        aborted: number_in(item, "aborted")?,
        aborted_alone: number_in(item, "aborted_alone")?,
    })
}

/// The claims on these drops, in their order.
pub(super) async fn standing(door: &Door, ids: &[DropId]) -> Result<Vec<Option<Claim>>, Failure> {
    let keys = ids.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    let found = door.get_many(keys.clone()).await?;
    keys.iter().map(|key| found.get(key).map(parse).transpose()).collect()
}

/// Claims drops, each by itself: one conditional put for each. See `Ledger::claim`.
pub(super) async fn claim(door: &Door, wanted: &[(DropId, Expected, Claim)]) -> Result<Vec<ClaimOutcome>, Failure> {
    let lines = lines(wanted);
    let mut answers = stream::iter(lines).map(|line| claim_line(door, wanted, line)).buffer_unordered(AT_ONCE);
    let mut outcomes: Vec<(usize, ClaimOutcome)> = Vec::with_capacity(wanted.len());
    while let Some(answered) = answers.try_next().await? {
        outcomes.extend(answered);
    }
    outcomes.sort_unstable_by_key(|(index, _)| *index);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// The indexes of what is wanted, by drop: what one call wants of the same drop happens in the call's order.
fn lines(wanted: &[(DropId, Expected, Claim)]) -> Vec<Vec<usize>> {
    let mut lines: Vec<Vec<usize>> = Vec::with_capacity(wanted.len());
    let mut line_of: HashMap<&DropId, usize> = HashMap::with_capacity(wanted.len());
    for (index, (id, _, _)) in wanted.iter().enumerate() {
        let line = *line_of.entry(id).or_insert(lines.len());
        match lines.get_mut(line) {
            Some(known) => known.push(index),
            None => lines.push(vec![index]),
        }
    }
    lines
}

async fn claim_line(
    door: &Door,
    wanted: &[(DropId, Expected, Claim)],
    line: Vec<usize>,
) -> Result<Vec<(usize, ClaimOutcome)>, Failure> {
    let mut outcomes = Vec::with_capacity(line.len());
    for index in line {
        let (id, expected, claim) = &wanted[index];
        outcomes.push((index, claim_one(door, id, expected, claim).await?));
    }
    Ok(outcomes)
}

async fn claim_one(door: &Door, id: &DropId, expected: &Expected, claim: &Claim) -> Result<ClaimOutcome, Failure> {
    let condition = match expected {
        Expected::Absent => Condition::Absent,
        Expected::HeldBy(batch) => Condition::is("batch", text(batch.to_string())),
    };
    match door.put(item(key(id)?, claim), condition).await? {
        Written::Done => Ok(ClaimOutcome::Granted),
        Written::Refused(Some(item)) => match parse(&item)? {
            // This batch's own claim: an earlier call's, or an earlier try's whose answer was lost.
            standing if standing.batch == claim.batch => Ok(ClaimOutcome::Granted),
            standing => Ok(ClaimOutcome::Held(standing)),
        },
        Written::Refused(None) => Err(Failure::lasting(format!(
            "the claim on '{id}' that was read before is gone, so the table was restored or items of it were deleted: stop all \
             functions on it, and find out who did so before they run again"
        ))),
    }
}

/// The drop that an item is of.
fn drop_of(item: &Item, pipeline: &PipelineName) -> Result<DropId, Failure> {
    let Key { pk, sk } = Key::of(item)?;
    let place = pk.strip_prefix(&prefix(pipeline)).and_then(|place| place.split_once('/'));
    let (bucket, key) = place.ok_or_else(|| Failure::lasting(format!("the key '{pk}' is no claim's of {pipeline}")))?;
    let version = sk.strip_prefix('@').map(str::to_owned);
    Ok(DropId { pipeline: pipeline.clone(), bucket: bucket.to_owned(), key: key.to_owned(), version })
}

fn batch_of(item: &Item) -> Result<BatchId, Failure> {
    text_in(item, "batch")?.parse().map_err(Failure::unreadable)
}

/// What a look through the claims of a pipeline keeps.
fn all_of(pipeline: &PipelineName) -> Filter {
    Filter {
        text: "begins_with(pk, :drops)".to_owned(),
        values: HashMap::from([(":drops".to_owned(), text(prefix(pipeline)))]),
    }
}

/// How many claims of a pipeline name each batch: a look through the whole table.
pub(super) async fn by_batch(door: &Door, pipeline: &PipelineName) -> Result<Vec<(BatchId, u64)>, Failure> {
    let mut counts: HashMap<BatchId, u64> = HashMap::new();
    door.scan(&all_of(pipeline), Select::AllAttributes, |page| {
        for item in page.items() {
            *counts.entry(batch_of(item)?).or_default() += 1;
        }
        Ok(())
    })
    .await?;
    Ok(counts.into_iter().collect())
}

/// The drops of a pipeline whose claims name one of these batches: a look through the whole table, as no index leads to them.
pub(super) async fn of_batches(
    door: &Door,
    pipeline: &PipelineName,
    batches: &HashSet<BatchId>,
) -> Result<Vec<(DropId, BatchId)>, Failure> {
    let mut found = Vec::new();
    door.scan(&all_of(pipeline), Select::AllAttributes, |page| {
        for item in page.items() {
            let batch = batch_of(item)?;
            if batches.contains(&batch) {
                found.push((drop_of(item, pipeline)?, batch));
            }
        }
        Ok(())
    })
    .await?;
    Ok(found)
}

/// How many claims a pipeline has: a look through the whole table.
pub(super) async fn count(door: &Door, pipeline: &PipelineName) -> Result<u64, Failure> {
    let mut count = 0;
    door.scan(&all_of(pipeline), Select::Count, |page| {
        count += u64::try_from(page.count).map_err(Failure::unreadable)?;
        Ok(())
    })
    .await?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_drop() -> impl Strategy<Value = DropId> {
        let pipeline = prop::sample::select(vec!["p", "p-", "pp"]);
        let bucket = prop::sample::select(vec!["", "b", "b-b", "bb"]);
        (pipeline, bucket, "[a@/#b-]{0,4}", prop::option::of("[a@/#b]{0,3}")).prop_map(
            |(pipeline, bucket, key, version)| DropId {
                pipeline: pipeline.parse().unwrap(),
                bucket: bucket.to_owned(),
                key,
                version,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn drops_have_their_own_keys(a in any_drop(), b in any_drop()) {
            prop_assert_eq!(key(&a).unwrap() == key(&b).unwrap(), a == b, "{:?} {:?}", a, b);
            prop_assert_eq!(&drop_of(&key(&a).unwrap().into_item(), &a.pipeline).unwrap(), &a);
        }
    }

    proptest! {
        #[test]
        fn claims_come_back(ms in 0..1_u64 << 48, random: u128, holder: String, at: i64, etag: String, aborted: u32, alone: u32) {
            let batch = BatchId::from_parts(ms, random);
            let claim = Claim { batch, holder, at: Timestamp(at), etag, aborted, aborted_alone: alone };
            let key = Key::new("drop#p#b/k".to_owned(), "drop".to_owned()).unwrap();
            prop_assert_eq!(parse(&item(key, &claim)).unwrap(), claim);
        }
    }

    #[test]
    fn the_longest_names_fit() {
        let id = DropId {
            pipeline: "p".repeat(64).parse().unwrap(),
            bucket: "b".repeat(63),
            key: "k".repeat(1_024),
            version: Some("v".repeat(1_023)),
        };
        assert!(key(&id).is_ok());
        assert!(key(&DropId { version: Some("v".repeat(1_024)), ..id }).is_err());
    }

    #[test]
    fn what_is_wanted_of_one_drop_keeps_its_order() {
        let wanted: Vec<_> = ["a", "b", "a", "c", "b", "a"]
            .map(|key| {
                let id = DropId {
                    pipeline: "p".parse().unwrap(),
                    bucket: "b".to_owned(),
                    key: key.to_owned(),
                    version: None,
                };
                let (batch, at) = (BatchId::from_parts(1, 1), Timestamp(1));
                let (holder, etag) = (String::new(), String::new());
                (id, Expected::Absent, Claim { batch, holder, at, etag, aborted: 0, aborted_alone: 0 })
            })
            .to_vec();
        assert_eq!(lines(&wanted), [vec![0, 2, 5], vec![1, 4], vec![3]]);
    }
}
