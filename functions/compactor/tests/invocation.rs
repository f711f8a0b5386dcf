//! One invocation of the function, over folders and an embedded ledger.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod place;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use compactor::function::{Answer, Job, Opened, Request, State, invoke};
use compactor::{Coming, CompactorSettings, Until, first_columns};
use decode::hints::Hints;
use lake::{Foreign, Lake};
use ledger::Ledger;
use place::Place;
use place::dying::{DyingLedger, Fuse, living};
use place::rows::expected;
use runtime::SystemClock;
use runtime::telemetry::{self, Metrics};
use serde_json::{Value, json};
use store::Store;

/// A pipeline as the function has it, with a delay after which its batches are due.
fn job(place: &Place, opened: &Opened, delay: Duration) -> Job {
    let settings = CompactorSettings { coming: Coming::Any, longest_delay: delay, ..place.settings() };
    Job {
        pipeline: "p".to_owned(),
        table: "table".to_owned(),
        compactor: place.compactor_of_settings(settings),
        first: first_columns(&Hints::default(), &place.order.partition_columns),
        opened: opened.clone(),
    }
}

async fn invoked(jobs: &[Job], event: serde_json::Value) -> (Answer, String) {
    let request = Request::parse(&event, &["p".to_owned()]).unwrap();
    let (clock, mut metrics) = (SystemClock::new(), Metrics::default());
    let answer = invoke(jobs, &request, &Until::never(), &clock, &mut metrics).await;
    let mut lines = Vec::new();
    metrics.flush(drops::Timestamp(0), &mut lines).unwrap();
    (answer, String::from_utf8(lines).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_is_opened_by_its_first_invocation_and_committed_when_due() {
    let place = Place::new();
    let opened = Opened::default();
    let patient = || [job(&place, &opened, Duration::from_secs(300))];
    let (answer, metrics) = invoked(&patient(), json!({"pipelines": ["p"]})).await;
    assert_eq!(answer.failure(), None);
    assert_eq!(answer.pipelines[0].state, State::NothingDue);
    assert!(place.ledger.settings(&place.name).await.unwrap().is_some(), "ingest may begin");
    assert!(metrics.contains("\"StagedAge\":[0]"), "{metrics}");

    place.drop_files(0..3).await;
    place.ingest().await;
    let (answer, _) = invoked(&patient(), json!({})).await;
    assert_eq!((answer.pipelines[0].state, answer.pipelines[0].waiting.drops), (State::NothingDue, 3));
    let (answer, metrics) = invoked(&[job(&place, &opened, Duration::ZERO)], json!({})).await;
    let told = serde_json::to_value(&answer).unwrap();
    assert_eq!(told["pipelines"][0]["state"], "committed");
    assert_eq!(told["pipelines"][0]["commits"][0]["drops"], 3);
    assert_eq!(told["pipelines"][0]["waiting"]["drops"], 0);
    assert!(metrics.contains("\"Commits\":1") && metrics.contains("\"EventToCommit\":["), "{metrics}");
    assert_eq!(place.rows().await, expected(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_invocation_asks_the_ledger_twice() {
    let place = Place::new();
    let opened = Opened::default();
    let _ = invoked(&[job(&place, &opened, Duration::ZERO)], json!({"pipelines": ["p"]})).await;
    // A ledger that dies after so many calls, and a log that is not asked at all: what waits, and which pipelines there are. Who knows
    // nothing asks for the pipeline's settings and the ledger's identity as well.
    let unknown = Opened::default();
    for (opened, calls, event) in [
        (opened.clone(), 2, json!({})),
        (opened, 2, json!({"pipelines": ["p"]})),
        (unknown.clone(), 4, json!({})),
        (unknown, 2, json!({})),
        (Opened::default(), 4, json!({"pipelines": ["p"]})),
    ] {
        let idle = Job {
            compactor: place.compactor_with(|parts| {
                let (inner, fuse) = (parts.ledger.clone(), Fuse::new(calls, false));
                parts.ledger = Arc::new(DyingLedger { fuse, ..living(inner) });
                parts.lake = Arc::new(place::lakes::Untouched);
            }),
            ..job(&place, &opened, Duration::ZERO)
        };
        let (answer, _) = invoked(&[idle], event).await;
        assert_eq!((answer.failure(), answer.pipelines[0].state), (None, State::NothingDue));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_fail_an_invocation_that_has_nothing_to_do() {
    let place = Place::new();
    let right = || job(&place, &Opened::default(), Duration::ZERO);
    assert_eq!(invoked(&[right()], json!({})).await.0.failure(), None);
    let other = CompactorSettings { source: "another".to_owned(), ..place.settings() };
    let wrong = || Job { compactor: place.compactor_of_settings(other.clone()), ..right() };
    for event in [json!({}), json!({"pipelines": ["p"]}), json!({"open": true})] {
        let failure = invoked(&[wrong()], event).await.0.failure().unwrap();
        assert!(failure.contains("reads source, not another"), "{failure}");
    }
    // What only the table can tell is seen when the pipeline is opened.
    let mut other = place.settings();
    other.write.order.partition_columns = vec!["shop".to_owned()];
    let wrong = || Job { compactor: place.compactor_of_settings(other.clone()), ..right() };
    assert_eq!(invoked(&[wrong()], json!({"pipelines": ["p"]})).await.0.failure(), None);
    let failure = invoked(&[wrong()], json!({"open": true})).await.0.failure().unwrap();
    assert!(failure.contains("partition"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_pipelines_failure_stops_no_other_and_is_named() {
    let (good, bad) = (Place::new(), Place::new());
    let opened = Opened::default();
    let _ = invoked(&[job(&good, &opened, Duration::ZERO)], json!({"pipelines": ["p"]})).await;
    good.drop_files(0..2).await;
    good.ingest().await;
    // A table that is not ours stands where the other's should be.
    bad.lake
        .inner
        .append_foreign(Foreign { metadata: Some(place::lakes::foreign_table()), ..Foreign::default() })
        .unwrap();
    let jobs = [job(&bad, &Opened::default(), Duration::ZERO), job(&good, &opened, Duration::ZERO)];
    let (answer, _) = invoked(&jobs, json!({})).await;
    assert_eq!(answer.pipelines.iter().map(|one| one.state).collect::<Vec<_>>(), [State::Failed, State::Committed]);
    let failure = answer.failure().unwrap();
    assert!(failure.starts_with("1 of 2 pipelines failed: p: the table table was not made by Lithify"), "{failure}");
    assert_eq!(good.rows().await, expected(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn upkeep_is_done_when_asked_for_and_once_for_a_table() {
    let mut place = Place::new();
    place.small_files = 3;
    place.commit_often(3, 1).await;
    let opened = Opened::default();
    let jobs = [job(&place, &opened, Duration::ZERO), job(&place, &opened, Duration::ZERO)];
    let (answer, _) = invoked(&jobs, json!({})).await;
    assert!(answer.pipelines.iter().all(|one| one.upkeep.is_none()), "nothing was committed");
    let (answer, _) = invoked(&jobs, json!({"upkeep": true})).await;
    assert_eq!(answer.failure(), None);
    let upkeep = answer.pipelines[0].upkeep.as_ref().unwrap();
    assert_eq!((upkeep.files_merged, upkeep.files_written), (3, 1));
    let further = answer.pipelines[1].upkeep.as_ref().unwrap();
    assert_eq!((further.files_merged, further.files_written), (0, 0), "it is the same table");
    assert_eq!(place.rows().await, expected(3));
    assert_eq!(place.lake.live_files().await.unwrap().len(), 1);
}

/// Another pipeline of the same table.
fn second(place: &Place, opened: &Opened) -> Job {
    let settings = CompactorSettings {
        pipeline: "q".parse().unwrap(),
        source: "elsewhere".to_owned(),
        coming: Coming::Any,
        ..place.settings()
    };
    let compactor = place.compactor_of_settings(settings);
    Job { pipeline: "q".to_owned(), compactor, ..job(place, opened, Duration::ZERO) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_in_staging_of_a_tables_second_pipeline_is_swept_as_well() {
    let place = Place::new();
    let jobs = [job(&place, &Opened::default(), Duration::ZERO), second(&place, &Opened::default())];
    assert_eq!(invoked(&jobs, json!({"open": true})).await.0.failure(), None);
    let left = ["p", "q"].map(|name| format!("staging/{name}/01E00000000000000000000000-0.parquet"));
    for address in &left {
        place.state.put(address, "x".into()).await.unwrap();
    }
    let (answer, _) = invoked(&jobs, json!({"upkeep": true})).await;
    assert_eq!(answer.failure(), None);
    let swept: Vec<u64> = answer.pipelines.iter().map(|one| one.upkeep.as_ref().unwrap().leftovers).collect();
    assert_eq!(swept, [1, 1]);
    assert_eq!(place.state.list("staging/").await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_was_removed_with_rows_staged_is_told_and_fails_the_apply() {
    let place = Place::new();
    let both = [job(&place, &Opened::default(), Duration::ZERO), second(&place, &Opened::default())];
    assert_eq!(invoked(&both, json!({"open": true})).await.0.failure(), None);
    place.drop_files(0..3).await;
    place.ingest().await;
    let without = [second(&place, &Opened::default())];
    let (answer, metrics) = invoked(&without, json!({"pipelines": ["p"]})).await;
    assert_eq!(
        (answer.failure(), answer.removed[0].pipeline.as_str(), answer.removed[0].waiting.drops),
        (None, "p", 3)
    );
    assert!(metrics.contains("\"StagedOfRemoved\":3"), "{metrics}");
    let failure = invoked(&without, json!({"open": true})).await.0.failure().unwrap();
    assert!(failure.contains("lack pipeline p, of which 3 drops") && failure.contains("put it back"), "{failure}");
    // Put back and committed, it can be removed.
    let (answer, _) = invoked(&both, json!({"pipelines": ["p"]})).await;
    assert_eq!((answer.failure(), answer.removed.len(), answer.pipelines[0].state), (None, 0, State::Committed));
    let (answer, metrics) = invoked(&without, json!({"open": true})).await;
    assert!(
        answer.failure().is_none() && answer.removed.is_empty() && !metrics.contains("StagedOfRemoved"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_commits_nothing() {
    let place = Place::new();
    let jobs = [job(&place, &Opened::default(), Duration::ZERO)];
    assert_eq!(invoked(&jobs, json!({"open": true})).await.0.failure(), None);
    place.drop_files(0..3).await;
    place.ingest().await;
    let (answer, _) = invoked(&jobs, json!({"open": true})).await;
    let told = &answer.pipelines[0];
    assert_eq!((told.state, told.commits.len(), told.waiting.drops), (State::NothingDue, 0, 3));
    let (answer, _) = invoked(&jobs, json!({})).await;
    assert_eq!((answer.pipelines[0].state, answer.pipelines[0].waiting.drops), (State::Committed, 0));
}

/// Set in the process that logs.
const INSIDE: &str = "LITHIFY_TEST_LOG_FIELDS";

/// A commit of two batches, and one that is refused, logged as a function is that nobody asked for more.
#[tokio::test(flavor = "multi_thread")]
async fn inside() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    println!();
    telemetry::log(None);
    let (place, opened) = (Place::new(), Opened::default());
    let jobs = || [job(&place, &opened, Duration::ZERO)];
    assert_eq!(invoked(&jobs(), json!({"open": true})).await.0.failure(), None);
    for n in 0..2 {
        place.drop_files(n..n + 1).await;
        place.ingest().await;
    }
    let (answer, _) = invoked(&jobs(), json!({})).await;
    assert_eq!(answer.pipelines[0].commits.len(), 1);
    println!("the version is {}", answer.pipelines[0].commits[0].version);
    place.drop_files(2..3).await;
    place.ingest().await;
    place.lake.fault(place::lakes::Fault::Refuse, 1);
    assert!(invoked(&jobs(), json!({})).await.0.failure().is_some());
}

#[test]
fn lines_name_fence_intent_and_version() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "inside", "--nocapture"])
        .env(INSIDE, "1")
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{told}");
    let version =
        told.lines().find_map(|line| line.strip_prefix("the version is ")).unwrap_or_else(|| panic!("{told}"));
    let version: u64 = version.parse().unwrap();
    let lines: Vec<Value> = told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let said =
        |message: &str| -> Vec<Value> { lines.iter().filter(|line| line["message"] == message).cloned().collect() };
    let one = |message: &str| {
        let found = said(message);
        let [one] = found.as_slice() else { panic!("{message}: {told}") };
        one.clone()
    };
    let holds = |line: Value, fields: Value| {
        for (name, wanted) in fields.as_object().unwrap() {
            assert_eq!(&line[name], wanted, "{name} of {line}");
        }
    };
    holds(one("open"), json!({ "level": "INFO", "pipeline": "p", "table": "table", "version": 0 }));
    let counts = json!({ "batches": 2, "drops": 2, "rows": 20, "files": 1 });
    let committed = one("committed");
    assert!(committed["fence"].as_u64().is_some_and(|token| token > 0), "{committed}");
    holds(committed.clone(), json!({ "level": "INFO", "pipeline": "p", "intent": 1, "version": version }));
    holds(committed, counts);
    let done = said("done");
    assert_eq!(done.len(), 2, "{told}");
    let of_first = json!({ "level": "INFO", "pipeline": "p", "commits": 1, "version": version, "waiting": 0 });
    holds(done[0].clone(), of_first);
    holds(done[1].clone(), json!({ "pipeline": "p", "state": "Failed", "commits": 0, "waiting": 1 }));
    let failed = one("the pipeline was not compacted");
    assert!(!failed["error"].as_str().unwrap().is_empty(), "{failed}");
    holds(failed, json!({ "level": "ERROR", "pipeline": "p" }));
}
