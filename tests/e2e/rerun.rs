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

/// The names in a table's Delta log.
fn log(place: &Place, table: &str) -> Vec<std::path::PathBuf> {
    let mut files = layout::list(&place.path(table).join("_delta_log")).unwrap();
    files.sort();
    files
}
