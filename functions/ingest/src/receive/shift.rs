//! The work of one invocation for one pipeline: every drop that came gets a fate.
//!
//! 1. Drops are claimed at once, in shared batches: most have no claim yet, and asking first would cost each a read.
//! 2. What others hold is judged by what stands: final, to be taken over, or another's. Take-overs share batches as well, except
//! 3. suspects: drops of a batch that died. Each gets a batch of its own, claimed only when it begins.

mod told;

use std::collections::{HashMap, HashSet};

use decode::format::{Format, Packing};
use drops::{DropId, DroppedObject};
use ledger::Expected;

use super::RENEWED_AT;
use super::arrivals::Arrival;
use super::ask::{Asker, Known, Unfit, versions_of};
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
    asker: Asker<'a>,
    stop: &'a (dyn Fn() -> bool + Sync),
    arrivals: &'a [Arrival],
    /// Each drop's places among the arrivals, and how it is read.
    places: HashMap<DropId, Place>,
    /// The rights to suspects of which there was no object to read.
    untried: HashMap<DropId, Right>,
    fates: Vec<Option<Fate>>,
    tally: Tally,
    named: usize,
}

/// Where a drop stands, and how it is read.
struct Place {
    arrivals: Vec<usize>,
    format: Format,
    packing: Packing,
}

impl<'a> Shift<'a> {
    /// Begins.
    pub(super) fn new(
        ingest: Ingest,
        asker: Asker<'a>,
        arrivals: &'a [Arrival],
        stop: &'a (dyn Fn() -> bool + Sync),
    ) -> Self {
        let (fates, lane) = (vec![None; arrivals.len()], asker.lane);
        let (places, untried, tally) = (HashMap::new(), HashMap::new(), Tally::default());
        Self { lane, ingest, asker, stop, arrivals, places, untried, fates, tally, named: 0 }
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
        let suspects = self.spare_the_patient(suspects);
        self.each_alone(suspects).await;
        self.finish()
    }

    /// Every drop as a candidate that nobody has claimed, unless its fate is clear before.
    async fn candidates(&mut self) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> = Vec::with_capacity(self.arrivals.len());
        let known = self.asker.all(self.arrivals).await;
        for (at, (arrival, known)) in self.arrivals.iter().zip(known).enumerate() {
            self.tally.ignored_overwrites += arrival.overwritten;
            match known {
                Ok(Known { candidate, asked }) => self.take(at, candidate, asked, &mut candidates),
                Err(Unfit { fate, why }) => {
                    if let Some(why) = why {
                        self.name(&arrival.object.id, &why);
                    }
                    self.tell_missing(&arrival.object.id, &fate);
                    self.fates[at] = Some(fate);
                }
            }
        }
        candidates
    }

    /// Takes a candidate. Notifications that turn out to name one drop share its fate; what S3 said just now counts.
    fn take(&mut self, at: usize, candidate: Candidate, asked: bool, candidates: &mut Vec<Candidate>) {
        let (format, packing) = (candidate.format, candidate.packing);
        match self.places.get_mut(&candidate.object.id) {
            None => {
                self.places.insert(candidate.object.id.clone(), Place { arrivals: vec![at], format, packing });
                candidates.push(candidate);
            }
            Some(place) => {
                place.arrivals.push(at);
                let same = |other: &&mut Candidate| other.object.id == candidate.object.id;
                if let Some(other) = candidates.iter_mut().find(same)
                    && other.object.etag != candidate.object.etag
                {
                    self.tally.ignored_overwrites += 1;
                    if asked {
                        (place.format, place.packing) = (format, packing);
                        *other = candidate;
                    }
                }
            }
        }
    }

    /// Asks what a drop is now that is not what was notified. Gives it, and other drops that notifications of it turn out to mean; of those
    /// that come to nothing the fate is decided.
    async fn look_again(&mut self, id: &DropId) -> Vec<DroppedObject> {
        let Some(Place { arrivals, .. }) = self.places.get(id) else { return Vec::new() };
        let is_of_two = |at: &usize| self.asker.other_key(&self.arrivals[*at]).is_some();
        let (of_two, others): (Vec<usize>, Vec<usize>) = arrivals.clone().into_iter().partition(is_of_two);
        let (mut looked, mut now) = (Vec::new(), None);
        if !others.is_empty() || of_two.is_empty() {
            let notified = self.notified_versions(&others);
            match self.asker.now(id, &notified).await {
                Ok(object) if object.id == *id => now = Some(object),
                // It has a version, which was not told, and that is what it is known by.
                Ok(object) => {
                    looked.extend(others.iter().filter_map(|at| self.is_another(*at, id, object.clone())));
                }
                Err(unfit) => self.is_unfit(id, &others, unfit),
            }
        }
        for at in of_two {
            match self.asker.now_of(id, &self.arrivals[at]).await {
                Ok(object) if object.id == *id => now = Some(object),
                Ok(object) => looked.extend(self.is_another(at, id, object)),
                Err(unfit) => self.is_unfit(id, &[at], unfit),
            }
        }
        looked.extend(now);
        looked
    }

    /// The versions that notifications of a drop name.
    fn notified_versions(&self, arrivals: &[usize]) -> Vec<&'a str> {
        let all = self.arrivals;
        arrivals.iter().flat_map(|at| versions_of(&all[*at])).collect()
    }

    /// Some notifications of a drop come to nothing now.
    fn is_unfit(&mut self, id: &DropId, arrivals: &[usize], Unfit { fate, why }: Unfit) {
        if let Some(why) = why {
            self.name(id, &why);
        }
        self.tell_missing(id, &fate);
        arrivals.iter().for_each(|at| self.fates[*at] = Some(fate.clone()));
    }

    /// A notification of one drop means another: gives that, unless it is worked on already, whose fate it shares then.
    fn is_another(&mut self, at: usize, id: &DropId, now: DroppedObject) -> Option<DroppedObject> {
        let place = self.places.get_mut(id)?;
        place.arrivals.retain(|own| *own != at);
        let (format, packing) = (place.format, place.packing);
        if let Some(other) = self.places.get_mut(&now.id) {
            self.fates[at] = other.arrivals.first().and_then(|first| self.fates[*first].clone());
            other.arrivals.push(at);
            return None;
        }
        self.places.insert(now.id.clone(), Place { arrivals: vec![at], format, packing });
        Some(now)
    }

    /// Ingests candidates in shared batches. Returns what must be judged before it can be claimed again.
    async fn share(&mut self, candidates: Vec<Candidate>) -> Vec<DroppedObject> {
        let mut unsettled = Vec::new();
        let mut broken = false;
        for batch in batches(candidates) {
            if broken || (self.stop)() {
                let (wait, why) =
                    if broken { (Wait::BackOff, "a batch before it failed") } else { (Wait::Turn, OUT_OF_TIME) };
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
            let Candidate { object, right, .. } = candidate;
            if why == LeftOut::Gone && right.suspect != Suspicion::None {
                self.untried.insert(object.id.clone(), right);
            }
            match why {
                LeftOut::Contended => unsettled.push(object),
                LeftOut::Gone | LeftOut::Changed => {
                    let now = self.look_again(&object.id).await;
                    now.iter().for_each(|now| self.tell_replaced(&object, now));
                    unsettled.extend(now);
                }
                LeftOut::Stopped { begun: true } if self.asker.large.is_some() => self.decide(&object.id, Fate::Large),
                LeftOut::Stopped { begun: true } => self.again(&object.id, Wait::None, OUT_OF_TIME),
                LeftOut::Outlasted { time } => {
                    let why =
                        format!("it could not be read within {} seconds alone: it is tried once more", time.as_secs());
                    self.again(&object.id, Wait::None, &why);
                }
                LeftOut::Stopped { begun: false } => self.again(&object.id, Wait::Turn, OUT_OF_TIME),
                LeftOut::Void => self.again(&object.id, Wait::BackOff, "its batch was taken for dead"),
                LeftOut::NoVersionId(why) => self.decide(&object.id, Fate::NotUnderstood(why)),
                LeftOut::Passing(why) => {
                    let fate = self.passing(&object.id, &why);
                    self.decide(&object.id, fate);
                }
            }
        }
        let Some(sealed) = outcome.sealed else { return };
        // What was not left out is held.
        for id in ids.iter().filter(|id| !left_out.contains(id)) {
            let Some(place) = self.places.get(id) else { continue };
            for at in &place.arrivals {
                let event = self.arrivals[*at].notification.event_time;
                self.tally.event_to_staged.extend(event.map(|event| sealed.at.microseconds_since(event) / 1_000));
                self.fates[*at] = Some(Fate::Staged);
            }
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
                // What was told of it may be of another, whose name is this one decoded.
                Standing::Final { changed: true, .. } if self.may_be_another(&object) => {
                    for now in self.look_again(&object.id).await {
                        if now.id == object.id {
                            self.is_final(&object.id, true);
                        } else {
                            shared.extend(self.candidate(now, Right::fresh(Expected::Absent)));
                        }
                    }
                }
                Standing::Final { changed, .. } => self.is_final(&object.id, changed),
                Standing::Busy { holder } => {
                    self.again(&object.id, Wait::BackOff, &format!("invocation {holder} works on it"));
                }
                // It was repaired, or what was told is older than what was quarantined: what it is now decides.
                Standing::Open(right) if right.quarantined.is_some() => {
                    for now in self.look_again(&object.id).await {
                        if now.id != object.id {
                            shared.extend(self.candidate(now, Right::fresh(Expected::Absent)));
                        } else if right.quarantined.as_ref() == Some(&now.etag) {
                            self.is_final(&object.id, false);
                        } else {
                            shared.extend(self.candidate(now, right.clone()));
                        }
                    }
                }
                Standing::Open(right) => {
                    let right = self.with_earlier_deaths(&object.id, right);
                    let to = if right.suspect == Suspicion::None { &mut shared } else { &mut suspects };
                    to.extend(self.candidate(object, right));
                }
            }
        }
        (shared, suspects)
    }

    /// A batch that found no object to read was no try of a drop that others may have died of: their deaths still count.
    fn with_earlier_deaths(&mut self, id: &DropId, right: Right) -> Right {
        match self.untried.remove(id).filter(|_| right.suspect == Suspicion::None) {
            Some(before) => Right { expected: right.expected, ..before },
            None => right,
        }
    }

    fn candidate(&self, object: DroppedObject, right: Right) -> Option<Candidate> {
        let Place { format, packing, .. } = *self.places.get(&object.id)?;
        Some(Candidate { object, format, packing, right })
    }

    /// A sealed batch holds a drop; if its content is another now, its rows stay as they were read.
    fn is_final(&mut self, id: &DropId, changed: bool) {
        if changed {
            self.tally.ignored_overwrites += 1;
            self.named += 1;
            if self.named <= NAMED {
                tracing::warn!(pipeline = %self.lane.pipeline.name, drop = %id, "ignored: another content of this key was ingested");
            }
        }
        self.decide(id, Fate::Duplicate);
    }

    /// Whether a notification of this drop has another name for it that was not asked for: then its etag is as it was told.
    fn may_be_another(&self, object: &DroppedObject) -> bool {
        let mut arrivals = self.places.get(&object.id).into_iter().flat_map(|place| &place.arrivals);
        arrivals.any(|at| self.arrivals[*at].object == *object && self.asker.other_key(&self.arrivals[*at]).is_some())
    }

    /// Of several suspects each may end this invocation, and so use up a receive of all the others' messages. Those that have few left are
    /// not run: they come again as new messages.
    fn spare_the_patient(&mut self, suspects: Vec<Candidate>) -> Vec<Candidate> {
        if suspects.len() < 2 {
            return suspects;
        }
        let (spared, run): (Vec<_>, Vec<_>) = suspects.into_iter().partition(|candidate| {
            let places = self.places.get(&candidate.object.id).into_iter().flat_map(|place| &place.arrivals);
            places.into_iter().any(|at| self.arrivals[*at].receives >= RENEWED_AT)
        });
        for candidate in spared {
            self.again(&candidate.object.id, Wait::Turn, "others that may have ended an invocation come before it");
        }
        run
    }

    /// What may have ended an invocation must not drag its neighbours along.
    async fn each_alone(&mut self, suspects: Vec<Candidate>) {
        for candidate in suspects {
            let mut next = Some(candidate);
            for _ in 0..ROUNDS {
                let Some(candidate) = next.take() else { break };
                if (self.stop)() {
                    self.again(&candidate.object.id, Wait::Turn, OUT_OF_TIME);
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
                // Counted as a message that cannot be understood.
                Fate::Staged | Fate::NotUnderstood(_) => {}
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
        self.tell_missing(id, &fate);
        for at in self.places.get(id).into_iter().flat_map(|place| &place.arrivals) {
            self.fates[*at] = Some(fate.clone());
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
}

pub(super) const OUT_OF_TIME: &str = "the invocation's time was up";

/// Cuts candidates into batches by drops and bytes.
pub(super) fn batches(candidates: Vec<Candidate>) -> Vec<Vec<Candidate>> {
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
