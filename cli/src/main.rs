//! `lithify`: folders of small files become a Delta table of a few large, sorted ones, each row exactly once.

mod advice;
mod allocator;
mod args;
mod completions;
mod config;
mod exit;
mod gone;
mod help;
mod human;
mod logging;
mod progress;
mod reconcile;
mod report;
mod run;
mod status;

use std::process::ExitCode;
use std::time::Duration;

use args::{Cli, Command};

/// How long a thread for blocking work waits for more. The allocator keeps some megabytes for each thread that there is, and reading a log of fifty
/// commits begins fifty.
const IDLE_THREAD: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let Cli { json, command } = args::parse();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.enable_all().thread_keep_alive(IDLE_THREAD).build() {
        Ok(runtime) => runtime,
        Err(e) => {
            let failure =
                report::Failure::new(format!("cannot start: {e}"), "raise the limit of threads or open files");
            // A closed standard output changes nothing: the exit code says the same.
            let _ = report::show_failure(&failure, json);
            return ExitCode::from(exit::FAILED);
        }
    };
    let code = runtime.block_on(async {
        match command {
            Command::Run(args) => run::command(&args, json).await,
            Command::Status(args) => status::command(&args, json).await,
            Command::Reconcile(args) => reconcile::command(&args, json).await,
            Command::Completions { shell } => match completions::write(shell, json, &mut std::io::stdout()) {
                Ok(()) => exit::FINAL,
                Err(_) => exit::FAILED,
            },
        }
    });
    ExitCode::from(code)
}
