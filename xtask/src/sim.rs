//! `cargo xtask sim`: the simulation. Every failure it shows comes with the words that show it again.

use std::process::{Command, ExitCode};

use crate::Outcome;
use crate::cargo::{cargo, phase, succeed};
use crate::e2e;

/// How the simulation ends where what it was asked for cannot be tried.
const REFUSED: u8 = 2;

/// Builds the simulation and runs it with these words. It says itself what it refuses to try, and ends with 2 then.
///
/// # Errors
/// It does not compile, or something was violated.
pub fn run(words: &[&str]) -> Outcome<ExitCode> {
    phase("compile", || {
        let features = e2e::features();
        succeed(&mut cargo(&["build", "--workspace", "--features", &features, "--bin", "simulation"])?)
    })?;
    let mut simulation = Command::new(e2e::binary_of("debug", "simulation")?);
    simulation.args(words);
    let mut refused = false;
    phase("simulation", || {
        let status = simulation.status().map_err(|error| format!("cannot start the simulation: {error}"))?;
        refused = status.code() == Some(REFUSED.into());
        if status.success() { Ok(()) } else { Err(format!("simulation {} ({status})", words.join(" "))) }
    })
    .map(|()| ExitCode::SUCCESS)
    .or_else(|problem| if refused { Ok(ExitCode::from(REFUSED)) } else { Err(problem) })
}
