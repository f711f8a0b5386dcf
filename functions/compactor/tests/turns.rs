//! Several pipelines in one invocation, of which one always has more to commit than there is time for: the others get their turns.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod place;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use compactor::function::{Answer, Job, Opened, Request, State, invoke};
use compactor::{Coming, Compactor, CompactorSettings, Until, first_columns};
use decode::hints::Hints;
use drops::Timestamp;
use ledger::Ledger;
use place::Place;
use place::lakes::FaultyLake;
use runtime::telemetry::Metrics;
use runtime::{Clock, Entropy, SystemClock};

/// Each commit takes this long.
const COMMIT: Duration = Duration::from_secs(60);

/// Time goes by with what is committed.
struct ByCommits {
    logs: Vec<Arc<FaultyLake>>,
    before: u64,
    real: SystemClock,
}

impl ByCommits {
    fn new(places: &[&Place]) -> Self {
        let mut clock =
            Self { logs: places.iter().map(|p| p.lake.clone()).collect(), before: 0, real: SystemClock::new() };
        clock.before = clock.commits();
        clock
    }

    fn commits(&self) -> u64 {
        self.logs.iter().map(|log| log.commits.load(Ordering::Relaxed)).sum()
    }
}

impl Clock for ByCommits {
    fn now(&self) -> Timestamp {
        self.real.now()
    }

    fn monotonic(&self) -> Duration {
        COMMIT * u32::try_from(self.commits() - self.before).unwrap()
    }
}

/// Names that differ, and one draw whenever it is asked who begins.
struct Drawn(AtomicU64, u64);

impl Entropy for Drawn {
    fn bits(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed)) << 64 | u128::from(self.1)
    }
}

/// Several batches of `p` are staged, each a commit of its own, and one of `q`.
async fn backlog(batches: u32) -> Place {
    let mut place = Place::new();
    let both = jobs(&[(&place, "p"), (&place, "q")], 0);
    let open = Request { pipelines: None, upkeep: false, open: true };
    let opened = invoke(&both, &open, &Until::never(), &SystemClock::new(), &mut Metrics::default()).await;
    assert_eq!(opened.failure(), None);
    for n in 0..batches {
        place.drop_files(n..n + 1).await;
        if n == 0 {
            place.name = "q".parse().unwrap();
            place.ingest().await;
            place.name = "p".parse().unwrap();
        }
        place.ingest().await;
    }
    place
}

/// Jobs in this order. `first`: what is drawn.
fn jobs(of: &[(&Place, &str)], first: u64) -> Vec<Job> {
    static NAMES: AtomicU64 = AtomicU64::new(0);
    let job = |(place, name): &(&Place, &str)| {
        let mut parts = place.own_parts();
        parts.entropy = Arc::new(Drawn(AtomicU64::new(NAMES.fetch_add(1_000, Ordering::Relaxed)), first));
        let settings = CompactorSettings {
            pipeline: name.parse().unwrap(),
            source: format!("source of {name}"),
            coming: Coming::Any,
            longest_delay: Duration::ZERO,
            commit_bytes: 1,
            ..place.settings()
        };
        Job {
            pipeline: (*name).to_owned(),
            table: format!("table of {:p}", *place),
            compactor: Compactor::new(parts, settings),
            first: first_columns(&Hints::default(), &[]),
            opened: Opened::default(),
        }
    };
    of.iter().map(job).collect()
}

/// One invocation, with time for so many commits.
async fn invoked(of: &[(&Place, &str)], first: u64, commits: u32) -> Answer {
    let places: Vec<&Place> = of.iter().map(|(place, _)| *place).collect();
    let mut apart = places.clone();
    apart.dedup_by_key(|place| Arc::as_ptr(&place.lake));
    let clock: Arc<dyn Clock> = Arc::new(ByCommits::new(&apart));
    let until = Until::at(clock.clone(), COMMIT * commits - Duration::from_secs(1));
    let request = Request { pipelines: None, upkeep: false, open: false };
    let answer = invoke(&jobs(of, first), &request, &until, clock.as_ref(), &mut Metrics::default()).await;
    assert_eq!(answer.failure(), None);
    answer
}

/// How many commits each pipeline made, and what became of it, in the order of the settings.
fn told(answer: &Answer) -> Vec<(&str, usize, State)> {
    answer.pipelines.iter().map(|one| (one.pipeline.as_str(), one.commits.len(), one.state)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelines_of_a_table_commit_in_turn() {
    for first in 0..2 {
        let place = backlog(6).await;
        let answer = invoked(&[(&place, "p"), (&place, "q")], first, 3).await;
        assert_eq!(told(&answer), [("p", 2, State::Unfinished), ("q", 1, State::Committed)], "drawn: {first}");
        assert_eq!((answer.pipelines[0].waiting.batches, answer.pipelines[1].waiting.batches), (4, 0));
        // With time for everything nothing waits.
        let answer = invoked(&[(&place, "p"), (&place, "q")], first, 100).await;
        assert_eq!(told(&answer), [("p", 4, State::Committed), ("q", 0, State::NothingDue)]);
        assert_eq!(place.rows().await.len(), 60 + 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelines_of_different_tables_commit_in_turn() {
    for first in 0..2 {
        let (one, other) = (backlog(5).await, backlog(1).await);
        let answer = invoked(&[(&one, "p"), (&other, "q")], first, 2).await;
        assert_eq!(told(&answer), [("p", 1, State::Unfinished), ("q", 1, State::Committed)], "drawn: {first}");
    }
}

/// Where the first commit takes all the time, whoever begins is the only one to commit: another begins another time.
#[tokio::test(flavor = "multi_thread")]
async fn who_begins_is_drawn_among_those_that_have_something_due() {
    let (place, idle) = (backlog(4).await, Place::new());
    let open = Request { pipelines: None, upkeep: false, open: true };
    let idle_job = jobs(&[(&idle, "idle")], 0);
    let _ = invoke(&idle_job, &open, &Until::never(), &SystemClock::new(), &mut Metrics::default()).await;
    let all = [(&idle, "idle"), (&place, "p"), (&place, "q")];
    let answer = invoked(&all, 0, 1).await;
    let left = (State::NothingDue, State::Unfinished);
    assert_eq!(told(&answer), [("idle", 0, left.0), ("p", 1, left.1), ("q", 0, left.1)]);
    let answer = invoked(&all, 1, 1).await;
    assert_eq!(told(&answer), [("idle", 0, left.0), ("p", 0, left.1), ("q", 1, State::Committed)]);
    let waiting = place.ledger.staged_totals(&"p".parse().unwrap()).await.unwrap();
    assert_eq!(waiting.batches, 3);
}
