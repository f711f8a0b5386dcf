//! `cargo xtask e2e`: the real binary on real folders, read back by other people's readers.

use std::path::PathBuf;

use crate::cargo::{cargo, counted, phase, succeed};
use crate::summary::Totals;
use crate::{Outcome, aws, place, python, tools, verify};

/// The package's feature without which its tests are no targets: `cargo test` alone has neither the binary nor the readers.
const FEATURE: &str = "end-to-end/e2e";

/// Checks the tools, builds, and runs the end-to-end tests: all of them, or those on folders whose name contains `filter`, or those on LocalStack.
///
/// # Errors
/// The phase that failed.
pub fn run(filter: Option<&str>) -> Outcome {
    tools::check_for_tests()?;
    phase("compile", build)?;
    let totals = match filter.and_then(|filter| filter.strip_prefix(aws::NAME)) {
        Some(rest) => {
            let filter = Some(rest.trim_start_matches(':')).filter(|filter| !filter.is_empty());
            phase("end to end on LocalStack", || aws::checks(filter))?
        }
        None => {
            let mut totals = phase("end to end", || checks(filter))?;
            if filter.is_none() {
                totals.add(phase("end to end on LocalStack", || aws::checks(None))?);
            }
            totals
        }
    };
    println!("\n{} passed, {} failed", totals.passed, totals.failed);
    Ok(())
}

/// The features of every phase: those of the other tests too, so that nothing is compiled twice.
pub fn features() -> String {
    format!("{FEATURE},{}", verify::FEATURES)
}

/// Builds all that any test needs. `--all-targets` gives the tests and the binary one set of features, so that no
/// dependency is compiled twice.
///
/// # Errors
/// When it does not compile.
pub fn build() -> Outcome {
    succeed(&mut cargo(&["build", "--workspace", "--all-targets", "--features", &features()])?)
}

/// Runs the end-to-end tests on what [`build`] built.
///
/// # Errors
/// When one failed or none ran.
pub fn checks(filter: Option<&str>) -> Outcome<Totals> {
    let binary = binary("debug")?;
    let reader = python::environment("tests/requirements.txt")?;
    let mut command = cargo(&["test", "--workspace", "--features", &features(), "--test", "e2e", "--no-fail-fast"])?;
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
    binary_of(profile, "lithify")
}

/// A binary that was built.
///
/// # Errors
/// When it is not there.
pub fn binary_of(profile: &str, name: &str) -> Outcome<PathBuf> {
    let path = place::target()?.join(profile).join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if path.is_file() { Ok(path) } else { Err(format!("cargo built no {}", path.display())) }
}
