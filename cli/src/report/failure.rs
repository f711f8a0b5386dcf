//! Why a command failed, and what to do about it.

use std::io::Write;

use clap::builder::styling::AnsiColor;
use runtime::settings::{Origin, SettingError};
use serde::Serialize;

use crate::human::plain;

/// Why something failed, in words for the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What failed: the object, the place, the reason.
    pub error: String,
    /// What to do next; empty where nothing helps but looking.
    pub help: String,
}

impl Failure {
    /// A failure with what to do about it.
    pub fn new(error: impl Into<String>, help: impl Into<String>) -> Self {
        Self { error: error.into(), help: help.into() }
    }

    /// Prints `error: ...` and `help: ...` on standard error.
    pub(super) fn print(&self, pipeline: Option<&str>) {
        let of = pipeline.map(|name| format!("pipeline {}: ", plain(name))).unwrap_or_default();
        print_lines(&format!("{of}{}", plain(&self.error)), &self.help);
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

/// Everything that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrongSettings {
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
        let settings = errors.iter().map(|error| {
            let (flag, file, line) = match &error.origin {
                Origin::Flag(flag) => (Some(flag.clone()), None, None),
                Origin::Line { file, line } => (None, Some(file.clone()), Some(*line)),
                Origin::Object { file, .. } => (None, Some(file.clone()), None),
                Origin::Absent => (None, None, None),
            };
            SettingFailure { setting: error.setting.clone(), flag, file, line, problem: error.problem.clone() }
        });
        let error = match errors.len() {
            1 => "a setting is wrong".to_owned(),
            many => format!("{many} settings are wrong"),
        };
        Self {
            error,
            help: "nothing was touched; mend them and run it again, `lithify run --help` explains each setting"
                .to_owned(),
            settings: settings.collect(),
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
