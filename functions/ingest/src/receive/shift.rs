//! The work of one invocation for one pipeline: every drop that came gets a fate.
//!
//! 1. Drops are claimed at once, in shared batches: most have no claim yet, and asking first would cost each a read.
//! 2. What others hold is judged by what stands: final, to be taken over, or another's. Take-overs share batches as well, except
//! 3. suspects: drops of a batch that died. Each gets a batch of its own, claimed only when it begins.

use std::collections::{HashMap, HashSet};

use decode::format::{Format, Packing, Plan, extension_of};
use drops::{DropId, DroppedObject};
use ledger::Expected;
use store::ReadError;

use super::arrivals::Arrival;
use super::fate::{Fate, Wait};
use super::lanes::Lane;
use super::tally::Tally;
use crate::{BATCH_BYTES, BATCH_DROPS, BatchOutcome, Candidate, Ingest, LeftOut, Right, Standing, Suspicion};

/// How often drops are judged and claimed again within one invocation: others may claim them in between, or replace them.
const ROUNDS: usize = 4;

/// How many drops that were left out a log names.
const NAMED: usize = 20;

/// A function works in one batch at a time.
const SLOT: usize = 0;

/// What became of a pipeline's drops, in their order.
pub(super) struct Worked {
    pub(super) fates: Vec<Fate>,
    pub(super) tally: Tally,
}

/// One pipeline's work under way.
pub(super) struct Shift<'a> {
    lane: &'a Lane,
    ingest: Ingest,
    stop: &'a (dyn Fn() -> bool + Sync),
    /// From what size on drops are not read here.
    large: Option<u64>,
    arrivals: &'a [Arrival],
    /// Each drop's place, and how it is read.
    places: HashMap<DropId, (usize, Format, Packing)>,
    fates: Vec<Option<Fate>>,
    tally: Tally,
    named: usize,
}

impl<'a> Shift<'a> {
    /// Begins. `large`: from what size on drops go to another function.
    pub(super) fn new(
        lane: &'a Lane,
        ingest: Ingest,
        arrivals: &'a [Arrival],
        large: Option<u64>,
        stop: &'a (dyn Fn() -> bool + Sync),
    ) -> Self {
        let fates = vec![None; arrivals.len()];
        Self { lane, ingest, stop, large, arrivals, places: HashMap::new(), fates, tally: Tally::default(), named: 0 }
    }

    /// Works until every drop has a fate.
    pub(super) async fn work(mut self) -> Worked {
        let mut shared = self.candidates().await;
        let mut suspects = Vec::new();
        for _ in 0..ROUNDS {
            let unsettled = self.share(shared).await;
            let (open, more) = self.judge(unsettled).await;
            suspects.extend(more);
            shared = open;
            if shared.is_empty() {
                break;
            }
        }
        for candidate in shared {
            self.again(&candidate.object.id, Wait::BackOff, "others claim or replace it again and again");
        }
        self.each_alone(suspects).await;
        self.finish()
    }

    /// Every drop as a candidate that nobody has claimed, unless its fate is clear before.
    async fn candidates(&mut self) -> Vec<Candidate> {
        let mut candidates = Vec::with_capacity(self.arrivals.len());
        for (at, arrival) in self.arrivals.iter().enumerate() {
            self.tally.ignored_overwrites += arrival.overwritten;
            match self.candidate(arrival).await {
                Ok(candidate) => {
                    self.places.insert(candidate.object.id.clone(), (at, candidate.format, candidate.packing));
                    candidates.push(candidate);
                }
                Err(fate) => self.fates[at] = Some(fate),
            }
        }
        candidates
    }

    async fn candidate(&mut self, arrival: &Arrival) -> Result<Candidate, Fate> {
        let mut object = arrival.object.clone();
        let unversioned = self.lane.holds_version() && object.id.version.is_none();
        if object.etag.is_empty() || arrival.notification.size.is_none() || unversioned {
            object = self.now(&object.id).await?;
            if unversioned {
                object.id.version = Some(object.etag.clone());
            }
        }
        if self.large.is_some_and(|large| object.size >= large) {
            return Err(Fate::Large);
        }
        let told = match &arrival.plan {
            Plan::Known(format, packing) => Some((*format, *packing)),
            Plan::NeedsFirstBytes(packing) => match self.ingest.tell(&object, *packing).await {
                Ok(told) => told,
                Err(ReadError::Gone | ReadError::Changed) => {
                    object = self.now(&object.id).await?;
                    self.ingest.tell(&object, *packing).await.map_err(|_| Fate::Again(Wait::BackOff))?
                }
                Err(ReadError::Passing(why)) => return Err(self.passing(&object.id, &why)),
            },
            Plan::Unknown(_) => None,
        };
        let (format, packing) = told.ok_or(Fate::Skipped)?;
        Ok(Candidate { object, format, packing, right: Right::fresh(Expected::Absent) })
    }

    /// What an identity names now.
    async fn now(&mut self, id: &DropId) -> Result<DroppedObject, Fate> {
        match self.lane.heads.head(id).await {
            Ok(Some(object)) => Ok(object),
            Ok(None) => Err(Fate::Missing),
            Err(e) => Err(self.passing(id, &e.to_string())),
        }
    }

    /// Ingests candidates in shared batches. Returns what must be judged before it can be claimed again.
    async fn share(&mut self, candidates: Vec<Candidate>) -> Vec<DroppedObject> {
        let mut unsettled = Vec::new();
        let mut broken = false;
        for batch in batches(candidates) {
            if broken || (self.stop)() {
                let (wait, why) =
                    if broken { (Wait::BackOff, "a batch before it failed") } else { (Wait::None, OUT_OF_TIME) };
                batch.iter().for_each(|candidate| self.again(&candidate.object.id, wait, why));
                continue;
            }
            // Where the ledger or the store fails, the next batch would fail as well.
            broken |= !self.batch(batch, &mut unsettled).await;
        }
        unsettled
    }

    /// One batch. False if it failed as a whole.
    async fn batch(&mut self, batch: Vec<Candidate>, unsettled: &mut Vec<DroppedObject>) -> bool {
        let ids: Vec<DropId> = batch.iter().map(|candidate| candidate.object.id.clone()).collect();
        match self.ingest.batch(SLOT, batch, self.stop).await {
            Ok(outcome) => {
                self.settle(&ids, outcome, unsettled).await;
                true
            }
            Err(e) => {
                let pipeline = &self.lane.pipeline.name;
                tracing::error!(%pipeline, drops = ids.len(), error = %e, "a batch failed: its drops are tried again");
                ids.iter().for_each(|id| self.again(id, Wait::BackOff, "its batch failed"));
                false
            }
        }
    }

    /// What a batch came to, drop by drop.
    async fn settle(&mut self, ids: &[DropId], outcome: BatchOutcome, unsettled: &mut Vec<DroppedObject>) {
        self.tell(&outcome);
        let left_out: HashSet<DropId> =
            outcome.left_out.iter().map(|(candidate, _)| candidate.object.id.clone()).collect();
        for (candidate, why) in outcome.left_out {
            let object = candidate.object;
            match why {
                LeftOut::Contended => unsettled.push(object),
                LeftOut::Gone | LeftOut::Changed => match self.now(&object.id).await {
                    Ok(now) => unsettled.push(now),
                    Err(fate) => self.decide(&object.id, fate),
                },
                LeftOut::Stopped { begun: true } if self.large.is_some() => self.decide(&object.id, Fate::Large),
                LeftOut::Stopped { .. } => self.again(&object.id, Wait::None, OUT_OF_TIME),
                LeftOut::Void => self.again(&object.id, Wait::BackOff, "its batch was taken for dead"),
                LeftOut::Passing(why) => {
                    let fate = self.passing(&object.id, &why);
                    self.decide(&object.id, fate);
                }
            }
        }
        let Some(sealed) = outcome.sealed else { return };
        // What was not left out is held.
        for id in ids.iter().filter(|id| !left_out.contains(id)) {
            let Some((at, ..)) = self.places.get(id).copied() else { continue };
            let event = self.arrivals[at].notification.event_time;
            self.tally.event_to_staged.extend(event.map(|event| sealed.at.microseconds_since(event) / 1_000));
            self.fates[at] = Some(Fate::Staged);
        }
    }

    /// Judges drops by the claims that stand on them: gives those that may be claimed now, and suspects apart from them.
    async fn judge(&mut self, objects: Vec<DroppedObject>) -> (Vec<Candidate>, Vec<Candidate>) {
        let (mut shared, mut suspects) = (Vec::new(), Vec::new());
        if objects.is_empty() {
            return (shared, suspects);
        }
        let standings = match self.ingest.standings(&objects).await {
            Ok(standings) => standings,
            Err(e) => {
                tracing::error!(pipeline = %self.lane.pipeline.name, error = %e, "claims cannot be judged");
                objects.iter().for_each(|object| self.again(&object.id, Wait::BackOff, "its claim cannot be judged"));
                return (shared, suspects);
            }
        };
        for (object, standing) in objects.into_iter().zip(standings) {
            match standing {
                Standing::Final { changed, .. } => {
                    self.tally.ignored_overwrites += u64::from(changed);
                    self.decide(&object.id, Fate::Duplicate);
                }
                Standing::Busy { holder } => {
                    self.again(&object.id, Wait::BackOff, &format!("invocation {holder} works on it"));
                }
                Standing::Open(right) => {
                    let Some((_, format, packing)) = self.places.get(&object.id).copied() else { continue };
                    let to = if right.suspect == Suspicion::None { &mut shared } else { &mut suspects };
                    to.push(Candidate { object, format, packing, right });
                }
            }
        }
        (shared, suspects)
    }

    /// What may have ended an invocation must not drag its neighbours along.
    async fn each_alone(&mut self, suspects: Vec<Candidate>) {
        for candidate in suspects {
            let mut next = Some(candidate);
            for _ in 0..ROUNDS {
                let Some(candidate) = next.take() else { break };
                if (self.stop)() {
                    self.again(&candidate.object.id, Wait::None, OUT_OF_TIME);
                    break;
                }
                let mut unsettled = Vec::new();
                self.batch(vec![candidate], &mut unsettled).await;
                let (open, suspect) = self.judge(unsettled).await;
                next = open.into_iter().chain(suspect).next();
            }
            if let Some(candidate) = next {
                self.again(&candidate.object.id, Wait::BackOff, "others claim or replace it again and again");
            }
        }
    }

    fn finish(self) -> Worked {
        let Self { fates, mut tally, .. } = self;
        let fates: Vec<Fate> = fates.into_iter().map(|fate| fate.unwrap_or(Fate::Again(Wait::BackOff))).collect();
        for fate in &fates {
            match fate {
                Fate::Staged => {}
                Fate::Duplicate => tally.duplicates += 1,
                Fate::Missing => tally.missing_objects += 1,
                Fate::Skipped => tally.skipped += 1,
                Fate::Large => tally.large_drops += 1,
                Fate::Again(_) => tally.left_out += 1,
            }
        }
        Worked { fates, tally }
    }

    fn decide(&mut self, id: &DropId, fate: Fate) {
        if let Some((at, ..)) = self.places.get(id) {
            self.fates[*at] = Some(fate);
        }
    }

    fn again(&mut self, id: &DropId, wait: Wait, why: &str) {
        self.name(id, why);
        self.decide(id, Fate::Again(wait));
    }

    fn passing(&mut self, id: &DropId, why: &str) -> Fate {
        self.name(id, why);
        Fate::Again(Wait::BackOff)
    }

    /// Names a drop that is left out; only the first few, they mostly share their cause.
    fn name(&mut self, id: &DropId, why: &str) {
        self.named += 1;
        if self.named <= NAMED {
            tracing::warn!(pipeline = %self.lane.pipeline.name, drop = %id, extension = extension_of(&id.key), why, "left out, to come again");
        }
    }

    /// One line a batch, and its counts.
    fn tell(&mut self, outcome: &BatchOutcome) {
        let pipeline = &self.lane.pipeline.name;
        let (batch, left_out) = (outcome.id.map(|id| id.to_string()), outcome.left_out.len());
        let Some(sealed) = &outcome.sealed else {
            tracing::info!(%pipeline, batch, left_out, "nothing to seal");
            return;
        };
        tracing::info!(
            %pipeline,
            batch,
            drops = sealed.drops,
            rows = sealed.rows,
            source_bytes = sealed.source_bytes,
            staged_bytes = sealed.staged_bytes,
            rescued_rows = sealed.rescued_rows,
            quarantined_drops = sealed.quarantined_drops,
            quarantined_records = sealed.quarantined_records,
            left_out,
            manifest = %sealed.manifest,
            "sealed"
        );
        for entry in &outcome.quarantined {
            let row = entry.record.as_ref().map(|record| record.row);
            tracing::warn!(%pipeline, drop = %entry.source_file, row, reason = %entry.reason, "quarantined");
        }
        self.tally.drops += sealed.drops;
        self.tally.rows += sealed.rows;
        self.tally.bytes += sealed.source_bytes;
        self.tally.rescued_rows += sealed.rescued_rows;
        self.tally.quarantined_drops += sealed.quarantined_drops;
        self.tally.quarantined_records += sealed.quarantined_records;
    }
}

const OUT_OF_TIME: &str = "the invocation's time was up";

/// Cuts candidates into batches by drops and bytes.
fn batches(candidates: Vec<Candidate>) -> Vec<Vec<Candidate>> {
    let (mut cut, mut bytes): (Vec<Vec<Candidate>>, u64) = (Vec::new(), 0);
    for candidate in candidates {
        let size = candidate.object.size;
        match cut.last_mut() {
            Some(last) if last.len() < BATCH_DROPS && bytes.saturating_add(size) <= BATCH_BYTES => {
                bytes += size;
                last.push(candidate);
            }
            _ => {
                bytes = size;
                cut.push(vec![candidate]);
            }
        }
    }
    cut
}
