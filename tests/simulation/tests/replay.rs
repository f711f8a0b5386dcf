//! The meta-test: a seed replays identically, byte by byte. What else is tested rests on it.

use simulation::{flows, history, points, races};

#[test]
fn a_seed_gives_one_history() {
    for seed in 0..60 {
        same(&history::of_seed(seed).trace, &history::of_seed(seed).trace, &format!("seed {seed}"));
    }
}

#[test]
fn so_does_a_fault_point_and_an_interleaving() {
    for flow in &flows::FLOWS {
        let point = || points::at(flow, 12, points::Wrong::LostReply).trace;
        same(&point(), &point(), flow.name);
    }
    for race in races::Race::ALL {
        let history = || races::history(race, &[3, 9, 14]).trace;
        same(&history(), &history(), race.name());
    }
}

#[test]
fn seeds_differ() {
    assert_ne!(history::of_seed(1).trace, history::of_seed(2).trace);
}

#[track_caller]
fn same(first: &[String], again: &[String], name: &str) {
    assert!(first.len() > 30, "{name} does next to nothing: {} calls", first.len());
    for (number, (a, b)) in first.iter().zip(again).enumerate() {
        assert_eq!(a, b, "{name}, line {number}");
    }
    assert_eq!(first.len(), again.len(), "{name}");
}
