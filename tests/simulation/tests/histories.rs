//! The fixed part of the simulation: every scenario, every crash point, a sample of the other fault points and of the interleavings, some
//! random histories. The rest by `cargo xtask sim`.

use simulation::enumerate::{self, Sum};
use simulation::flows::FLOWS;
use simulation::races::Race;

/// Of the fault points that are no crashes every so manieth is a sample.
const POINTS_EVERY: u64 = 5;

/// Of the interleavings of a race.
const WAYS_EVERY: u64 = 97;

#[track_caller]
fn holds(sum: &Sum, at_least: u64) {
    assert!(sum.failed.is_none(), "{}", sum.failed.as_ref().map(ToString::to_string).unwrap_or_default());
    assert!(sum.histories >= at_least, "there were {} histories", sum.histories);
}

#[test]
fn every_scenario_ends_well() {
    holds(&enumerate::all_scenarios(), 20);
}

#[test]
fn whatever_goes_wrong_at_any_call_heals() {
    for flow in &FLOWS {
        holds(&enumerate::points(flow, POINTS_EVERY), 60);
    }
}

#[test]
fn a_sample_of_interleavings_holds() {
    for race in Race::ALL {
        holds(&enumerate::races(race, WAYS_EVERY), 30);
    }
}

#[test]
fn random_histories_hold() {
    holds(&enumerate::seeds(0, 300), 300);
}
