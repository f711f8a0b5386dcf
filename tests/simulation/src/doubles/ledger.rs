//! The ledger as a process sees it. What DynamoDB does in several requests is several calls here: one for each claim, one for each batch
//! that is marked.

use std::sync::Arc;

use async_trait::async_trait;
use drops::{BatchId, DropId, PipelineName, Timestamp};
use ledger::{
    AbortOutcome, BatchRecord, Claim, ClaimOutcome, Expected, HeadOutcome, Intent, Lease, LeaseOutcome, Ledger,
    LedgerError, MemoryLedger, PipelineSettings, SealOutcome, Sealed, StagedTotals,
};

use super::{now, told, told_all};
use crate::port::{Call, Port};

/// The ledger.
pub struct SimLedger {
    /// The process's door.
    pub port: Arc<Port>,
    /// What is in it.
    pub inner: MemoryLedger,
}

fn failed<T>(action: &'static str) -> impl Fn(String) -> Result<T, LedgerError> {
    move |reason| Err(LedgerError { action, reason, passing: true })
}

/// One call: the method's arguments are cloned into its effect, which may come late or twice.
macro_rules! through {
    ($self:ident, $kind:ident $operation:literal $key:expr, $show:expr, ($inner:ident $(, $given:ident = $value:expr)*) => $call:expr) => {{
        let $inner = $self.inner.clone();
        $(let $given = $value;)*
        let key = $key;
        $self.port.call(Call::$kind(concat!("ledger.", $operation), &key), move || now($call), $show, failed($operation))
    }};
}

#[async_trait]
impl Ledger for SimLedger {
    async fn identity(&self) -> Result<String, LedgerError> {
        through!(self, read "identity" String::new(), told_all, (inner) => inner.identity())
    }

    async fn claims(&self, ids: &[DropId]) -> Result<Vec<Option<Claim>>, LedgerError> {
        let show = |answer: &Result<Vec<Option<Claim>>, LedgerError>| {
            told(answer, |claims| {
                claims
                    .iter()
                    .map(|c| c.as_ref().map_or("none".to_owned(), |c| c.batch.to_string()))
                    .collect::<Vec<_>>()
                    .join(" ")
            })
        };
        let key = ids.first().map(ToString::to_string).unwrap_or_default();
        through!(self, read "claims" key, show, (inner, ids = ids.to_vec()) => inner.claims(&ids))
    }

    /// One request for each drop; where one fails the others are made all the same, as they are under way together.
    async fn claim(&self, wanted: &[(DropId, Expected, Claim)]) -> Result<Vec<ClaimOutcome>, LedgerError> {
        let show = |answer: &Result<ClaimOutcome, LedgerError>| {
            told(answer, |outcome| match outcome {
                ClaimOutcome::Granted => "granted".to_owned(),
                ClaimOutcome::Held(claim) => format!("held by {}", claim.batch),
            })
        };
        let mut outcomes = Vec::with_capacity(wanted.len());
        let alone = wanted.len() == 1;
        for one in wanted {
            let key = one.0.to_string();
            self.port.world.batch_claims(&self.port.name(), &one.2);
            let outcome = through!(self, late_write "claim" key, show, (inner, one = one.clone(), world = self.port.world.clone()) => async {
                let mut outcomes = inner.claim(std::slice::from_ref(&one)).await?;
                if outcomes.first() == Some(&ClaimOutcome::Granted) {
                    world.batch_granted(&one.0, &one.2, alone);
                }
                Ok(outcomes.remove(0))
            });
            outcomes.push(outcome);
        }
        outcomes.into_iter().collect()
    }

    async fn batch(&self, id: BatchId) -> Result<Option<BatchRecord>, LedgerError> {
        let show = |answer: &Result<Option<BatchRecord>, LedgerError>| {
            told(answer, |record| match record {
                None => "no record".to_owned(),
                Some(record) => state(record),
            })
        };
        through!(self, read "batch" id.to_string(), show, (inner) => inner.batch(id))
    }

    async fn abort(&self, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, LedgerError> {
        let show = |answer: &Result<AbortOutcome, LedgerError>| {
            told(answer, |outcome| match outcome {
                AbortOutcome::Aborted => "aborted".to_owned(),
                AbortOutcome::Stands(record) => format!("stands: {}", state(record)),
            })
        };
        through!(self, late_write "abort" id.to_string(), show, (inner, pipeline = pipeline.clone(), world = self.port.world.clone(), by = self.port.name()) => async {
            let outcome = inner.abort(&pipeline, id).await;
            if matches!(outcome, Ok(AbortOutcome::Aborted)) {
                world.batch_aborted(id, &by);
            }
            outcome
        })
    }

    async fn give_up(&self, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, LedgerError> {
        let show = |answer: &Result<AbortOutcome, LedgerError>| {
            told(answer, |outcome| match outcome {
                AbortOutcome::Aborted => "aborted".to_owned(),
                AbortOutcome::Stands(record) => format!("stands: {}", state(record)),
            })
        };
        through!(self, late_write "give_up" id.to_string(), show, (inner, pipeline = pipeline.clone(), world = self.port.world.clone()) => async {
            let outcome = inner.give_up(&pipeline, id).await;
            if matches!(outcome, Ok(AbortOutcome::Aborted)) {
                world.batch_has_record(id);
            }
            outcome
        })
    }

    async fn seal(&self, id: BatchId, sealed: &Sealed) -> Result<SealOutcome, LedgerError> {
        through!(self, late_write "seal" id.to_string(), told_all, (inner, sealed = sealed.clone(), world = self.port.world.clone()) => async {
            let outcome = inner.seal(id, &sealed).await;
            if matches!(outcome, Ok(SealOutcome::Sealed)) {
                world.batch_has_record(id);
            }
            outcome
        })
    }

    async fn staged(&self, pipeline: &PipelineName) -> Result<Vec<(BatchId, Sealed)>, LedgerError> {
        let show = |answer: &Result<Vec<(BatchId, Sealed)>, LedgerError>| {
            told(answer, |staged| staged.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>().join(" "))
        };
        through!(self, read "staged" pipeline.to_string(), show, (inner, pipeline = pipeline.clone()) => inner.staged(&pipeline))
    }

    async fn staged_totals(&self, pipeline: &PipelineName) -> Result<StagedTotals, LedgerError> {
        let show =
            |answer: &Result<StagedTotals, LedgerError>| told(answer, |totals| format!("{} batches", totals.batches));
        through!(self, read "staged-totals" pipeline.to_string(), show, (inner, pipeline = pipeline.clone()) => inner.staged_totals(&pipeline))
    }

    /// Batch by batch, once all of them were looked at.
    async fn mark_committed(&self, batches: &[BatchId], version: u64) -> Result<(), LedgerError> {
        let show = |answer: &Result<(), LedgerError>| told(answer, |()| "looked at".to_owned());
        through!(self, read "look-at-batches" version.to_string(), show, (inner, all = batches.to_vec()) => async {
            let scratch = MemoryLedger::new(String::new());
            scratch.restore(&inner.snapshot(), None);
            scratch.mark_committed(&all, version).await
        })?;
        for batch in batches.iter().copied() {
            let key = batch.to_string();
            through!(self, late_write "mark-committed" key, told_all, (inner) => async {
                inner.mark_committed(&[batch], version).await
            })?;
        }
        Ok(())
    }

    async fn batches(
        &self,
        pipeline: &PipelineName,
        after: Option<BatchId>,
        limit: usize,
    ) -> Result<Vec<(BatchId, BatchRecord)>, LedgerError> {
        let show = |answer: &Result<Vec<(BatchId, BatchRecord)>, LedgerError>| {
            told(answer, |l| format!("{} batches", l.len()))
        };
        through!(self, read "batches" pipeline.to_string(), show, (inner, pipeline = pipeline.clone()) => inner.batches(&pipeline, after, limit))
    }

    async fn count_claims(&self, pipeline: &PipelineName) -> Result<u64, LedgerError> {
        through!(self, read "count-claims" pipeline.to_string(), told_all, (inner, pipeline = pipeline.clone()) => inner.count_claims(&pipeline))
    }

    async fn reserve_intent(&self, pipeline: &PipelineName, intent: &Intent) -> Result<bool, LedgerError> {
        through!(self, late_write "reserve-intent" intent.number.to_string(), told_all, (inner, pipeline = pipeline.clone(), intent = intent.clone()) => inner.reserve_intent(&pipeline, &intent))
    }

    async fn intent(&self, pipeline: &PipelineName, number: u64) -> Result<Option<Intent>, LedgerError> {
        let show = |answer: &Result<Option<Intent>, LedgerError>| {
            told(answer, |intent| format!("after {:?}", intent.as_ref().map(|intent| intent.predecessor)))
        };
        through!(self, read "intent" number.to_string(), show, (inner, pipeline = pipeline.clone()) => inner.intent(&pipeline, number))
    }

    async fn head(&self, pipeline: &PipelineName) -> Result<Option<u64>, LedgerError> {
        through!(self, read "head" pipeline.to_string(), told_all, (inner, pipeline = pipeline.clone()) => inner.head(&pipeline))
    }

    async fn move_head(&self, pipeline: &PipelineName, number: u64) -> Result<HeadOutcome, LedgerError> {
        through!(self, late_write "move-head" number.to_string(), told_all, (inner, pipeline = pipeline.clone()) => inner.move_head(&pipeline, number))
    }

    async fn settings(&self, pipeline: &PipelineName) -> Result<Option<PipelineSettings>, LedgerError> {
        let show = |answer: &Result<Option<PipelineSettings>, LedgerError>| {
            told(answer, |settings| settings.as_ref().map_or("none", |_| "fixed").to_owned())
        };
        through!(self, read "settings" pipeline.to_string(), show, (inner, pipeline = pipeline.clone()) => inner.settings(&pipeline))
    }

    async fn fix_settings(
        &self,
        pipeline: &PipelineName,
        settings: &PipelineSettings,
    ) -> Result<PipelineSettings, LedgerError> {
        let show = |answer: &Result<PipelineSettings, LedgerError>| told(answer, |settings| settings.table_id.clone());
        through!(self, late_write "fix-settings" pipeline.to_string(), show, (inner, pipeline = pipeline.clone(), settings = settings.clone()) => inner.fix_settings(&pipeline, &settings))
    }

    async fn fix_table(&self, pipeline: &PipelineName, table: &str) -> Result<PipelineSettings, LedgerError> {
        let show =
            |answer: &Result<PipelineSettings, LedgerError>| told(answer, |settings| format!("{:?}", settings.table));
        through!(self, late_write "fix-table" pipeline.to_string(), show, (inner, pipeline = pipeline.clone(), table = table.to_owned()) => inner.fix_table(&pipeline, &table))
    }

    async fn pipelines(&self) -> Result<Vec<PipelineName>, LedgerError> {
        through!(self, read "pipelines" String::new(), told_all, (inner) => inner.pipelines())
    }

    async fn newest_schema(&self, table: &str) -> Result<Option<(u64, String)>, LedgerError> {
        let show = |answer: &Result<Option<(u64, String)>, LedgerError>| {
            told(answer, |newest| format!("{:?}", newest.as_ref().map(|(number, _)| *number)))
        };
        through!(self, read "newest-schema" table.to_owned(), show, (inner, table = table.to_owned()) => inner.newest_schema(&table))
    }

    async fn schema(&self, table: &str, number: u64) -> Result<Option<String>, LedgerError> {
        let show = |answer: &Result<Option<String>, LedgerError>| told(answer, |text| format!("{}", text.is_some()));
        through!(self, read "schema" number.to_string(), show, (inner, table = table.to_owned()) => inner.schema(&table, number))
    }

    async fn add_schema(&self, table: &str, number: u64, schema: &str) -> Result<bool, LedgerError> {
        through!(self, late_write "add-schema" number.to_string(), told_all, (inner, table = table.to_owned(), schema = schema.to_owned()) => inner.add_schema(&table, number, &schema))
    }

    async fn acquire_lease(
        &self,
        table: &str,
        owner: &str,
        expires: Timestamp,
        seen: Option<&Lease>,
    ) -> Result<LeaseOutcome, LedgerError> {
        if self.port.world.has_leases_for_all() {
            return Ok(LeaseOutcome::Granted(Lease { owner: owner.to_owned(), token: 1, expires }));
        }
        through!(self, late_write "acquire-lease" owner.to_owned(), told_all, (inner, table = table.to_owned(), owner = owner.to_owned(), seen = seen.cloned()) => inner.acquire_lease(&table, &owner, expires, seen.as_ref()))
    }

    async fn renew_lease(&self, table: &str, lease: &Lease, expires: Timestamp) -> Result<bool, LedgerError> {
        if self.port.world.has_leases_for_all() {
            return Ok(true);
        }
        through!(self, late_write "renew-lease" lease.owner.clone(), told_all, (inner, table = table.to_owned(), lease = lease.clone()) => inner.renew_lease(&table, &lease, expires))
    }

    async fn release_lease(&self, table: &str, lease: &Lease) -> Result<(), LedgerError> {
        if self.port.world.has_leases_for_all() {
            return Ok(());
        }
        through!(self, late_write "release-lease" lease.owner.clone(), told_all, (inner, table = table.to_owned(), lease = lease.clone()) => inner.release_lease(&table, &lease))
    }
}

fn state(record: &BatchRecord) -> String {
    match record {
        BatchRecord::Staged(sealed) => format!("staged with {} drops", sealed.drops),
        BatchRecord::Committed { version, .. } => format!("committed at {version}"),
        BatchRecord::Aborted => "aborted".to_owned(),
        BatchRecord::GivenUp => "given up".to_owned(),
    }
}
