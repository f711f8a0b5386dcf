//! `compare ingest|million`: Lithify beside its peers on the same work, all in one run on one machine.
//!
//! `cargo xtask bench` prepares what this needs (a release build, the peers) and starts it. The flow: make the drops
//! ([`data`]), run every contender with a fresh target and a warm cache, in turn ([`contest`]), check that what Lithify
//! wrote is the truth, print one Markdown table ([`table`]).

#![allow(clippy::disallowed_methods, reason = "a stopwatch reads the real clock")]

mod contest;
mod data;
mod floor;
mod options;
mod table;

use std::process::ExitCode;

fn main() -> ExitCode {
    match options::parse(std::env::args().skip(1)).and_then(|options| contest::run(&options)) {
        Ok(markdown) => {
            println!("{markdown}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}
