//! `cargo xtask sim`: the simulation from the command line.

use std::process::ExitCode;

use simulation::command;

fn main() -> ExitCode {
    command::run(&std::env::args().skip(1).collect::<Vec<_>>())
}
