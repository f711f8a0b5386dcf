//! Parts of a process that dies at one of its calls to the outside: before the call's effect, or after it. From then on nothing works.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use drops::{BatchId, DropId, PipelineName, Timestamp};
use lake::{Commit, CommitOutcome, CommitSummary, Head, Lake, LakeError, LiveFile};
use ledger::{
    AbortOutcome, BatchRecord, Claim, ClaimOutcome, Expected, HeadOutcome, Intent, Lease, LeaseOutcome, Ledger,
    LedgerError, PipelineSettings, SealOutcome, Sealed, StagedTotals,
};
use store::{ObjectWriter, RandomRead, Store, StoreError};

/// When the process dies.
#[derive(Debug)]
pub struct Fuse {
    left: AtomicU64,
    after_effect: bool,
    burnt: AtomicBool,
}

impl Fuse {
    /// Dies at the `n`th call, from 0.
    pub fn new(n: u64, after_effect: bool) -> Arc<Self> {
        Arc::new(Self { left: AtomicU64::new(n), after_effect, burnt: AtomicBool::new(false) })
    }

    /// Whether it came to that.
    pub fn burnt(&self) -> bool {
        self.burnt.load(Ordering::SeqCst)
    }

    /// Tells, before a call, whether it is made at all, and whether its answer arrives.
    fn call(&self) -> (bool, bool) {
        if self.burnt() {
            return (false, false);
        }
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => (true, true),
            Err(_) => {
                self.burnt.store(true, Ordering::SeqCst);
                (self.after_effect, false)
            }
        }
    }
}

macro_rules! through {
    ($self:ident, $error:expr, $call:expr) => {{
        let (made, answered) = $self.fuse.call();
        if !made {
            return Err($error);
        }
        let answer = $call;
        if answered { answer } else { Err($error) }
    }};
}

pub struct DyingLake {
    pub inner: Arc<dyn Lake>,
    pub fuse: Arc<Fuse>,
}

fn lake_dead() -> LakeError {
    LakeError::Passing { table: "t".into(), action: "be reached", reason: "the process is dead".into() }
}

#[async_trait]
impl Lake for DyingLake {
    async fn head(&self, app_ids: &[&str]) -> Result<Option<Head>, LakeError> {
        through!(self, lake_dead(), self.inner.head(app_ids).await)
    }
    async fn app_ids(&self, prefix: &str) -> Result<Vec<String>, LakeError> {
        through!(self, lake_dead(), self.inner.app_ids(prefix).await)
    }
    async fn commit(&self, version: u64, commit: &Commit) -> Result<CommitOutcome, LakeError> {
        through!(self, lake_dead(), self.inner.commit(version, commit).await)
    }
    async fn read_commit(&self, version: u64) -> Result<Option<CommitSummary>, LakeError> {
        through!(self, lake_dead(), self.inner.read_commit(version).await)
    }
    async fn checkpoint(&self, version: u64) -> Result<(), LakeError> {
        through!(self, lake_dead(), self.inner.checkpoint(version).await)
    }
    async fn live_files(&self) -> Result<Vec<LiveFile>, LakeError> {
        through!(self, lake_dead(), self.inner.live_files().await)
    }
    async fn small_files(&self, version: u64, below: u64) -> Result<Vec<LiveFile>, LakeError> {
        through!(self, lake_dead(), self.inner.small_files(version, below).await)
    }
}

pub struct DyingStore {
    pub inner: Arc<dyn Store>,
    pub fuse: Arc<Fuse>,
}

fn store_dead() -> StoreError {
    StoreError::Io { action: "reach", address: "it".into(), source: io::Error::other("the process is dead") }
}

#[async_trait]
impl Store for DyingStore {
    async fn put(&self, address: &str, content: Bytes) -> Result<(), StoreError> {
        through!(self, store_dead(), self.inner.put(address, content).await)
    }
    async fn get(&self, address: &str) -> Result<Bytes, StoreError> {
        through!(self, store_dead(), self.inner.get(address).await)
    }
    async fn open(&self, address: &str) -> Result<Arc<dyn RandomRead>, StoreError> {
        through!(self, store_dead(), self.inner.open(address).await)
    }
    fn writer(&self, address: &str) -> Result<Box<dyn ObjectWriter>, StoreError> {
        let inner = self.inner.writer(address)?;
        Ok(Box::new(DyingWriter { inner, fuse: self.fuse.clone() }))
    }
    async fn delete(&self, address: &str) -> Result<(), StoreError> {
        through!(self, store_dead(), self.inner.delete(address).await)
    }
    async fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        through!(self, store_dead(), self.inner.list(prefix).await)
    }
}

struct DyingWriter {
    inner: Box<dyn ObjectWriter>,
    fuse: Arc<Fuse>,
}

impl Write for DyingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl ObjectWriter for DyingWriter {
    fn finish(self: Box<Self>) -> Result<u64, StoreError> {
        let Self { inner, fuse } = *self;
        let (made, answered) = fuse.call();
        if !made {
            return Err(store_dead());
        }
        let answer = inner.finish();
        if answered { answer } else { Err(store_dead()) }
    }
}

/// A ledger of a dying process. `mark_one_by_one` takes the batches of a commit one after the other, as a ledger may.
pub struct DyingLedger {
    pub inner: Arc<dyn Ledger>,
    pub fuse: Arc<Fuse>,
    pub mark_one_by_one: bool,
    /// Everybody who asks gets the lease and keeps it: nothing may hang on it.
    pub lease_for_all: bool,
    /// It was restored: what it holds is the same, and it is another.
    pub restored: bool,
    /// Whoever renews the lease has lost it.
    pub lease_lost: bool,
    /// Batches that are not listed as staged, as they were not sealed when others were.
    pub hidden: Vec<BatchId>,
}

fn ledger_dead() -> LedgerError {
    LedgerError { action: "be reached", reason: "the process is dead".into(), passing: true }
}

#[async_trait]
impl Ledger for DyingLedger {
    async fn identity(&self) -> Result<String, LedgerError> {
        if self.restored {
            return Ok("restored".to_owned());
        }
        through!(self, ledger_dead(), self.inner.identity().await)
    }
    async fn claims(&self, ids: &[DropId]) -> Result<Vec<Option<Claim>>, LedgerError> {
        through!(self, ledger_dead(), self.inner.claims(ids).await)
    }
    async fn claim(&self, wanted: &[(DropId, Expected, Claim)]) -> Result<Vec<ClaimOutcome>, LedgerError> {
        through!(self, ledger_dead(), self.inner.claim(wanted).await)
    }
    async fn batch(&self, id: BatchId) -> Result<Option<BatchRecord>, LedgerError> {
        through!(self, ledger_dead(), self.inner.batch(id).await)
    }
    async fn abort(&self, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, LedgerError> {
        through!(self, ledger_dead(), self.inner.abort(pipeline, id).await)
    }
    async fn give_up(&self, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, LedgerError> {
        through!(self, ledger_dead(), self.inner.give_up(pipeline, id).await)
    }
    async fn seal(&self, id: BatchId, sealed: &Sealed) -> Result<SealOutcome, LedgerError> {
        through!(self, ledger_dead(), self.inner.seal(id, sealed).await)
    }
    async fn staged(&self, pipeline: &PipelineName) -> Result<Vec<(BatchId, Sealed)>, LedgerError> {
        let mut staged = through!(self, ledger_dead(), self.inner.staged(pipeline).await)?;
        staged.retain(|(id, _)| !self.hidden.contains(id));
        Ok(staged)
    }
    async fn staged_totals(&self, pipeline: &PipelineName) -> Result<StagedTotals, LedgerError> {
        through!(self, ledger_dead(), self.inner.staged_totals(pipeline).await)
    }
    async fn mark_committed(&self, batches: &[BatchId], version: u64) -> Result<(), LedgerError> {
        if !self.mark_one_by_one {
            return through!(self, ledger_dead(), self.inner.mark_committed(batches, version).await);
        }
        for batch in batches {
            through!(self, ledger_dead(), self.inner.mark_committed(&[*batch], version).await)?;
        }
        Ok(())
    }
    async fn batches(
        &self,
        pipeline: &PipelineName,
        after: Option<BatchId>,
        limit: usize,
    ) -> Result<Vec<(BatchId, BatchRecord)>, LedgerError> {
        through!(self, ledger_dead(), self.inner.batches(pipeline, after, limit).await)
    }
    async fn count_claims(&self, pipeline: &PipelineName) -> Result<u64, LedgerError> {
        through!(self, ledger_dead(), self.inner.count_claims(pipeline).await)
    }
    async fn reserve_intent(&self, pipeline: &PipelineName, intent: &Intent) -> Result<bool, LedgerError> {
        through!(self, ledger_dead(), self.inner.reserve_intent(pipeline, intent).await)
    }
    async fn intent(&self, pipeline: &PipelineName, number: u64) -> Result<Option<Intent>, LedgerError> {
        through!(self, ledger_dead(), self.inner.intent(pipeline, number).await)
    }
    async fn head(&self, pipeline: &PipelineName) -> Result<Option<u64>, LedgerError> {
        through!(self, ledger_dead(), self.inner.head(pipeline).await)
    }
    async fn move_head(&self, pipeline: &PipelineName, number: u64) -> Result<HeadOutcome, LedgerError> {
        through!(self, ledger_dead(), self.inner.move_head(pipeline, number).await)
    }
    async fn settings(&self, pipeline: &PipelineName) -> Result<Option<PipelineSettings>, LedgerError> {
        through!(self, ledger_dead(), self.inner.settings(pipeline).await)
    }
    async fn fix_settings(
        &self,
        pipeline: &PipelineName,
        settings: &PipelineSettings,
    ) -> Result<PipelineSettings, LedgerError> {
        through!(self, ledger_dead(), self.inner.fix_settings(pipeline, settings).await)
    }
    async fn fix_table(&self, pipeline: &PipelineName, table: &str) -> Result<PipelineSettings, LedgerError> {
        through!(self, ledger_dead(), self.inner.fix_table(pipeline, table).await)
    }
    async fn pipelines(&self) -> Result<Vec<PipelineName>, LedgerError> {
        through!(self, ledger_dead(), self.inner.pipelines().await)
    }
    async fn newest_schema(&self, table: &str) -> Result<Option<(u64, String)>, LedgerError> {
        through!(self, ledger_dead(), self.inner.newest_schema(table).await)
    }
    async fn schema(&self, table: &str, number: u64) -> Result<Option<String>, LedgerError> {
        through!(self, ledger_dead(), self.inner.schema(table, number).await)
    }
    async fn add_schema(&self, table: &str, number: u64, schema: &str) -> Result<bool, LedgerError> {
        through!(self, ledger_dead(), self.inner.add_schema(table, number, schema).await)
    }
    async fn acquire_lease(
        &self,
        table: &str,
        owner: &str,
        expires: Timestamp,
        seen: Option<&Lease>,
    ) -> Result<LeaseOutcome, LedgerError> {
        if self.lease_for_all {
            return Ok(LeaseOutcome::Granted(Lease { owner: owner.to_owned(), token: 1, expires }));
        }
        through!(self, ledger_dead(), self.inner.acquire_lease(table, owner, expires, seen).await)
    }
    async fn renew_lease(&self, table: &str, lease: &Lease, expires: Timestamp) -> Result<bool, LedgerError> {
        if self.lease_for_all {
            return Ok(true);
        }
        if self.lease_lost {
            return Ok(false);
        }
        through!(self, ledger_dead(), self.inner.renew_lease(table, lease, expires).await)
    }
    async fn release_lease(&self, table: &str, lease: &Lease) -> Result<(), LedgerError> {
        through!(self, ledger_dead(), self.inner.release_lease(table, lease).await)
    }
}

/// A ledger that lives.
pub fn living(inner: Arc<dyn Ledger>) -> DyingLedger {
    DyingLedger {
        inner,
        fuse: Fuse::new(u64::MAX, false),
        mark_one_by_one: false,
        lease_for_all: false,
        restored: false,
        lease_lost: false,
        hidden: Vec::new(),
    }
}

/// One whose lease keeps nobody away.
pub fn without_lease(inner: Arc<dyn Ledger>) -> Arc<dyn Ledger> {
    Arc::new(DyingLedger { lease_for_all: true, ..living(inner) })
}

/// One that holds the same and has another identity.
pub fn restored(inner: Arc<dyn Ledger>) -> Arc<dyn Ledger> {
    Arc::new(DyingLedger { restored: true, ..living(inner) })
}

/// One whose lease is another's when it is renewed.
pub fn losing_lease(inner: Arc<dyn Ledger>) -> Arc<dyn Ledger> {
    Arc::new(DyingLedger { lease_lost: true, ..living(inner) })
}

/// One in which these batches were not sealed yet.
pub fn before_seal_of(inner: Arc<dyn Ledger>, hidden: Vec<BatchId>) -> Arc<dyn Ledger> {
    Arc::new(DyingLedger { hidden, ..living(inner) })
}

/// The parts of a compactor, dying together.
pub fn dying(parts: &mut compactor::Parts, fuse: &Arc<Fuse>, mark_one_by_one: bool) {
    let store = |inner: &Arc<dyn Store>| -> Arc<dyn Store> {
        Arc::new(DyingStore { inner: inner.clone(), fuse: fuse.clone() })
    };
    let lake =
        |inner: &Arc<dyn Lake>| -> Arc<dyn Lake> { Arc::new(DyingLake { inner: inner.clone(), fuse: fuse.clone() }) };
    let (inner, ledger_fuse) = (parts.ledger.clone(), fuse.clone());
    parts.ledger = Arc::new(DyingLedger { fuse: ledger_fuse, mark_one_by_one, ..living(inner) });
    (parts.lake, parts.audit) = (lake(&parts.lake), lake(&parts.audit));
    (parts.state, parts.table_store, parts.audit_store) =
        (store(&parts.state), store(&parts.table_store), store(&parts.audit_store));
}
