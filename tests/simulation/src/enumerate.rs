//! Whole sets of histories, run side by side: what the command does, and what the tests take samples of.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::flows::Flow;
use crate::history;
use crate::points::{self, Wrong};
use crate::races::{self, Race};
use crate::report::Report;
use crate::scenarios::{self, SCENARIOS};

/// How many histories there were, and the first that failed.
#[derive(Debug, Default)]
pub struct Sum {
    /// Histories.
    pub histories: u64,
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
            calls: self.calls + other.calls,
            failed: self.failed.or(other.failed),
        }
    }
}

/// Runs the histories of these numbers side by side; stops at the first that fails, of those the one with the lowest number.
pub fn each(count: u64, run: impl Fn(u64) -> Report + Sync) -> Sum {
    let (next, histories, calls) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let failed = Mutex::new(None::<(u64, Report)>);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
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
    Sum { histories: histories.into_inner(), calls: calls.into_inner(), failed }
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
        return Sum { histories: 1, calls: calm.calls, failed: Some(calm) };
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
