//! The baton: of all processes of a world only one runs at any moment, and at each call to the outside it hands on.
//!
//! A process has threads of its own (its runtime's, and one that may wait), and runs the real code on them. That its history is the only
//! one of its seed rests on two things: while a process holds the baton nobody else moves, and of a process only one thread at a time
//! makes calls. The second is checked: a call by a process that does not hold the baton is a defect of the simulation and stops it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::random::Random;

/// What each call takes, in microseconds of the world's time.
const CALL_MICROS: i64 = 3_000;

/// Who goes on.
#[derive(Clone, Debug)]
pub enum Choice {
    /// By chance; whoever runs goes on so many times in a thousand.
    Random {
        /// The stream.
        random: Random,
        /// How often the process that runs goes on.
        stay: u64,
    },
    /// Each runs to its end, the first first, but for these interruptions: at that step the next process goes on.
    Preempted(Vec<u64>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Asleep(i64),
    Done,
}

struct Strand {
    state: State,
    wake: Arc<Condvar>,
}

struct Inner {
    strands: Vec<Strand>,
    /// Who holds the baton; nobody before the first and after the last.
    running: Option<usize>,
    choice: Choice,
    /// Turns so far.
    steps: u64,
    /// Turns since the choice was set.
    turns: u64,
    /// At which of them somebody else could have gone on, where interruptions are chosen.
    open_turns: Vec<u64>,
    /// The world's time in microseconds.
    now: i64,
    broken: Option<String>,
}

/// Hands the baton on.
pub struct Scheduler {
    inner: Mutex<Inner>,
    over: Condvar,
}

impl Scheduler {
    /// A world in which nobody is yet, at this time.
    pub fn new(now: i64) -> Self {
        let inner = Inner {
            strands: Vec::new(),
            running: None,
            choice: Choice::Preempted(Vec::new()),
            steps: 0,
            turns: 0,
            open_turns: Vec::new(),
            now,
            broken: None,
        };
        Self { inner: Mutex::new(inner), over: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The world's time in microseconds.
    pub fn now(&self) -> i64 {
        self.lock().now
    }

    /// How many turns there were.
    pub fn steps(&self) -> u64 {
        self.lock().steps
    }

    /// At which turns, counted from 1 since the choice was set, an interruption changes who goes on.
    pub fn open_turns(&self) -> Vec<u64> {
        self.lock().open_turns.clone()
    }

    /// Lets time pass.
    pub fn pass(&self, micros: i64) {
        self.lock().now += micros;
    }

    /// Says how those who come are chosen from, and begins to count turns anew.
    pub fn choose_by(&self, choice: Choice) {
        let mut inner = self.lock();
        inner.choice = choice;
        inner.turns = 0;
        inner.open_turns.clear();
    }

    /// What showed that a history was not the only one of its seed, if anything did.
    pub fn broken(&self) -> Option<String> {
        self.lock().broken.clone()
    }

    /// Runs these to their ends, one at a time.
    pub fn run(&self, strands: Vec<Box<dyn FnOnce(usize) + Send + '_>>) {
        let first = {
            let mut inner = self.lock();
            let first = inner.strands.len();
            for _ in &strands {
                inner.strands.push(Strand { state: State::Ready, wake: Arc::new(Condvar::new()) });
            }
            first
        };
        std::thread::scope(|scope| {
            for (at, strand) in strands.into_iter().enumerate() {
                let me = first + at;
                scope.spawn(move || {
                    self.wait(me);
                    let ended = catch_unwind(AssertUnwindSafe(|| strand(me)));
                    self.end(me, ended.is_err());
                });
            }
            let mut inner = self.lock();
            inner.hand_on(None);
            while inner.running.is_some() {
                inner = self.over.wait(inner).unwrap_or_else(PoisonError::into_inner);
            }
        });
        self.lock().strands.truncate(first);
    }

    /// A call's turn: others may go first.
    pub fn turn(&self, me: usize, process: &str) {
        let mut inner = self.lock();
        if inner.running != Some(me) {
            let what =
                format!("{process} makes a call while it does not hold the baton: two threads of it run at once");
            inner.broken.get_or_insert(what);
        }
        inner.steps += 1;
        inner.turns += 1;
        inner.now += CALL_MICROS;
        inner.hand_on(Some(me));
        self.until_mine(inner, me);
    }

    /// Stands still for so long.
    pub fn sleep(&self, me: usize, micros: i64) {
        let mut inner = self.lock();
        let until = inner.now.saturating_add(micros);
        if let Some(strand) = inner.strands.get_mut(me) {
            strand.state = State::Asleep(until);
        }
        inner.hand_on(Some(me));
        self.until_mine(inner, me);
    }

    fn wait(&self, me: usize) {
        let inner = self.lock();
        self.until_mine(inner, me);
    }

    fn until_mine(&self, mut inner: MutexGuard<'_, Inner>, me: usize) {
        let Some(wake) = inner.strands.get(me).map(|strand| strand.wake.clone()) else { return };
        while inner.running != Some(me) {
            inner = wake.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn end(&self, me: usize, panicked: bool) {
        let mut inner = self.lock();
        if panicked {
            inner.broken.get_or_insert(format!("what runs on strand {me} panicked"));
        }
        if let Some(strand) = inner.strands.get_mut(me) {
            strand.state = State::Done;
        }
        inner.hand_on(None);
        if inner.running.is_none() {
            self.over.notify_all();
        }
    }
}

impl Inner {
    /// Chooses who goes on, and wakes it.
    fn hand_on(&mut self, current: Option<usize>) {
        let next = self.next(current);
        self.running = next;
        if next != current
            && let Some(strand) = next.and_then(|next| self.strands.get(next))
        {
            strand.wake.notify_one();
        }
    }

    fn next(&mut self, current: Option<usize>) -> Option<usize> {
        let mut ready = self.ready();
        if ready.is_empty() {
            // All who are left stand still: time passes until the first of them goes on.
            let wakes = self.strands.iter().filter_map(|strand| match strand.state {
                State::Asleep(until) => Some(until),
                State::Ready | State::Done => None,
            });
            self.now = self.now.max(wakes.min()?);
            ready = self.ready();
        }
        let current = current.filter(|current| ready.contains(current));
        let next = match &mut self.choice {
            Choice::Random { random, stay } => match current {
                Some(current) if ready.len() == 1 || random.chance(*stay) => current,
                _ => *random.of(&ready)?,
            },
            Choice::Preempted(at) => {
                if current.is_some() && ready.len() > 1 {
                    self.open_turns.push(self.turns);
                }
                match current {
                    Some(current) if at.contains(&self.turns) => {
                        *ready.iter().find(|one| **one > current).or(ready.first())?
                    }
                    Some(current) => current,
                    None => *ready.first()?,
                }
            }
        };
        if let Some(strand) = self.strands.get_mut(next) {
            strand.state = State::Ready;
        }
        Some(next)
    }

    fn ready(&self) -> Vec<usize> {
        let ready = |strand: &Strand| match strand.state {
            State::Ready => true,
            State::Asleep(until) => until <= self.now,
            State::Done => false,
        };
        (0..self.strands.len()).filter(|at| ready(&self.strands[*at])).collect()
    }
}
