//! `cargo xtask test`: everything that must pass before a change lands, the quick and cheap first.

use crate::cargo::{cargo, counted, phase, succeed};
use crate::{Outcome, dynamodb, e2e, tools};

/// All features that tests need. Every phase has the same set, so that nothing is compiled twice.
const FEATURES: &str = "end-to-end/e2e,ledger/conformance,ledger/dynamodb,ledger/embedded";

/// Those of them whose tests need no more than the phase of tests gives.
const UNIT_FEATURES: &str = "ledger/conformance,ledger/dynamodb,ledger/embedded";

/// Runs every phase; stops at the first that fails.
///
/// # Errors
/// The phase that failed.
pub fn run() -> Outcome {
    phase("tools", tools::check_for_tests)?;
    phase("formatting", || succeed(&mut cargo(&["fmt", "--all", "--check"])?))
        .map_err(|problem| format!("{problem}\nTo repair it: cargo fmt --all"))?;
    phase("lints", || {
        succeed(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--features",
            FEATURES,
            "--",
            "--deny",
            "warnings",
        ])?)
    })?;
    phase("compile", || e2e::build(FEATURES))?;
    let server = phase("DynamoDB Local", dynamodb::start)?;
    let mut totals = phase("tests", || {
        let mut command = cargo(&["test", "--workspace", "--features", UNIT_FEATURES, "--no-fail-fast"])?;
        let (totals, succeeded) = counted(command.env(dynamodb::VARIABLE, &server.endpoint))?;
        totals.check("tests", succeeded)?;
        Ok(totals)
    })?;
    drop(server);
    totals.add(phase("end to end", || e2e::checks(FEATURES, None))?);
    println!("\n{} passed, {} failed", totals.passed, totals.failed);
    Ok(())
}
