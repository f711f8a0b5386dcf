//! `cargo xtask test`: everything that must pass before a change lands, the quick and cheap first.

use crate::cargo::{cargo, counted, phase, succeed};
use crate::e2e::{self, FEATURE};
use crate::{Outcome, tools, versitygw};

/// Runs every phase; stops at the first that fails.
///
/// # Errors
/// The phase that failed.
pub fn run() -> Outcome {
    phase("tools", tools::check)?;
    phase("formatting", || succeed(&mut cargo(&["fmt", "--all", "--check"])?))
        .map_err(|problem| format!("{problem}\nTo repair it: cargo fmt --all"))?;
    phase("lints", || {
        succeed(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--features",
            FEATURE,
            "--features",
            versitygw::FEATURES,
            "--",
            "--deny",
            "warnings",
        ])?)
    })?;
    phase("compile", e2e::build)?;
    let mut totals = phase("tests", || {
        let (totals, succeeded) = counted(&mut cargo(&["test", "--workspace", "--no-fail-fast"])?)?;
        totals.check("tests", succeeded)?;
        Ok(totals)
    })?;
    totals.add(phase("S3", versitygw::checks)?);
    totals.add(phase("end to end", || e2e::checks(None))?);
    println!("\n{} passed, {} failed", totals.passed, totals.failed);
    Ok(())
}
