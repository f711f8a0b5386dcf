//! A pipeline on a folder, with a log that can be made to fail.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod dying;
pub mod lakes;
#[cfg(feature = "lambda")]
pub mod remote;
pub mod rows;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;
use auditor::Subject;
use compactor::{
    Coming, Compactor, CompactorSettings, LOCAL_LEASE, LOCAL_LEFTOVER_AGE, Outcome, Parts, Trigger, Until, Upkeep,
    UpkeepOutcome, UpkeepReport, UpkeepSettings,
};
use decode::format::{Compression, Format, Packing};
use decode::hints::Hints;
use decode::schema::TableSchema;
use drops::{BatchId, PipelineName, Timestamp};
use ingest::{Candidate, Ingest, IngestSettings, Schemas, Standing};
use lake::{Foreign, Lake, LiveFile};
use lakes::{FaultyLake, of_schema};
use ledger::{BatchRecord, EmbeddedLedger, Ledger, Liveness, ProcessLock, ProcessLocks, Suspect};
use runs::{Manifest, Order, WriteSettings};
use runtime::{SystemClock, SystemEntropy};
use store::{Listed, LocalSource, LocalStore, Store};

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

    /// The parts of a compactor.
    pub fn own_parts(&self) -> Parts {
        self.parts("me", self.locks.clone())
    }

    /// What the auditor judges.
    pub fn subject(&self) -> Subject {
        let Parts { ledger, lake, audit, state, table_store, audit_store, .. } = self.own_parts();
        Subject { ledger, lake, audit, state, table_store, audit_store }
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
        self.lake.change_schema(schema);
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
        let names = files_below(&root).into_iter().map(|path| path.strip_prefix(&root).unwrap().to_owned());
        names.map(|name| name.to_str().unwrap().to_owned()).filter(|name| !named.contains(name)).collect()
    }

    /// The files of the state that live no longer than the work that they are for: all but manifests and lists of intents.
    pub fn passing_files(&self) -> Vec<String> {
        let root = self.folder.path().join("state");
        let lasts = |path: &PathBuf| ["manifests", "intents"].iter().any(|folder| path.starts_with(root.join(folder)));
        let files = files_below(&root).into_iter().filter(|path| !lasts(path));
        files.map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned()).collect()
    }

    /// Puts something else in the place of a file of the state, or takes it away.
    pub fn spoil(&self, file: &str, content: Option<&str>) {
        let path = self.folder.path().join("state").join(file);
        match content {
            Some(content) => std::fs::write(path, content).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
    }

    /// Before the next commit lands, this one does.
    pub fn foreign_next(&self, foreign: Foreign) {
        self.lake.foreign_next(foreign);
    }

    /// Before the next commit lands, somebody else's does: an empty one, or one that changes the schema.
    pub fn foreign_before_next_commit(&self, schema: Option<SchemaRef>) {
        self.foreign_next(of_schema(schema));
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

/// Every file below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut open) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
