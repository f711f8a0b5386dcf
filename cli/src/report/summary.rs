//! What a run did. One stable JSON object: fields may be added, none changes its meaning without a new `format_version`.

use std::{collections::BTreeMap, ops::AddAssign, time::Duration};

use serde::Serialize;

use super::failure::Failure;
use super::moment::Moment;
use crate::exit;

/// The version of the JSON objects that `--json` prints. It grows when a field is taken away or means something else.
pub const FORMAT_VERSION: u32 = 1;

/// How many files or records are named of each kind; all are counted.
pub const NAMED_AT_MOST: usize = 10;

/// What one run did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    /// See [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The process's exit code (`exit`).
    pub exit_code: u8,
    /// Whether the user interrupted it.
    pub interrupted: bool,
    /// Whether it watched its sources, which only an interrupt ends.
    #[serde(skip)]
    pub watched: bool,
    /// Why it failed as a whole; null if it did not. A pipeline's own failure stands there.
    pub failure: Option<Failure>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The most memory that the process held, in bytes; null where that is not known.
    pub peak_memory_bytes: Option<u64>,
    /// The sums over all pipelines.
    pub total: Tally,
    /// The pipelines, in the order of the settings.
    pub pipelines: Vec<PipelineSummary>,
}

/// What was counted, of one pipeline or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Drops that this run made final as rows; quarantined ones are not among them.
    pub drops_ingested: u64,
    /// Drops that were final before.
    pub drops_known: u64,
    /// Those of them that are in quarantine: a file that is mended, or touched, is read again.
    pub drops_known_quarantined: u64,
    /// Drops that this run quarantined whole, as they can never be read; those that were repaired while it watched are not among them.
    pub drops_quarantined: u64,
    /// Drops whose file changed after it was ingested: ignored, and named in `changed`.
    pub drops_changed: u64,
    /// Drops that were left out after three tries, named in `left_out`.
    pub drops_left_out: u64,
    /// Drops whose file was gone before it was read.
    pub drops_gone: u64,
    /// Drops that are too young to be read, for the next run.
    pub drops_waiting: u64,
    /// Drops that another process is ingesting.
    pub drops_elsewhere: u64,
    /// Files with hidden or temporary names: skipped, unclaimed.
    pub files_hidden: u64,
    /// Files of unknown formats: skipped, unclaimed; by extension in `skipped_by_extension`.
    pub files_of_unknown_format: u64,
    /// Links that lead nowhere, to what lies in the source anyway or to a folder above, pipes, sockets and devices: skipped; by kind in `skipped_by_extension`.
    pub no_files: u64,
    /// Rows of the ingested drops.
    pub rows: u64,
    /// Those of them with something in `_rescued_data`, and rows of this run's commits that got something there when they were merged: in a
    /// table whose columns are narrower.
    pub rescued_rows: u64,
    /// Records that this run quarantined, of drops whose other records are rows.
    pub quarantined_records: u64,
    /// Bytes of this run's ingested and quarantined drops, as they lie in the source.
    pub source_bytes: u64,
    /// Bytes of the table files that this run's commits added.
    pub table_bytes: u64,
    /// Drops that this run's commits carry, whichever run staged them.
    pub drops_committed: u64,
    /// Table files that this run's commits added.
    pub files_written: u64,
    /// Commits to the table.
    pub commits: u64,
    /// Small files of the table that this run's upkeep merged.
    pub files_merged: u64,
    /// The files that they were merged into; they are not among `files_written`.
    pub files_merged_into: u64,
}

/// What one run did for one pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PipelineSummary {
    /// Its name.
    pub name: String,
    /// Its source.
    pub source: String,
    /// Its table.
    pub table: String,
    /// The table's version after the last commit; null where there is no table yet.
    pub table_version: Option<u64>,
    /// What was counted.
    pub tally: Tally,
    /// When the last of the drops that are too young will have rested long enough; null where there is none.
    pub waiting_until: Option<Moment>,
    /// The first few files that changed after they were ingested; `tally.drops_changed` says how many there are.
    pub changed: Vec<String>,
    /// The first few drops that were left out; `tally.drops_left_out` says how many there are.
    pub left_out: Vec<LeftOut>,
    /// The first few drops that were quarantined whole; `tally.drops_quarantined` says how many there are.
    pub quarantined_drops: Vec<QuarantinedDrop>,
    /// The first few records that were quarantined; `tally.quarantined_records` says how many there are.
    pub quarantined_records: Vec<QuarantinedRecord>,
    /// How many files or records each of the four lists above names at most; all are counted.
    pub named_at_most: usize,
    /// How many files were skipped, of unknown formats and with hidden or temporary names, by extension; those with none are under
    /// the empty text, other kinds, and what is no file, under `~` or words in parentheses.
    pub skipped_by_extension: BTreeMap<String, u64>,
    /// Columns that this run added to the table, nested ones with dots.
    pub columns_added: Vec<ColumnAdded>,
    /// Columns whose values did not agree, and what would resolve it: the first thousand.
    pub conflicts: Vec<Conflict>,
    /// How many further columns there are whose values did not agree.
    pub further_conflicts: u64,
    /// Whether those are only the least that there are: more cannot be told apart.
    pub further_conflicts_at_least: bool,
    /// What the user should know, and what stopped nothing.
    pub warnings: Vec<String>,
    /// What another process was doing that this run waited for; null if it waited for none.
    pub waited_for: Option<String>,
    /// Why the pipeline failed; null if it did not.
    pub failure: Option<Failure>,
}

/// A drop that was left out: nothing of it is in the table, and the next run tries it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The file, relative to the source.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// A drop that was quarantined whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuarantinedDrop {
    /// The file, relative to the source.
    pub file: String,
    /// Why it can never be read as it is.
    pub reason: String,
}

/// A record that was quarantined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuarantinedRecord {
    /// The file, relative to the source.
    pub file: String,
    /// The line that it begins on, from 1; null where lines mean nothing.
    pub line: Option<u64>,
    /// Its ordinal in the file, from 0, as in `_source_row`.
    pub row: u64,
    /// Why it cannot be read.
    pub reason: String,
    /// The file that keeps it.
    pub kept_in: String,
}

/// A column that was added to the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnAdded {
    /// Its name; a nested one with dots.
    pub column: String,
    /// Its type, as in `schema_hints`.
    #[serde(rename = "type")]
    pub data_type: String,
}

/// A column whose values did not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The column; a nested one with dots.
    pub column: String,
    /// What was seen, and what became of it.
    pub reason: String,
    /// The setting that would resolve it.
    pub remedy: String,
}

impl RunSummary {
    /// The summary of a run that took so long, with sums and exit code. Set the other fields, then [`Self::judge`] again.
    pub fn new(pipelines: Vec<PipelineSummary>, time: Duration) -> Self {
        let mut summary = Self {
            format_version: FORMAT_VERSION,
            exit_code: exit::FINAL,
            interrupted: false,
            watched: false,
            failure: None,
            seconds: time.as_secs_f64(),
            peak_memory_bytes: None,
            total: Tally::default(),
            pipelines,
        };
        for pipeline in &summary.pipelines {
            summary.total += pipeline.tally;
        }
        summary.judge();
        summary
    }

    /// Sets the exit code to what the fields say, and gives it.
    pub fn judge(&mut self) -> u8 {
        self.exit_code = exit::exit_code(self);
        self.exit_code
    }

    /// Every failure: the run's own, then each pipeline's with its name.
    pub fn failures(&self) -> impl Iterator<Item = (Option<&str>, &Failure)> {
        let of_pipelines =
            self.pipelines.iter().filter_map(|one| Some((Some(one.name.as_str()), one.failure.as_ref()?)));
        self.failure.iter().map(|failure| (None, failure)).chain(of_pipelines)
    }
}

impl PipelineSummary {
    /// The summary of a pipeline that did nothing yet.
    pub fn new(name: impl Into<String>, source: impl Into<String>, table: impl Into<String>) -> Self {
        let (name, source, table) = (name.into(), source.into(), table.into());
        Self { name, source, table, named_at_most: NAMED_AT_MOST, ..Self::default() }
    }

    /// Whether it was refused before it did anything.
    pub fn is_refused(&self) -> bool {
        let Tally { drops_ingested, drops_quarantined, commits, .. } = self.tally;
        let nothing = (drops_ingested, drops_quarantined, commits) == (0, 0, 0);
        nothing && self.failure.as_ref().is_some_and(|failure| failure.refused)
    }

    /// Counts a file that changed after it was ingested, and names it if it is one of the first few.
    pub fn add_changed(&mut self, file: &str) {
        self.tally.drops_changed += 1;
        name(&mut self.changed, || file.to_owned());
    }

    /// Counts a drop that was left out.
    pub fn add_left_out(&mut self, file: &str, reason: &str) {
        self.tally.drops_left_out += 1;
        name(&mut self.left_out, || LeftOut { file: file.to_owned(), reason: reason.to_owned() });
    }

    /// Names a drop that was quarantined whole, if it is one of the first few. It is counted with its batch.
    pub fn name_quarantined_drop(&mut self, drop: QuarantinedDrop) {
        name(&mut self.quarantined_drops, || drop);
    }

    /// Names a record that was quarantined, if it is one of the first few. It is counted with its batch.
    pub fn name_quarantined_record(&mut self, record: QuarantinedRecord) {
        name(&mut self.quarantined_records, || record);
    }

    /// Counts a file or folder with a hidden or temporary name.
    pub fn add_hidden(&mut self, extension: &str) {
        self.tally.files_hidden += 1;
        *self.skipped_by_extension.entry(extension.to_owned()).or_default() += 1;
    }

    /// Counts a link or the like that is no file.
    pub fn add_no_file(&mut self, kind: &str) {
        self.tally.no_files += 1;
        *self.skipped_by_extension.entry(kind.to_owned()).or_default() += 1;
    }

    /// Counts files of an unknown format.
    pub fn add_skipped(&mut self, extension: &str, files: u64) {
        self.tally.files_of_unknown_format += files;
        *self.skipped_by_extension.entry(extension.to_owned()).or_default() += files;
    }
}

fn name<T>(named: &mut Vec<T>, one: impl FnOnce() -> T) {
    if named.len() < NAMED_AT_MOST {
        named.push(one());
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        // Written out by name: a field that is forgotten here does not compile.
        let Self {
            drops_ingested,
            drops_known,
            drops_known_quarantined,
            drops_quarantined,
            drops_changed,
            drops_left_out,
            drops_gone,
            drops_waiting,
            drops_elsewhere,
            files_hidden,
            files_of_unknown_format,
            no_files,
            rows,
            rescued_rows,
            quarantined_records,
            source_bytes,
            table_bytes,
            drops_committed,
            files_written,
            commits,
            files_merged,
            files_merged_into,
        } = other;
        self.drops_ingested += drops_ingested;
        self.drops_known += drops_known;
        self.drops_known_quarantined += drops_known_quarantined;
        self.drops_quarantined += drops_quarantined;
        self.drops_changed += drops_changed;
        self.drops_left_out += drops_left_out;
        self.drops_gone += drops_gone;
        self.drops_waiting += drops_waiting;
        self.drops_elsewhere += drops_elsewhere;
        self.files_hidden += files_hidden;
        self.files_of_unknown_format += files_of_unknown_format;
        self.no_files += no_files;
        self.rows += rows;
        self.rescued_rows += rescued_rows;
        self.quarantined_records += quarantined_records;
        self.source_bytes += source_bytes;
        self.table_bytes += table_bytes;
        self.drops_committed += drops_committed;
        self.files_written += files_written;
        self.commits += commits;
        self.files_merged += files_merged;
        self.files_merged_into += files_merged_into;
    }
}
