//! What `cargo xtask sim` is asked for.

use std::process::ExitCode;
use std::time::Duration;

use crate::enumerate::{self, Sum};
use crate::flows::{FLOWS, flow};
use crate::points::{self, Wrong};
use crate::races::{self, Race};
use crate::report::Report;
use crate::{history, scenarios};

const USAGE: &str = "\
usage: cargo xtask sim [WHAT]

  --seeds N [--from M]   N random histories (without anything: 2,000)
  --seed N               one of them, with every call
  --points [FLOW]        everything that can go wrong, at every call of every flow
  --point FLOW:N:WRONG   one of them, with every call; --point FLOW: the flow with nothing wrong
  --races [RACE]         two processes over the same work, interrupted at up to three calls, all ways
  --races RACE --for N   as far as they get in N seconds: with up to two interruptions first, of the others an even sample
  --race RACE:A,B,C      one of them, with every call
  --scenarios            every scenario; --scenario NAME: one of them, with every call
  --all                  all of these, and 10,000 random histories";

/// How many random histories there are where nothing is said.
const SEEDS: u64 = 2_000;

/// Runs what was asked for. Fails where anything must not be and was.
pub fn run(words: &[String]) -> ExitCode {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let told = match words.as_slice() {
        [] => Ok(told("random histories", enumerate::seeds(0, SEEDS))),
        ["--seeds", count] => number(count).map(|count| told("random histories", enumerate::seeds(0, count))),
        ["--seeds", count, "--from", from] => number(count)
            .and_then(|count| number(from).map(|from| told("random histories", enumerate::seeds(from, count)))),
        ["--seed", seed] => number(seed).map(|seed| one(&history::of_seed(seed))),
        ["--points"] => Ok(all_points()),
        ["--points", name] => match flow(name) {
            Some(flow) => Ok(told(name, enumerate::points(flow, 1))),
            None => Err(format!("there is no flow {name}: {}", FLOWS.map(|flow| flow.name).join(", "))),
        },
        ["--point", point] => parse_point(point).map(|report| one(&report)),
        ["--races"] => Ok(all_races()),
        ["--races", name] => race(name).map(|race| told(name, enumerate::races(race, 1))),
        ["--races", name, "--for", seconds] => race(name).and_then(|race| {
            let time = number(seconds).map(Duration::from_secs)?;
            Ok(told(name, enumerate::races_within(race, time)))
        }),
        ["--race", way] => parse_race(way).map(|report| one(&report)),
        ["--scenarios"] => Ok(told("scenarios", enumerate::all_scenarios())),
        ["--scenario", name] => match scenarios::named(name) {
            Some(scenario) => Ok(one(&scenarios::history(scenario))),
            None => Err(format!("there is no scenario {name}")),
        },
        ["--all"] => Ok(all()),
        _ => Err(words.join(" ")),
    };
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("error: {why}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn all() -> bool {
    told("scenarios", enumerate::all_scenarios())
        && all_points()
        && told("random histories", enumerate::seeds(0, 10_000))
        && all_races()
}

fn all_points() -> bool {
    FLOWS.iter().all(|flow| told(&format!("fault points of {}", flow.name), enumerate::points(flow, 1)))
}

fn all_races() -> bool {
    Race::ALL.iter().all(|race| told(&format!("interleavings of {}", race.name()), enumerate::races(*race, 1)))
}

/// Shows a sum. Whether nothing failed.
fn told(what: &str, sum: Sum) -> bool {
    let of = if sum.histories < sum.of { format!(" of {}", sum.of) } else { String::new() };
    println!("{what}: {}{of} histories, {} calls", sum.histories, sum.calls);
    match sum.failed {
        None => true,
        Some(report) => {
            eprintln!("{report}");
            false
        }
    }
}

/// Shows one history with every call.
fn one(report: &Report) -> bool {
    for line in &report.trace {
        println!("{line}");
    }
    if report.holds() {
        println!("{} calls, nothing was violated", report.calls);
    } else {
        eprintln!("{report}");
    }
    report.holds()
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|error| format!("'{text}' is no number: {error}"))
}

fn race(name: &str) -> Result<Race, String> {
    let names = Race::ALL.map(Race::name).join(", ");
    Race::named(name).ok_or_else(|| format!("there is no race {name}: {names}"))
}

fn parse_point(text: &str) -> Result<Report, String> {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default();
    let flow = flow(name).ok_or_else(|| format!("there is no flow {name}"))?;
    match (parts.next(), parts.next()) {
        (None, _) => Ok(points::calm(flow)),
        (Some(n), Some(wrong)) => {
            let names = Wrong::ALL.map(Wrong::name).join(", ");
            let wrong = Wrong::named(wrong).ok_or_else(|| format!("there is no {wrong}: {names}"))?;
            Ok(points::at(flow, number(n)?, wrong))
        }
        (Some(_), None) => Err(format!("'{text}' is no FLOW:N:WRONG")),
    }
}

fn parse_race(text: &str) -> Result<Report, String> {
    let (name, steps) = text.split_once(':').unwrap_or((text, ""));
    let steps = steps.split(',').filter(|step| !step.is_empty()).map(number).collect::<Result<Vec<_>, _>>()?;
    Ok(races::history(race(name)?, &steps))
}
