//! Every target under its corpus, and under mutations of it from a fixed seed: the same on every machine, in seconds. `cargo xtask test`
//! gives a seed of the day as well, so that not the same is tried for ever; who sees it fail repeats it by that seed.
//!
//! `cargo xtask fuzz` looks further; what it finds is put into the corpus and stays.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::any::Any;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fuzz::mutate::{Random, mutated};
use fuzz::{TARGETS, Target, target};

/// Where mutations begin on every machine.
const SEED: u64 = 0x11_22_33_44;

/// Names a further seed.
const FURTHER: &str = "LITHIFY_FUZZ_SEED";

/// Where mutations begin.
fn seeds() -> Vec<u64> {
    let further = std::env::var(FURTHER).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{FURTHER}={text}")));
    std::iter::once(SEED).chain(further).collect()
}

/// No file of the corpus is longer.
const MOST_BYTES: usize = 8 << 10;

fn folder(target: &Target) -> PathBuf {
    // Asked when it runs: checkouts that share compiled code share this program.
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    Path::new(&here).join("corpus").join(target.name)
}

/// The corpus of a target: names and contents.
fn corpus(target: &Target) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder(target)).unwrap_or_else(|error| panic!("{}: {error}", folder(target).display()));
    let file = |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    let mut files: Vec<_> = entries.map(|entry| file(entry.unwrap())).collect();
    files.sort();
    assert!(files.len() >= 3, "{} has hardly a corpus", target.name);
    files
}

/// Checks one input; where it fails, the input is shown and kept. Gives whether it was understood.
fn check(target: &Target, what: &str, bytes: &[u8]) -> bool {
    let panic = match catch_unwind(AssertUnwindSafe(|| (target.check)(bytes))) {
        Ok(understood) => return understood,
        Err(panic) => panic,
    };
    let path =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{:016x}", target.name, fuzz::fingerprint(bytes)));
    fs::write(&path, bytes).unwrap();
    panic!(
        "{} does not hold for {what}: {}\nThe input is kept: cargo xtask fuzz {} --file {}\n{}",
        target.name,
        words(&panic),
        target.name,
        path.display(),
        String::from_utf8_lossy(bytes)
    );
}

fn words(panic: &Box<dyn Any + Send>) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it broke off")
}

fn run(name: &str) {
    let target = target(name).unwrap();
    let files = corpus(target);
    let mut understood = 0;
    for (file, bytes) in &files {
        assert!(bytes.len() <= MOST_BYTES, "{name}/{file} is too long to be kept");
        understood += usize::from(check(target, file, bytes));
    }
    assert!(
        (1..files.len()).contains(&understood),
        "of {} files {understood} were understood: a corpus has both",
        files.len()
    );
    let contents: Vec<Vec<u8>> = files.into_iter().map(|(_, bytes)| bytes).collect();
    for seed in seeds() {
        let mut random = Random::new(seed);
        for at in 0..target.tries {
            check(target, &format!("mutation {at} of {FURTHER}={seed}"), &mutated(target, &contents, &mut random));
        }
    }
}

/// A test for each target, so that they run side by side.
macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { run(stringify!($name)); })*

        #[test]
        fn no_target_is_left_out() {
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), [$(stringify!($name)),*]);
        }
    };
}

targets!(json, csv, gzip, zstd, notification, event, key, settings, hints, manifest, log, checkpoint, foreign);

#[test]
fn a_seed_gives_the_same_for_ever() {
    let target = target("key").unwrap();
    let corpus = vec![b"a+b%20c".to_vec(), b"100%25".to_vec()];
    let made = || {
        let mut random = Random::new(SEED);
        (0..50).map(|_| mutated(target, &corpus, &mut random)).collect::<Vec<_>>()
    };
    assert_eq!(made(), made());
    let print = made().concat();
    assert_eq!(
        fuzz::fingerprint(&print),
        13_762_007_257_342_247_108,
        "another generator tries other inputs: say so where figures are kept"
    );
}
