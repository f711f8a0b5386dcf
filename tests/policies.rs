//! What the functions may do on AWS is what their code does, no more and no less.
//!
//! The calls are found in the sources (`client.OPERATION()` of the SDK's clients; what `lake` sends through object_store), the allowed
//! actions in infra's policies, and each is held against the other. An operation that is not known here fails the test: it needs a row in
//! [`ACTIONS`], and a look at who may do it.

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

/// What only the command line calls: whole tables are read for reports, and a ledger is made for tests.
const NO_FUNCTION: [&str; 2] = ["scan", "create_table"];

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
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The sources below a folder, those of tests left out.
fn sources(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "tests") {
                texts.extend(sources(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push(fs::read_to_string(&path).unwrap());
        }
    }
    texts
}

/// The SDK's operations that a crate calls.
fn operations(folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for text in sources(&root().join(folder)) {
        // A call may be broken over lines.
        let flat: String = text.split_whitespace().collect();
        for client in ["client.", "clients.s3.", "clients.sqs.", "clients.dynamodb."] {
            for (at, _) in flat.match_indices(client) {
                let rest = &flat[at + client.len()..];
                let name: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || "_2".contains(*c)).collect();
                // All operations are made without arguments; these two are none.
                if rest[name.len()..].starts_with("()") && !["clone", "config"].contains(&name.as_str()) {
                    found.insert(name);
                }
            }
        }
    }
    found
}

/// The actions that these crates need.
fn needed(folders: &[&str]) -> BTreeSet<String> {
    let mut actions = BTreeSet::new();
    for folder in folders {
        let operations = operations(folder);
        assert!(!operations.is_empty(), "{folder} calls nothing: are its calls written in another way?");
        for operation in operations.iter().filter(|operation| !NO_FUNCTION.contains(&operation.as_str())) {
            let known = ACTIONS.iter().find(|(name, _)| name == operation);
            let (_, needed) = known.unwrap_or_else(|| panic!("{folder} calls {operation}: which action does it need?"));
            actions.extend(needed.iter().map(|action| (*action).to_owned()));
        }
    }
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
    let mut needed = needed(&["functions/ingest/src/lambda", "shared/ledger/src/dynamodb", "shared/store/src/s3"]);
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
    let needed = all_of(&[needed(&["shared/ledger/src/dynamodb", "shared/store/src/s3"]), needed_by_the_log()]);
    let mut lists = allowed("infra/policies.tf", "list_statements");
    assert!(lists.remove("s3:ListBucketVersions"), "ingest alone looks at versions");
    let own = allowed("infra/policies.tf", "compactor_statements");
    let shared = allowed("infra/policies.tf", "shared_statements");
    let log = allowed("infra/modules/function/main.tf", "policy");
    check("compactor", &needed, &all_of(&[lists, own, shared, log]));
}

#[test]
fn calls_are_found_however_they_are_broken() {
    let ledger = operations("shared/ledger/src/dynamodb");
    for name in ["transact_write_items", "scan", "get_item", "query"] {
        assert!(ledger.contains(name), "{name} is not among {ledger:?}");
    }
}
