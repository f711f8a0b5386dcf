//! `cargo xtask bench`: prepares a release build and the peers; the contest itself is `benches/src/bin/compare`.

use std::process::{Command, Stdio};

use crate::cargo::{cargo, phase, succeed};
use crate::{Outcome, e2e, place, python, tools};

/// Builds, prepares, and hands over. `words` are the contest's own: its name and options.
///
/// # Errors
/// What could not be prepared, or the contest's failure.
pub fn run(words: &[&str]) -> Outcome {
    if words.is_empty() {
        return Err("what shall be measured? `cargo xtask bench ingest` or `cargo xtask bench million`".into());
    }
    tools::check()?;
    // DuckDB 2 and Polars 2 need it.
    tools::check_python(3, 11)?;
    phase("release build", || succeed(&mut cargo(&["build", "--release", "-p", "lithify", "-p", "benches"])?))?;
    let python = python::environment("benches/requirements.txt")?;
    let work = place::cache()?.join("bench");
    std::fs::create_dir_all(&work).map_err(|error| format!("cannot make {}: {error}", work.display()))?;
    let mut contest = Command::new(place::target()?.join("release").join("compare"));
    contest.args(words).arg("--lithify").arg(e2e::binary("release")?).arg("--python").arg(python);
    succeed(contest.arg("--work").arg(work).stdin(Stdio::null()))
}
