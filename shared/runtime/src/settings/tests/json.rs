use super::*;
use crate::settings::json;

const WHOLE: &str = r#"{
  "ledger": "dynamodb://lithify-orders",
  "queue": "https://sqs.eu-central-1.amazonaws.com/123456789012/lithify",
  "large_queue": "https://sqs.eu-central-1.amazonaws.com/123456789012/lithify-large",
  "dead_letter_queue": "https://sqs.eu-central-1.amazonaws.com/123456789012/lithify-dead",
  "large_drop_size": "32MiB",
  "target_file_size": "64MiB", "longest_delay": "10m",
  "pipelines": [
    { "name": "orders", "source": "s3://vendor-drops/orders", "table": "s3://lake/tables/orders/",
      "format": "json", "compression": "gzip", "schema_hints": "price double", "cluster_by": ["a"], "z_order_by": null,
      "partition_columns": [], "target_file_size": "128MiB", "longest_delay": null, "append_existing": false,
      "overwrites": "ingest" },
    { "name": "clicks", "source": "s3://vendor-clicks", "table": "s3://lake/tables/clicks" }
  ]
}"#;

fn judge_object(text: &str) -> Result<Settings, Vec<String>> {
    let judged = json::read(text, "s3://b/settings.json").and_then(|raw| judge(&raw));
    judged.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// The verdict over pipelines that are right but for these members.
fn pipelines(all: &[&str]) -> Result<Settings, Vec<String>> {
    judge_object(&format!(
        r#"{{"ledger":"dynamodb://ledger","queue":"https://sqs/1/q","pipelines":[{}]}}"#,
        all.iter().map(|members| format!("{{{members}}}")).collect::<Vec<_>>().join(",")
    ))
}

#[test]
fn reads_every_setting() {
    let settings = judge_object(WHOLE).expect("right");
    let aws = settings.aws.expect("given");
    let queues = aws.queues.expect("given");
    assert_eq!((aws.ledger.as_str(), queues.large_drop_size), ("lithify-orders", 32 << 20));
    assert!(queues.queue.ends_with("/lithify") && queues.large_queue.is_some() && queues.dead_letter_queue.is_some());
    let [orders, clicks] = settings.pipelines.as_slice() else { panic!("two pipelines") };
    assert_eq!(
        (orders.source.as_str(), orders.table.as_str()),
        ("s3://vendor-drops/orders/", "s3://lake/tables/orders")
    );
    assert_eq!((clicks.source.as_str(), clicks.table.as_str()), ("s3://vendor-clicks/", "s3://lake/tables/clicks"));
    assert_eq!((orders.overwrites, clicks.overwrites), (Overwrites::Ingest, Overwrites::Ignore));
    assert_eq!((orders.target_file_size, clicks.target_file_size), (128 << 20, 64 << 20));
    assert_eq!((orders.longest_delay.as_secs(), clicks.longest_delay.as_secs()), (600, 600));
    assert_eq!((&orders.cluster_by, &clicks.cluster_by), (&ClusterBy::Columns(vec!["a".into()]), &ClusterBy::Source));
    assert!(orders.partition_columns.is_empty());
}

#[test]
fn reports_everything_at_once_with_its_path() {
    let text = r#"{
      "queue": "lithify", "dead_letter_queue": "https://sqs/1/x", "large_queue": "https://sqs/1/x", "memory": "1GiB",
      "overwrites": "ignore", "target_file_size": 1.5,
      "pipelines": [
        { "name": "a", "source": "/folder/", "table": "s3://L/t", "format": "jsn", "overwrites": "keep" },
        { "name": "b", "source": "s3://vendor/b/", "table": "s3://lake", "shema_hints": "x", "queue": "q", "append_existing": "yes" },
        7
      ]
    }"#;
    let found = judge_object(text).expect_err("wrong");
    let expected = [
        "s3://b/settings.json: memory: there is no such setting",
        "s3://b/settings.json: overwrites: belongs to one pipeline: write it into one of \"pipelines\"",
        "s3://b/settings.json: target_file_size: must be a size such as \"128MiB\", but this is a number with a point",
        "s3://b/settings.json: queue: 'lithify' is no queue's address: write its URL, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME",
        "s3://b/settings.json: ledger: is missing: write dynamodb://NAME",
        "s3://b/settings.json: dead_letter_queue: is the large_queue as well: name another one",
        "s3://b/settings.json: pipelines[a].format: 'jsn' is no format, did you mean 'json'? (known: json, csv)",
        "s3://b/settings.json: pipelines[a].overwrites: 'keep' is nothing to do (known: ignore, ingest)",
        "s3://b/settings.json: pipelines[a].source: /folder/ is not on S3: write s3://BUCKET/PREFIX/",
        "s3://b/settings.json: pipelines[a].table: 'L' can be no bucket: 3 to 63 of a-z 0-9 . -, with a letter or digit at both ends",
        "s3://b/settings.json: pipelines[b].append_existing: must be true or false, without quotes, but this is a text",
        "s3://b/settings.json: pipelines[b].queue: is of all pipelines: write it beside \"pipelines\"",
        "s3://b/settings.json: pipelines[b].shema_hints: there is no such setting, did you mean 'schema_hints'?",
        "s3://b/settings.json: pipelines[b].table: s3://lake names no folder in the bucket: write s3://lake/NAME",
        "s3://b/settings.json: pipelines[2].pipeline: must be an object, but this is a number",
        "s3://b/settings.json: pipelines[2].source: is missing: name the folder that drops arrive in",
        "s3://b/settings.json: pipelines[2].table: is missing: name the folder of the Delta table, which is made if it is not there",
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_is_no_object_is_said_to_be_none() {
    for (text, problem) in
        [("{", "this is no JSON"), ("[]", "must be an object"), (r#"{"pipelines":{}}"#, "must be a list of objects")]
    {
        let found = judge_object(text).expect_err(text);
        assert!(found.iter().any(|error| error.contains(problem)), "{found:?}");
    }
    let found = judge_object(r#"{"ledger":"dynamodb://ledger","queue":"https://sqs/1/q"}"#).expect_err("no pipeline");
    assert_eq!(found, ["s3://b/settings.json: pipelines: there is no pipeline: each has a name, a source and a table"]);
}

#[test]
fn places_on_s3_are_apart() {
    let one =
        |name: &str, source: &str, table: &str| format!(r#""name":"{name}","source":"{source}","table":"{table}""#);
    let cases = [
        (
            one("a", "s3://vendor/o", "s3://lake/t"),
            one("b", "s3://vendor/o/deep/", "s3://lake/u"),
            "pipelines[b].source: overlaps the source s3://vendor/o/ (pipelines[a])",
        ),
        (
            one("a", "s3://vendor/", "s3://lake/t"),
            one("b", "s3://vendor/x/", "s3://lake/u"),
            "overlaps the source s3://vendor/",
        ),
        (
            one("a", "s3://vendor/o", "s3://lake/t"),
            one("b", "s3://vendor/o/x", "s3://lake/t"),
            "pipelines[b].source: shares files with the source s3://vendor/o/",
        ),
        (
            one("a", "s3://vendor/o", "s3://lake/t"),
            one("b", "s3://lake/", "s3://other/u"),
            "pipelines[a].table: s3://lake/t lies inside the source s3://lake/ (pipelines[b])",
        ),
        (
            one("a", "s3://vendor/o", "s3://lake/t"),
            one("b", "s3://lake/t_drops/x", "s3://other/u"),
            "pipelines[a].table: s3://lake/t_drops holds the source s3://lake/t_drops/x/ (pipelines[b])",
        ),
        (
            one("a", "s3://vendor/o", "s3://lake/t"),
            one("b", "s3://vendor/p", "s3://lake/t/inner"),
            "pipelines[b].table: overlaps the table s3://lake/t",
        ),
    ];
    for (first, second, problem) in cases {
        let found = pipelines(&[&first, &second]).expect_err(problem);
        assert!(found.len() == 1 && found[0].contains(problem), "{found:#?}");
    }
    let own = pipelines(&[&one("a", "s3://lake/", "s3://lake/t")]).expect_err("inside");
    assert!(own.len() == 1 && own[0].contains("lies inside the source"), "{own:?}");
    assert!(
        pipelines(&[&one("a", "s3://vendor/o", "s3://lake/t"), &one("b", "s3://vendor/o2/", "s3://lake/t")]).is_ok()
    );
    assert!(pipelines(&[&one("a", "s3://vendor//o", "s3://lake/t")]).is_err(), "a part without a name");
}

#[test]
fn a_table_on_s3_needs_a_named_ledger() {
    let found = errors("[[pipeline]]\nsource='s3://vendor/o'\ntable='s3://lake/t'\noverwrites='ingest'\n");
    assert!(
        found.len() == 1 && found[0].starts_with("x.toml:3: table: is on S3, where a table has no ledger"),
        "{found:?}"
    );
    let settings =
        judge_file("ledger = 'dynamodb://ledger'\n[[pipeline]]\nsource='s3://vendor/o'\ntable='s3://lake/t'")
            .expect("right");
    assert_eq!(settings.aws, Some(Aws { ledger: "ledger".into(), queues: None }));
    assert!(error_of("overwrites = 'ingest'").contains("is for sources on S3"));
    let found = errors("ledger = 'dynamodb://ledger'\n[[pipeline]]\nsource='s3://vendor/o'\ntable='t'");
    assert!(found.len() == 1 && found[0].starts_with("x.toml:1: ledger: is for tables on S3"), "{found:?}");
}

#[test]
fn a_build_without_s3_says_so() {
    let raw = json::read(WHOLE, "x").expect("JSON");
    let found = check(&raw, &Surroundings { processors: 1, s3: false, look: &look }).expect_err("no S3");
    assert!(found.len() == 4 && found.iter().all(|error| error.problem.contains("works on folders only")), "{found:?}");
}
