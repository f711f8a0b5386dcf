//! What must not work does not, and the message names what is wrong and what to do; nothing is claimed meanwhile.

use std::fs;
use std::process::Command;

use end_to_end::check;
use end_to_end::drops::Drops;
use end_to_end::place::{self, Place};
use end_to_end::reader;

use crate::exit;

#[test]
fn every_wrong_setting_is_named_at_once() {
    let place = Place::new("settings");
    Drops::new(&place.source(), 31).add(1);
    let flags = ["--target-file-size", "5", "--memory", "1MiB", "--workers", "0", "--longest-delay", "soon"];
    place.run(&flags).expect(&[exit::SETTINGS]).tells(&["target-file-size", "memory", "workers", "longest-delay"]);
    assert!(!place.table().exists(), "a run with wrong settings made a table");
}

#[test]
fn wrong_settings_of_a_file_are_named_with_their_lines() {
    let place = Place::new("settings-file");
    let file = place.path("lithify.toml");
    let text = "memory = \"1MiB\"\n\n[[pipeline]]\nname = \"a\"\nsource = \"source\"\ntable = \"table\"\ntarget_file_sise = 7\n";
    fs::write(&file, text).unwrap();
    let ended = place.lithify(&["run", "--config", file.to_str().unwrap()]).expect(&[exit::SETTINGS]);
    ended.tells(&["lithify.toml:1", "lithify.toml:7", "target_file_sise", "target_file_size"]);
    assert!(!place.table().exists(), "a run with wrong settings made a table");
}

#[test]
fn a_source_that_is_not_there_is_named() {
    let place = Place::new("no-source");
    fs::remove_dir(place.source()).unwrap();
    place.run(&[]).expect(&[exit::SETTINGS]).tells(&[place.source().to_str().unwrap()]);
}

#[test]
fn a_table_that_others_made_needs_consent() {
    let place = Place::new("foreign");
    let mut drops = Drops::new(&place.source(), 32);
    drops.add(10);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/foreign_table.py");
    let made = Command::new(place::python()).arg(script).arg(place.table()).status().unwrap();
    assert!(made.success(), "{script} failed");
    let version = reader::describe(&place.table()).unwrap().version;
    place.run(&[]).expect(&[exit::FAILED]).tells(&["--append-existing", place.table().to_str().unwrap()]);
    assert_eq!(reader::describe(&place.table()).unwrap().version, version, "the foreign table was written to");

    place.run(&["--append-existing"]).expect(&[exit::FINAL, exit::QUARANTINED]);
    let query = [("counts", "SELECT count(*), count(_source_file) FROM rows")];
    let answer = reader::ask(reader::Engine::DuckDb, &[("rows", &place.table())], &query);
    assert_eq!(answer.integers("counts"), [drops.truth.rows + 3, drops.truth.rows], "rows of both");
}

#[test]
fn another_source_under_the_same_name_is_refused() {
    let place = Place::new("other-source");
    let mut drops = Drops::new(&place.source(), 33);
    drops.add(10);
    place.run(&[]).expect(&[exit::FINAL, exit::QUARANTINED]);
    let other = place.path("other");
    Drops::new(&other, 34).add(10);
    let (table, source) = (place.table(), place.source());
    let ended = place.lithify(&["run", other.to_str().unwrap(), table.to_str().unwrap(), "--settle-time", "0s"]);
    ended.expect(&[exit::FAILED]).tells(&[source.to_str().unwrap(), other.to_str().unwrap(), "--name"]);
    check::exactly_once(&place, &drops);
}

#[test]
fn a_table_whose_state_was_lost_stops_the_run_before_anything_is_claimed() {
    let place = Place::new("state-lost");
    let mut drops = Drops::new(&place.source(), 35);
    drops.add(20);
    place.run(&[]).expect(&[exit::FINAL, exit::QUARANTINED]);
    let version = check::exactly_once(&place, &drops);
    let aside = place.path("aside");
    fs::rename(place.state(), &aside).unwrap();
    drops.add(20);
    place.run(&[]).expect(&[exit::FAILED]).tells(&["_lithify"]);
    // Not even the second try, which may find what the first left behind.
    place.run(&[]).expect(&[exit::FAILED]).tells(&["_lithify"]);
    assert_eq!(
        reader::describe(&place.table()).unwrap().version,
        version,
        "a run without its state wrote to the table"
    );

    if place.state().exists() {
        fs::remove_dir_all(place.state()).unwrap();
    }
    fs::rename(&aside, place.state()).unwrap();
    place.run(&[]).expect(&[exit::FINAL, exit::QUARANTINED]);
    check::exactly_once(&place, &drops);
}

#[test]
fn exit_codes_are_in_the_help() {
    let place = Place::new("help");
    let help = place.lithify(&["--help"]).expect(&[exit::FINAL]);
    for part in ["130", "quarantined", "run", "status"] {
        assert!(help.stdout.contains(part), "{part} is not in the help:\n{}", help.stdout);
    }
    place.lithify(&["run"]).expect(&[exit::SETTINGS]);
}
