//! Faults stop: what is not acknowledged comes again, what is staged is committed, until nothing is left to do (L-1).

use std::sync::Arc;
use std::time::Duration;

use compactor::function::Request;
use drops::Timestamp;
use ledger::Ledger;

use super::invoke::{CompactorSandbox, IngestSandbox};
use super::services::Service;
use super::{World, lock};
use crate::doubles::{LARGE_QUEUE, QUEUE, VISIBILITY, now};
use crate::fault::Plan;

/// After so many rounds of deliveries everything must be final where no drop ends its process. Each that does takes two more: an
/// invocation dies once, each death is found out after the claim time, and after its second the drop is quarantined.
pub const ROUNDS_MAX: u32 = 6;

impl World {
    /// Heals: faults off, effects on their way land or never do, then deliveries and compactions until quiet.
    pub fn heal(self: &Arc<Self>, late_effects_land: bool) {
        self.set_plan(Plan::none());
        if late_effects_land {
            self.land_all();
        }
        lock(&self.late).clear();
        self.note("world", "heal", "", "faults stop");
        let rounds_max = ROUNDS_MAX + 2 * self.bucket.deadly();
        for round in 0..rounds_max {
            self.scheduler.pass(VISIBILITY + 1_000_000);
            self.sqs.redrive();
            for (number, event) in self.direct_events().into_iter().enumerate() {
                let sandbox = IngestSandbox::new(self, false);
                let name = format!("healing-direct-{round}.{number}");
                self.alone(|strand| self.invoke_directly(&sandbox, strand, &name, &event));
            }
            for (queue, is_large) in [(QUEUE, false), (LARGE_QUEUE, true)] {
                self.drain(queue, is_large, round);
            }
            self.scheduler.pass(60_000_000);
            self.compact(&format!("healer.{round}"), false);
            if self.is_quiet() {
                break;
            }
        }
        if !self.is_quiet() {
            let waiting = (self.sqs.length(QUEUE), self.sqs.length(LARGE_QUEUE));
            self.violation("L-1", format!("after {rounds_max} rounds without faults there are messages {waiting:?}"));
        }
        // Beyond what any process works on a batch: what the dead left in staging goes.
        self.scheduler.pass(25 * 3_600 * 1_000_000);
        self.compact("healer.upkeep", true);
        let staged = self.state.listed("staging/").into_iter().map(|(address, _)| address);
        let left: Vec<String> = staged.filter(|address| address.ends_with(".parquet")).collect();
        if !left.is_empty() {
            self.violation("nothing is left in staging", format!("{left:?}"));
        }
    }

    fn drain(self: &Arc<Self>, queue: &'static str, is_large: bool, round: u32) {
        let messages = self.sqs.length(queue);
        if messages == 0 {
            return;
        }
        let service = Service {
            name: format!("healing{}-{round}", if is_large { "-large" } else { "" }),
            queue,
            is_large,
            rounds: u32::try_from(messages.div_ceil(10)).unwrap_or(1) + 1,
            pause: Duration::from_secs(1),
            twice: 0,
            seed: self.process_seed(),
        };
        self.alone(|strand| service.run(self, strand));
    }

    /// One invocation of the compactor with nobody beside it, which must succeed.
    pub fn compact(self: &Arc<Self>, name: &str, upkeep: bool) {
        let request = Request { pipelines: None, upkeep, open: false };
        match self.compact_as(name, &request) {
            None => self.violation("L-1", format!("{name} crashed without a fault")),
            Some(Err(why)) => self.violation("L-1", format!("{name} failed without a fault: {why}")),
            Some(Ok(None)) => {}
            Some(Ok(Some(failure))) => self.violation("L-1", format!("{name} failed without a fault: {failure}")),
        }
    }

    /// One invocation of the compactor with nobody beside it: its failure, if it failed; `None` if it crashed.
    pub fn compact_as(self: &Arc<Self>, name: &str, request: &Request) -> Option<Result<Option<String>, String>> {
        self.compact_in(&CompactorSandbox::new(self), name, request)
    }

    /// The same in a sandbox that may be warm.
    pub fn compact_in(
        self: &Arc<Self>,
        sandbox: &CompactorSandbox,
        name: &str,
        request: &Request,
    ) -> Option<Result<Option<String>, String>> {
        let mut told = None;
        self.alone(|strand| told = sandbox.invoke(strand, name, request));
        told.map(|told| told.map(|answer| answer.failure()))
    }

    fn is_quiet(&self) -> bool {
        let empty = self.sqs.length(QUEUE) == 0 && self.sqs.length(LARGE_QUEUE) == 0;
        let staged = |pipeline| now(self.ledger.staged_totals(pipeline)).map_or(1, |totals| totals.batches);
        let staged: u64 = self.pipelines().map(staged).sum();
        empty && staged == 0 && self.direct_events().is_empty()
    }

    /// The world's time.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.scheduler.now())
    }
}
