//! Several processes at once on one source and one table: they share the work, and each row arrives exactly once.

use std::time::Duration;

use benches::random::Random;
use end_to_end::check;
use end_to_end::drops::Drops;
use end_to_end::place::Place;

use crate::exit;

const GOOD: [i32; 2] = [exit::FINAL, exit::QUARANTINED];
/// No process waits for a clock: neither for the work of another nor for that of a dead one.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn two_at_once() {
    at_once(2);
}

#[test]
fn three_at_once() {
    at_once(3);
}

fn at_once(processes: usize) {
    let place = Place::new("together");
    let mut drops = Drops::new(&place.source(), processes as u64);
    // The first round makes the table and the ledger, which they must agree on as well.
    for _ in 0..3 {
        drops.add(600);
        let started: Vec<_> = (0..processes).map(|_| place.start(&[])).collect();
        for process in started {
            process.wait(PATIENCE).expect(&GOOD);
        }
        check::exactly_once(&place, &drops);
    }
}

#[test]
fn one_of_three_is_killed_and_the_others_finish() {
    let (place, seed) = (Place::new("together-kill"), 5);
    let (mut drops, mut random) = (Drops::new(&place.source(), seed), Random::of(seed, &[0x52]));
    let mut life = Duration::from_millis(500);
    let mut kills = 0;
    for _ in 0..12 {
        drops.add(200);
        let victim = place.start(&[]);
        let others = [place.start(&[]), place.start(&[])];
        let ended = victim.kill_after(life.mul_f64(random.fraction()));
        kills += u32::from(ended.killed());
        for other in others {
            let lived = other.wait(PATIENCE).expect(&GOOD).lived;
            life = life.max(lived).min(Duration::from_secs(5));
        }
    }
    assert!(kills >= 4, "only {kills} of 12 victims lived until they were killed");
    place.run(&[]).expect(&GOOD);
    check::exactly_once(&place, &drops);
}

#[test]
fn the_status_is_told_while_another_works() {
    let place = Place::new("together-status");
    let mut drops = Drops::new(&place.source(), 8);
    drops.add(100);
    place.run(&[]).expect(&GOOD);
    drops.add(1_000);
    let table = place.table();
    let mut worker = place.start(&[]);
    let mut told = 0;
    while worker.lives() || told == 0 {
        let status = place.lithify(&["status", table.to_str().unwrap(), "--json"]).expect(&[exit::FINAL]);
        assert!(status.json().is_object(), "{}", status.stdout);
        told += 1;
    }
    worker.wait(PATIENCE).expect(&GOOD);
    check::exactly_once(&place, &drops);
}
