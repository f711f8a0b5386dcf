//! The fixed part of the simulation: every scenario, every fault point, a sample of interleavings, some random histories. The rest by
//! `cargo xtask sim`.

use simulation::enumerate::{self, Sum};
use simulation::races::Race;

/// Of the interleavings every so manieth is a sample.
const EVERY: u64 = 151;

#[track_caller]
fn holds(sum: &Sum, at_least: u64) {
    assert!(sum.failed.is_none(), "{}", sum.failed.as_ref().map(ToString::to_string).unwrap_or_default());
    assert!(sum.histories >= at_least, "there were {} histories", sum.histories);
}

#[test]
fn every_scenario_ends_well() {
    holds(&enumerate::all_scenarios(), 18);
}

#[test]
fn whatever_goes_wrong_at_any_call_heals() {
    holds(&enumerate::all_points(|_, _| ()), 3_000);
}

#[test]
fn a_sample_of_interleavings_holds() {
    for race in Race::ALL {
        holds(&enumerate::races(race, EVERY), 50);
    }
}

#[test]
fn random_histories_hold() {
    holds(&enumerate::seeds(0, 500), 500);
}
