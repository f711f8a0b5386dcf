//! What the functions may do on AWS is what their code does, no more and no less.
//!
//! The calls are found in the sources of each function and of every crate that it links (`client.OPERATION()` of the SDK's clients; what
//! `lake` sends through object_store), the allowed actions in infra's policies, and each is held against the other. An operation that is
//! not known here fails the test: it needs a row in [`ACTIONS`], and a look at who may do it. So does a request that is sent by a call
//! that is not found: a file has as many of the one as of the other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What IAM asks for an operation ("Actions, resources, and condition keys" of each service in the Service Authorization Reference).
const ACTIONS: &[(&str, &[&str])] = &[
    ("abort_multipart_upload", &["s3:AbortMultipartUpload"]),
    ("batch_get_item", &["dynamodb:BatchGetItem"]),
    ("change_message_visibility_batch", &["sqs:ChangeMessageVisibility"]),
    ("complete_multipart_upload", &["s3:PutObject"]),
    ("create_multipart_upload", &["s3:PutObject"]),
    ("delete_object", &["s3:DeleteObject"]),
    ("describe_table", &["dynamodb:DescribeTable"]),
    ("get_item", &["dynamodb:GetItem"]),
    ("get_object", &["s3:GetObject"]),
    ("head_object", &["s3:GetObject"]),
    ("list_objects_v2", &["s3:ListBucket"]),
    ("put_item", &["dynamodb:PutItem"]),
    ("put_object", &["s3:PutObject"]),
    ("query", &["dynamodb:Query"]),
    ("send_message_batch", &["sqs:SendMessage"]),
    // A transaction is allowed by what it holds: puts, deletes and checks are all that the ledger's have.
    ("transact_write_items", &["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:PutItem"]),
    ("upload_part", &["s3:PutObject"]),
];

/// What only the command line asks: whole ledgers are read for reports, and one is made for tests; `status` looks for versions, `run` lists them.
const NO_FUNCTION: [&str; 3] = ["scan", "create_table", "list_object_versions"];

/// What does so.
const NO_FUNCTION_ASKS: [&str; 5] = [".batches(", ".count_claims(", "create_table(", ".is_gone(", ".with_versions("];

/// What an SDK's client is called, as a variable or as a field.
const CLIENTS: [&str; 4] = ["client", "s3", "sqs", "dynamodb"];

/// What AWS itself does in a function's name: Lambda takes messages from the queue and writes the log, S3 and SQS use the key.
const BY_AWS: [&str; 7] = [
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
];

fn root() -> PathBuf {
    end_to_end::checkout()
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The sources below a folder, by their paths, those of tests left out.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        let is = |names: &[&str]| path.file_name().is_some_and(|own| names.iter().any(|name| own == *name));
        if path.is_dir() {
            if !is(&["tests", "examples", "benches", "target"]) {
                texts.extend(sources(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is(&["tests.rs"]) {
            let text = fs::read_to_string(&path).unwrap();
            let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            texts.push((path.clone(), product.to_owned()));
        }
    }
    texts
}

/// The folder of a function and those of all crates of ours that it links, whatever its features.
fn linked(function: &str) -> Vec<String> {
    let mut folders = vec![format!("functions/{function}")];
    let mut at = 0;
    while let Some(folder) = folders.get(at).cloned() {
        let manifest = text(&format!("{folder}/Cargo.toml"));
        let names = manifest.split("[dev-dependencies]").next().unwrap_or_default().lines();
        for name in names.filter_map(|line| line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty())) {
            let shared = format!("shared/{name}");
            if root().join(&shared).join("Cargo.toml").exists() && !folders.contains(&shared) {
                folders.push(shared);
            }
        }
        at += 1;
    }
    assert!(folders.iter().any(|folder| folder == "shared/ledger"), "manifests are no longer read right: {folders:?}");
    folders
}

/// The SDK's operations that a file calls, each as often as it does.
fn operations_of(text: &str) -> Vec<String> {
    // A call may be broken over lines, and words about one are none.
    let flat: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let flat: String = flat.split_whitespace().collect();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in flat.match_indices('.') {
        let (before, rest) = (&flat[..at], &flat[at + 1..]);
        let name: String = rest.chars().take_while(|c| word(*c)).collect();
        let receiver = &before[before.trim_end_matches(word).len()..];
        let known = || ACTIONS.iter().map(|(name, _)| *name).chain(["create_table"]).any(|known| known == name);
        // All operations are made without arguments. What is named like one is one, whatever its client is called, but for a word as common
        // as `query`; these are none.
        let asks = CLIENTS.contains(&receiver) || (known() && name != "query");
        if asks && rest[name.len()..].starts_with("()") && !["build", "clone", "config", "get"].contains(&name.as_str())
        {
            found.push(name);
        }
    }
    found
}

/// The SDK's operations that a crate calls.
fn operations(folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (path, text) in sources(&root().join(folder)) {
        let calls = operations_of(&text);
        let flat: String = text.split_whitespace().collect();
        let sent = flat.matches(".send()").count();
        let path = path.display();
        assert_eq!(
            sent,
            calls.len(),
            "{path} sends {sent} requests by the calls {calls:?}: is one written in another way?"
        );
        found.extend(calls);
    }
    found
}

/// The actions that these crates need.
fn needed(folders: &[String]) -> BTreeSet<String> {
    let mut actions = BTreeSet::new();
    for folder in folders {
        let has_such = ["shared/ledger", "shared/store"].contains(&folder.as_str());
        let exempt = |operation: &str| has_such && NO_FUNCTION.contains(&operation);
        for operation in operations(folder).iter().filter(|operation| !exempt(operation)) {
            let known = ACTIONS.iter().find(|(name, _)| name == operation);
            let (_, needed) = known.unwrap_or_else(|| panic!("{folder} calls {operation}: which action does it need?"));
            actions.extend(needed.iter().map(|action| (*action).to_owned()));
        }
    }
    assert!(!actions.is_empty(), "{folders:?} call nothing: are their calls written in another way?");
    actions
}

/// What the log needs on S3, by the names that it counts its requests under.
fn needed_by_the_log() -> BTreeSet<String> {
    let counted = text("shared/lake/src/s3/connector.rs");
    let map = counted.split("match method {").nth(1).and_then(|rest| rest.split("_ =>").next()).expect("the requests");
    // No function of ours deletes by list.
    let names = map.split('"').filter(|word| word.ends_with("Object") || word.starts_with("List"));
    let action = |name: &str| match name {
        "ListObjectsV2" => "s3:ListBucket",
        "GetObject" | "HeadObject" => "s3:GetObject",
        "PutObject" => "s3:PutObject",
        "DeleteObject" => "s3:DeleteObject",
        other => panic!("the log sends {other}"),
    };
    names.map(|name| action(name).to_owned()).collect()
}

/// The actions in the part of a Terraform file that begins with `name =` and ends with its last bracket.
fn allowed(file: &str, name: &str) -> BTreeSet<String> {
    let text = text(file);
    let start = text.find(&format!("\n  {name} = ")).unwrap_or_else(|| panic!("{file} has no {name}"));
    let rest = &text[start..];
    let (mut depth, mut end) = (0_i32, rest.len());
    for (at, c) in rest.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth -= 1;
                if depth == 0 {
                    end = at;
                    break;
                }
            }
            _ => {}
        }
    }
    let services = ["dynamodb:", "kms:", "logs:", "s3:", "sqs:"];
    let words = rest[..end].split('"').skip(1).step_by(2);
    // `s3:prefix` is a condition's key.
    let actions = words.filter(|word| services.iter().any(|service| word.starts_with(service)) && *word != "s3:prefix");
    actions.map(str::to_owned).collect()
}

fn all_of(sets: &[BTreeSet<String>]) -> BTreeSet<String> {
    sets.iter().flatten().cloned().collect()
}

fn check(function: &str, needed: &BTreeSet<String>, allowed: &BTreeSet<String>) {
    let missing: Vec<_> = needed.difference(allowed).collect();
    assert!(missing.is_empty(), "{function} calls what its policy does not allow: {missing:?}");
    let unused: Vec<_> = allowed.difference(needed).filter(|action| !BY_AWS.contains(&action.as_str())).collect();
    assert!(unused.is_empty(), "{function} may do what it never does: {unused:?}");
}

#[test]
fn ingest_may_do_what_it_does() {
    let mut needed = needed(&linked("ingest"));
    // An overwritten object is read by its version; without leave to list, S3 does not tell a missing object or version from a denied one.
    needed.extend(["s3:GetObjectVersion", "s3:ListBucket", "s3:ListBucketVersions"].map(str::to_owned));
    // Only marking batches as committed deletes, in their list: the compactor does that.
    needed.remove("dynamodb:DeleteItem");
    let lists = allowed("infra/policies.tf", "list_statements");
    let own = allowed("infra/policies.tf", "ingest_statements");
    let shared = allowed("infra/policies.tf", "shared_statements");
    let log = allowed("infra/modules/function/main.tf", "policy");
    check("ingest", &needed, &all_of(&[lists, own, shared, log]));
}

#[test]
fn the_compactor_may_do_what_it_does() {
    let needed = all_of(&[needed(&linked("compactor")), needed_by_the_log()]);
    let mut lists = allowed("infra/policies.tf", "list_statements");
    assert!(lists.remove("s3:ListBucketVersions"), "ingest alone looks at versions");
    let own = allowed("infra/policies.tf", "compactor_statements");
    let shared = allowed("infra/policies.tf", "shared_statements");
    let log = allowed("infra/modules/function/main.tf", "policy");
    check("compactor", &needed, &all_of(&[lists, own, shared, log]));
}

#[test]
fn every_function_and_every_shared_crate_is_looked_at() {
    let names = |folder: &str| -> BTreeSet<String> {
        fs::read_dir(root().join(folder)).unwrap().map(|one| one.unwrap().file_name().into_string().unwrap()).collect()
    };
    let functions = names("functions");
    assert_eq!(
        functions,
        ["compactor", "ingest"].map(str::to_owned).into(),
        "a function has a policy, and a test here"
    );
    let looked_at: BTreeSet<String> = functions.iter().flat_map(|function| linked(function)).collect();
    for name in names("shared") {
        // What only the command line links calls nothing by itself.
        let folder = format!("shared/{name}");
        assert!(
            looked_at.contains(&folder) || operations(&folder).is_empty(),
            "{folder} calls AWS, and no function links it"
        );
    }
}

#[test]
fn no_function_asks_for_what_only_the_command_line_does() {
    let folders = ["ingest", "compactor"].into_iter().flat_map(linked).filter(|folder| folder != "shared/ledger");
    for (path, text) in folders.flat_map(|folder| sources(&root().join(folder))) {
        for asks in NO_FUNCTION_ASKS {
            assert!(!text.contains(asks), "{} has `{asks}`: only the command line does that", path.display());
        }
    }
}

#[test]
fn calls_are_found_however_they_are_written() {
    let ledger = operations("shared/ledger");
    for name in ["transact_write_items", "scan", "get_item", "query"] {
        assert!(ledger.contains(name), "{name} is not among {ledger:?}");
    }
    for (text, found) in [
        ("self.clients.sqs.purge_queue().queue_url(q)", &["purge_queue"][..]),
        ("clients\n    .dynamodb\n    .scan()\n", &["scan"]),
        ("let other = clients.s3.clone(); other.delete_object()", &["delete_object"]),
        ("// client.put_object()\nclient.config().retry(); uri.query(); map.put_item(x)", &[]),
    ] {
        assert_eq!(operations_of(text), found, "{text}");
    }
}
