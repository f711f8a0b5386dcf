//! `cargo xtask bench`: prepares a release build and the peers; the contest itself is `benches/src/bin/compare`.

use std::process::{Command, Stdio};

use crate::cargo::{cargo, phase, succeed};
use crate::{Outcome, dynamodb, e2e, functions, place, python, tools, versitygw};

/// Builds, prepares, and hands over. `words` are the contest's own: its name and options.
///
/// # Errors
/// What could not be prepared, or the contest's failure.
pub fn run(words: &[&str]) -> Outcome {
    check(words)?;
    if let ["lambda", options @ ..] = words {
        return lambda(options);
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

/// Looks at the words before minutes go into building for them.
fn check(words: &[&str]) -> Outcome {
    let (marks, numbers): (&[&str], &[&str]) = match words.first() {
        Some(&"lambda") => (&["--quick"], &[]),
        Some(&("ingest" | "million")) => (&["--all"], &["--files", "--rows", "--repeat"]),
        _ => return Err("what shall be measured? `cargo xtask bench ingest`, `million` or `lambda`".into()),
    };
    let mut options = words.iter().skip(1);
    while let Some(option) = options.next() {
        if numbers.contains(option) {
            let value = options.next().and_then(|value| value.parse::<u64>().ok());
            value.filter(|value| *value > 0).ok_or(format!("{option} wants a number above 0"))?;
        } else if !marks.contains(option) {
            let known: Vec<&str> = marks.iter().chain(numbers).copied().collect();
            return Err(format!("`bench {}` does not know {option}, but {}", words[0], known.join(", ")));
        }
    }
    Ok(())
}

/// The functions as they are deployed, against a Lambda Runtime API, an S3 server and DynamoDB on the loopback interface.
fn lambda(options: &[&str]) -> Outcome {
    tools::check_for_tests()?;
    phase("functions", || {
        let build =
            ["build", "--profile", "deploy", "-p", "ingest", "-p", "compactor", "--features", functions::FEATURES];
        succeed(&mut cargo(&build)?)
    })?;
    let python = python::environment("localstack/requirements.txt")?;
    let (ledger, s3) = (dynamodb::start()?, versitygw::Server::start()?);
    let built = place::target()?.join("deploy");
    let mut bench = Command::new(python);
    bench.arg(place::root().join("benches").join("lambda.py"));
    bench.arg("--ingest").arg(built.join("ingest")).arg("--compactor").arg(built.join("compactor"));
    bench.arg("--s3").arg(&s3.endpoint).arg("--s3-log").arg(s3.requests()).arg("--dynamodb").arg(&ledger.endpoint);
    succeed(bench.args(options).stdin(Stdio::null()))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn wrong_words_are_told_before_anything_is_built() {
        for words in [&["lambda"][..], &["lambda", "--quick"], &["ingest", "--files", "10", "--all"], &["million"]] {
            assert_eq!(check(words), Ok(()), "{words:?}");
        }
        for (words, said) in [
            (&[][..], "`million` or `lambda`"),
            (&["nothing"], "`million` or `lambda`"),
            (&["lambda", "--all"], "does not know --all, but --quick"),
            (&["million", "--quick"], "does not know --quick, but --all, --files, --rows, --repeat"),
            (&["ingest", "--files", "0"], "--files wants a number above 0"),
            (&["ingest", "--files"], "--files wants a number above 0"),
        ] {
            assert!(check(words).is_err_and(|problem| problem.contains(said)), "{words:?}");
        }
    }
}
