//! The words of `cargo xtask sim`, and what they ask for.

use crate::flows::{FLOWS, Flow, flow};
use crate::points::Wrong;
use crate::races::Race;
use crate::scenarios::{self, Scenario};

/// What can be asked for.
pub const USAGE: &str = "\
usage: cargo xtask sim [WHAT]

  --seeds N [--from M]   N random histories (without anything: 2,000)
  --seed N               one of them, with every call
  --points [FLOW]        everything that can go wrong, at every call of every flow
  --point FLOW:N:WRONG   one of them, with every call; --point FLOW: the flow with nothing wrong
  --races [RACE]         two processes over the same work, interrupted at up to three calls, all ways
  --races RACE --every N of each history's calls every Nth is interrupted as well
  --race RACE:A,B,C      one of them, with every call; --race RACE: not interrupted
  --scenarios            every scenario; --scenario NAME: one of them, with every call
  --all                  all of these, and 10,000 random histories

Before each, some seeds are replayed: a seed must give one history.";

/// How many random histories there are where nothing is said.
const SEEDS: u64 = 2_000;

/// What was asked for.
#[derive(Clone, Copy)]
pub enum Wanted<'a> {
    /// What can be asked for.
    Usage,
    /// Random histories: the first seed, and how many.
    Seeds(u64, u64),
    /// The history of a seed.
    Seed(u64),
    /// All fault points of all flows, or of one.
    Points(Option<&'static Flow>),
    /// A flow, and what goes wrong at which of its calls.
    Point(&'static Flow, Option<(u64, Wrong)>),
    /// All interleavings of all races, or of one; of one a sample, where only every so manieth turn is taken.
    Races(Option<Race>, u64),
    /// A race, and at which turns it is interrupted, in words.
    Race(Race, &'a str),
    /// All scenarios, or one.
    Scenarios(Option<&'static Scenario>),
    /// Everything.
    All,
}

/// Reads the words.
///
/// # Errors
/// What is wrong with them.
pub fn read<'a>(words: &[&'a str]) -> Result<Wanted<'a>, String> {
    Ok(match words {
        ["--help" | "-h" | "help"] => Wanted::Usage,
        [] => Wanted::Seeds(0, SEEDS),
        ["--seeds", count] => seeds("0", count)?,
        ["--seeds", count, "--from", from] => seeds(from, count)?,
        ["--seed", seed] => Wanted::Seed(number(seed)?),
        ["--points"] => Wanted::Points(None),
        ["--points", name] => Wanted::Points(Some(flow_of(name)?)),
        ["--point", text] => point(text)?,
        ["--races"] => Wanted::Races(None, 1),
        ["--races", name] => Wanted::Races(Some(race_of(name)?), 1),
        ["--races", name, "--every", every] => Wanted::Races(Some(race_of(name)?), above_zero(every)?),
        ["--race", text] => {
            let (name, turns) = text.split_once(':').unwrap_or((text, ""));
            Wanted::Race(race_of(name)?, turns)
        }
        ["--scenarios"] => Wanted::Scenarios(None),
        ["--scenario", name] => {
            let named = scenarios::named(name);
            Wanted::Scenarios(Some(named.ok_or_else(|| format!("there is no scenario {name}"))?))
        }
        ["--all"] => Wanted::All,
        _ => return Err(format!("`{}` is nothing that can be asked for", words.join(" "))),
    })
}

/// The turns of a race in words, `A,B,C`: each later than the one before.
///
/// # Errors
/// What is wrong with them.
pub fn turns(text: &str) -> Result<Vec<u64>, String> {
    let turns = text.split(',').filter(|_| !text.is_empty()).map(number).collect::<Result<Vec<_>, _>>()?;
    if turns.is_sorted_by(|one, next| one < next) {
        Ok(turns)
    } else {
        Err(format!("'{text}': each turn must come after the one before it"))
    }
}

fn seeds(from: &str, count: &str) -> Result<Wanted<'static>, String> {
    let (from, count) = (number(from)?, above_zero(count)?);
    match from.checked_add(count) {
        Some(_) => Ok(Wanted::Seeds(from, count)),
        None => Err(format!("there are no {count} seeds from {from} on: the last is {}", u64::MAX - 1)),
    }
}

fn point(text: &str) -> Result<Wanted<'static>, String> {
    match text.split(':').collect::<Vec<_>>().as_slice() {
        [name] => Ok(Wanted::Point(flow_of(name)?, None)),
        [name, n, wrong] => {
            let names = Wrong::ALL.map(Wrong::name).join(", ");
            let wrong = Wrong::named(wrong).ok_or_else(|| format!("nothing goes wrong as {wrong}: {names}"))?;
            Ok(Wanted::Point(flow_of(name)?, Some((number(n)?, wrong))))
        }
        _ => Err(format!("'{text}' is no FLOW:N:WRONG")),
    }
}

fn flow_of(name: &str) -> Result<&'static Flow, String> {
    flow(name).ok_or_else(|| format!("there is no flow {name}: {}", FLOWS.map(|flow| flow.name).join(", ")))
}

fn race_of(name: &str) -> Result<Race, String> {
    Race::named(name).ok_or_else(|| format!("there is no race {name}: {}", Race::ALL.map(Race::name).join(", ")))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|error| format!("'{text}' is no number: {error}"))
}

fn above_zero(text: &str) -> Result<u64, String> {
    match number(text)? {
        0 => Err("0 would try nothing".to_owned()),
        number => Ok(number),
    }
}
