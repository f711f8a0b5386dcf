//! The rules of the house: imports go one way. The command line uses functions, functions use what is shared, no function
//! uses another; the identities use nothing of ours; and ingest, which must start in a blink, does not link the Delta log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// How the names of libraries begin that read and write the Delta log.
const DELTA: [&str; 3] = ["deltalake", "delta_kernel", "buoyant_kernel"];

/// A crate of the workspace: its folder's kind, and which of ours it uses when built (not when tested).
struct Crate {
    kind: &'static str,
    uses: BTreeSet<String>,
}

fn house() -> BTreeMap<String, Crate> {
    let root = end_to_end::checkout();
    let mut texts = BTreeMap::from([("lithify".to_owned(), ("cli", manifest(&root.join("cli"))))]);
    for kind in ["functions", "shared"] {
        for entry in fs::read_dir(root.join(kind)).unwrap() {
            let folder = entry.unwrap().path();
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            texts.insert(name, (kind, manifest(&folder)));
        }
    }
    let ours: BTreeSet<String> = texts.keys().cloned().collect();
    let known = |(name, (kind, text)): (String, (&'static str, String))| {
        (name, Crate { kind, uses: dependencies(&text).intersection(&ours).cloned().collect() })
    };
    texts.into_iter().map(known).collect()
}

fn manifest(folder: &Path) -> String {
    let path = folder.join("Cargo.toml");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names below `[dependencies]` and `[target.....dependencies]`.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut section = String::new();
    let mut names = BTreeSet::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(title) = line.strip_prefix('[') {
            section = title.trim_end_matches(']').to_owned();
            if let Some(name) = section.strip_prefix("dependencies.") {
                names.insert(name.to_owned());
            }
        } else if section == "dependencies" || (section.starts_with("target.") && section.ends_with(".dependencies")) {
            names.extend(line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
    names
}

fn all_used_by(house: &BTreeMap<String, Crate>, name: &str) -> BTreeSet<String> {
    let (mut found, mut open) = (BTreeSet::new(), vec![name.to_owned()]);
    while let Some(name) = open.pop() {
        for next in &house[&name].uses {
            if found.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    found
}

#[test]
fn imports_go_one_way() {
    let house = house();
    assert!(house["lithify"].uses.contains("ingest"), "manifests are no longer read right: no use was found");
    for (name, one) in &house {
        for used in &one.uses {
            let allowed = match one.kind {
                "cli" => used != name,
                // So a function uses no function, and what is shared uses neither.
                _ => house[used].kind == "shared",
            };
            assert!(allowed, "{name} ({}) uses {used} ({})", one.kind, house[used].kind);
        }
    }
    assert!(house["drops"].uses.is_empty(), "drops uses {:?}", house["drops"].uses);
}

#[test]
fn only_lake_knows_the_delta_log_and_ingest_does_not_link_it() {
    let root = end_to_end::checkout();
    let house = house();
    for (name, one) in &house {
        let folder = if one.kind == "cli" { root.join("cli") } else { root.join(one.kind).join(name) };
        let knows =
            dependencies(&manifest(&folder)).iter().any(|used| DELTA.iter().any(|delta| used.starts_with(delta)));
        assert_eq!(knows, name == "lake", "{name} uses a library of the Delta log: {knows}");
    }
    assert!(all_used_by(&house, "compactor").contains("lake"), "the compactor commits through lake");
    assert!(!all_used_by(&house, "ingest").contains("lake"), "ingest would link the Delta log through lake");
}

/// A file, and tests in it.
type Named = (String, Vec<String>);

/// The numbered sentences of a page, each with the tests that it names.
fn sentences(page: &str) -> Vec<(String, Vec<Named>)> {
    let mut found: Vec<(String, Vec<Named>)> = Vec::new();
    for line in page.lines() {
        let number = line.split_once(". ").map(|(number, _)| number);
        if let Some(number) = number.filter(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())) {
            found.push((number.to_owned(), Vec::new()));
        } else if let Some(tests) = line.trim_start().strip_prefix("- `").filter(|_| line.starts_with("  ")) {
            let mut names = tests.split('`').step_by(2).filter(|name| !name.is_empty()).map(str::to_owned);
            let file = names.next().expect("a file");
            found.last_mut().expect("a sentence before its tests").1.push((file, names.collect()));
        }
    }
    found
}

#[test]
fn every_promise_names_tests_that_exist() {
    let root = end_to_end::checkout();
    let page = fs::read_to_string(root.join("docs/semantics.md")).unwrap();
    let sentences = sentences(&page);
    assert!(sentences.len() > 15, "the page has no sentences");
    for (at, (number, tests)) in sentences.iter().enumerate() {
        assert_eq!(*number, (at + 1).to_string(), "the sentences are numbered");
        assert!(!tests.is_empty(), "sentence {number} names no test");
        for (file, names) in tests {
            let text = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{number}: {file}: {error}"));
            assert!(!names.is_empty(), "{number}: {file} with no test");
            for name in names {
                let known = ["fn", "def"].iter().any(|word| text.contains(&format!("{word} {name}(")));
                assert!(known, "{number}: {file} has no test {name}");
            }
        }
    }
}
