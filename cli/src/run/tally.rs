//! What happens during a run, added up as it happens.

use std::collections::{BTreeMap, BTreeSet};

use compactor::{CommitReport, UpkeepReport};
use decode::hints::{quoted, setting};
use decode::infer::Conflict as Conflicting;
use decode::rows::MAX_MISFITS_NAMED;
use decode::schema::{Type, type_name};
use drops::{DroppedObject, Timestamp};
use ingest::{BatchOutcome, QuarantineEntry, SchemaNews};
use runs::RescuedColumn;
use store::ListError;

use crate::report::{ColumnAdded, Conflict, Failure, Moment, PipelineSummary, QuarantinedDrop, QuarantinedRecord};

/// The sums of one pipeline's run.
pub(crate) struct Tally {
    summary: PipelineSummary,
    /// Folders that could not be listed, with the reason.
    unlisted: Vec<(String, String)>,
    waited_for: BTreeSet<String>,
    /// Drops that were left out, with the reason: each is one, however often it was tried.
    left_out: BTreeMap<String, String>,
    /// Drops that this run quarantined whole, as far as their batches name them.
    quarantined: BTreeSet<String>,
    /// Known drops that are in quarantine.
    known_quarantined: BTreeSet<String>,
    /// Drops that changed after they were ingested.
    changed: BTreeSet<String>,
    /// Drops that are too young to be read.
    waiting: BTreeMap<String, Timestamp>,
    /// What was told of by itself already, as keys with what was said.
    told: BTreeSet<(String, &'static str)>,
    /// Whether drops that are final already are counted: while watching only those that were so before.
    counts_known: bool,
}

impl Tally {
    pub(crate) fn new(summary: PipelineSummary) -> Self {
        Self {
            summary,
            unlisted: Vec::new(),
            waited_for: BTreeSet::new(),
            left_out: BTreeMap::new(),
            quarantined: BTreeSet::new(),
            known_quarantined: BTreeSet::new(),
            changed: BTreeSet::new(),
            waiting: BTreeMap::new(),
            told: BTreeSet::new(),
            counts_known: true,
        }
    }

    /// A whole listing begins: what is counted of the source as it stands begins anew, as when watching it is listed again and again.
    pub(crate) fn begin_listing(&mut self) {
        let tally = &mut self.summary.tally;
        (tally.files_hidden, tally.files_of_unknown_format, tally.no_files) = (0, 0, 0);
        self.changed.clear();
        self.left_out.clear();
        self.waiting.clear();
        self.summary.skipped_by_extension.clear();
        self.unlisted.clear();
    }

    pub(crate) fn known(&mut self, object: &DroppedObject, quarantined: bool, changed: bool) {
        let tally = &mut self.summary.tally;
        tally.drops_known += u64::from(self.counts_known);
        if self.counts_known && quarantined && self.known_quarantined.insert(object.id.key.clone()) {
            tally.drops_known_quarantined += 1;
        }
        if changed {
            self.changed.insert(object.id.key.clone());
        }
        self.tried_again(&object.id.key);
    }

    /// Whether this is to be told of a file by itself, which is done once.
    pub(crate) fn tells(&mut self, key: &str, what: &'static str) -> bool {
        self.told.insert((key.to_owned(), what))
    }

    /// The first listing of a watched source is done: what is final from now on was counted as ingested.
    pub(crate) fn first_listing_done(&mut self) {
        self.counts_known = false;
    }

    pub(crate) fn left_out(&mut self, key: &str, why: &str) {
        self.left_out.insert(key.to_owned(), why.to_owned());
    }

    /// A drop that is too young to be read, and rests long enough at this moment.
    pub(crate) fn waiting(&mut self, key: &str, rests: Timestamp) {
        self.waiting.insert(key.to_owned(), rests);
    }

    /// Whether this folder could not be listed.
    pub(crate) fn could_not_list(&self, place: &str) -> bool {
        self.unlisted.iter().any(|(unlisted, _)| unlisted == place)
    }

    /// A drop that was left out comes again, or is final now.
    pub(crate) fn tried_again(&mut self, key: &str) {
        self.left_out.remove(key);
        self.waiting.remove(key);
    }

    pub(crate) fn hidden(&mut self, extension: &str) {
        self.summary.add_hidden(extension);
    }

    pub(crate) fn gone(&mut self) {
        self.summary.tally.drops_gone += 1;
    }

    pub(crate) fn skipped(&mut self, extension: &str) {
        self.summary.add_skipped(extension, 1);
    }

    /// A link or the like, in these words.
    pub(crate) fn no_file(&mut self, what: &str) {
        self.summary.add_no_file(what);
    }

    /// The source is not there: nothing of it can be listed, which was told by itself.
    pub(crate) fn source_is_away(&mut self) {
        self.unlisted.clear();
    }

    pub(crate) fn unlisted(&mut self, error: &ListError) {
        if !self.unlisted.iter().any(|(place, _)| *place == error.place) {
            self.unlisted.push((error.place.clone(), error.reason.clone()));
        }
    }

    /// Notes that another process is waited for; true the first time.
    pub(crate) fn waits_for(&mut self, holder: &str, what: &str) -> bool {
        self.summary.waited_for.get_or_insert_with(|| what.to_owned());
        self.waited_for.insert(holder.to_owned())
    }

    /// A batch is done: what it holds is final. What it left out is told by whoever tries it again.
    pub(crate) fn batch(&mut self, outcome: &mut BatchOutcome, state: &str) {
        let Some(sealed) = &outcome.sealed else { return };
        let tally = &mut self.summary.tally;
        tally.drops_ingested += sealed.drops - sealed.quarantined_drops;
        tally.drops_quarantined += sealed.quarantined_drops;
        tally.rows += sealed.rows;
        tally.rescued_rows += sealed.rescued_rows;
        tally.quarantined_records += sealed.quarantined_records;
        tally.source_bytes += sealed.source_bytes;
        let kept_in = outcome.quarantine_files.first().map(|file| format!("{state}/{file}")).unwrap_or_default();
        for entry in outcome.quarantined.drain(..) {
            self.quarantined(entry, &kept_in);
        }
    }

    /// A drop that was in quarantine is taken again: it counts as what it is now.
    /// True where this run had put it into quarantine.
    pub(crate) fn retaken(&mut self, key: &str) -> bool {
        let tally = &mut self.summary.tally;
        if self.known_quarantined.remove(key) {
            tally.drops_known -= 1;
            tally.drops_known_quarantined -= 1;
        }
        let here = self.quarantined.remove(key);
        if here {
            tally.drops_quarantined -= 1;
            self.summary.quarantined_drops.retain(|drop| drop.file != key);
        }
        here
    }

    fn quarantined(&mut self, entry: QuarantineEntry, kept_in: &str) {
        let QuarantineEntry { source_file: file, record, reason, .. } = entry;
        match record {
            None => {
                self.quarantined.insert(file.clone());
                self.summary.name_quarantined_drop(QuarantinedDrop { file, reason });
            }
            Some(record) => {
                let (line, row, kept_in) = (Some(record.line), record.row, kept_in.to_owned());
                self.summary.name_quarantined_record(QuarantinedRecord { file, line, row, reason, kept_in });
            }
        }
    }

    /// The table's version, before any commit or after all.
    pub(crate) fn table_version(&mut self, version: u64) {
        self.summary.table_version = Some(version);
    }

    pub(crate) fn commits(&mut self, commits: &[CommitReport]) {
        for commit in commits {
            self.summary.tally.commits += 1;
            self.summary.tally.drops_committed += commit.drops;
            self.summary.tally.rescued_rows += commit.rescued_rows;
            self.summary.tally.files_written += commit.files;
            self.summary.tally.table_bytes += commit.bytes;
            self.summary.table_version = Some(commit.version);
            for column in &commit.rescued_columns {
                self.rescued(column);
            }
        }
    }

    /// Names a column whose values did not all fit the table's while runs were merged.
    fn rescued(&mut self, column: &RescuedColumn) {
        let known = |conflict: &Conflict| conflict.column == column.column && conflict.reason.contains(MERGED);
        if self.summary.conflicts.len() < MAX_MISFITS_NAMED && !self.summary.conflicts.iter().any(known) {
            self.summary.conflicts.push(rescued_in_merge(column));
        }
    }

    /// What the user should know.
    pub(crate) fn warn(&mut self, warning: String) {
        self.summary.warnings.push(warning);
    }

    /// What was warned of.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.summary.warnings
    }

    /// Small files became large ones.
    pub(crate) fn upkeep(&mut self, report: &UpkeepReport) {
        self.summary.tally.files_merged += report.files_merged;
        self.summary.tally.files_merged_into += report.files_written;
        self.summary.tally.commits += report.commits;
        if let Some(version) = report.version {
            self.summary.table_version = Some(version);
        }
    }

    /// What happened to the schema.
    pub(crate) fn schema(&mut self, news: SchemaNews) {
        let added = news.added.into_iter().map(|(column, data_type)| ColumnAdded { column, data_type });
        self.summary.columns_added.extend(added);
        let conflicts = news.conflicts.into_iter();
        let conflicts = conflicts.map(|Conflicting { column, reason, remedy }| Conflict { column, reason, remedy });
        self.summary.conflicts.extend(conflicts);
        self.summary.further_conflicts = news.further_conflicts;
        self.summary.further_conflicts_at_least = news.uncounted_conflicts;
    }

    /// The summary, with what could not be listed as its failure.
    pub(crate) fn into_summary(mut self) -> PipelineSummary {
        self.summary.tally.drops_waiting = self.waiting.len() as u64;
        self.summary.waiting_until = self.waiting.values().max().map(|rests| Moment(*rests));
        for file in &self.changed {
            self.summary.add_changed(file);
        }
        for (file, reason) in &self.left_out {
            self.summary.add_left_out(file, reason);
        }
        if !self.unlisted.is_empty() && self.summary.failure.is_none() {
            let places: Vec<_> = self.unlisted.iter().map(|(place, reason)| format!("{place} ({reason})")).collect();
            let error = format!("could not list {}: what lies there was not looked at", places.join(", "));
            let help = match crate::advice::of(&error) {
                Some(help) => help.to_owned(),
                None => "give this user the right to read it and run again".to_owned(),
            };
            let all = self.unlisted.iter().any(|(place, _)| *place == self.summary.source);
            let help = if all { help } else { format!("{help}; all else was ingested") };
            self.summary.failure = Some(Failure::new(error, help));
        }
        self.summary
    }
}

/// What tells the two ways apart in which a value can meet a column that does not hold it.
const MERGED: &str = "found when runs were merged";

/// A column of a table with narrower types than its rows were read with, as something to settle.
fn rescued_in_merge(rescued: &RescuedColumn) -> Conflict {
    let RescuedColumn { column, had, has, rows, example } = rescued;
    let values = crate::human::count(*rows, "value", "values");
    let read = format!("read it from {}", decode::names::RESCUED_DATA);
    let (fits, remedy) = match has {
        Some(has) => {
            let hint = setting(&format!("{} {}", quoted(column), Type::from_arrow(had)));
            let remedy = format!("types of a table never change: {read}, or ingest into a new table with {hint}");
            (format!("that the table's {} cannot hold", type_name(has)), remedy)
        }
        None => ("that the table has no column for".to_owned(), read),
    };
    let reason = format!("{values} {fits}, {MERGED}: {example} and the like are in {}", decode::names::RESCUED_DATA);
    Conflict { column: column.clone(), reason, remedy }
}

#[cfg(test)]
mod tests {
    use drops::DropId;

    use super::*;

    fn object(key: &str) -> DroppedObject {
        let id = DropId { pipeline: "p".parse().unwrap(), bucket: String::new(), key: key.into(), version: None };
        DroppedObject { id, etag: "e".into(), size: 1, modified: Timestamp(0), read_at: None }
    }

    #[test]
    fn a_column_rescued_in_a_merge_is_named_once_with_its_setting() {
        let column = RescuedColumn {
            column: "n".to_owned(),
            had: Type::Long.to_arrow(),
            has: Some(Type::Boolean.to_arrow()),
            rows: 2,
            example: "3000000000".to_owned(),
        };
        let mut tally = Tally::new(PipelineSummary::new("p", "/s", "/t"));
        tally.rescued(&column);
        tally.rescued(&column);
        let [conflict] = &tally.into_summary().conflicts[..] else { panic!("one conflict") };
        assert_eq!(conflict.column, "n");
        assert!(conflict.reason.starts_with("2 values that the table's boolean cannot hold"), "{conflict:?}");
        assert!(conflict.reason.contains("3000000000"), "{conflict:?}");
        assert!(conflict.remedy.contains("schema_hints = \"n bigint\""), "{conflict:?}");
    }

    #[test]
    fn each_drop_counts_once_however_often_it_was_looked_at() {
        let mut tally = Tally::new(PipelineSummary::new("p", "/s", "/t"));
        tally.begin_listing();
        tally.known(&object("known"), false, false);
        tally.first_listing_done();
        for _ in 0..3 {
            tally.left_out("grows", "it changed while it was read");
            tally.left_out("read at last", "denied");
            tally.known(&object("known"), false, true);
        }
        tally.tried_again("read at last");
        tally.known(&object("read at last"), false, false);
        let summary = tally.into_summary();
        assert_eq!((summary.tally.drops_left_out, summary.tally.drops_changed, summary.tally.drops_known), (1, 1, 1));
        assert_eq!((summary.left_out.len(), summary.changed.len()), (1, 1));
        assert_eq!(summary.left_out[0].file, "grows");
    }
}
