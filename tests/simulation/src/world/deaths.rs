//! Which batches looked dead to those who came after, and why: each abort must have a reason that was to be seen, and a drop that did its
//! processes no harm is quarantined only where its own batches died, two of them, the last with nothing else in it.

use std::collections::BTreeMap;

use drops::{BatchId, DropId};
use ledger::Claim;

use super::{World, lock};
use crate::fault::Kind;

/// What became of the process that works on a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It is at work.
    #[default]
    AtWork,
    /// It ended in the midst of it.
    Crashed,
    /// It answered.
    Answered,
}

/// A claim that a batch was granted.
#[derive(Debug)]
struct Granted {
    drop: DropId,
    etag: String,
    /// Whether the batch claimed nothing else.
    alone: bool,
}

/// The life of a batch.
#[derive(Debug, Default)]
struct Life {
    process: String,
    /// The moment that its claims name.
    began: i64,
    granted: Vec<Granted>,
    end: End,
    /// Giving it up met a fault that kept the effect away, for a while at least.
    giving_up_failed: bool,
    /// It had a record by its own process: where another aborts it nevertheless, that was lost with its ledger.
    has_record: bool,
    aborted: bool,
}

/// All batches that ever claimed anything.
#[derive(Debug, Default)]
pub(super) struct Lives(BTreeMap<String, Life>);

impl World {
    /// A process is about to claim drops for a batch.
    pub fn batch_claims(&self, process: &str, claim: &Claim) {
        let mut lives = lock(&self.lives);
        let life = lives.0.entry(claim.batch.to_string()).or_default();
        if life.process.is_empty() {
            (life.process, life.began) = (process.to_owned(), claim.at.0);
        }
    }

    /// A batch was granted a drop.
    pub fn batch_granted(&self, drop: &DropId, claim: &Claim, alone: bool) {
        let mut lives = lock(&self.lives);
        let granted = &mut lives.0.entry(claim.batch.to_string()).or_default().granted;
        if !granted.iter().any(|one| one.drop == *drop) {
            granted.push(Granted { drop: drop.clone(), etag: claim.etag.clone(), alone });
        }
    }

    /// A batch was sealed, or given up by its own process.
    pub fn batch_has_record(&self, batch: BatchId) {
        lock(&self.lives).0.entry(batch.to_string()).or_default().has_record = true;
    }

    /// A call met a fault: where that keeps a batch from being given up, it looks dead.
    pub(super) fn mind_giving_up(&self, operation: &str, key: &str, kind: &Kind) {
        if operation == "ledger.give_up" && matches!(kind, Kind::Error | Kind::Throttle | Kind::Late(_)) {
            lock(&self.lives).0.entry(key.to_owned()).or_default().giving_up_failed = true;
        }
    }

    /// A process crashed or answered.
    pub fn process_ended(&self, process: &str, end: End) {
        let mut lives = lock(&self.lives);
        lives.0.values_mut().filter(|life| life.process == process && life.end == End::AtWork).for_each(|life| {
            life.end = end;
        });
    }

    /// Another process aborted a batch. One whose process lives is aborted only when that stood still for as long as a claim is young, or
    /// could not give it up.
    pub fn batch_aborted(&self, batch: BatchId, by: &str) {
        let (now, claim_time) = (self.scheduler.now(), self.claim_time());
        let mut lives = lock(&self.lives);
        let life = lives.0.entry(batch.to_string()).or_default();
        life.aborted = true;
        let age = u128::try_from(now - life.began).unwrap_or(0);
        let has_reason = match life.end {
            End::Crashed => true,
            End::AtWork => !life.process.is_empty() && age >= claim_time.as_micros(),
            End::Answered => life.giving_up_failed || life.has_record,
        };
        if !has_reason {
            let what = format!("{by} aborted batch {batch}, which nothing had happened to: {life:?}");
            drop(lives);
            self.violation("only what looks dead is aborted", what);
        }
    }

    /// Whether so many batches of a drop looked dead that it may be taken for what ended them: two, and one of them held this very content
    /// alone.
    pub(super) fn may_be_deadly(&self, drop: &DropId, etag: &str) -> bool {
        let lives = lock(&self.lives);
        let died = lives.0.values().filter(|life| life.aborted);
        let granted: Vec<&Granted> = died.flat_map(|life| &life.granted).filter(|one| one.drop == *drop).collect();
        granted.len() >= 2 && granted.iter().any(|one| one.alone && (one.etag == etag || one.etag.is_empty()))
    }
}
