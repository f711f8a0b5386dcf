//! The meta-test: a seed replays identically, byte by byte. What else is tested rests on it.

use simulation::replay::same;
use simulation::{flows, history, points, races};

#[test]
fn a_seed_gives_one_history() {
    for seed in 0..60 {
        assert_eq!(same(&format!("seed {seed}"), || history::of_seed(seed).trace), Ok(()));
    }
}

#[test]
fn so_does_a_fault_point_and_an_interleaving() {
    for flow in &flows::FLOWS {
        assert_eq!(same(flow.name, || points::at(flow, 12, points::Wrong::LostReply).trace), Ok(()));
    }
    for race in races::Race::ALL {
        assert_eq!(same(race.name(), || races::history(race, &[3, 9, 14]).trace), Ok(()));
    }
}

#[test]
fn seeds_differ() {
    assert_ne!(history::of_seed(1).trace, history::of_seed(2).trace);
    let numbers = std::sync::atomic::AtomicU64::new(0);
    let other_each_time = || {
        let number = numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        history::of_seed(number).trace
    };
    assert!(same("two seeds", other_each_time).is_err());
}
