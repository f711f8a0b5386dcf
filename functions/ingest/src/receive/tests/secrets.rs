//! No payload is in a log, whatever goes wrong and however much is logged, and of names no more than their beginnings.
//!
//! The flow runs in a process of its own, whose whole output is read: what drops hold, what messages hold that are not understood, and
//! the ends of long names are marked, and no mark may be there. Credentials are `lambda/tests.rs`.

use std::process::Command;

use drops::notification::forward;
use runtime::telemetry;

use super::world::*;

/// What every payload here holds.
const PAYLOAD: &str = "PAYLOAD-4711";

/// What ends every name that is longer than a log shows.
const END: &str = "END-OF-A-NAME";

/// What columns are called that come after as many as a log names.
const FURTHER: &str = "further-than-named";

/// Set in the process that logs.
const INSIDE: &str = "LITHIFY_TEST_LOGS";

/// The flow over drops and messages of every fate, with everything logged.
#[tokio::test]
async fn inside() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    telemetry::log(Some("trace"));
    let mut world = World::new().await;
    let p = PAYLOAD;
    // Members that are used as keys, in a batch of their own: the table is made already, so these are news.
    let long = format!("customer\\n{}{END}", "k".repeat(60));
    let further: String = (0..40).map(|at| format!(",\"z-{FURTHER}-{at}\":1")).collect();
    let keys = format!("{{\"a\":\"{p}\",\"{long}\":{{\"{long}\":1,\"m{long}\":\"{p}\"}},\"b\":1,\"c\":1{further}}}\n");
    world.drop("orders/keys.json", keys);
    assert_eq!(world.deliver().await, 0);
    let drops = [
        ("good.json", format!("{{\"a\":\"{p}\",\"x\":1}}\n")),
        ("clash.json", format!("{{\"{long}\":\"{p}\",\"b\":\"{p}\"}}\n")),
        ("conflict.json", format!("{{\"a\":1,\"b\":\"{p}\"}}\n{{\"a\":[\"{p}\"],\"b\":{{\"c\":\"{p}\"}}}}\n")),
        ("bad.json", format!("{{\"a\":\"{p}\"}}\n{{\"{p}\":\n{p}\n[\"{p}\"]\n")),
        ("array.json", format!("[{{\"a\":\"{p}\"}},{{\"a\":{p}}}]")),
        ("good.csv", format!("a,b\n{p},1\n{p}\n\"{p}\"x,2\n")),
        ("header.csv", format!("\"{p}\"x,b\n1,2\n")),
        ("damaged.json.gz", format!("\x1f{p}")),
        ("denied.json", format!("{{\"a\":\"{p}\"}}")),
        ("deadly.json", format!("{{\"a\":\"{p}\"}}")),
        ("large.json", format!("{{\"a\":\"{}\"}}", p.repeat(20_000))),
    ];
    for (name, content) in drops {
        world.drop(&format!("orders/{name}"), content);
    }
    world.change("orders/denied.json", |object| object.denied = 1);
    world.change("orders/deadly.json", |object| object.deadly = true);
    let gone = world.put("orders/gone.json", PAYLOAD);
    world.message(&forward(&gone));
    world.remove("orders/gone.json");
    for body in [p.to_owned(), format!("\"{p}\""), format!("{{\"Type\":\"{p}\"}}"), format!("{{\"Records\":\"{p}\"}}")]
    {
        world.message(&body);
    }
    for _ in 0..4 {
        world.deliver().await;
        world.clock.pass(CLAIM_TIME);
    }
    let _ = world.invoke(&format!("{{\"Records\":[{{\"eventSource\":\"aws:sqs\",\"body\":[\"{p}\"]}}]}}")).await;
    assert!(world.held().await.1 > 0);
    println!("the flow is through");
}

#[test]
fn logs_hold_no_payload_and_of_names_their_beginnings() {
    let name = "receive::tests::secrets::inside";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(output.status.success() && told.contains("the flow is through"), "{told}");
    let lines: Vec<&str> = told.lines().filter(|line| line.starts_with('{') && line.contains("\"level\"")).collect();
    // It logs: of a drop that was left out, of messages that are buried, of columns.
    for word in [
        "denied.json",
        "dead-letter queue",
        "a column was added",
        "so many further columns were added",
        "the values of a column did not agree",
        "\"ERROR\"",
        "\"WARN\"",
        "\"INFO\"",
        // The beginning of a long name.
        "kkkkkkkk...\"",
    ] {
        assert!(lines.iter().any(|line| line.contains(word)), "nothing is logged of {word}:\n{}", lines.join("\n"));
    }
    for mark in [PAYLOAD, END] {
        let found: Vec<&str> = told.lines().filter(|line| line.contains(mark)).collect();
        assert!(found.is_empty(), "{mark} is in the log:\n{}", found.join("\n"));
    }
    let named = lines.iter().filter(|line| line.contains(FURTHER)).count();
    assert!(named <= 5, "{named} columns of those that come late are in the log:\n{}", lines.join("\n"));
}
