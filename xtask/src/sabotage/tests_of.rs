//! The tests that are to see a sabotage: built, run until one fails, and ended when one binary of them takes too long.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::edit;
use super::list::{SeenBy, Test};
use crate::Outcome;
use crate::cargo::cargo;
use crate::verify::FEATURES;
use crate::{dynamodb, place, versitygw};

/// The binaries of tests that need a server.
const DYNAMODB: &str = "dynamodb";
const S3: &str = "s3";

/// The tests of the simulation, the quickest to see most first.
const SIMULATION: [Test; 4] = [
    of_histories("every_scenario_ends_well"),
    of_histories("random_histories_hold"),
    of_histories("whatever_goes_wrong_at_any_call_heals"),
    of_histories("a_sample_of_interleavings_holds"),
];

/// What else is to see the protocol broken.
const REST: [&str; 12] = [
    "--workspace",
    "--lib",
    "--test",
    "recovery",
    "--test",
    "upkeep",
    "--test",
    "opening",
    "--test",
    "overtaken",
    "--test",
    "invocation",
];

/// The tests of the Delta log. With the command line, which has no library, what they stand on has the features of all tests.
pub const LAKE: [&str; 5] = ["--package", "lake", "--package", "lithify", "--lib"];

const fn of_histories(name: &'static str) -> Test {
    Test { binary: &["--workspace", "--test", "histories"], name, file: "tests/simulation/tests/histories.rs" }
}

/// What stands for the name of a test that ended its binary.
pub const A_TEST_THAT_DIED: &str = "a test that died";

/// How long one binary of tests may take.
const BINARY_TIME_MAX: Duration = Duration::from_secs(600);

/// Tests, and what they need.
pub struct Tests {
    seen_by: SeenBy,
    building: Cell<Duration>,
}

/// What is run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// One test.
    One(Test),
    /// All of the binaries that these words choose.
    All(&'static [&'static str]),
}

/// Which tests of a stage are run.
pub enum Chosen<'a> {
    /// All but these.
    AllBut(&'a [String]),
    /// This one alone.
    Alone(&'a str),
}

impl<'a> Chosen<'a> {
    fn words(&self) -> Vec<&'a str> {
        match self {
            Self::AllBut([]) => Vec::new(),
            Self::AllBut(names) => {
                let skipped = names.iter().flat_map(|name| ["--skip", name.as_str()]);
                ["--", "--exact"].into_iter().chain(skipped).collect()
            }
            Self::Alone(name) => vec!["--", "--exact", name],
        }
    }
}

/// How tests ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All passed.
    Passed,
    /// They do not compile.
    DoesNotCompile,
    /// One failed.
    Failed {
        /// Its name.
        test: String,
    },
    /// A binary of them did not end in time.
    OutOfTime {
        /// What cargo calls it.
        binary: String,
    },
}

/// What is heard of tests that run.
enum Heard {
    /// A binary begins.
    Begins(String),
    /// A test failed.
    Failed(String),
}

impl Tests {
    /// Those that are to see this kind of sabotage.
    pub fn of(seen_by: SeenBy) -> Self {
        Self { seen_by, building: Cell::default() }
    }

    /// What is run one after the other for a sabotage that this test is expected to see: that one, the quickest to see anything, then all.
    pub fn stages(&self, expected: Option<Test>) -> Vec<Stage> {
        let (quick, all): (&[Test], &[&[&str]]) = match self.seen_by {
            SeenBy::Protocol => (&SIMULATION, &[&REST]),
            SeenBy::Ledger => (&[], &[&["--workspace", "--test", DYNAMODB], &["--workspace", "--lib"]]),
            SeenBy::Log => (&[], &[&LAKE, &["--workspace", "--test", S3]]),
        };
        let others = quick.iter().copied().filter(|test| Some(*test) != expected);
        let alone = expected.into_iter().chain(others).map(Stage::One);
        alone.chain(all.iter().map(|binaries| Stage::All(binaries))).collect()
    }

    /// How long building took since this was last asked.
    pub fn built_for(&self) -> Duration {
        self.building.take()
    }

    /// Builds and runs a stage, or of it what is chosen, in the turn of a sabotage or as it is.
    ///
    /// # Errors
    /// When cargo, or the server that they need, cannot be started.
    pub fn run(&self, checkout: &Path, stage: Stage, chosen: &Chosen, sabotage: Option<&str>) -> Outcome<Ending> {
        let (binary, words) = match (stage, chosen) {
            (Stage::All(binary), chosen) => (binary, chosen.words()),
            // One alone, unless it is left out.
            (Stage::One(test), Chosen::AllBut(names)) if names.iter().any(|name| name == test.name) => {
                return Ok(Ending::Passed);
            }
            (Stage::One(test), _) => (test.binary, Chosen::Alone(test.name).words()),
        };
        let began = Instant::now();
        let mut build = self.command(checkout, binary)?;
        let built = build.arg("--no-run").stdout(Stdio::null()).stderr(Stdio::piped()).output();
        let built = built.map_err(|error| format!("cannot start cargo: {error}"))?;
        self.building.set(self.building.get() + began.elapsed());
        if !built.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&built.stderr));
            return Ok(Ending::DoesNotCompile);
        }
        let mut command = self.command(checkout, binary)?;
        command.args(words).envs(sabotage.map(|name| (edit::VARIABLE, name)));
        // They end with these values.
        let (mut ledger, mut s3) = (None, None);
        if binary.contains(&DYNAMODB) {
            command.env(dynamodb::VARIABLE, &ledger.insert(dynamodb::start()?).endpoint);
        }
        if binary.contains(&S3) {
            command.env(versitygw::VARIABLE, &s3.insert(versitygw::Server::start()?).endpoint);
        }
        watch(&mut command, BINARY_TIME_MAX)
    }

    fn command(&self, checkout: &Path, binary: &[&str]) -> Outcome<Command> {
        let mut command = cargo(&["test", "--features", &features(binary)])?;
        command.args(binary);
        // Its own folder: artifacts of another checkout's crates of the same names must not be taken for these.
        command.current_dir(checkout).env("CARGO_TARGET_DIR", place::target()?.join("sabotage/target"));
        command.env_remove(edit::VARIABLE).env_remove(versitygw::VARIABLE).env_remove(dynamodb::VARIABLE);
        Ok(command)
    }
}

/// The features for these binaries: those of all tests, so that what they stand on is built once, or those of one crate.
fn features(binary: &[&str]) -> String {
    let of_all = FEATURES.split(',').filter(|feature| {
        binary.contains(&"--workspace") || feature.split('/').next().is_some_and(|name| binary.contains(&name))
    });
    of_all.collect::<Vec<_>>().join(",")
}

/// Runs tests until one fails, or one binary of them has taken so long.
fn watch(command: &mut Command, time_max: Duration) -> Outcome<Ending> {
    let cannot = |error: std::io::Error| format!("cannot start cargo: {error}");
    // A group of its own, so that the tests end with cargo.
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn().map_err(cannot)?;
    let (hears, heard) = mpsc::channel();
    listen(child.stdout.take(), hears.clone(), |line| {
        Some(Heard::Failed(line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?.to_owned()))
    });
    // Cargo says there which binary it starts.
    listen(child.stderr.take(), hears, |line| {
        let named = ["Running ", "Doc-tests "].iter().find_map(|word| line.trim_start().strip_prefix(word));
        Some(Heard::Begins(named?.split(" (").next().unwrap_or_default().to_owned()))
    });
    let (mut binary, mut began) = ("cargo".to_owned(), Instant::now());
    let ending = loop {
        match heard.recv_timeout(time_max.saturating_sub(began.elapsed())) {
            Ok(Heard::Begins(next)) => (binary, began) = (next, Instant::now()),
            Ok(Heard::Failed(test)) => break Some(Ending::Failed { test }),
            Err(RecvTimeoutError::Timeout) => break Some(Ending::OutOfTime { binary }),
            // Both outputs have ended, and so will it.
            Err(RecvTimeoutError::Disconnected) => break None,
        }
    };
    if ending.is_some() {
        end(&child)?;
    }
    let status = child.wait().map_err(|error| format!("cannot wait for cargo: {error}"))?;
    Ok(match ending {
        Some(ending) => ending,
        None if status.success() => Ending::Passed,
        None => Ending::Failed { test: A_TEST_THAT_DIED.to_owned() },
    })
}

/// Ends cargo and the tests that it runs.
fn end(child: &Child) -> Outcome {
    let group = format!("-{}", child.id());
    let ended = Command::new("kill").args(["-KILL", "--", &group]).status();
    ended.map(|_| ()).map_err(|error| format!("cannot start kill: {error}"))
}

/// Tells of the lines of an output that mean something, on a thread of its own.
fn listen<R: Read + Send + 'static>(output: Option<R>, hears: Sender<Heard>, means: fn(&str) -> Option<Heard>) {
    let Some(output) = output else { return };
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(heard) = means(&line) {
                // Nobody listens any more once it is decided.
                let _ = hears.send(heard);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is made of a shell's words and times, with half a second for each binary.
    fn watched(script: &str) -> Ending {
        watch(Command::new("sh").args(["-c", script]), Duration::from_millis(500)).expect("a shell")
    }

    #[test]
    fn each_binary_has_a_time_of_its_own() {
        let running = |name: &str| format!("echo '     Running {name} (target/x)' >&2; sleep 0.3;");
        let four: String = ["a", "b", "c", "d"].map(running).concat();
        assert_eq!(watched(&four), Ending::Passed);
        let hangs = format!("{} echo '     Running tests/slow.rs (target/x)' >&2; sleep 30", running("a"));
        let began = Instant::now();
        assert_eq!(watched(&hangs), Ending::OutOfTime { binary: "tests/slow.rs".to_owned() });
        assert!(began.elapsed() < Duration::from_secs(15), "what it ran was ended");
    }

    #[test]
    fn what_is_expected_comes_first_and_all_at_the_end() {
        let own = Test { binary: &["--lib"], name: "a::b", file: "a.rs" };
        let tests = Tests::of(SeenBy::Protocol);
        let quick = SIMULATION.map(Stage::One);
        assert_eq!(tests.stages(None), [&quick[..], &[Stage::All(&REST)]].concat());
        assert_eq!(tests.stages(Some(own)), [&[Stage::One(own)], &quick[..], &[Stage::All(&REST)]].concat());
        let third = [quick[2], quick[0], quick[1], quick[3], Stage::All(&REST)];
        assert_eq!(tests.stages(Some(SIMULATION[2])), third);
    }

    #[test]
    fn one_crate_has_its_own_features() {
        assert_eq!(features(&["--workspace", "--lib"]), FEATURES);
        assert_eq!(features(&LAKE), "lake/conformance,lake/s3,lithify/aws");
    }

    #[test]
    fn tests_are_chosen_by_their_whole_names() {
        let names = ["a::b".to_owned(), "c".to_owned()];
        assert_eq!(Chosen::AllBut(&[]).words(), [""; 0]);
        assert_eq!(Chosen::AllBut(&names).words(), ["--", "--exact", "--skip", "a::b", "--skip", "c"]);
        assert_eq!(Chosen::Alone("a::b").words(), ["--", "--exact", "a::b"]);
    }

    #[test]
    fn the_first_test_that_fails_is_named() {
        let fails = "echo 'test a ... ok'; echo 'test b::c ... FAILED'; sleep 30";
        assert_eq!(watched(fails), Ending::Failed { test: "b::c".to_owned() });
        assert_eq!(watched("echo 'test a ... ok'; exit 1"), Ending::Failed { test: A_TEST_THAT_DIED.to_owned() });
        assert_eq!(watched("echo 'test a ... ok'"), Ending::Passed);
    }
}
