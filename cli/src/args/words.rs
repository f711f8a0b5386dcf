//! Wrong words of a command line: each is set aside and noted, so that all else is judged as well.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};
use runtime::settings::{Origin, SettingError};

use super::{Cli, RunArgs};

/// More wrong words than this are not taken apart.
const MAX_FAULTS: usize = 20;

/// Reads a command line of `run` without the words that nothing can be made of, and says what was wrong with those.
pub(super) fn parse_leniently(words: &[OsString]) -> (Result<Cli, clap::Error>, Vec<SettingError>) {
    let (mut words, mut faults) = (words.to_vec(), Vec::new());
    let mut parsed = Cli::try_parse_from(&words);
    while let Err(error) = &parsed
        && faults.len() < MAX_FAULTS
    {
        let Some((rest, fault)) = without_fault(&words, error) else { break };
        words = rest;
        faults.push(fault);
        parsed = Cli::try_parse_from(&words);
    }
    (parsed, faults)
}

/// What a run cannot do without, and what does not go together, as an error with the usage.
pub(super) fn refuse(run: &mut RunArgs) -> Option<clap::Error> {
    let beside_file = [("[SOURCE]", &run.source), ("[TABLE]", &run.table), ("--name <NAME>", &run.name)];
    let beside_file = beside_file.into_iter().find(|(_, given)| given.is_some()).map(|(argument, _)| argument);
    let (kind, problem) = match (&run.config, &run.source, &run.table) {
        (Some(_), _, _) => {
            let other = beside_file?;
            let problem = format!(
                "the argument '--config <FILE>' cannot be used with '{other}': the file says it for each pipeline"
            );
            (ErrorKind::ArgumentConflict, problem)
        }
        (None, Some(_), Some(_)) => return None,
        (None, Some(source), None) => {
            let problem = format!("into which table? Name its folder behind the source: lithify run {source} TABLE");
            (ErrorKind::MissingRequiredArgument, problem)
        }
        (None, None, _) => {
            let problem = "what is to be ingested? Name a source and a table: lithify run SOURCE TABLE\n       \
                           or a file with pipelines: lithify run --config lithify.toml";
            (ErrorKind::MissingRequiredArgument, problem.to_owned())
        }
    };
    let mut command = Cli::command();
    command.build();
    Some(match command.find_subcommand_mut("run") {
        Some(run) => run.error(kind, problem),
        None => command.error(kind, problem),
    })
}

/// An error of words that nothing could be made of, with what was wrong with those that were set aside.
pub(super) fn with_faults(words: &[OsString], error: clap::Error, faults: &[SettingError]) -> clap::Error {
    if faults.is_empty() || !error.use_stderr() {
        return error;
    }
    let told = faults.iter().map(ToString::to_string).chain([first_paragraph(&error)]);
    all_at_once(words, told.collect())
}

/// Several things that are wrong with the words of a command, as one error with its usage.
pub(super) fn all_at_once(words: &[OsString], told: Vec<String>) -> clap::Error {
    let mut command = Cli::command();
    command.build();
    let problem = format!("{} words are wrong or missing:\n  {}", told.len(), told.join("\n  "));
    let name = words.iter().skip(1).filter_map(|word| word.to_str()).find(|word| !word.starts_with('-'));
    match name.and_then(|name| command.find_subcommand_mut(name)) {
        Some(command) => command.error(ErrorKind::UnknownArgument, problem),
        None => command.error(ErrorKind::UnknownArgument, problem),
    }
}

/// What an error says before its usage, on one line: what is missing stands on lines of its own.
pub(super) fn first_paragraph(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines: Vec<_> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let line = lines.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

/// Whether a setting's error says no more than what the words' own error does.
pub(super) fn is_told(error: &SettingError, run: &RunArgs) -> bool {
    let missing = error.origin == Origin::Absent && matches!(error.setting.as_str(), "source" | "table");
    missing || run.faults.contains(error) || error.setting == BESIDE_FILE
}

/// What an error of what stands beside `--config` is about.
pub(crate) const BESIDE_FILE: &str = "config";

/// The words without the one that this error is about, and what is wrong with that.
fn without_fault(words: &[OsString], error: &clap::Error) -> Option<(Vec<OsString>, SettingError)> {
    let Some(ContextValue::String(about)) = error.get(ContextKind::InvalidArg) else { return None };
    let flag = about.split([' ', '=']).next().filter(|flag| flag.starts_with('-')).unwrap_or(about);
    let Some(at) = position(words, flag, error.kind()) else { return without_letter(words, flag) };
    let without = |count: usize| -> Vec<OsString> {
        words.iter().enumerate().filter(|(i, _)| !(at..at + count).contains(i)).map(|(_, word)| word.clone()).collect()
    };
    let next_is_value = words.get(at + 1).is_some_and(|next| !next.to_string_lossy().starts_with('-'));
    let has_value = next_is_value && !words[at].to_string_lossy().contains('=');
    let (rest, problem) = match error.kind() {
        ErrorKind::UnknownArgument => {
            let meant = match error.get(ContextKind::SuggestedArg) {
                Some(ContextValue::String(meant)) => Some(meant.as_str()),
                _ => None,
            };
            let what = if flag.starts_with('-') { "there is no such flag" } else { "is one word too many" };
            let hint = meant.map(|meant| format!(", did you mean '{meant}'?")).unwrap_or_default();
            (without_unknown(words, at, flag, meant, has_value), format!("{what}{hint}"))
        }
        ErrorKind::InvalidValue => (without(1), "needs a value".to_owned()),
        ErrorKind::ArgumentConflict => (without(1 + usize::from(has_value)), "stands twice".to_owned()),
        ErrorKind::TooManyValues => (without(1), "takes no value".to_owned()),
        _ => return None,
    };
    Some((rest, SettingError::new(&Origin::Flag(flag.to_owned()), flag.trim_start_matches('-'), problem)))
}

/// The words without a letter that no flag has, of several behind one hyphen; without the whole word where it is a negative number.
fn without_letter(words: &[OsString], flag: &str) -> Option<(Vec<OsString>, SettingError)> {
    let letter = flag.strip_prefix('-').filter(|letter| letter.chars().count() == 1)?;
    let is = |word: &&str| word.starts_with('-') && !word.starts_with("--") && word.contains(letter);
    let at = words.iter().position(|word| word.to_str().as_ref().is_some_and(is))?;
    let word = words[at].to_str()?;
    let mut rest = words.to_vec();
    let fault = |about: &str, problem: &str| {
        SettingError::new(&Origin::Flag(about.to_owned()), about.trim_start_matches('-'), problem.to_owned())
    };
    if word[1..].starts_with(|c: char| c.is_ascii_digit()) {
        let fault = fault(word, "is no flag; sizes, durations and numbers are never negative");
        rest.remove(at);
        return Some((rest, fault));
    }
    let left = word.replacen(letter, "", 1);
    if left == "-" {
        rest.remove(at);
    } else {
        rest[at] = OsString::from(left);
    }
    Some((rest, fault(flag, "there is no such flag")))
}

/// Where a flag stands: of one that stands twice the last.
fn position(words: &[OsString], flag: &str, kind: ErrorKind) -> Option<usize> {
    let is = |word: &OsString| {
        let word = word.to_string_lossy();
        word == flag || word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('='))
    };
    let last = kind == ErrorKind::ArgumentConflict || !flag.starts_with('-');
    if last { words.iter().rposition(is) } else { words.iter().position(is) }
}

/// The words with the flag that was meant in an unknown one's place, or without it and, if it had one, its value.
fn without_unknown(words: &[OsString], at: usize, flag: &str, meant: Option<&str>, has_value: bool) -> Vec<OsString> {
    let mut rest = words.to_vec();
    if let Some(meant) = meant {
        let meant = words[at].to_string_lossy().replacen(flag, meant, 1);
        rest[at] = OsString::from(meant);
        return rest;
    }
    rest.remove(at);
    // Of a word behind it nobody knows whether it is its value: it is if there are too many words otherwise.
    let too_many = |error: clap::Error| {
        let about = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
        error.kind() == ErrorKind::UnknownArgument && !about.starts_with('-')
    };
    if has_value && Cli::try_parse_from(&rest).is_err_and(too_many) {
        rest.remove(at);
    }
    rest
}
