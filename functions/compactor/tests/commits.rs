//! The real commit path: the compactor on real Delta logs on a real S3 server, which `cargo xtask test` starts, with a proxy that loses
//! requests and replies, processes that die at each call, and delta-rs as the other writer of the table.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "commits/foreign.rs"]
mod foreign;
#[path = "commits/history.rs"]
mod history;
#[path = "commits/late.rs"]
mod late;
mod place;
#[allow(dead_code, reason = "these tests do not ask it for everything")]
#[path = "../../../shared/store/tests/s3/proxy.rs"]
mod proxy;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use auditor::{Invariant, Subject, Verdict};
use compactor::{CompactError, Opened, Outcome, Trigger, Until, Upkeep, UpkeepOutcome};
use foreign::Writer;
use history::{History, columns};
use ledger::Ledger;
use place::Place;
use place::dying::{Fuse, dying};
use place::remote::{Remote, server};
use place::rows::{self, Row, expected};
use proxy::{Fault, Proxy, Request};

/// A place whose tables are on the server.
fn remote() -> Place {
    let mut place = Place::new();
    (place.remote, place.small_files) = (Some(Remote::new()), 4);
    place
}

impl Place {
    /// The same place with other means: requests go through a proxy with this plan.
    fn spoiled(&mut self, plan: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> Proxy {
        let proxy = Proxy::start(&server(), plan);
        let remote = self.remote.as_ref().unwrap().through(&proxy.endpoint);
        self.remote = Some(remote);
        proxy
    }

    /// Before the next commit to the table reaches the server, another writer does these works.
    fn beside_next_commit(&mut self, writer: Writer, works: &'static [&'static str]) -> Once {
        let outcome: Arc<Mutex<Option<Result<(), String>>>> = Arc::default();
        let told = outcome.clone();
        let proxy = self.spoiled(move |request| {
            let mut told = told.lock().unwrap();
            if commits_to(request, "table") && told.is_none() {
                *told = Some(writer.once(works));
            }
            Fault::None
        });
        Once { outcome, _proxy: proxy }
    }

    /// No proxy any more.
    fn heal(&mut self) {
        let remote = self.remote.as_ref().unwrap().through(&server());
        self.remote = Some(remote);
    }

    async fn stage(&self, numbers: Range<u32>) {
        self.drop_files(numbers).await;
        self.ingest().await;
    }

    /// What a healthy process commits: how many commits it took.
    async fn commits(&self) -> usize {
        match self.zombie().compact(Trigger::Now).await.unwrap() {
            Outcome::Done { commits, .. } => commits.len(),
            Outcome::Busy { holder } => panic!("{holder} holds the lease"),
        }
    }

    /// The table's rows as they are on the server.
    async fn remote_rows(&self) -> Vec<Row> {
        let healed = self.remote.as_ref().unwrap().through(&server());
        rows::rows(healed.lake("table").as_ref(), healed.store("table")).await
    }

    /// Everything of these drops is in the table once, and the auditor has nothing to say.
    async fn sound(&self, drops: u32) {
        assert_eq!(self.remote_rows().await, expected(drops));
        self.audited(drops).await;
    }

    /// The auditor has nothing to say.
    async fn audited(&self, drops: u32) {
        let verdict = self.verdict(drops).await;
        assert!(verdict.holds() && verdict.unchecked.is_empty(), "{verdict:#?}");
    }

    /// What the auditor says of the table as it is on the server, in which so many drops are.
    async fn verdict(&self, drops: u32) -> Verdict {
        let healed = self.remote.as_ref().unwrap().through(&server());
        let subject = Subject {
            ledger: self.ledger.clone(),
            lake: healed.lake("table"),
            audit: healed.lake("table_drops"),
            state: self.state.clone(),
            table_store: healed.store("table"),
            audit_store: healed.store("table_drops"),
        };
        assert_eq!(self.ledger.count_claims(&self.name).await.unwrap(), u64::from(drops));
        auditor::audit(&subject, &[]).await.unwrap()
    }

    /// What the table's log says of all its writers.
    async fn history(&self) -> History {
        History::of(self.remote.as_ref().unwrap().through(&server()).store("table")).await
    }
}

/// What became of another writer's works. It does them on the proxy's thread, where a panic is seen by nobody.
struct Once {
    outcome: Arc<Mutex<Option<Result<(), String>>>>,
    _proxy: Proxy,
}

impl Once {
    fn check(&self) {
        assert_eq!(*self.outcome.lock().unwrap(), Some(Ok(())), "the other writer's work");
    }
}

/// Whether a request puts a commit into the log of the table (not of its audit table).
fn commits_to(request: &Request, table: &str) -> bool {
    request.method == "PUT"
        && request.target.contains(&format!("/{table}/_delta_log/"))
        && request.target.contains(".json")
        && !request.target.contains("checkpoint")
}

/// A plan that spoils the first `times` commits to a table.
fn spoil_commits(table: &'static str, fault: Fault, times: u32) -> impl Fn(&Request) -> Fault + Send + Sync {
    let left = AtomicU32::new(times);
    let take = move || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
    move |request| if commits_to(request, table) && take() { fault } else { Fault::None }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_found_in_the_log() {
    let faults = [
        Fault::LoseReply,
        Fault::DropRequest,
        Fault::Answer(503, "SlowDown"),
        Fault::Answer(409, "ConditionalRequestConflict"),
        Fault::Answer(500, "InternalError"),
    ];
    // The client asks again by itself first, and is told of its own commit that the version is taken: so once, and more often than it asks.
    for (table, fault, times) in ["table", "table_drops"]
        .into_iter()
        .flat_map(|table| faults.into_iter().map(move |fault| (table, fault)))
        .flat_map(|(table, fault)| [1, 3, 8].map(|times| (table, fault, times)))
    {
        let mut place = remote();
        place.stage(0..3).await;
        let proxy = place.spoiled(spoil_commits(table, fault, times));
        assert_eq!(place.commits().await, 1, "{table} {fault:?} {times}");
        let puts = proxy.seen().iter().filter(|request| commits_to(request, table)).count();
        assert!(puts > 1, "{table} {fault:?} {times} spoiled nothing");
        place.sound(3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_not_settled_is_settled_by_the_next_process() {
    let mut place = remote();
    place.stage(0..3).await;
    let proxy = place.spoiled(spoil_commits("table_drops", Fault::Answer(403, "AccessDenied"), u32::MAX));
    let error = place.zombie().compact(Trigger::Now).await.unwrap_err();
    assert!(error.to_string().contains("AccessDenied"), "{error}");
    assert_eq!(place.ledger.head(&place.name).await.unwrap(), None);
    drop(proxy);
    place.heal();
    assert!(matches!(place.zombie().open().await.unwrap(), Opened::Table { version: 1, .. }));
    assert_eq!(place.ledger.head(&place.name).await.unwrap(), Some(1));
    assert_eq!(place.commits().await, 0);
    place.sound(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_anywhere_in_a_compaction_leaves_each_batch_committed_once() {
    let mut calls = 0;
    for n in 0.. {
        let mut burnt = false;
        for after_effect in [false, true] {
            let place = remote();
            for start in [0, 1] {
                place.stage(start..start + 1).await;
            }
            let fuse = Fuse::new(n, after_effect);
            let dead = place.compactor_with(|parts| dying(parts, &fuse, true));
            let _ = dead.compact(Trigger::Now).await;
            burnt |= fuse.burnt();
            let healthy = place.zombie();
            assert!(matches!(healthy.open().await.unwrap(), Opened::Table { .. }));
            let _ = healthy.compact(Trigger::Now).await.unwrap();
            place.sound(2).await;
        }
        calls = n;
        if !burnt {
            break;
        }
    }
    assert!(calls > 20, "only {calls} calls were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_compactors_at_once_commit_each_batch_once() {
    for _ in 0..4 {
        let place = remote();
        for start in [0, 2, 4] {
            place.stage(start..start + 2).await;
        }
        let (one, two) = (place.compactor(), place.zombie());
        let (one, two) = tokio::join!(one.compact(Trigger::Now), two.compact(Trigger::Now));
        for outcome in [one, two] {
            match outcome {
                // The lease keeps one away; where it does not, its runs were committed and deleted by the other.
                Ok(_) | Err(CompactError::Merge { .. }) => {}
                Err(e) => panic!("{e}"),
            }
        }
        place.commits().await;
        place.sound(6).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_lost_on_the_way_no_row_is_lost_or_doubled() {
    const ROUNDS: u32 = 8;
    for seed in 0..3_u64 {
        let mut place = remote();
        place.stage(0..1).await;
        let count = AtomicU32::new(0);
        let proxy = place.spoiled(move |_| {
            let n = u64::from(count.fetch_add(1, Ordering::Relaxed));
            // Multiplicative hashing: the same faults in the same order for a seed.
            match (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ (seed << 7)).rotate_left(29) % 60 {
                0 | 1 => Fault::LoseReply,
                2 => Fault::DropRequest,
                3 => Fault::Cut(40),
                4 => Fault::Answer(503, "SlowDown"),
                5 => Fault::Answer(409, "ConditionalRequestConflict"),
                _ => Fault::None,
            }
        });
        let mut failed = 0;
        for round in 1..ROUNDS {
            place.stage(round..round + 1).await;
            failed += u32::from(place.zombie().compact(Trigger::Now).await.is_err());
            failed += u32::from(place.zombie().upkeep(Upkeep::Full, &Until::never()).await.is_err());
        }
        println!("seed {seed}: {} requests, {failed} of {} calls failed", proxy.seen().len(), 2 * (ROUNDS - 1));
        place.heal();
        assert!(matches!(place.zombie().open().await.unwrap(), Opened::Table { .. }));
        place.commits().await;
        place.sound(ROUNDS).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_delta_rs_commits_before_ours_is_stepped_over_or_taken_into_account() {
    let works: [&[&str]; 6] = [
        &["append:5"],
        &["append:5", "optimize"],
        &["column:theirs"],
        &["property:theirs.key=7", "column:theirs", "append:2"],
        &["delete:row = 9"],
        &["delete:id = 1"],
    ];
    for works in works {
        let mut place = remote();
        for n in 0..3 {
            place.stage(n..n + 1).await;
            assert_eq!(place.commits().await, 1);
        }
        place.stage(3..5).await;
        let writer = Writer::of(place.remote.as_ref().unwrap());
        let beside = place.beside_next_commit(writer, works);
        assert_eq!(place.commits().await, 1);
        beside.check();
        place.heal();
        let deleted = check_beside(&place, 5, &[]).await;
        let expected = if works[0] == "delete:row = 9" { 3 } else { 10 };
        assert_eq!(deleted, if works[0].starts_with("delete") { expected } else { 0 }, "{works:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_changes_the_table_keeps_what_delta_rs_made_of_it_right_before() {
    let works: [&[&str]; 4] = [
        &["column:theirs"],
        &["property:theirs.key=7"],
        &["column:theirs", "property:theirs.key=7"],
        // The very column that comes with our rows, as text.
        &["column:ours"],
    ];
    for works in works {
        let mut place = remote();
        place.stage(0..2).await;
        assert_eq!(place.commits().await, 1);
        let rows: Vec<String> =
            (0..10).map(|row| format!("{{\"id\":2,\"row\":{row},\"shop\":2,\"ours\":\"{row}\"}}\n")).collect();
        place.drop_file(2, &rows.concat());
        place.ingest().await;
        let writer = Writer::of(place.remote.as_ref().unwrap());
        let beside = place.beside_next_commit(writer, works);
        assert_eq!(place.commits().await, 1);
        beside.check();
        place.heal();
        assert_eq!(check_beside(&place, 3, if works[0] == "column:ours" { &[] } else { &["ours"] }).await, 0);
    }
}

/// What is in the table is what it should be, exactly: of our rows and of the other writer's each once, but for those that a commit of the
/// other deleted, of which none came back; and all that the other made of the table, with columns of ours that came since. Gives how many of
/// our rows the other deleted.
async fn check_beside(place: &Place, drops: u32, columns_since: &[&str]) -> usize {
    let history = place.history().await;
    let (deleted, brought) = history.rows_of_others().await;
    let mut rows: Vec<Row> = expected(drops).into_iter().filter(|row| !deleted.contains(row)).collect();
    assert_eq!(rows.len() + deleted.len(), expected(drops).len(), "it deletes what is there: {deleted:?}");
    rows.extend(brought);
    rows.sort();
    assert_eq!(place.remote_rows().await, rows);
    check_table(&history, columns_since);
    let verdict = place.verdict(drops).await;
    let named: BTreeSet<&str> = verdict.findings.iter().map(|finding| finding.object.as_str()).collect();
    let lacking: BTreeSet<&str> = deleted.iter().map(|row| row.3.as_str()).collect();
    assert_eq!(named, lacking, "{verdict:#?}");
    assert!(verdict.findings.iter().all(|finding| finding.invariant == Invariant::RowsOnce), "{verdict:#?}");
    assert!(verdict.unchecked.is_empty(), "{verdict:#?}");
    deleted.len()
}

/// Where another writer changed the table, it is what that one made of it, but for these columns of ours.
fn check_table(history: &History, columns_since: &[&str]) {
    let (now, Some(theirs)) = history.metadata() else { return };
    let (mut ours, theirs_columns) = (columns(now), columns(theirs));
    assert!(ours.starts_with(&theirs_columns), "{ours:?} has not all of {theirs_columns:?}");
    let since: Vec<String> =
        ours.drain(theirs_columns.len()..).map(|column| column["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(since, columns_since);
    for said in ["id", "name", "description", "partitionColumns", "configuration", "createdTime", "format"] {
        assert_eq!(now[said], theirs[said], "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_of_small_files_is_void_when_delta_rs_changed_them_first() {
    let works: [(&[&str], usize); 6] = [
        // A whole file: were it merged all the same, each of its rows would be there once.
        (&["delete:id = 2"], 10),
        (&["delete:id = 2 and row = 9"], 1),
        (&["optimize"], 0),
        (&["append:3"], 0),
        (&["column:theirs"], 0),
        (&["property:theirs.key=7"], 0),
    ];
    for (work, deletes) in works {
        let mut place = remote();
        for n in 0..6 {
            place.stage(n..n + 1).await;
            assert_eq!(place.commits().await, 1);
        }
        let writer = Writer::of(place.remote.as_ref().unwrap());
        let beside = place.beside_next_commit(writer, work);
        let report = match place.zombie().upkeep(Upkeep::Merge, &Until::never()).await.unwrap() {
            UpkeepOutcome::Done(report) => report,
            UpkeepOutcome::Busy { holder } => panic!("{holder} holds the lease"),
        };
        beside.check();
        // `optimize` left one file, so that nothing is small and many any more.
        assert_eq!(report.files_merged > 0, work[0] != "optimize", "{work:?}: {report:?}");
        place.heal();
        assert_eq!(check_beside(&place, 6, &[]).await, deletes, "{work:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn delta_rs_writes_all_the_while() {
    const ROUNDS: u32 = 12;
    // A DELETE of delta-rs does not see an OPTIMIZE that committed meanwhile, and doubles rows by itself: never both.
    for works in [["append:2", "delete:row = 9", "column:theirs"], ["append:2", "optimize", "column:theirs"]] {
        let place = Arc::new(remote());
        place.stage(0..1).await;
        let writer = Writer::of(place.remote.as_ref().unwrap());
        let beside = writer.again_and_again(&works);
        for round in 1..ROUNDS {
            place.stage(round..round + 1).await;
            place.commits().await;
        }
        let told = beside.end();
        println!("{works:?}: {told}");
        assert!(told["done"]["append"].as_u64().unwrap() > 2, "the other writer was there: {told}");
        let deleted = check_beside(&place, ROUNDS, &[]).await;
        assert!(deleted == 0 || told["done"]["delete"].as_u64() > Some(0), "{told}");
        let foreign = place.remote_rows().await.into_iter().filter(|row| row.0 >= foreign::FIRST).count() as u64;
        assert_eq!(foreign, 2 * told["done"]["append"].as_u64().unwrap(), "its rows are its own");
    }
}
