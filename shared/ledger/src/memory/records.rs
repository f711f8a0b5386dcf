//! What a ledger in memory keeps, and the writes that must be judged by what stands.

use std::collections::BTreeMap;

use drops::{BatchId, DropId, PipelineName, Timestamp};

use crate::{
    AbortOutcome, BatchRecord, Claim, ClaimOutcome, Expected, Intent, Lease, LeaseOutcome, LedgerError,
    PipelineSettings, SealOutcome, Sealed,
};

use super::{Leases, lasting};

/// Everything, as maps.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    pub(super) claims: BTreeMap<DropId, Claim>,
    pub(super) batches: BTreeMap<BatchId, (PipelineName, BatchRecord)>,
    pub(super) intents: BTreeMap<(PipelineName, u64), Intent>,
    pub(super) heads: BTreeMap<PipelineName, u64>,
    pub(super) settings: BTreeMap<PipelineName, PipelineSettings>,
    /// Versions from 1 on.
    pub(super) schemas: BTreeMap<String, Vec<String>>,
    /// The lease, if it is held, and the last token that was given.
    pub(super) leases: Leases,
}

impl Records {
    /// See `Ledger::claim`, of one drop.
    pub(super) fn claim(
        &mut self,
        id: &DropId,
        expected: &Expected,
        claim: &Claim,
    ) -> Result<ClaimOutcome, LedgerError> {
        let granted = match (self.claims.get(id), expected) {
            (Some(standing), _) if standing.batch == claim.batch => return Ok(ClaimOutcome::Granted),
            (None, Expected::Absent) => true,
            (Some(standing), Expected::HeldBy(batch)) => standing.batch == *batch,
            (Some(_), Expected::Absent) => false,
            (None, Expected::HeldBy(_)) => {
                let reason = format!("the claim on '{id}' that was read before is gone: it was lost or restored");
                return Err(lasting("claim drops", reason));
            }
        };
        if granted {
            self.claims.insert(id.clone(), claim.clone());
            return Ok(ClaimOutcome::Granted);
        }
        Ok(self.claims.get(id).map_or(ClaimOutcome::Granted, |standing| ClaimOutcome::Held(standing.clone())))
    }

    /// See `Ledger::abort`.
    pub(super) fn abort(&mut self, pipeline: &PipelineName, id: BatchId) -> AbortOutcome {
        self.void(pipeline, id, BatchRecord::Aborted)
    }

    /// See `Ledger::give_up`.
    pub(super) fn give_up(&mut self, pipeline: &PipelineName, id: BatchId) -> AbortOutcome {
        self.void(pipeline, id, BatchRecord::GivenUp)
    }

    fn void(&mut self, pipeline: &PipelineName, id: BatchId, void: BatchRecord) -> AbortOutcome {
        match self.batches.entry(id).or_insert_with(|| (pipeline.clone(), void.clone())) {
            (_, record) if *record == void => AbortOutcome::Aborted,
            (_, record) => AbortOutcome::Stands(record.clone()),
        }
    }

    /// See `Ledger::seal`. The list of staged batches is what the records say, so it cannot differ from them.
    pub(super) fn seal(&mut self, id: BatchId, sealed: &Sealed) -> Result<SealOutcome, LedgerError> {
        let new = || (sealed.pipeline.clone(), BatchRecord::Staged(sealed.clone()));
        match &self.batches.entry(id).or_insert_with(new).1 {
            BatchRecord::Aborted | BatchRecord::GivenUp => Ok(SealOutcome::Void),
            record if record.sealed() == Some(sealed) => Ok(SealOutcome::Sealed),
            _ => Err(lasting("seal a batch", format!("batch {id} is sealed with another record already"))),
        }
    }

    /// The staged batches of a pipeline, by id.
    pub(super) fn staged(&self, pipeline: &PipelineName) -> impl Iterator<Item = (BatchId, &Sealed)> {
        self.batches.iter().filter_map(move |(id, (of, record))| match record {
            BatchRecord::Staged(sealed) if of == pipeline => Some((*id, sealed)),
            _ => None,
        })
    }

    /// See `Ledger::mark_committed`.
    pub(super) fn mark_committed(&mut self, ids: &[BatchId], version: u64) -> Result<(), LedgerError> {
        let mut open = Vec::new();
        for id in ids {
            let wrong = match self.batches.get(id) {
                Some((_, BatchRecord::Staged(sealed))) => {
                    open.push((*id, sealed.clone()));
                    continue;
                }
                Some((_, BatchRecord::Committed { version: standing, .. })) if *standing == version => continue,
                Some((_, BatchRecord::Committed { version: standing, .. })) => {
                    format!("is committed at version {standing}, not {version}")
                }
                Some((_, BatchRecord::Aborted | BatchRecord::GivenUp)) => {
                    format!("is aborted, yet version {version} is said to carry it")
                }
                None => format!("has no record, yet version {version} is said to carry it"),
            };
            return Err(lasting("mark batches as committed", format!("batch {id} {wrong}")));
        }
        for (id, sealed) in open {
            if let Some((_, record)) = self.batches.get_mut(&id) {
                *record = BatchRecord::Committed { sealed, version };
            }
        }
        Ok(())
    }

    /// See `Ledger::acquire_lease`.
    pub(super) fn acquire_lease(
        &mut self,
        table: &str,
        owner: &str,
        expires: Timestamp,
        seen: Option<&Lease>,
    ) -> LeaseOutcome {
        let (standing, last) = self.leases.entry(table.to_owned()).or_default();
        let token = match standing {
            Some(held) if held.owner == owner => held.token,
            Some(held) if seen != Some(held) => return LeaseOutcome::Held(held.clone()),
            _ => *last + 1,
        };
        let lease = Lease { owner: owner.to_owned(), token, expires };
        (*standing, *last) = (Some(lease.clone()), token);
        LeaseOutcome::Granted(lease)
    }

    /// The lease that stands, if owner and token hold it.
    pub(super) fn own_lease(&mut self, table: &str, lease: &Lease) -> Option<&mut Lease> {
        let standing = self.leases.get_mut(table)?.0.as_mut()?;
        (standing.owner == lease.owner && standing.token == lease.token).then_some(standing)
    }
}
