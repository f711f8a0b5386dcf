//! The tests that are to see a sabotage: built, run until one fails, and ended when one binary of them takes too long.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::list::SeenBy;
use crate::Outcome;
use crate::cargo::cargo;
use crate::{dynamodb, place};

/// The crates whose tests are to see the sabotages of the protocol, and their features.
const PROTOCOL: (&[&str], &str) =
    (&["simulation", "ledger", "ingest", "compactor"], "ledger/embedded,ledger/conformance,lake/conformance");

/// The same of those of the ledger on DynamoDB.
const ON_DYNAMODB: (&[&str], &str) = (&["ledger"], "ledger/embedded,ledger/conformance,ledger/dynamodb");

/// What stands for the name of a test that ended its binary.
pub const A_TEST_THAT_DIED: &str = "a test that died";

/// How long one binary of tests may take.
const BINARY_TIME_MAX: Duration = Duration::from_secs(600);

/// Tests, and what they need.
pub struct Tests {
    seen_by: SeenBy,
}

/// Which tests of a stage are run.
pub enum Chosen<'a> {
    /// All but these.
    AllBut(&'a [String]),
    /// This one alone.
    Alone(&'a str),
}

impl Chosen<'_> {
    fn words(&self) -> Vec<&str> {
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
#[derive(Debug, PartialEq, Eq)]
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
        Self { seen_by }
    }

    /// What is run one after the other: the quickest to see anything first.
    pub fn stages(&self) -> &'static [&'static [&'static str]] {
        match self.seen_by {
            SeenBy::Protocol => &[&["--test", "histories"], &[]],
            SeenBy::DynamoDb => &[&["--test", "dynamodb"]],
        }
    }

    /// Builds and runs a stage, or of it what is chosen.
    ///
    /// # Errors
    /// When cargo, or the server that they need, cannot be started.
    pub fn run(&self, checkout: &Path, stage: &[&str], chosen: &Chosen) -> Outcome<Ending> {
        let mut build = self.command(checkout, stage)?;
        let built = build.arg("--no-run").stdout(Stdio::null()).stderr(Stdio::piped()).output();
        let built = built.map_err(|error| format!("cannot start cargo: {error}"))?;
        if !built.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&built.stderr));
            return Ok(Ending::DoesNotCompile);
        }
        let mut command = self.command(checkout, stage)?;
        command.args(chosen.words());
        // It ends with this value.
        let server = match self.seen_by {
            SeenBy::Protocol => None,
            SeenBy::DynamoDb => Some(dynamodb::start()?),
        };
        if let Some(server) = &server {
            command.env(dynamodb::VARIABLE, &server.endpoint);
        }
        watch(&mut command, BINARY_TIME_MAX)
    }

    fn command(&self, checkout: &Path, stage: &[&str]) -> Outcome<Command> {
        let (crates, features) = match self.seen_by {
            SeenBy::Protocol => PROTOCOL,
            SeenBy::DynamoDb => ON_DYNAMODB,
        };
        let mut command = cargo(&["test", "--features", features])?;
        command.args(crates.iter().flat_map(|name| ["-p", name])).args(stage);
        // Its own folder: artifacts of another checkout's crates of the same names must not be taken for these.
        command.current_dir(checkout).env("CARGO_TARGET_DIR", place::target()?.join("sabotage/target"));
        command.env_remove("LITHIFY_S3").env_remove(dynamodb::VARIABLE);
        Ok(command)
    }
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
