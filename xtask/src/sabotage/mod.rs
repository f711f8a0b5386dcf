//! `cargo xtask sabotage`: do the tests fail when the protocol is broken?
//!
//! Each sabotage of [`list`] is one change of the text of one file. It is applied to a copy of the checkout, the protocol's tests are built
//! and run, and one of them must fail, and fail again alone: a sabotage that is not caught, or that does not compile, fails the command. So does
//! one of whose tests one does not end in time, unless all of them end without the sabotage: a slow machine catches nothing. The tests must pass
//! without a sabotage first. `--check` only looks whether each still finds what it changes, which a test of this crate does as well.

mod copy;
mod edit;
mod list;
mod tests_of;

use std::path::Path;
use std::time::Instant;

use crate::Outcome;
use crate::place;
use list::{SABOTAGES, Sabotage, SeenBy};
use tests_of::{A_TEST_THAT_DIED, Chosen, Ending, Tests};

/// What became of a sabotage.
enum Verdict {
    Caught {
        by: String,
        seconds: f64,
    },
    Survived,
    DoesNotCompile,
    /// A test did not end in time: with the sabotage or without.
    NotDecided {
        binary: String,
    },
}

/// Applies every sabotage, or those whose names contain one of the words, in the words' order; those that only the tests on DynamoDB see come last.
///
/// # Errors
/// What was not caught, or why it could not be tried.
pub fn run(words: &[&str]) -> Outcome {
    match words {
        ["--list"] => {
            SABOTAGES.iter().for_each(|sabotage| println!("{:45} {}", sabotage.name, sabotage.what));
            return Ok(());
        }
        ["--check"] => return check_all(&place::root()),
        _ => {}
    }
    let chosen = chosen(words)?;
    // A copy of the checkout as it is now: whatever is edited meanwhile, all are tried on the same.
    let checkout = place::target()?.join("sabotage/checkout");
    copy::refresh(&place::root(), &checkout)?;
    let (count, mut wrong) = (chosen.len(), Vec::new());
    for seen_by in [SeenBy::Protocol, SeenBy::DynamoDb] {
        let tests = Tests::of(seen_by);
        let own: Vec<&Sabotage> = chosen.iter().copied().filter(|sabotage| sabotage.seen_by == seen_by).collect();
        if own.is_empty() {
            continue;
        }
        println!("== the tests without a sabotage");
        // Where those of one kind say nothing here, those of the other may.
        match without_a_sabotage(&tests, &checkout)? {
            Some(why) => wrong.extend(own.iter().map(|sabotage| format!("  {} is not tried: {why}", sabotage.name))),
            None => wrong.extend(with_each(&own, &tests, &checkout)?),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{} sabotages of {count}:\n{}", wrong.len(), wrong.join("\n"))) }
}

/// Why tests say nothing here, if they do not pass by themselves.
fn without_a_sabotage(tests: &Tests, checkout: &Path) -> Outcome<Option<String>> {
    Ok(match tried(tests, checkout, None)? {
        Verdict::Survived => None,
        Verdict::Caught { by, .. } => Some(format!("{by} fails without a sabotage")),
        Verdict::DoesNotCompile => Some("the checkout does not compile".to_owned()),
        Verdict::NotDecided { binary } => Some(format!("{binary} does not end in time without a sabotage")),
    })
}

/// Tries each; gives what is wrong with those that were not caught.
fn with_each(sabotages: &[&Sabotage], tests: &Tests, checkout: &Path) -> Outcome<Vec<String>> {
    let mut wrong = Vec::new();
    for sabotage in sabotages {
        let why = match tried(tests, checkout, Some(sabotage))? {
            Verdict::Caught { by, seconds } => {
                println!("{:45} caught in {seconds:5.1} s by {by}", sabotage.name);
                continue;
            }
            Verdict::Survived => "is not caught".to_owned(),
            Verdict::DoesNotCompile => "does not compile".to_owned(),
            Verdict::NotDecided { binary } => format!("is not decided, as {binary} does not end in time either way"),
        };
        println!("{:45} {why}", sabotage.name);
        wrong.push(format!("  {} {why}: {}", sabotage.name, sabotage.what));
    }
    Ok(wrong)
}

/// All of them, or those whose names contain one of the words: each once.
fn chosen(words: &[&str]) -> Outcome<Vec<&'static Sabotage>> {
    let usage =
        || format!("`sabotage {}` means nothing; usage: sabotage [--list | --check | NAME ...]", words.join(" "));
    if words.is_empty() {
        return Ok(SABOTAGES.iter().collect());
    }
    let mut chosen: Vec<&Sabotage> = Vec::new();
    for word in words {
        if word.starts_with('-') {
            return Err(usage());
        }
        let known = chosen.len();
        let named = SABOTAGES.iter().filter(|one| one.name.contains(word));
        let new: Vec<&Sabotage> = named.filter(|one| chosen.iter().all(|own| own.name != one.name)).collect();
        chosen.extend(new);
        if chosen.len() == known {
            return Err(format!("no further sabotage has {word} in its name; sabotage --list shows them"));
        }
    }
    Ok(chosen)
}

/// Looks whether every sabotage finds what it changes, once, and changes it.
fn check_all(checkout: &Path) -> Outcome {
    let wrong: Vec<String> = SABOTAGES.iter().filter_map(|sabotage| sabotage.changed(checkout).err()).collect();
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    println!("{} sabotages find what they change", SABOTAGES.len());
    Ok(())
}

/// Builds and runs tests on a checkout with a sabotage, or as it is: the quickest to see anything first, and where they see nothing all of them.
fn tried(tests: &Tests, checkout: &Path, sabotage: Option<&Sabotage>) -> Outcome<Verdict> {
    let began = Instant::now();
    for stage in tests.stages() {
        let before = sabotage.map(|sabotage| sabotage.apply(checkout)).transpose()?;
        let ending = steadily(sabotage.is_some(), |chosen| tests.run(checkout, stage, chosen));
        if let Some(before) = before {
            edit::restore(checkout, &before)?;
        }
        let by = match ending? {
            Ending::Passed => continue,
            Ending::DoesNotCompile => return Ok(Verdict::DoesNotCompile),
            Ending::Failed { test } => test,
            Ending::OutOfTime { binary } if sabotage.is_none() => return Ok(Verdict::NotDecided { binary }),
            // It may be the machine: what ends without the sabotage did not end because of it.
            Ending::OutOfTime { binary } => match tests.run(checkout, stage, &Chosen::AllBut(&[]))? {
                Ending::Passed => format!("{binary}, which does not end"),
                _ => return Ok(Verdict::NotDecided { binary }),
            },
        };
        return Ok(Verdict::Caught { by, seconds: began.elapsed().as_secs_f64() });
    }
    Ok(Verdict::Survived)
}

/// Runs a stage's tests by `run`. With a sabotage a test counts as failed only if it fails again alone: one that waits for a busy machine fails now
/// and then, and catches nothing. The others are run without it then. A binary that ended without naming a test must do so twice.
fn steadily(is_sabotaged: bool, run: impl Fn(&Chosen) -> Outcome<Ending>) -> Outcome<Ending> {
    let (mut unsteady, mut has_died): (Vec<String>, bool) = (Vec::new(), false);
    loop {
        let ending = run(&Chosen::AllBut(&unsteady))?;
        let test = match &ending {
            Ending::Failed { test } if is_sabotaged && *test != A_TEST_THAT_DIED => test,
            Ending::Failed { .. } if is_sabotaged && !has_died => {
                has_died = true;
                continue;
            }
            _ => return Ok(ending),
        };
        match run(&Chosen::Alone(test))? {
            Ending::Passed if unsteady.contains(test) => return Err(format!("{test} is run though it is left out")),
            Ending::Passed => {
                println!("{test} fails, and passes alone: it says nothing");
                unsteady.push(test.clone());
            }
            _ => return Ok(ending),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::{BTreeSet, VecDeque};

    use super::*;

    /// What a sabotage comes to whose tests end like this, one run after the other: all but the unsteady, or one alone.
    fn with_a_sabotage(endings: &[&str]) -> Outcome<Ending> {
        let endings: RefCell<VecDeque<&str>> = RefCell::new(endings.iter().copied().collect());
        let ending = steadily(true, |_| match endings.borrow_mut().pop_front() {
            Some("") => Ok(Ending::Passed),
            Some(test) => Ok(Ending::Failed { test: test.to_owned() }),
            None => Err("it is run once more".to_owned()),
        });
        assert_eq!(endings.into_inner().len(), 0, "it is run less often");
        ending
    }

    #[test]
    fn what_fails_once_catches_nothing() {
        let failed = |test: &str| Ok(Ending::Failed { test: test.to_owned() });
        assert_eq!(with_a_sabotage(&["a", "a"]), failed("a"));
        assert_eq!(with_a_sabotage(&["a", "", ""]), Ok(Ending::Passed));
        assert_eq!(with_a_sabotage(&["a", "", "b", "b"]), failed("b"));
        assert_eq!(with_a_sabotage(&[A_TEST_THAT_DIED, A_TEST_THAT_DIED]), failed(A_TEST_THAT_DIED));
        assert_eq!(with_a_sabotage(&[A_TEST_THAT_DIED, ""]), Ok(Ending::Passed));
        assert_eq!(with_a_sabotage(&[A_TEST_THAT_DIED, "a", "a"]), failed("a"));
    }

    #[test]
    fn every_sabotage_finds_what_it_changes() {
        assert_eq!(check_all(&place::root()), Ok(()));
        let names: BTreeSet<&str> = SABOTAGES.iter().map(|sabotage| sabotage.name).collect();
        assert_eq!(names.len(), SABOTAGES.len(), "each has a name of its own");
    }

    #[test]
    fn what_belongs_together_is_changed_together_and_restored() {
        let folder = std::env::temp_dir().join(format!("lithify-sabotage-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let texts = || ["a", "b"].map(|name| std::fs::read_to_string(folder.join(name)).expect("a file"));
        std::fs::write(folder.join("a"), "one two").expect("a file");
        std::fs::write(folder.join("b"), "three").expect("a file");
        static ALSO: [list::Edit; 2] = [
            list::Edit { file: "a", find: "two", replace: "2" },
            list::Edit { file: "b", find: "three", replace: "3" },
        ];
        let of = |find| Sabotage { name: "n", file: "a", find, replace: "1", also: &ALSO, ..list::PLAIN };
        let before = of("one").apply(&folder).expect("it applies");
        assert_eq!(texts(), ["1 2", "3"]);
        edit::restore(&folder, &before).expect("it is restored");
        assert_eq!(texts(), ["one two", "three"]);
        // Where one of them finds nothing, none is changed.
        assert!(of("four").apply(&folder).is_err() && texts() == ["one two", "three"]);
        std::fs::remove_dir_all(&folder).expect("it is removed");
    }

    #[test]
    fn words_choose_each_once_in_their_order() {
        let names = |words: &[&str]| chosen(words).map(|all| all.into_iter().map(|one| one.name).collect::<Vec<_>>());
        assert_eq!(names(&[]).map(|all| all.len()), Ok(SABOTAGES.len()));
        let (aged, reused) = ("delete-runs-by-age", "reuse-a-number");
        assert_eq!(names(&["runs-by-age", "reuse"]), Ok(vec![aged, reused]));
        assert_eq!(names(&["reuse", "runs-by-age"]), Ok(vec![reused, aged]));
        for words in [&["reuse", "reuse"][..], &["nothing"], &["--what"], &["reuse", "--list"]] {
            assert!(names(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn a_sabotage_that_does_not_apply_is_named() {
        let of = |find, replace| Sabotage { name: "one", file: "xtask/src/place.rs", find, replace, ..list::PLAIN };
        for (find, replace, why) in [
            ("\n", "", "times"),
            ("no such text", "", "0 times"),
            ("//! Where things lie", "//! Where things lie", "nothing"),
        ] {
            let told = of(find, replace).changed(&place::root());
            assert!(told.as_ref().is_err_and(|told| told.starts_with("one: ") && told.contains(why)), "{told:?}");
        }
    }
}
