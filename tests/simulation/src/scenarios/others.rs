//! Other writers of the table, between any two calls of ours.

use std::sync::Arc;
use std::time::Duration;

use compactor::function::Request;

use crate::fault::{Fault, Kind, Plan, Side};
use crate::port::{Call, Port};
use crate::scheduler::Choice;
use crate::world::{CompactorSandbox, Other, World};

/// What they do, one after the other, beside a compactor and an upkeep that are interrupted as often as possible.
pub(super) fn between_the_calls(world: &Arc<World>) {
    super::before("upkeep", world);
    super::staged_more(world);
    world.scheduler.choose_by(Choice::Preempted((0..400).collect()));
    world.scheduler.run(vec![
        Box::new(|strand| {
            for round in 0..2 {
                let request = Request { pipelines: None, upkeep: true, open: false };
                let _answer = CompactorSandbox::new(world).invoke(strand, &format!("compactor.{round}"), &request);
            }
        }),
        Box::new(|strand| {
            let port = Port::around(world.clone(), 3, strand, "others");
            let all = [Other::Append, Other::Empty, Other::Optimize, Other::AddColumn, Other::Append, Other::Delete];
            for what in all.into_iter().cycle().take(18) {
                commit(&port, what);
            }
        }),
    ]);
}

/// A column is added between the moment when a commit that brings columns read the table and the moment when it is made.
pub(super) fn column_before_commit(world: &Arc<World>) {
    super::staged(world);
    just_before_the_commit(world, false, Other::AddColumn);
}

/// All files are rewritten by another while an upkeep merges them.
pub(super) fn optimized_under_upkeep(world: &Arc<World>) {
    super::before("upkeep", world);
    just_before_the_commit(world, true, Other::Optimize);
}

fn just_before_the_commit(world: &Arc<World>, upkeep: bool, what: Other) {
    let waits = Fault::of("table.commit", Side::Before, Kind::Delay(Duration::from_secs(10)));
    world.set_plan(Plan::scripted(vec![waits]));
    world.scheduler.run(vec![
        Box::new(|strand| {
            let request = Request { pipelines: None, upkeep, open: false };
            let _answer = CompactorSandbox::new(world).invoke(strand, "compactor", &request);
        }),
        Box::new(|strand| {
            let port = Port::around(world.clone(), 3, strand, "others");
            port.sleep(Duration::from_secs(5));
            commit(&port, what);
        }),
    ]);
}

/// Another writer's commit, as a call that takes its turn.
pub fn commit(port: &Arc<Port>, what: Other) {
    let world = port.world.clone();
    let effect = move || {
        world.other_writer(what);
    };
    port.call(Call::read("others.commit", &format!("{what:?}")), effect, |()| "done".to_owned(), |_| ());
}
