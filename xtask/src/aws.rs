//! The tests of what is for AWS: Terraform's of the module, and the end-to-end tests on LocalStack.

use std::process::{Command, Stdio};

use crate::cargo::{counted, succeed};
use crate::summary::Totals;
use crate::{Outcome, e2e, functions, place, python};

/// What the names of the end-to-end tests on LocalStack begin with, for `cargo xtask e2e aws`.
pub const NAME: &str = "aws";

/// Formatting and tests of `infra/`, with a provider that is mocked.
///
/// # Errors
/// When a test failed or none ran.
pub fn terraform() -> Outcome<Totals> {
    let terraform = |words: &[&str]| {
        let mut command = Command::new(place::root().join("infra").join("terraform"));
        command.arg(format!("-chdir={}", place::root().join("infra").display())).args(words).stdin(Stdio::null());
        command
    };
    succeed(&mut terraform(&["fmt", "-check", "-recursive", "-diff"]))?;
    succeed(&mut terraform(&["init", "-input=false", "-no-color"]))?;
    let (totals, succeeded) = counted(&mut terraform(&["test", "-no-color"]))?;
    totals.check("terraform", succeeded)?;
    Ok(totals)
}

/// The end-to-end tests on LocalStack, those whose name contains `filter`.
///
/// # Errors
/// When one failed or none ran.
pub fn checks(filter: Option<&str>) -> Outcome<Totals> {
    let packed = functions::pack("debug")?;
    let binary = e2e::binary("debug")?;
    let reader = python::environment("tests/requirements.txt")?;
    let driver = python::environment("localstack/requirements.txt")?;
    let mut command = Command::new(driver);
    command.arg(place::root().join("tests").join("aws.py"));
    if let Some(filter) = filter {
        command.args(["-k", filter]);
    }
    command.env("LITHIFY_BIN", binary).env("LITHIFY_PYTHON", reader);
    command.env("LITHIFY_INGEST_ZIP", packed.ingest).env("LITHIFY_COMPACTOR_ZIP", packed.compactor);
    let (totals, succeeded) = counted(command.env_remove("RUST_LOG").stdin(Stdio::null()))?;
    totals.check("end to end on LocalStack", succeeded)?;
    Ok(totals)
}
