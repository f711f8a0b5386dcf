//! `cargo xtask test`: everything that must pass before a change lands, the quick and cheap first.

use crate::cargo::{cargo, counted, phase, succeed};
use crate::{Outcome, aws, deny, dynamodb, e2e, fuzz, python, tools, versitygw};

/// All features that tests need, but for the end-to-end tests'. Every phase has them, so that nothing is compiled twice.
pub const FEATURES: &str = "ledger/conformance,ledger/dynamodb,ledger/embedded,lake/conformance,lake/s3,store/s3,\
    lithify/aws,ingest/lambda,compactor/lambda";

/// Runs every phase; stops at the first that fails.
///
/// # Errors
/// The phase that failed.
pub fn run() -> Outcome {
    phase("tools", tools::check_for_tests)?;
    phase("formatting", || succeed(&mut cargo(&["fmt", "--all", "--check"])?))
        .map_err(|problem| format!("{problem}\nTo repair it: cargo fmt --all"))?;
    phase("dependencies", deny::run)?;
    let all = e2e::features();
    phase("lints", || {
        let command = ["clippy", "--workspace", "--all-targets", "--features", &all, "--", "--deny", "warnings"];
        succeed(&mut cargo(&command)?)
    })?;
    let mut totals = phase("Terraform module", aws::terraform)?;
    phase("compile", e2e::build)?;
    let ledger = phase("DynamoDB Local", dynamodb::start)?;
    let s3 = phase("S3 server", versitygw::Server::start)?;
    let other_writer = phase("Python with delta-rs", || python::environment("tests/requirements.txt"))?;
    totals.add(phase("tests", || {
        let mut command = cargo(&["test", "--workspace", "--features", FEATURES, "--no-fail-fast"])?;
        command.env(dynamodb::VARIABLE, &ledger.endpoint).env(versitygw::VARIABLE, &s3.endpoint);
        command.env("LITHIFY_PYTHON", &other_writer);
        // What decoders are given is not the same for ever, and can be given again.
        let seed = fuzz::seed_of_the_day()?;
        println!("fuzzing with {}={seed} besides the seed that stays", fuzz::SEED);
        command.env(fuzz::SEED, seed);
        let (totals, succeeded) = counted(&mut command)?;
        totals.check("tests", succeeded)?;
        Ok(totals)
    })?);
    drop((ledger, s3));
    totals.add(phase("end to end", || e2e::checks(None))?);
    totals.add(phase("end to end on LocalStack", || aws::checks(None))?);
    println!("\n{} passed, {} failed", totals.passed, totals.failed);
    Ok(())
}
