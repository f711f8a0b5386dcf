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

#[test]
fn a_file_that_is_written_slowly_is_in_soon_after_its_last_byte() {
    let place = Place::new("watch-slow");
    end_to_end::drops::put(&place.source(), "a.json", b"{\"id\":0}\n");
    let (source, table) = (place.source(), place.table());
    // With the default time to settle, which each write renews.
    let words = [source.to_str().unwrap(), table.to_str().unwrap()];
    let mut command = std::process::Command::new(end_to_end::place::binary());
    command.arg("run").args(words).args(["--json"]).args(FLAGS);
    let mut watcher = Process::start(command, &place.path("slow"));
    reaches(&place, &mut watcher, 1);
    let mut file = std::fs::File::create(place.source().join("slow.json")).unwrap();
    for line in 0..14 {
        std::io::Write::write_all(&mut file, format!("{{\"id\":{line}}}\n").as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(500));
    }
    let began = Instant::now();
    reaches(&place, &mut watcher, 15);
    assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
    watcher.interrupt();
    let summary = watcher.wait(SOON).expect(&[exit::INTERRUPTED]).json();
    assert_eq!((&summary["total"]["drops_left_out"], &summary["total"]["drops_ingested"]), (&0.into(), &2.into()));
}

#[test]
fn a_changed_file_and_a_name_without_text_are_told_once_and_counted() {
    use std::os::unix::ffi::OsStrExt;

    let place = Place::new("watch-told");
    let put = |name: &str, content: &[u8]| end_to_end::drops::put(&place.source(), name, content);
    put("a.json", b"{\"id\":1}\n");
    let mut watcher = place.start(&FLAGS);
    reaches(&place, &mut watcher, 1);
    for content in [&b"{\"id\":2}\n{\"id\":3}\n"[..], b"{\"id\":4}\n{\"id\":5}\n{\"id\":6}\n"] {
        put("a.json", content);
        let name = std::ffi::OsStr::from_bytes(b"caf\xe9.json");
        std::fs::write(place.source().join(name), b"{\"id\":9}\n").unwrap();
        thread::sleep(Duration::from_secs(1));
    }
    put("b.json", b"{\"id\":7}\n");
    reaches(&place, &mut watcher, 2);
    watcher.interrupt();
    let ended = watcher.wait(SOON).expect(&[exit::INTERRUPTED]);
    let told = |words: &str| ended.stderr.matches(words).count();
    assert_eq!((told("changed after it was ingested, ignored: a.json"), told("not UTF-8")), (1, 1), "{}", ended.stderr);
    let total = &ended.json()["total"];
    assert_eq!((&total["drops_changed"], &total["drops_left_out"]), (&1.into(), &1.into()), "{total}");
}

#[test]
fn a_source_that_vanishes_is_told_once_and_watched_again_when_it_is_back() {
    let place = Place::new("watch-gone");
    let put = |name: &str| end_to_end::drops::put(&place.source(), name, b"{\"id\":1}\n");
    put("a.json");
    let mut watcher = place.start(&FLAGS);
    reaches(&place, &mut watcher, 1);
    std::fs::rename(place.source(), place.path("away")).unwrap();
    thread::sleep(Duration::from_secs(3));
    // Another folder stands there now: the old one's notifications do not tell of it.
    put("b.json");
    reaches(&place, &mut watcher, 2);
    put("c.json");
    reaches(&place, &mut watcher, 3);
    watcher.interrupt();
    let ended = watcher.wait(SOON).expect(&[exit::INTERRUPTED]);
    let told = |words: &str| ended.stderr.matches(words).count();
    assert_eq!((told("source is gone"), told("source is back"), told("could not list")), (1, 1, 0), "{}", ended.stderr);
}

#[test]
fn an_interrupt_while_the_source_is_away_ends_as_any_other() {
    let place = Place::new("watch-away");
    end_to_end::drops::put(&place.source(), "a.json", b"{\"id\":1}\n");
    let (source, table) = (place.source(), place.table());
    let mut command = std::process::Command::new(end_to_end::place::binary());
    command.arg("run").args([&source, &table]).args(["--settle-time", "0s"]).args(FLAGS);
    let mut watcher = Process::start(command, &place.path("away-log"));
    reaches(&place, &mut watcher, 1);
    std::fs::rename(&source, place.path("away")).unwrap();
    thread::sleep(Duration::from_secs(3));
    watcher.interrupt();
    let ended = watcher.wait(SOON).expect(&[exit::INTERRUPTED]);
    assert!(ended.stdout.contains("Watching ended: what was read is committed"), "{}", ended.stdout);
    assert_eq!(ended.stderr.matches("is gone").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("goes on when it is back"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("error:") && !ended.stderr.contains("help:"), "{}", ended.stderr);
}

#[test]
fn an_audit_table_that_is_removed_is_told_of_at_once_and_in_the_summary() {
    let place = Place::new("watch-audit-removed");
    let put = |name: &str| end_to_end::drops::put(&place.source(), name, b"{\"id\":1}\n");
    put("a.json");
    let (source, table) = (place.source(), place.table());
    let mut command = std::process::Command::new(end_to_end::place::binary());
    command.arg("run").args([&source, &table]).args(["--settle-time", "0s"]).args(FLAGS);
    let mut watcher = Process::start(command, &place.path("audit-log"));
    reaches(&place, &mut watcher, 1);
    std::fs::remove_dir_all(place.path("table_drops")).unwrap();
    put("b.json");
    reaches(&place, &mut watcher, 2);
    watcher.interrupt();
    let ended = watcher.wait(SOON).expect(&[exit::INTERRUPTED]);
    let told = "lacks the accounting of pipeline default, all that was committed before";
    assert_eq!((ended.stderr.matches(told).count(), ended.stdout.matches(told).count()), (1, 1), "{}", ended.stderr);
}

#[test]
fn what_landed_and_could_not_be_settled_counts_as_committed() {
    let place = Place::new("watch-unsettled");
    let put = |name: &str| end_to_end::drops::put(&place.source(), name, b"{\"id\":1}\n");
    put("a.json");
    let (source, table) = (place.source(), place.table());
    let mut command = std::process::Command::new(end_to_end::place::binary());
    command.arg("run").args([&source, &table]).args(["--settle-time", "0s", "--json"]).args(FLAGS);
    let mut watcher = Process::start(command, &place.path("unsettled-log"));
    reaches(&place, &mut watcher, 1);
    // Rights hold back nobody who has all of them: what is no folder does.
    let (log, away) = (place.path("table_drops/_delta_log"), place.path("away"));
    std::fs::rename(&log, &away).unwrap();
    std::fs::write(&log, "").unwrap();
    put("b.json");
    let failed = watcher.wait(SOON).expect(&[exit::FAILED]);
    let total = failed.json()["total"].clone();
    assert_eq!((&total["commits"], &total["drops_committed"]), (&2.into(), &2.into()), "{total}");
    std::fs::remove_file(&log).unwrap();
    std::fs::rename(&away, &log).unwrap();
    let status = || place.lithify(&["status", table.to_str().unwrap(), "--json"]).expect(&[exit::FINAL]).json();
    assert_eq!(status()["pipelines"][0]["unsettled"], 2, "{}", status());
    place.run(&[]).expect(&[exit::FINAL]);
    let after = status();
    assert_eq!((&after["pipelines"][0]["unsettled"], &after["exit_code"]), (&serde_json::Value::Null, &0.into()));
}

#[test]
fn a_drop_that_is_repaired_while_watching_is_not_in_the_summarys_quarantine() {
    let place = Place::new("watch-repaired");
    let put = |content: &[u8]| end_to_end::drops::put(&place.source(), "a.json.gz", content);
    put(b"\x1f\x8b\x08\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    let (source, table) = (place.source(), place.table());
    let mut command = std::process::Command::new(end_to_end::place::binary());
    command.arg("run").args([&source, &table]).args(["--settle-time", "0s"]).args(FLAGS);
    let mut watcher = Process::start(command, &place.path("repaired-log"));
    let began = Instant::now();
    while !std::fs::read_to_string(place.path("repaired-log.stderr")).unwrap().contains("quarantined: a.json.gz") {
        assert!(began.elapsed() < SOON && watcher.lives());
        thread::sleep(Duration::from_millis(100));
    }
    put(b"{\"id\":1}\n");
    reaches(&place, &mut watcher, 1);
    watcher.interrupt();
    let ended = watcher.wait(SOON).expect(&[exit::INTERRUPTED]);
    assert!(!ended.stdout.contains("Quarantined drops:"), "{}", ended.stdout);
}

#[test]
fn a_pipeline_that_fails_at_its_start_is_named_while_the_others_are_watched() {
    let place = Place::new("watch-one-fails");
    let put = |name: &str| end_to_end::drops::put(&place.source(), name, b"{\"id\":1}\n");
    put("a/a.json");
    put("b/b.json");
    end_to_end::drops::put(&place.path("bad/_delta_log"), "00000000000000000000.json", b"garbage");
    let config = place.path("lithify.toml");
    let pipelines = "[[pipeline]]\nname = \"bad\"\nsource = \"source/a\"\ntable = \"bad\"\n\
                     [[pipeline]]\nname = \"good\"\nsource = \"source/b\"\ntable = \"table\"\n";
    std::fs::write(&config, pipelines).unwrap();
    let mut command = std::process::Command::new(end_to_end::place::binary());
    command.args(["run", "--config", config.to_str().unwrap(), "--settle-time", "0s"]).args(FLAGS);
    let mut watcher = Process::start(command, &place.path("watch-log"));
    reaches(&place, &mut watcher, 1);
    let told = std::fs::read_to_string(place.path("watch-log.stderr")).unwrap();
    assert!(told.contains("pipeline bad is not watched: "), "{told}");
    watcher.interrupt();
    watcher.wait(SOON).expect(&[exit::FAILED]);
}

#[test]
fn a_pipeline_that_fails_while_watching_is_the_one_that_is_named_and_the_others_go_on() {
    let place = Place::new("watch-middle-fails");
    let put = |name: &str| end_to_end::drops::put(&place.source(), name, b"{\"id\":1}\n");
    ["a/a.json", "b/b.json", "c/c.json"].iter().for_each(|name| put(name));
    let config = place.path("lithify.toml");
    let pipelines = "[[pipeline]]\nname = \"a\"\nsource = \"source/a\"\ntable = \"ta\"\ncluster_by = [\"nope\"]\n\
                     [[pipeline]]\nname = \"b\"\nsource = \"source/b\"\ntable = \"tb\"\n\
                     [[pipeline]]\nname = \"c\"\nsource = \"source/c\"\ntable = \"table\"\n";
    std::fs::write(&config, pipelines).unwrap();
    let mut command = std::process::Command::new(end_to_end::place::binary());
    command.args(["run", "--config", config.to_str().unwrap(), "--settle-time", "0s", "--json"]).args(FLAGS);
    let mut watcher = Process::start(command, &place.path("watch-log"));
    reaches(&place, &mut watcher, 1);
    std::fs::rename(place.path("tb/_lithify"), place.path("away")).unwrap();
    put("b/b2.json");
    put("c/c2.json");
    reaches(&place, &mut watcher, 2);
    put("c/c3.json");
    reaches(&place, &mut watcher, 3);
    let told = std::fs::read_to_string(place.path("watch-log.stderr")).unwrap();
    assert!(
        told.contains("pipeline a is not watched: ") && told.contains("lithify.toml:5: cluster key nope"),
        "{told}"
    );
    assert!(told.contains("pipeline b is not watched: ") && !told.contains("pipeline c is not"), "{told}");
    watcher.interrupt();
    let summary = watcher.wait(SOON).expect(&[exit::FAILED]).json();
    let named: Vec<_> = summary["pipelines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].clone(), one["failure"].is_null()))
        .collect();
    assert_eq!(named, [("a".into(), false), ("b".into(), false), ("c".into(), true)], "{summary}");
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
