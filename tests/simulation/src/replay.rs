//! A seed gives one history, byte by byte. Everything else rests on it, so it is tried before anything else.

use std::ops::Range;

use crate::{history, races};

/// The seeds that are tried first.
pub const SEEDS: Range<u64> = 0..5;

/// Whether some seeds, and one interleaving, give the same history twice.
///
/// # Errors
/// Where two histories of one seed differ.
pub fn check() -> Result<(), String> {
    for seed in SEEDS {
        same(&format!("seed {seed}"), || history::of_seed(seed).trace)?;
    }
    same("a race", || races::history(races::Race::Ingests, &[3, 9, 14]).trace)
}

/// Whether a history is the same when it is made again.
///
/// # Errors
/// Where the two differ; or it is so short that this would say nothing.
pub fn same(name: &str, history: impl Fn() -> Vec<String>) -> Result<(), String> {
    let (first, again) = (history(), history());
    if first.len() < 30 {
        return Err(format!("{name} does next to nothing: {} calls", first.len()));
    }
    match first.iter().zip(&again).position(|(one, other)| one != other) {
        Some(at) => Err(format!("{name} gives two histories, line {at}:\n  {}\n  {}", first[at], again[at])),
        None if first.len() != again.len() => {
            Err(format!("{name} gives two histories, of {} and {} lines", first.len(), again.len()))
        }
        None => Ok(()),
    }
}
