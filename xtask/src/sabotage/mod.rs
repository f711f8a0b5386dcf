//! `cargo xtask sabotage`: do the tests fail when the protocol is broken?
//!
//! Each sabotage of [`list`] is one change of the text of one file. It is applied to a copy of the checkout, the protocol's tests are built
//! and run, and one of them must fail: a sabotage that is not caught, or that does not compile, fails the command. The tests must pass
//! without a sabotage first. `--check` only looks whether each still finds what it changes, which a test of this crate does as well.

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

/// Applies every sabotage, or those whose names contain one of the words, in the words' order.
///
/// # Errors
/// What was not caught, or why it could not be tried.
pub fn run(words: &[&str]) -> Outcome {
    match words {
        ["--list"] => {
            SABOTAGES.iter().for_each(|sabotage| println!("{:45} {}", sabotage.name, sabotage.what));
            return Ok(());
        }
        ["--check"] => return check_all(&place::root()),
        _ => {}
    }
    let chosen = chosen(words)?;
    // A copy of the checkout as it is now: whatever is edited meanwhile, all are tried on the same.
    let checkout = place::target()?.join("sabotage/checkout");
    copy::refresh(&place::root(), &checkout)?;
    println!("== the tests without a sabotage");
    match tried(&checkout)? {
        Verdict::Survived => {}
        Verdict::Caught { by, .. } => return Err(format!("{by} fails without a sabotage")),
        Verdict::DoesNotCompile => return Err("the checkout does not compile".to_owned()),
    }
    let (count, mut wrong) = (chosen.len(), Vec::new());
    for sabotage in chosen {
        let before = sabotage.apply(&checkout)?;
        let verdict = tried(&checkout);
        sabotage.write(&checkout, &before)?;
        let why = match verdict? {
            Verdict::Caught { by, seconds } => {
                println!("{:45} caught in {seconds:5.1} s by {by}", sabotage.name);
                continue;
            }
            Verdict::Survived => "is not caught",
            Verdict::DoesNotCompile => "does not compile",
        };
        println!("{:45} {why}", sabotage.name);
        wrong.push(format!("  {} {why}: {}", sabotage.name, sabotage.what));
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{} sabotages of {count}:\n{}", wrong.len(), wrong.join("\n"))) }
}

/// All of them, or those whose names contain one of the words: each once.
fn chosen(words: &[&str]) -> Outcome<Vec<&'static Sabotage>> {
    let usage =
        || format!("`sabotage {}` means nothing; usage: sabotage [--list | --check | NAME ...]", words.join(" "));
    if words.is_empty() {
        return Ok(SABOTAGES.iter().collect());
    }
    let mut chosen: Vec<&Sabotage> = Vec::new();
    for word in words {
        if word.starts_with('-') {
            return Err(usage());
        }
        let known = chosen.len();
        let named = SABOTAGES.iter().filter(|one| one.name.contains(word));
        let new: Vec<&Sabotage> = named.filter(|one| chosen.iter().all(|own| own.name != one.name)).collect();
        chosen.extend(new);
        if chosen.len() == known {
            return Err(format!("no further sabotage has {word} in its name; sabotage --list shows them"));
        }
    }
    Ok(chosen)
}

/// Looks whether every sabotage finds what it changes, once, and changes it.
fn check_all(checkout: &Path) -> Outcome {
    let wrong: Vec<String> = SABOTAGES.iter().filter_map(|sabotage| sabotage.changed(checkout).err()).collect();
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    println!("{} sabotages find what they change", SABOTAGES.len());
    Ok(())
}

impl Sabotage {
    /// The text of its file, and the same changed.
    fn changed(&self, checkout: &Path) -> Outcome<(String, String)> {
        let (path, name, file) = (checkout.join(self.file), self.name, self.file);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{name}: {}: {error}", path.display()))?;
        let found = text.matches(self.find).count();
        if found != 1 {
            return Err(format!("{name}: {file} has what is to be replaced {found} times; bring the list up to date"));
        }
        let changed = text.replace(self.find, self.replace);
        if changed == text { Err(format!("{name}: it changes nothing in {file}")) } else { Ok((text, changed)) }
    }

    /// Changes its file. Gives what stood there.
    fn apply(&self, checkout: &Path) -> Outcome<String> {
        let (text, changed) = self.changed(checkout)?;
        self.write(checkout, &changed)?;
        Ok(text)
    }

    fn write(&self, checkout: &Path, text: &str) -> Outcome {
        let path = checkout.join(self.file);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// Builds and runs the tests of a checkout: the simulation, and where it sees nothing all of them.
fn tried(checkout: &Path) -> Outcome<Verdict> {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_sabotage_finds_what_it_changes() {
        assert_eq!(check_all(&place::root()), Ok(()));
        let names: BTreeSet<&str> = SABOTAGES.iter().map(|sabotage| sabotage.name).collect();
        assert_eq!(names.len(), SABOTAGES.len(), "each has a name of its own");
    }

    #[test]
    fn words_choose_each_once_in_their_order() {
        let names = |words: &[&str]| chosen(words).map(|all| all.into_iter().map(|one| one.name).collect::<Vec<_>>());
        assert_eq!(names(&[]).map(|all| all.len()), Ok(SABOTAGES.len()));
        let (aged, reused) = ("delete-runs-by-age", "reuse-a-number");
        assert_eq!(names(&["runs-by-age", "reuse"]), Ok(vec![aged, reused]));
        assert_eq!(names(&["reuse", "runs-by-age"]), Ok(vec![reused, aged]));
        for words in [&["reuse", "reuse"][..], &["nothing"], &["--what"], &["reuse", "--list"]] {
            assert!(names(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn a_sabotage_that_does_not_apply_is_named() {
        let of = |find, replace| Sabotage { name: "one", what: "", file: "xtask/src/place.rs", find, replace };
        for (find, replace, why) in [
            ("\n", "", "times"),
            ("no such text", "", "0 times"),
            ("//! Where things lie", "//! Where things lie", "nothing"),
        ] {
            let told = of(find, replace).changed(&place::root());
            assert!(told.as_ref().is_err_and(|told| told.starts_with("one: ") && told.contains(why)), "{told:?}");
        }
    }
}
