//! A run that finds nothing new: no commit, no file, no row, and the exit code of success.

use benches::layout;
use end_to_end::check;
use end_to_end::drops::{self, Drops};
use end_to_end::place::Place;
use end_to_end::reader::{self, Engine};

use crate::exit;

#[test]
fn a_second_run_does_nothing_and_says_so() {
    let place = Place::new("rerun");
    let mut drops = Drops::new(&place.source(), 21);
    drops.add(300);
    let first = place.run(&[]).expect(&[exit::QUARANTINED]);
    let version = check::exactly_once(&place, &drops);
    let (logs, audit_logs) = (log(&place, "table"), log(&place, "table_drops"));
    let second = place.run(&[]).expect(&[exit::FINAL]);
    assert!(first.json().is_object() && second.json().is_object());
    assert_eq!(check::exactly_once(&place, &drops), version);
    assert_eq!((log(&place, "table"), log(&place, "table_drops")), (logs, audit_logs), "files of the Delta logs");

    drops.add(5);
    place.run(&[]).expect(&[exit::FINAL, exit::QUARANTINED]);
    assert!(check::exactly_once(&place, &drops) > version, "new drops were not committed");
}

#[test]
fn a_file_from_the_future_rests_before_it_is_read() {
    let place = Place::new("future");
    drops::put(&place.source(), "a.json", b"{\"id\":1}\n");
    let ahead = std::time::SystemTime::now() + std::time::Duration::from_secs(3_600);
    std::fs::File::open(place.source().join("a.json")).unwrap().set_modified(ahead).unwrap();
    let (source, table) = (place.source(), place.table());
    let run = |settle: &str| {
        let words = ["run", source.to_str().unwrap(), table.to_str().unwrap(), "--json", "--settle-time", settle];
        place.lithify(&words).expect(&[exit::FINAL]).json()["total"].clone()
    };
    // From when it is first seen so, and not at once.
    let waits = run("1h");
    assert_eq!((&waits["drops_waiting"], &waits["drops_ingested"]), (&1.into(), &0.into()), "{waits}");
    assert_eq!(run("1s")["drops_ingested"], 1);
}

#[test]
fn a_drop_that_changed_after_it_was_ingested_is_ignored_and_named() {
    let place = Place::new("changed");
    let mut drops = Drops::new(&place.source(), 22);
    drops.add(2);
    place.run(&[]).expect(&[exit::FINAL]);
    let path = drops.fates.keys().next().unwrap().clone();
    drops::put(&place.source(), &path, b"{\"order_id\":1}\n{\"order_id\":2}\n");
    let second = place.run(&[]).expect(&[exit::FINAL]);
    assert!(second.stdout.contains(&path), "the changed drop is not named in {}", second.stdout);
    check::exactly_once(&place, &drops);
}

#[test]
fn a_quarantined_drop_that_was_repaired_is_taken_again() {
    let place = Place::new("repaired");
    let mut drops = Drops::new(&place.source(), 23);
    drops.add(1);
    let path = drops.fates.keys().next().unwrap().clone();
    let good = std::fs::read(place.source().join(&path)).unwrap();
    let (zipped, damaged) = (drops::gzip(&[&good]), "topics/orders/damaged.json.gz");
    let mut broken = zipped.clone();
    let middle = broken.len() / 2;
    broken[middle..].iter_mut().for_each(|byte| *byte ^= 0x5A);
    drops::put(&place.source(), damaged, &broken);
    place.run(&[]).expect(&[exit::QUARANTINED]);
    place.run(&[]).expect(&[exit::FINAL]);

    drops::put(&place.source(), damaged, &zipped);
    place.run(&[]).expect(&[exit::FINAL]);
    let query = [("files", "SELECT _source_file, count(*) FROM rows GROUP BY 1 ORDER BY 1")];
    let answer = reader::ask(Engine::DuckDb, &[("rows", &place.table())], &query);
    let rows = serde_json::json!([[damaged, drops::ROWS], [path, drops::ROWS]]);
    assert_eq!(serde_json::Value::Array(answer.rows("files").clone()), rows);
}

#[test]
fn a_file_without_a_record_that_can_be_read_is_quarantined_whole_and_taken_when_repaired() {
    let place = Place::new("no-record");
    let page = b"<!DOCTYPE html>\n<html>\n<p>503, try again</p>\n</html>\n";
    let cut = {
        let mut whole = drops::gzip(&[b"{\"id\":8,\"name\":\"something\"}\n"]);
        whole.truncate(20);
        whole
    };
    let bad: [(&str, &[u8]); 7] = [
        ("page.json", page),
        ("page.csv.gz", page),
        ("line.json", b"{\"id\":\n"),
        ("cut.json.gz", &cut),
        ("empty.json.gz", b""),
        ("empty.json.zst", b""),
        ("many.json", &b"{\"id\":]\n".repeat(3_000)),
    ];
    drops::put(&place.source(), "good.json", b"{\"id\":1}\n{\"id\":2}\n{\"id\"\n");
    for (name, content) in [("none.json", &b""[..]), ("blank.json", b"\n\n"), ("header.csv", b"id,name\n")] {
        drops::put(&place.source(), name, content);
    }
    bad.iter().for_each(|(name, content)| drops::put(&place.source(), name, content));
    let summary = place.run(&[]).expect(&[exit::QUARANTINED]).json();
    let total = |name: &str| summary["total"][name].as_u64();
    let counts = ["drops_ingested", "drops_quarantined", "quarantined_records", "rows"].map(total);
    assert_eq!(counts, [Some(4), Some(7), Some(1), Some(2)], "{summary}");
    let reasons = summary["pipelines"][0]["quarantined_drops"].to_string();
    assert!(reasons.contains("no record could be read; the first, at byte 0 (line 1): "), "{reasons}");
    assert!(reasons.contains("the compressed file ends before it"), "{reasons}");
    let kept: usize = benches::layout::list(&place.state().join("quarantine"))
        .unwrap()
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap().lines().count())
        .sum();
    assert_eq!(kept, 8, "an entry for each drop, and one for the record");
    holds(&place, [4, 7, 1]);
    place.run(&[]).expect(&[exit::FINAL]);

    for (at, (name, _)) in bad.iter().enumerate() {
        let whole = if name.contains("csv") { format!("id\n{at}\n") } else { format!("{{\"id\":{at}}}\n") };
        drops::put(&place.source(), name, whole.as_bytes());
    }
    let summary = place.run(&[]).expect(&[exit::FINAL]).json();
    assert_eq!((&summary["total"]["rows"], &summary["total"]["drops_changed"]), (&7.into(), &0.into()), "{summary}");
    holds(&place, [11, 0, 1]);
}

/// Holds a table to the auditor, and its status to these drops committed, drops quarantined and records quarantined.
fn holds(place: &Place, expected: [u64; 3]) {
    let table = place.table();
    let words = |command| [command, table.to_str().unwrap(), "--json"];
    place.lithify(&words("reconcile")).expect(&[exit::FINAL]);
    let status: serde_json::Value =
        serde_json::from_str(&place.lithify(&words("status")).expect(&[exit::FINAL]).stdout).unwrap();
    let pipeline = &status["pipelines"][0];
    let counts = ["drops_committed", "drops_quarantined", "quarantined_records"].map(|name| pipeline[name].as_u64());
    assert_eq!(counts, expected.map(Some), "{status}");
    assert_eq!(pipeline["drops_unfinished"], 0, "{status}");
}

/// The names in a table's Delta log.
fn log(place: &Place, table: &str) -> Vec<std::path::PathBuf> {
    let mut files = layout::list(&place.path(table).join("_delta_log")).unwrap();
    files.sort();
    files
}
