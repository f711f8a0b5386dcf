//! The world around the processes: everything that outlives them, and what is noted of it.
//!
//! - `invoke`: one invocation of the real functions, wired as on AWS; `services`: what calls them: SQS's poller, a schedule
//! - `workload`: suppliers; `others`: other writers of the table; `reader`: somebody who reads at every step, and `cells`: what a row must say
//! - `deaths`: which batches looked dead, and why
//! - `heal`: faults stop, and everything must become final; `verdict`: what is demanded then

mod cells;
mod deaths;
mod files;
mod heal;
mod holdings;
mod invoke;
mod others;
mod reader;
mod services;
mod verdict;
mod workload;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drops::{DropId, PipelineName};
use lake::MemoryLake;
use ledger::MemoryLedger;
use store::MemoryStore;

use crate::doubles::{BUCKET, Bucket, DEAD_QUEUE, LARGE_QUEUE, Notified, QUEUE, Sqs};
use crate::fault::{Fault, Kind, Nature, Plan, Side};
use crate::random::Random;
use crate::scheduler::{Choice, Scheduler};

pub use deaths::End;
pub use heal::ROUNDS_MAX;
pub use invoke::{CLAIM_TIME, CompactorSandbox, IngestSandbox, compactor_settings};
pub use others::Other;
pub use services::{Schedule, Service};
pub use workload::{Supply, content, deadly, large, lines, unreadable};

use deaths::Lives;
use reader::Reader;

/// The world's first moment, in microseconds since 1970.
const BEGINNING: i64 = 1_700_000_000_000_000;

/// The pipeline's name, and that of another where there are two.
pub const PIPELINES: [&str; 2] = ["orders", "returns"];
/// Where its drops lie.
pub const SOURCE: &str = "orders/";
/// Where those of another pipeline lie, where there are two.
pub const OTHER_SOURCE: &str = "returns/";
/// Their table, as the ledger names it.
pub const TABLE: &str = "s3://lake/orders";

/// What a world is made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Whether overwritten objects are drops of their own.
    pub ingests_overwrites: bool,
    /// Whether the bucket keeps versions.
    pub keeps_versions: bool,
    /// Whether there is a queue for large drops: those of 4,000 bytes and more.
    pub has_large_queue: bool,
    /// How many objects are opened ahead of their turn.
    pub ahead: usize,
    /// How many small files upkeep merges; 0: the product's default.
    pub small_files: usize,
    /// Whether two pipelines feed the table.
    pub has_two_pipelines: bool,
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant, by its name.
    pub invariant: String,
    /// What was seen.
    pub what: String,
    /// How many turns there had been.
    pub step: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at step {}: {}", self.invariant, self.step, self.what)
    }
}

type LateEffect = (u64, Box<dyn FnOnce() + Send>);

/// A call that met its fault, or could have: the operation, and what it is.
pub type Met = (&'static str, Nature);

/// A process, and what others do right before its commits, one before each.
type Contests = (String, VecDeque<Other>);

/// Everything that outlives a process.
pub struct World {
    /// The seed that its processes' randomness comes from.
    pub seed: u64,
    /// How it was made.
    pub shape: Shape,
    /// Hands the baton on.
    pub scheduler: Scheduler,
    /// The ledger.
    pub ledger: MemoryLedger,
    /// The table's log.
    pub table: MemoryLake,
    /// The audit table's log.
    pub audit: MemoryLake,
    /// Runs, manifests, intents, the quarantine.
    pub state: MemoryStore,
    /// The table's files.
    pub files: MemoryStore,
    /// The audit table's files.
    pub audit_files: MemoryStore,
    /// The source.
    pub bucket: Bucket,
    /// The queues.
    pub sqs: Sqs,
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The other one, where there are two.
    other_pipeline: Option<PipelineName>,
    settings: Mutex<String>,
    plan: Mutex<Plan>,
    late: Mutex<Vec<LateEffect>>,
    trace: Mutex<Vec<String>>,
    reader: Mutex<Reader>,
    /// The rows that other writers put there and did not remove, each as one text.
    theirs: Mutex<Vec<String>>,
    violations: Mutex<Vec<Violation>>,
    notified: Mutex<Vec<Notified>>,
    acknowledged: Mutex<Vec<DropId>>,
    processes: AtomicU64,
    calls: Mutex<BTreeMap<String, Vec<Met>>>,
    /// What other writers do right before the next commits of one process.
    contests: Mutex<Contests>,
    /// Events without a queue that were not handled yet.
    direct: Mutex<Vec<String>>,
    /// After what time claims are old.
    claim_time: Mutex<Duration>,
    /// Whether the lease keeps nobody away.
    leases_for_all: AtomicBool,
    /// What became of each batch.
    lives: Mutex<Lives>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// A world in which nothing has happened yet.
    ///
    /// # Errors
    /// A pipeline's name is none.
    pub fn new(seed: u64, shape: Shape) -> Result<Arc<Self>, String> {
        let [pipeline, other_pipeline] = PIPELINES.map(|name| name.parse().map_err(|e| format!("{e}")));
        Ok(Arc::new(Self {
            seed,
            shape,
            scheduler: Scheduler::new(BEGINNING),
            ledger: MemoryLedger::new("ledger-1".to_owned()),
            table: MemoryLake::new(),
            audit: MemoryLake::new(),
            state: MemoryStore::default(),
            files: MemoryStore::default(),
            audit_files: MemoryStore::default(),
            bucket: Bucket::new(shape.keeps_versions, shape.ingests_overwrites),
            sqs: Sqs::default(),
            pipeline: pipeline?,
            other_pipeline: if shape.has_two_pipelines { Some(other_pipeline?) } else { None },
            settings: Mutex::new(settings(shape)),
            plan: Mutex::default(),
            late: Mutex::default(),
            trace: Mutex::default(),
            reader: Mutex::default(),
            theirs: Mutex::default(),
            violations: Mutex::default(),
            notified: Mutex::default(),
            acknowledged: Mutex::default(),
            processes: AtomicU64::new(0),
            calls: Mutex::default(),
            contests: Mutex::default(),
            direct: Mutex::default(),
            claim_time: Mutex::new(CLAIM_TIME),
            leases_for_all: AtomicBool::new(false),
            lives: Mutex::default(),
        }))
    }

    /// All pipelines.
    pub fn pipelines(&self) -> impl Iterator<Item = &PipelineName> {
        std::iter::once(&self.pipeline).chain(&self.other_pipeline)
    }

    /// The pipeline whose drops lie where this key does, if there is one.
    pub fn pipeline_of(&self, key: &str) -> Option<&PipelineName> {
        let mut sources = [SOURCE, OTHER_SOURCE].into_iter().zip(self.pipelines());
        sources.find(|(source, _)| key.starts_with(source)).map(|(_, pipeline)| pipeline)
    }

    /// The settings object.
    pub fn settings(&self) -> String {
        lock(&self.settings).clone()
    }

    /// Writes the settings object anew. Processes that have read it go on with what it said.
    pub fn set_settings(&self, settings: String) {
        *lock(&self.settings) = settings;
    }

    /// From now on calls meet these faults.
    pub fn set_plan(&self, plan: Plan) {
        *lock(&self.plan) = plan;
    }

    /// From now on calls meet these as well.
    pub fn add_faults(&self, faults: Vec<Fault>) {
        lock(&self.plan).add(faults);
    }

    /// What the calls were that processes of this name made.
    pub fn calls_of(&self, process: &str) -> Vec<Met> {
        lock(&self.calls).get(process).cloned().unwrap_or_default()
    }

    /// What anybody called.
    pub fn operations(&self) -> BTreeSet<&'static str> {
        lock(&self.calls).values().flatten().map(|(operation, _)| *operation).collect()
    }

    /// Right before each of this process's next commits to the table another writer does one of these.
    pub fn contest(&self, process: &str, works: &[Other]) {
        *lock(&self.contests) = (process.to_owned(), works.iter().copied().collect());
    }

    fn contested(&self, process: &str) -> Option<Other> {
        let mut contests = lock(&self.contests);
        if contests.0 == process { contests.1.pop_front() } else { None }
    }

    /// From now on claims are old after this time.
    pub fn set_claim_time(&self, time: Duration) {
        *lock(&self.claim_time) = time;
    }

    /// After what time claims are old.
    pub fn claim_time(&self) -> Duration {
        *lock(&self.claim_time)
    }

    /// From now on everybody who asks gets the lease and keeps it: nothing may hang on it.
    pub fn set_leases_for_all(&self, all: bool) {
        self.leases_for_all.store(all, Ordering::SeqCst);
    }

    /// Whether everybody gets the lease.
    pub fn has_leases_for_all(&self) -> bool {
        self.leases_for_all.load(Ordering::SeqCst)
    }

    /// What a call meets.
    pub fn strike(&self, operation: &'static str, key: &str, process: &str, nature: Nature) -> Option<(Side, Kind)> {
        if operation == "table.commit"
            && let Some(work) = self.contested(process)
        {
            self.other_writer(work);
        }
        lock(&self.calls).entry(process.to_owned()).or_default().push((operation, nature));
        let struck = lock(&self.plan).strike(operation, key, process, nature);
        if let Some((_, kind)) = &struck {
            self.mind_giving_up(operation, key, kind);
        }
        struck
    }

    /// Notes a call and what came of it.
    pub fn note(&self, process: &str, operation: &str, key: &str, what: &str) {
        let step = self.scheduler.steps();
        let time = self.scheduler.now() - BEGINNING;
        let line = format!("{step:>5} {:>10.3}s {process:<14} {operation} {key}: {what}", time as f64 / 1e6);
        lock(&self.trace).push(line);
    }

    /// Everything that was noted.
    pub fn trace(&self) -> Vec<String> {
        lock(&self.trace).clone()
    }

    /// Keeps an effect for later.
    pub fn keep_late(&self, after: u64, effect: Box<dyn FnOnce() + Send>) {
        lock(&self.late).push((self.scheduler.steps() + after, effect));
    }

    /// Lets effects happen whose time has come.
    pub fn land_late(&self) {
        let steps = self.scheduler.steps();
        let due: Vec<LateEffect> = {
            let mut late = lock(&self.late);
            if late.is_empty() {
                return;
            }
            let (due, kept) = late.drain(..).partition(|(at, _)| *at <= steps);
            *late = kept;
            due
        };
        for (_, effect) in due {
            effect();
        }
    }

    /// Lets all effects happen that are still on their way.
    pub fn land_all(&self) {
        let late: Vec<LateEffect> = lock(&self.late).drain(..).collect();
        for (_, effect) in late {
            effect();
        }
    }

    /// After each effect somebody reads, where it could have changed what is read.
    pub fn after_effect(&self, operation: &str, key: &str) {
        match operation {
            "table.commit" => self.read_table(),
            "files.put" => self.read_table_with(key),
            "files.delete" => self.read_table_without(key),
            _ => {}
        }
    }

    /// Something must not be.
    pub fn violation(&self, invariant: impl Into<String>, what: impl Into<String>) {
        let violation = Violation { invariant: invariant.into(), what: what.into(), step: self.scheduler.steps() };
        lock(&self.trace).push(format!("VIOLATION {violation}"));
        lock(&self.violations).push(violation);
    }

    /// All that must not be and was.
    pub fn violations(&self) -> Vec<Violation> {
        let broken = self.scheduler.broken().map(|what| Violation {
            invariant: "one history per seed".to_owned(),
            what,
            step: self.scheduler.steps(),
        });
        lock(&self.violations).iter().cloned().chain(broken).collect()
    }

    /// A seed of its own for a process.
    pub fn process_seed(&self) -> u64 {
        let number = self.processes.fetch_add(1, Ordering::SeqCst) + 1;
        Random::branch(self.seed, number).bits()
    }

    /// Runs one thing with nobody beside it.
    pub fn alone(&self, what: impl FnOnce(usize) + Send) {
        self.scheduler.choose_by(Choice::Preempted(Vec::new()));
        self.scheduler.run(vec![Box::new(what)]);
    }
}

fn settings(shape: Shape) -> String {
    let large = if shape.has_large_queue {
        format!(r#""large_queue":"{LARGE_QUEUE}","large_drop_size":"4000B","#)
    } else {
        String::new()
    };
    let overwrites = if shape.ingests_overwrites { "ingest" } else { "ignore" };
    let sources = [SOURCE, OTHER_SOURCE].into_iter().zip(PIPELINES).take(1 + usize::from(shape.has_two_pipelines));
    let pipelines = sources.map(|(source, name)| {
        format!(
            r#"{{"name":"{name}","source":"s3://{BUCKET}/{source}","table":"{TABLE}","overwrites":"{overwrites}"}}"#
        )
    });
    format!(
        r#"{{"ledger":"dynamodb://ledger","queue":"{QUEUE}",{large}"dead_letter_queue":"{DEAD_QUEUE}","longest_delay":"10s",
            "pipelines":[{}]}}"#,
        pipelines.collect::<Vec<_>>().join(",")
    )
}
