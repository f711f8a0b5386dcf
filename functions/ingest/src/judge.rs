//! Protocol step 2, the half that decides: what a claim that stands means for the drop that came again.

use drops::{BatchId, DroppedObject};
use ledger::{AbortOutcome, Claim, Expected, Suspect, drop_hash};

use runs::{Fate, Manifest};

use crate::manifests::Verdict;
use crate::{Ingest, IngestError};

/// What may be done with a drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may be claimed.
    Open(Right),
    /// A sealed batch holds it: nothing to do but acknowledge.
    Final {
        /// It is held as quarantined.
        quarantined: bool,
        /// The object's content is another now; its rows stay as they were read.
        changed: bool,
    },
    /// A live process works on it: a later delivery decides.
    Busy {
        /// Who.
        holder: String,
    },
}

/// The right to claim a drop, and what is known of earlier tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// What must stand for the claim to be granted.
    pub expected: Expected,
    /// Aborted batches that have held it since it was last left out.
    pub aborted: u32,
    /// How many of those held it alone.
    pub aborted_alone: u32,
    /// Whether it may be what killed the last of them.
    pub suspect: Suspicion,
    /// The etag of what a sealed batch holds as quarantined, where another was told: it was repaired, or what was told is late.
    pub quarantined: Option<String>,
}

/// Whether a drop may be what killed the process that read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// It was not being read.
    None,
    /// The process died over the whole batch.
    Batch,
    /// It was being read.
    Drop,
}

impl Right {
    /// The right to a drop that nobody has claimed, or that its last batch left out: no try counts.
    pub fn fresh(expected: Expected) -> Self {
        Self { expected, aborted: 0, aborted_alone: 0, suspect: Suspicion::None, quarantined: None }
    }

    /// Whether a drop has ended its process so often that it is not read again: alone as often as this limit, and once before that. The first
    /// batch of a drop counts as that once, even where it held the drop alone by chance.
    pub(crate) fn is_deadly(&self, limit: u32) -> bool {
        self.aborted_alone >= limit && self.aborted > limit
    }

    /// Whether it will be, after one more batch that held it alone.
    pub(crate) fn is_deadly_after_this(&self, limit: u32) -> bool {
        let (aborted, aborted_alone) = (self.aborted.saturating_add(1), self.aborted_alone.saturating_add(1));
        Self { aborted, aborted_alone, ..self.clone() }.is_deadly(limit)
    }
}

impl Ingest {
    /// Says of each drop what may be done with it, in their order.
    pub async fn standings(&self, objects: &[DroppedObject]) -> Result<Vec<Standing>, IngestError> {
        let ids: Vec<_> = objects.iter().map(|object| object.id.clone()).collect();
        let claims = self.ledger.claims(&ids).await?;
        // Drops of one batch are judged together: its manifest is read once.
        let mut order: Vec<usize> = (0..objects.len()).collect();
        order.sort_by_key(|at| claims.get(*at).and_then(|claim| claim.as_ref().map(|claim| claim.batch)));
        let mut standings = Vec::with_capacity(objects.len());
        for at in order {
            let claim = claims.get(at).and_then(Option::as_ref);
            standings.push((at, self.judge(&objects[at], claim).await?));
        }
        standings.sort_by_key(|(at, _)| *at);
        Ok(standings.into_iter().map(|(_, standing)| standing).collect())
    }

    /// Judges a drop by the claim that stands on it. Writes nothing, except that a dead batch without a record is aborted.
    pub async fn judge(&self, object: &DroppedObject, claim: Option<&Claim>) -> Result<Standing, IngestError> {
        let Some(claim) = claim else { return Ok(Standing::Open(Right::fresh(Expected::Absent))) };
        let verdict = match self.manifests.verdict(claim.batch).await? {
            Some(verdict) => verdict,
            None if !self.is_dead(claim) => {
                return Ok(Standing::Busy { holder: claim.holder.clone() });
            }
            None => match self.ledger.abort(&self.settings.pipeline, claim.batch).await? {
                AbortOutcome::Aborted => {
                    self.manifests.remember(claim.batch, &Verdict::Aborted);
                    self.delete_void(claim.batch).await;
                    Verdict::Aborted
                }
                AbortOutcome::Stands(record) => self.manifests.verdict_of(claim.batch, &record).await?,
            },
        };
        Ok(match verdict {
            // Nothing has died.
            Verdict::GivenUp => Standing::Open(Right::fresh(Expected::HeldBy(claim.batch))),
            Verdict::Aborted => Standing::Open(self.after_abort(object, claim)),
            Verdict::Sealed(manifest) => match manifest.holds(&object.id) {
                // Judge by what is held, never by what is said to be left out: a claim whose reply was lost is in no list.
                None => Standing::Open(Right::fresh(Expected::HeldBy(claim.batch))),
                Some(held) => {
                    let (quarantined, changed) = (held.fate != Fate::Ingested, held.etag != object.etag);
                    if quarantined && changed {
                        let quarantined = Some(held.etag.clone());
                        Standing::Open(Right { quarantined, ..Right::fresh(Expected::HeldBy(claim.batch)) })
                    } else {
                        Standing::Final { quarantined, changed }
                    }
                }
            },
        })
    }

    fn is_dead(&self, claim: &Claim) -> bool {
        self.liveness.is_dead(&claim.holder, claim.at, self.clock.now())
    }

    fn after_abort(&self, object: &DroppedObject, claim: &Claim) -> Right {
        let suspect = match self.liveness.suspect(&claim.holder, claim.batch) {
            Suspect::None => Suspicion::None,
            Suspect::Any => Suspicion::Batch,
            Suspect::Drop(hash) if hash == drop_hash(&object.id) => Suspicion::Drop,
            Suspect::Drop(_) => Suspicion::None,
        };
        if suspect == Suspicion::None {
            // Its process did not die of it: what failed for a passing cause, or was interrupted, never counts.
            return Right::fresh(Expected::HeldBy(claim.batch));
        }
        let mut aborted = claim.aborted.saturating_add(1);
        if claim.etag != object.etag && !object.etag.is_empty() {
            // Its processes died over another content: this one is suspect, and is read before it is judged.
            aborted = aborted.min(self.settings.aborted_alone_limit);
        }
        // A claim counts itself as alone when its batch begins, so that nothing need be asked of the dead.
        Right {
            expected: Expected::HeldBy(claim.batch),
            aborted,
            aborted_alone: claim.aborted_alone,
            suspect,
            quarantined: None,
        }
    }

    /// Deletes the manifest and the runs of a batch that the ledger says is void: it is never sealed. What is left if this fails is swept
    /// later, as long as a run is left to show it.
    pub(crate) async fn delete_void(&self, batch: BatchId) {
        let pipeline = &self.settings.pipeline;
        let found = self.state.list(&format!("staging/{pipeline}/{batch}-")).await.unwrap_or_else(|e| {
            tracing::warn!(%batch, error = %e, "the runs of a void batch were not listed, to be deleted");
            Vec::new()
        });
        let manifest = Manifest::address_of(pipeline, batch);
        for address in std::iter::once(manifest).chain(found.into_iter().map(|(address, _)| address)) {
            if let Err(e) = self.state.delete(&address).await {
                tracing::warn!(%batch, %address, error = %e, "a file of a void batch was not deleted");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_that_was_alone_from_the_beginning_is_given_as_many_tries_as_another() {
        let right = |aborted, aborted_alone| Right { aborted, aborted_alone, ..Right::fresh(Expected::Absent) };
        for (limit, deaths) in [(1, 2), (3, 4)] {
            for first_alone in [0, 1] {
                let deadly = |died: u32| right(died, died - 1 + first_alone).is_deadly(limit);
                assert_eq!(
                    (1..8).find(|died| deadly(*died)),
                    Some(deaths),
                    "limit {limit}, alone at first: {first_alone}"
                );
            }
        }
    }

    #[test]
    fn a_try_that_is_under_way_counts_as_one_more_alone() {
        let right = |aborted, aborted_alone| Right { aborted, aborted_alone, ..Right::fresh(Expected::Absent) };
        assert!(right(1, 0).is_deadly_after_this(1) && right(3, 2).is_deadly_after_this(3));
        assert!(!right(0, 0).is_deadly_after_this(1), "its first try");
        assert!(!right(3, 1).is_deadly_after_this(3), "too seldom alone");
    }
}
