//! Whole sets of histories, run side by side: what the command does, and what the tests take samples of.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

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

/// The same for the things of a list, with their places in it.
fn each_of<T: Sync>(list: &[T], run: impl Fn(usize, &T) -> Report + Sync) -> Sum {
    each(list.len() as u64, |number| {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        match list.get(at) {
            Some(one) => run(at, one),
            None => Report::broken("list", String::new(), format!("there is no number {number}")),
        }
    })
}

/// Random histories of these seeds; `from + count` is a number.
pub fn seeds(from: u64, count: u64) -> Sum {
    each(count, |number| history::of_seed(from + number))
}

/// Every crash point of a flow, and of its other fault points every so manieth; not those at which the fault could not happen. A flow in
/// which nothing goes wrong must hold, and make calls.
pub fn points(flow: &Flow, every: u64) -> Sum {
    let calm = points::calm(flow);
    if !calm.holds() || calm.victim.is_empty() {
        return Sum { histories: 1, calls: calm.calls, failed: Some(calm) };
    }
    let all = (0..).zip(&calm.victim).flat_map(|(n, (_, nature))| {
        let can_happen = Wrong::ALL.into_iter().filter(|wrong| wrong.can_meet(*nature));
        can_happen.map(move |wrong| (n, wrong))
    });
    let (crashes, others): (Vec<_>, Vec<_>) = all.partition(|(_, wrong)| wrong.is_crash());
    let others = others.into_iter().step_by(usize::try_from(every.max(1)).unwrap_or(1));
    let points: Vec<(u64, Wrong)> = crashes.into_iter().chain(others).collect();
    each_of(&points, |_, (n, wrong)| points::at(flow, *n, *wrong))
}

/// The interleavings of a race. Each history is interrupted once more at every later turn at which that changes who goes on, its own turns
/// counting, however many they are: so these are all there are. Of those turns every so manieth is taken, not always the same.
pub fn races(race: Race, every: u64) -> Sum {
    let every = usize::try_from(every.max(1)).unwrap_or(usize::MAX);
    let (mut sum, mut ways) = (Sum::default(), vec![Vec::new()]);
    for interruptions in 0..=PREEMPTIONS_MAX {
        let longer = Mutex::new(Vec::new());
        let of_these = each_of(&ways, |number, way| {
            let report = races::history(race, way);
            if interruptions < PREEMPTIONS_MAX {
                let later = report.open_turns.iter().filter(|turn| way.last().is_none_or(|last| *turn > last));
                let taken = later.enumerate().filter(|(at, _)| (at + number) % every == 0);
                let taken = taken.map(|(_, turn)| way.iter().copied().chain([*turn]).collect::<Vec<u64>>());
                longer.lock().unwrap_or_else(PoisonError::into_inner).extend(taken);
            }
            report
        });
        sum = sum.and(of_these);
        if sum.failed.is_some() {
            break;
        }
        ways = longer.into_inner().unwrap_or_else(PoisonError::into_inner);
        ways.sort_unstable();
    }
    sum
}

/// Every scenario.
pub fn all_scenarios() -> Sum {
    each_of(&SCENARIOS, |_, scenario| scenarios::history(scenario))
}
