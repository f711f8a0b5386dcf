//! What a command says when it is done: as a table for people, or as one JSON object whose fields do not change their meaning.
//!
//! `summary` and `status` are plain values that the flows fill; `summary_text` and `status_text` turn them into text; this
//! file prints. Standard output holds the result only, errors go to standard error.

mod failure;
mod grid;
mod moment;
mod status;
mod status_text;
mod summary;
mod summary_text;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use runtime::settings::SettingError;
use serde::Serialize;

use crate::advice::in_flags;
use crate::exit;
pub use failure::{Failure, SettingFailure, WrongSettings};
pub use moment::Moment;
pub use status::{PipelineStatus, SizeDistribution, StatusReport, TableStatus, Waiting};
pub(crate) use summary::NAMED_AT_MOST;
pub use summary::{ColumnAdded, Conflict, LeftOut, PipelineSummary, QuarantinedDrop, QuarantinedRecord, RunSummary};

/// Prints the summary of a run on standard output, and its failures on standard error. `by_flags`: its settings were flags, so what people are
/// advised is told as flags; `json` names settings as files do.
///
/// # Errors
/// Standard output cannot be written to, e.g. as its reader is gone.
pub fn show_run(summary: &RunSummary, json: bool, by_flags: bool) -> io::Result<()> {
    // Where all settings were wrong nothing was counted: the errors say it all.
    let nothing =
        summary.exit_code == exit::WRONG_SETTINGS && summary.pipelines.iter().all(PipelineSummary::is_refused);
    let advice = |text: &str| if by_flags { in_flags(text) } else { text.to_owned() };
    let printed = match json {
        true => object(summary),
        false if nothing => Ok(()),
        false => text(&advice(&summary_text::text(summary))),
    };
    for (pipeline, failure) in summary.failures() {
        Failure { error: advice(&failure.error), ..failure.clone() }.print(pipeline);
    }
    printed
}

/// Prints a status on standard output.
///
/// # Errors
/// Standard output cannot be written to.
pub fn show_status(report: &StatusReport, json: bool) -> io::Result<()> {
    if json { object(report) } else { text(&status_text::text(report)) }
}

/// Prints why a command failed without a result, with [`exit::FAILED`]: on standard error, and with `json` as an object on standard output as well.
///
/// # Errors
/// Standard output cannot be written to.
pub fn show_failure(failure: &Failure, json: bool) -> io::Result<()> {
    failure.print(None);
    if json { show_failure_object(failure, exit::FAILED, &mut io::stdout()) } else { Ok(()) }
}

/// Prints everything that is wrong with the settings: on standard error, and with `json` as an object on standard output as well.
///
/// # Errors
/// Standard output cannot be written to.
pub fn show_setting_errors(errors: &[SettingError], json: bool) -> io::Result<()> {
    let wrong = WrongSettings::new(errors);
    wrong.print();
    if json { object(&wrong) } else { Ok(()) }
}

/// Prints everything that is wrong with the settings as an object on standard output: standard error says it in other words.
pub(crate) fn show_setting_errors_object(errors: &[SettingError]) -> io::Result<()> {
    object(&WrongSettings::new(errors))
}

/// Writes a failure as a JSON object on a line, with the exit code that the process ends with.
pub(crate) fn show_failure_object(failure: &Failure, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    write_object(&failure::FailureObject::new(failure, exit_code), out)
}

/// Prints a result as one JSON object.
///
/// # Errors
/// Standard output cannot be written to.
pub(crate) fn show_object(value: &impl Serialize) -> io::Result<()> {
    object(value)
}

/// Prints a result for people.
///
/// # Errors
/// Standard output cannot be written to.
pub(crate) fn show_text(words: &str) -> io::Result<()> {
    text(words)
}

fn object(value: &impl Serialize) -> io::Result<()> {
    write_object(value, &mut io::stdout().lock())
}

fn write_object(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()
}

fn text(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
