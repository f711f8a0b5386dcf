//! What people are told of claims: how many name each batch, and the drops of some batches.

use std::collections::{BTreeMap, BTreeSet};

use drops::{BatchId, DropId, PipelineName};
use tempfile::TempDir;

use super::{batch, file_in, fresh, open};
use crate::{ClaimOutcome, EmbeddedLedger, Expected, Ledger};

/// Drops with a bucket and without, with a version and without; claimed by two batches of one pipeline and by one of another.
async fn claimed(ledger: &EmbeddedLedger) -> Vec<(DropId, BatchId)> {
    let mut claimed = Vec::new();
    for (n, pipeline, bucket, version) in
        [(1, "p", "", None), (1, "p", "b", None), (2, "p", "", Some("v")), (1, "p", "b", Some("v")), (3, "q", "", None)]
    {
        let (id, expected, claim) = fresh("folder/key".to_owned(), n);
        let (pipeline, version) = (pipeline.parse().unwrap(), version.map(ToOwned::to_owned));
        let id = DropId { pipeline, bucket: bucket.to_owned(), version, ..id };
        assert_eq!(ledger.claim(&[(id.clone(), expected, claim)]).await.unwrap(), [ClaimOutcome::Granted], "{id}");
        claimed.push((id, batch(n)));
    }
    claimed
}

#[tokio::test]
async fn each_batch_is_told_with_the_drops_that_it_claimed() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&file_in(&folder));
    let [p, q, nobody]: [PipelineName; 3] = ["p", "q", "nobody"].map(|name| name.parse().unwrap());
    let claimed = claimed(&ledger).await;
    let counts = |name| ledger.claims_by_batch(name).unwrap().into_iter().collect::<BTreeMap<_, _>>();
    assert_eq!(counts(&p), [(batch(1), 3), (batch(2), 1)].into());
    assert_eq!(counts(&q), [(batch(3), 1)].into());
    assert_eq!(counts(&nobody), BTreeMap::new());
    let told = |name: &PipelineName, batches: &[u64]| {
        let batches = batches.iter().map(|n| batch(*n)).collect();
        ledger.claimed_by(name, &batches).unwrap().into_iter().collect::<BTreeSet<_>>()
    };
    for (name, batches) in [(&p, &[1][..]), (&p, &[2]), (&p, &[1, 2, 3]), (&q, &[1, 3]), (&q, &[1]), (&nobody, &[1])] {
        let of_these =
            |(id, own): &&(DropId, BatchId)| id.pipeline == *name && batches.iter().any(|n| batch(*n) == *own);
        let wanted = claimed.iter().filter(of_these).map(|(id, own)| (id.to_string(), *own)).collect();
        assert_eq!(told(name, batches), wanted, "{name} {batches:?}");
    }
}

#[tokio::test]
async fn drops_that_differ_in_one_part_alone_are_two() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&file_in(&folder));
    let ids: Vec<DropId> = claimed(&ledger).await.into_iter().map(|(id, _)| id).collect();
    assert!(ledger.claims(&ids).await.unwrap().iter().all(Option::is_some));
    // In a folder a key never begins with a slash, nor is it another's bucket and key.
    let (id, ..) = fresh("/folder/key".to_owned(), 1);
    let other = DropId { key: "b/folder".to_owned(), ..id.clone() };
    assert_eq!(ledger.claims(&[id.clone(), other]).await.unwrap(), [None, None]);
    let (_, _, claim) = fresh(String::new(), 9);
    assert_eq!(ledger.claim(&[(id, Expected::Absent, claim)]).await.unwrap(), [ClaimOutcome::Granted]);
}
