//! Histories with a name: what was thought of, each with what must come of it.

mod ledgers;
mod others;
mod suppliers;

use std::sync::Arc;

use crate::doubles::QUEUE;
use crate::fault::{Fault, Kind, Plan, Side};
use crate::flows::{flow, poll, supply};
use crate::random::Random;
use crate::report::Report;
use crate::world::{Shape, World, content};

pub use others::commit as other_commits;

/// One scenario.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What its world is made with.
    pub shape: Shape,
    /// What happens, and what is demanded on the way.
    pub run: fn(&Arc<World>),
    /// Whether everything must heal afterwards.
    pub heals: bool,
}

const IGNORING: Shape = Shape {
    ingests_overwrites: false,
    keeps_versions: false,
    has_large_queue: false,
    ahead: 2,
    small_files: 2,
    has_two_pipelines: false,
};

const fn healing(name: &'static str, run: fn(&Arc<World>)) -> Scenario {
    Scenario { name, shape: IGNORING, run, heals: true }
}

/// All scenarios.
pub const SCENARIOS: [Scenario; 32] = [
    healing("audit-commit-sent-twice", |world| commit_with(world, "audit.commit", Kind::Duplicate)),
    healing("table-commit-sent-twice", |world| commit_with(world, "table.commit", Kind::Duplicate)),
    healing("table-commit-never-lands", |world| commit_with(world, "table.commit", Kind::Late(None))),
    healing("table-commit-fails-for-long", commit_fails_for_long),
    healing("restored-before-settling", ledgers::restored_before_settling),
    Scenario { heals: false, ..healing("restored-before-the-intent", ledgers::restored_before_the_intent) },
    Scenario { heals: false, ..healing("restored-elsewhere", ledgers::restored_elsewhere) },
    healing("lost-ledger", ledgers::lost),
    healing("set-back-with-its-intents", ledgers::set_back_with_intents),
    healing("others-between-the-calls", others::between_the_calls),
    healing("column-added-before-the-commit", others::column_before_commit),
    healing("optimized-under-upkeep", others::optimized_under_upkeep),
    healing("repaired-quarantine", suppliers::repaired),
    Scenario {
        shape: Shape { ingests_overwrites: true, ..IGNORING },
        ..healing("overwritten-without-versions", suppliers::overwritten)
    },
    Scenario {
        shape: Shape { ingests_overwrites: true, keeps_versions: true, ..IGNORING },
        ..healing("overwritten-with-versions", suppliers::overwritten)
    },
    healing("overwritten-and-ignored", suppliers::overwritten),
    Scenario {
        shape: Shape { keeps_versions: true, ..IGNORING },
        ..healing("overwritten-and-ignored-with-versions", suppliers::overwritten)
    },
    Scenario {
        shape: Shape { ingests_overwrites: true, ..IGNORING },
        ..healing("versions-switched-on-and-off", suppliers::versions_switched)
    },
    Scenario {
        shape: Shape { ingests_overwrites: true, ..IGNORING },
        ..healing("overwritten-since-versions-are-kept", suppliers::overwritten_since_versions)
    },
    Scenario {
        shape: Shape { ingests_overwrites: true, keeps_versions: true, ..IGNORING },
        ..healing("no-version-is-called-so", suppliers::no_version)
    },
    Scenario {
        shape: Shape { keeps_versions: true, ..IGNORING },
        ..healing("deleted-with-its-versions-there", suppliers::deleted)
    },
    healing("deadly-among-good", suppliers::deadly_among_good),
    healing("lost-claims-are-no-deaths", suppliers::lost_claims),
    healing("sealed-between-look-and-abort", suppliers::sealed_in_between),
    healing("void-batch-acknowledges-nothing", suppliers::void_batch),
    healing("not-understood", suppliers::not_understood),
    healing("replaced-while-read", suppliers::replaced_while_read),
    healing("told-a-hundred-times", suppliers::told_often),
    healing("denied-for-long", suppliers::denied_for_long),
    healing("broken-off-in-mid-stream", suppliers::broken_off),
    healing("opened-late", ledgers::opened_late),
    healing("table-changed-and-set-back", ledgers::table_changed),
];

/// The scenario of a name.
pub fn named(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

/// The history of a scenario.
pub fn history(scenario: &Scenario) -> Report {
    let replay = format!("--scenario {}", scenario.name);
    let world = match World::new(1, scenario.shape) {
        Ok(world) => world,
        Err(why) => return Report::broken("scenario", replay, why),
    };
    (scenario.run)(&world);
    world.set_plan(Plan::none());
    if scenario.heals {
        world.audit();
        world.heal(true);
        world.judge_healed();
    }
    Report::of("scenario", replay, &world, scenario.name.to_owned())
}

/// Something staged is committed, and one call of this operation meets this.
fn commit_with(world: &Arc<World>, operation: &str, kind: Kind) {
    staged(world);
    world.set_plan(Plan::scripted(vec![Fault::of(operation, Side::Before, kind)]));
    world.compact("compactor", false);
}

fn commit_fails_for_long(world: &Arc<World>) {
    staged(world);
    world.set_plan(Plan::scripted(vec![Fault::of("table.commit", Side::Before, Kind::Error).times(25)]));
    // It gives up; the next one begins with recovery, finds nothing that landed, and commits.
    let _failed = world.compact_as("compactor", &compactor::function::Request::default());
}

pub(crate) fn staged(world: &Arc<World>) {
    before("compact", world);
}

pub(crate) fn before(name: &str, world: &Arc<World>) {
    match flow(name) {
        Some(flow) => (flow.before)(world),
        None => world.violation("the simulation works", format!("there is no flow {name}")),
    }
}

/// More is staged.
pub(crate) fn staged_more(world: &Arc<World>) {
    for number in 40..42 {
        supply(world, &format!("{number}.json"), content(number, &mut Random::new(number)));
    }
    world.alone(|strand| poll(world, strand, "more", QUEUE));
    world.scheduler.pass(20_000_000);
}

/// Demands something of a world.
pub(crate) fn demand(world: &World, is: bool, what: &str) {
    if !is {
        world.violation("the scenario's own demand", what);
    }
}
