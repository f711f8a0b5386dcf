//! What `cargo xtask sim` is asked for.

mod words;

use std::process::ExitCode;

use words::{USAGE, Wanted};

use crate::enumerate::{self, Sum};
use crate::flows::{FLOWS, Flow};
use crate::points::{self, Wrong};
use crate::races::{self, Race};
use crate::report::Report;
use crate::{history, replay, scenarios};

/// Runs what was asked for, after some seeds were replayed. Fails with 1 where anything must not be and was, with 2 where what is asked for
/// cannot be tried.
pub fn run(words: &[String]) -> ExitCode {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let wanted = match words::read(&words) {
        Ok(Wanted::Usage) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Ok(wanted) => wanted,
        Err(why) => return refused(&why),
    };
    if let Err(why) = replay::check() {
        eprintln!("violated: one history per seed: {why}");
        return ExitCode::FAILURE;
    }
    match made(wanted) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => refused(&why),
    }
}

fn refused(why: &str) -> ExitCode {
    eprintln!("error: {why}\n\n{USAGE}");
    ExitCode::from(2)
}

/// Makes the histories. Whether nothing was violated.
fn made(wanted: Wanted<'_>) -> Result<bool, String> {
    Ok(match wanted {
        Wanted::Usage => true,
        Wanted::Seeds(from, count) => told("random histories", enumerate::seeds(from, count)),
        Wanted::Seed(seed) => one(&history::of_seed(seed)),
        Wanted::Points(None) => all_points(),
        Wanted::Points(Some(flow)) => told(flow.name, enumerate::points(flow, 1)),
        Wanted::Point(flow, None) => one(&points::calm(flow)),
        Wanted::Point(flow, Some((n, wrong))) => one(&point(flow, n, wrong)?),
        Wanted::Races(None, _) => all_races(),
        Wanted::Races(Some(race), every) => told(race.name(), enumerate::races(race, every)),
        Wanted::Race(race, turns) => one(&race_at(race, turns)?),
        Wanted::Scenarios(None) => told("scenarios", enumerate::all_scenarios()),
        Wanted::Scenarios(Some(scenario)) => one(&scenarios::history(scenario)),
        Wanted::All => {
            told("scenarios", enumerate::all_scenarios())
                && all_points()
                && told("random histories", enumerate::seeds(0, 10_000))
                && all_races()
        }
    })
}

fn all_points() -> bool {
    FLOWS.iter().all(|flow| told(&format!("fault points of {}", flow.name), enumerate::points(flow, 1)))
}

fn all_races() -> bool {
    Race::ALL.iter().all(|race| told(&format!("interleavings of {}", race.name()), enumerate::races(*race, 1)))
}

/// A fault point that there is.
fn point(flow: &Flow, n: u64, wrong: Wrong) -> Result<Report, String> {
    let calls = points::calm(flow).victim;
    match usize::try_from(n).ok().and_then(|n| calls.get(n)) {
        None => Err(format!("the flow {} has {} calls, the first of which is 0", flow.name, calls.len())),
        Some((operation, nature)) if !wrong.can_meet(*nature) => {
            Err(format!("{} does nothing at call {n} of the flow {}, {operation}: {nature:?}", wrong.name(), flow.name))
        }
        Some(_) => Ok(points::at(flow, n, wrong)),
    }
}

/// An interleaving that there is: each interruption changes who goes on.
fn race_at(race: Race, turns: &str) -> Result<Report, String> {
    let turns = words::turns(turns)?;
    let report = races::history(race, &turns);
    match turns.iter().find(|turn| !report.open_turns.contains(turn)) {
        None => Ok(report),
        Some(turn) => Err(format!(
            "an interruption at turn {turn} changes nothing in the race {}: nobody else can go on then; at these somebody can: {:?}",
            race.name(),
            report.open_turns
        )),
    }
}

/// Shows a sum. Whether nothing failed.
fn told(what: &str, sum: Sum) -> bool {
    println!("{what}: {} histories, {} calls", sum.histories, sum.calls);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Why words are refused, by themselves or by what they would try; empty if they are not.
    fn refusal(words: &str) -> String {
        let words: Vec<&str> = words.split_whitespace().collect();
        words::read(&words).and_then(made).err().unwrap_or_default()
    }

    #[test]
    fn what_would_try_nothing_is_refused() {
        for (words, why) in [
            ("--seeds 0", "try nothing"),
            ("--seeds x", "'x' is no number"),
            ("--seeds 2 --from 18446744073709551615", "there are no 2 seeds"),
            ("--seeds 1 --from 18446744073709551615", "there are no 1 seeds"),
            ("--points nowhere", "there is no flow nowhere"),
            ("--point compact:3", "no FLOW:N:WRONG"),
            ("--point compact:3:error:7", "no FLOW:N:WRONG"),
            ("--point compact:3:nothing", "nothing goes wrong as nothing"),
            ("--point compact:99999:error", "the flow compact has"),
            ("--point compact:0:late-soon", "does nothing at call 0"),
            ("--races ingests --every 0", "try nothing"),
            ("--race nobody:3", "there is no race nobody"),
            ("--race ingests:5000", "turn 5000 changes nothing"),
            ("--race ingests:0", "turn 0 changes nothing"),
            ("--race ingests:9,3", "must come after"),
            ("--race ingests:3,", "is no number"),
            ("--scenario nothing", "there is no scenario"),
            ("--seed", "nothing that can be asked for"),
        ] {
            assert!(refusal(words).contains(why), "{words}: {}", refusal(words));
        }
        for words in ["--help", "--seed 3", "--seeds 1 --from 7", "--point compact:3:error", "--race ingests:3,9"] {
            assert_eq!(refusal(words), "", "{words}");
        }
    }
}
