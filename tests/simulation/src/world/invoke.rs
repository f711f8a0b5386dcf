//! One invocation of the real functions, wired as their wiring to AWS does.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use compactor::function::{Answer, Job, Opened, Request, invoke};
use compactor::{Coming, Compactor, CompactorSettings, Parts, Until, UpkeepSettings, first_columns, write_settings};
use drops::Timestamp;
use ingest::receive::{Budget, Call, Receiver, ReceiverSettings};
use ledger::ClaimAge;
use runtime::Clock;
use runtime::settings::{Overwrites, Pipeline};
use runtime::telemetry::Metrics;
use tokio::runtime::Builder;

use super::{End, World, lock};
use crate::doubles::{
    BROKE_OFF, Place, SimClock, SimEntropy, SimLake, SimLedger, SimLoader, SimQueues, SimStore, checked,
};
use crate::port::{Crashed, Port};

/// After what time a claim is old, as a rule.
pub const CLAIM_TIME: Duration = Duration::from_secs(180);

/// How long an ingest invocation may take.
const INGEST_TIME: i64 = 120_000_000;

/// How long a compactor's invocation may take.
const COMPACTOR_TIME: Duration = Duration::from_secs(300);

/// A sandbox of the ingest function: it serves one invocation after another, until it crashes.
pub struct IngestSandbox {
    /// Its door.
    pub port: Arc<Port>,
    receiver: Receiver,
}

impl IngestSandbox {
    /// A cold one.
    pub fn new(world: &Arc<World>, is_large: bool) -> Self {
        let port = Port::new(world.clone(), world.process_seed());
        let loader = SimLoader { port: port.clone(), ahead: world.shape.ahead, lanes: Mutex::default() };
        let budget = Budget { run: 1 << 20, objects_ahead: world.shape.ahead, bytes_ahead: 1 << 20 };
        let receiver = Receiver::new(
            Arc::new(loader),
            Arc::new(SimQueues { port: port.clone(), sqs: world.sqs.clone() }),
            Arc::new(SimClock(port.clone())),
            Arc::new(SimEntropy(port.clone())),
            ReceiverSettings { claim_time: world.claim_time(), is_large, budget },
        );
        Self { port, receiver }
    }

    /// One invocation. `None`: it crashed.
    pub fn invoke(&self, strand: usize, name: &str, event: &str) -> Option<Result<SqsBatchResponse, String>> {
        self.port.bind(strand, name);
        let now = self.port.world.scheduler.now();
        let told = Call { request_id: name.to_owned(), deadline: Timestamp(now + INGEST_TIME) };
        let answer = run(&self.port, async {
            let answer = self.receiver.receive(event, &told, &mut Metrics::default()).await;
            answer.map_err(|error| error.to_string())
        });
        if answer.is_some() {
            self.port.world.process_ended(name, End::Answered);
        }
        answer
    }
}

/// A sandbox of the compactor function.
pub struct CompactorSandbox {
    /// Its door.
    pub port: Arc<Port>,
    /// What it knows of each pipeline.
    opened: Mutex<BTreeMap<String, Opened>>,
}

impl CompactorSandbox {
    /// A cold one.
    pub fn new(world: &Arc<World>) -> Self {
        Self { port: Port::new(world.clone(), world.process_seed()), opened: Mutex::default() }
    }

    /// One invocation. `None`: it crashed.
    pub fn invoke(&self, strand: usize, name: &str, request: &Request) -> Option<Result<Answer, String>> {
        self.port.bind(strand, name);
        let clock: Arc<dyn Clock> = Arc::new(SimClock(self.port.clone()));
        let until = Until::at(clock.clone(), clock.monotonic() + COMPACTOR_TIME - Duration::from_secs(30));
        let jobs = match self.jobs(name, &clock) {
            Ok(jobs) => jobs,
            Err(why) => return Some(Err(why)),
        };
        let answer = run(&self.port, async {
            Ok(invoke(&jobs, request, &until, clock.as_ref(), &mut Metrics::default()).await)
        });
        if let Some(Ok(answer)) = &answer {
            self.judge(name, answer);
        }
        answer
    }

    /// Where a read broke off, the file is as it was: nobody may be told to restore it, nor may it be left alone for that.
    fn judge(&self, name: &str, answer: &Answer) {
        let failed = answer.failure().filter(|failed| failed.contains(BROKE_OFF) && failed.contains("restore"));
        if let Some(failed) = failed {
            self.port.world.violation("what passes is no damage", format!("{name}: {failed}"));
        }
    }

    fn jobs(&self, name: &str, clock: &Arc<dyn Clock>) -> Result<Vec<Job>, String> {
        let world = &self.port.world;
        let settings = checked(&world.settings())?;
        Ok(settings.pipelines.iter().map(|pipeline| self.job(pipeline, name, clock)).collect())
    }

    fn job(&self, pipeline: &Pipeline, name: &str, clock: &Arc<dyn Clock>) -> Job {
        let (port, world) = (&self.port, &self.port.world);
        let lake = |is_audit, inner: &lake::MemoryLake| {
            Arc::new(SimLake { port: port.clone(), is_audit, inner: inner.clone() })
        };
        let store =
            |place, inner: &store::MemoryStore| Arc::new(SimStore { port: port.clone(), place, inner: inner.clone() });
        let parts = Parts {
            ledger: Arc::new(SimLedger { port: port.clone(), inner: world.ledger.clone() }),
            liveness: Arc::new(ClaimAge::new(Duration::from_secs(10))),
            lake: lake(false, &world.table),
            audit: lake(true, &world.audit),
            state: store(Place::State, &world.state),
            table_store: store(Place::Table, &world.files),
            audit_store: store(Place::Audit, &world.audit_files),
            clock: clock.clone(),
            entropy: Arc::new(SimEntropy(port.clone())),
            owner: name.to_owned(),
        };
        Job {
            pipeline: pipeline.name.to_string(),
            table: pipeline.table.clone(),
            compactor: Compactor::new(parts, compactor_settings(world, pipeline)),
            first: first_columns(&pipeline.schema_hints, &pipeline.partition_columns),
            opened: lock(&self.opened).entry(pipeline.name.to_string()).or_default().clone(),
        }
    }
}

/// The compactor's settings, as its wiring to AWS makes them of a pipeline's; small in what costs memory.
pub fn compactor_settings(world: &World, pipeline: &Pipeline) -> CompactorSettings {
    let upkeep = UpkeepSettings::default();
    let files = if world.shape.small_files == 0 { upkeep.files } else { world.shape.small_files };
    CompactorSettings {
        pipeline: pipeline.name.clone(),
        table: pipeline.table.clone(),
        table_address: pipeline.table.clone(),
        ledger_address: "dynamodb://ledger".to_owned(),
        source: pipeline.source.clone(),
        write: write_settings(pipeline),
        target_file_size: pipeline.target_file_size,
        longest_delay: pipeline.longest_delay,
        merge_memory: 8 << 20,
        checkpoint_interval: 4,
        append_existing: pipeline.append_existing,
        identity_holds_version: pipeline.overwrites == Overwrites::Ingest,
        coming: Coming::Any,
        commit_bytes: 2 << 30,
        lease: COMPACTOR_TIME,
        leftover_age: Duration::from_secs(24 * 3600),
        upkeep: UpkeepSettings { files, ..upkeep },
    }
}

/// Runs a process on a runtime of its own. `None`: it crashed.
fn run<T>(port: &Arc<Port>, process: impl Future<Output = Result<T, String>>) -> Option<Result<T, String>> {
    let runtime = match Builder::new_current_thread().enable_time().max_blocking_threads(4).build() {
        Ok(runtime) => runtime,
        Err(error) => return Some(Err(format!("no runtime could be made: {error}"))),
    };
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(process)));
    drop(runtime);
    match ended {
        Ok(answer) if !port.is_dead() => Some(answer),
        Ok(_) => None,
        Err(payload) if payload.is::<Crashed>() => None,
        Err(payload) => {
            let words = payload.downcast_ref::<String>().cloned();
            let words = words.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            port.world.violation("nothing panics", format!("{}: {}", port.name(), words.unwrap_or_default()));
            None
        }
    }
}
