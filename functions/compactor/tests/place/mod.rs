//! A pipeline on a folder, with a log that can be made to fail.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use compactor::{Compactor, CompactorSettings, Parts};
use decode::format::{Compression, Format, Packing};
use decode::hints::Hints;
use drops::{BatchId, PipelineName, Timestamp};
use ingest::{Candidate, Ingest, IngestSettings, Schemas, Standing};
use lake::{Commit, CommitOutcome, CommitSummary, Foreign, Head, Lake, LakeError, LiveFile, MemoryLake, TableMetadata};
use ledger::{BatchRecord, EmbeddedLedger, Ledger, Liveness, ProcessLock, ProcessLocks, Suspect};
use runs::{Manifest, WriteSettings};
use runtime::{SystemClock, SystemEntropy};
use store::{Listed, LocalSource, LocalStore, Store};

/// What happens to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It lands, and the answer is an error.
    LoseAnswer,
    /// It does not land, and the answer is an error.
    FailBefore,
}

/// A log in memory whose commits can be made to fail.
pub struct FaultyLake {
    pub inner: MemoryLake,
    /// Commits that landed.
    pub commits: AtomicU64,
    fault: Mutex<Option<Fault>>,
    left: AtomicU64,
    foreign: Mutex<Option<Foreign>>,
}

impl FaultyLake {
    fn new() -> Self {
        let (commits, left) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { inner: MemoryLake::new(), commits, fault: Mutex::default(), left, foreign: Mutex::default() }
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
        let outcome = self.inner.commit(version, commit).await?;
        if outcome == CommitOutcome::Landed {
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        if fault.is_some() { Err(lost()) } else { Ok(outcome) }
    }

    async fn read_commit(&self, version: u64) -> Result<Option<CommitSummary>, LakeError> {
        self.inner.read_commit(version).await
    }

    async fn checkpoint(&self, version: u64) -> Result<(), LakeError> {
        self.inner.checkpoint(version).await
    }

    async fn live_files(&self) -> Result<Vec<LiveFile>, LakeError> {
        self.inner.live_files().await
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
    state: Arc<LocalStore>,
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
            let rows: String = (0..10).map(|row| format!("{{\"id\":{n},\"row\":{row}}}\n")).collect();
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
        let write = WriteSettings::default();
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
        let store = |name: &str| Arc::new(LocalStore::new(&self.folder.path().join(name), "me"));
        let parts = Parts {
            ledger: self.ledger.clone(),
            liveness,
            lake: self.lake.clone(),
            audit: self.audit.clone(),
            state: self.state.clone(),
            table_store: store("table"),
            audit_store: store("audit"),
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy),
            owner: owner.into(),
        };
        let settings = CompactorSettings {
            pipeline: self.name.clone(),
            table: "table".into(),
            table_address: "table".into(),
            source: "source".into(),
            write: WriteSettings::default(),
            target_file_size: 128 << 20,
            longest_delay: Duration::from_secs(300),
            merge_memory: 64 << 20,
            checkpoint_interval: 10,
            append_existing: false,
        };
        Compactor::new(parts, settings)
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
        *self.lake.foreign.lock().unwrap() = Some(Foreign { metadata, ..Foreign::default() });
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
        assert!(staged.iter().all(|(address, _)| address.ends_with("manifest.jsonl.zst")), "runs are left: {staged:?}");
    }
}
