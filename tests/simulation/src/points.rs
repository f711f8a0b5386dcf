//! Fault points, enumerated: at each call of a flow one thing goes wrong, on each side of its effect; then everything must heal.

use std::time::Duration;

use compactor::function::Request;

use crate::doubles::QUEUE;
use crate::fault::{Fault, Kind, Nature, Plan, Side};
use crate::flows::{Flow, VICTIM, poll};
use crate::history::Strand;
use crate::port::Port;
use crate::report::Report;
use crate::world::{CompactorSandbox, World};

/// How long one stands still who is taken for dead.
const FOR_DEAD: Duration = Duration::from_secs(1_000);

/// After how many steps an effect comes that comes soon.
const SOON: u64 = 4;

/// How many bytes come of what breaks off in its footer, or in the middle of a list or a drop.
const MIDWAY: u64 = 50;

/// What goes wrong at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The process ends before the effect.
    CrashBefore,
    /// The process ends after it.
    CrashAfter,
    /// The call fails without an effect.
    Error,
    /// The effect is there, the answer is lost.
    LostReply,
    /// What is read breaks off before its first byte.
    BreaksOffAtOnce,
    /// It breaks off after some of its bytes.
    BreaksOffMidway,
    /// The client sends the request twice.
    Twice,
    /// The answer is lost, and the effect comes a few steps later.
    LateSoon,
    /// The answer is lost, and the effect comes when the process has ended.
    LateAfterwards,
    /// The process stands still before the effect until it is taken for dead; others do its work; then it wakes.
    ZombieBefore,
    /// The same after the effect.
    ZombieAfter,
}

impl Wrong {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::CrashBefore,
        Self::CrashAfter,
        Self::Error,
        Self::LostReply,
        Self::BreaksOffAtOnce,
        Self::BreaksOffMidway,
        Self::Twice,
        Self::LateSoon,
        Self::LateAfterwards,
        Self::ZombieBefore,
        Self::ZombieAfter,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::CrashBefore => "crash-before",
            Self::CrashAfter => "crash-after",
            Self::Error => "error",
            Self::LostReply => "lost-reply",
            Self::BreaksOffAtOnce => "breaks-off-at-once",
            Self::BreaksOffMidway => "breaks-off-midway",
            Self::Twice => "twice",
            Self::LateSoon => "late-soon",
            Self::LateAfterwards => "late-afterwards",
            Self::ZombieBefore => "zombie-before",
            Self::ZombieAfter => "zombie-after",
        }
    }

    /// What has this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wrong| wrong.name() == name)
    }

    fn fault(self, n: u64) -> Fault {
        let (side, kind) = match self {
            Self::CrashBefore => (Side::Before, Kind::Crash),
            Self::CrashAfter => (Side::After, Kind::Crash),
            Self::Error => (Side::Before, Kind::Error),
            Self::LostReply => (Side::After, Kind::LostReply),
            Self::BreaksOffAtOnce => (Side::After, Kind::BreaksOff(0)),
            Self::BreaksOffMidway => (Side::After, Kind::BreaksOff(MIDWAY)),
            Self::Twice => (Side::Before, Kind::Duplicate),
            Self::LateSoon => (Side::Before, Kind::Late(Some(SOON))),
            Self::LateAfterwards => (Side::Before, Kind::Late(Some(u64::from(u32::MAX)))),
            Self::ZombieBefore => (Side::Before, Kind::Delay(FOR_DEAD)),
            Self::ZombieAfter => (Side::After, Kind::Delay(FOR_DEAD)),
        };
        Fault::of("", side, kind).by(VICTIM).after(n)
    }

    /// Whether it does anything at a call of this nature: only some effects come late, to send a read twice changes nothing, and only what is
    /// opened breaks off.
    pub fn can_meet(self, nature: Nature) -> bool {
        match self {
            Self::LateSoon | Self::LateAfterwards => nature == Nature::LateWrite,
            Self::BreaksOffAtOnce | Self::BreaksOffMidway => nature == Nature::Opening,
            Self::Twice => matches!(nature, Nature::Write | Nature::LateWrite),
            _ => true,
        }
    }

    /// Whether the process ends.
    pub fn is_crash(self) -> bool {
        matches!(self, Self::CrashBefore | Self::CrashAfter)
    }

    fn is_zombie(self) -> bool {
        matches!(self, Self::ZombieBefore | Self::ZombieAfter)
    }
}

/// The history of a flow in which nothing goes wrong: its `victim` says at which calls something can.
pub fn calm(flow: &Flow) -> Report {
    history(flow, None)
}

/// The history of a flow in which something goes wrong at its call number `n`.
pub fn at(flow: &Flow, n: u64, wrong: Wrong) -> Report {
    history(flow, Some((n, wrong)))
}

fn history(flow: &Flow, point: Option<(u64, Wrong)>) -> Report {
    let replay = match point {
        None => format!("--point {}", flow.name),
        Some((n, wrong)) => format!("--point {}:{n}:{}", flow.name, wrong.name()),
    };
    let world = match World::new(1, flow.shape) {
        Ok(world) => world,
        Err(why) => return Report::broken("fault point", replay, why),
    };
    (flow.before)(&world);
    if let Some((n, wrong)) = point {
        world.add_faults(vec![wrong.fault(n)]);
    }
    let mut strands: Vec<Strand<'_>> = vec![Box::new(|strand| (flow.run)(&world, strand))];
    if point.is_some_and(|(_, wrong)| wrong.is_zombie()) {
        strands.push(Box::new(|strand| {
            // When all are taken for dead who stand still, and their messages come again.
            Port::around(world.clone(), 5, strand, "rescuer").sleep(FOR_DEAD / 2);
            poll(&world, strand, "rescuer", QUEUE);
            let _answer = CompactorSandbox::new(&world).invoke(strand, "rescuer-compactor", &Request::default());
            let upkeep = Request { pipelines: None, upkeep: true, open: false };
            let _answer = CompactorSandbox::new(&world).invoke(strand, "rescuer-upkeep", &upkeep);
        }));
    }
    world.scheduler.run(strands);
    let victim = world.calls_of(VICTIM);
    world.set_plan(Plan::none());
    world.audit();
    world.heal(true);
    world.judge_healed();
    Report { victim, ..Report::of("fault point", replay, &world, flow.name.to_owned()) }
}
