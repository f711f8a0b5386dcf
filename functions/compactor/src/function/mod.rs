//! One invocation of the compactor function: what is due is committed, by the pipelines in turn, and their tables are kept up.
//!
//! One pipeline's failure does not stop the others; the invocation fails at its end, naming all that failed. An invocation that finds
//! nothing to do asks the ledger once for each pipeline, and once for their names.

mod answer;
#[cfg(feature = "lambda")]
pub mod aws;
mod event;
mod words;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use decode::schema::TableSchema;
use drops::Timestamp;
use ledger::StagedTotals;
use runtime::Clock;
use runtime::telemetry::{Metrics, Unit};

use crate::{CompactError, Compactor, Outcome, Trigger, Until, Upkeep, UpkeepOutcome};

pub use answer::{Answer, PipelineAnswer, State};
pub use event::{EventError, Request};

/// What is known of a pipeline from one invocation of a sandbox to the next.
#[derive(Clone, Debug, Default)]
pub struct Opened(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    /// It was opened at some time, by whomever, with these settings and this ledger.
    fixed: AtomicBool,
    /// Ledger and table were seen to belong together.
    open: AtomicBool,
}

/// A pipeline's part of an invocation.
pub struct Job {
    /// Its name.
    pub pipeline: String,
    /// Its table: several pipelines may have one, which is kept up once.
    pub table: String,
    /// The compactor, made for this invocation.
    pub compactor: Compactor,
    /// The data columns that a table gets which is made before there is data.
    pub first: TableSchema,
    /// Whether it was opened in this process.
    pub opened: Opened,
}

/// What a pipeline does in its turn.
enum Turn {
    /// One commit.
    Commit,
    /// Upkeep, as far as it is due.
    Upkeep,
}

/// Does what was asked for, as far as the time goes.
///
/// Pipelines commit in turn, one commit each: one that always has more to commit than there is time for would leave none to those behind it.
/// Who begins is drawn, as a first commit may take all the time.
pub async fn invoke(
    jobs: &[Job],
    request: &Request,
    until: &Until,
    clock: &dyn Clock,
    metrics: &mut Metrics,
) -> Answer {
    let mut answer = Answer::default();
    let asked: Vec<&Job> = jobs.iter().filter(|job| request.names(&job.pipeline)).collect();
    answer.pipelines = asked.iter().map(|job| PipelineAnswer::new(&job.pipeline)).collect();
    let (mut due, mut others) = (VecDeque::new(), VecDeque::new());
    for (at, (job, told)) in asked.iter().zip(&mut answer.pipelines).enumerate() {
        match job.look(request, clock, told).await {
            Ok(true) => due.push_back((at, Turn::Commit)),
            Ok(false) => others.push_back((at, Turn::Upkeep)),
            Err(error) => job.failed(&error, told),
        }
    }
    if let Some((first, _)) = due.front().filter(|_| due.len() > 1) {
        let first = asked[*first].compactor.draw(due.len());
        due.rotate_left(first);
    }
    let (mut turns, mut kept_up) = (due, BTreeSet::new());
    turns.append(&mut others);
    while let Some((at, turn)) = turns.pop_front() {
        let (job, told) = (asked[at], &mut answer.pipelines[at]);
        let next = match turn {
            Turn::Commit => job.commit(until, clock, told).await.map(Some),
            Turn::Upkeep => job.keep_up(request, until, &mut kept_up, told).await.map(|()| None),
        };
        match next {
            Ok(next) => turns.extend(next.map(|next| (at, next))),
            Err(error) => job.failed(&error, told),
        }
    }
    for (job, told) in asked.iter().zip(&mut answer.pipelines) {
        told.warnings = job.compactor.take_warnings();
        told.log();
        told.measure(metrics);
    }
    tell_removed(jobs, request, clock, metrics, &mut answer).await;
    answer
}

/// Tells of pipelines that are no longer in the settings and have rows staged. Opening fails for them: it is what an apply does, which
/// removed them. `jobs` are all pipelines of the settings, whether or not they were asked for.
async fn tell_removed(jobs: &[Job], request: &Request, clock: &dyn Clock, metrics: &mut Metrics, answer: &mut Answer) {
    let Some(job) = jobs.first() else { return };
    let known: Vec<&str> = jobs.iter().map(|job| job.pipeline.as_str()).collect();
    match job.compactor.removed(&known).await {
        Ok(removed) => {
            for one in removed {
                let (pipeline, drops) = (&one.pipeline, one.waiting.drops);
                let oldest_seconds = staged_age(&one.waiting, clock.now());
                tracing::warn!(%pipeline, drops, oldest_seconds, "the settings lack a pipeline whose staged rows are in no table yet");
                metrics.add(None, "StagedOfRemoved", Unit::Count, drops);
                answer.removed(&one, oldest_seconds, request.open);
            }
        }
        Err(error) => {
            tracing::warn!(%error, "it cannot be told whether pipelines were removed that have rows staged");
            if request.open {
                answer.fail(format!("it cannot be told whether pipelines were removed that have rows staged: {error}"));
            }
        }
    }
}

impl Job {
    fn failed(&self, error: &CompactError, told: &mut PipelineAnswer) {
        let error = words::told(error);
        tracing::error!(pipeline = self.pipeline, error, "the pipeline was not compacted");
        told.fail(error);
    }

    /// Looks at what waits; opens the pipeline where that is asked for, or was not done yet. Gives whether something is to be committed.
    async fn look(
        &self,
        request: &Request,
        clock: &dyn Clock,
        told: &mut PipelineAnswer,
    ) -> Result<bool, CompactError> {
        if request.open || !self.is_fixed().await? {
            self.open().await?;
        }
        let waiting = self.compactor.waiting().await?;
        told.waiting(&waiting, clock.now());
        // Who only opens waits for no commit, and does not fail for a cause of one.
        Ok(!request.open && self.compactor.is_due(&waiting, Trigger::WhenDue))
    }

    /// Makes one commit of what is due, and says what the pipeline does next. It is opened before, once in a process: ledger and table must
    /// belong together.
    async fn commit(&self, until: &Until, clock: &dyn Clock, told: &mut PipelineAnswer) -> Result<Turn, CompactError> {
        self.open_once().await?;
        match self.compactor.compact_once(Trigger::WhenDue, until).await? {
            Outcome::Busy { holder } => {
                tracing::info!(pipeline = self.pipeline, holder, "another invocation compacts this table");
                told.busy();
            }
            Outcome::Done { commits, schema, unfinished } => {
                told.committed(&commits, unfinished, clock.now());
                if let Some(schema) = schema {
                    self.compactor.adopt(&schema).await?;
                }
                // What committed nothing has no time for it.
                if unfinished && !commits.is_empty() && !until.is_over() {
                    return Ok(Turn::Commit);
                }
                told.waiting(&self.compactor.waiting().await?, clock.now());
            }
        }
        Ok(Turn::Upkeep)
    }

    /// Keeps the table up, where that is due or asked for.
    async fn keep_up(
        &self,
        request: &Request,
        until: &Until,
        kept_up: &mut BTreeSet<String>,
        told: &mut PipelineAnswer,
    ) -> Result<(), CompactError> {
        let upkeep = self.upkeep_that_is_due(request, told).filter(|_| !told.is_busy());
        let Some(upkeep) = upkeep else { return Ok(()) };
        // What several pipelines of a table have for themselves is their staging.
        let is_first = kept_up.insert(self.table.clone());
        if !is_first && upkeep != Upkeep::Full {
            return Ok(());
        }
        self.open_once().await?;
        let done = if is_first { self.compactor.upkeep(upkeep, until).await? } else { self.compactor.sweep().await? };
        match done {
            UpkeepOutcome::Done(report) => told.kept_up(report),
            UpkeepOutcome::Busy { holder } => {
                tracing::info!(pipeline = self.pipeline, holder, "another invocation compacts this table");
            }
        }
        Ok(())
    }

    fn upkeep_that_is_due(&self, request: &Request, told: &PipelineAnswer) -> Option<Upkeep> {
        if request.upkeep {
            return Some(Upkeep::Full);
        }
        let (first, last) = (told.commits.first()?.version, told.commits.last()?.version);
        self.compactor.upkeep_is_due(first, last).then_some(Upkeep::Merge)
    }

    async fn open_once(&self) -> Result<(), CompactError> {
        if self.is_open() { Ok(()) } else { self.open().await }
    }

    async fn open(&self) -> Result<(), CompactError> {
        let (version, _) = self.compactor.ensure_open(&self.first).await?;
        tracing::info!(pipeline = self.pipeline, table = self.table, version, "open");
        self.opened.0.open.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.opened.0.open.load(Ordering::Relaxed)
    }

    /// Whether ingest may claim for this pipeline: the ledger is asked once in a process.
    async fn is_fixed(&self) -> Result<bool, CompactError> {
        let known = &self.opened.0.fixed;
        if self.is_open() || known.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let fixed = self.compactor.is_fixed().await?;
        known.store(fixed, Ordering::Relaxed);
        Ok(fixed)
    }
}

/// How long the oldest staged batch has waited, in seconds.
fn staged_age(waiting: &StagedTotals, now: Timestamp) -> u64 {
    waiting.oldest.map_or(0, |oldest| now.microseconds_since(oldest) / 1_000_000)
}
