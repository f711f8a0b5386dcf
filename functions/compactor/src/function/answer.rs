//! What an invocation answers, and what it measures.

use drops::Timestamp;
use ledger::StagedTotals;
use runtime::telemetry::{Metrics, Unit};
use serde::Serialize;

use super::staged_age;
use crate::{CommitReport, Removed, UpkeepReport};

/// The answer of an invocation.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Answer {
    /// The pipelines that it looked at, in the order of the settings.
    pub pipelines: Vec<PipelineAnswer>,
    /// Pipelines that the settings lack and that have rows staged.
    pub removed: Vec<RemovedAnswer>,
    /// Failures that are of no pipeline of the settings.
    #[serde(skip)]
    failures: Vec<String>,
}

/// A pipeline that the settings lack.
#[derive(Clone, Debug, Serialize)]
pub struct RemovedAnswer {
    /// Its name.
    pub pipeline: String,
    /// What waits, and is committed by nobody.
    pub waiting: Waiting,
}

impl Answer {
    pub(super) fn fail(&mut self, failure: String) {
        self.failures.push(failure);
    }

    pub(super) fn removed(&mut self, removed: &Removed, oldest_seconds: u64, fails: bool) {
        let Removed { pipeline, waiting } = removed;
        if fails {
            self.fail(format!(
                "the settings lack pipeline {pipeline}, of which {} drops are staged and in no table yet: put it back, apply, invoke the \
                 compactor with {{\"pipelines\": [\"{pipeline}\"]}} until no drops wait, and remove it then (if `lithify run` brought it, run \
                 that to its end)",
                waiting.drops
            ));
        }
        self.removed
            .push(RemovedAnswer { pipeline: pipeline.to_string(), waiting: Waiting::of(waiting, oldest_seconds) });
    }

    /// Every failure in one sentence; `None` if there was none.
    pub fn failure(&self) -> Option<String> {
        let failed = self.pipelines.iter().filter_map(|one| Some(format!("{}: {}", one.pipeline, one.error.as_ref()?)));
        let failed: Vec<_> = failed.collect();
        let of_pipelines = (!failed.is_empty())
            .then(|| format!("{} of {} pipelines failed: {}", failed.len(), self.pipelines.len(), failed.join("; ")));
        let all: Vec<_> = of_pipelines.into_iter().chain(self.failures.iter().cloned()).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

/// What became of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There was nothing to commit yet.
    NothingDue,
    /// What was due was committed.
    Committed,
    /// More was due than there was time for: the next invocation goes on.
    Unfinished,
    /// Another invocation compacts the table.
    Busy,
    /// It failed.
    Failed,
}

/// What was done for one pipeline.
#[derive(Clone, Debug, Serialize)]
pub struct PipelineAnswer {
    /// Its name.
    pub pipeline: String,
    /// What became of it.
    pub state: State,
    /// The commits, oldest first.
    pub commits: Vec<Committed>,
    /// What waits now.
    pub waiting: Waiting,
    /// What upkeep did, if it was done.
    pub upkeep: Option<UpkeepAnswer>,
    /// What should be known and stopped nothing.
    pub warnings: Vec<String>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// From each drop's arrival to its commit, of some drops.
    #[serde(skip)]
    event_to_commit_milliseconds: Vec<u64>,
}

/// A commit.
#[derive(Clone, Debug, Serialize)]
pub struct Committed {
    /// The table's version.
    pub version: u64,
    /// Drops in it.
    pub drops: u64,
    /// Rows in it.
    pub rows: u64,
    /// Files that it added.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What waits to be committed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Waiting {
    /// Staged batches.
    pub batches: u64,
    /// Their drops.
    pub drops: u64,
    /// Bytes of their runs.
    pub bytes: u64,
    /// How long the oldest has waited, in seconds.
    pub oldest_seconds: u64,
}

/// What upkeep did.
#[derive(Clone, Debug, Serialize)]
pub struct UpkeepAnswer {
    /// Small files that were merged.
    pub files_merged: u64,
    /// Files that they were merged into.
    pub files_written: u64,
    /// Small files of the audit table that were merged.
    pub audit_files_merged: u64,
    /// Small files that were left alone.
    pub files_left_alone: usize,
    /// Files in staging that were deleted.
    pub leftovers: u64,
    /// Whether there was more to do than time.
    pub unfinished: bool,
}

impl Waiting {
    fn of(totals: &StagedTotals, oldest_seconds: u64) -> Self {
        Self { batches: totals.batches, drops: totals.drops, bytes: totals.staged_bytes, oldest_seconds }
    }
}

impl PipelineAnswer {
    pub(super) fn new(pipeline: &str) -> Self {
        Self {
            pipeline: pipeline.to_owned(),
            state: State::NothingDue,
            commits: Vec::new(),
            waiting: Waiting::default(),
            upkeep: None,
            warnings: Vec::new(),
            error: None,
            event_to_commit_milliseconds: Vec::new(),
        }
    }

    pub(super) fn waiting(&mut self, waiting: &StagedTotals, now: Timestamp) {
        self.waiting = Waiting::of(waiting, staged_age(waiting, now));
    }

    pub(super) fn committed(&mut self, commits: &[CommitReport], unfinished: bool, now: Timestamp) {
        for commit in commits {
            let &CommitReport { version, drops, rows, files, bytes, .. } = commit;
            self.commits.push(Committed { version, drops, rows, files, bytes });
            let waited = commit.arrivals.iter().map(|arrival| now.microseconds_since(*arrival) / 1_000);
            self.event_to_commit_milliseconds.extend(waited);
        }
        self.state = match (unfinished, self.commits.is_empty()) {
            (true, _) => State::Unfinished,
            (false, true) => State::NothingDue,
            (false, false) => State::Committed,
        };
    }

    pub(super) fn busy(&mut self) {
        self.state = State::Busy;
    }

    pub(super) fn is_busy(&self) -> bool {
        self.state == State::Busy
    }

    pub(super) fn kept_up(&mut self, report: UpkeepReport) {
        self.upkeep = Some(UpkeepAnswer {
            files_merged: report.files_merged,
            files_written: report.files_written,
            audit_files_merged: report.audit_files_merged,
            files_left_alone: report.left_alone.len(),
            leftovers: report.leftovers,
            unfinished: report.unfinished,
        });
    }

    pub(super) fn fail(&mut self, error: String) {
        self.state = State::Failed;
        self.error = Some(error);
    }

    /// One line for what was done; an invocation that found nothing to do is not worth one.
    pub(super) fn log(&self) {
        let (pipeline, state, commits) = (&self.pipeline, self.state, self.commits.len());
        let (waiting, oldest_seconds) = (self.waiting.drops, self.waiting.oldest_seconds);
        let version = self.commits.last().map(|commit| commit.version);
        for warning in &self.warnings {
            tracing::warn!(pipeline, "{warning}");
        }
        match state {
            State::NothingDue => tracing::debug!(pipeline, ?state, waiting, oldest_seconds),
            _ => tracing::info!(pipeline, ?state, commits, version, waiting, oldest_seconds, "done"),
        }
    }

    /// Adds what was done to the metrics.
    pub(super) fn measure(&self, metrics: &mut Metrics) {
        let pipeline = Some(self.pipeline.as_str());
        metrics.observe(pipeline, "StagedAge", Unit::Seconds, self.waiting.oldest_seconds);
        if !self.commits.is_empty() {
            let files = self.commits.iter().map(|commit| commit.files).sum();
            metrics.add(pipeline, "Commits", Unit::Count, self.commits.len() as u64);
            metrics.add(pipeline, "FilesWritten", Unit::Count, files);
        }
        for milliseconds in &self.event_to_commit_milliseconds {
            metrics.observe(pipeline, "EventToCommit", Unit::Milliseconds, *milliseconds);
        }
        if let Some(upkeep) = self.upkeep.as_ref().filter(|upkeep| upkeep.files_merged > 0) {
            metrics.add(pipeline, "FilesMerged", Unit::Count, upkeep.files_merged);
        }
    }
}
