//! `cargo xtask fuzz`: libFuzzer over the targets of `tests/fuzz`, following the coverage of our own code.
//!
//! It runs on the pinned tool chain. cargo-fuzz asks for nightly, for the address sanitizer; there is no unsafe code here to watch, and
//! LLVM's counters of edges and of comparisons are stable options of the compiler. They are passed for the workspace's crates alone
//! (this program stands in for the compiler there, see [`compile`]), so that no dependency is compiled again.
//!
//! Inputs with new coverage are kept in the target folder from one call to the next; `--keep` puts those of them that add anything into
//! the corpus of the repository.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cargo::{cargo, phase, succeed};
use crate::{Outcome, e2e, place, tools};

/// What says that this program is called in place of the compiler.
const AS_COMPILER: &str = "LITHIFY_COVERAGE";

/// What makes the compiler count edges and tell comparisons, as cargo-fuzz passes it.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    // Its objects are otherwise told apart by nothing from those of a usual build.
    "--cfg=fuzzing",
];

/// An input that takes more memory (MiB) or time (seconds) than this is a finding.
const LIMITS: [&str; 2] = ["-rss_limit_mb=1024", "-timeout=20"];

/// How long all targets together are tried unless it is said.
const SECONDS: u64 = 60;

/// The variable that gives the tests of the targets a seed besides the one that stays.
pub const SEED: &str = "LITHIFY_FUZZ_SEED";

/// The seed of this day, or the one that the environment names: who repeats a failure sets that.
///
/// # Errors
/// A clock before 1970.
pub fn seed_of_the_day() -> Outcome<String> {
    if let Ok(given) = std::env::var(SEED) {
        return Ok(given);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| format!("the clock is wrong: {error}"))?;
    Ok((now.as_secs() / 86_400).to_string())
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    target: Option<String>,
    seconds: Option<u64>,
    file: Option<PathBuf>,
    keep: bool,
}

/// Runs one target, or all one after another.
///
/// # Errors
/// A finding, with the file that holds it and the command that shows it again.
pub fn run(words: &[&str]) -> Outcome {
    let wanted = parse(words)?;
    tools::check_for_fuzzing()?;
    let names = names()?;
    let chosen: Vec<&String> = match &wanted.target {
        None => names.iter().collect(),
        Some(name) => names.iter().filter(|known| *known == name).collect(),
    };
    if chosen.is_empty() {
        return Err(format!("no such target; there are: {}", names.join(", ")));
    }
    phase("compile with coverage", build)?;
    let each = (wanted.seconds.unwrap_or(SECONDS) / chosen.len() as u64).max(1);
    for name in chosen {
        match &wanted.file {
            Some(file) => phase(name, || succeed(driver(name)?.arg(file)))?,
            None if wanted.keep => phase(&format!("{name}: keep"), || keep(name))?,
            None => phase(name, || search(name, each))?,
        }
    }
    Ok(())
}

fn parse(words: &[&str]) -> Outcome<Wanted> {
    let mut wanted = Wanted::default();
    let mut rest = words;
    loop {
        rest = match rest {
            [] => return Ok(wanted),
            ["--time", time, rest @ ..] => {
                let seconds = time.trim_end_matches('s').parse().map_err(|_| format!("--time {time}: write 60s"))?;
                wanted.seconds = Some(seconds);
                rest
            }
            ["--file", file, rest @ ..] => {
                wanted.file = Some(std::path::absolute(file).map_err(|error| format!("--file {file}: {error}"))?);
                rest
            }
            ["--keep", rest @ ..] => {
                wanted.keep = true;
                rest
            }
            [name, rest @ ..] if !name.starts_with('-') && wanted.target.is_none() => {
                wanted.target = Some((*name).to_owned());
                rest
            }
            [other, ..] => {
                return Err(format!("`{other}`: usage: cargo xtask fuzz [TARGET] [--time 60s | --file PATH | --keep]"));
            }
        };
    }
}

/// The targets: the folders of the corpus, which a test holds against the targets themselves.
fn names() -> Outcome<Vec<String>> {
    let folder = corpus("");
    let entries = fs::read_dir(&folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

fn corpus(name: &str) -> PathBuf {
    place::root().join("tests/fuzz/corpus").join(name)
}

fn build() -> Outcome {
    let me = std::env::current_exe().map_err(|error| format!("cannot tell where this program lies: {error}"))?;
    let features = format!("{},fuzz/libfuzzer", e2e::features());
    let mut command = cargo(&["build", "--workspace", "--features", &features, "--bin", "fuzz"])?;
    // Its own names for our crates' objects: cargo tells them apart by the wrapper's presence.
    succeed(command.env("RUSTC_WORKSPACE_WRAPPER", me).env(AS_COMPILER, "1"))
}

/// If this is called in place of the compiler, is it, with coverage.
pub fn compile() -> Option<ExitCode> {
    std::env::var_os(AS_COMPILER)?;
    let mut words = std::env::args_os().skip(1);
    let compiler = words.next()?;
    let words: Vec<OsString> = words.collect();
    let mut command = Command::new(compiler);
    command.args(&words);
    // Cargo also asks the compiler what it is; that answer must not differ.
    if words.iter().any(|word| word == "--crate-name") {
        command.args(COVERAGE);
    }
    let succeeded = command.status().is_ok_and(|status| status.success());
    Some(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The binary, told its target.
fn driver(name: &str) -> Outcome<Command> {
    let binary = place::target()?.join("debug/fuzz");
    let mut command = Command::new(&binary);
    command.env("LITHIFY_FUZZ_TARGET", name).args(LIMITS).stdin(Stdio::null());
    Ok(command)
}

/// What was found in earlier calls: made if it is not there.
fn found(name: &str, what: &str) -> Outcome<PathBuf> {
    let folder = place::target()?.join("fuzzing").join(what).join(name);
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    Ok(folder)
}

fn search(name: &str, seconds: u64) -> Outcome {
    let (kept, findings) = (found(name, "corpus")?, found(name, "findings")?);
    let mut command = driver(name)?;
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={}/", findings.display()));
    command.args(["-max_len=8192", "-print_final_stats=1", "-verbosity=0"]).arg(kept).arg(corpus(name));
    succeed(&mut command).map_err(|problem| {
        let newest = newest(&findings).map_or_else(|| findings.display().to_string(), |path| path.display().to_string());
        format!("{problem}\nA property of {name} does not hold; its message is above.\nTo see it again: cargo xtask fuzz {name} --file {newest}\nMend it, then put the file into {}", corpus(name).display())
    })
}

fn newest(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let stamped = entries.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())));
    stamped.max().map(|(_, path)| path)
}

/// Adds to the corpus of the repository what covers more than it does.
fn keep(name: &str) -> Outcome {
    let mut command = driver(name)?;
    succeed(command.args(["-merge=1", "-max_len=4096", "-verbosity=0"]).arg(corpus(name)).arg(found(name, "corpus")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_is_wanted() {
        let wanted = parse(&["json", "--time", "90s"]).expect("right");
        assert_eq!(wanted, Wanted { target: Some("json".into()), seconds: Some(90), ..Wanted::default() });
        assert!(parse(&["--keep"]).expect("right").keep);
        for wrong in [&["--time", "soon"][..], &["json", "csv"], &["--fast"], &["--time"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_target_has_a_corpus() {
        let names = names().expect("a folder");
        assert!(names.len() > 8 && names.iter().any(|name| name == "json"), "{names:?}");
    }
}
