//! `cargo xtask sim`: the simulation. Every failure it shows comes with the words that show it again.

use std::process::Command;

use crate::Outcome;
use crate::cargo::{cargo, phase, succeed};
use crate::e2e;

/// Builds the simulation and runs it with these words.
///
/// # Errors
/// It does not compile, or something was violated.
pub fn run(words: &[&str]) -> Outcome {
    phase("compile", || {
        let features = e2e::features();
        succeed(&mut cargo(&["build", "--workspace", "--features", &features, "--bin", "simulation"])?)
    })?;
    phase("simulation", || succeed(Command::new(e2e::binary_of("debug", "simulation")?).args(words)))
}
