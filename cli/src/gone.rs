//! Which drops that were claimed and that no sealed batch holds are gone from their source: for them there is nothing to take over.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use drops::notification::decode_key;
use drops::{BatchId, DropId, PipelineName};
use futures::StreamExt;
use ledger::{EmbeddedLedger, Ledger, LedgerError};
#[cfg(feature = "aws")]
use {ledger::DynamoLedger, store::S3Source};

use crate::report::Failure;
use crate::status::{Books, Sealings, manifest, of_ledger};

/// So many objects of a bucket are asked for at most: each is a request, or two where it is not there.
#[cfg(feature = "aws")]
const ASKED_MAX: usize = 1_000;

/// How many of them at once.
const ASKED_AT_ONCE: usize = 32;

/// What leads from a batch to the drops that it claimed, and from a drop to its object.
pub(crate) enum Trail {
    /// A ledger that is a file, of drops in a folder.
    Folder(Arc<EmbeddedLedger>),
    /// A ledger in DynamoDB, of drops in a bucket.
    #[cfg(feature = "aws")]
    Bucket(Arc<DynamoLedger>, S3Source),
}

/// What became of the drops that no sealed batch holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gone {
    /// How many have no object any more.
    pub(crate) drops: u64,
    /// How many are no drops: names under which there never was an object that is not claimed by its own key.
    pub(crate) names: u64,
    /// How many were not asked for, or their source did not tell.
    pub(crate) untold: u64,
}

impl Trail {
    /// Whether the source is there: one that is away says nothing of its drops.
    fn sees(&self, source: &str) -> bool {
        match self {
            Self::Folder(_) => Path::new(source).is_dir(),
            #[cfg(feature = "aws")]
            Self::Bucket(..) => true,
        }
    }

    async fn claims_by_batch(&self, pipeline: &PipelineName) -> Result<Vec<(BatchId, u64)>, LedgerError> {
        match self {
            Self::Folder(ledger) => ledger.claims_by_batch(pipeline),
            #[cfg(feature = "aws")]
            Self::Bucket(ledger, _) => ledger.claims_by_batch(pipeline).await,
        }
    }

    async fn claimed_by(
        &self,
        pipeline: &PipelineName,
        batches: &HashSet<BatchId>,
    ) -> Result<Vec<(DropId, BatchId)>, LedgerError> {
        match self {
            Self::Folder(ledger) => {
                let id = |key| DropId { pipeline: pipeline.clone(), bucket: String::new(), key, version: None };
                Ok(ledger.claimed_by(pipeline, batches)?.into_iter().map(|(key, batch)| (id(key), batch)).collect())
            }
            #[cfg(feature = "aws")]
            Self::Bucket(ledger, _) => ledger.claimed_by(pipeline, batches).await,
        }
    }

    /// How many drops are asked for at most.
    fn asked_max(&self) -> usize {
        match self {
            Self::Folder(_) => usize::MAX,
            #[cfg(feature = "aws")]
            Self::Bucket(..) => ASKED_MAX,
        }
    }

    /// Whether a drop's object is gone; `None` where the source does not tell. What `ingest` would still read is not: a version that stands behind
    /// a delete marker, or that others were put over. What has another identity by now, as it has a version that was not told when it was
    /// claimed, is gone as the drop that it was taken for.
    async fn is_gone(&self, source: &str, drop: &DropId) -> Option<bool> {
        match self {
            Self::Folder(_) => {
                let found = std::fs::symlink_metadata(Path::new(source).join(&drop.key));
                Some(found.is_err_and(|e| e.kind() == ErrorKind::NotFound))
            }
            #[cfg(feature = "aws")]
            Self::Bucket(_, bucket) => bucket.is_gone(drop).await.ok(),
        }
    }
}

/// How many drops of a pipeline that no sealed batch holds are gone from its source, told by one look through the claims of those batches that
/// more claims name than there should be.
pub(crate) async fn gone(
    books: Books<'_>,
    name: &PipelineName,
    source: &str,
    sealings: &Sealings,
) -> Result<Gone, Failure> {
    let trail = books.trail;
    if !trail.sees(source) {
        return Ok(Gone::default());
    }
    let unheld = unheld(books, name, sealings).await?;
    let asked = unheld.len().min(trail.asked_max());
    let (mut untold, mut gone) = ((unheld.len() - asked) as u64, Vec::new());
    let questions = unheld.iter().take(asked).map(|drop| async move { (drop, trail.is_gone(source, drop).await) });
    let mut answers = futures::stream::iter(questions).buffer_unordered(ASKED_AT_ONCE);
    while let Some((drop, is_gone)) = answers.next().await {
        match is_gone {
            Some(true) => gone.push(drop),
            Some(false) => {}
            None => untold += 1,
        }
    }
    let names = claimed_in_vain(books.ledger, &gone).await?;
    Ok(Gone { drops: gone.len() as u64 - names, names, untold })
}

/// How many of these are no drops. EventBridge tells no encoded key from another, so `ingest` claims the one that was told, and where there is no
/// such object the decoded one: that is the drop, and its own claim stands.
async fn claimed_in_vain(ledger: &dyn Ledger, gone: &[&DropId]) -> Result<u64, Failure> {
    let in_buckets = gone.iter().filter(|drop| !drop.bucket.is_empty());
    let decoded = in_buckets.filter_map(|drop| {
        let key = decode_key(&drop.key).ok().filter(|key| *key != drop.key)?;
        Some(DropId { key, ..(*drop).clone() })
    });
    let claims = ledger.claims(&decoded.collect::<Vec<_>>()).await.map_err(of_ledger)?;
    Ok(claims.iter().flatten().count() as u64)
}

/// The drops of a pipeline that were claimed and that no sealed batch holds.
async fn unheld(books: Books<'_>, name: &PipelineName, sealings: &Sealings) -> Result<Vec<DropId>, Failure> {
    let claimed = books.trail.claims_by_batch(name).await.map_err(of_ledger)?;
    // A sealed batch is named by as many claims as it holds drops, and by those that it left out.
    let expected = |id: &BatchId| sealings.get(id).map_or(0, |(held, _)| *held);
    let suspicious: HashSet<BatchId> =
        claimed.iter().filter(|(id, claims)| *claims > expected(id)).map(|(id, _)| *id).collect();
    let mut claimed = books.trail.claimed_by(name, &suspicious).await.map_err(of_ledger)?;
    claimed.sort_unstable_by_key(|(_, batch)| *batch);
    let mut unheld = Vec::new();
    for of_batch in claimed.chunk_by(|(_, a), (_, b)| a == b) {
        let sealed = of_batch.first().and_then(|(_, batch)| sealings.get(batch));
        let manifest = match sealed {
            Some((_, sealed)) => Some(manifest(books.state, sealed).await?),
            None => None,
        };
        let is_held = |drop: &DropId| manifest.as_ref().is_some_and(|manifest| manifest.holds(drop).is_some());
        unheld.extend(of_batch.iter().map(|(drop, _)| drop).filter(|drop| !is_held(drop)).cloned());
    }
    Ok(unheld)
}

#[cfg(test)]
mod tests {
    use drops::Timestamp;
    use ledger::{Claim, Expected};

    use super::*;

    #[tokio::test]
    async fn a_name_that_was_claimed_in_vain_is_no_drop_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = EmbeddedLedger::open(&folder.path().join("ledger.db"), "l".to_owned()).unwrap();
        let id = |bucket: &str, key: &str, version: Option<&str>| DropId {
            pipeline: "p".parse().unwrap(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: version.map(str::to_owned),
        };
        let claimed = [id("b", "a b.json", None), id("b", "c+d.json", Some("v1")), id("", "a b.json", None)];
        let (batch, at) = (BatchId::from_parts(1, 1), Timestamp(1));
        let claim = Claim { batch, holder: "h".to_owned(), at, etag: String::new(), aborted: 0, aborted_alone: 0 };
        ledger.claim(&claimed.map(|id| (id, Expected::Absent, claim.clone()))).await.unwrap();
        for (gone, in_vain) in [
            (id("b", "a%20b.json", None), 1),
            (id("b", "a+b.json", None), 1),
            (id("b", "c%2Bd.json", Some("v1")), 1),
            // Another version, another object, a key that is none encoded, and a file, whose name is never encoded.
            (id("b", "c%2Bd.json", Some("v2")), 0),
            (id("b", "a%20c.json", None), 0),
            (id("b", "a%2.json", None), 0),
            (id("b", "a b.json", None), 0),
            (id("", "a%20b.json", None), 0),
        ] {
            assert_eq!(claimed_in_vain(&ledger, &[&gone]).await.unwrap(), in_vain, "{gone}");
        }
    }
}
