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
fn wrong_flags_settings_and_columns_are_told_together() {
    let place = Place::new("together-wrong");
    end_to_end::drops::put(&place.source(), "a.json", b"{\"id\":1,\"day\":\"x\",\"o\":{\"x\":1}}\n");
    let flags = ["--colour", "red", "--partition-columns", "_rescued_data,a,_source_file", "--memory", "1MiB"];
    let told = ["--colour", "'_rescued_data'", "'_source_file'", "--memory"];
    let ended = place.run(&flags).expect(&[exit::SETTINGS]).tells(&told);
    assert_eq!(ended.json()["settings"].as_array().map(Vec::len), Some(4), "{}", ended.stdout);
    place.run(&["--partition-columns", "day"]).expect(&[exit::FINAL]);
    let told =
        ["partition columns are day, the settings say none", "did you mean 'day'", "a field within the column o"];
    place.run(&["--cluster-by", "dayy,o.x"]).expect(&[exit::SETTINGS]).tells(&told);
}

#[test]
fn a_cluster_key_may_be_a_column_that_a_hint_names_and_the_table_lacks_yet() {
    let place = Place::new("hinted-key");
    end_to_end::drops::put(&place.source(), "a.json", b"{\"id\":1}\n");
    place.run(&[]).expect(&[exit::FINAL]);
    end_to_end::drops::put(&place.source(), "b.json", b"{\"id\":2}\n");
    let hinted = ["--cluster-by", "day", "--schema-hints", "day date"];
    place.run(&["--cluster-by", "day"]).expect(&[exit::SETTINGS]).tells(&["no such column", "day string"]);
    place.run(&hinted).expect(&[exit::FINAL]);
    end_to_end::drops::put(&place.source(), "c.json", b"{\"id\":3,\"day\":\"2026-11-23\"}\n");
    place.run(&hinted).expect(&[exit::FINAL]);
    end_to_end::drops::put(&place.source(), "d.json", b"{\"id\":4}\n");
    place.run(&["--cluster-by", "day"]).expect(&[exit::FINAL]);
    let list = ["--schema-hints", "tags array<string>", "--cluster-by", "tags"];
    place.run(&list).expect(&[exit::SETTINGS]).tells(&["have no order"]);
}

#[test]
fn hints_make_their_columns_on_a_table_that_is_there() {
    let place = Place::new("hinted-late");
    end_to_end::drops::put(&place.source(), "a.json", b"{\"id\":1}\n");
    place.run(&[]).expect(&[exit::FINAL]);
    end_to_end::drops::put(&place.source(), "b.json", b"{\"empty\":{}}\n");
    let ended = place.run(&["--schema-hints", "empty string, gone int"]).expect(&[exit::FINAL]);
    let summary = ended.json();
    assert_eq!(summary["total"]["rescued_rows"], 0, "{summary}");
    let added = summary["pipelines"][0]["columns_added"].to_string();
    assert!(added.contains("empty") && added.contains("gone"), "{added}");
}

#[test]
fn a_drop_that_is_quarantined_whole_is_named_beside_one_with_many_bad_records() {
    let place = Place::new("noisy");
    let noisy = format!("{{\"id\":1}}\n{}", "bad\n".repeat(100));
    end_to_end::drops::put(&place.source(), "a.jsonl", noisy.as_bytes());
    for name in ["b.json", "c.json"] {
        end_to_end::drops::put(&place.source(), name, b"<x>");
    }
    let summary = place.run(&["--workers", "1"]).expect(&[exit::QUARANTINED]).json();
    let named = &summary["pipelines"][0]["quarantined_drops"];
    assert_eq!(named.as_array().map(Vec::len), Some(2), "{named}");
}

#[test]
fn what_status_can_tell_it_tells_beside_an_audit_table_that_cannot_be_read() {
    let place = Place::new("audit-unreadable");
    end_to_end::drops::put(&place.source(), "a.json", b"{\"id\":1}\n");
    place.run(&[]).expect(&[exit::FINAL]);
    let log = place.audit().join("_delta_log");
    fs::rename(&log, place.path("aside")).unwrap();
    fs::write(&log, "").unwrap();
    let table = place.table();
    let status = place.lithify(&["status", table.to_str().unwrap(), "--json"]).expect(&[exit::FINAL]).json();
    assert_eq!((&status["table"]["rows"], &status["table"]["audit_version"]), (&1.into(), &serde_json::Value::Null));
    assert!(status["table"]["audit_fault"].as_str().is_some_and(|fault| fault.contains("table_drops")), "{status}");
    // What landed and could not be settled is counted, and told until a run settles it.
    end_to_end::drops::put(&place.source(), "b.json", b"{\"id\":2}\n");
    place.run(&[]).expect(&[exit::FAILED]);
    fs::remove_file(&log).unwrap();
    fs::rename(place.path("aside"), &log).unwrap();
    place.run(&[]).expect(&[exit::FINAL]);
    place.lithify(&["reconcile", table.to_str().unwrap()]).expect(&[exit::FINAL]);
}

#[test]
fn an_audit_table_that_has_the_accounting_of_another_table_is_refused() {
    let place = Place::new("left-audit");
    end_to_end::drops::put(&place.source(), "a.json", b"{\"id\":1}\n");
    place.run(&[]).expect(&[exit::FINAL]);
    fs::rename(place.table(), place.path("away")).unwrap();
    for flags in [&["--name", "other"][..], &[]] {
        place.run(flags).expect(&[exit::FAILED]).tells(&["accounting of pipeline default", "move it away"]);
    }
    fs::rename(place.audit(), place.path("away_drops")).unwrap();
    place.run(&["--name", "other"]).expect(&[exit::FINAL]);
    let table = place.table();
    place.lithify(&["reconcile", table.to_str().unwrap()]).expect(&[exit::FINAL]);
}

#[test]
fn a_table_within_another_is_refused() {
    let place = Place::new("within");
    end_to_end::drops::put(&place.source(), "a.json", b"{\"id\":1}\n");
    place.run(&[]).expect(&[exit::FINAL]);
    let source = place.source();
    for inner in ["inner", "_lithify", "deep/er"] {
        let table = place.table().join(inner);
        let words = ["run", source.to_str().unwrap(), table.to_str().unwrap()];
        let told = if inner == "_lithify" { "keeps its own files in" } else { "lies within the Delta table" };
        place.lithify(&words).expect(&[exit::SETTINGS]).tells(&["TABLE", told]);
    }
    let around = place.path("");
    let words = ["run", source.to_str().unwrap(), around.to_str().unwrap()];
    place.lithify(&words).expect(&[exit::SETTINGS]).tells(&["TABLE", "lies around the Delta table"]);
    // The table itself is none of these, with and without a log.
    place.run(&[]).expect(&[exit::FINAL]);
}

#[test]
fn drops_in_quarantine_are_told_of_when_there_is_nothing_new() {
    let place = Place::new("known-quarantined");
    end_to_end::drops::put(&place.source(), "a.json", b"{\"id\":1}\n");
    end_to_end::drops::put(&place.source(), "b.csv.gz", b"<html><body>no</body></html>");
    let quarantined = place.run(&[]).expect(&[exit::QUARANTINED]);
    assert!(quarantined.stdout.contains("markup (an error page?)"), "{}", quarantined.stdout);
    let (source, table) = (place.source(), place.table());
    let ended = place.lithify(&["run", source.to_str().unwrap(), table.to_str().unwrap()]).expect(&[exit::FINAL]);
    assert!(ended.stdout.contains("Nothing new: 2 drops known already, 1 of them in quarantine."), "{}", ended.stdout);
}

#[test]
fn words_that_name_no_ledger_are_told_before_anything_is_looked_at() {
    let place = Place::new("ledger-words");
    for command in ["status", "reconcile"] {
        let wrong = place.lithify(&[command, "/nowhere", "--ledger", "zz"]);
        wrong.expect(&[exit::SETTINGS]).tells(&["--ledger", "write dynamodb://NAME"]);
        let local = place.lithify(&[command, "/nowhere", "--ledger", "dynamodb://ledger"]);
        local.expect(&[exit::SETTINGS]).tells(&["--ledger", "one in a folder keeps its own"]);
    }
}

#[test]
fn a_level_of_the_log_that_is_none_is_a_wrong_setting() {
    let place = Place::new("log-level");
    let mut command = Command::new(place::binary());
    command.arg("run").args([place.source(), place.table()]).env("LITHIFY_LOG", "bogus");
    let ended = end_to_end::process::Process::start(command, &place.path("log")).wait(end_to_end::process::PATIENCE);
    ended.expect(&[exit::SETTINGS]).tells(&["LITHIFY_LOG", "'bogus'", "debug"]);
}

#[test]
fn a_run_waits_for_a_file_that_was_just_written() {
    let place = Place::new("just-written");
    end_to_end::drops::put(&place.source(), "a.json", b"{\"id\":1}\n");
    let (source, table) = (place.source(), place.table());
    let ended = place.lithify(&["run", source.to_str().unwrap(), table.to_str().unwrap(), "--json"]);
    let total = ended.expect(&[exit::FINAL]).json()["total"].clone();
    assert_eq!((&total["drops_ingested"], &total["drops_waiting"]), (&1.into(), &0.into()), "{total}");
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
fn columns_that_do_not_fit_leave_nothing_behind() {
    let place = Place::new("columns");
    end_to_end::drops::put(&place.source(), "a.json", b"{\"id\":1,\"o\":{\"x\":1},\"t\":\"b\"}\n");
    for (flags, told) in [
        (["--partition-columns", "o"], "struct<x: bigint>"),
        (["--partition-columns", "nothing"], "no such column"),
        (["--cluster-by", "nothing"], "no such column"),
    ] {
        let ended = place.run(&flags).expect(&[exit::SETTINGS]).tells(&[told]);
        assert!(!ended.stderr.contains("Struct("), "{}", ended.stderr);
        assert!(!place.table().exists() && !place.audit().exists(), "{flags:?} left something behind");
        let (source, table) = (place.source(), place.table());
        let words =
            ["run", source.to_str().unwrap(), table.to_str().unwrap(), "--settle-time", "0s", flags[0], flags[1]];
        let ended = place.lithify(&words).expect(&[exit::SETTINGS]).tells(&[told]);
        assert_eq!(ended.stdout, "", "a summary of what was not done");
    }
    place.run(&["--partition-columns", "t"]).expect(&[exit::FINAL]);
    let script = end_to_end::checkout().join("tests/foreign_table.py");
    let foreign = place.path("foreign");
    let made = Command::new(place::python()).arg(script).arg(&foreign).status().unwrap();
    assert!(made.success(), "the script failed");
    let source = place.source();
    let words =
        ["run", source.to_str().unwrap(), foreign.to_str().unwrap(), "--append-existing", "--partition-columns", "t"];
    place.lithify(&words).expect(&[exit::SETTINGS]).tells(&["partition columns are none"]);
    assert!(foreign.exists() && !foreign.join("_lithify").exists(), "state was left in a table of others");
    // What is there stays, whatever a run is refused for.
    place.run(&["--partition-columns", "o"]).expect(&[exit::SETTINGS]).tells(&["partition columns are t"]);
    place.run(&["--partition-columns", "t"]).expect(&[exit::FINAL]);
}

#[test]
fn a_table_that_others_made_needs_consent() {
    let place = Place::new("foreign");
    let mut drops = Drops::new(&place.source(), 32);
    drops.add(10);
    let script = end_to_end::checkout().join("tests/foreign_table.py");
    let made = Command::new(place::python()).arg(&script).arg(place.table()).status().unwrap();
    assert!(made.success(), "the script failed");
    let version = reader::describe(&place.table()).unwrap().version;
    place.run(&[]).expect(&[exit::FAILED]).tells(&["--append-existing", place.table().to_str().unwrap()]);
    assert_eq!(reader::describe(&place.table()).unwrap().version, version, "the foreign table was written to");

    let (twin, source) = (place.path("twin"), place.source());
    let made = Command::new(place::python()).arg(script).arg(&twin).arg("_Source_Row").status().unwrap();
    assert!(made.success(), "the script failed");
    let words = ["run", source.to_str().unwrap(), twin.to_str().unwrap(), "--append-existing", "--settle-time", "0s"];
    place.lithify(&words).expect(&[exit::FAILED]).tells(&["_Source_Row takes the name of _source_row"]);
    assert_eq!(reader::describe(&twin).unwrap().version, 0, "a table without row columns was written to");

    place.run(&["--append-existing"]).expect(&[exit::FINAL, exit::QUARANTINED]);
    let query = [("counts", "SELECT count(*), count(_source_file) FROM rows")];
    let answer = reader::ask(reader::Engine::DuckDb, &[("rows", &place.table())], &query);
    assert_eq!(answer.integers("counts"), [drops.truth.rows + 3, drops.truth.rows], "rows of both");
}

#[test]
fn a_table_of_others_in_the_audit_tables_place_is_not_touched() {
    let place = Place::new("foreign-audit");
    Drops::new(&place.source(), 36).add(1);
    let script = end_to_end::checkout().join("tests/foreign_table.py");
    let made = Command::new(place::python()).arg(script).arg(place.audit()).status().unwrap();
    assert!(made.success(), "the script failed");
    for _ in 0..2 {
        place.run(&[]).expect(&[exit::FAILED]).tells(&[place.audit().to_str().unwrap(), "move it away"]);
    }
    assert_eq!(reader::describe(&place.audit()).unwrap().version, 0, "the foreign table was written to");
    assert!(!place.table().exists(), "a refused run made a table");
}

#[test]
fn an_audit_table_is_no_table_to_ingest_into() {
    let place = Place::new("into-audit");
    Drops::new(&place.source(), 37).add(1);
    place.run(&[]).expect(&[exit::FINAL, exit::QUARANTINED]);
    let (source, audit) = (place.source(), place.audit());
    let ended = place.lithify(&["run", source.to_str().unwrap(), audit.to_str().unwrap()]);
    ended.expect(&[exit::FAILED]).tells(&["is an audit table"]);
    assert!(!audit.join("_lithify").exists());
}

#[test]
fn a_table_whose_log_was_lost_is_told_with_its_path() {
    let place = Place::new("log-lost");
    Drops::new(&place.source(), 38).add(1);
    place.run(&[]).expect(&[exit::FINAL, exit::QUARANTINED]);
    let log = place.table().join("_delta_log");
    fs::remove_dir_all(&log).unwrap();
    place.run(&[]).expect(&[exit::FAILED]).tells(&[log.to_str().unwrap(), "restore"]);
    let status = place.lithify(&["status", place.table().to_str().unwrap(), "--json"]).expect(&[exit::FAILED]);
    status.tells(&[log.to_str().unwrap(), "restore"]);
}

#[test]
fn a_file_that_is_too_young_is_left_to_the_next_run_at_once() {
    let place = Place::new("young");
    let mut drops = Drops::new(&place.source(), 39);
    drops.add(3);
    let (source, table) = (place.source(), place.table());
    let words = ["run", source.to_str().unwrap(), table.to_str().unwrap(), "--json", "--settle-time", "1h"];
    let ended = place.lithify(&words).expect(&[exit::FINAL]);
    let summary = ended.json();
    assert_eq!(summary["total"]["drops_waiting"], 3, "{summary}");
    assert!(summary["pipelines"][0]["waiting_until"].is_string(), "{summary}");
    place.run(&[]).expect(&[exit::FINAL, exit::QUARANTINED]);
    check::exactly_once(&place, &drops);
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
    let ended = ended.expect(&[exit::FAILED]).tells(&[source.to_str().unwrap(), other.to_str().unwrap(), "--name"]);
    assert!(ended.stdout.contains("Refused: nothing was claimed or committed."), "{}", ended.stdout);
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
