//! `cargo xtask e2e`: the real binary on real folders, read back by other people's readers.

use std::path::PathBuf;

use crate::cargo::{cargo, counted, phase, succeed};
use crate::summary::Totals;
use crate::{Outcome, place, python, tools};

/// The package's feature without which its tests are no targets: `cargo test` alone has neither the binary nor the readers.
const FEATURE: &str = "end-to-end/e2e";

/// Checks the tools, builds, and runs the end-to-end tests whose name contains `filter`.
///
/// # Errors
/// The phase that failed.
pub fn run(filter: Option<&str>) -> Outcome {
    tools::check()?;
    phase("compile", || build(FEATURE))?;
    let totals = phase("end to end", || checks(FEATURE, filter))?;
    println!("\n{} passed, {} failed", totals.passed, totals.failed);
    Ok(())
}

/// Builds all that any test needs. `--all-targets` gives the tests and the binary one set of features, so that no
/// dependency is compiled twice.
///
/// # Errors
/// When it does not compile.
pub fn build(features: &str) -> Outcome {
    succeed(&mut cargo(&["build", "--workspace", "--all-targets", "--features", features])?)
}

/// Runs the end-to-end tests on what [`build`] built with the same features, [`FEATURE`] among them.
///
/// # Errors
/// When one failed or none ran.
pub fn checks(features: &str, filter: Option<&str>) -> Outcome<Totals> {
    let binary = binary("debug")?;
    let reader = python::environment("tests/requirements.txt")?;
    let mut command = cargo(&["test", "--workspace", "--features", features, "--test", "e2e", "--no-fail-fast"])?;
    command.env("LITHIFY_BIN", binary).env("LITHIFY_PYTHON", reader);
    // The binary's own defaults are what is tested.
    command.env_remove("RUST_LOG");
    command.arg("--").arg("--test-threads=2").args(filter);
    let (totals, succeeded) = counted(&mut command)?;
    totals.check("end to end", succeeded)?;
    Ok(totals)
}

/// The built `lithify`.
///
/// # Errors
/// When it is not there.
pub fn binary(profile: &str) -> Outcome<PathBuf> {
    let path = place::target()?.join(profile).join(format!("lithify{}", std::env::consts::EXE_SUFFIX));
    if path.is_file() { Ok(path) } else { Err(format!("cargo built no {}", path.display())) }
}
