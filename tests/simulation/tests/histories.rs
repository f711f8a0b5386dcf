//! The fixed part of the simulation: every scenario, every crash point, a sample of the other fault points and of the interleavings, some
//! random histories. The rest by `cargo xtask sim`. Each begins with the replay of some seeds: where a seed gives two histories, none of them says
//! anything.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use simulation::enumerate::{self, Sum};
use simulation::flows::FLOWS;
use simulation::races::Race;
use simulation::scenarios::{self, SCENARIOS};
use simulation::{history, points, replay};

/// Of the fault points that are no crashes every so manieth is a sample.
const POINTS_EVERY: u64 = 5;

/// At every so manieth turn a history of a race is interrupted once more.
const TURNS_EVERY: u64 = 5;

static REPLAYED: LazyLock<Result<(), String>> = LazyLock::new(replay::check);

#[track_caller]
fn holds(at_least: u64, histories: impl FnOnce() -> Sum) {
    assert_eq!(*REPLAYED, Ok(()));
    let sum = histories();
    assert!(sum.failed.is_none(), "{}", sum.failed.as_ref().map(ToString::to_string).unwrap_or_default());
    assert!(sum.histories >= at_least, "there were {} histories", sum.histories);
}

#[test]
fn every_scenario_ends_well() {
    holds(20, enumerate::all_scenarios);
}

/// At a call that no flow makes nothing would go wrong but by chance.
#[test]
fn every_call_is_a_fault_point_of_some_flow() {
    let in_flows: BTreeSet<&str> =
        FLOWS.iter().flat_map(|flow| points::calm(flow).victim).map(|(call, _)| call).collect();
    let elsewhere = SCENARIOS.iter().map(scenarios::history).chain((0..100).map(history::of_seed));
    let called: BTreeSet<&str> = elsewhere.flat_map(|report| report.operations).collect();
    // Those around the processes do not crash.
    let around = |call: &str| ["poller.", "supplier.", "others."].iter().any(|of| call.starts_with(of));
    let missing: Vec<&str> = called.difference(&in_flows).copied().filter(|call| !around(call)).collect();
    assert_eq!(missing, [""; 0], "{in_flows:?}");
}

#[test]
fn whatever_goes_wrong_at_any_call_heals() {
    for flow in &FLOWS {
        holds(60, || enumerate::points(flow, POINTS_EVERY));
    }
}

#[test]
fn a_sample_of_interleavings_holds() {
    for race in Race::ALL {
        holds(20, || enumerate::races(race, TURNS_EVERY));
    }
}

#[test]
fn random_histories_hold() {
    holds(300, || enumerate::seeds(0, 300));
}
