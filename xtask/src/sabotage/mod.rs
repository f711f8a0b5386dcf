//! `cargo xtask sabotage`: do the tests fail when the protocol is broken?
//!
//! Each sabotage of [`list`] is one change of the text of one file. It is applied to a copy of the checkout, the protocol's tests are built
//! and run, and one of them must fail: a sabotage that is not caught, or that does not compile, fails the command. The tests must pass
//! without a sabotage first.

mod copy;
mod list;

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::cargo::cargo;
use crate::place;
use list::{SABOTAGES, Sabotage};

/// The crates whose tests are to catch the sabotages.
const CRATES: [&str; 4] = ["simulation", "ledger", "ingest", "compactor"];

/// Their features.
const FEATURES: &str = "ledger/embedded,ledger/conformance,lake/conformance";

/// A test that takes longer than this goes round in circles: that is caught as well.
const TIME_MAX: Duration = Duration::from_secs(600);

/// What became of a sabotage.
enum Verdict {
    Caught { by: String, seconds: f64 },
    Survived,
    DoesNotCompile,
}

/// Applies every sabotage, or those whose name contains the word.
///
/// # Errors
/// What was not caught, or why it could not be tried.
pub fn run(words: &[&str]) -> Outcome {
    let chosen: Vec<&Sabotage> = match words {
        [] => SABOTAGES.iter().collect(),
        ["--list"] => {
            SABOTAGES.iter().for_each(|sabotage| println!("{:45} {}", sabotage.name, sabotage.what));
            return Ok(());
        }
        [word] if !word.starts_with('-') => SABOTAGES.iter().filter(|one| one.name.contains(word)).collect(),
        _ => return Err(format!("`sabotage {}` means nothing; usage: sabotage [--list | NAME]", words.join(" "))),
    };
    if chosen.is_empty() {
        return Err(format!("no sabotage has {} in its name; sabotage --list shows them", words.join(" ")));
    }
    let checkout = place::target()?.join("sabotage/checkout");
    copy::refresh(&place::root(), &checkout)?;
    println!("== the tests without a sabotage");
    match check(&checkout)? {
        Verdict::Survived => {}
        Verdict::Caught { by, .. } => return Err(format!("{by} fails without a sabotage")),
        Verdict::DoesNotCompile => return Err("the checkout does not compile".to_owned()),
    }
    let mut wrong = Vec::new();
    for sabotage in chosen {
        copy::refresh(&place::root(), &checkout)?;
        sabotage.apply(&checkout)?;
        match check(&checkout)? {
            Verdict::Caught { by, seconds } => println!("{:45} caught in {seconds:5.1} s by {by}", sabotage.name),
            Verdict::Survived => wrong.push((sabotage, "is not caught")),
            Verdict::DoesNotCompile => wrong.push((sabotage, "does not compile")),
        }
        if let Some((last, why)) = wrong.last().filter(|(last, _)| last.name == sabotage.name) {
            println!("{:45} {why}", last.name);
        }
    }
    copy::refresh(&place::root(), &checkout)?;
    if wrong.is_empty() {
        return Ok(());
    }
    let lines = wrong.iter().map(|(sabotage, why)| format!("  {} {why}: {}", sabotage.name, sabotage.what));
    Err(format!("{} sabotages of {}:\n{}", wrong.len(), SABOTAGES.len(), lines.collect::<Vec<_>>().join("\n")))
}

impl Sabotage {
    fn apply(&self, checkout: &Path) -> Outcome {
        let path = checkout.join(self.file);
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(told)?;
        let found = text.matches(self.find).count();
        if found != 1 {
            let (name, file) = (self.name, self.file);
            return Err(format!("{name}: {file} has what is to be replaced {found} times; bring the list up to date"));
        }
        std::fs::write(&path, text.replace(self.find, self.replace)).map_err(told)
    }
}

/// Builds and runs the tests of a checkout: the simulation, and where it sees nothing all of them.
fn check(checkout: &Path) -> Outcome<Verdict> {
    let began = Instant::now();
    for only in [&["--test", "histories"][..], &[]] {
        let built = tests(checkout)?.args(only).arg("--no-run").stdout(Stdio::null()).stderr(Stdio::piped()).output();
        let built = built.map_err(|error| format!("cannot start cargo: {error}"))?;
        if !built.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&built.stderr));
            return Ok(Verdict::DoesNotCompile);
        }
        if let Some(by) = failure(tests(checkout)?.args(only))? {
            return Ok(Verdict::Caught { by, seconds: began.elapsed().as_secs_f64() });
        }
    }
    Ok(Verdict::Survived)
}

/// Runs tests until one fails. Names it; `None` where all pass.
fn failure(command: &mut Command) -> Outcome<Option<String>> {
    let cannot = |error: std::io::Error| format!("cannot start cargo: {error}");
    // A group of its own, so that the tests end with cargo.
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0).spawn().map_err(cannot)?;
    let output = child.stdout.take().ok_or("cargo has no output")?;
    let (failed, first) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
                // Nobody listens any more once one is known.
                let _ = failed.send(name.to_owned());
            }
        }
    });
    let by = match first.recv_timeout(TIME_MAX) {
        Ok(name) => Some(name),
        Err(mpsc::RecvTimeoutError::Timeout) => Some("a test that does not end".to_owned()),
        // Its output has ended, and so will it.
        Err(mpsc::RecvTimeoutError::Disconnected) => None,
    };
    if by.is_some() {
        let group = format!("-{}", child.id());
        Command::new("kill")
            .args(["-KILL", "--", &group])
            .status()
            .map_err(|error| format!("cannot start kill: {error}"))?;
    }
    let status = child.wait().map_err(|error| format!("cannot wait for cargo: {error}"))?;
    Ok(by.or_else(|| (!status.success()).then(|| "a test that died".to_owned())))
}

fn tests(checkout: &Path) -> Outcome<Command> {
    let mut command = cargo(&["test", "--features", FEATURES])?;
    command.args(CRATES.iter().flat_map(|name| ["-p", name]));
    // Its own folder: artifacts of another checkout's crates of the same names must not be taken for these.
    command.current_dir(checkout).env("CARGO_TARGET_DIR", place::target()?.join("sabotage/target"));
    command.env_remove("LITHIFY_S3").env_remove("LITHIFY_DYNAMODB");
    Ok(command)
}
