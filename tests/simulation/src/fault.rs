//! Faults as data: which call they meet, on which side of its effect, and what they do.

use std::fmt;
use std::time::Duration;

use crate::random::Random;

/// On which side of a call's effect a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Nothing has happened yet.
    Before,
    /// The effect is there, and the answer is still on its way.
    After,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The call fails without an effect.
    Error,
    /// The service refuses because there is too much to do; no effect.
    Throttle,
    /// The effect is there, the answer is an error.
    LostReply,
    /// The process stands still for so long.
    Delay(Duration),
    /// The answer is an error, and the effect comes after so many more steps of the world; `None`: never.
    Late(Option<u64>),
    /// What is read comes so many bytes far: the read that would go beyond fails. Of what is read here and there only that one read does.
    BreaksOff(u64),
    /// The client sends the request twice; the second answer is the one that is told.
    Duplicate,
    /// The process ends.
    Crash,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What the operation's name begins with: `ledger.`, `table.commit`; empty for every one.
    pub operation: String,
    /// What the key begins with.
    pub prefix: String,
    /// Which process; any if absent.
    pub process: Option<String>,
    /// How many matching calls pass before it strikes.
    pub skip: u64,
    /// How many matching calls it strikes.
    pub times: u64,
    /// On which side.
    pub side: Side,
    /// What it does.
    pub kind: Kind,
}

impl Fault {
    /// A fault of the first call of an operation.
    pub fn of(operation: &str, side: Side, kind: Kind) -> Self {
        let operation = operation.to_owned();
        Self { operation, prefix: String::new(), process: None, skip: 0, times: 1, side, kind }
    }

    /// The end of a process at its call number `skip`.
    pub fn crash(process: &str, skip: u64, side: Side) -> Self {
        Self { process: Some(process.to_owned()), skip, ..Self::of("", side, Kind::Crash) }
    }

    /// The same for a key that begins so.
    #[must_use]
    pub fn at(self, prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..self }
    }

    /// The same for one process.
    #[must_use]
    pub fn by(self, process: &str) -> Self {
        Self { process: Some(process.to_owned()), ..self }
    }

    /// The same after so many matching calls.
    #[must_use]
    pub fn after(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// The same so many times.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times, ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, prefix, process, skip, times, side, kind } = self;
        let process = process.as_deref().unwrap_or("any process");
        write!(
            f,
            "{kind:?} {side:?} the effect of call {skip} (x{times}) of '{operation}*' on '{prefix}*' by {process}"
        )
    }
}

/// What a call is, as far as faults must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// It changes nothing.
    Read,
    /// The same, and the bytes of a file come after its answer.
    Opening,
    /// It changes the world.
    Write,
    /// A write whose effect may come after its answer was given up.
    LateWrite,
}

/// Of a file that breaks off by chance fewer bytes than this come.
const BYTES_MAX: u64 = 4_000;

/// Faults that come by chance.
#[derive(Clone, Debug)]
pub struct Chance {
    /// How many of a thousand calls meet one.
    pub per_mille: u64,
    /// How many there are at most.
    pub budget: u64,
    /// Whether processes may end.
    pub crashes: bool,
    /// Where they come from.
    pub random: Random,
}

/// All faults of a history.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    scripted: Vec<(Fault, u64)>,
    chance: Option<Chance>,
}

impl Plan {
    /// No fault at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// These.
    pub fn scripted(faults: Vec<Fault>) -> Self {
        Self { scripted: faults.into_iter().map(|fault| (fault, 0)).collect(), chance: None }
    }

    /// These as well.
    pub fn add(&mut self, faults: Vec<Fault>) {
        self.scripted.extend(faults.into_iter().map(|fault| (fault, 0)));
    }

    /// By chance.
    pub fn by_chance(chance: Chance) -> Self {
        Self { scripted: Vec::new(), chance: Some(chance) }
    }

    /// What a call meets. To be asked once for each call.
    pub fn strike(&mut self, operation: &str, key: &str, process: &str, nature: Nature) -> Option<(Side, Kind)> {
        let mut struck = None;
        for (fault, seen) in &mut self.scripted {
            let meant = operation.starts_with(&fault.operation)
                && key.starts_with(&fault.prefix)
                && fault.process.as_ref().is_none_or(|name| process == name);
            if meant {
                let strikes = (fault.skip..fault.skip.saturating_add(fault.times)).contains(seen);
                *seen += 1;
                if strikes && struck.is_none() {
                    struck = Some((fault.side, fault.kind.clone()));
                }
            }
        }
        struck.or_else(|| self.chance.as_mut().and_then(|chance| chance.strike(nature)))
    }

    /// The scripted faults, for a report.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.scripted.iter().map(|(fault, _)| fault)
    }
}

impl Chance {
    fn strike(&mut self, nature: Nature) -> Option<(Side, Kind)> {
        if self.budget == 0 || !self.random.chance(self.per_mille) {
            return None;
        }
        self.budget -= 1;
        let side = if self.random.chance(500) { Side::Before } else { Side::After };
        let kind = match (self.random.below(12), nature) {
            (0 | 1, _) if self.crashes => Kind::Crash,
            (0..=3, Nature::Read | Nature::Opening) | (2, _) => Kind::Error,
            (3, _) => Kind::Throttle,
            (4, _) => Kind::Delay(Duration::from_secs(1)),
            (5, _) => Kind::Delay(Duration::from_secs(self.random.between(60, 300))),
            (6, _) => Kind::Delay(Duration::from_secs(self.random.between(500, 1_500))),
            (7, Nature::Write | Nature::LateWrite) => Kind::Duplicate,
            (7..=9, Nature::Opening) => Kind::BreaksOff(self.random.below(BYTES_MAX)),
            (8 | 9, Nature::LateWrite) => {
                Kind::Late(if self.random.chance(250) { None } else { Some(self.random.between(1, 60)) })
            }
            _ => Kind::LostReply,
        };
        Some((side, kind))
    }
}
