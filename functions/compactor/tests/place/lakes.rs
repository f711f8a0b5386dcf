//! Logs for tests: in memory, and made to fail, to be slow, to be cleaned up, or not to be asked at all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use drops::Timestamp;
use futures::future::BoxFuture;
use lake::{Commit, CommitOutcome, CommitSummary, Foreign, Head, Lake, LakeError, LiveFile, MemoryLake, TableMetadata};

/// What happens to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It lands, and the answer is an error.
    LoseAnswer,
    /// It lands, and the answer is that its version is taken, as a client that sent it twice is told.
    SendTwice,
    /// It does not land, and the answer is an error.
    FailBefore,
    /// It does not land, and is refused for good.
    Refuse,
    /// The first answer is an error; who asks again is refused for good.
    FailThenRefuse,
    /// It stands under a name that the clean-up of the log has made free, where no version of the table has it, and the answer is an error.
    Stale,
}

/// A log in memory whose commits can be made to fail.
pub struct FaultyLake {
    pub inner: MemoryLake,
    /// Commits that landed.
    pub commits: AtomicU64,
    /// The versions of which a checkpoint was asked for.
    pub checkpoints: Mutex<Vec<u64>>,
    fault: Mutex<Option<Fault>>,
    left: AtomicU64,
    foreign: Mutex<Option<Foreign>>,
    before: Mutex<Option<BoxFuture<'static, ()>>>,
    after: Mutex<Option<BoxFuture<'static, ()>>>,
    stale: Mutex<Option<CommitSummary>>,
}

impl FaultyLake {
    pub fn new() -> Self {
        let (commits, left) = (AtomicU64::new(0), AtomicU64::new(0));
        Self {
            inner: MemoryLake::new(),
            commits,
            checkpoints: Mutex::default(),
            fault: Mutex::default(),
            left,
            foreign: Mutex::default(),
            before: Mutex::default(),
            after: Mutex::default(),
            stale: Mutex::default(),
        }
    }

    /// Before the next commit lands, this one does.
    pub fn foreign_next(&self, foreign: Foreign) {
        *self.foreign.lock().unwrap() = Some(foreign);
    }

    /// Before the next commit lands, this happens.
    pub fn before_next(&self, what: impl Future<Output = ()> + Send + 'static) {
        *self.before.lock().unwrap() = Some(Box::pin(what));
    }

    /// After the next commit has landed or failed, and before its answer is there, this happens.
    pub fn after_next(&self, what: impl Future<Output = ()> + Send + 'static) {
        *self.after.lock().unwrap() = Some(Box::pin(what));
    }

    /// Somebody else gives the table these columns, now.
    pub fn change_schema(&self, schema: SchemaRef) {
        self.inner.append_foreign(of_schema(Some(schema))).unwrap();
    }

    /// The next `times` commits meet this fault.
    pub fn fault(&self, fault: Fault, times: u64) {
        *self.fault.lock().unwrap() = Some(fault);
        self.left.store(times, Ordering::Relaxed);
    }
}

#[async_trait]
impl Lake for FaultyLake {
    async fn head(&self, app_ids: &[&str]) -> Result<Option<Head>, LakeError> {
        self.inner.head(app_ids).await
    }

    async fn app_ids(&self, prefix: &str) -> Result<Vec<String>, LakeError> {
        self.inner.app_ids(prefix).await
    }

    async fn commit(&self, version: u64, commit: &Commit) -> Result<CommitOutcome, LakeError> {
        let before = self.before.lock().unwrap().take();
        if let Some(before) = before {
            before.await;
        }
        let after = self.after.lock().unwrap().take();
        let outcome = self.commit_with(version, commit).await;
        if let Some(after) = after {
            after.await;
        }
        outcome
    }

    async fn read_commit(&self, version: u64) -> Result<Option<CommitSummary>, LakeError> {
        let stale = self.stale.lock().unwrap().take_if(|stale| stale.version == version);
        if stale.is_some() { Ok(stale) } else { self.inner.read_commit(version).await }
    }

    async fn checkpoint(&self, version: u64) -> Result<(), LakeError> {
        self.checkpoints.lock().unwrap().push(version);
        self.inner.checkpoint(version).await
    }

    async fn live_files(&self) -> Result<Vec<LiveFile>, LakeError> {
        self.inner.live_files().await
    }

    async fn small_files(&self, version: u64, below: u64) -> Result<Vec<LiveFile>, LakeError> {
        self.inner.small_files(version, below).await
    }
}

impl FaultyLake {
    /// A commit with the fault that is due.
    async fn commit_with(&self, version: u64, commit: &Commit) -> Result<CommitOutcome, LakeError> {
        if let Some(foreign) = self.foreign.lock().unwrap().take() {
            self.inner.append_foreign(foreign)?;
        }
        let faulty = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let fault = self.fault.lock().unwrap().filter(|_| faulty);
        let lost = || LakeError::Passing { table: "t".into(), action: "commit", reason: "the answer was lost".into() };
        if fault == Some(Fault::FailBefore) {
            return Err(lost());
        }
        if fault == Some(Fault::Stale) {
            let files = commit.adds.iter().map(|add| add.path.clone());
            let files = files.chain(commit.removes.iter().map(|remove| remove.spelled.clone())).collect();
            let txns = BTreeMap::from([(commit.app_id.clone(), commit.txn)]);
            *self.stale.lock().unwrap() = Some(CommitSummary { version, txns, changes_table: false, files });
            return Err(lost());
        }
        if fault == Some(Fault::FailThenRefuse) {
            *self.fault.lock().unwrap() = Some(Fault::Refuse);
            return Err(lost());
        }
        if fault == Some(Fault::Refuse) {
            return Err(LakeError::Unwritable { table: "t".into(), version, reason: "the table refuses it".into() });
        }
        let outcome = self.inner.commit(version, commit).await?;
        if outcome == CommitOutcome::Landed {
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        match fault {
            Some(Fault::SendTwice) => Ok(CommitOutcome::Taken),
            Some(_) => Err(lost()),
            None => Ok(outcome),
        }
    }
}

/// A log whose every call waits for a random while, so that two processes interleave in another way with each seed.
pub struct Slow {
    inner: Arc<dyn Lake>,
    random: AtomicU64,
}

impl Slow {
    pub fn new(inner: Arc<dyn Lake>, seed: u64) -> Self {
        Self { inner, random: AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1) }
    }

    async fn wait(&self) {
        // Xorshift; `fetch_update` with a function that never refuses.
        let step = |mut x: u64| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            Some(x)
        };
        let random = self.random.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step).unwrap();
        match random % 4 {
            0 => {}
            1 => tokio::task::yield_now().await,
            _ => tokio::time::sleep(Duration::from_micros(random % 6_000)).await,
        }
    }
}

#[async_trait]
impl Lake for Slow {
    async fn head(&self, app_ids: &[&str]) -> Result<Option<Head>, LakeError> {
        self.wait().await;
        self.inner.head(app_ids).await
    }

    async fn app_ids(&self, prefix: &str) -> Result<Vec<String>, LakeError> {
        self.inner.app_ids(prefix).await
    }

    async fn commit(&self, version: u64, commit: &Commit) -> Result<CommitOutcome, LakeError> {
        self.wait().await;
        let outcome = self.inner.commit(version, commit).await;
        self.wait().await;
        outcome
    }

    async fn read_commit(&self, version: u64) -> Result<Option<CommitSummary>, LakeError> {
        self.wait().await;
        self.inner.read_commit(version).await
    }

    async fn checkpoint(&self, version: u64) -> Result<(), LakeError> {
        self.inner.checkpoint(version).await
    }

    async fn live_files(&self) -> Result<Vec<LiveFile>, LakeError> {
        self.inner.live_files().await
    }

    async fn small_files(&self, version: u64, below: u64) -> Result<Vec<LiveFile>, LakeError> {
        self.wait().await;
        self.inner.small_files(version, below).await
    }
}

/// A log whose versions below one were cleaned up.
pub struct Cleaned {
    pub inner: Arc<dyn Lake>,
    pub from: u64,
}

#[async_trait]
impl Lake for Cleaned {
    async fn head(&self, app_ids: &[&str]) -> Result<Option<Head>, LakeError> {
        self.inner.head(app_ids).await
    }

    async fn app_ids(&self, prefix: &str) -> Result<Vec<String>, LakeError> {
        self.inner.app_ids(prefix).await
    }

    async fn commit(&self, version: u64, commit: &Commit) -> Result<CommitOutcome, LakeError> {
        self.inner.commit(version, commit).await
    }

    async fn read_commit(&self, version: u64) -> Result<Option<CommitSummary>, LakeError> {
        if version < self.from {
            let newest = self.inner.head(&[]).await?.map_or(0, |head| head.version);
            return Err(LakeError::Gone { table: "t".into(), version, newest });
        }
        self.inner.read_commit(version).await
    }

    async fn checkpoint(&self, version: u64) -> Result<(), LakeError> {
        self.inner.checkpoint(version).await
    }

    async fn live_files(&self) -> Result<Vec<LiveFile>, LakeError> {
        self.inner.live_files().await
    }

    async fn small_files(&self, version: u64, below: u64) -> Result<Vec<LiveFile>, LakeError> {
        self.inner.small_files(version, below).await
    }
}

/// A log that nobody may ask.
pub struct Untouched;

#[async_trait]
impl Lake for Untouched {
    async fn head(&self, _: &[&str]) -> Result<Option<Head>, LakeError> {
        panic!("the log was read")
    }

    async fn app_ids(&self, _: &str) -> Result<Vec<String>, LakeError> {
        panic!("the log was read")
    }

    async fn commit(&self, _: u64, _: &Commit) -> Result<CommitOutcome, LakeError> {
        panic!("the log was written")
    }

    async fn read_commit(&self, _: u64) -> Result<Option<CommitSummary>, LakeError> {
        panic!("the log was read")
    }

    async fn checkpoint(&self, _: u64) -> Result<(), LakeError> {
        panic!("the log was written")
    }

    async fn live_files(&self) -> Result<Vec<LiveFile>, LakeError> {
        panic!("the log was read")
    }

    async fn small_files(&self, _: u64, _: u64) -> Result<Vec<LiveFile>, LakeError> {
        panic!("the log was read")
    }
}

/// Somebody else's commit: an empty one, or one that changes the schema.
pub fn of_schema(schema: Option<SchemaRef>) -> Foreign {
    let metadata = schema.map(|schema| TableMetadata {
        id: String::new(),
        schema,
        partition_columns: vec![],
        configuration: BTreeMap::new(),
        created: Timestamp(0),
    });
    Foreign { metadata, ..Foreign::default() }
}

/// The metadata of a table that somebody else made.
pub fn foreign_table() -> TableMetadata {
    let columns = vec![arrow_schema::Field::new("theirs", arrow_schema::DataType::Utf8, true)];
    TableMetadata {
        id: "another".into(),
        schema: Arc::new(arrow_schema::Schema::new(columns)),
        partition_columns: vec![],
        configuration: BTreeMap::new(),
        created: Timestamp(0),
    }
}
