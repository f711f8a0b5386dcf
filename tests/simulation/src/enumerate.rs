//! Whole sets of histories, run side by side: what the command does, and what the tests take samples of.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use runtime::{Clock, SystemClock};

use crate::flows::Flow;
use crate::history;
use crate::points::{self, Wrong};
use crate::races::{self, PREEMPTIONS_MAX, Race};
use crate::report::Report;
use crate::scenarios::{self, SCENARIOS};

/// How many histories there were, and the first that failed.
#[derive(Debug, Default)]
pub struct Sum {
    /// Histories.
    pub histories: u64,
    /// How many there would have been, had time not run out.
    pub of: u64,
    /// Their calls.
    pub calls: u64,
    /// The first of those that failed.
    pub failed: Option<Report>,
}

impl Sum {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            histories: self.histories + other.histories,
            of: self.of + other.of,
            calls: self.calls + other.calls,
            failed: self.failed.or(other.failed),
        }
    }
}

/// Runs the histories of these numbers side by side; stops at the first that fails, of those the one with the lowest number.
pub fn each(count: u64, run: impl Fn(u64) -> Report + Sync) -> Sum {
    each_while(count, || true, run)
}

/// The same, as long as there is time: of the numbers the lowest are run then.
fn each_while(count: u64, in_time: impl Fn() -> bool + Sync, run: impl Fn(u64) -> Report + Sync) -> Sum {
    let (next, histories, calls) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let failed = Mutex::new(None::<(u64, Report)>);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count || !in_time() {
                        return;
                    }
                    let report = run(number);
                    histories.fetch_add(1, Ordering::Relaxed);
                    calls.fetch_add(report.calls, Ordering::Relaxed);
                    if !report.holds() {
                        next.store(count, Ordering::Relaxed);
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        if failed.as_ref().is_none_or(|(first, _)| number < *first) {
                            *failed = Some((number, report));
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner).map(|(_, report)| report);
    Sum { histories: histories.into_inner(), of: count, calls: calls.into_inner(), failed }
}

/// Random histories of these seeds.
pub fn seeds(from: u64, count: u64) -> Sum {
    each(count, |number| history::of_seed(from + number))
}

/// Every crash point of a flow, and of its other fault points every so manieth. A flow in which nothing goes wrong must hold, and make
/// calls.
pub fn points(flow: &Flow, every: u64) -> Sum {
    let calm = points::calm(flow);
    let count = calm.counted;
    if !calm.holds() || count == 0 {
        return Sum { histories: 1, of: 1, calls: calm.calls, failed: Some(calm) };
    }
    let all = (0..count).flat_map(|n| Wrong::ALL.map(|wrong| (n, wrong)));
    let (crashes, others): (Vec<_>, Vec<_>) = all.partition(|(_, wrong)| wrong.is_crash());
    let others = others.into_iter().step_by(usize::try_from(every.max(1)).unwrap_or(1));
    let points: Vec<(u64, Wrong)> = crashes.into_iter().chain(others).collect();
    each(points.len() as u64, |number| {
        let point = usize::try_from(number).ok().and_then(|at| points.get(at)).copied();
        let (n, wrong) = point.unwrap_or((0, Wrong::CrashAfter));
        points::at(flow, n, wrong)
    })
}

/// The interleavings of a race: of all there are every so manieth.
pub fn races(race: Race, every: u64) -> Sum {
    let steps = races::steps(race);
    let every = every.max(1);
    each(races::ways(steps).div_ceil(every), |number| races::history(race, &races::way(steps, number * every)))
}

/// The interleavings of a race as far as they get in a time: those with few interruptions first, and of the others an even sample.
pub fn races_within(race: Race, time: Duration) -> Sum {
    let clock = SystemClock::new();
    let steps = races::steps(race);
    let few = races::ways_of_at_most(steps, PREEMPTIONS_MAX - 1);
    let rest = races::ways(steps) - few;
    let stride = spread(rest);
    let number = |at: u64| if at < few { at } else { few + scattered(at - few, stride, rest) };
    let in_time = || clock.monotonic() < time;
    each_while(few + rest, in_time, |at| races::history(race, &races::way(steps, number(at))))
}

/// A step that comes to each of so many numbers once, and to all regions of them early: near the golden section, and without a common
/// divisor.
fn spread(count: u64) -> u64 {
    let divides = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let golden = (u128::from(count) * 618 / 1_000) as u64;
    (golden.max(1)..=golden + count).find(|step| divides(*step, count) == 1).unwrap_or(1)
}

fn scattered(at: u64, stride: u64, count: u64) -> u64 {
    (u128::from(at) * u128::from(stride) % u128::from(count.max(1))) as u64
}

/// Every scenario.
pub fn all_scenarios() -> Sum {
    each(SCENARIOS.len() as u64, |number| {
        let scenario = usize::try_from(number).ok().and_then(|at| SCENARIOS.get(at));
        scenario.map_or_else(
            || Report::broken("scenario", String::new(), "there is no such scenario".to_owned()),
            scenarios::history,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scattered_numbers_come_once_and_everywhere_early() {
        for count in [1_u64, 2, 10, 1_000, 34_220] {
            let stride = spread(count);
            let all: std::collections::BTreeSet<u64> = (0..count).map(|at| scattered(at, stride, count)).collect();
            assert_eq!(all.len() as u64, count);
            assert!(all.iter().all(|number| *number < count));
        }
        let stride = spread(34_220);
        let mut early: Vec<u64> = (0..100).map(|at| scattered(at, stride, 34_220)).collect();
        early.sort_unstable();
        assert!(early.windows(2).all(|two| two[1] - two[0] < 34_220 / 20), "{early:?}");
    }
}
