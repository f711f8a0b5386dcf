//! Why a command failed, and what to do about it.

use std::io::Write;

use clap::builder::styling::AnsiColor;
use runtime::settings::{Origin, SettingError};
use serde::Serialize;

use super::summary::FORMAT_VERSION;
use crate::exit;
use crate::human::plain;

/// Why something failed, in words for the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What failed: the object, the place, the reason.
    pub error: String,
    /// What to do next; empty where nothing helps but looking.
    pub help: String,
    /// Where settings are the cause: each of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<SettingFailure>,
    /// Whether it was refused before anything was done.
    #[serde(skip)]
    pub refused: bool,
}

impl Failure {
    /// A failure with what to do about it.
    pub fn new(error: impl Into<String>, help: impl Into<String>) -> Self {
        Self { error: error.into(), help: help.into(), settings: Vec::new(), refused: false }
    }

    /// A refusal, before anything was done.
    pub fn refusal(error: impl Into<String>, help: impl Into<String>) -> Self {
        Self { refused: true, ..Self::new(error, help) }
    }

    /// Prints `error: ...` and `help: ...` on standard error.
    pub(super) fn print(&self, pipeline: Option<&str>) {
        // Some errors begin with the pipeline's name by themselves.
        let of = pipeline.map(|name| format!("pipeline {}", plain(name)));
        let of = of.filter(|of| !plain(&self.error).starts_with(of.as_str()));
        let of = of.map(|of| format!("{of}: ")).unwrap_or_default();
        print_lines(&format!("{of}{}", plain(&self.error)), &self.help);
    }
}

/// A failure as the one object that a command prints.
#[derive(Serialize)]
pub(super) struct FailureObject<'a> {
    /// See [`FORMAT_VERSION`].
    format_version: u32,
    /// The process's exit code.
    exit_code: u8,
    #[serde(flatten)]
    failure: &'a Failure,
}

impl<'a> FailureObject<'a> {
    /// The object for a process that ends with this code.
    pub(super) fn new(failure: &'a Failure, exit_code: u8) -> Self {
        Self { format_version: FORMAT_VERSION, exit_code, failure }
    }
}

/// One setting that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingFailure {
    /// The setting's name, as it stands in a file.
    pub setting: String,
    /// The flag or argument that gave it; null where it stands in a file or nowhere.
    pub flag: Option<String>,
    /// The file that it stands in, as the user named it.
    pub file: Option<String>,
    /// The line of the file, from 1.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl SettingFailure {
    /// An error as an object.
    pub fn of(error: &SettingError) -> Self {
        let (flag, file, line) = match &error.origin {
            Origin::Flag(flag) => (Some(flag.clone()), None, None),
            Origin::Line { file, line } => (None, Some(file.clone()), Some(*line)),
            Origin::Object { file, .. } => (None, Some(file.clone()), None),
            Origin::Absent => (None, None, None),
        };
        Self { setting: error.setting.clone(), flag, file, line, problem: error.problem.clone() }
    }
}

/// Everything that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrongSettings {
    /// See [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The process's exit code.
    pub exit_code: u8,
    /// How many are wrong.
    pub error: String,
    /// What to do next.
    pub help: String,
    /// Each of them: flags first, then by file and line.
    pub settings: Vec<SettingFailure>,
    /// Each of them as the user reads it.
    #[serde(skip)]
    lines: Vec<String>,
}

impl WrongSettings {
    /// The report of these errors.
    pub fn new(errors: &[SettingError]) -> Self {
        let error = match errors.len() {
            1 => "a setting is wrong".to_owned(),
            many => format!("{many} settings are wrong"),
        };
        Self {
            format_version: FORMAT_VERSION,
            exit_code: exit::WRONG_SETTINGS,
            error,
            help: "nothing was touched; mend them and run it again, `lithify COMMAND --help` explains each".to_owned(),
            settings: errors.iter().map(SettingFailure::of).collect(),
            lines: errors.iter().map(ToString::to_string).collect(),
        }
    }

    /// Prints an `error: ...` line for each and one `help: ...` line on standard error.
    pub(super) fn print(&self) {
        for (at, line) in self.lines.iter().enumerate() {
            let help = if at + 1 == self.lines.len() { self.help.as_str() } else { "" };
            print_lines(&plain(line), help);
        }
    }
}

fn print_lines(error: &str, help: &str) {
    let (red, cyan) = (AnsiColor::Red.on_default().bold(), AnsiColor::Cyan.on_default().bold());
    let mut text = format!("{red}error:{red:#} {error}\n");
    if !help.is_empty() {
        text += &format!("{cyan}help:{cyan:#} {}\n", plain(help));
    }
    // Standard error may be closed: the exit code still says it.
    let _ = anstream::stderr().write_all(text.as_bytes());
}
