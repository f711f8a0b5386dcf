//! Finds the drops that are to be ingested: lists, tells formats, judges by the ledger, and hands out batches.

use std::sync::mpsc::SyncSender;

use decode::format::{Format, Packing, Plan, plan};
use drops::DroppedObject;
use ingest::{BATCH_BYTES, BATCH_DROPS, Candidate, SAMPLE_FILES, Standing, Suspicion};
use store::{ListError, Listed, Skipped};
use tokio::runtime::Handle;

use super::{PipelineRun, RunError};

/// How many listed objects are judged at once.
const PAGE: usize = 2_000;

/// Fewer drops than this are not worth being split over the workers.
const SPLIT_DROPS: usize = 64;

/// Discovery under way, on a thread of its own.
pub(super) struct Discovery<'a> {
    run: &'a PipelineRun,
    handle: Handle,
    batches: SyncSender<Vec<Candidate>>,
    page: Vec<DroppedObject>,
    /// Candidates that are in no batch yet.
    ready: Vec<Candidate>,
    ready_bytes: u64,
    has_schema: bool,
}

impl<'a> Discovery<'a> {
    pub(super) fn new(run: &'a PipelineRun, handle: Handle, batches: SyncSender<Vec<Candidate>>) -> Self {
        Self { run, handle, batches, page: Vec::new(), ready: Vec::new(), ready_bytes: 0, has_schema: run.has_table() }
    }

    /// Goes through a listing to its end, or until the run is stopped.
    pub(super) fn go(mut self, listing: impl Iterator<Item = Result<Listed, ListError>>) -> Result<(), RunError> {
        for listed in listing {
            if self.run.is_stopped() {
                return Ok(());
            }
            match listed {
                Ok(Listed::Object(object)) => self.page.push(object),
                Ok(Listed::Skipped(skipped)) => self.skip(skipped),
                Err(e) => self.run.tally().unlisted(&e),
            }
            if self.page.len() >= PAGE {
                self.judge_page()?;
                self.hand_out_full()?;
            }
        }
        self.judge_page()?;
        self.run.counts().set_listed(true);
        self.hand_out_rest()
    }

    fn skip(&self, skipped: Skipped) {
        if let Skipped::NameNotUtf8(key) = &skipped {
            return self.run.leave_unnamed(key);
        }
        let mut tally = self.run.tally();
        match skipped {
            Skipped::HiddenOrTemporary(key) if key.ends_with('/') => tally.hidden("(folder)"),
            Skipped::HiddenOrTemporary(key) if key.ends_with('~') => tally.hidden("~"),
            Skipped::HiddenOrTemporary(key) => tally.hidden(&decode::format::extension_of(&key)),
            Skipped::Special(_) => tally.no_file("(pipe, socket or device)"),
            Skipped::DeadLink(_) => tally.no_file("(link to nothing)"),
            Skipped::Loop(_) => tally.no_file("(link to a folder above)"),
            Skipped::Inner(_) => tally.no_file("(link within the source)"),
            Skipped::NameNotUtf8(_) => {}
        }
    }

    fn judge_page(&mut self) -> Result<(), RunError> {
        let page = std::mem::take(&mut self.page);
        let (mut objects, mut plans) = (Vec::with_capacity(page.len()), Vec::with_capacity(page.len()));
        for object in page {
            match plan(&object.id.key, self.run.settings.format, self.run.settings.compression) {
                Plan::Unknown(extension) => self.run.tally().skipped(&extension),
                plan => {
                    objects.push(object);
                    plans.push(plan);
                }
            }
        }
        let handle = self.handle.clone();
        let standings = handle.block_on(self.run.ingest.standings(&objects))?;
        for ((object, plan), standing) in objects.into_iter().zip(plans).zip(standings) {
            match standing {
                Standing::Final { quarantined, changed } => {
                    if changed {
                        self.run.tell_of(&object.id.key, "changed after it was ingested, ignored");
                    }
                    self.run.tally().known(&object, quarantined, changed);
                }
                Standing::Busy { holder } => self.run.wait_for(object, &holder),
                Standing::Open(_) if self.run.is_young(&object) => self.run.wait_until_settled(object),
                Standing::Open(right) => {
                    let told = match plan {
                        Plan::Known(format, packing) => Some((format, packing)),
                        Plan::NeedsFirstBytes(packing) => {
                            match handle.block_on(self.run.ingest.tell(&object, packing)) {
                                Ok(told) => told,
                                // What it is nobody knows: it is tried again.
                                Err(e) => {
                                    self.run.could_not_be_told(object, e.into());
                                    continue;
                                }
                            }
                        }
                        Plan::Unknown(_) => None,
                    };
                    match told {
                        Some(told) => self.open(object, told, right)?,
                        None => self.run.tally().skipped(&decode::format::extension_of(&object.id.key)),
                    }
                }
            }
        }
        Ok(())
    }

    fn open(&mut self, object: DroppedObject, told: (Format, Packing), right: ingest::Right) -> Result<(), RunError> {
        self.run.tally().tried_again(&object.id.key);
        self.run.counts().found(1, object.size);
        let (format, packing) = told;
        let candidate = Candidate { object, format, packing, right };
        match candidate.right.suspect {
            // What may have killed its process must not drag its neighbours along.
            Suspicion::Drop => {
                self.learn(std::slice::from_ref(&candidate))?;
                self.send(vec![candidate])
            }
            _ => {
                self.ready_bytes += candidate.object.size;
                self.ready.push(candidate);
                Ok(())
            }
        }
    }

    /// Hands out what fills a batch.
    fn hand_out_full(&mut self) -> Result<(), RunError> {
        if !self.has_schema && self.ready.len() < SAMPLE_FILES && self.ready_bytes < BATCH_BYTES {
            return Ok(());
        }
        while self.ready.len() >= BATCH_DROPS || self.ready_bytes >= BATCH_BYTES {
            self.hand_out(BATCH_DROPS)?;
        }
        Ok(())
    }

    /// Hands out what is left, spread over the workers.
    fn hand_out_rest(mut self) -> Result<(), RunError> {
        let parts = if self.ready.len() < SPLIT_DROPS { 1 } else { self.run.workers };
        let share = self.ready.len().div_ceil(parts).clamp(1, BATCH_DROPS);
        while !self.ready.is_empty() {
            self.hand_out(share)?;
        }
        Ok(())
    }

    fn hand_out(&mut self, most: usize) -> Result<(), RunError> {
        let ready = std::mem::take(&mut self.ready);
        self.learn(&ready)?;
        let (mut bytes, mut drops, mut limit) = (0, 0, most);
        for candidate in &ready {
            limit = limit.min(batch_limit(candidate));
            if drops > 0 && (drops >= limit || bytes + candidate.object.size > BATCH_BYTES) {
                break;
            }
            drops += 1;
            bytes += candidate.object.size;
        }
        let mut batch = ready;
        self.ready = batch.split_off(drops);
        self.ready_bytes -= bytes;
        self.send(batch)
    }

    /// The first schema version is learned, and the table made, before anything is claimed.
    fn learn(&mut self, candidates: &[Candidate]) -> Result<(), RunError> {
        if !self.has_schema {
            self.handle.block_on(self.run.make_table(candidates))?;
            self.has_schema = true;
        }
        Ok(())
    }

    fn send(&self, batch: Vec<Candidate>) -> Result<(), RunError> {
        // The workers hang up only when one of them has failed, and its error is the one to report.
        let _ = self.batches.send(batch);
        Ok(())
    }
}

/// How many drops the batch of this one may have: each aborted batch whose cause is not known makes the next ones smaller, until
/// the cause is alone.
fn batch_limit(candidate: &Candidate) -> usize {
    match candidate.right.suspect {
        Suspicion::Batch => BATCH_DROPS >> (4 * candidate.right.aborted).min(31) as usize,
        Suspicion::Drop | Suspicion::None => BATCH_DROPS,
    }
    .max(1)
}
