//! Interleavings, enumerated: two processes over the same work, interrupted at up to three calls.

use std::sync::Arc;
use std::time::Duration;

use compactor::function::Request;

use crate::doubles::QUEUE;
use crate::fault::Plan;
use crate::flows::{flow, poll, supply};
use crate::history::{Strand, open};
use crate::random::Random;
use crate::report::Report;
use crate::scheduler::Choice;
use crate::world::{CLAIM_TIME, CompactorSandbox, Service, Shape, World, content, lines};

/// How many interruptions a history has at most.
pub const PREEMPTIONS_MAX: usize = 3;

/// A claim time within which nobody does anything.
const AT_ONCE: Duration = Duration::from_millis(1);

/// Two processes over the same work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Race {
    /// Two ingests that were handed the same messages.
    Ingests,
    /// The same, long after another died over them: both take over.
    TakeOvers,
    /// Two compactors, the lease keeping none away.
    Compactors,
    /// Two that recover the same commit first.
    Recoveries,
    /// Two that keep the table up.
    Upkeeps,
    /// One that commits what is staged, and one that keeps the table up.
    CommitAndUpkeep,
    /// Two ingests whose drops bring different columns.
    Schemas,
    /// Two ingests that were handed the same messages, each taking the other for dead at once: a living one is taken over from.
    LiveTakeOvers,
}

impl Race {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ingests,
        Self::TakeOvers,
        Self::Compactors,
        Self::Recoveries,
        Self::Upkeeps,
        Self::CommitAndUpkeep,
        Self::Schemas,
        Self::LiveTakeOvers,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingests => "ingests",
            Self::TakeOvers => "take-overs",
            Self::Compactors => "compactors",
            Self::Recoveries => "recoveries",
            Self::Upkeeps => "upkeeps",
            Self::CommitAndUpkeep => "commit-and-upkeep",
            Self::Schemas => "schemas",
            Self::LiveTakeOvers => "live-take-overs",
        }
    }

    /// The race of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|race| race.name() == name)
    }

    fn before(self, world: &Arc<World>) {
        match self {
            Self::Ingests | Self::TakeOvers | Self::LiveTakeOvers => {
                open(world);
                supply(world, "0.json", content(0, &mut Random::branch(world.seed, 7)));
                supply(world, "1.json", content(1, &mut Random::branch(world.seed, 8)));
                if self == Self::TakeOvers {
                    world.set_plan(Plan::scripted(vec![crate::fault::Fault::of(
                        "ledger.seal",
                        crate::fault::Side::Before,
                        crate::fault::Kind::Crash,
                    )]));
                    world.alone(|strand| poll(world, strand, "earlier", QUEUE));
                    world.set_plan(Plan::none());
                    world.scheduler.pass(400_000_000);
                }
            }
            Self::Schemas => {
                open(world);
                for (key, member) in [("0.json", "a"), ("1.json", "b"), ("2.json", "a")] {
                    supply(world, key, lines(&[Some(format!(r#"{{"{member}":"{key}"}}"#))]));
                }
            }
            Self::Compactors => before_of("compact", world),
            Self::Recoveries => before_of("compact-recover", world),
            Self::Upkeeps => before_of("upkeep", world),
            Self::CommitAndUpkeep => {
                before_of("upkeep", world);
                supply(world, "3.json", content(3, &mut Random::branch(world.seed, 9)));
                world.alone(|strand| poll(world, strand, "later", QUEUE));
                world.scheduler.pass(20_000_000);
            }
        }
    }

    fn strands<'a>(self, world: &'a Arc<World>) -> Vec<Strand<'a>> {
        let invoke = |name: &'static str, upkeep: bool| -> Strand<'a> {
            let request = Request { pipelines: None, upkeep, open: false };
            Box::new(move |strand| {
                let _answer = CompactorSandbox::new(world).invoke(strand, name, &request);
            })
        };
        let one = |name: &'static str| -> Strand<'a> {
            match self {
                Self::Ingests | Self::TakeOvers | Self::LiveTakeOvers => {
                    Box::new(move |strand| deliver(world, strand, name, 10))
                }
                // Each gets some of the messages.
                Self::Schemas => Box::new(move |strand| deliver(world, strand, name, 0)),
                Self::Compactors | Self::Recoveries => invoke(name, false),
                Self::Upkeeps => invoke(name, true),
                Self::CommitAndUpkeep => invoke(name, name == "second"),
            }
        };
        vec![one("first"), one("second")]
    }
}

fn before_of(name: &str, world: &Arc<World>) {
    if let Some(flow) = flow(name) {
        (flow.before)(world);
    }
}

/// A poller that hands out all messages; `twice`: and leaves them visible for the other.
fn deliver(world: &Arc<World>, strand: usize, name: &str, twice: u64) {
    let service = Service {
        name: name.to_owned(),
        queue: QUEUE,
        is_large: false,
        rounds: 1,
        pause: Duration::from_secs(1),
        twice: if twice > 0 { 1_000 } else { 500 },
        seed: 3,
    };
    service.run(world, strand);
}

/// The history of a race that is interrupted at these turns, counted from 1: its `open_turns` are those at which it can be.
pub fn history(race: Race, preempted: &[u64]) -> Report {
    let steps = preempted.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let replay = format!("--race {}:{steps}", race.name());
    let shape = Shape { small_files: 2, ..Shape::default() };
    let world = match World::new(1, shape) {
        Ok(world) => world,
        Err(why) => return Report::broken("interleaving", replay, why),
    };
    race.before(&world);
    let is_of_compactors = [Race::Compactors, Race::Recoveries, Race::Upkeeps, Race::CommitAndUpkeep].contains(&race);
    world.set_leases_for_all(is_of_compactors);
    if race == Race::LiveTakeOvers {
        world.set_claim_time(AT_ONCE);
    }
    world.scheduler.choose_by(Choice::Preempted(preempted.to_vec()));
    world.scheduler.run(race.strands(&world));
    let open_turns = world.scheduler.open_turns();
    world.set_leases_for_all(false);
    world.set_claim_time(CLAIM_TIME);
    world.audit();
    world.heal(true);
    world.judge_healed();
    Report { open_turns, ..Report::of("interleaving", replay, &world, race.name().to_owned()) }
}
