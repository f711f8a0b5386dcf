//! `cargo xtask sabotage`: do the tests fail when the protocol is broken?
//!
//! Each sabotage of [`list`] is one change of the text of one file, or few, that does what is wrong in its turn alone. All are put into a copy of
//! the checkout and built at once. In the turn of each, tests are run one after the other, the one that is expected to see it first, and one of
//! them must fail, fail again alone, and pass in nobody's turn: a sabotage that is not caught fails the command. So does one of whose tests one
//! does not end in time, unless it ends without the sabotage: a slow machine catches nothing. `--check` only looks whether each still finds what
//! it changes, which a test of this crate does as well.

mod copy;
mod edit;
mod list;
mod tests_of;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use crate::Outcome;
use crate::place;
use list::{SABOTAGES, Sabotage, SeenBy};
use tests_of::{A_TEST_THAT_DIED, Chosen, Ending, Stage, Tests};

/// What became of a sabotage.
enum Verdict {
    Caught { by: String },
    Survived,
    DoesNotCompile,
    NotDecided { why: String },
}

/// The tests for one kind of sabotage, over a copy of the checkout.
struct Bench<'a> {
    tests: Tests,
    checkout: &'a Path,
    /// Those that were seen to pass without a sabotage.
    sound: BTreeSet<String>,
}

/// Applies every sabotage, or those whose names contain one of the words, in the words' order, kind by kind.
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
    copy::refresh(&place::root(), &checkout, &edit::broken(&place::root(), SABOTAGES)?)?;
    let (began, mut wrong) = (Instant::now(), Vec::new());
    for seen_by in SeenBy::ALL {
        let mut bench = Bench { tests: Tests::of(seen_by), checkout: &checkout, sound: BTreeSet::new() };
        let own: Vec<&Sabotage> = chosen.iter().copied().filter(|sabotage| sabotage.seen_by == seen_by).collect();
        // Where those of one kind say nothing here, those of the other may.
        match bench.prove(&own)? {
            Some(why) => wrong.extend(own.iter().map(|sabotage| format!("  {} is not tried: {why}", sabotage.name))),
            None => wrong.extend(bench.with_each(&own)?),
        }
    }
    println!("{} of {} caught in {:.0} s", chosen.len() - wrong.len(), chosen.len(), began.elapsed().as_secs_f64());
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{} sabotages of {}:\n{}", wrong.len(), chosen.len(), wrong.join("\n")))
    }
}

impl Bench<'_> {
    /// Sees that the tests that are tried first for these sabotages pass without one; of the others that is asked when they fail with one, as
    /// some take long. Gives why they say nothing here, if they do not.
    fn prove(&mut self, sabotages: &[&Sabotage]) -> Outcome<Option<String>> {
        let first = sabotages.iter().filter_map(|sabotage| self.tests.stages(sabotage.expected).into_iter().next());
        for stage in first.collect::<Vec<_>>() {
            let Stage::One(test) = stage else { continue };
            if self.sound.contains(test.name) {
                continue;
            }
            let began = Instant::now();
            if let Some(why) = self.unsound(stage, test.name)? {
                return Ok(Some(why));
            }
            println!("{:45} passes in {}, without a sabotage", test.name, self.times(began));
        }
        Ok(None)
    }

    /// Why what this test says of a sabotage is nothing, if it is: it must pass without one.
    fn unsound(&mut self, stage: Stage, test: &str) -> Outcome<Option<String>> {
        if self.sound.contains(test) {
            return Ok(None);
        }
        let chosen = if test == A_TEST_THAT_DIED { Chosen::AllBut(&[]) } else { Chosen::Alone(test) };
        Ok(match self.tests.run(self.checkout, stage, &chosen, None)? {
            Ending::Passed => {
                self.sound.insert(test.to_owned());
                None
            }
            Ending::Failed { test } => Some(format!("{test} fails without a sabotage")),
            Ending::DoesNotCompile => Some("the checkout does not compile".to_owned()),
            Ending::OutOfTime { binary } => Some(format!("{binary} does not end in time without a sabotage")),
        })
    }

    /// Tries each; gives what is wrong with those that were not caught.
    fn with_each(&mut self, sabotages: &[&Sabotage]) -> Outcome<Vec<String>> {
        let mut wrong = Vec::new();
        for sabotage in sabotages {
            let began = Instant::now();
            let why = match self.tried(sabotage)? {
                Verdict::Caught { by } => {
                    println!("{:45} caught in {} by {by}", sabotage.name, self.times(began));
                    continue;
                }
                Verdict::Survived => "is not caught".to_owned(),
                Verdict::DoesNotCompile => "does not compile".to_owned(),
                Verdict::NotDecided { why } => format!("is not decided: {why}"),
            };
            println!("{:45} {why}, in {}", sabotage.name, self.times(began));
            wrong.push(format!("  {} {why}: {}", sabotage.name, sabotage.what));
        }
        Ok(wrong)
    }

    /// How long it took since then, and how much of it building.
    fn times(&self, began: Instant) -> String {
        let (all, building) = (began.elapsed().as_secs_f64(), self.tests.built_for().as_secs_f64());
        format!("{all:5.1} s ({building:.1} of them building)")
    }

    /// Runs tests in the turn of a sabotage, stage by stage until one fails.
    fn tried(&mut self, sabotage: &Sabotage) -> Outcome<Verdict> {
        Ok(match self.first_to_fail(sabotage)? {
            None => Verdict::Survived,
            Some((_, Ending::DoesNotCompile)) => Verdict::DoesNotCompile,
            Some((stage, Ending::Failed { test })) => match self.unsound(stage, &test)? {
                None => Verdict::Caught { by: test },
                Some(why) => Verdict::NotDecided { why },
            },
            // It may be the machine: what ends without the sabotage did not end because of it.
            Some((stage, Ending::OutOfTime { binary })) => {
                match self.tests.run(self.checkout, stage, &Chosen::AllBut(&[]), None)? {
                    Ending::Passed => Verdict::Caught { by: format!("{binary}, which does not end") },
                    _ => Verdict::NotDecided { why: format!("{binary} does not end in time either way") },
                }
            }
            Some((_, Ending::Passed)) => Verdict::Survived,
        })
    }

    /// The first stage whose tests do not pass, and how they end.
    fn first_to_fail(&self, sabotage: &Sabotage) -> Outcome<Option<(Stage, Ending)>> {
        for stage in self.tests.stages(sabotage.expected) {
            let turn = Some(sabotage.name);
            let ending = steadily(|chosen| self.tests.run(self.checkout, stage, chosen, turn))?;
            if ending != Ending::Passed {
                return Ok(Some((stage, ending)));
            }
        }
        Ok(None)
    }
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
    let alone = SABOTAGES.iter().filter_map(|sabotage| edit::broken(checkout, std::slice::from_ref(sabotage)).err());
    let wrong: Vec<String> = alone.collect();
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    edit::broken(checkout, SABOTAGES)?;
    println!("{} sabotages find what they change", SABOTAGES.len());
    Ok(())
}

/// Runs a stage's tests by `run`. A test counts as failed only if it fails again alone: one that waits for a busy machine fails now and then, and
/// catches nothing. The others are run without it then. A binary that ended without naming a test must do so twice.
fn steadily(run: impl Fn(&Chosen) -> Outcome<Ending>) -> Outcome<Ending> {
    let (mut unsteady, mut has_died): (Vec<String>, bool) = (Vec::new(), false);
    loop {
        let ending = run(&Chosen::AllBut(&unsteady))?;
        let test = match &ending {
            Ending::Failed { test } if *test != A_TEST_THAT_DIED => test,
            Ending::Failed { .. } if !has_died => {
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
        let ending = steadily(|_| match endings.borrow_mut().pop_front() {
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
        let has_turn = |sabotage: &Sabotage| sabotage.replace.contains("SABOTAGED");
        assert!(SABOTAGES.iter().all(has_turn), "each has a turn, and the others are built with it");
    }

    #[test]
    fn every_test_that_is_tried_first_is_there() {
        for sabotage in SABOTAGES {
            for stage in Tests::of(sabotage.seen_by).stages(sabotage.expected) {
                let Stage::One(test) = stage else { continue };
                let text = std::fs::read_to_string(place::root().join(test.file)).unwrap_or_default();
                let name = test.name.rsplit("::").next().unwrap_or_default();
                assert!(text.contains(&format!("fn {name}()")), "{} has no test {}", test.file, test.name);
            }
        }
    }

    #[test]
    fn all_are_put_into_one_text_each_behind_its_turn() {
        let folder = std::env::temp_dir().join(format!("lithify-sabotage-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("a"), "one two").expect("a file");
        std::fs::write(folder.join("b"), "three").expect("a file");
        static ALSO: [list::Edit; 1] = [list::Edit { file: "b", find: "three", replace: "three, four" }];
        let of = |name, find, replace| Sabotage { name, file: "a", find, replace, also: &ALSO, ..list::PLAIN };
        let texts = |all: &[Sabotage]| edit::broken(&folder, all);
        let both = [of("first", "one", "[SABOTAGED] one"), of("second", "one", "[SABOTAGED] one")];
        let turn = |name| format!("[std::env::var_os(\"LITHIFY_SABOTAGE\").is_some_and(|name| name == \"{name}\")]");
        let expected = format!("{} {} one two", turn("first"), turn("second"));
        // What both need is there once.
        assert_eq!(texts(&both), Ok([("a", expected), ("b", "three, four".to_owned())].into()));
        assert!(texts(&[of("third", "four", "SABOTAGED")]).is_err_and(|told| told.contains("0 times")));
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
            let told = edit::broken(&place::root(), &[of(find, replace)]);
            assert!(told.as_ref().is_err_and(|told| told.starts_with("one: ") && told.contains(why)), "{told:?}");
        }
    }
}
