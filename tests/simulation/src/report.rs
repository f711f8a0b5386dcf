//! What a history came to, and how to see it again.

use std::collections::BTreeSet;
use std::fmt;

use crate::world::{Met, Violation, World};

/// How many of the last calls a report shows.
const SHOWN: usize = 60;

/// What a history came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The kind of history.
    pub kind: String,
    /// What `cargo xtask sim` is to be given to see it again.
    pub replay: String,
    /// How its world was made, who ran when, what went wrong.
    pub about: String,
    /// What must not be and was.
    pub violations: Vec<Violation>,
    /// Every call with what came of it.
    pub trace: Vec<String>,
    /// How many calls there were.
    pub calls: u64,
    /// Of a flow: what each call of the victim is. It can go wrong at each.
    pub victim: Vec<Met>,
    /// What anybody called.
    pub operations: BTreeSet<&'static str>,
    /// Of a race: the turns at which an interruption changes who goes on.
    pub open_turns: Vec<u64>,
}

impl Report {
    /// The report of a world at its end.
    pub fn of(kind: &str, replay: String, world: &World, about: String) -> Self {
        Self {
            kind: kind.to_owned(),
            replay,
            about,
            violations: world.violations(),
            trace: world.trace(),
            calls: world.scheduler.steps(),
            victim: Vec::new(),
            operations: world.operations(),
            open_turns: Vec::new(),
        }
    }

    /// A history that could not be begun.
    pub fn broken(kind: &str, replay: String, why: String) -> Self {
        let violation = Violation { invariant: "the simulation works".to_owned(), what: why, step: 0 };
        Self {
            kind: kind.to_owned(),
            replay,
            about: String::new(),
            violations: vec![violation],
            trace: Vec::new(),
            calls: 0,
            victim: Vec::new(),
            operations: BTreeSet::new(),
            open_turns: Vec::new(),
        }
    }

    /// Whether nothing was wrong.
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.kind, self.about)?;
        let shown = self.trace.len().saturating_sub(SHOWN);
        for line in self.trace.iter().skip(shown) {
            writeln!(f, "  {line}")?;
        }
        for violation in &self.violations {
            writeln!(f, "violated: {violation}")?;
        }
        write!(f, "to see it again: cargo xtask sim {}", self.replay)
    }
}
