//! A process's door to the outside: every call goes through it, takes its turn, meets its fault, and is noted.
//!
//! A crash is an unwinding of the thread that made the call. Whatever the process does after it (its runtime catches the unwinding of
//! a task) ends at its next call in the same way, without an effect.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::doubles::BROKE_OFF;
use crate::fault::{Kind, Nature, Side};
use crate::random::Random;
use crate::world::{End, World};

/// What a crashed process's thread unwinds with.
pub struct Crashed;

/// What is called.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The operation: where, a dot, what.
    pub operation: &'static str,
    /// On what.
    pub key: &'a str,
    /// What faults can do with it.
    pub nature: Nature,
}

impl<'a> Call<'a> {
    /// A call that changes nothing.
    pub fn read(operation: &'static str, key: &'a str) -> Self {
        Self { operation, key, nature: Nature::Read }
    }

    /// A call that changes nothing, and opens what is read afterwards.
    pub fn opening(operation: &'static str, key: &'a str) -> Self {
        Self { operation, key, nature: Nature::Opening }
    }

    /// A call that changes the world.
    pub fn write(operation: &'static str, key: &'a str) -> Self {
        Self { operation, key, nature: Nature::Write }
    }

    /// A call whose effect may come late.
    pub fn late_write(operation: &'static str, key: &'a str) -> Self {
        Self { operation, key, nature: Nature::LateWrite }
    }
}

/// The door of one process.
pub struct Port {
    /// The world outside.
    pub world: Arc<World>,
    strand: AtomicUsize,
    name: Mutex<String>,
    dead: AtomicBool,
    calls: AtomicU64,
    random: Mutex<Random>,
    /// Whether it is one of those around the processes: they do not crash.
    is_around: bool,
}

impl Port {
    /// The door of a process that does not run yet.
    pub fn new(world: Arc<World>, seed: u64) -> Arc<Self> {
        Arc::new(Self::blank(world, seed))
    }

    fn blank(world: Arc<World>, seed: u64) -> Self {
        Self {
            world,
            strand: AtomicUsize::new(usize::MAX),
            name: Mutex::default(),
            dead: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            random: Mutex::new(Random::new(seed)),
            is_around: false,
        }
    }

    /// The door of somebody around the processes, who runs on this strand: a supplier, a poller. Such do not crash.
    pub fn around(world: Arc<World>, seed: u64, strand: usize, name: &str) -> Arc<Self> {
        let port = Self { is_around: true, ..Self::blank(world, seed) };
        port.bind(strand, name);
        Arc::new(port)
    }

    /// The process runs on this strand from now on, under this name: a sandbox serves one invocation after another.
    pub fn bind(&self, strand: usize, name: &str) {
        self.strand.store(strand, Ordering::SeqCst);
        name.clone_into(&mut self.name.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The process's name.
    pub fn name(&self) -> String {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it has crashed.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// How many calls it made.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// 128 bits of the process's own randomness.
    pub fn bits(&self) -> u128 {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        u128::from(random.bits()) << 64 | u128::from(random.bits())
    }

    /// A stream of its own, by the process's own randomness.
    pub fn random(&self) -> Random {
        let bits = self.random.lock().unwrap_or_else(PoisonError::into_inner).bits();
        Random::new(bits)
    }

    /// True so many times in a thousand, by the process's own randomness.
    pub fn chance(&self, per_mille: u64) -> bool {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).chance(per_mille)
    }

    /// Ends the process, here.
    pub fn crash(&self) -> ! {
        self.dead.store(true, Ordering::SeqCst);
        self.world.process_ended(&self.name(), End::Crashed);
        // Not a panic: nothing is printed.
        resume_unwind(Box::new(Crashed))
    }

    /// Stands still for so long; others go on.
    pub fn sleep(&self, time: Duration) {
        self.stay_dead();
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        self.world.scheduler.sleep(self.strand.load(Ordering::SeqCst), micros);
        self.stay_dead();
    }

    fn stay_dead(&self) {
        if self.is_dead() {
            resume_unwind(Box::new(Crashed));
        }
    }

    /// The middle of a long call: others cannot tell it from its beginning, so it is no turn, and faults can strike. `Err`: the rest does not
    /// come, with the reason.
    pub fn midway(&self, operation: &'static str, key: &str) -> Result<(), String> {
        self.stay_dead();
        let (world, name) = (&self.world, self.name());
        self.calls.fetch_add(1, Ordering::SeqCst);
        let Some((_, kind)) = world.strike(operation, key, &name, Nature::Read) else { return Ok(()) };
        world.note(&name, operation, key, &format!("{kind:?} in mid-stream"));
        match kind {
            Kind::Crash => self.crash(),
            Kind::Error | Kind::Throttle | Kind::LostReply => Err(BROKE_OFF.to_owned()),
            Kind::Delay(time) => {
                self.sleep(time);
                Ok(())
            }
            Kind::Late(_) | Kind::Duplicate | Kind::BreaksOff(_) => Ok(()),
        }
    }

    /// A call to the outside: its turn, its fault, its effect. `fail` makes the answer of a call that failed, with the reason.
    ///
    /// Others go first before the effect, and not after it as well: until its next call a process does nothing that others could see.
    pub fn call<T: 'static>(
        &self,
        call: Call<'_>,
        effect: impl Fn() -> T + Send + 'static,
        show: fn(&T) -> String,
        fail: impl FnOnce(String) -> T,
    ) -> T {
        self.open(call, effect, show, fail).0
    }

    /// The same of a call that opens what is read afterwards; and after how many bytes that breaks off, if it does.
    pub fn open<T: 'static>(
        &self,
        call: Call<'_>,
        effect: impl Fn() -> T + Send + 'static,
        show: fn(&T) -> String,
        fail: impl FnOnce(String) -> T,
    ) -> (T, Option<u64>) {
        let Call { operation, key, nature } = call;
        self.stay_dead();
        let (world, name) = (&self.world, self.name());
        world.scheduler.turn(self.strand.load(Ordering::SeqCst), &name);
        world.land_late();
        self.calls.fetch_add(1, Ordering::SeqCst);
        let struck = world.strike(operation, key, &name, nature);
        let struck = struck.filter(|(_, kind)| !self.is_around || *kind != Kind::Crash);
        let note = |what: String| world.note(&name, operation, key, &what);
        match &struck {
            Some((Side::Before, Kind::Crash)) => {
                note("crash before the effect".to_owned());
                self.crash();
            }
            Some((_, kind @ (Kind::Error | Kind::Throttle))) => {
                note(format!("{kind:?}, no effect"));
                let reason = if *kind == Kind::Error { "an error of the service" } else { "too many requests" };
                return (fail(reason.to_owned()), None);
            }
            Some((_, Kind::Late(when))) if nature == Nature::LateWrite => {
                note(format!("timed out, the effect comes late: {when:?}"));
                let (name, key) = (name.clone(), key.to_owned());
                if let Some(after) = when {
                    let world_then = self.world.clone();
                    let effect = move || {
                        let outcome = show(&effect());
                        world_then.note(&name, operation, &key, &format!("late: {outcome}"));
                        world_then.after_effect(operation, &key);
                    };
                    world.keep_late(*after, Box::new(effect));
                }
                return (fail("there was no answer in time".to_owned()), None);
            }
            Some((Side::Before, Kind::Delay(time))) => {
                note(format!("stands still for {time:?} before the effect"));
                self.sleep(*time);
            }
            _ => {}
        }
        let mut outcome = effect();
        if matches!(struck, Some((_, Kind::Duplicate))) {
            note(format!("sent twice, first: {}", show(&outcome)));
            outcome = effect();
        }
        note(cut(show(&outcome)));
        world.after_effect(operation, key);
        match struck {
            Some((Side::After, Kind::Crash)) => {
                note("crash after the effect".to_owned());
                self.crash();
            }
            Some((_, Kind::LostReply)) => {
                note("the answer is lost".to_owned());
                (fail("the answer was lost".to_owned()), None)
            }
            Some((_, Kind::BreaksOff(after))) => {
                note(format!("breaks off after {after} bytes"));
                (outcome, Some(after))
            }
            Some((Side::After, Kind::Delay(time))) => {
                note(format!("stands still for {time:?} after the effect"));
                self.sleep(time);
                (outcome, None)
            }
            _ => (outcome, None),
        }
    }
}

/// An outcome in a trace, cut.
fn cut(mut text: String) -> String {
    if text.len() > 200 {
        let mut end = 200;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}
