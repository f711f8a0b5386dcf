//! Reports as the user sees them, line by line, and the names of their JSON fields.

use std::time::Duration;

use drops::Timestamp;
use runtime::settings::{Origin, SettingError};
use serde_json::{Value, json};

use super::summary::Tally;
use super::*;

fn busy() -> PipelineSummary {
    let mut one = PipelineSummary::new("orders", "/drops/orders", "/tables/orders");
    one.table_version = Some(12);
    one.tally = Tally {
        drops_ingested: 100_000,
        drops_known: 7,
        rows: 1_000_000,
        rescued_rows: 17,
        source_bytes: 366_000_000,
        table_bytes: 31_200_000,
        files_written: 4,
        commits: 1,
        files_merged: 120,
        files_merged_into: 3,
        files_hidden: 2,
        ..Tally::default()
    };
    (one.tally.drops_quarantined, one.tally.quarantined_records) = (1, 1);
    one.name_quarantined_drop(QuarantinedDrop { file: "bad/x.json.gz".to_owned(), reason: "bad checksum".to_owned() });
    one.name_quarantined_record(QuarantinedRecord {
        file: "a.json".to_owned(),
        line: Some(12),
        row: 11,
        reason: "no value after ':'".to_owned(),
        kept_in: "/tables/orders/_lithify/quarantine/orders/1.jsonl".to_owned(),
    });
    for file in 0..12 {
        one.add_changed(&format!("c{file}.json"));
    }
    one.add_skipped("png", 3);
    one.add_skipped("", 1);
    one.columns_added.push(ColumnAdded { column: "customer.zip".to_owned(), data_type: "string".to_owned() });
    one.conflicts.push(Conflict {
        column: "price".to_owned(),
        reason: "numbers and texts, so it is a string".to_owned(),
        remedy: "schema_hints = \"price double\"".to_owned(),
    });
    one
}

#[test]
fn what_was_refused_goes_on_from_nowhere() {
    let pipeline = |failure: Option<Failure>| {
        let mut one = PipelineSummary::new("p", "/s", "/t");
        one.tally.drops_ingested = u64::from(failure.is_none());
        one.failure = failure;
        one
    };
    let last = |pipelines: Vec<PipelineSummary>| {
        let text = summary_text::text(&RunSummary::new(pipelines, Duration::ZERO));
        text.lines().last().unwrap_or_default().to_owned()
    };
    let refused = || pipeline(Some(Failure::refusal("another source", "")));
    let broken = || pipeline(Some(Failure::new("the disk is full", "")));
    assert_eq!(last(vec![refused()]), "Refused: nothing was claimed or committed.");
    assert_eq!(
        last(vec![refused(), pipeline(None)]),
        "Refused, 1 pipeline: nothing was claimed or committed there; what the others committed stays."
    );
    assert!(last(vec![refused(), broken()]).starts_with("Failed, 2 failures: what was committed stays"));
    let mut late = refused();
    late.tally.commits = 1;
    assert_eq!(last(vec![late]), "Stopped, 1 failure: nothing more was claimed or committed.");
}

#[test]
fn every_column_in_conflict_is_named_and_further_ones_are_counted() {
    let mut one = busy();
    let conflict =
        |n| Conflict { column: format!("c{n}"), reason: "is two kinds".to_owned(), remedy: "hint".to_owned() };
    one.conflicts = (0..1_000).map(conflict).collect();
    let text = |one: &PipelineSummary| summary_text::text(&RunSummary::new(vec![one.clone()], Duration::ZERO));
    let all = text(&one);
    assert!(all.contains("    c0: is two kinds (hint)\n") && all.contains("    c999: is two kinds (hint)\n"), "{all}");
    assert!(!all.contains("more column"), "{all}");
    one.further_conflicts = 1_234;
    assert!(text(&one).contains("    and 1,234 more columns\n"));
    (one.further_conflicts, one.further_conflicts_at_least) = (1, true);
    assert!(text(&one).contains("    and at least 1 more column\n"));
}

#[test]
fn the_summary_of_one_pipeline() {
    let mut summary = RunSummary::new(vec![busy()], Duration::from_millis(2_500));
    summary.peak_memory_bytes = Some(412_000_000);
    let expected = "\
orders: /drops/orders -> /tables/orders, version 12
  drops ingested            100,000   366.0 MB read
  drops already known             7
  drops quarantined               1
  drops changed                  12   after they were ingested: ignored
  files skipped                   4   of unknown formats
  files hidden                    2   skipped for their names
  rows                    1,000,000
  rows with rescued data         17
  records quarantined             1
  files written                   4   31.2 MB written
  small files merged            120   into 3 files
  commits                         1
  time                        2.5 s   40,000 drops/s, 400,000 rows/s
  peak memory              412.0 MB
  Quarantined drops:
    bad/x.json.gz: bad checksum
  Quarantined records:
    a.json line 12 (row 11): no value after ':'
    kept in /tables/orders/_lithify/quarantine/orders/1.jsonl
  Changed after they were ingested, ignored:
    c0.json
    c1.json
    c2.json
    c3.json
    c4.json
    c5.json
    c6.json
    c7.json
    c8.json
    c9.json
    and 2 more
  Skipped by extension:
    without extension: 1
    .png: 3
    (--format json or --format csv reads the files of unknown formats as well, but no hidden and temporary ones)
  Columns added:
    customer.zip string
  Columns in conflict:
    price: numbers and texts, so it is a string (schema_hints = \"price double\")

Everything is final; 1 drop and 1 record are in quarantine.
";
    assert_eq!(summary_text::text(&summary), expected);
}

#[test]
fn a_run_that_finds_nothing_new_says_so() {
    let mut one = PipelineSummary::new("default", "/s", "/t");
    one.tally.drops_known = 3_000;
    let expected = "\
default: /s -> /t
  drops ingested               0
  drops already known      3,000
  drops quarantined            0
  rows                         0
  rows with rescued data       0
  records quarantined          0
  files written                0
  commits                      0
  time                    0.41 s

Nothing new: 3,000 drops known already.
";
    assert_eq!(summary_text::text(&RunSummary::new(vec![one], Duration::from_millis(410))), expected);
}

#[test]
fn several_pipelines_have_a_total() {
    let mut other = PipelineSummary::new("clicks", "/c", "/t");
    other.tally = Tally { drops_ingested: 5, rows: 6, commits: 1, ..Tally::default() };
    let summary = RunSummary::new(vec![busy(), other], Duration::from_secs(100));
    assert_eq!((summary.total.drops_ingested, summary.total.rows, summary.total.commits), (100_005, 1_000_006, 2));
    let text = summary_text::text(&summary);
    let total = text.split("All 2 pipelines\n").nth(1).expect("a total");
    assert!(total.contains("drops ingested             100,005   366.0 MB read\n"), "{total}");
    assert!(total.contains("1 min 40 s   1,000 drops/s, 10,000 rows/s"), "{total}");
    assert_eq!(text.matches("  time ").count(), 1, "{text}");
}

#[test]
fn the_last_line_tells_how_it_went() {
    let last = |change: &dyn Fn(&mut RunSummary)| {
        let mut summary = RunSummary::new(vec![PipelineSummary::new("a", "/s", "/t")], Duration::from_secs(1));
        change(&mut summary);
        summary_text::text(&summary).lines().last().unwrap_or_default().to_owned()
    };
    assert_eq!(last(&|_| {}), "Nothing to ingest: no drops were found.");
    assert_eq!(last(&|s| s.total.drops_known = 1), "Nothing new: 1 drop known already.");
    assert_eq!(last(&|s| s.total.drops_ingested = 1), "Everything is final.");
    assert_eq!(
        last(&|s| s.total.commits = 1),
        "Everything is final.",
        "staged by an earlier run, committed by this one"
    );
    assert!(last(&|s| s.interrupted = true).starts_with("Interrupted: "));
    assert!(last(&|s| s.total.drops_left_out = 2).starts_with("2 drops left out: "));
    assert!(last(&|s| (s.interrupted, s.watched) = (true, true)).starts_with("Watching ended: "));
    assert!(last(&|s| s.total.drops_waiting = 1).starts_with("1 drop not final yet: too young"));
    assert!(last(&|s| s.total.drops_elsewhere = 1).starts_with("1 drop not final yet: at work"));
    assert!(last(&|s| s.failure = Some(Failure::new("x", "y"))).starts_with("Failed, 1 failure: "));
    assert!(last(&|s| s.pipelines[0].failure = Some(Failure::new("x", "y"))).starts_with("Failed, 1 failure: "));
}

#[test]
fn what_waits_and_what_was_skipped_is_told_with_what_to_do() {
    let mut one = PipelineSummary::new("a", "/s", "/t");
    one.tally.drops_waiting = 2;
    one.waiting_until = Some(Moment(Timestamp(1_795_356_600_000_000)));
    for kind in ["(folder)", "~", "tmp"] {
        one.add_hidden(kind);
    }
    let text = summary_text::text(&RunSummary::new(vec![one], Duration::ZERO));
    assert!(text.contains("the last rests at 2026-11-22 14:10:00 UTC, for a run after that"), "{text}");
    assert!(text.contains("    (folder): 1\n    .tmp: 1\n    ~: 1\n"), "{text}");
    assert!(!text.contains("--format json"), "nothing of an unknown format was skipped: {text}");
}

#[test]
fn a_failure_alone_is_an_object_with_version_and_exit_code() {
    let mut written = Vec::new();
    show_failure_object(&Failure::new("broken", "mend it"), 1, &mut written).expect("written to memory");
    let value: Value = serde_json::from_slice(&written).expect("JSON");
    assert_eq!(value, json!({"format_version": 1, "exit_code": 1, "error": "broken", "help": "mend it"}));
}

#[test]
fn names_of_files_steer_no_terminal() {
    let mut one = PipelineSummary::new("a", "/s\x1b[2J", "/t");
    one.add_left_out("x\r\x1b]0;owned\x07.json", "denied\x1b[31m");
    let text = summary_text::text(&RunSummary::new(vec![one], Duration::ZERO));
    assert!(!text.contains(['\x1b', '\r', '\x07']), "{text:?}");
    assert!(text.contains("x\\r\\u{1b}]0;owned\\u{7}.json: denied\\u{1b}[31m"), "{text}");
}

#[test]
fn what_a_failed_run_read_and_did_not_commit_is_told() {
    let mut one = PipelineSummary::new("a", "/s", "/t");
    one.tally = Tally { drops_ingested: 5, drops_quarantined: 1, drops_committed: 4, ..Tally::default() };
    let text = |one: &PipelineSummary| summary_text::text(&RunSummary::new(vec![one.clone()], Duration::ZERO));
    assert!(!text(&one).contains("not committed"), "another process may have committed them");
    one.failure = Some(Failure::new("the disk is full", "free some space"));
    assert!(text(&one).contains("drops not committed          2   read and staged"), "{}", text(&one));
    one.warnings.push("the audit table was lost".to_owned());
    assert!(text(&one).contains("  Warnings:\n    the audit table was lost\n"), "{}", text(&one));
}

#[test]
fn the_json_of_a_run_keeps_its_fields() {
    let mut summary = RunSummary::new(vec![busy()], Duration::from_millis(2_500));
    summary.pipelines[0].add_left_out("l.json", "denied");
    summary.pipelines[0].failure = Some(Failure::new("broken", "mend it"));
    assert_eq!(summary.judge(), 1);
    let mut written = Vec::new();
    write_object(&summary, &mut written).expect("written to memory");
    assert_eq!(written.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
    let value: Value = serde_json::from_slice(&written).expect("JSON");
    let mut paths: Vec<String> = Vec::new();
    fields("", &value, &mut paths);
    let top = "exit_code failure format_version interrupted peak_memory_bytes pipelines seconds total";
    let tally = "commits drops_changed drops_committed drops_elsewhere drops_gone drops_ingested drops_known drops_known_quarantined drops_left_out drops_quarantined \
                 drops_waiting files_hidden files_merged files_merged_into files_of_unknown_format files_written no_files quarantined_records rescued_rows rows \
                 source_bytes table_bytes";
    let pipeline = "changed columns_added conflicts failure further_conflicts further_conflicts_at_least left_out name named_at_most quarantined_drops \
                    quarantined_records skipped_by_extension source table table_version tally waited_for waiting_until warnings";
    let below = |prefix: &str| -> Vec<&str> {
        let own = paths.iter().filter_map(|path| path.strip_prefix(prefix));
        let mut own: Vec<&str> = own.filter(|rest| !rest.is_empty() && !rest.contains('.')).collect();
        own.sort_unstable();
        own.dedup();
        own
    };
    assert_eq!(below(""), top.split_whitespace().collect::<Vec<_>>());
    assert_eq!(below("total."), tally.split_whitespace().collect::<Vec<_>>());
    assert_eq!(below("pipelines."), pipeline.split_whitespace().collect::<Vec<_>>());
    let first = &value["pipelines"][0];
    assert_eq!(first["left_out"], json!([{"file": "l.json", "reason": "denied"}]));
    assert_eq!(first["failure"], json!({"error": "broken", "help": "mend it"}));
    assert_eq!(first["columns_added"], json!([{"column": "customer.zip", "type": "string"}]));
    assert_eq!(first["skipped_by_extension"], json!({"": 1, "png": 3}));
    assert_eq!(first["changed"].as_array().map(Vec::len), Some(NAMED_AT_MOST));
    assert_eq!((&value["exit_code"], &value["seconds"]), (&json!(1), &json!(2.5)));
}

/// Every field's path, arrays left away.
fn fields(prefix: &str, value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                fields(&path, value, out);
                out.push(path);
            }
        }
        Value::Array(array) => array.iter().for_each(|value| fields(prefix, value, out)),
        _ => {}
    }
}

fn status() -> StatusReport {
    let minute = 60_000_000;
    let at = |ago: i64| Moment(Timestamp(1_795_356_600_000_000 - ago));
    let waiting = Waiting { batches: 2, drops: 30, rows: 300, staged_bytes: 123_456, oldest_age_seconds: None };
    let orders = PipelineStatus {
        name: "orders".to_owned(),
        source: "/drops/orders".to_owned(),
        drops_committed: 100_000,
        drops_staged: 29,
        drops_quarantined: 1,
        drops_unfinished: 3,
        drops_gone: 2,
        drops_not_asked_for: 0,
        quarantined_records: 4,
        waiting: waiting.with_oldest(Some(at(65_000_000).0), at(0).0),
        head: Some(12),
        unsettled: None,
        last_version: Some(1_012),
        last_commit_at: Some(at(3 * minute)),
    };
    let table = TableStatus {
        path: "/tables/orders".to_owned(),
        version: Some(1_012),
        last_commit_at: Some(at(3 * minute)),
        rows: Some(1_000_000),
        audit_version: Some(11),
        audit_fault: None,
        files: SizeDistribution::of([900 << 20, 130 << 20, 128 << 20, 1 << 20]),
    };
    StatusReport::new(at(0), table, vec![orders])
}

#[test]
fn the_status_of_a_table() {
    let expected = "\
/tables/orders, version 1,012
  last commit              2026-11-22 14:07:00 UTC, 3 min 00 s ago
  rows         1,000,000
  live files           4   1.2 GB
  audit table              version 11
  file sizes: 1.0 MB to 943.7 MB, median 136.3 MB
    below 1 MiB       0
    1 to 8 MiB        1   1.0 MB
    8 to 32 MiB       0
    32 to 128 MiB     0
    128 to 512 MiB    2   270.5 MB
    512 MiB and more  1   943.7 MB

orders: /drops/orders
  drops committed      100,000
  drops staged              29
  drops quarantined          1
  drops unfinished           3   claimed and not held by a batch: at work, or taken over by the next run
  drops gone                 2   gone from the source after they were claimed, and before they were read
  records quarantined        4
  batches waiting            2   30 drops, 300 rows, 123.5 kB, the oldest for 1 min 05 s
  head                      12   the last settled intent
  last commit            1,012   2026-11-22 14:07:00 UTC, 3 min 00 s ago
";
    assert_eq!(status_text::text(&status()), expected);
    let mut status = status();
    (status.table.audit_version, status.pipelines[0].unsettled) = (None, Some(13));
    status.pipelines[0].drops_not_asked_for = 1_200;
    let text = status_text::text(&status);
    assert!(text.contains("or gone: of 1,200 the source was not asked, or did not tell\n"), "{text}");
    assert!(text.contains("  audit table       none   it was removed"), "{text}");
    assert!(text.contains("  not settled               13   this intent is in the table"), "{text}");
}

#[test]
fn the_status_of_an_empty_table() {
    let table = TableStatus { path: "/t".to_owned(), files: SizeDistribution::of([]), ..TableStatus::default() };
    let text = status_text::text(&StatusReport::new(Moment(Timestamp(0)), table, Vec::new()));
    assert!(
        text.starts_with("/t, nothing committed yet\n  rows        not known\n  live files          0   0 bytes\n"),
        "{text}"
    );
    assert!(text.contains("No pipeline feeds it yet"), "{text}");
}

#[test]
fn moments_are_rfc_3339_in_json() {
    let value = serde_json::to_value(status()).expect("JSON");
    assert_eq!(value["at"], "2026-11-22T14:10:00Z");
    assert_eq!(value["table"]["last_commit_at"], "2026-11-22T14:07:00Z");
    assert_eq!(value["pipelines"][0]["waiting"]["oldest_age_seconds"], 65);
    assert_eq!(value["table"]["files"]["buckets"].as_array().map(Vec::len), Some(6));
    assert_eq!(serde_json::to_value(Moment(Timestamp(1_500_000))).expect("JSON"), "1970-01-01T00:00:01.5Z");
    assert!(Moment(Timestamp(i64::MAX)).to_string().contains("microseconds since 1970"));
}

#[test]
fn classes_of_size_hold_every_file_once() {
    let mebi = 1_u64 << 20;
    let sizes = [
        0,
        1,
        mebi - 1,
        mebi,
        8 * mebi - 1,
        8 * mebi,
        32 * mebi,
        128 * mebi,
        512 * mebi - 1,
        512 * mebi,
        u64::MAX >> 8,
    ];
    let found = SizeDistribution::of(sizes);
    let files: Vec<u64> = found.buckets.iter().map(|bucket| bucket.files).collect();
    assert_eq!(files, [3, 2, 1, 1, 2, 2]);
    assert_eq!(found.buckets.iter().map(|bucket| bucket.bytes).sum::<u64>(), found.bytes);
    assert_eq!((found.min_bytes, found.median_bytes, found.max_bytes), (Some(0), Some(8 * mebi), Some(u64::MAX >> 8)));
}

#[test]
fn wrong_settings_in_json_say_where_they_stand() {
    let line = Origin::Line { file: "x.toml".to_owned(), line: 3 };
    let errors = [
        SettingError::new(&Origin::Flag("--memory".to_owned()), "memory", "too little"),
        SettingError::new(&line, "table", "is no folder"),
    ];
    let value = serde_json::to_value(WrongSettings::new(&errors)).expect("JSON");
    let expected = json!([
        {"setting": "memory", "flag": "--memory", "file": null, "line": null, "problem": "too little"},
        {"setting": "table", "flag": null, "file": "x.toml", "line": 3, "problem": "is no folder"},
    ]);
    assert_eq!(value["settings"], expected);
    assert_eq!((&value["format_version"], &value["exit_code"]), (&json!(1), &json!(2)));
    assert_eq!(value["error"], "2 settings are wrong");
    assert!(value["help"].as_str().is_some_and(|help| help.contains("nothing was touched")));
}
