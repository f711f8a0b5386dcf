//! The tests of what is for AWS: Terraform's of the module, and the end-to-end tests on LocalStack.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo::{counted, succeed};
use crate::summary::Totals;
use crate::{Outcome, e2e, functions, place, python};

/// What the names of the end-to-end tests on LocalStack begin with, for `cargo xtask e2e aws`.
pub const NAME: &str = "aws";

/// Formatting and tests of `infra/` and of its example, with a provider that is mocked.
///
/// # Errors
/// When a test failed or none ran.
pub fn terraform() -> Outcome<Totals> {
    let infra = place::root().join("infra");
    succeed(&mut terraform_in(&infra, &["fmt", "-check", "-recursive", "-diff"]))?;
    let mut totals = tested(&infra)?;
    totals.add(tested(&example(&place::target()?.join("terraform-example"))?)?);
    Ok(totals)
}

fn terraform_in(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(place::root().join("infra").join("terraform"));
    command.arg(format!("-chdir={}", folder.display())).args(words).stdin(Stdio::null());
    command
}

fn tested(root: &Path) -> Outcome<Totals> {
    succeed(&mut terraform_in(root, &["init", "-input=false", "-no-color"]))?;
    let (totals, succeeded) = counted(&mut terraform_in(root, &["test", "-no-color"]))?;
    totals.check("terraform", succeeded)?;
    Ok(totals)
}

/// Lays `infra/` out below `place` as it stands in a checkout after the functions were built, and its example's test beside the example.
fn example(place: &Path) -> Outcome<PathBuf> {
    let infra = place::root().join("infra");
    let told = |error: std::io::Error| format!("cannot lay the example out in {}: {error}", place.display());
    match std::fs::remove_dir_all(place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(told(error)),
        _ => copy(&infra, &place.join("infra")).map_err(told)?,
    }
    for function in ["ingest", "compactor"] {
        let folder = place.join("target").join("lambda").join(function);
        std::fs::create_dir_all(&folder).map_err(told)?;
        std::fs::copy(infra.join("tests/fixtures/function.zip"), folder.join("bootstrap.zip")).map_err(told)?;
    }
    let root = place.join("infra").join("example");
    copy(&infra.join("tests").join("example"), &root.join("tests")).map_err(told)?;
    Ok(root)
}

/// Copies a folder without what Terraform keeps there for itself.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_name().to_string_lossy().starts_with(".terraform") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
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
