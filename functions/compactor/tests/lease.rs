//! A lease where nobody sees its holder die: short, and kept while a merge outlasts it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod place;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use compactor::{
    CLOCK_DIFFERENCE, Compactor, CompactorSettings, LEASE_BY_AGE, Outcome, Parts, Trigger, Until, Upkeep, UpkeepOutcome,
};
use drops::Timestamp;
use ledger::{ClaimAge, LeaseOutcome, Ledger};
use place::Place;
use place::rows::expected;
use runtime::{Clock, SystemClock};
use tokio::runtime::Handle;

/// A clock that goes on by what a test adds.
#[derive(Default)]
struct Added(AtomicU64, SystemClock);

impl Added {
    fn pass(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_micros()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for Added {
    fn now(&self) -> Timestamp {
        Timestamp(self.1.now().0 + i64::try_from(self.0.load(Ordering::Relaxed)).unwrap())
    }

    fn monotonic(&self) -> Duration {
        self.1.monotonic() + Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// A compactor as on S3, where only age tells of a death.
fn by_age(place: &Place, owner: &str, clock: &Arc<Added>) -> Compactor {
    let liveness = Arc::new(ClaimAge::new(CLOCK_DIFFERENCE));
    let parts = Parts { liveness, clock: clock.clone(), owner: owner.to_owned(), ..place.own_parts() };
    Compactor::new(parts, CompactorSettings { lease: LEASE_BY_AGE, ..place.settings() })
}

/// What became of it: how many commits, or who holds the lease.
async fn commits(compactor: &Compactor) -> Result<usize, String> {
    match compactor.compact(Trigger::Now).await.unwrap() {
        Outcome::Done { commits, .. } => Ok(commits.len()),
        Outcome::Busy { holder } => Err(holder),
    }
}

async fn staged() -> (Arc<Place>, Arc<Added>) {
    let place = Place::new();
    place.drop_files(0..3).await;
    place.ingest().await;
    (Arc::new(place), Arc::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_of_the_dead_is_taken_soon_after_it_expired_and_not_before() {
    let (place, clock) = staged().await;
    let expires = Timestamp(clock.now().0 + i64::try_from(LEASE_BY_AGE.as_micros()).unwrap());
    let LeaseOutcome::Granted(lease) = place.ledger.acquire_lease("table", "dead", expires, None).await.unwrap() else {
        panic!("somebody holds it")
    };
    let next = by_age(&place, "next", &clock);
    assert_eq!(commits(&next).await, Err("dead".to_owned()));
    clock.pass(LEASE_BY_AGE);
    assert_eq!(commits(&next).await, Err("dead".to_owned()), "clocks differ");
    clock.pass(CLOCK_DIFFERENCE);
    assert_eq!(commits(&next).await, Ok(1));
    // Who wakes up finds that it is another's.
    assert!(!place.ledger.renew_lease("table", &lease, expires).await.unwrap());
    assert_eq!(place.rows().await, expected(3));
    place.audit_of(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_merges_for_longer_than_the_lease_keeps_it() {
    let (place, clock) = staged().await;
    let slow = clock.clone();
    let merging = by_age(&place, "merging", &clock).telling(Arc::new(move |_| slow.pass(2 * LEASE_BY_AGE)));
    let seen = Arc::new(Mutex::new(None));
    let (rival, noted) = (by_age(&place, "rival", &clock), seen.clone());
    place.lake.before_next(async move {
        let outcome = commits(&rival).await;
        *noted.lock().unwrap() = Some(outcome);
    });
    assert_eq!(commits(&merging).await, Ok(1));
    assert_eq!(*seen.lock().unwrap(), Some(Err("merging".to_owned())));
    assert_eq!(place.rows().await, expected(3));
    place.audit_of(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_merges_small_files_for_longer_than_the_lease_keeps_it() {
    let mut place = Place::new();
    place.small_files = 3;
    place.commit_often(3, 1).await;
    let (place, clock) = (Arc::new(place), Arc::<Added>::default());
    // Rows of upkeep are told to nobody: each look at the clock takes its time.
    struct Slow(Arc<Added>);
    impl Clock for Slow {
        fn now(&self) -> Timestamp {
            self.0.now()
        }
        fn monotonic(&self) -> Duration {
            self.0.pass(2 * LEASE_BY_AGE);
            self.0.monotonic()
        }
    }
    let parts = Parts { clock: Arc::new(Slow(clock.clone())), owner: "merging".to_owned(), ..place.own_parts() };
    let merging = Compactor::new(parts, CompactorSettings { lease: LEASE_BY_AGE, ..place.settings() });
    let seen = Arc::new(Mutex::new(None));
    let (rival, noted) = (by_age(&place, "rival", &clock), seen.clone());
    place.lake.before_next(async move {
        let UpkeepOutcome::Busy { holder } = rival.upkeep(Upkeep::Merge, &Until::never()).await.unwrap() else {
            return;
        };
        *noted.lock().unwrap() = Some(holder);
    });
    let begun = clock.now();
    let UpkeepOutcome::Done(report) = merging.upkeep(Upkeep::Merge, &Until::never()).await.unwrap() else {
        panic!("busy")
    };
    let took = Duration::from_micros(clock.now().microseconds_since(begun));
    assert!(took > LEASE_BY_AGE + CLOCK_DIFFERENCE, "{took:?}");
    assert_eq!((report.files_merged, seen.lock().unwrap().as_deref()), (3, Some("merging")));
    assert_eq!(place.rows().await, expected(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_whose_lease_is_anothers_by_now_is_given_up() {
    let (place, clock) = staged().await;
    let (slow, ledger, runtime) = (clock.clone(), place.ledger.clone(), Handle::current());
    let merging = by_age(&place, "merging", &clock).telling(Arc::new(move |_| {
        slow.pass(2 * LEASE_BY_AGE);
        runtime.block_on(async {
            let later = Timestamp(i64::MAX);
            if let LeaseOutcome::Held(held) = ledger.acquire_lease("table", "rival", later, None).await.unwrap() {
                let _ = ledger.acquire_lease("table", "rival", later, Some(&held)).await.unwrap();
            }
        });
    }));
    let outcome = merging.compact(Trigger::Now).await.unwrap();
    assert!(matches!(&outcome, Outcome::Done { commits, unfinished: true, .. } if commits.is_empty()), "{outcome:?}");
    assert_eq!(place.rows().await, expected(0));
    assert_eq!(place.unnamed("table", &place.lake), Vec::<String>::new(), "what it wrote is gone");
    assert_eq!(place.ledger.staged(&place.name).await.unwrap().len(), 1, "nothing is lost");
    assert_eq!(commits(&place.zombie()).await, Ok(1));
}
