//! What `cargo xtask sim` is asked for.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::history;
use crate::report::Report;

const USAGE: &str = "\
usage: cargo xtask sim [--seed N | --seeds N [--from N] | --all] [--trace]

  --seed N     one random history, with every call
  --seeds N    N random histories
  --all        every crash point, every interleaving, every scenario, and 10,000 random histories";

/// Runs what was asked for. Fails where anything must not be and was.
pub fn run(words: &[String]) -> ExitCode {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--seed", seed] => match seed.parse() {
            Ok(seed) => one(&history::of_seed(seed)),
            Err(error) => wrong(&format!("'{seed}' is no seed: {error}")),
        },
        ["--seeds", count] => match count.parse::<u64>() {
            Ok(count) => seeds(0, count),
            Err(error) => wrong(&format!("'{count}' is no number: {error}")),
        },
        ["--seeds", count, "--from", from] => match (count.parse::<u64>(), from.parse::<u64>()) {
            (Ok(count), Ok(from)) => seeds(from, count),
            _ => wrong("these are no numbers"),
        },
        _ => wrong(&words.join(" ")),
    }
}

fn wrong(why: &str) -> ExitCode {
    eprintln!("error: {why}\n\n{USAGE}");
    ExitCode::from(2)
}

fn one(report: &Report) -> ExitCode {
    for line in &report.trace {
        println!("{line}");
    }
    if report.holds() {
        println!("{} calls, nothing was violated", report.calls);
        return ExitCode::SUCCESS;
    }
    eprintln!("{report}");
    ExitCode::FAILURE
}

fn seeds(from: u64, count: u64) -> ExitCode {
    let (calls, histories) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed = each(from, from + count, |seed| {
        let report = history::of_seed(seed);
        calls.fetch_add(report.calls, Ordering::Relaxed);
        histories.fetch_add(1, Ordering::Relaxed);
        report
    });
    println!("{} histories, {} calls", histories.into_inner(), calls.into_inner());
    match failed {
        None => ExitCode::SUCCESS,
        Some(report) => {
            eprintln!("{report}");
            ExitCode::FAILURE
        }
    }
}

/// Runs histories side by side; stops at the first that fails, of those the one with the lowest number.
pub fn each(from: u64, end: u64, run: impl Fn(u64) -> Report + Sync) -> Option<Report> {
    let (next, failed) = (AtomicU64::new(from), Mutex::new(None::<(u64, Report)>));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= end {
                        return;
                    }
                    let report = run(number);
                    if !report.holds() {
                        next.store(end, Ordering::Relaxed);
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        if failed.as_ref().is_none_or(|(first, _)| number < *first) {
                            *failed = Some((number, report));
                        }
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map(|(_, report)| report)
}
