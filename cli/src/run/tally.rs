//! What happens during a run, added up as it happens.

use std::collections::BTreeSet;

use compactor::{CommitReport, UpkeepReport};
use drops::DroppedObject;
use ingest::{BatchOutcome, QuarantineEntry, SchemaNews};
use store::ListError;

use crate::report::{ColumnAdded, Conflict, Failure, PipelineSummary, QuarantinedDrop, QuarantinedRecord};

/// The sums of one pipeline's run.
pub(crate) struct Tally {
    summary: PipelineSummary,
    /// Folders that could not be listed, with the reason.
    unlisted: Vec<(String, String)>,
    waited_for: BTreeSet<String>,
}

impl Tally {
    pub(crate) fn new(summary: PipelineSummary) -> Self {
        Self { summary, unlisted: Vec::new(), waited_for: BTreeSet::new() }
    }

    /// A whole listing begins: what is counted of the source as it stands begins anew, as when watching it is listed again and again.
    pub(crate) fn begin_listing(&mut self) {
        let tally = &mut self.summary.tally;
        (tally.drops_known, tally.drops_changed, tally.drops_left_out) = (0, 0, 0);
        (tally.files_hidden, tally.files_of_unknown_format) = (0, 0);
        self.summary.changed.clear();
        self.summary.left_out.clear();
        self.summary.skipped_by_extension.clear();
        self.unlisted.clear();
    }

    pub(crate) fn known(&mut self, object: &DroppedObject, changed: bool) {
        self.summary.tally.drops_known += 1;
        if changed {
            self.summary.add_changed(&object.id.key);
        }
    }

    pub(crate) fn left_out(&mut self, key: &str, why: &str) {
        self.summary.add_left_out(key, why);
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

    fn quarantined(&mut self, entry: QuarantineEntry, kept_in: &str) {
        let QuarantineEntry { source_file: file, record, reason, .. } = entry;
        match record {
            None => self.summary.name_quarantined_drop(QuarantinedDrop { file, reason }),
            Some(record) => {
                let (line, row, kept_in) = (Some(record.line), record.row, kept_in.to_owned());
                self.summary.name_quarantined_record(QuarantinedRecord { file, line, row, reason, kept_in });
            }
        }
    }

    /// The table's version before any commit.
    pub(crate) fn table_version(&mut self, version: u64) {
        self.summary.table_version = Some(version);
    }

    pub(crate) fn commits(&mut self, commits: &[CommitReport]) {
        for commit in commits {
            self.summary.tally.commits += 1;
            self.summary.tally.files_written += commit.files;
            self.summary.tally.table_bytes += commit.bytes;
            self.summary.table_version = Some(commit.version);
        }
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

    /// What happened to the schema; the lists end where nobody reads on.
    pub(crate) fn schema(&mut self, news: SchemaNews) {
        let added = news.added.into_iter().map(|(column, data_type)| ColumnAdded { column, data_type });
        self.summary.columns_added.extend(added);
        for conflict in news.conflicts {
            if !self
                .summary
                .conflicts
                .iter()
                .any(|known| (&known.column, &known.remedy) == (&conflict.column, &conflict.remedy))
            {
                let (column, reason, remedy) = (conflict.column, conflict.reason, conflict.remedy);
                self.summary.conflicts.push(Conflict { column, reason, remedy });
            }
        }
    }

    /// The summary, with what could not be listed as its failure.
    pub(crate) fn into_summary(mut self) -> PipelineSummary {
        if !self.unlisted.is_empty() && self.summary.failure.is_none() {
            let places: Vec<_> = self.unlisted.iter().map(|(place, reason)| format!("{place} ({reason})")).collect();
            let error = format!("could not list {}: what lies there was not looked at", places.join(", "));
            self.summary.failure =
                Some(Failure::new(error, "give this user the right to read it and run again; all else was ingested"));
        }
        self.summary
    }
}
