//! What the function's log says of drops and batches: the fields that people and programs look for.

use std::process::Command;

use ledger::Ledger;
use runtime::telemetry;
use serde_json::{Value, json};

use super::world::*;

/// Set in the process that logs.
const INSIDE: &str = "LITHIFY_TEST_LOG_FIELDS";

/// One batch of drops of every fate, logged as a function is that nobody asked for more.
#[tokio::test]
async fn inside() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    println!();
    telemetry::log(None);
    let mut world = World::new().await;
    world.drop("orders/good.json", "{\"a\":1}\n{\"a\":2}\n");
    world.drop("orders/bad.json", "{\"a\":3}\n{\"a\":\n");
    world.drop("orders/damaged.json.gz", "\x1fdamaged");
    world.drop("orders/denied.json", "{\"a\":4}\n");
    world.change("orders/denied.json", |object| object.denied = 9);
    assert_eq!(world.deliver().await, 1);
    let batches = world.ledger.batches(&"orders".parse().unwrap(), None, 10).await.unwrap();
    let sealed: Vec<_> = batches.iter().filter(|(_, record)| record.sealed().is_some()).collect();
    let [(batch, _)] = sealed.as_slice() else { panic!("{batches:?}") };
    println!("the batch is {batch}");
}

#[test]
fn lines_name_drop_batch_and_fence() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "receive::tests::logs::inside", "--nocapture"])
        .env(INSIDE, "1")
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let batch = told.lines().find_map(|line| line.strip_prefix("the batch is ")).unwrap_or_else(|| panic!("{told}"));
    let lines: Vec<Value> = told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let said = |message: &str| -> Vec<&Value> { lines.iter().filter(|line| line["message"] == message).collect() };
    let holds = |line: &Value, fields: Value| {
        for (name, wanted) in fields.as_object().unwrap() {
            assert_eq!(&line[name], wanted, "{name} of {line}");
        }
    };

    let sealed = said("sealed");
    assert_eq!(sealed.len(), 1, "{told}");
    let counts = json!({ "drops": 3, "rows": 3, "quarantined_drops": 1, "quarantined_records": 1, "left_out": 1 });
    holds(sealed[0], json!({ "level": "INFO", "pipeline": "orders", "batch": batch, "fence": "sealed" }));
    holds(sealed[0], counts);
    assert!(sealed[0]["manifest"].as_str().unwrap().contains(batch), "{}", sealed[0]);

    let quarantined = said("quarantined");
    assert_eq!(quarantined.len(), 2, "{told}");
    let of = |key: &str| *quarantined.iter().find(|line| line["drop"].as_str().unwrap().ends_with(key)).unwrap();
    let (bad, damaged) = (of("s3://vendor/orders/bad.json"), of("s3://vendor/orders/damaged.json.gz"));
    holds(bad, json!({ "level": "WARN", "pipeline": "orders", "batch": batch, "row": 1 }));
    holds(damaged, json!({ "level": "WARN", "pipeline": "orders", "batch": batch, "row": null }));
    for line in quarantined {
        assert!(!line["reason"].as_str().unwrap().is_empty(), "{line}");
    }

    let left_out = said("left out, to come again");
    assert_eq!(left_out.len(), 1, "{told}");
    holds(left_out[0], json!({ "level": "WARN", "pipeline": "orders", "why": "AccessDenied" }));
    assert!(left_out[0]["drop"].as_str().unwrap().ends_with("orders/denied.json"), "{}", left_out[0]);
}
