//! The one-word commands: `cargo xtask` lists them.
//!
//! * [`verify`]: `test`, everything that must pass before a change lands
//! * [`e2e`], [`aws`]: the end-to-end tests alone, on folders and on LocalStack with packed [`functions`]
//! * [`deny`]: what may come into the build
//! * [`fuzz`]: libFuzzer over what reads strangers' bytes
//! * [`sim`]: the simulation; [`sabotage`]: whether it and the other tests see the protocol broken
//! * [`bench`]: Lithify beside its peers
//! * [`release`]: the command line as it is handed out
//! * [`cargo`], [`tools`], [`python`], [`dynamodb`], [`versitygw`]: what these stand on: one target folder, a check of what
//!   the machine has, Python environments that hold exactly what their files of requirements say, a DynamoDB and an S3 for tests
//!
//! Only the standard library is used, so that the first answer comes seconds after the clone.

#![allow(clippy::disallowed_methods, reason = "phases are timed by the real clock")]

mod aws;
mod bench;
mod cargo;
mod deny;
mod dynamodb;
mod e2e;
mod functions;
mod fuzz;
mod place;
mod python;
mod release;
mod sabotage;
mod sim;
mod summary;
mod tools;
mod verify;
mod versitygw;

use std::process::ExitCode;

/// What a command tells when it fails: one text for the user, with what to do.
type Outcome<T = ()> = Result<T, String>;

const COMMANDS: &str = "\
usage: cargo xtask COMMAND

  test                 everything that must pass: formatting, lints, all tests, end to end
  e2e                  the end-to-end tests, on folders and on LocalStack
  e2e NAME             those on folders whose name contains NAME
  e2e aws[:NAME]       those on LocalStack, or those of them whose name contains NAME
  deny                 dependencies: licences, bans, sources, and advisories where they can be had
  fuzz [TARGET]        strange bytes at all that reads strangers' bytes; --time 60s, --file PATH, --keep
  sim                  2,000 random histories of the real ingest and compactor over a world in memory
  sim --seed N         one of them, with every call; what failed names its own words
  sim --all            every fault point, every interleaving, every scenario, 10,000 random histories
  sabotage [NAME]      breaks the protocol in one place after the other: a test must see each; --list, --check
  bench ingest         Lithify beside its peers on 100,000 micro-files; --files N, --repeat N, --all
  bench million        Lithify alone on 1,000,000 micro-files
  bench lambda         the functions: requests, size, start, memory, drops per second; --quick
  release              the command line as it is handed out, with S3 (feature aws): an archive with completions, and its SHA-256

Compiled code, Python environments, DynamoDB Local and generated drops go to the user's cache folder ($XDG_CACHE_HOME/lithify, or
~/.cache/lithify); CARGO_TARGET_DIR moves the compiled code elsewhere.";

fn main() -> ExitCode {
    if let Some(code) = fuzz::compile() {
        return code;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] | ["help" | "--help" | "-h"] => {
            println!("{COMMANDS}");
            return ExitCode::SUCCESS;
        }
        // The simulation tells its own words.
        [command, rest @ ..] if *command != "sim" && rest.iter().any(|word| ["--help", "-h"].contains(word)) => {
            println!("{COMMANDS}");
            return ExitCode::SUCCESS;
        }
        ["test"] => verify::run(),
        ["e2e"] => e2e::run(None),
        ["e2e", name] if !name.starts_with('-') => e2e::run(Some(name)),
        ["deny"] => cargo::phase("dependencies", deny::run),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["sim", rest @ ..] => match sim::run(rest) {
            Ok(code) => return code,
            Err(problem) => Err(problem),
        },
        ["sabotage", rest @ ..] => sabotage::run(rest),
        ["bench", rest @ ..] => bench::run(rest),
        ["release"] => release::run(),
        _ => {
            eprintln!("error: `{}` is not a command\n\n{COMMANDS}", words.join(" "));
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("\nerror: {problem}");
            ExitCode::FAILURE
        }
    }
}
