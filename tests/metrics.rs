//! What infra's alarms and dashboard look at is what the functions send, by the same names.
//!
//! The names are found in the sources (calls of `Metrics::add` and `Metrics::observe`) and in Terraform's text, and each is held against the
//! other: an alarm on a metric that nobody sends looks healthy for ever, and what is sent and shown nowhere is paid for and never seen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What is sent of a pipeline and on no graph: metrics to look up when something is asked, not to look at every day.
const NOT_SHOWN: [&str; 3] = ["FilesMerged", "LargeDrops", "Skipped"];

/// What is sent of no pipeline, and nothing looks at.
const OF_NO_PIPELINE: [&str; 4] = ["ForeignObjects", "OtherEvents", "TestEvents", "UnknownMessages"];

type Names = BTreeSet<String>;

fn root() -> PathBuf {
    end_to_end::checkout()
}

/// The texts of all files below a folder whose names end so, those of tests left out, without blanks and line ends.
fn texts(folder: &Path, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "tests") {
                found.extend(texts(&path, extension));
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            let text = fs::read_to_string(&path).unwrap();
            let text: String = text.split_whitespace().collect();
            found.push(text.split("#[cfg(test)]modtests{").next().unwrap_or_default().to_owned());
        }
    }
    found
}

/// The words in quotes of a text.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

/// The word in quotes that a text begins with.
fn literal(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.split('"').next()
}

/// What follows the last `start` in a text, up to `end`.
fn last_between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.rsplit_once(start)?.1.split(end).next()
}

/// The metrics that the functions' sources send: of a pipeline, and of none.
fn sent(sources: &[String]) -> (Names, Names) {
    let (mut of_pipelines, mut of_none) = (Names::new(), Names::new());
    for text in sources {
        for call in ["metrics.add(", "metrics.observe("] {
            for (at, _) in text.match_indices(call) {
                let arguments = &text[at + call.len()..];
                let (whose, rest) = arguments.split_once(',').expect("a call has arguments");
                let names = if whose == "None" { &mut of_none } else { &mut of_pipelines };
                match literal(rest) {
                    Some(name) => names.extend([name.to_owned()]),
                    // A loop over a list of names with their counts, right before it.
                    None => {
                        assert!(
                            rest.starts_with("name,"),
                            "a metric is named in another way: {call}{}",
                            &arguments[..40]
                        );
                        let list =
                            last_between(&text[..at], "counts=[", "];").expect("the list that the call goes over");
                        names.extend(quoted(list).map(str::to_owned));
                    }
                }
            }
        }
    }
    (of_pipelines, of_none)
}

/// The metrics of ours that Terraform's alarms look at: of a pipeline, and of none.
fn alarmed(files: &[String]) -> (Names, Names) {
    let (mut of_pipelines, mut of_none) = (Names::new(), Names::new());
    let blocks = files.iter().flat_map(|text| text.split("resource\"").skip(1));
    for block in blocks.filter(|block| block.contains("namespace=\"Lithify\"")) {
        let names = if block.contains("dimensions={pipeline=each.key}") {
            &mut of_pipelines
        } else {
            assert!(block.contains("dimensions={}"), "an alarm of something else than a pipeline: {block}");
            &mut of_none
        };
        let (_, rest) = block.split_once("metric_name=").expect("an alarm has a metric");
        names.extend([literal(rest).expect("a metric's name is a text").to_owned()]);
    }
    (of_pipelines, of_none)
}

/// The metrics of ours on Terraform's dashboard.
fn shown(files: &[String]) -> Names {
    let mut names = Names::new();
    for text in files {
        for (at, start) in text.match_indices("[\"Lithify\",") {
            let rest = &text[at + start.len()..];
            assert!(
                rest.split(']').next().is_some_and(|line| line.ends_with(",\"pipeline\",name")),
                "not a pipeline's: {rest}"
            );
            match literal(rest) {
                Some(name) => names.extend([name.to_owned()]),
                None => {
                    assert!(rest.starts_with("metric,"), "a metric is named in another way: {rest}");
                    let list =
                        last_between(&text[..at], "formetricin[", "]").expect("the list that the line goes over");
                    names.extend(quoted(list).map(str::to_owned));
                }
            }
        }
    }
    names
}

fn set(names: &[&str]) -> Names {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn what_is_looked_at_is_sent_and_what_is_sent_is_looked_at() {
    let (of_pipelines, of_none) = sent(&texts(&root().join("functions"), "rs"));
    let infra = texts(&root().join("infra"), "tf");
    let (alarmed, alarmed_of_none) = alarmed(&infra);
    let looked_at: Names = alarmed.union(&shown(&infra)).cloned().collect();
    let silent: Vec<_> = looked_at.difference(&of_pipelines).collect();
    assert!(silent.is_empty(), "alarms or graphs look at what no function sends: {silent:?}");
    let unseen: Names = of_pipelines.difference(&looked_at).cloned().collect();
    assert_eq!(
        unseen,
        set(&NOT_SHOWN),
        "sent and shown nowhere: put it on a graph (infra/dashboard.tf), or into NOT_SHOWN"
    );
    let silent: Vec<_> = alarmed_of_none.difference(&of_none).collect();
    assert!(silent.is_empty(), "alarms look at what no function sends of no pipeline: {silent:?}");
    let unseen: Names = of_none.difference(&alarmed_of_none).cloned().collect();
    assert_eq!(unseen, set(&OF_NO_PIPELINE), "sent of no pipeline, and nothing looks at it");
}

#[test]
fn names_are_found_however_they_are_written() {
    let (of_pipelines, of_none) = sent(&texts(&root().join("functions"), "rs"));
    for name in ["Drops", "Bytes", "StagedAge", "EventToCommit", "EventToStaged"] {
        assert!(of_pipelines.contains(name), "{name} is not among {of_pipelines:?}");
    }
    assert!(set(&["StagedOfRemoved", "TestEvents"]).is_subset(&of_none), "{of_none:?}");
    let infra = texts(&root().join("infra"), "tf");
    assert_eq!(alarmed(&infra), (set(&["Drops", "Renewed", "StagedAge"]), set(&["StagedOfRemoved"])));
    assert!(set(&["Drops", "LeftOut", "FilesWritten"]).is_subset(&shown(&infra)), "{:?}", shown(&infra));
}

#[test]
fn the_namespace_and_the_dimension_are_one() {
    let runtime = texts(&root().join("shared/runtime/src/telemetry"), "rs").concat();
    assert!(runtime.contains("NAMESPACE:&str=\"Lithify\";"), "infra's alarms and dashboard say Lithify");
    assert!(runtime.contains("pipeline.map(|name|(\"pipeline\","), "infra's alarms and dashboard say pipeline");
}
