//! Calls of cargo: one target folder, one profile, and the summaries of tests counted while they are shown.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Outcome;
use crate::place;
use crate::summary::Totals;

/// A call of cargo in the checkout. `CARGO` names the very cargo that runs this.
///
/// # Errors
/// When no target folder is known.
pub fn cargo(arguments: &[&str]) -> Outcome<Command> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(place::root()).env("CARGO_TARGET_DIR", place::target()?).args(arguments);
    // What cargo told this program of itself: build scripts that look at it would be built anew after each call of cargo by hand.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    Ok(command)
}

/// Runs one phase and tells its time.
///
/// # Errors
/// What the phase tells.
pub fn phase<T>(name: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    println!("\n== {name}");
    let began = Instant::now();
    let outcome = work();
    println!("== {name}: {} in {:.1} s", if outcome.is_ok() { "ok" } else { "FAILED" }, began.elapsed().as_secs_f64());
    outcome
}

/// Runs a command that shows its own output.
///
/// # Errors
/// When it cannot start or fails.
pub fn succeed(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("{} ({status})", shown(command))) }
}

/// Runs a command of tests: shows its output as it comes and counts the tests. Gives whether it succeeded as well.
///
/// # Errors
/// When it cannot start or its output cannot be read.
pub fn counted(command: &mut Command) -> Outcome<(Totals, bool)> {
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| cannot_start(command, &error))?;
    let mut totals = Totals::default();
    if let Some(output) = child.stdout.take() {
        let mut shown = std::io::stdout().lock();
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(|error| format!("cannot read what cargo says: {error}"))?;
            totals.read(&String::from_utf8_lossy(&line));
            let _ = shown.write_all(&line).and_then(|()| shown.write_all(b"\n")).and_then(|()| shown.flush());
        }
    }
    let status = child.wait().map_err(|error| format!("cannot wait for cargo: {error}"))?;
    Ok((totals, status.success()))
}

fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("cannot start `{}`: {error}", shown(command))
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
