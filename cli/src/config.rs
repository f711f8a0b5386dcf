//! From the command line, and the settings file that it names, to checked settings. The only I/O is reading that file and
//! looking at folders.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
    thread::available_parallelism,
    time::Duration,
};

use runtime::settings::{
    self, Given, MAX_DELAY, Origin, Place, RawPipeline, RawSettings, SettingError, Settings, Surroundings,
};

use crate::args::{BESIDE_FILE, RunArgs};

/// How often the source is listed while watching, unless `--every` says otherwise.
pub const DEFAULT_EVERY: Duration = Duration::from_secs(5 * 60);

/// The shortest time between two listings: below it the listing would be all that is done.
const MIN_EVERY: Duration = Duration::from_secs(1);

/// The settings of a run: flags over the file's values over defaults.
///
/// # Errors
/// Everything that is wrong with flags and file, `--every` included.
pub fn settings(args: &RunArgs) -> Result<Settings, Vec<SettingError>> {
    let processors = available_parallelism().map_or(1, std::num::NonZero::get);
    checked(args, processors, &look)
}

/// How often to list while watching; `None` if the run ends when nothing is left.
///
/// # Errors
/// The text of `--every` is no fitting duration. [`settings`] reports that as well, with all else.
pub fn watch(args: &RunArgs) -> Result<Option<Duration>, SettingError> {
    let Some(text) = &args.every else { return Ok(args.watch.then_some(DEFAULT_EVERY)) };
    let wrong = |problem: String| SettingError::new(&Origin::Flag("--every".to_owned()), "every", problem);
    match settings::parse_duration(text) {
        Ok(every) if (MIN_EVERY..=MAX_DELAY).contains(&every) => Ok(Some(every)),
        Ok(_) => Err(wrong(format!("'{text}' is not between 1s and 30d"))),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Everything that is wrong with flags and file; nothing if all is right.
pub fn errors_of(args: &RunArgs) -> Vec<SettingError> {
    settings(args).err().unwrap_or_default()
}

fn checked(args: &RunArgs, processors: usize, look: &dyn Fn(&str) -> Place) -> Result<Settings, Vec<SettingError>> {
    let mut faults = args.faults.clone();
    faults.extend(watch(args).err());
    faults.extend(crate::logging::filter().err());
    faults.extend(beside_file(args));
    let around = Surroundings { processors, s3: cfg!(feature = "aws"), look };
    match raw(args) {
        Ok(mut raw) => {
            faults.extend(raw.pipelines.iter().filter_map(|pipeline| within_another(pipeline.table.as_ref()?, look)));
            raw.faults.extend(faults);
            settings::check(&raw, &around).map_err(|errors| as_arguments(args, errors))
        }
        // Without the file, what the flags say is judged all the same; what they leave to it is not missing.
        Err(errors) => {
            let flags = settings::check(&RawSettings { faults, ..of_flags(args) }, &around).err().unwrap_or_default();
            let flags = flags.into_iter().filter(|error| error.origin != Origin::Absent);
            Err(flags.chain(errors).collect())
        }
    }
}

/// Where a setting of the pipeline at this place stands, if the user gave it, with its name: rows are ordered by either of two settings.
pub fn origin_of(args: &RunArgs, pipeline: usize, setting: &'static str) -> Option<(&'static str, Origin)> {
    let raw = raw(args).ok()?;
    let (own, shared) = (raw.pipelines.get(pipeline)?, &raw.shared);
    let origin = |given: &Option<Given<Vec<String>>>| given.as_ref().map(|given| given.origin.clone());
    let given = |one: &RawPipeline| match setting {
        "cluster_by" => {
            let z_order = || Some(("z_order_by", origin(&one.z_order_by)?));
            origin(&one.cluster_by).map(|origin| (setting, origin)).or_else(z_order)
        }
        "partition_columns" => origin(&one.partition_columns).map(|origin| (setting, origin)),
        _ => None,
    };
    given(own).or_else(|| given(shared))
}

/// How many folders are looked through for tables, where a new one is to lie around them.
const LOOKED_THROUGH: usize = 10_000;

/// A table in the folder of another, or around it: a full vacuum of the outer one deletes whatever its log does not name.
fn within_another(table: &Given<String>, look: &dyn Fn(&str) -> Place) -> Option<SettingError> {
    let (Place::Folder(path) | Place::Vacant(path)) = look(&table.value) else { return None };
    let (path, shown) = (Path::new(&path), &table.value);
    let wrong = |problem: String| Some(SettingError::new(&table.origin, "table", problem));
    if let Some(part) = path.iter().find(|part| OF_A_TABLE.iter().any(|own| *part == *own)) {
        return wrong(format!(
            "{shown}: {} is what a table keeps its own files in: name another folder",
            part.display()
        ));
    }
    if let Some(outer) = path.ancestors().skip(1).find(|above| is_table(above)) {
        return wrong(format!(
            "{shown} lies within the Delta table {}, where a full vacuum deletes what is not that table's own: name a folder outside of it",
            outer.display()
        ));
    }
    let inner = if is_table(path) { None } else { table_below(path) }?;
    wrong(format!(
        "{shown} lies around the Delta table {}, which a full vacuum of the outer one deletes: name a folder beside it",
        inner.display()
    ))
}

/// The folders of a table that are its own.
const OF_A_TABLE: [&str; 2] = ["_delta_log", "_lithify"];

/// Whether a folder is a table's: it has a log, or the state of one whose log is not there yet, or was lost.
fn is_table(folder: &Path) -> bool {
    OF_A_TABLE.iter().any(|own| folder.join(own).is_dir())
}

/// A table in a folder, as far as one looks.
fn table_below(folder: &Path) -> Option<PathBuf> {
    let (mut waiting, mut seen) = (vec![folder.to_owned()], 0);
    while let Some(folder) = waiting.pop() {
        // What cannot be listed is not told of here: whoever uses it says so.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            seen += 1;
            if seen > LOOKED_THROUGH {
                return None;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if is_table(&entry.path()) {
                    return Some(entry.path());
                }
                waiting.push(entry.path());
            }
        }
    }
    None
}

/// Where there is no file, source and table are the words of the command line.
fn as_arguments(args: &RunArgs, errors: Vec<SettingError>) -> Vec<SettingError> {
    let named = |error: SettingError| match (error.setting.as_str(), &error.origin) {
        ("source" | "table", Origin::Absent) if args.config.is_none() => {
            SettingError { origin: Origin::Flag(error.setting.to_uppercase()), ..error }
        }
        _ => error,
    };
    errors.into_iter().map(named).collect()
}

/// What is given beside a settings file and stands in the file already.
fn beside_file(args: &RunArgs) -> Vec<SettingError> {
    let Some(file) = &args.config else { return Vec::new() };
    let given = [("SOURCE", &args.source), ("TABLE", &args.table), ("--name", &args.name)];
    let wrong = given.into_iter().filter(|(_, value)| value.is_some()).map(|(flag, _)| {
        let problem = format!("cannot be used with --config {file}: the file says it for each pipeline");
        SettingError::new(&Origin::Flag(flag.to_owned()), BESIDE_FILE, problem)
    });
    wrong.collect()
}

/// What the flags say without a file.
fn of_flags(args: &RunArgs) -> RawSettings {
    let mut raw = RawSettings { pipelines: vec![pipeline_flags(args)], ..RawSettings::new(Origin::Absent) };
    process_flags(args, &mut raw);
    raw
}

fn process_flags(args: &RunArgs, raw: &mut RawSettings) {
    raw.memory = by_flag("--memory", &args.memory).or(raw.memory.take());
    raw.workers = by_flag("--workers", &args.workers).or(raw.workers.take());
    raw.aws.ledger = by_flag("--ledger", &args.ledger).or(raw.aws.ledger.take());
}

/// What flags and file say, the flags being stronger.
fn raw(args: &RunArgs) -> Result<RawSettings, Vec<SettingError>> {
    let Some(file) = &args.config else { return Ok(of_flags(args)) };
    let text = fs::read_to_string(file).map_err(|error| vec![unreadable(file, &error)])?;
    let mut raw = settings::file::read(&text, file)?;
    let flags = RawPipeline { name: None, source: None, table: None, ..pipeline_flags(args) };
    raw.pipelines = raw.pipelines.into_iter().map(|own| own.overlay(&flags)).collect();
    process_flags(args, &mut raw);
    Ok(raw)
}

fn unreadable(file: &str, error: &io::Error) -> SettingError {
    SettingError::new(&Origin::Flag("--config".to_owned()), "config", format!("cannot read {file}: {error}"))
}

fn by_flag<T: Clone>(flag: &str, value: &Option<T>) -> Option<Given<T>> {
    value.clone().map(|value| Given::by_flag(flag, value))
}

fn pipeline_flags(args: &RunArgs) -> RawPipeline {
    RawPipeline {
        origin: Origin::Absent,
        name: by_flag("--name", &args.name),
        source: by_flag("SOURCE", &args.source),
        table: by_flag("TABLE", &args.table),
        format: by_flag("--format", &args.format),
        compression: by_flag("--compression", &args.compression),
        schema_hints: by_flag("--schema-hints", &args.schema_hints.as_ref().map(|hints| hints.join(", "))),
        cluster_by: by_flag("--cluster-by", &args.cluster_by),
        z_order_by: by_flag("--z-order-by", &args.z_order_by),
        partition_columns: by_flag("--partition-columns", &args.partition_columns),
        target_file_size: by_flag("--target-file-size", &args.target_file_size),
        longest_delay: by_flag("--longest-delay", &args.longest_delay),
        settle_time: by_flag("--settle-time", &args.settle_time),
        append_existing: args.append_existing.then(|| Given::by_flag("--append-existing", true)),
        overwrites: by_flag("--overwrites", &args.overwrites),
        unread: Vec::new(),
    }
}

/// What stands at a path, with the path made canonical: absolute, with no symbolic links in it. Of a path where nothing
/// stands yet, as much is resolved as is there.
pub fn look(address: &str) -> Place {
    let unknown = |error: &io::Error| {
        let what_to_do = crate::advice::of(&error.to_string()).map(|help| format!(": {help}")).unwrap_or_default();
        Place::Unknown(format!("{error}{what_to_do}"))
    };
    let path = Path::new(address);
    match fs::canonicalize(path) {
        Ok(canonical) => match fs::metadata(&canonical) {
            Ok(found) if found.is_dir() => text_of(canonical).map_or_else(Place::Unknown, Place::Folder),
            Ok(_) => Place::NoFolder,
            Err(error) => unknown(&error),
        },
        Err(error) if error.kind() != io::ErrorKind::NotFound => unknown(&error),
        Err(_) => match vacant(path) {
            Ok(canonical) => text_of(canonical).map_or_else(Place::Unknown, Place::Vacant),
            Err(reason) => Place::Unknown(reason),
        },
    }
}

fn text_of(path: PathBuf) -> Result<String, String> {
    path.into_os_string().into_string().map_err(|_| "its path is not UTF-8".to_owned())
}

/// The canonical form of a path where nothing stands: the canonical folder that is nearest to it, then the rest.
fn vacant(path: &Path) -> Result<PathBuf, String> {
    let whole = std::path::absolute(path).map_err(|error| error.to_string())?;
    for above in whole.ancestors() {
        if fs::symlink_metadata(above).is_ok() {
            let canonical = fs::canonicalize(above)
                .map_err(|error| format!("{} is a symbolic link that leads nowhere ({error})", above.display()))?;
            let rest = whole.strip_prefix(above).map_err(|error| error.to_string())?;
            if rest.components().any(|part| part == Component::ParentDir) {
                return Err("'..' stands behind a folder that is not there".to_owned());
            }
            return Ok(canonical.join(rest));
        }
    }
    Err("no part of it is there".to_owned())
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
