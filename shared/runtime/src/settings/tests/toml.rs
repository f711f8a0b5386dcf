use std::time::Duration;

use super::*;

const WHOLE: &str = r#"
memory = "1GiB"
workers = 2
target_file_size = "64MiB"
longest_delay = "1h30m"

[[pipeline]]
name = "orders"
source = "/d/a"
table = "/t"
format = "json"
compression = "gzip"
schema_hints = "price double, id string"
cluster_by = ["customer", "sku"]
partition_columns = "day, country"
target_file_size = 1048576
settle_time = "250ms"
append_existing = true

[[pipeline]]
name = "clicks"
source = "/d/b"
table = "/clicks"
z_order_by = ["x", "y"]
"#;

#[test]
fn reads_every_setting_and_shares_what_stands_at_the_top() {
    let settings = judge_file(WHOLE).expect("right");
    assert_eq!((settings.memory, settings.workers), (1 << 30, 2));
    let [orders, clicks] = settings.pipelines.as_slice() else { panic!("two pipelines") };
    assert_eq!(orders.name.as_str(), "orders");
    assert_eq!((orders.source.as_str(), orders.table.as_str()), ("/d/a", "/t"));
    assert_eq!(orders.format.map(|f| f.to_string()).as_deref(), Some("json"));
    assert_eq!(orders.compression.map(|c| c.to_string()).as_deref(), Some("gzip"));
    assert_ne!(orders.schema_hints, decode::hints::Hints::default());
    assert_eq!(orders.cluster_by, ClusterBy::Columns(vec!["customer".into(), "sku".into()]));
    assert_eq!(orders.partition_columns, ["day", "country"]);
    assert_eq!((orders.target_file_size, clicks.target_file_size), (1 << 20, 64 << 20));
    assert_eq!((orders.longest_delay, clicks.longest_delay), (Duration::from_secs(5400), Duration::from_secs(5400)));
    assert_eq!((orders.settle_time, clicks.settle_time), (Duration::from_millis(250), DEFAULT_SETTLE_TIME));
    assert!(orders.append_existing && !clicks.append_existing);
    assert_eq!((clicks.format, clicks.compression), (None, None));
    assert_eq!(clicks.cluster_by, ClusterBy::ZOrder(vec!["x".into(), "y".into()]));
}

#[test]
fn has_defaults_for_all_but_source_and_table() {
    let settings = judge_file("[[pipeline]]\nsource = '/d/a'\ntable = '/t'").expect("right");
    assert_eq!((settings.memory, settings.workers), (DEFAULT_MEMORY, 3));
    let pipeline = &settings.pipelines[0];
    assert_eq!(pipeline.name.as_str(), "default");
    assert_eq!(pipeline.target_file_size, 128 << 20);
    assert_eq!((pipeline.longest_delay, pipeline.settle_time), (DEFAULT_LONGEST_DELAY, Duration::from_secs(2)));
    assert_eq!(pipeline.cluster_by, ClusterBy::Source);
}

#[test]
fn an_inline_array_of_pipelines_is_the_same() {
    let settings = judge_file("pipeline = [{ source = '/d/a', table = '/t' }]").expect("right");
    assert_eq!(settings.pipelines.len(), 1);
}

#[test]
fn reports_everything_at_once_with_its_line() {
    let text = r#"memory = "12MiB"
wrokers = 4
source = "/d/a"

[[pipeline]]
name = "a b"
table = "/t"
format = "jsn"
cloudFiles.schemaHints = "x"
partition_columns = ["day", "_Source_File"]

[[pipeline]]
source = "/nowhere"
table = "/f"
longest_delay = 5
workers = 1
append_existing = "yes"
"#;
    let expected = [
        "x.toml:1: memory: 12 MiB is too little: give at least 256 MiB",
        "x.toml:2: wrokers: there is no such setting, did you mean 'workers'?",
        "x.toml:3: source: belongs to one pipeline: write it below a [[pipeline]] line",
        "x.toml:5: source: is missing: name the folder that drops arrive in",
        "x.toml:6: name: 'a b' cannot name a pipeline: use 1 to 64 letters, digits, '_' or '-', beginning with a letter or digit",
        "x.toml:8: format: 'jsn' is no format, did you mean 'json'? (known: json, csv)",
        "x.toml:9: cloudFiles: there is no such setting",
        "x.toml:10: partition_columns: '_Source_File' is a column that Lithify writes for each row: partition by a data column",
        "x.toml:13: source: there is no folder /nowhere",
        "x.toml:14: table: /f is no folder: name a folder, or one that is not there yet",
        "x.toml:15: longest_delay: '5' is no duration: the number 5 has no unit (d, h, m, s or ms); write it like 90s, 5m, 1h30m or 250ms",
        "x.toml:16: workers: is of the whole process: write it at the top of the file, above every [[pipeline]]",
        "x.toml:17: append_existing: must be true or false, without quotes, but this is a text",
    ];
    assert_eq!(errors(text), expected);
}

#[test]
fn a_wrong_shared_value_is_reported_once() {
    let pipelines =
        "[[pipeline]]\nname='a'\nsource='/d/a'\ntable='/t'\n[[pipeline]]\nname='b'\nsource='/d/b'\ntable='/u'\n";
    assert_eq!(errors(&format!("settle_time = '2 fortnights'\n{pipelines}")).len(), 1);
}

#[test]
fn names_the_line_of_what_is_no_toml() {
    let found = errors("memory = '1GiB'\n\n[[pipeline]\nname = 'x'\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("x.toml:3: file: this is no TOML"), "{found:?}");
    let twice = errors("workers = 1\nworkers = 2\n");
    assert!(twice[0].starts_with("x.toml:2: file: this is no TOML"), "{twice:?}");
}

#[test]
fn says_how_pipelines_are_written() {
    for single in ["[pipeline]\nname = 'x'", "[pipeline.orders]\nsource = '/d/a'", "pipeline = 3", "pipeline = ['x']"] {
        let found = errors(single);
        assert!(found.len() == 1 && found[0].contains("write [[pipeline]] with two brackets"), "{found:?}");
    }
    for empty in ["", "# nothing\n", "pipeline = []"] {
        let found = errors(empty);
        assert!(found.len() == 1 && found[0].starts_with("x.toml:1: pipeline: there is no pipeline"), "{found:?}");
    }
    assert!(errors("[[pipelines]]\nname = 'x'")[0].contains("did you mean 'pipeline'?"));
    assert_eq!(errors("target_file_size = 1").len(), 2, "a shared value is checked where there is no pipeline, too");
}

#[test]
fn wrong_kinds_are_named() {
    let cases = [
        ("name = 3", "must be a text in quotes, but this is integer"),
        ("format = true", "must be a text in quotes, but this is boolean"),
        ("schema_hints.price = 'double'", "must be a text in quotes, but this is table"),
        (
            "cluster_by = [1]",
            "must be a list of names such as [\"day\", \"customer\"], but this is a list of other things",
        ),
        ("z_order_by = 1", "must be a list of names"),
        ("target_file_size = 1.5", "must be a size such as \"128MiB\", but this is a number with a point"),
        ("settle_time = [1]", "must be a duration such as \"5m\""),
        ("append_existing = 1", "must be true or false"),
    ];
    for (line, problem) in cases {
        let found = error_of(line);
        assert!(found.starts_with("x.toml:4: ") && found.contains(problem), "{line}: {found}");
    }
}

#[test]
fn relative_paths_begin_at_the_files_folder() {
    let text = "[[pipeline]]\nsource = 'in/x'\ntable = '/abs'\n[[pipeline]]\nsource = 's3://bucket/x'\ntable = ''\n";
    let raw = file::read(text, "conf/lithify.toml").expect("TOML");
    let path = |given: &Option<Given<String>>| given.as_ref().map(|given| given.value.clone());
    assert_eq!(path(&raw.pipelines[0].source).as_deref(), Some("conf/in/x"));
    assert_eq!(path(&raw.pipelines[0].table).as_deref(), Some("/abs"));
    assert_eq!(path(&raw.pipelines[1].source).as_deref(), Some("s3://bucket/x"));
    assert_eq!(path(&raw.pipelines[1].table).as_deref(), Some(""));
    let here = file::read(text, "lithify.toml").expect("TOML");
    assert_eq!(path(&here.pipelines[0].source).as_deref(), Some("in/x"));
}

#[test]
fn flags_lie_over_the_files_values() {
    let raw = file::read(WHOLE, "x.toml").expect("TOML");
    let mut flags = RawPipeline::new(Origin::Absent);
    flags.z_order_by = Some(Given::by_flag("--z-order-by", vec!["q".to_owned()]));
    flags.longest_delay = Some(Given::by_flag("--longest-delay", "7s".to_owned()));
    let pipelines = raw.pipelines.iter().map(|own| own.clone().overlay(&flags)).collect();
    let settings = judge(&RawSettings { pipelines, ..raw }).expect("right");
    for pipeline in &settings.pipelines {
        assert_eq!(pipeline.cluster_by, ClusterBy::ZOrder(vec!["q".into()]), "the file's own order is gone");
        assert_eq!(pipeline.longest_delay, Duration::from_secs(7), "a flag is stronger than a shared value");
    }
}

#[test]
fn what_is_a_flag_only_says_so() {
    let found =
        judge_file("watch = true\n[[pipeline]]\nsource = '/d/a'\ntable = '/t'\nevery = '5m'\n").expect_err("wrong");
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(matches!(&found[..], [one, two] if one.contains("--watch") && two.contains("--every")), "{found:?}");
}

#[test]
fn columns_are_named_as_the_table_has_them() {
    for (name, words) in [("`day`", "backticks"), ("a b", "'a_b'"), ("a\\u0001b", "'a_b'")] {
        let text = format!("[[pipeline]]\nsource = '/d/a'\ntable = '/t'\ncluster_by = [\"{name}\"]\n");
        let found = judge_file(&text).expect_err("wrong");
        assert!(found.len() == 1 && found[0].to_string().contains(words), "{name}: {found:?}");
    }
}
