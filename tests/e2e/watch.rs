//! `--watch`: new drops are noticed by the file system's word, committed after the longest delay, and Ctrl-C ends it cleanly.

use std::thread;
use std::time::{Duration, Instant};

use end_to_end::check;
use end_to_end::drops::Drops;
use end_to_end::place::Place;
use end_to_end::process::Process;
use end_to_end::reader::{self, Engine};

use crate::exit;

/// The periodic listing is far away: what is seen in time was notified.
const FLAGS: [&str; 5] = ["--watch", "--every", "1h", "--longest-delay", "500ms"];
const SOON: Duration = Duration::from_secs(60);

#[test]
fn new_drops_are_noticed_and_an_interrupt_ends_it() {
    let place = Place::new("watch");
    let mut drops = Drops::new(&place.source(), 11);
    drops.add(20);
    let mut watcher = place.start(&FLAGS);
    reaches(&place, &mut watcher, drops.truth.rows);
    for _ in 0..3 {
        drops.add(15);
        reaches(&place, &mut watcher, drops.truth.rows);
    }
    watcher.interrupt();
    watcher.wait(SOON).expect(&[exit::INTERRUPTED]);
    place.run(&[]).expect(&[exit::FINAL, exit::QUARANTINED]);
    check::exactly_once(&place, &drops);
}

#[test]
fn what_arrives_beside_an_interrupt_is_not_lost() {
    let place = Place::new("watch-interrupt");
    let mut drops = Drops::new(&place.source(), 12);
    for round in 0..4_u64 {
        drops.add(100);
        let watcher = place.start(&FLAGS);
        thread::sleep(Duration::from_millis(150 * round));
        drops.add(30);
        thread::sleep(Duration::from_millis(100));
        watcher.interrupt();
        let ended = watcher.wait(SOON);
        // Before it listens for the signal, the signal ends it.
        assert!(ended.signal == Some(2) || ended.code == Some(exit::INTERRUPTED), "{ended:?}");
    }
    place.run(&[]).expect(&[exit::FINAL, exit::QUARANTINED]);
    check::exactly_once(&place, &drops);
}

#[test]
fn an_interrupted_run_ends_soon_and_the_next_takes_over_at_once() {
    let place = Place::new("interrupt");
    let mut drops = Drops::new(&place.source(), 13);
    drops.add(2_000);
    let run = place.start(&[]);
    thread::sleep(Duration::from_millis(300));
    run.interrupt();
    let ended = run.wait(SOON);
    let codes = [Some(exit::INTERRUPTED), Some(exit::QUARANTINED)];
    assert!(ended.signal == Some(2) || codes.contains(&ended.code), "{ended:?}");
    place.run(&[]).expect(&[exit::FINAL, exit::QUARANTINED]);
    check::exactly_once(&place, &drops);
}

/// Waits until readers see so many rows.
fn reaches(place: &Place, watcher: &mut Process, rows: i64) {
    let (began, mut seen) = (Instant::now(), -1);
    while seen < rows {
        assert!(began.elapsed() < SOON, "after {SOON:?} readers see {seen} of {rows} rows");
        assert!(watcher.lives(), "the watcher ended by itself");
        thread::sleep(Duration::from_millis(200));
        if reader::describe(&place.table()).is_some_and(|table| !table.files.is_empty()) {
            let tables = [("rows", &*place.table())];
            let query = [("count", "SELECT count(*) FROM rows")];
            seen = reader::ask(Engine::DuckDb, &tables, &query).integers("count")[0];
        }
    }
    assert_eq!(seen, rows, "rows seen while watching");
}
