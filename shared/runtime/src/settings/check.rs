//! From settings as they were written to settings that can be used, or to all that is wrong with them.

use super::{
    Given, Origin, Pipeline, RawPipeline, RawSettings, S3Address, SettingError, Settings, address::readers_find, aws,
    relations, values,
};

/// What stands at an address, as far as the settings must know. The texts are canonical addresses: two addresses of one
/// place (a relative path, a symbolic link) give one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder.
    Folder(String),
    /// Nothing; the address is the one that a folder made there would have.
    Vacant(String),
    /// Something that is no folder.
    NoFolder,
    /// It cannot be told; the text says why.
    Unknown(String),
}

/// What the settings are checked against: facts about the machine, given as values so that the check itself is pure.
pub struct Surroundings<'a> {
    /// The machine's processors: the default of `workers`.
    pub processors: usize,
    /// Whether places on S3 can be worked with.
    pub s3: bool,
    /// Looks at an address that is not on S3.
    pub look: &'a dyn Fn(&str) -> Place,
}

/// A pipeline on its way through the check. `None` where a value was wrong, which is in the errors already.
pub(super) struct Candidate {
    /// As it was written, shared values included.
    pub(super) raw: RawPipeline,
    /// Its name; `default` unless given.
    pub(super) name: Option<drops::PipelineName>,
    /// The canonical source.
    pub(super) source: Option<String>,
    /// The canonical table.
    pub(super) table: Option<String>,
    /// The order of rows.
    pub(super) cluster_by: Option<super::ClusterBy>,
    /// The partition columns.
    pub(super) partition_columns: Option<Vec<String>>,
    /// The target size in bytes.
    pub(super) target_file_size: Option<u64>,
}

/// Checks settings. Never stops at the first error.
///
/// # Errors
/// Everything that is wrong: flags first, then by file and line.
pub fn check(raw: &RawSettings, around: &Surroundings<'_>) -> Result<Settings, Vec<SettingError>> {
    let mut errors = raw.faults.clone();
    let memory = values::memory(raw.memory.as_ref(), &mut errors);
    let workers = values::workers(raw.workers.as_ref(), around.processors, &mut errors);
    let aws = aws::check(raw, &mut errors);
    let mut pipelines = Vec::new();
    let mut candidates = Vec::new();
    for whole in raw.whole_pipelines() {
        let (candidate, pipeline) = pipeline(whole, around, &mut errors);
        candidates.push(candidate);
        pipelines.extend(pipeline);
    }
    if raw.pipelines.is_empty() {
        shared_alone(&raw.shared, &mut errors);
        if raw.faults.iter().all(|fault| fault.setting != "pipeline") {
            errors.push(no_pipeline(&raw.origin));
        }
    }
    relations::check(&candidates, &mut errors);
    relations::ledger(raw, &candidates, &mut errors);
    match (memory, workers) {
        (Some(memory), Some(workers)) if errors.is_empty() => Ok(Settings { pipelines, memory, workers, aws }),
        _ => Err(in_order(errors)),
    }
}

fn no_pipeline(origin: &Origin) -> SettingError {
    match origin {
        Origin::Object { .. } => {
            SettingError::new(origin, "pipelines", "there is no pipeline: each has a name, a source and a table")
        }
        _ => {
            let problem = "there is no pipeline: write [[pipeline]], and below it source = \"...\" and table = \"...\"";
            SettingError::new(origin, "pipeline", problem)
        }
    }
}

/// Parses one pipeline's values. The pipeline is there where all of them were right.
fn pipeline(
    raw: RawPipeline,
    around: &Surroundings<'_>,
    errors: &mut Vec<SettingError>,
) -> (Candidate, Option<Pipeline>) {
    let format = values::format(&raw, errors);
    let compression = values::compression(&raw, errors);
    let schema_hints = values::schema_hints(&raw, errors);
    let longest_delay = values::longest_delay(&raw, errors);
    let settle_time = values::settle_time(&raw, errors);
    let overwrites = values::overwrites(&raw, errors);
    let candidate = Candidate {
        name: values::name(&raw, errors),
        source: source(&raw, around, errors),
        table: table(&raw, around, errors),
        cluster_by: values::cluster_by(&raw, errors),
        partition_columns: values::partition_columns(&raw, errors),
        target_file_size: values::target_file_size(&raw, errors),
        raw,
    };
    let build = || {
        Some(Pipeline {
            name: candidate.name.clone()?,
            source: candidate.source.clone()?,
            table: candidate.table.clone()?,
            format: format?,
            compression: compression?,
            schema_hints: schema_hints?,
            cluster_by: candidate.cluster_by.clone()?,
            partition_columns: candidate.partition_columns.clone()?,
            target_file_size: candidate.target_file_size?,
            longest_delay: longest_delay?,
            settle_time: settle_time?,
            append_existing: candidate.raw.append_existing.as_ref().is_some_and(|given| given.value),
            overwrites: overwrites?,
        })
    };
    let pipeline = build();
    (candidate, pipeline)
}

fn source(raw: &RawPipeline, around: &Surroundings<'_>, errors: &mut Vec<SettingError>) -> Option<String> {
    let given = address(raw.source.as_ref(), raw, "source", "the folder that drops arrive in", errors)?;
    if let Some(parsed) = on_s3(given, around, S3Address::source) {
        return parsed.or_else(|problem| values::wrong(errors, given, "source", problem).ok_or(())).ok();
    }
    let problem = match (around.look)(&given.value) {
        Place::Folder(canonical) => return Some(canonical),
        Place::Vacant(_) => format!("there is no folder {}{}", given.value, tilde(&given.value)),
        Place::NoFolder => format!("{} is no folder: name the folder that the files lie in", given.value),
        Place::Unknown(reason) => format!("cannot look at {}: {reason}", given.value),
    };
    values::wrong(errors, given, "source", problem)
}

fn table(raw: &RawPipeline, around: &Surroundings<'_>, errors: &mut Vec<SettingError>) -> Option<String> {
    let given = address(
        raw.table.as_ref(),
        raw,
        "table",
        "the folder of the Delta table, which is made if it is not there",
        errors,
    )?;
    if let Some(parsed) = on_s3(given, around, S3Address::table) {
        return parsed.or_else(|problem| values::wrong(errors, given, "table", problem).ok_or(())).ok();
    }
    let problem = match (around.look)(&given.value) {
        Place::Vacant(_) if !tilde(&given.value).is_empty() => {
            format!("{} is no path{}", given.value, tilde(&given.value))
        }
        Place::Folder(canonical) | Place::Vacant(canonical) => match readers_find(&canonical) {
            Ok(()) => return Some(canonical),
            Err(problem) => problem,
        },
        Place::NoFolder => format!("{} is no folder: name a folder, or one that is not there yet", given.value),
        Place::Unknown(reason) => format!("cannot look at {}: {reason}", given.value),
    };
    values::wrong(errors, given, "table", problem)
}

/// The canonical text of an address on S3, or what is wrong with it; nothing where a folder is meant.
fn on_s3(
    given: &Given<String>,
    around: &Surroundings<'_>,
    parse: fn(&str) -> Result<S3Address, String>,
) -> Option<Result<String, String>> {
    let functions = matches!(given.origin, Origin::Object { .. });
    match S3Address::is_meant(&given.value) {
        true if around.s3 => Some(parse(&given.value).map(|address| address.to_string())),
        true => Some(Err(format!("{} is on S3, and this build works on folders only", given.value))),
        false if functions => Some(Err(format!("{} is not on S3: write s3://BUCKET/PREFIX/", given.value))),
        false if has_scheme(&given.value) => {
            let folder = format!("a folder whose name begins like that is ./{}", given.value);
            Some(Err(format!(
                "{} is neither a folder nor on S3: name a folder, or s3://BUCKET/PREFIX/; {folder}",
                given.value
            )))
        }
        false => None,
    }
}

/// Whether an address begins as those of other stores do: `gs://`, `abfss://`, `file://`.
fn has_scheme(address: &str) -> bool {
    let Some((scheme, _)) = address.split_once("://") else { return false };
    scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+.-".contains(letter))
}

/// An address that must be given.
fn address<'a>(
    given: Option<&'a Given<String>>,
    raw: &RawPipeline,
    setting: &str,
    what: &str,
    errors: &mut Vec<SettingError>,
) -> Option<&'a Given<String>> {
    match given {
        Some(given) if given.value.trim().is_empty() => {
            values::wrong(errors, given, setting, format!("is empty: name {what}"))
        }
        Some(given) => Some(given),
        // It is there, and what is wrong with it was told.
        None if raw.unread.iter().any(|unread| unread == setting) => None,
        None => {
            errors.push(SettingError::new(&raw.origin, setting, format!("is missing: name {what}")));
            None
        }
    }
}

/// A shell writes the home folder for `~`; nothing does so in a file.
fn tilde(path: &str) -> &'static str {
    if path.split(['/', '\\']).any(|part| part == "~") {
        ": '~' stands for no folder here, write the whole path"
    } else {
        ""
    }
}

/// The shared values, where no pipeline shows whether they are right.
fn shared_alone(shared: &RawPipeline, errors: &mut Vec<SettingError>) {
    values::target_file_size(shared, errors);
    values::longest_delay(shared, errors);
    values::settle_time(shared, errors);
}

/// Flags first, as they were found; then lines, each error once.
fn in_order(mut errors: Vec<SettingError>) -> Vec<SettingError> {
    errors.sort_by_key(|error| match &error.origin {
        Origin::Flag(_) => (0, String::new(), 0),
        Origin::Line { file, line } => (1, file.clone(), *line),
        Origin::Object { file, pipeline } => (1, file.clone(), pipeline.as_ref().map_or(0, |place| place.at + 1)),
        Origin::Absent => (2, String::new(), 0),
    });
    let mut once: Vec<SettingError> = Vec::with_capacity(errors.len());
    for error in errors {
        if !once.contains(&error) {
            once.push(error);
        }
    }
    once
}
