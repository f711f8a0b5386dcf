//! The compactor over a real ledger, real runs and the log's double: lost answers, crashes, foreign commits, lost and restored halves.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod place;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema};
use async_trait::async_trait;
use auditor::{Invariant, Subject};
use bytes::Bytes;
use compactor::{CompactError, Compactor, CompactorSettings, NotOpened, Opened, Outcome, Trigger, Until, Upkeep};
use decode::schema::TableSchema;
use drops::{BatchId, Timestamp};
use lake::{Foreign, Lake, TableMetadata};
use ledger::{BatchRecord, LeaseOutcome, Ledger, Liveness, Suspect};
use place::Place;
use place::dying::{Fuse, dying, losing_lease, restored};
use place::lakes::{Cleaned, Fault, FaultyLake};
use place::rows::expected;
use runtime::{Clock, SystemClock};
use store::{ObjectWriter, RandomRead, Store, StoreError};

async fn commits(place: &Place) -> usize {
    commits_of(&place.compactor()).await
}

async fn commits_of(compactor: &Compactor) -> usize {
    match compactor.compact(Trigger::Now).await.unwrap() {
        Outcome::Done { commits, .. } => commits.len(),
        Outcome::Busy { holder } => panic!("{holder} holds the lease"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_is_committed_once_and_each_commit_audited_once() {
    let place = Place::new();
    place.drop_files(0..30).await;
    place.ingest().await;
    assert_eq!(commits(&place).await, 1);
    assert_eq!(commits(&place).await, 0);
    place.drop_files(30..40).await;
    place.ingest().await;
    assert_eq!(commits(&place).await, 1);
    place.audit_of(40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_found_in_the_log() {
    for fault in [Fault::LoseAnswer, Fault::FailBefore] {
        let place = Place::new();
        place.drop_files(0..5).await;
        place.ingest().await;
        place.lake.fault(fault, 3);
        assert_eq!(commits(&place).await, 1, "{fault:?}");
        place.audit_of(5).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_others_in_the_audit_tables_place_is_not_written_to() {
    for ours in [false, true] {
        let place = Place::new();
        let mark = ours.then(|| (compactor::CREATED_BY.to_owned(), "1".to_owned()));
        let metadata = TableMetadata {
            id: "theirs".into(),
            schema: Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, true)])),
            partition_columns: vec![],
            configuration: mark.into_iter().collect(),
            created: Timestamp(0),
        };
        place.audit.inner.append_foreign(Foreign { metadata: Some(metadata), ..Foreign::default() }).unwrap();
        let refused = place.compactor().open().await.unwrap_err();
        assert!(matches!(refused, CompactError::Apart(NotOpened::AuditForeign { .. })), "{refused}");
        assert!(
            refused.to_string().contains("table_drops") && refused.to_string().contains("move it away"),
            "{refused}"
        );
        assert!(place.lake.head(&[]).await.unwrap().is_none(), "nothing was made");
        assert_eq!(place.audit.head(&[]).await.unwrap().unwrap().version, 0);
    }
}

/// A commit of five drops whose process died between it and its audit rows.
async fn left_unsettled() -> Place {
    let place = Place::new();
    place.drop_files(0..5).await;
    place.ingest().await;
    place.audit.fault(Fault::FailBefore, u64::MAX);
    assert!(place.compactor().compact(Trigger::Now).await.is_err());
    assert_eq!(place.lake.commits.load(Ordering::Relaxed), 2, "the table and its first rows");
    assert_eq!(place.ledger.head(&place.name).await.unwrap(), None);
    place.audit.fault(Fault::FailBefore, 0);
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_not_settled_is_settled_by_the_next_process() {
    let place = left_unsettled().await;
    assert!(matches!(place.compactor().open().await.unwrap(), Opened::Table { version: 1, .. }));
    assert_eq!(place.ledger.head(&place.name).await.unwrap(), Some(1));
    assert_eq!(commits(&place).await, 0);
    place.audit_of(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_cleaned_up_before_it_was_settled_is_marked_with_no_version_that_is_there() {
    let place = left_unsettled().await;
    for _ in 2..5 {
        place.lake.inner.append_foreign(Foreign::default()).unwrap();
    }
    let cleaned = |lake: &Arc<dyn Lake>| Arc::new(Cleaned { inner: lake.clone(), from: 3 });
    let compactor = place.compactor_with(|parts| parts.lake = cleaned(&parts.lake));
    compactor.open().await.unwrap();
    let batches = place.ledger.batches(&place.name, None, 10).await.unwrap();
    assert!(matches!(&batches[..], [(_, BatchRecord::Committed { version: 2, .. })]), "{batches:?}");
    let subject = place.subject();
    let verdict = auditor::audit(&Subject { lake: cleaned(&subject.lake), ..subject }, &[]).await.unwrap();
    assert!(verdict.holds(), "{verdict:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_rows_that_another_appended_first_leave_no_file_and_those_that_were_sent_twice_keep_theirs() {
    let place = Place::new();
    place.commit_often(1, 1).await;
    for (round, sent_twice) in [(1, false), (2, true)] {
        place.drop_files(round..round + 1).await;
        place.ingest().await;
        if sent_twice {
            place.audit.fault(Fault::SendTwice, 1);
        } else {
            // Its `txn` is the next intent's.
            let txns = [("lithify/p".to_owned(), 2)].into();
            place.audit.foreign_next(Foreign { txns, ..Foreign::default() });
        }
        assert_eq!(commits(&place).await, 1);
        // No file that the table names is gone, and there is no other.
        assert_eq!(place.unnamed("audit", &place.audit), Vec::<String>::new(), "sent twice: {sent_twice}");
        assert_eq!(place.audit.live_files().await.unwrap().len(), if sent_twice { 2 } else { 1 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_others_stand_on_is_settled_at_its_own_version() {
    let place = Place::new();
    place.drop_files(0..5).await;
    place.ingest().await;
    place.audit.fault(Fault::FailBefore, u64::MAX);
    let failed = place.compactor();
    assert!(failed.compact(Trigger::Now).await.is_err());
    let landed: Vec<_> = failed.take_landed().iter().map(|commit| (commit.version, commit.drops)).collect();
    assert_eq!(landed, [(1, 5)], "what landed is told of although it is not settled");
    assert!(failed.take_landed().is_empty());
    place.audit.fault(Fault::FailBefore, 0);
    for _ in 0..2 {
        place.lake.inner.append_foreign(Foreign::default()).unwrap();
    }
    assert!(matches!(place.compactor().open().await.unwrap(), Opened::Table { version: 3, .. }));
    // The version at which the batches are marked carries their intent.
    place.audit_of(5).await;
    assert_eq!(commits(&place).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_table_that_was_lost_is_told_of_when_opening_and_when_committing() {
    let place = Place::new();
    place.drop_files(0..5).await;
    place.ingest().await;
    let before = place.compactor();
    assert_eq!(commits_of(&before).await, 1);
    assert_eq!(before.take_warnings(), [""; 0]);

    let lost = Arc::new(FaultyLake::new());
    let with_lost = || place.compactor_with(|parts| parts.audit = lost.clone());
    let opening = with_lost();
    let _ = opening.open().await.unwrap();
    let _ = opening.open().await.unwrap();
    let told = opening.take_warnings();
    assert!(matches!(&told[..], [one] if one.contains("lacks the accounting of pipeline p, all that")), "{told:?}");

    // One that was open before, as while watching.
    let committing = with_lost();
    place.drop_files(5..9).await;
    place.ingest().await;
    assert_eq!(commits_of(&committing).await, 1);
    assert_eq!(committing.take_warnings(), told);
    place.drop_files(9..10).await;
    place.ingest().await;
    assert_eq!(commits_of(&committing).await, 1);
    assert_eq!(committing.take_warnings(), [""; 0], "told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_under_a_name_that_was_cleaned_up_is_none_though_it_can_be_read() {
    let place = Place::new();
    place.drop_files(0..5).await;
    place.ingest().await;
    place.lake.fault(Fault::Stale, 1);
    assert_eq!(commits(&place).await, 1);
    // The second intent carried the rows: the first is in no version.
    let txns = place.lake.head(&["lithify/p"]).await.unwrap().unwrap().txns;
    assert_eq!(txns.get("lithify/p"), Some(&2));
    assert_eq!(place.rows().await, expected(5));
    place.audit_of(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compactor_that_is_open_for_long_commits_nothing_with_another_ledger() {
    let place = Place::new();
    place.drop_files(0..5).await;
    place.ingest().await;
    let warm = place.compactor();
    assert_eq!(commits_of(&warm).await, 1);
    place.drop_files(5..9).await;
    place.ingest().await;
    let restored = place.compactor_with(|parts| parts.ledger = restored(parts.ledger.clone()));
    let refused = restored.compact(Trigger::Now).await.unwrap_err();
    assert!(matches!(refused, CompactError::Apart(NotOpened::OtherLedger { .. })), "{refused}");
    let refused = restored.upkeep(Upkeep::Full, &Until::never()).await.unwrap_err();
    assert!(matches!(refused, CompactError::Apart(NotOpened::OtherLedger { .. })), "{refused}");
    assert_eq!(commits_of(&warm).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_table_that_is_ahead_is_of_another_table() {
    let (ours, other) = (Place::new(), Place::new());
    other.drop_files(0..5).await;
    other.ingest().await;
    assert_eq!(commits(&other).await, 1);
    ours.drop_files(0..5).await;
    ours.ingest().await;
    ours.lake.fault(Fault::FailBefore, u64::MAX);
    assert!(ours.compactor().compact(Trigger::Now).await.is_err());
    ours.lake.fault(Fault::FailBefore, 0);
    let mixed = ours.compactor_with(|parts| parts.audit = other.audit.clone());
    // Made by the one that has the right audit table, the table has no commit yet.
    let _ = ours.compactor().ensure_open(&TableSchema::default()).await.unwrap();
    let refused = mixed.open().await.unwrap_err();
    assert!(
        matches!(refused, CompactError::Apart(NotOpened::AuditOfAnother { audit: Some(1), log: None, .. })),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_in_the_place_of_another_is_not_opened() {
    let (ours, other) = (Place::new(), Place::new());
    for place in [&ours, &other] {
        let _ = place.compactor().ensure_open(&TableSchema::default()).await.unwrap();
    }
    let mixed = ours.compactor_with(|parts| parts.lake = other.lake.clone());
    let refused = mixed.open().await.unwrap_err();
    assert!(matches!(refused, CompactError::Apart(NotOpened::OtherTable { .. })), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_lost_before_the_first_commit_is_noticed() {
    let place = Place::new();
    let _ = place.compactor().ensure_open(&TableSchema::default()).await.unwrap();
    let place = place.with_new_ledger();
    let error = place.compactor().open().await.unwrap_err();
    assert!(matches!(error, CompactError::Apart(NotOpened::LedgerLost { .. })), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_commits_are_stepped_over_and_their_columns_adopted() {
    let place = Place::new();
    place.drop_files(0..5).await;
    place.ingest().await;
    place.foreign_before_next_commit(None);
    assert_eq!(commits(&place).await, 1);

    place.drop_files(5..9).await;
    place.ingest().await;
    let head = place.lake.head(&[]).await.unwrap().unwrap();
    let fields = head.schema.fields().iter().cloned().chain([Field::new("theirs", DataType::Utf8, true).into()]);
    place.foreign_before_next_commit(Some(Schema::new(fields.collect::<Vec<_>>()).into()));
    assert_eq!(commits(&place).await, 1);
    let head = place.lake.head(&[]).await.unwrap().unwrap();
    assert!(head.schema.field_with_name("theirs").is_ok(), "a column of others is not taken away");
    place.audit_of(9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_others_changed_are_kept_and_never_written_over() {
    let place = Place::new();
    place.commit_often(1, 3).await;
    // These rows bring a column, so that the commit changes the schema as well: it was made from what the table was before.
    place.drop_file(3, "{\"id\":3,\"row\":0,\"shop\":0,\"new\":true}\n");
    place.ingest().await;
    let head = place.lake.head(&[]).await.unwrap().unwrap();
    let changed = |field: &Arc<Field>| match field.name().as_str() {
        "shop" => Arc::new(Field::new("shop", DataType::Utf8, true)),
        _ => field.clone(),
    };
    let theirs: Vec<_> = head.schema.fields().iter().map(changed).collect();
    place.foreign_before_next_commit(Some(Schema::new(theirs).into()));
    assert_eq!(commits(&place).await, 1);
    let head = place.lake.head(&[]).await.unwrap().unwrap();
    let of = |name: &str| head.schema.field_with_name(name).map(|field| field.data_type().clone()).ok();
    assert_eq!((of("shop"), of("new")), (Some(DataType::Utf8), Some(DataType::Boolean)));
    assert_eq!(place.lake.live_files().await.unwrap().iter().filter_map(|file| file.rows).sum::<u64>(), 31);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_compactors_at_once_commit_each_batch_once() {
    let place = Place::new();
    for start in [0, 10, 20] {
        place.drop_files(start..start + 10).await;
        place.ingest().await;
    }
    // The second owner judges the first one's lease to be dead: the lease is not what makes the commit right.
    let (one, two) = (place.compactor(), place.zombie());
    let (one, two) = tokio::join!(one.compact(Trigger::Now), two.compact(Trigger::Now));
    for outcome in [one, two] {
        match outcome {
            Ok(_) => {}
            // Its runs were committed and deleted by the other.
            Err(CompactError::Merge { .. }) => {}
            Err(e) => panic!("{e}"),
        }
    }
    commits(&place).await;
    place.audit_of(30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_ledger_stops_everything() {
    let place = Place::new();
    place.drop_files(0..5).await;
    place.ingest().await;
    commits(&place).await;
    let place = place.with_new_ledger();
    let before = place.lake.head(&[]).await.unwrap().unwrap().version;
    for error in [
        place.compactor().open().await.unwrap_err(),
        place.compactor().ensure_open(&TableSchema::default()).await.unwrap_err(),
    ] {
        assert!(matches!(error, CompactError::Apart(NotOpened::LedgerLost { .. })), "{error}");
        let told = error.to_string();
        for words in ["its ledger is new", "restore ledger from a backup, or ingest into another table"] {
            assert!(told.contains(words), "{told}");
        }
    }
    assert!(place.ledger.settings(&place.name).await.unwrap().is_none(), "no ingest may claim");
    assert_eq!(place.ledger.newest_schema("table").await.unwrap(), None);
    assert_eq!(place.lake.head(&[]).await.unwrap().unwrap().version, before, "nothing was committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_table_stops_everything() {
    let place = Place::new();
    for start in [0, 5] {
        place.drop_files(start..start + 5).await;
        place.ingest().await;
        commits(&place).await;
    }
    place.lake.inner.lose_after(1);
    let error = place.compactor().open().await.unwrap_err();
    let apart = CompactError::Apart(NotOpened::Apart { pipeline: place.name.clone(), log: Some(1), ledger: Some(2) });
    assert_eq!(error.to_string(), apart.to_string());
    tells_both(&error, "up to intent 1", "its ledger says 2");
    place.drop_files(10..12).await;
    place.ingest().await;
    assert!(
        place.compactor().compact(Trigger::Now).await.is_err(),
        "nothing is committed on a table that was restored"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_ledger_stops_everything() {
    let place = Place::new();
    place.drop_files(0..5).await;
    place.ingest().await;
    commits(&place).await;
    // The log holds an intent that the ledger, restored to an earlier moment, does not know.
    let foreign = Foreign { txns: [("lithify/p".to_owned(), 7)].into(), ..Foreign::default() };
    place.lake.inner.append_foreign(foreign).unwrap();
    let error = place.compactor().open().await.unwrap_err();
    assert!(matches!(error, CompactError::Apart(NotOpened::Apart { log: Some(7), ledger: Some(1), .. })), "{error}");
    tells_both(&error, "up to intent 7", "its ledger says 1");
    place.drop_files(5..7).await;
    place.ingest().await;
    let before = place.lake.head(&[]).await.unwrap().unwrap().version;
    let error = place.compactor().compact(Trigger::Now).await.unwrap_err();
    tells_both(&error, "up to intent 7", "its ledger says 1");
    assert_eq!(place.lake.head(&[]).await.unwrap().unwrap().version, before, "nothing was committed");
    // The auditor names the one thing that is wrong; the commit that both know of is not to blame.
    let verdict = auditor::audit(&place.subject(), &[]).await.unwrap();
    let found: Vec<_> = verdict.findings.iter().map(|one| (one.invariant, one.object.as_str())).collect();
    assert_eq!(found, [(Invariant::CommittedByIntent, "pipeline p")], "{verdict:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_lost_before_the_first_commit_is_not_made_anew() {
    let place = Place::new();
    let _ = place.compactor().ensure_open(&TableSchema::default()).await.unwrap();
    let without = place.compactor_with(|parts| parts.lake = Arc::new(FaultyLake::new()));
    let error = without.open().await.unwrap_err();
    assert!(matches!(error, CompactError::Apart(NotOpened::TableGone { .. })), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_gone_ends_the_work_with_an_error() {
    let place = Place::new();
    place.drop_files(0..5).await;
    place.ingest().await;
    for (address, _) in place.state.list("staging/p/").await.unwrap() {
        place.state.delete(&address).await.unwrap();
    }
    let compactor = place.compactor();
    let compacted = tokio::time::timeout(Duration::from_secs(60), compactor.compact(Trigger::Now)).await;
    let error = compacted.expect("it does not begin again for ever").unwrap_err();
    assert!(error.to_string().contains("staging/p/"), "{error}");
}

/// Takes nobody for dead.
struct AllAlive;

impl Liveness for AllAlive {
    fn is_dead(&self, _: &str, _: Timestamp, _: Timestamp) -> bool {
        false
    }

    fn suspect(&self, _: &str, _: BatchId) -> Suspect {
        Suspect::None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_the_lease_is_left_alone_and_who_lost_it_stops() {
    let place = Place::new();
    place.drop_files(0..5).await;
    place.ingest().await;
    let losing = place.compactor_with(|parts| parts.ledger = losing_lease(parts.ledger.clone()));
    let done = losing.compact(Trigger::Now).await.unwrap();
    assert!(matches!(done, Outcome::Done { commits, unfinished: true, .. } if commits.is_empty()));

    // A process dies with the lease: the first of these that comes so far.
    let asked = || place.ledger.acquire_lease("table", "asking", Timestamp(i64::MAX), None);
    let mut left = None;
    for calls in 0..40 {
        let dead = place.compactor_with(|parts| dying(parts, &Fuse::new(calls, true), false));
        dead.compact(Trigger::Now).await.unwrap_err();
        match asked().await.unwrap() {
            LeaseOutcome::Granted(lease) => place.ledger.release_lease("table", &lease).await.unwrap(),
            LeaseOutcome::Held(lease) => {
                left = Some(lease);
                break;
            }
        }
    }
    let left = left.expect("it died with the lease");
    assert!(left.expires > SystemClock::new().now(), "it was granted for a time to come");
    let waiting = place.compactor_with(|parts| {
        (parts.owner, parts.liveness) = ("waiting".to_owned(), Arc::new(AllAlive));
    });
    let busy = waiting.compact(Trigger::Now).await.unwrap();
    assert!(matches!(busy, Outcome::Busy { holder } if holder == left.owner));
    assert_eq!(place.lake.head(&["lithify/p"]).await.unwrap().unwrap().txns.get("lithify/p"), None);
    assert_eq!(commits(&place).await, 1, "of the dead it is taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_written_every_so_many_versions() {
    let place = Place::new();
    for n in 0..7 {
        place.drop_files(n..n + 1).await;
        place.ingest().await;
        let settings = CompactorSettings { checkpoint_interval: 3, ..place.settings() };
        assert_eq!(commits_of(&place.compactor_of_settings(settings)).await, 1);
    }
    for lake in [&place.lake, &place.audit] {
        let newest = lake.head(&[]).await.unwrap().unwrap().version;
        let due: Vec<u64> = (1..=newest).filter(|version| version % 3 == 0).collect();
        assert!(due.len() >= 2);
        assert_eq!(*lake.checkpoints.lock().unwrap(), due);
    }
}

/// Both numbers and the remedy.
fn tells_both(error: &CompactError, log: &str, ledger: &str) {
    let told = error.to_string();
    for words in [log, ledger, "restore the table and its ledger to the same moment"] {
        assert!(told.contains(words), "{told} does not say: {words}");
    }
}

/// A state folder at whose first reading a compactor settles what was left unsettled.
struct SettledMeanwhile {
    inner: Arc<dyn Store>,
    compactor: Mutex<Option<Compactor>>,
}

#[async_trait]
impl Store for SettledMeanwhile {
    async fn get(&self, address: &str) -> Result<Bytes, StoreError> {
        let compactor = self.compactor.lock().unwrap().take();
        if let Some(compactor) = compactor {
            compactor.open().await.unwrap();
        }
        self.inner.get(address).await
    }
    async fn put(&self, address: &str, content: Bytes) -> Result<(), StoreError> {
        self.inner.put(address, content).await
    }
    async fn open(&self, address: &str) -> Result<Arc<dyn RandomRead>, StoreError> {
        self.inner.open(address).await
    }
    fn writer(&self, address: &str) -> Result<Box<dyn ObjectWriter>, StoreError> {
        self.inner.writer(address)
    }
    async fn delete(&self, address: &str) -> Result<(), StoreError> {
        self.inner.delete(address).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        self.inner.list(prefix).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_settles_while_the_auditor_looks_is_not_accused() {
    let place = left_unsettled().await;
    let subject = place.subject();
    let counts = auditor::audit(&subject, &[]).await.unwrap().counts;
    assert_eq!((counts.unsettled, counts.staged), (1, 0), "what landed does not wait");
    let state = SettledMeanwhile { inner: subject.state.clone(), compactor: Mutex::new(Some(place.compactor())) };
    let subject = Subject { state: Arc::new(state), ..subject };
    let verdict = auditor::audit(&subject, &[]).await.unwrap();
    assert!(verdict.holds(), "{verdict:#?}");
    assert_eq!((verdict.counts.commits, verdict.counts.unsettled), (1, 1), "as it was when it was asked");
    assert_eq!(place.ledger.head(&place.name).await.unwrap(), Some(1), "it was settled meanwhile");
    let verdict = auditor::audit(&subject, &[]).await.unwrap();
    assert!(verdict.holds() && verdict.counts.unsettled == 0, "{verdict:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_log_that_was_cleaned_up_the_auditor_says_what_it_did_not_see() {
    let place = Place::new();
    place.commit_often(3, 1).await;
    let void = BatchId::from_parts(1, 1);
    let _aborted = place.ledger.abort(&place.name, void).await.unwrap();
    for from in 0..4 {
        let subject = place.subject();
        let subject = Subject { lake: Arc::new(Cleaned { inner: subject.lake.clone(), from }), ..subject };
        let verdict = auditor::audit(&subject, &[]).await.unwrap();
        assert!(verdict.holds(), "{verdict:#?}");
        // Version 0 made the table.
        assert_eq!((verdict.counts.commits, verdict.counts.aborted), (4 - from.max(1), 1));
        let said = (from > 0).then(|| format!("commits below version {from}: the log was cleaned up"));
        assert_eq!(verdict.unchecked, said.into_iter().collect::<Vec<_>>());
    }
}
