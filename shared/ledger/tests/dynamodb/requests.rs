//! How many requests each call costs, as the proxy counts them; and answers of more than one page.

use std::collections::{BTreeMap, BTreeSet};

use drops::{BatchId, DropId, PipelineName, Timestamp};
use ledger::{Claim, ClaimOutcome, Expected, Ledger, Sealed, StagedTotals};

use crate::proxy::{Fate, Proxy};
use crate::{endpoint, ledger_at};

fn name() -> PipelineName {
    "p".parse().unwrap()
}

fn batch(n: u64) -> BatchId {
    BatchId::from_parts(1_700_000_000_000 + n, 1)
}

fn wanted(count: usize, etag: &str) -> Vec<(DropId, Expected, Claim)> {
    let claim = |n| {
        let key = format!("topics/orders/partition=0/orders+0+{n:010}.json.gz");
        let id = DropId { pipeline: name(), bucket: "vendor-drops".into(), key, version: None };
        let (batch, holder, etag) = (batch(1), "ingest/7f0c".into(), etag.to_owned());
        (id, Expected::Absent, Claim { batch, holder, at: Timestamp(1), etag, aborted: 0, aborted_alone: 0 })
    };
    (0..count).map(claim).collect()
}

fn sealed(n: u64, manifest: String) -> Sealed {
    Sealed {
        pipeline: name(),
        manifest,
        digest: "00".into(),
        drops: 1,
        quarantined_drops: 0,
        rows: 1,
        rescued_rows: 0,
        quarantined_records: 0,
        source_bytes: 1,
        staged_bytes: 1,
        at: Timestamp(1_000 + n.cast_signed()),
    }
}

fn counts<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts.into_iter().map(|(operation, count)| (operation.to_owned(), count)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_asks_more_than_it_must() {
    let proxy = Proxy::start(&endpoint(), |_, _| Fate::Pass).await;
    let ledger = ledger_at(&proxy.endpoint).await;
    let wanted = wanted(1_000, "\"d41d8cd98f00b204e9800998ecf8427e\"");
    for _ in 0..2 {
        let outcomes = ledger.claim(&wanted).await.unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == ClaimOutcome::Granted));
        assert_eq!(proxy.take_counts(), counts([("PutItem", 1_000)]), "one write for each drop, granted or held");
    }
    let ids: Vec<_> = wanted.iter().map(|(id, _, _)| id.clone()).collect();
    ledger.claims(&ids).await.unwrap();
    assert_eq!(proxy.take_counts(), counts([("BatchGetItem", 10)]));
    assert_eq!(ledger.staged_totals(&name()).await.unwrap(), StagedTotals::default());
    assert_eq!(proxy.take_counts(), counts([("Query", 1)]));
    for n in 0..120 {
        let _ = ledger.seal(batch(n), &sealed(n, "staging/p/m".into())).await.unwrap();
    }
    assert_eq!(proxy.take_counts(), counts([("TransactWriteItems", 120)]));
    assert_eq!(ledger.staged_totals(&name()).await.unwrap().batches, 120);
    let ids: Vec<_> = (0..120).map(batch).collect();
    ledger.mark_committed(&ids, 1).await.unwrap();
    assert_eq!(proxy.take_counts(), counts([("BatchGetItem", 2), ("Query", 1), ("TransactWriteItems", 3)]));
    ledger.mark_committed(&ids, 1).await.unwrap();
    assert_eq!(proxy.take_counts(), counts([("BatchGetItem", 2)]));
}

/// DynamoDB ends an answer at 16 MB (of keys) or 1 MB (of a query), and leaves it to the caller to ask for the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_many_pages_come_whole() {
    let proxy = Proxy::start(&endpoint(), |_, _| Fate::Pass).await;
    let ledger = ledger_at(&proxy.endpoint).await;
    let wanted = wanted(100, &"e".repeat(200_000));
    let _ = ledger.claim(&wanted).await.unwrap();
    let ids: Vec<_> = wanted.iter().map(|(id, _, _)| id.clone()).collect();
    let expected: Vec<_> = wanted.into_iter().map(|(_, _, claim)| Some(claim)).collect();
    proxy.take_counts();
    assert!(ledger.claims(&ids).await.unwrap() == expected);
    assert!(proxy.take_counts()["BatchGetItem"] > 1, "it came in one answer: this test proves nothing");
    for n in 0..20 {
        let _ = ledger.seal(batch(n), &sealed(n, "m".repeat(100_000))).await.unwrap();
    }
    proxy.take_counts();
    let staged = ledger.staged(&name()).await.unwrap();
    assert!(staged == (0..20).map(|n| (batch(n), sealed(n, "m".repeat(100_000)))).collect::<Vec<_>>());
    assert!(proxy.take_counts()["Query"] > 1, "it came in one answer: this test proves nothing");
    assert_eq!(ledger.batches(&name(), Some(batch(4)), 3).await.unwrap().len(), 3);
    assert!(proxy.take_counts()["Scan"] > 4, "it came in one answer: this test proves nothing");
}

/// What people are told of claims: how many name each batch, and the drops of some batches, whatever their names look like.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_batch_is_told_with_the_drops_that_it_claimed() {
    let ledger = ledger_at(&endpoint()).await;
    let mut claimed = Vec::new();
    for (n, pipeline, key, version) in [
        (1, "p", "a#b/c@1", None),
        (1, "p", "a#b/c", Some("1")),
        (2, "p", "/drop#p#x/y", None),
        (2, "p-", "a", None),
        (1, "p-", "a", Some("drop")),
    ] {
        let (pipeline, version) = (pipeline.parse().unwrap(), version.map(str::to_owned));
        let id = DropId { pipeline, bucket: "vendor-drops".into(), key: key.into(), version };
        let (batch, holder, etag) = (batch(n), "ingest/7f0c".into(), "e".to_owned());
        let claim = Claim { batch, holder, at: Timestamp(1), etag, aborted: 0, aborted_alone: 0 };
        assert_eq!(ledger.claim(&[(id.clone(), Expected::Absent, claim)]).await.unwrap(), [ClaimOutcome::Granted]);
        claimed.push((id, batch));
    }
    for (name, counted) in [("p", [(1, 2), (2, 1)]), ("p-", [(1, 1), (2, 1)])] {
        let name: PipelineName = name.parse().unwrap();
        let counts: BTreeMap<_, _> = ledger.claims_by_batch(&name).await.unwrap().into_iter().collect();
        assert_eq!(counts, counted.map(|(n, claims)| (batch(n), claims)).into());
        for n in [1, 2, 3] {
            let of_this = |(id, own): &&(DropId, BatchId)| id.pipeline == name && *own == batch(n);
            let wanted: BTreeSet<_> = claimed.iter().filter(of_this).cloned().collect();
            let told = ledger.claimed_by(&name, &[batch(n)].into()).await.unwrap();
            assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), wanted, "{name} {n}");
        }
    }
}
