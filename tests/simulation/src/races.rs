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
use crate::world::{CompactorSandbox, Service, Shape, World, content, lines};

/// How many interruptions a history has at most.
pub const PREEMPTIONS_MAX: usize = 3;

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
    /// Two ingests whose drops bring different columns.
    Schemas,
}

impl Race {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Ingests, Self::TakeOvers, Self::Compactors, Self::Recoveries, Self::Upkeeps, Self::Schemas];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingests => "ingests",
            Self::TakeOvers => "take-overs",
            Self::Compactors => "compactors",
            Self::Recoveries => "recoveries",
            Self::Upkeeps => "upkeeps",
            Self::Schemas => "schemas",
        }
    }

    /// The race of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|race| race.name() == name)
    }

    fn before(self, world: &Arc<World>) {
        match self {
            Self::Ingests | Self::TakeOvers => {
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
        }
    }

    fn strands<'a>(self, world: &'a Arc<World>) -> Vec<Strand<'a>> {
        let one = |name: &'static str| -> Strand<'a> {
            match self {
                Self::Ingests | Self::TakeOvers => Box::new(move |strand| deliver(world, strand, name, 10)),
                // Each gets some of the messages.
                Self::Schemas => Box::new(move |strand| deliver(world, strand, name, 0)),
                Self::Compactors | Self::Recoveries => Box::new(move |strand| {
                    let _answer = CompactorSandbox::new(world).invoke(strand, name, &Request::default());
                }),
                Self::Upkeeps => Box::new(move |strand| {
                    let request = Request { pipelines: None, upkeep: true, open: false };
                    let _answer = CompactorSandbox::new(world).invoke(strand, name, &request);
                }),
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

/// The history of a race that is interrupted at these steps.
pub fn history(race: Race, preempted: &[u64]) -> Report {
    let steps = preempted.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let replay = format!("--race {}:{steps}", race.name());
    let shape = Shape { small_files: 2, ..Shape::default() };
    let world = match World::new(1, shape) {
        Ok(world) => world,
        Err(why) => return Report::broken("interleaving", replay, why),
    };
    race.before(&world);
    world.set_leases_for_all(matches!(race, Race::Compactors | Race::Recoveries | Race::Upkeeps));
    world.scheduler.choose_by(Choice::Preempted(preempted.to_vec()));
    world.scheduler.run(race.strands(&world));
    let turns = world.scheduler.turns();
    world.set_leases_for_all(false);
    world.audit();
    world.heal(true);
    world.judge_healed();
    Report { counted: turns, ..Report::of("interleaving", replay, &world, race.name().to_owned()) }
}

/// How many steps a race has; interrupted, it may have a few more.
pub fn steps(race: Race) -> u64 {
    let calm = history(race, &[]).counted;
    (1..calm).step_by(5).map(|at| history(race, &[at]).counted).max().unwrap_or(calm)
}

/// How many ways there are to choose up to [`PREEMPTIONS_MAX`] of so many steps.
pub fn ways(steps: u64) -> u64 {
    ways_of_at_most(steps, PREEMPTIONS_MAX)
}

/// How many there are to choose up to `most` of them: the first of all ways.
pub fn ways_of_at_most(steps: u64, most: usize) -> u64 {
    (0..=most as u64).map(|chosen| choose(steps, chosen)).sum()
}

/// The way of this number: steps are counted from 1.
pub fn way(steps: u64, number: u64) -> Vec<u64> {
    if number == 0 {
        return Vec::new();
    }
    let mut left = number - 1;
    for chosen in 1..=PREEMPTIONS_MAX as u64 {
        let count = choose(steps, chosen);
        if left < count {
            return combination(steps, chosen, left);
        }
        left -= count;
    }
    Vec::new()
}

fn choose(of: u64, chosen: u64) -> u64 {
    (0..chosen).fold(1, |ways, at| ways * of.saturating_sub(at) / (at + 1))
}

/// The combination of this rank in lexical order.
fn combination(of: u64, chosen: u64, mut rank: u64) -> Vec<u64> {
    let (mut found, mut next) = (Vec::new(), 1);
    for left in (1..=chosen).rev() {
        loop {
            let with_next = choose(of - next, left - 1);
            if rank < with_next {
                found.push(next);
                next += 1;
                break;
            }
            rank -= with_next;
            next += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_comes_once() {
        for steps in [1_u64, 3, 9] {
            let all: std::collections::BTreeSet<Vec<u64>> = (0..ways(steps)).map(|n| way(steps, n)).collect();
            assert_eq!(all.len() as u64, ways(steps));
            assert!(all.iter().flatten().all(|at| (1..=steps).contains(at)));
        }
        assert_eq!(ways(60), 1 + 60 + 1_770 + 34_220);
        let few = ways_of_at_most(60, 2);
        assert!((0..few).all(|n| way(60, n).len() <= 2) && way(60, few).len() == 3);
    }
}
