//! One pipeline on one machine: passes over its source, with workers that ingest and a task that compacts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use compactor::{
    Coming, Compactor, CompactorSettings, LOCAL_LEFTOVER_AGE, Opened, Outcome, Trigger, Until, Upkeep, UpkeepOutcome,
    UpkeepSettings, first_columns,
};
use drops::{DroppedObject, Timestamp};
use ingest::{BatchOutcome, Candidate, Ingest, IngestSettings, LeftOut, Schemas};
use runs::data_schema;
use runtime::Clock;
use runtime::settings::{Overwrites, Pipeline};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::budget::Budget;
use super::discover::Discovery;
use super::machine::{Machine, Table};
use super::pending::{Pending, Verdict};
use super::place::SourcePlace;
use super::{RunError, Tally};
use crate::progress::{Counts, Messages, Reading, Share};
use crate::report::PipelineSummary;

/// How many drops that were read alone, and ended their process each time, make a drop deadly. Three, where people press
/// Ctrl-C and pull plugs.
const ABORTED_ALONE_LIMIT: u32 = 3;

/// A checkpoint every so many commits.
const CHECKPOINT_INTERVAL: u64 = 10;

/// How long to wait before a table that another process compacts is looked at again.
const BUSY_TABLE_WAIT: Duration = Duration::from_millis(100);

/// A table of more columns than this is compacted when a pass is over and not beside it: both hold many columns' worth of buffers.
const COLUMNS_BESIDE_INGEST: usize = 500;

/// The same where a batch's rows are larger than this in the source, in bytes, on the average.
const ROW_BYTES_BESIDE_INGEST: u64 = 128 << 10;

/// A wait that is longer than this is told.
const TOLD_WAIT: Duration = Duration::from_secs(1);

/// One pipeline with all its parts.
pub(crate) struct PipelineRun {
    pub(crate) settings: Pipeline,
    pub(crate) workers: usize,
    pub(crate) ingest: Ingest,
    pub(super) source: SourcePlace,
    compactor: Compactor,
    schemas: Arc<Schemas>,
    pub(super) clock: Arc<dyn Clock>,
    counts: Share,
    messages: Messages,
    /// The state folder, for messages.
    state: String,
    stop: Arc<AtomicBool>,
    failed: AtomicBool,
    /// Set when a pass has nothing more to ingest.
    ending: AtomicBool,
    table_known: AtomicBool,
    /// Whether large records were read in this pass.
    large_rows: AtomicBool,
    watching: AtomicBool,
    /// The versions of this process's first and last commit since small files were last looked for.
    committed_from: AtomicU64,
    committed_to: AtomicU64,
    sealed: Notify,
    tally: Mutex<Tally>,
    pub(super) pending: Mutex<Pending>,
}

/// What a run of a pipeline is given besides its settings.
pub(crate) struct Surroundings<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) table: Table,
    /// Where its drops are.
    pub(crate) source: SourcePlace,
    pub(crate) workers: usize,
    /// Bytes that the process may take.
    pub(crate) memory: u64,
    pub(crate) counts: Arc<Counts>,
    pub(crate) messages: Messages,
    /// Set when the user interrupts.
    pub(crate) stop: Arc<AtomicBool>,
}

impl PipelineRun {
    /// Opens a pipeline: its ledger and its table must belong together, and what an earlier process left unsettled is settled.
    pub(crate) async fn open(settings: Pipeline, around: Surroundings<'_>) -> Result<Self, RunError> {
        let Surroundings { machine, table, source, workers, memory, counts, messages, stop } = around;
        let budget = Budget::of(memory, workers);
        let workers = budget.workers;
        let write = compactor::write_settings(&settings);
        let ledger_table = table.name.clone();
        let schemas = Arc::new(Schemas::new(table.ledger.clone(), ledger_table.clone(), settings.schema_hints.clone()));
        let ingest = Ingest::new(
            ingest::Parts {
                ledger: table.ledger.clone(),
                liveness: table.liveness.clone(),
                source: Arc::new(Reading::new(source.reader(), counts.clone())),
                state: table.state.clone(),
                clock: machine.clock.clone(),
                entropy: machine.entropy.clone(),
                holder: table.holder.clone(),
                schemas: schemas.clone(),
            },
            IngestSettings {
                pipeline: settings.name.clone(),
                write: write.clone(),
                run_memory: budget.run,
                aborted_alone_limit: ABORTED_ALONE_LIMIT,
            },
        );
        let compactor = Compactor::new(
            compactor::Parts {
                ledger: table.ledger.clone(),
                liveness: table.leases.liveness.clone(),
                lake: table.lake.clone(),
                audit: table.audit.clone(),
                state: table.state.clone(),
                table_store: table.table_store.clone(),
                audit_store: table.audit_store.clone(),
                clock: machine.clock.clone(),
                entropy: machine.entropy.clone(),
                owner: table.holder.name().to_owned(),
            },
            CompactorSettings {
                pipeline: settings.name.clone(),
                table: ledger_table,
                table_address: table.address.clone(),
                ledger_address: table.state_address.clone(),
                source: source.address(),
                write,
                target_file_size: settings.target_file_size,
                longest_delay: settings.longest_delay,
                merge_memory: budget.merge,
                checkpoint_interval: CHECKPOINT_INTERVAL,
                append_existing: settings.append_existing,
                identity_holds_version: settings.overwrites == Overwrites::Ingest,
                coming: Coming::Hinted(first_columns(&settings.schema_hints, &[])),
                commit_bytes: table.leases.commit_bytes.max(settings.target_file_size),
                lease: table.leases.time,
                leftover_age: LOCAL_LEFTOVER_AGE,
                upkeep: UpkeepSettings::default(),
            },
        );
        let merging = counts.clone();
        let compactor = compactor.telling(Arc::new(move |rows| merging.merged(rows)));
        let run = Self {
            workers,
            ingest,
            source,
            compactor,
            schemas,
            clock: machine.clock.clone(),
            counts: Share::new(counts),
            messages,
            state: table.state_address.clone(),
            stop,
            failed: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            table_known: AtomicBool::new(false),
            large_rows: AtomicBool::new(false),
            watching: AtomicBool::new(false),
            committed_from: AtomicU64::new(u64::MAX),
            committed_to: AtomicU64::new(0),
            sealed: Notify::new(),
            tally: Mutex::new(Tally::new(PipelineSummary::new(
                settings.name.as_str(),
                &settings.source,
                &settings.table,
            ))),
            pending: Mutex::default(),
            settings,
        };
        let opened = run.compactor.open().await;
        run.tell_warnings();
        if let Opened::Table { version, schema } = opened? {
            run.tally().table_version(version);
            run.schemas.adopt(&data_schema(&schema)).await?;
            run.schemas.apply_hints().await?;
            run.table_known.store(true, Ordering::Relaxed);
        }
        Ok(run)
    }

    /// Ingests all that the source holds now, tries again what was left out, and commits everything.
    pub(crate) async fn run(self: &Arc<Self>) -> Result<(), RunError> {
        self.pass(None).await?;
        loop {
            let waiting = lock(&self.pending).take(self.clock.now());
            let Some((keys, wait)) = waiting else { break };
            if wait > TOLD_WAIT {
                let files = crate::human::count(keys.len() as u64, "file", "files");
                let wait = crate::human::duration(wait);
                self.messages.warn(&format!("waits {wait} for {files} modified just now to rest (--settle-time)"));
            }
            if self.sleep(wait).await {
                break;
            }
            self.pass(Some(keys)).await?;
        }
        self.compact(Trigger::Now).await?;
        self.keep_up(true).await?;
        self.tell_version().await
    }

    /// What the table's version is at the end: another process may have made it.
    pub(super) async fn tell_version(&self) -> Result<(), RunError> {
        if let Some(version) = self.compactor.table_version().await? {
            self.tally().table_version(version);
        }
        Ok(())
    }

    /// One pass: over the whole source, or over what is at some keys. Commits what falls due meanwhile.
    pub(crate) async fn pass(self: &Arc<Self>, keys: Option<Vec<String>>) -> Result<(), RunError> {
        if keys.is_none() {
            self.tally().begin_listing();
        }
        self.counts.set_listed(false);
        let (sender, receiver) = sync_channel(1);
        let receiver = Arc::new(Mutex::new(receiver));
        let workers: Vec<_> = (0..self.workers)
            .map(|slot| {
                let (run, receiver, handle) = (self.clone(), receiver.clone(), Handle::current());
                tokio::task::spawn_blocking(move || run.stopping(run.work(slot, &receiver, &handle)))
            })
            .collect();
        drop(receiver);
        let discovery = {
            let (run, handle) = (self.clone(), Handle::current());
            tokio::task::spawn_blocking(move || {
                let discovery = Discovery::new(&run, handle, sender);
                run.stopping(match keys {
                    None => discovery.go(run.source.list()),
                    Some(keys) => discovery.go(run.source.list_at(keys)),
                })
            })
        };
        self.ending.store(false, Ordering::Relaxed);
        self.large_rows.store(false, Ordering::Relaxed);
        let compaction = tokio::spawn({
            let run = self.clone();
            async move { run.stopping(run.compact_what_falls_due().await) }
        });
        let mut results = vec![joined(discovery.await)];
        for worker in workers {
            results.push(joined(worker.await));
        }
        self.ending.store(true, Ordering::Relaxed);
        self.sealed.notify_one();
        results.push(joined(compaction.await));
        self.tally().schema(self.schemas.take_news());
        results.into_iter().collect()
    }

    /// Compacts while ingest goes on, whenever a sealed batch makes it due.
    async fn compact_what_falls_due(&self) -> Result<(), RunError> {
        loop {
            self.sealed.notified().await;
            if self.ending.load(Ordering::Relaxed) || self.is_stopped() {
                return Ok(());
            }
            self.counts.set_staged(self.compactor.waiting().await?.drops);
            let columns = self.schemas.newest().await?.map_or(0, |version| version.schema.fields.len());
            if columns <= COLUMNS_BESIDE_INGEST && !self.large_rows.load(Ordering::Relaxed) {
                self.compact(Trigger::WhenDue).await?;
            }
        }
    }

    /// A worker: batch after batch, until discovery hangs up.
    fn work(&self, slot: usize, batches: &Mutex<Receiver<Vec<Candidate>>>, handle: &Handle) -> Result<(), RunError> {
        loop {
            let next = lock(batches).recv();
            let Ok(batch) = next else { return Ok(()) };
            if self.is_stopped() {
                return Ok(());
            }
            let retaken = batch.iter().filter(|one| one.right.quarantined.is_some());
            let retaken: Vec<_> = retaken.map(|one| one.object.id.key.clone()).collect();
            let mut outcome = handle.block_on(self.ingest.batch(slot, batch, &|| self.is_stopped()))?;
            if let Some(sealed) = &outcome.sealed {
                if sealed.source_bytes / sealed.rows.max(1) > ROW_BYTES_BESIDE_INGEST {
                    self.large_rows.store(true, Ordering::Relaxed);
                }
                self.counts.done(sealed.drops, sealed.source_bytes, sealed.rows);
                self.counts.quarantined(sealed.quarantined_drops + sealed.quarantined_records);
            }
            if self.watching.load(Ordering::Relaxed) {
                self.tell_quarantined(&outcome);
            }
            self.tally_retaken(retaken, &outcome);
            self.tally().batch(&mut outcome, &self.state);
            for (candidate, why) in outcome.left_out {
                let (key, size) = (candidate.object.id.key.clone(), candidate.object.size);
                let verdict = lock(&self.pending).left_out(candidate.object, why, self.clock.now());
                match verdict {
                    // It is counted when it is found again.
                    Verdict::Again => self.counts.lost(1, size),
                    _ => self.counts.done(1, size, 0),
                }
                if !self.is_stopped() {
                    self.judged(key, verdict);
                }
            }
            self.sealed.notify_one();
        }
    }

    /// Drops that were quarantined before and are final now count as what they are now.
    fn tally_retaken(&self, retaken: Vec<String>, outcome: &BatchOutcome) {
        if outcome.sealed.is_none() {
            return;
        }
        for key in retaken {
            let left_out = outcome.left_out.iter().any(|(left, _)| left.object.id.key == key);
            if !left_out && self.tally().retaken(&key) {
                self.counts.repaired();
            }
        }
    }

    /// While watching there is no summary to wait for.
    fn tell_quarantined(&self, outcome: &BatchOutcome) {
        for entry in &outcome.quarantined {
            let line = entry.record.as_ref().map(|record| format!(" line {}", record.line)).unwrap_or_default();
            self.messages.warn(&format!("quarantined: {}{line}: {}", entry.source_file, entry.reason));
        }
    }

    /// What the compactor found that stops nothing goes into the summary; while watching it is told at once as well.
    fn tell_warnings(&self) {
        for warning in self.compactor.take_warnings() {
            if self.watching.load(Ordering::Relaxed) {
                self.messages.warn(&warning);
            }
            self.tally().warn(warning);
        }
    }

    pub(crate) fn begin_watching(&self) {
        self.watching.store(true, Ordering::Relaxed);
        self.tally().warnings().iter().for_each(|warning| self.messages.warn(warning));
        lock(&self.pending).be_patient();
    }

    /// While watching there is no summary to wait for: says something of a file, once.
    pub(super) fn tell_of(&self, key: &str, what: &'static str) {
        if self.watching.load(Ordering::Relaxed) && self.tally().tells(key, what) {
            self.messages.warn(&format!("{what}: {key}"));
        }
    }

    /// A file whose name no table can hold: `shown` is what of it is text.
    pub(super) fn leave_unnamed(&self, shown: &str) {
        self.tell_of(shown, "left out, its name is not UTF-8; rename it");
        self.tally().left_out(shown, "its name is not UTF-8; rename it");
    }

    fn judged(&self, key: String, verdict: Verdict) {
        match verdict {
            Verdict::Again => {}
            Verdict::NextRun(rests) => self.tally().waiting(&key, rests),
            Verdict::Gone => self.tally().gone(),
            Verdict::GivenUp(why) => {
                self.tell_of(&format!("{key}: {why}"), "left out after three tries");
                self.tally().left_out(&key, &why);
            }
        }
    }

    /// Commits what is staged, waiting for another process where one compacts this table.
    pub(crate) async fn compact(&self, trigger: Trigger) -> Result<(), RunError> {
        let mut told = false;
        loop {
            if trigger == Trigger::Now {
                self.counts.set_phase("committing");
            }
            let outcome = self.compactor.compact(trigger).await;
            self.tell_warnings();
            if outcome.is_err() {
                self.tally().commits(&self.compactor.take_landed());
            }
            match outcome? {
                Outcome::Done { commits, schema, unfinished } => {
                    self.tally().commits(&commits);
                    let (first, last) = (commits.first().map(|c| c.version), commits.last().map(|c| c.version));
                    if let (Some(first), Some(last)) = (first, last) {
                        self.committed_from.fetch_min(first, Ordering::Relaxed);
                        self.committed_to.fetch_max(last, Ordering::Relaxed);
                    }
                    self.counts.set_staged(self.compactor.waiting().await?.drops);
                    if let Some(schema) = schema {
                        self.schemas.adopt(&data_schema(&schema)).await?;
                    }
                    // Another process took the lease meanwhile: what it does not commit is still to be.
                    if trigger == Trigger::WhenDue || !unfinished {
                        return Ok(());
                    }
                }
                Outcome::Busy { .. } if trigger == Trigger::WhenDue => return Ok(()),
                Outcome::Busy { holder } => {
                    if !told {
                        self.tally().waits_for(&holder, "another lithify process was committing to this table");
                        self.messages.warn("waiting: another lithify process is committing to this table");
                        told = true;
                    }
                    if self.sleep(BUSY_TABLE_WAIT).await {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Merges small files of the table, if commits since the last look are reason enough. At the end of a run they are always.
    pub(crate) async fn keep_up(&self, at_end: bool) -> Result<(), RunError> {
        let (first, last) = (self.committed_from.load(Ordering::Relaxed), self.committed_to.load(Ordering::Relaxed));
        if first > last || !(at_end || self.compactor.upkeep_is_due(first, last)) {
            return Ok(());
        }
        self.committed_from.store(u64::MAX, Ordering::Relaxed);
        self.counts.set_phase("merging small files");
        let upkeep = if at_end { Upkeep::Sweep } else { Upkeep::Merge };
        // Another process that compacts this table keeps it up as well.
        if let UpkeepOutcome::Done(report) = self.compactor.upkeep(upkeep, &Until::never()).await? {
            self.tally().upkeep(&report);
        }
        Ok(())
    }

    /// Learns the first schema from the first drops, and makes the table, unless both are there.
    pub(super) async fn make_table(&self, candidates: &[Candidate]) -> Result<(), RunError> {
        let version = match self.schemas.newest().await? {
            Some(version) => version,
            None => {
                let observed = self.ingest.sample(candidates).await?;
                self.counts.only_looked();
                self.schemas.evolve(&observed).await?
            }
        };
        let schema = self.compactor.create(&version.schema).await?;
        self.schemas.adopt(&data_schema(&schema)).await?;
        self.table_known.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn has_table(&self) -> bool {
        self.table_known.load(Ordering::Relaxed)
    }

    pub(super) fn wait_for(&self, object: DroppedObject, holder: &str) {
        let what = "another lithify process was ingesting some of these files";
        if self.tally().waits_for(holder, what) {
            self.messages.warn("waiting: another lithify process is ingesting some of these files");
        }
        let wait = i64::try_from(self.source.patience().as_micros()).unwrap_or(i64::MAX);
        let later = Timestamp(self.clock.now().0.saturating_add(wait));
        lock(&self.pending).busy(object, holder, later);
    }

    pub(super) fn is_young(&self, object: &DroppedObject) -> bool {
        let young = self.source.is_folder() && self.settled(object) > self.clock.now();
        if !young {
            lock(&self.pending).rests(&object.id.key);
        }
        young
    }

    /// A file whose first bytes, which would tell what it is, could not be read.
    pub(super) fn could_not_be_told(&self, object: DroppedObject, why: LeftOut) {
        let key = object.id.key.clone();
        let verdict = lock(&self.pending).left_out(object, why, self.clock.now());
        self.judged(key, verdict);
    }

    pub(super) fn wait_until_settled(&self, object: DroppedObject) {
        let (key, settled) = (object.id.key.clone(), self.settled(&object));
        let verdict = lock(&self.pending).young(object, settled, self.clock.now());
        self.judged(key, verdict);
    }

    /// When a file has rested long enough. One from the future counts as modified when it was first seen so: clocks differ.
    fn settled(&self, object: &DroppedObject) -> Timestamp {
        let settle = i64::try_from(self.settings.settle_time.as_micros()).unwrap_or(i64::MAX);
        let now = self.clock.now();
        let modified = if object.modified > now { lock(&self.pending).seen(object, now) } else { object.modified };
        Timestamp(modified.0.saturating_add(settle))
    }

    /// Sleeps; true if the user interrupted.
    pub(super) async fn sleep(&self, wait: Duration) -> bool {
        let step = Duration::from_millis(50);
        let mut left = wait;
        while !left.is_zero() && !self.is_stopped() {
            tokio::time::sleep(left.min(step)).await;
            left = left.saturating_sub(step);
        }
        self.is_stopped()
    }

    /// Whether the user interrupted, or a part of the run has failed.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// One part's failure stops the others.
    fn stopping<T>(&self, result: Result<T, RunError>) -> Result<T, RunError> {
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }

    pub(super) fn messages(&self) -> &Messages {
        &self.messages
    }

    pub(super) fn counts(&self) -> &Share {
        &self.counts
    }

    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }

    /// The sums of the run.
    pub(crate) fn take_summary(&self) -> PipelineSummary {
        let empty = PipelineSummary::new(self.settings.name.as_str(), &self.settings.source, &self.settings.table);
        std::mem::replace(&mut *self.tally(), Tally::new(empty)).into_summary()
    }
}

fn joined(result: Result<Result<(), RunError>, tokio::task::JoinError>) -> Result<(), RunError> {
    result.unwrap_or_else(|e| Err(RunError::Worker(e.to_string())))
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
