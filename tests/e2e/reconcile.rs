//! `lithify reconcile` on tables that are right, and on tables that were damaged in one way each: the auditor must see every one.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use end_to_end::drops::Drops;
use end_to_end::place::{self, Place};
use serde_json::Value;

use crate::exit;

/// How a table is damaged (a function of `tamper.py`), and the invariant that this breaks.
const DAMAGES: [(&str, &str); 20] = [
    ("delete_a_row", "I-1"),
    ("double_a_file", "I-1"),
    ("invent_a_file", "I-1"),
    ("hold_twice", "I-2"),
    ("forget_a_claim", "I-2"),
    ("misplace_a_claim", "I-2"),
    ("misplace_a_batch", "I-3"),
    ("forget_an_intent", "I-3"),
    ("stage_again", "I-5"),
    ("forget_an_account", "I-6"),
    ("double_the_accounts", "I-6"),
    ("change_an_account", "I-6"),
    ("lose_a_manifest", "I-6"),
    ("damage_a_commit_below_a_checkpoint", "I-3"),
    ("miscount_a_file", "I-1"),
    ("lose_a_quarantined_record", "I-6"),
    ("exchange_a_quarantined_record", "I-6"),
    ("exchange_the_table", "I-3"),
    ("forget_a_pipeline", "I-3"),
    ("exchange_the_ledger", "I-3"),
];

/// A table of several commits, with quarantined records.
fn table_of_three_commits(name: &str) -> Place {
    let place = Place::new(name);
    let mut drops = Drops::new(&place.source(), 7);
    for _ in 0..3 {
        drops.add(30);
        place.run(&[]).expect(&[exit::QUARANTINED]);
    }
    place
}

#[test]
fn a_quarantine_that_was_removed_is_missed() {
    let place = table_of_three_commits("no-quarantine");
    verdict(&place, exit::FINAL);
    fs::remove_dir_all(place.state().join("quarantine")).unwrap();
    let verdict = verdict(&place, exit::FAILED);
    let findings = verdict["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 3, "one for each batch: {verdict}");
    assert!(findings.iter().all(|finding| finding["invariant"] == "I-6"), "{verdict}");
}

fn verdict(place: &Place, expected: i32) -> Value {
    let table = place.table();
    let ended = place.lithify(&["reconcile", table.to_str().unwrap(), "--json"]).expect(&[expected]);
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn a_table_that_is_right_is_called_right() {
    let place = table_of_three_commits("reconcile");
    let verdict = verdict(&place, exit::FINAL);
    assert_eq!((verdict["holds"].as_bool(), verdict["found"].as_u64()), (Some(true), Some(0)), "{verdict}");
    let counts = &verdict["counts"];
    assert_eq!((counts["drops"].as_u64(), counts["audit_rows"].as_u64()), (Some(90), Some(90)), "{verdict}");
    assert_eq!(counts["commits"].as_u64(), Some(3), "{verdict}");
    assert_eq!((counts["pipelines"].as_u64(), counts["batches"].as_u64()), (Some(1), Some(3)), "{verdict}");
    assert_eq!((counts["files"].as_u64(), counts["foreign_rows"].as_u64()), (Some(3), Some(0)), "{verdict}");
    assert!(counts["rows"].as_u64() > Some(0), "{verdict}");
    // What was acknowledged is told by no folder.
    let unchecked = verdict["unchecked"].as_array().unwrap();
    assert!(unchecked.len() == 1 && unchecked[0].as_str().unwrap().starts_with("I-4 ("), "{verdict}");
    let said = place.lithify(&["reconcile", place.table().to_str().unwrap()]).expect(&[exit::FINAL]);
    for words in ["Nothing is lost and nothing is doubled.", "not checked: I-4 "] {
        assert!(said.stdout.contains(words), "{}", said.stdout);
    }
}

#[test]
fn each_damage_is_seen_and_named_by_its_invariant() {
    for (how, invariant) in DAMAGES {
        let place = table_of_three_commits(how);
        tamper(how, &place.table());
        let verdict = verdict(&place, exit::FAILED);
        let found = verdict["findings"].as_array().unwrap();
        assert!(
            found.iter().any(|finding| finding["invariant"] == invariant),
            "{how} must break {invariant}: {verdict}"
        );
    }
}

fn tamper(how: &str, table: &Path) {
    let script = end_to_end::checkout().join("tests/tamper.py");
    let output = Command::new(place::python()).arg(script).arg(how).arg(table).output().unwrap();
    assert!(output.status.success(), "{how}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn staged_rows_whose_file_is_gone_are_missed() {
    let place = Place::new("no-staged-run");
    Drops::new(&place.source(), 11).add(30);
    let staged = || {
        let ended = place.lithify(&["status", place.table().to_str().unwrap(), "--json"]);
        ended.code == Some(exit::FINAL) && ended.json()["pipelines"][0]["drops_staged"].as_u64() > Some(0)
    };
    let watch = place.start(&["--watch", "--every", "1h", "--longest-delay", "1h"]);
    watch.kill_when(|life| staged() || life > Duration::from_secs(60));
    let counts = verdict(&place, exit::FINAL)["counts"].clone();
    assert!(counts["staged"].as_u64() > Some(0), "{counts}");
    let runs: Vec<_> =
        fs::read_dir(place.state().join("staging/default")).unwrap().map(|run| run.unwrap().path()).collect();
    assert!(!runs.is_empty());
    fs::remove_file(&runs[0]).unwrap();
    let verdict = verdict(&place, exit::FAILED);
    let findings = verdict["findings"].as_array().unwrap();
    let what = findings.iter().map(|finding| finding["what"].as_str().unwrap()).collect::<Vec<_>>();
    assert!(
        what.iter().any(|what| what.contains(" rows of it wait in ") && what.ends_with("is not there")),
        "{verdict}"
    );
    assert!(findings.iter().all(|finding| finding["invariant"] == "I-1"), "{verdict}");
}
