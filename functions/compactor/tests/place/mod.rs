//! A pipeline on a folder, with a log that can be made to fail.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod dying;
#[cfg(feature = "lambda")]
pub mod remote;
pub mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use compactor::{
    Coming, Compactor, CompactorSettings, LOCAL_LEASE, LOCAL_LEFTOVER_AGE, Outcome, Parts, Trigger, Until, Upkeep,
    UpkeepOutcome, UpkeepReport, UpkeepSettings,
};
use decode::format::{Compression, Format, Packing};
use decode::hints::Hints;
use decode::schema::TableSchema;
use drops::{BatchId, PipelineName, Timestamp};
use ingest::{Candidate, Ingest, IngestSettings, Schemas, Standing};
use lake::{Commit, CommitOutcome, CommitSummary, Foreign, Head, Lake, LakeError, LiveFile, MemoryLake, TableMetadata};
use ledger::{BatchRecord, EmbeddedLedger, Ledger, Liveness, ProcessLock, ProcessLocks, Suspect};
use runs::{Manifest, Order, WriteSettings};
use runtime::{SystemClock, SystemEntropy};
use store::{Listed, LocalSource, LocalStore, Store};

/// What happens to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It lands, and the answer is an error.
    LoseAnswer,
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
    fault: Mutex<Option<Fault>>,
    left: AtomicU64,
    foreign: Mutex<Option<Foreign>>,
    stale: Mutex<Option<CommitSummary>>,
}

impl FaultyLake {
    pub fn new() -> Self {
        let (commits, left) = (AtomicU64::new(0), AtomicU64::new(0));
        Self {
            inner: MemoryLake::new(),
            commits,
            fault: Mutex::default(),
            left,
            foreign: Mutex::default(),
            stale: Mutex::default(),
        }
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
        if fault.is_some() { Err(lost()) } else { Ok(outcome) }
    }

    async fn read_commit(&self, version: u64) -> Result<Option<CommitSummary>, LakeError> {
        let stale = self.stale.lock().unwrap().take_if(|stale| stale.version == version);
        if stale.is_some() { Ok(stale) } else { self.inner.read_commit(version).await }
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

/// Takes everybody for dead.
struct AllDead;

impl Liveness for AllDead {
    fn is_dead(&self, _: &str, _: Timestamp, _: Timestamp) -> bool {
        true
    }

    fn suspect(&self, _: &str, _: BatchId) -> Suspect {
        Suspect::None
    }
}

/// A pipeline `p` from a folder of files, each of ten rows.
pub struct Place {
    pub name: PipelineName,
    pub ledger: Arc<EmbeddedLedger>,
    pub lake: Arc<FaultyLake>,
    pub audit: Arc<FaultyLake>,
    locks: Arc<ProcessLocks>,
    lock: Arc<ProcessLock>,
    pub state: Arc<LocalStore>,
    /// The order of the table's rows.
    pub order: Order,
    /// How many small files upkeep merges.
    pub small_files: usize,
    pub merge_memory: usize,
    /// The tables on an S3 server, instead of the logs' doubles and folders.
    #[cfg(feature = "lambda")]
    pub remote: Option<remote::Remote>,
    folder: Arc<tempfile::TempDir>,
}

impl Place {
    pub fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(folder.path().join("source")).unwrap();
        std::fs::create_dir_all(folder.path().join("locks")).unwrap();
        let locks = ProcessLocks::new(&folder.path().join("locks"));
        Self {
            name: "p".parse().unwrap(),
            ledger: Arc::new(EmbeddedLedger::open(&folder.path().join("ledger.db"), "one".into()).unwrap()),
            lake: Arc::new(FaultyLake::new()),
            audit: Arc::new(FaultyLake::new()),
            lock: Arc::new(locks.hold("me".into()).unwrap()),
            locks: Arc::new(locks),
            state: Arc::new(LocalStore::new(&folder.path().join("state"), "me")),
            order: Order::default(),
            small_files: 50,
            merge_memory: 64 << 20,
            #[cfg(feature = "lambda")]
            remote: None,
            folder,
        }
    }

    /// The same place whose ledger was lost.
    pub fn with_new_ledger(self) -> Self {
        let ledger = EmbeddedLedger::open(&self.folder.path().join("another.db"), "two".into()).unwrap();
        Self { ledger: Arc::new(ledger), ..self }
    }

    fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    pub async fn drop_files(&self, numbers: Range<u32>) {
        for n in numbers {
            let rows: String =
                (0..10).map(|row| format!("{{\"id\":{n},\"row\":{row},\"shop\":{}}}\n", n % 3)).collect();
            std::fs::write(self.source().join(format!("{n:05}.json")), rows).unwrap();
        }
    }

    /// Stages everything new as one batch; the first time the table is made.
    pub async fn ingest(&self) {
        let schemas = Arc::new(Schemas::new(self.ledger.clone(), "table".into(), Hints::default()));
        let source = || LocalSource::new(&self.source(), self.name.clone(), vec![]).unwrap();
        let parts = ingest::Parts {
            ledger: self.ledger.clone(),
            liveness: self.locks.clone(),
            source: Arc::new(source()),
            state: self.state.clone(),
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy),
            holder: self.lock.clone(),
            schemas: schemas.clone(),
        };
        let write = self.write();
        let settings =
            IngestSettings { pipeline: self.name.clone(), write, run_memory: 8 << 20, aborted_alone_limit: 3 };
        let ingest = Ingest::new(parts, settings);
        let mut candidates = Vec::new();
        for listed in source().list() {
            let Ok(Listed::Object(object)) = listed else { panic!("{listed:?}") };
            if let Standing::Open(right) = ingest.standings(std::slice::from_ref(&object)).await.unwrap().remove(0) {
                let packing = Packing::named(Compression::None);
                candidates.push(Candidate { object, format: Format::Json, packing, right });
            }
        }
        if schemas.newest().await.unwrap().is_none() {
            let observed = ingest.sample(&candidates).await.unwrap();
            let version = schemas.evolve(&observed).await.unwrap();
            self.compactor().create(&version.schema).await.unwrap();
        }
        let outcome = ingest.batch(0, candidates, &|| false).await.unwrap();
        assert!(outcome.left_out.is_empty() && outcome.sealed.is_some());
    }

    pub fn compactor(&self) -> Compactor {
        self.compactor_of("me", self.locks.clone())
    }

    /// A compactor that takes every lease, whoever holds it.
    pub fn zombie(&self) -> Compactor {
        self.compactor_of("another", Arc::new(AllDead))
    }

    fn compactor_of(&self, owner: &str, liveness: Arc<dyn Liveness>) -> Compactor {
        Compactor::new(self.parts(owner, liveness), self.settings())
    }

    /// A compactor with other parts: some that die, for one.
    pub fn compactor_with(&self, change: impl FnOnce(&mut Parts)) -> Compactor {
        let mut parts = self.parts("another", Arc::new(AllDead));
        change(&mut parts);
        Compactor::new(parts, self.settings())
    }

    /// A compactor with other settings.
    pub fn compactor_of_settings(&self, settings: CompactorSettings) -> Compactor {
        Compactor::new(self.parts("another", Arc::new(AllDead)), settings)
    }

    fn parts(&self, owner: &str, liveness: Arc<dyn Liveness>) -> Parts {
        let parts = self.local_parts(owner, liveness);
        #[cfg(feature = "lambda")]
        if let Some(remote) = &self.remote {
            let (lake, audit) = (remote.lake("table"), remote.lake("table_drops"));
            let (table_store, audit_store) = (remote.store("table"), remote.store("table_drops"));
            return Parts { lake, audit, table_store, audit_store, ..parts };
        }
        parts
    }

    fn local_parts(&self, owner: &str, liveness: Arc<dyn Liveness>) -> Parts {
        Parts {
            ledger: self.ledger.clone(),
            liveness,
            lake: self.lake.clone(),
            audit: self.audit.clone(),
            state: self.state.clone(),
            table_store: self.store("table"),
            audit_store: self.store("audit"),
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy),
            owner: owner.into(),
        }
    }

    fn store(&self, name: &str) -> Arc<LocalStore> {
        Arc::new(LocalStore::new(&self.folder.path().join(name), "me"))
    }

    fn write(&self) -> WriteSettings {
        WriteSettings { order: self.order.clone(), ..WriteSettings::default() }
    }

    pub fn settings(&self) -> CompactorSettings {
        CompactorSettings {
            pipeline: self.name.clone(),
            table: "table".into(),
            table_address: "table".into(),
            ledger_address: "ledger".into(),
            source: "source".into(),
            write: self.write(),
            target_file_size: 128 << 20,
            longest_delay: Duration::from_secs(300),
            merge_memory: self.merge_memory,
            checkpoint_interval: 10,
            append_existing: false,
            identity_holds_version: false,
            coming: Coming::Hinted(TableSchema::default()),
            commit_bytes: u64::MAX,
            lease: LOCAL_LEASE,
            leftover_age: LOCAL_LEFTOVER_AGE,
            upkeep: UpkeepSettings { files: self.small_files, ..UpkeepSettings::default() },
        }
    }

    /// Drops files and commits them, again and again: a small file for each partition every time.
    pub async fn commit_often(&self, rounds: u32, each: u32) {
        for round in 0..rounds {
            self.commit_some(round * each..(round + 1) * each).await;
        }
    }

    /// Commits this many more files, each by itself.
    pub async fn commit_from(&self, first: u32, count: u32) {
        for n in first..first + count {
            self.commit_some(n..n + 1).await;
        }
    }

    async fn commit_some(&self, numbers: Range<u32>) {
        let at = |n: u32| self.source().join(format!("{n:05}.json")).exists();
        if numbers.clone().all(at) {
            return;
        }
        self.drop_files(numbers).await;
        self.ingest().await;
        let done = self.zombie().compact(Trigger::Now).await.unwrap();
        assert!(matches!(done, Outcome::Done { commits, .. } if commits.len() == 1));
    }

    /// Drops a file of this content.
    pub fn drop_file(&self, n: u32, content: &str) {
        std::fs::write(self.source().join(format!("{n:05}.json")), content).unwrap();
    }

    /// Somebody else gives the table these columns.
    pub fn change_schema(&self, schema: SchemaRef) {
        self.foreign_before_next_commit(Some(schema));
        let foreign = self.lake.foreign.lock().unwrap().take().unwrap();
        self.lake.inner.append_foreign(foreign).unwrap();
    }

    pub fn table(&self) -> Arc<LocalStore> {
        self.store("table")
    }

    /// Upkeep by a healthy process.
    pub async fn upkeep(&self) -> UpkeepReport {
        match self.zombie().upkeep(Upkeep::Merge, &Until::never()).await.unwrap() {
            UpkeepOutcome::Done(report) => report,
            UpkeepOutcome::Busy { holder } => panic!("{holder} holds the lease"),
        }
    }

    /// The table's rows, sorted.
    pub async fn rows(&self) -> Vec<rows::Row> {
        rows::rows(self.lake.as_ref(), self.store("table")).await
    }

    /// The rows of each live file, in its order.
    pub async fn rows_by_file(&self) -> Vec<Vec<rows::Row>> {
        let store: Arc<dyn Store> = self.store("table");
        let mut files = Vec::new();
        for file in self.lake.live_files().await.unwrap() {
            files.push(rows::rows_of(&store, &file).await);
        }
        files
    }

    /// The files below a folder of the place, of which no commit ever spoke. Those of which one did are all there: some version has them.
    pub fn unnamed(&self, folder: &str, lake: &FaultyLake) -> Vec<String> {
        let root = self.folder.path().join(folder);
        let named: BTreeSet<String> = (0..).map_while(|v| lake.inner.read_version(v)).flatten().collect();
        let lost: Vec<_> = named.iter().filter(|path| !root.join(path).exists()).collect();
        assert!(lost.is_empty(), "files of some version were deleted: {lost:?}");
        let mut unnamed = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                if !named.contains(&name) {
                    unnamed.push(name);
                }
            }
        }
        unnamed
    }

    /// Before the next commit lands, this one does.
    pub fn foreign_next(&self, foreign: Foreign) {
        *self.lake.foreign.lock().unwrap() = Some(foreign);
    }

    /// Before the next commit lands, somebody else's does: an empty one, or one that changes the schema.
    pub fn foreign_before_next_commit(&self, schema: Option<SchemaRef>) {
        let metadata = schema.map(|schema| TableMetadata {
            id: String::new(),
            schema,
            partition_columns: vec![],
            configuration: BTreeMap::new(),
            created: Timestamp(0),
        });
        self.foreign_next(Foreign { metadata, ..Foreign::default() });
    }

    /// I-1, I-3, I-5 and I-6 by what is live in the two tables: each drop is in exactly one committed batch, and in the audit table once.
    pub async fn audit_of(&self, drops: u64) {
        let rows = |files: Vec<LiveFile>| files.iter().map(|file| file.rows.unwrap()).sum::<u64>();
        assert_eq!(rows(self.lake.live_files().await.unwrap()), drops * 10);
        assert_eq!(rows(self.audit.live_files().await.unwrap()), drops);
        let mut held = 0;
        for (id, record) in self.ledger.batches(&self.name, None, 1_000).await.unwrap() {
            let BatchRecord::Committed { sealed, version } = record else { panic!("{id} is {record:?}") };
            let txn = self.lake.read_commit(version).await.unwrap().unwrap().txns;
            assert!(txn.contains_key("lithify/p"), "version {version} carries no intent");
            let manifest = Manifest::decode(&self.state.get(&sealed.manifest).await.unwrap(), &sealed.digest).unwrap();
            held += manifest.held.len() as u64;
        }
        assert_eq!(held, drops);
        let staged = self.state.list("staging/p/").await.unwrap();
        assert!(staged.is_empty(), "runs are left: {staged:?}");
    }
}
