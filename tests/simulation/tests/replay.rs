//! The meta-test: a seed replays identically, byte by byte.

use simulation::history;

#[test]
fn a_seed_gives_one_history() {
    for seed in 0..40 {
        let (first, again) = (history::of_seed(seed), history::of_seed(seed));
        assert!(first.trace.len() > 50, "seed {seed} does next to nothing");
        for (number, (a, b)) in first.trace.iter().zip(&again.trace).enumerate() {
            assert_eq!(a, b, "seed {seed}, line {number}");
        }
        assert_eq!(first.trace.len(), again.trace.len(), "seed {seed}");
    }
}

#[test]
fn seeds_differ() {
    assert_ne!(history::of_seed(1).trace, history::of_seed(2).trace);
}
