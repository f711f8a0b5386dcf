//! Wrong words of a command line: each is set aside and noted, so that all else is judged as well.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};
use decode::suggest::did_you_mean;
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

/// What is wrong by an error that no word can be set aside for.
pub(super) fn faults_of(error: &clap::Error) -> Vec<SettingError> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    };
    let bare = |name: &String| name.trim_matches(['<', '>', '[', ']']).to_owned();
    let arguments: Vec<_> = text(ContextKind::InvalidArg).iter().map(bare).collect();
    match error.kind() {
        // Help was asked for, beside words that are wrong.
        _ if !error.use_stderr() => Vec::new(),
        ErrorKind::MissingRequiredArgument => arguments.iter().map(|name| fault(name, missing(name))).collect(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            vec![fault("COMMAND", "is missing: run, status, reconcile or completions".to_owned())]
        }
        ErrorKind::InvalidValue => {
            let (value, valid) = (text(ContextKind::InvalidValue).join(" "), text(ContextKind::ValidValue).join(", "));
            arguments.iter().map(|name| fault(name, format!("'{value}' is none of {valid}"))).collect()
        }
        _ => vec![fault("COMMAND", first_paragraph(error))],
    }
}

fn missing(argument: &str) -> String {
    let what = match argument {
        "TABLE" => "name the table's folder, or its s3:// address",
        "SHELL" => "one of bash, elvish, fish, powershell, zsh",
        _ => return "is missing".to_owned(),
    };
    format!("is missing: {what}")
}

fn fault(about: &str, problem: String) -> SettingError {
    // As it would stand in a file.
    let setting = about.trim_start_matches('-').to_lowercase().replace('-', "_");
    SettingError::new(&Origin::Flag(about.to_owned()), &setting, problem)
}

/// What an error says before its usage, on one line: what is missing stands on lines of its own.
fn first_paragraph(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines: Vec<_> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let line = lines.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

/// Whether a setting's error says no more than what the words' own error does.
pub(super) fn is_told(error: &SettingError, run: &RunArgs) -> bool {
    let missing = matches!(error.setting.as_str(), "source" | "table") && error.problem.starts_with("is missing");
    missing || run.faults.contains(error) || error.setting == BESIDE_FILE
}

/// What an error of what stands beside `--config` is about.
pub(crate) const BESIDE_FILE: &str = "config";

/// The words without the one that this error is about, and what is wrong with that.
fn without_fault(words: &[OsString], error: &clap::Error) -> Option<(Vec<OsString>, SettingError)> {
    if let (ErrorKind::InvalidSubcommand, Some(ContextValue::String(name))) =
        (error.kind(), error.get(ContextKind::InvalidSubcommand))
    {
        return without_command(words, name);
    }
    let Some(ContextValue::String(about)) = error.get(ContextKind::InvalidArg) else { return None };
    let flag = about.split([' ', '=']).next().filter(|flag| flag.starts_with('-')).unwrap_or(about);
    let Some(at) = position(words, flag, error.kind()) else {
        return without_letters(words, flag).or_else(|| without_second_letter(words, flag));
    };
    let without = |count: usize| -> Vec<OsString> {
        words.iter().enumerate().filter(|(i, _)| !(at..at + count).contains(i)).map(|(_, word)| word.clone()).collect()
    };
    let next_is_value = words.get(at + 1).is_some_and(|next| !next.to_string_lossy().starts_with('-'));
    let has_value = next_is_value && flag.starts_with('-') && !words[at].to_string_lossy().contains('=');
    let (rest, problem) = match error.kind() {
        ErrorKind::UnknownArgument => {
            let meant = match error.get(ContextKind::SuggestedArg) {
                Some(ContextValue::String(meant)) => Some(meant.as_str()),
                _ => None,
            };
            let what = if flag.starts_with('-') { NO_SUCH_FLAG } else { "is one word too many" };
            let hint = meant.map(|meant| format!(", did you mean '{meant}'?")).unwrap_or_default();
            (without_unknown(words, at, flag, meant, has_value), format!("{what}{hint}"))
        }
        ErrorKind::InvalidValue if flag.starts_with('-') => (without(1), "needs a value".to_owned()),
        ErrorKind::ArgumentConflict => {
            (without(1 + usize::from(has_value && takes_value(flag))), "stands twice".to_owned())
        }
        ErrorKind::TooManyValues => (without(1), "takes no value".to_owned()),
        _ => return None,
    };
    Some((rest, fault(flag, problem)))
}

const NO_SUCH_FLAG: &str = "there is no such flag";

/// The words with `run` in the place of a command that there is none of: it takes all flags that there are.
fn without_command(words: &[OsString], name: &str) -> Option<(Vec<OsString>, SettingError)> {
    let at = words.iter().position(|word| word == name)?;
    let commands = ["run", "status", "reconcile", "completions"];
    let meant = did_you_mean(name, &commands);
    let mut rest = words.to_vec();
    rest[at] = OsString::from(commands.into_iter().find(|command| meant.contains(command)).unwrap_or("run"));
    let problem = match meant.is_empty() {
        true => NO_SUCH_COMMAND.to_owned(),
        false => format!("there is no such command{meant}"),
    };
    Some((rest, fault(name, problem)))
}

/// Of a word that is like no command.
pub(super) const NO_SUCH_COMMAND: &str = "there is no such command: run, status, reconcile or completions";

/// The words without one that has several letters behind a single hyphen and is no bundle of flags: with the flag in its place that has all of
/// these letters for its name, where there is one.
fn without_letters(words: &[OsString], flag: &str) -> Option<(Vec<OsString>, SettingError)> {
    let letter = flag.strip_prefix('-').filter(|letter| letter.chars().count() == 1)?;
    let is = |word: &&str| word.starts_with('-') && !word.starts_with("--") && word.contains(letter);
    let at = words.iter().position(|word| word.to_str().as_ref().is_some_and(is))?;
    let word = words[at].to_str()?;
    let mut rest = words.to_vec();
    let meant = format!("-{word}");
    if is_flag(&meant) {
        rest[at] = OsString::from(&meant);
        return Some((rest, fault(word, format!("{NO_SUCH_FLAG}, did you mean '{meant}'?"))));
    }
    rest.remove(at);
    let number = word[1..].starts_with(|c: char| c.is_ascii_digit());
    let what = if number { "is no flag; sizes, durations and numbers are never negative" } else { NO_SUCH_FLAG };
    Some((rest, fault(word, what.to_owned())))
}

/// The words without the last letter that stands for this flag, which stands twice.
fn without_second_letter(words: &[OsString], flag: &str) -> Option<(Vec<OsString>, SettingError)> {
    let long = flag.strip_prefix("--")?;
    let letter = flags().iter().find(|flag| flag.get_long() == Some(long))?.get_short()?;
    let is = |word: &&str| word.starts_with('-') && !word.starts_with("--") && word.contains(letter);
    let at = words.iter().rposition(|word| word.to_str().as_ref().is_some_and(is))?;
    let word = words[at].to_str()?;
    let mut rest = words.to_vec();
    match word.replacen(letter, "", 1).as_str() {
        "-" => _ = rest.remove(at),
        fewer => rest[at] = OsString::from(fewer),
    }
    Some((rest, fault(word, "stands twice".to_owned())))
}

/// The flags of all commands.
fn flags() -> Vec<clap::Arg> {
    let mut command = Cli::command();
    command.build();
    let own = command.get_arguments().cloned();
    own.chain(command.get_subcommands().flat_map(|command| command.get_arguments().cloned())).collect()
}

fn is_flag(word: &str) -> bool {
    flags().iter().any(|flag| flag.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long)))
}

fn takes_value(word: &str) -> bool {
    let is = |flag: &clap::Arg| flag.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long));
    flags().iter().any(|flag| is(flag) && flag.get_action().takes_values())
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
