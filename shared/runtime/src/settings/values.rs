//! One value each: from what was written to what the pipeline is given.

use std::{str::FromStr, time::Duration};

use decode::{
    format::{Compression, Format},
    hints::Hints,
    names::column_name,
    suggest::did_you_mean,
};
use drops::PipelineName;

use super::{
    ClusterBy, DEFAULT_LONGEST_DELAY, DEFAULT_MEMORY, DEFAULT_NAME, DEFAULT_SETTLE_TIME, DEFAULT_TARGET_FILE_SIZE,
    Given, MAX_DELAY, MAX_TARGET_FILE_SIZE, MAX_WORKERS, MIN_MEMORY, MIN_TARGET_FILE_SIZE, Overwrites, ROW_COLUMNS,
    RawPipeline, S3Address, SettingError,
    units::{duration_text, parse_duration, parse_size, size_text},
};

/// More columns than this in a Z-order give each so few bits that it prunes nothing. The same as the order's own bound.
const MAX_Z_ORDER_COLUMNS: usize = 8;

/// Where wrong values go. Each function gives `None` where it put one there.
pub(super) type Errors = Vec<SettingError>;

/// Notes that the value of `setting` is wrong.
pub(super) fn wrong<T, V>(
    errors: &mut Errors,
    given: &Given<V>,
    setting: &str,
    problem: impl Into<String>,
) -> Option<T> {
    errors.push(SettingError::new(&given.origin, setting, problem));
    None
}

pub(super) fn name(raw: &RawPipeline, errors: &mut Errors) -> Option<PipelineName> {
    match &raw.name {
        None => DEFAULT_NAME.parse().ok(),
        Some(given) => match given.value.parse() {
            Ok(name) => Some(name),
            Err(error) => wrong(errors, given, "name", format!("{error}")),
        },
    }
}

pub(super) fn format(raw: &RawPipeline, errors: &mut Errors) -> Option<Option<Format>> {
    one_of(raw.format.as_ref(), "format", &words(Format::ALL.iter()), errors)
}

pub(super) fn compression(raw: &RawPipeline, errors: &mut Errors) -> Option<Option<Compression>> {
    one_of(raw.compression.as_ref(), "compression", &words(Compression::ALL.iter()), errors)
}

pub(super) fn overwrites(raw: &RawPipeline, errors: &mut Errors) -> Option<Overwrites> {
    let Some(given) = &raw.overwrites else { return Some(Overwrites::Ignore) };
    match given.value.trim().to_ascii_lowercase().as_str() {
        "ignore" => Some(Overwrites::Ignore),
        "ingest" if raw.source.as_ref().is_some_and(|source| !S3Address::is_meant(&source.value)) => wrong(
            errors,
            given,
            "overwrites",
            "'ingest' is for sources on S3: what is written over in a folder is gone",
        ),
        "ingest" => Some(Overwrites::Ingest),
        _ => {
            let known = ["ignore", "ingest"];
            let suggestion = did_you_mean(&given.value, &known);
            let problem = format!("'{}' is nothing to do{suggestion} (known: {})", given.value, known.join(", "));
            wrong(errors, given, "overwrites", problem)
        }
    }
}

fn words(known: impl Iterator<Item = impl ToString>) -> Vec<String> {
    known.map(|word| word.to_string()).collect()
}

/// A word out of a few, in any case. Absent is `Some(None)`.
fn one_of<T: FromStr>(
    given: Option<&Given<String>>,
    setting: &str,
    known: &[String],
    errors: &mut Errors,
) -> Option<Option<T>> {
    let Some(given) = given else { return Some(None) };
    match given.value.trim().to_ascii_lowercase().parse() {
        Ok(value) => Some(Some(value)),
        Err(_) => {
            let words: Vec<&str> = known.iter().map(String::as_str).collect();
            let suggestion = did_you_mean(&given.value, &words);
            let problem = format!("'{}' is no {setting}{suggestion} (known: {})", given.value, words.join(", "));
            wrong(errors, given, setting, problem)
        }
    }
}

pub(super) fn schema_hints(raw: &RawPipeline, errors: &mut Errors) -> Option<Hints> {
    let Some(given) = &raw.schema_hints else { return Some(Hints::default()) };
    match Hints::parse(&given.value) {
        Ok(hints) => Some(hints),
        Err(faults) => {
            errors
                .extend(faults.iter().map(|fault| SettingError::new(&given.origin, "schema_hints", fault.to_string())));
            None
        }
    }
}

pub(super) fn cluster_by(raw: &RawPipeline, errors: &mut Errors) -> Option<ClusterBy> {
    let sort = raw.cluster_by.as_ref().map(|given| columns(given, "cluster_by", errors));
    let z_order = raw.z_order_by.as_ref().map(|given| columns(given, "z_order_by", errors));
    if let (Some(given), Some(_)) = (&raw.z_order_by, &raw.cluster_by) {
        let problem = "rows can be sorted (cluster_by) or lie in a Z-order (z_order_by), not both: leave one away";
        return wrong(errors, given, "z_order_by", problem);
    }
    if let Some(given) = raw.z_order_by.as_ref().filter(|given| given.value.len() > MAX_Z_ORDER_COLUMNS) {
        let problem = format!("a Z-order takes at most {MAX_Z_ORDER_COLUMNS} columns, {} are named", given.value.len());
        return wrong(errors, given, "z_order_by", problem);
    }
    match (sort, z_order) {
        (Some(names), _) => names.map(ClusterBy::Columns),
        (None, Some(names)) => names.map(ClusterBy::ZOrder),
        (None, None) => Some(ClusterBy::Source),
    }
}

pub(super) fn partition_columns(raw: &RawPipeline, errors: &mut Errors) -> Option<Vec<String>> {
    let Some(given) = &raw.partition_columns else { return Some(Vec::new()) };
    let names = columns(given, "partition_columns", errors);
    let before = errors.len();
    for name in given.value.iter().map(|name| name.trim()) {
        if ROW_COLUMNS.iter().any(|row| row.eq_ignore_ascii_case(name)) {
            let problem = format!("'{name}' is a column that Lithify writes for each row: partition by a data column");
            errors.push(SettingError::new(&given.origin, "partition_columns", problem));
        }
    }
    names.filter(|_| errors.len() == before)
}

/// Names of columns: some, none of them empty or twice (by case), none that no column can have.
fn columns(given: &Given<Vec<String>>, setting: &str, errors: &mut Errors) -> Option<Vec<String>> {
    let before = errors.len();
    let names: Vec<String> = given.value.iter().map(|name| name.trim().to_owned()).collect();
    if names.is_empty() || names.iter().any(String::is_empty) {
        let problem = "names no column, or holds an empty name: write names with one comma between two";
        errors.push(SettingError::new(&given.origin, setting, problem));
    }
    for (at, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        let same = |other: &&String| other.to_lowercase() == name.to_lowercase();
        if names[..at].iter().filter(same).count() == 1 {
            errors.push(SettingError::new(&given.origin, setting, format!("names the column '{name}' twice")));
        }
        if let Some(plain) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) {
            let plain = column_name(plain);
            let problem = format!(
                "'{name}': backticks belong to schema_hints, a column is named as the table has it here: '{plain}'"
            );
            errors.push(SettingError::new(&given.origin, setting, problem));
            continue;
        }
        let in_table = column_name(name);
        if in_table != *name {
            let problem = format!("'{name}' can be no column's name in a Delta table: there it is called '{in_table}'");
            errors.push(SettingError::new(&given.origin, setting, problem));
        }
    }
    (errors.len() == before).then_some(names)
}

pub(super) fn target_file_size(raw: &RawPipeline, errors: &mut Errors) -> Option<u64> {
    let Some(given) = &raw.target_file_size else { return Some(DEFAULT_TARGET_FILE_SIZE) };
    let bytes = size(given, "target_file_size", errors)?;
    if (MIN_TARGET_FILE_SIZE..=MAX_TARGET_FILE_SIZE).contains(&bytes) {
        return Some(bytes);
    }
    let (least, most) = (size_text(MIN_TARGET_FILE_SIZE), size_text(MAX_TARGET_FILE_SIZE));
    wrong(errors, given, "target_file_size", format!("{} is not between {least} and {most}", size_text(bytes)))
}

pub(super) fn memory(given: Option<&Given<String>>, errors: &mut Errors) -> Option<u64> {
    let Some(given) = given else { return Some(DEFAULT_MEMORY) };
    let bytes = size(given, "memory", errors)?;
    if bytes >= MIN_MEMORY {
        return Some(bytes);
    }
    let problem = format!("{} is too little: give at least {}", size_text(bytes), size_text(MIN_MEMORY));
    wrong(errors, given, "memory", problem)
}

pub(super) fn workers(given: Option<&Given<String>>, processors: usize, errors: &mut Errors) -> Option<usize> {
    let Some(given) = given else { return Some(processors.clamp(1, MAX_WORKERS)) };
    match given.value.trim().parse() {
        Ok(workers) if (1..=MAX_WORKERS).contains(&workers) => Some(workers),
        _ => wrong(errors, given, "workers", format!("'{}' is no whole number from 1 to {MAX_WORKERS}", given.value)),
    }
}

pub(super) fn size(given: &Given<String>, setting: &str, errors: &mut Errors) -> Option<u64> {
    match parse_size(&given.value) {
        Ok(bytes) => Some(bytes),
        Err(error) => wrong(errors, given, setting, error.to_string()),
    }
}

pub(super) fn longest_delay(raw: &RawPipeline, errors: &mut Errors) -> Option<Duration> {
    delay(raw.longest_delay.as_ref(), "longest_delay", DEFAULT_LONGEST_DELAY, errors)
}

pub(super) fn settle_time(raw: &RawPipeline, errors: &mut Errors) -> Option<Duration> {
    delay(raw.settle_time.as_ref(), "settle_time", DEFAULT_SETTLE_TIME, errors)
}

fn delay(given: Option<&Given<String>>, setting: &str, default: Duration, errors: &mut Errors) -> Option<Duration> {
    let Some(given) = given else { return Some(default) };
    match parse_duration(&given.value) {
        Ok(duration) if duration <= MAX_DELAY => Some(duration),
        Ok(duration) => {
            let problem =
                format!("{} is longer than the limit of {}", duration_text(duration), duration_text(MAX_DELAY));
            wrong(errors, given, setting, problem)
        }
        Err(error) => wrong(errors, given, setting, error.to_string()),
    }
}
