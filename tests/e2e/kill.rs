//! SIGKILL at any moment, many times over one source: nothing is lost, nothing doubled, and nothing waits for a clock.
//!
//! Most moments are drawn evenly from the whole life of a process, its very beginning and its end included. As the writes
//! that matter most take little of that life, others are drawn from the few milliseconds after such a write was seen.

use std::fs;
use std::path::Path;
use std::time::Duration;

use benches::random::Random;
use end_to_end::check;
use end_to_end::drops::{self, Drops};
use end_to_end::place::Place;
use end_to_end::process::{Ended, Process};
use end_to_end::reader::{self, Engine};

use crate::exit;

/// Processes that must have been killed at a random moment of their life.
const KILLS: u32 = 50;
/// Processes that must have been killed right after a write.
const KILLS_AT_WRITES: u32 = 15;
/// Starts after which a test gives up: most are killed while they live.
const STARTS: u32 = 400;
/// Drops that arrive before each start, so that there is always work.
const ARRIVALS: u64 = 40;
/// Parts of a life that are tried in turn: the first is its very beginning.
const MOMENTS: u32 = 10;
/// Where writes are looked for, below the place: state (locks, staged files), the table's files, both logs.
const WRITES: [&str; 4] = ["table/_lithify", "table", "table/_delta_log", "table_drops/_delta_log"];

#[test]
fn fifty_kills_over_one_source_then_each_row_exactly_once() {
    let (place, seed) = (Place::new("kill"), 3);
    let (mut drops, mut random) = (Drops::new(&place.source(), seed), Random::of(seed, &[0x51]));
    let mut life = life_of_a_run(seed);
    let (mut kills, mut at_writes) = (0, 0);
    for start in 0..STARTS {
        if kills >= KILLS && at_writes >= KILLS_AT_WRITES {
            break;
        }
        drops.add(ARRIVALS);
        let process = place.start(&[]);
        if start % 3 == 2 {
            let folder = place.path(WRITES[(start / 3) as usize % WRITES.len()]);
            at_writes += u32::from(kill_at_a_write(process, &folder, &mut random).killed());
        } else {
            let share = (f64::from(start * 7 % MOMENTS) + random.fraction()) / f64::from(MOMENTS);
            // A little beyond the life that is expected, so that its end is reached as well.
            let ended = process.kill_after(life.mul_f64(share * 1.15));
            if ended.killed() {
                kills += 1;
                // What it leaves makes the life of the next longer.
                life = life.max(ended.lived.mul_f64(1.02));
            } else {
                life = ended.expect(&[exit::FINAL, exit::QUARANTINED]).lived;
            }
        }
        if start % 10 == 9 {
            never_twice(&place);
        }
    }
    assert!(
        kills >= KILLS && at_writes >= KILLS_AT_WRITES,
        "only {kills} and {at_writes} of {STARTS} were killed alive"
    );
    place.run(&[]).expect(&[exit::FINAL, exit::QUARANTINED]);
    let version = check::exactly_once(&place, &drops);
    // All is final: another run finds nothing, and the table stays as it is.
    place.run(&[]).expect(&[exit::FINAL]);
    assert_eq!(check::exactly_once(&place, &drops), version);
    // The auditor of the house says the same as the readers of others.
    place.lithify(&["reconcile", place.table().to_str().unwrap()]).expect(&[exit::FINAL]);
}

#[test]
fn claimed_drops_whose_files_are_gone_are_told_apart_in_the_status() {
    let place = Place::new("gone");
    Drops::new(&place.source(), 4).add(20);
    place.run(&[]).expect(&[exit::FINAL, exit::QUARANTINED]);
    // Drops that take a while, so that a batch is seen at work.
    let large: String = (0..500_000).map(|n| format!("{{\"order_id\":{n}}}\n")).collect();
    for name in ["late/a.json", "late/b.json", "late/c.json"] {
        drops::put(&place.source(), name, large.as_bytes());
    }
    let counts = || {
        let status =
            place.lithify(&["status", place.table().to_str().unwrap(), "--json"]).expect(&[exit::FINAL]).json();
        let of = |name: &str| status["pipelines"][0][name].as_u64().unwrap();
        [of("drops_committed") + of("drops_quarantined"), of("drops_unfinished"), of("drops_gone")]
    };
    let killed = place.start(&[]).kill_when(|_| counts()[1] > 0);
    assert!(killed.killed(), "{killed:?}");
    let [held, unfinished, gone] = counts();
    assert!(unfinished > 0 && gone == 0, "{unfinished} unfinished, {gone} gone");
    fs::remove_dir_all(place.path("source/late")).unwrap();
    assert_eq!(counts(), [held, 0, unfinished]);
    // What a sealed batch holds was read before its file went.
    fs::remove_dir_all(place.source()).unwrap();
    fs::create_dir(place.source()).unwrap();
    assert_eq!(counts(), [held, 0, unfinished]);
}

/// Kills within 12 ms after something appeared in, or vanished from, `folder`.
fn kill_at_a_write(process: Process, folder: &Path, random: &mut Random) -> Ended {
    let before = names(folder);
    let delay = Duration::from_micros(random.below(12_000));
    let mut seen = None;
    process.kill_when(|lived| {
        if seen.is_none() && names(folder) != before {
            seen = Some(lived);
        }
        seen.is_some_and(|at| lived >= at + delay)
    })
}

/// What stands in a folder and in the folders of it.
fn names(folder: &Path) -> Vec<String> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let inner = |entry: &fs::DirEntry| entries(&entry.path()).map(|entry| entry.path()).collect::<Vec<_>>();
    let found = entries(folder).flat_map(|entry| inner(&entry).into_iter().chain([entry.path()]));
    let mut names: Vec<String> = found.map(|path| path.display().to_string()).collect();
    names.sort();
    names
}

/// How long a run over a few drops lives when it is let live.
fn life_of_a_run(seed: u64) -> Duration {
    let place = Place::new("life");
    Drops::new(&place.source(), seed).add(ARRIVALS);
    place.run(&[]).expect(&[exit::QUARANTINED]).lived
}

/// Whatever was killed so far: no row is in the table twice.
fn never_twice(place: &Place) {
    if reader::describe(&place.table()).is_none_or(|table| table.files.is_empty()) {
        return;
    }
    let query = "SELECT count(*), count(DISTINCT (_source_file, _source_row)) FROM rows";
    let counts = reader::ask(Engine::DuckDb, &[("rows", &place.table())], &[("counts", query)]).integers("counts");
    assert_eq!(counts[0], counts[1], "rows, and distinct rows, between two kills");
}
