//! A process that slept beyond the clean-up of the log, while a rival committed: what it wrote stands under a name that was free, and in no
//! version. The rival's higher number must not be taken for a sign that it landed.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod place;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use compactor::{CompactError, NotOpened, Outcome, Trigger, UPKEEP_APP_ID, Until, Upkeep, UpkeepOutcome};
use drops::{BatchId, Timestamp};
use lake::{AddFile, Foreign, Lake};
use ledger::{Intent, Ledger};
use place::Place;
use place::dying::before_seal_of;
use place::lakes::Fault;
use place::rows::expected;
use runs::{WriteSettings, write_run};
use store::Store;

/// A place with two batches, and which they are: of a rival, and of the process that sleeps. Neither has seen the other's.
async fn two_batches() -> (Place, Vec<BatchId>, Vec<BatchId>) {
    let place = Place::new();
    let staged = async || -> Vec<BatchId> {
        place.ledger.staged(&place.name).await.unwrap().into_iter().map(|(id, _)| id).collect()
    };
    place.drop_files(0..2).await;
    place.ingest().await;
    let rivals = staged().await;
    place.drop_files(2..5).await;
    place.ingest().await;
    let own: Vec<BatchId> = staged().await.into_iter().filter(|id| !rivals.contains(id)).collect();
    assert_eq!((rivals.len(), own.len()), (1, 1));
    (place, rivals, own)
}

/// A compactor that sees all but these.
fn blind_to(place: &Place, batches: &[BatchId]) -> compactor::Compactor {
    place.compactor_with(|parts| parts.ledger = before_seal_of(parts.ledger.clone(), batches.to_vec()))
}

async fn commits_of(compactor: &compactor::Compactor) -> usize {
    match compactor.compact(Trigger::Now).await.unwrap() {
        Outcome::Done { commits, .. } => commits.len(),
        Outcome::Busy { holder } => panic!("{holder} holds the lease"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rivals_higher_number_does_not_make_a_commit_that_is_in_no_version_one() {
    let (place, rivals, own) = two_batches().await;
    let (sleeper, rival, lake) = (blind_to(&place, &rivals), blind_to(&place, &own), place.lake.clone());
    place.lake.before_next(async move {
        assert_eq!(commits_of(&rival).await, 1);
        lake.fault(Fault::Stale, 1);
    });
    // The rival has the lease now, so that the sleeper leaves the rest to it.
    assert_eq!(commits_of(&sleeper).await, 0, "nothing of the sleeper landed");
    assert_eq!(place.ledger.staged(&place.name).await.unwrap().len(), 1, "its batch waits");
    assert_eq!(commits_of(&place.zombie()).await, 1);
    assert_eq!(place.rows().await, expected(5));
    assert_eq!(place.lake.head(&["lithify/p"]).await.unwrap().unwrap().txns["lithify/p"], 3);
    place.audit_of(5).await;
    assert_eq!(place.unnamed("table", &place.lake), [""; 0], "what the sleeper wrote is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_a_rival_stands_on_has_landed() {
    let (place, rivals, own) = two_batches().await;
    let (sleeper, rival) = (blind_to(&place, &rivals), blind_to(&place, &own));
    place.lake.fault(Fault::LoseAnswer, 1);
    // It settles the sleeper's commit, and commits upon it.
    place.lake.after_next(async move { assert_eq!(commits_of(&rival).await, 1) });
    assert_eq!(commits_of(&sleeper).await, 1);
    assert_eq!(place.lake.head(&["lithify/p"]).await.unwrap().unwrap().txns["lithify/p"], 2);
    assert_eq!(place.rows().await, expected(5));
    place.audit_of(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_number_that_the_ledger_does_not_know_nothing_is_concluded() {
    for predecessor in [None, Some(9)] {
        let (place, rivals, _) = two_batches().await;
        let sleeper = blind_to(&place, &rivals);
        let (lake, ledger, name) = (place.lake.clone(), place.ledger.clone(), place.name.clone());
        place.lake.before_next(async move {
            let txns = BTreeMap::from([("lithify/p".to_owned(), 9)]);
            lake.inner.append_foreign(Foreign { txns, ..Foreign::default() }).unwrap();
            lake.fault(Fault::Stale, 1);
            if predecessor.is_some() {
                // A damaged one, which rests on itself: it must come to an end.
                let (list, digest, at) = (String::new(), String::new(), drops::Timestamp(0));
                ledger.reserve_intent(&name, &Intent { number: 9, predecessor, list, digest, at }).await.unwrap();
            }
        });
        let error = sleeper.compact(Trigger::Now).await.unwrap_err();
        let apart = matches!(error, CompactError::Apart(NotOpened::Apart { log: Some(9), ledger: None, .. }));
        assert!(apart, "{error}");
        assert_eq!(place.ledger.head(&place.name).await.unwrap(), None, "nothing is settled");
        assert_eq!(place.ledger.staged(&place.name).await.unwrap().len(), 2);
    }
}

/// A place whose small files are due to be merged, and somebody else's rewrite with a number above any other.
async fn small_files() -> (Place, Foreign) {
    let mut place = Place::new();
    place.small_files = 3;
    place.commit_often(3, 1).await;
    (place, Foreign { txns: BTreeMap::from([(UPKEEP_APP_ID.to_owned(), 1 << 40)]), ..Foreign::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_rewrite_below_a_rivals_higher_number_nothing_is_concluded_without_its_files() {
    let (place, rewrite) = small_files().await;
    let lake = place.lake.clone();
    place.lake.before_next(async move {
        lake.inner.append_foreign(rewrite).unwrap();
        lake.fault(Fault::Stale, 1);
    });
    let error = place.zombie().upkeep(Upkeep::Merge, &Until::never()).await.unwrap_err();
    assert!(error.to_string().contains("it cannot be told whether it landed"), "{error}");
    assert_eq!(place.rows().await, expected(3));
    // Its files may be a version's: they stay, and its plan, by which the next rewrite can tell.
    assert_ne!(place.unnamed("table", &place.lake), [""; 0]);
    assert_eq!(place.upkeep().await.files_merged, 3);
    assert_eq!(place.rows().await, expected(3));
    assert_eq!(place.unnamed("table", &place.lake), [""; 0]);
    place.audit_of(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewrite_whose_files_are_live_has_landed_whatever_stands_above_it() {
    let (place, rewrite) = small_files().await;
    let lake = place.lake.clone();
    place.lake.fault(Fault::LoseAnswer, 1);
    place.lake.after_next(async move {
        lake.inner.append_foreign(rewrite).unwrap();
    });
    let UpkeepOutcome::Done(report) = place.zombie().upkeep(Upkeep::Merge, &Until::never()).await.unwrap() else {
        panic!("busy")
    };
    assert_eq!(report.files_merged, 3);
    assert_eq!(place.rows().await, expected(3));
    place.audit_of(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_wrote_and_what_waits_is_counted_apart() {
    let place = Place::new();
    place.commit_from(0, 1).await;
    // Others commit three times: nothing, and twice a file of which the log says too much. They are theirs, and no finding.
    place.foreign_next(Foreign::default());
    place.commit_from(1, 1).await;
    for (path, next) in [("zz1-theirs.parquet", 2), ("zz2-theirs.parquet", 3)] {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let theirs = RecordBatch::try_from_iter([("id", ids)]).unwrap();
        let content = write_run(&[theirs], &WriteSettings::default()).unwrap().bytes;
        let (size, stats) = (content.len() as u64, "{\"numRecords\":7}".to_owned());
        place.table().put(path, content).await.unwrap();
        let (partition_values, modified) = (BTreeMap::new(), Timestamp(0));
        let add = AddFile { path: path.to_owned(), partition_values, size, modified, stats };
        place.foreign_next(Foreign { adds: vec![add], ..Foreign::default() });
        place.commit_from(next, 1).await;
    }
    for n in 4..6 {
        place.drop_files(n..n + 1).await;
        place.ingest().await;
    }
    let verdict = auditor::audit(&place.subject(), &[]).await.unwrap();
    assert!(verdict.holds(), "{verdict:#?}");
    let counts = &verdict.counts;
    assert_eq!((counts.pipelines, counts.batches, counts.staged, counts.unsettled), (1, 6, 2, 0));
    assert_eq!((counts.commits, counts.foreign_commits, counts.rows, counts.foreign_rows), (4, 2, 46, 6));
}
