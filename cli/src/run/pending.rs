//! Drops that are not final yet and are looked at again: too young, left out, or claimed by another process.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use drops::{DroppedObject, Timestamp};
use ingest::LeftOut;

/// How often a drop that was left out is tried before it is given up for this run.
const TRIES: u32 = 3;

/// How long to wait before another process is looked at again.
const BUSY_WAIT: Duration = Duration::from_millis(100);

/// How long to wait before what was left out is tried again.
const RETRY_WAIT: Duration = Duration::from_millis(300);

/// What waits, by key.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    again: BTreeSet<String>,
    tries: BTreeMap<String, u32>,
    wake: Option<Timestamp>,
    /// The processes that work on some of them.
    pub(crate) holders: BTreeSet<String>,
}

/// What becomes of a drop that was left out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is looked at again.
    Again,
    /// Its object is gone.
    Gone,
    /// Three tries are enough, for this reason.
    GivenUp(String),
}

impl Pending {
    /// A drop that another process works on.
    pub(crate) fn busy(&mut self, object: DroppedObject, holder: &str, now: Timestamp) {
        self.holders.insert(holder.to_owned());
        self.at(object.id.key, after(now, BUSY_WAIT));
    }

    /// A drop that was modified too lately. One that is modified again and again is given up after three looks.
    pub(crate) fn young(&mut self, object: DroppedObject, settled: Timestamp) -> Verdict {
        let tries = self.tries.entry(format!("{}\0{}", object.id.key, "young")).or_default();
        *tries += 1;
        if *tries > TRIES {
            return Verdict::GivenUp("it is modified again and again; it is read once it rests (settle_time)".into());
        }
        self.at(object.id.key, settled);
        Verdict::Again
    }

    /// A drop that a batch left out.
    pub(crate) fn left_out(&mut self, object: DroppedObject, why: LeftOut, now: Timestamp) -> Verdict {
        let reason = match why {
            LeftOut::Gone => return Verdict::Gone,
            LeftOut::Contended | LeftOut::Void => {
                self.at(object.id.key, after(now, BUSY_WAIT));
                return Verdict::Again;
            }
            LeftOut::Changed => "it changed while it was read".to_owned(),
            LeftOut::Stopped { .. } => "interrupted".to_owned(),
            LeftOut::Passing(reason) => reason,
        };
        let tries = self.tries.entry(object.id.key.clone()).or_default();
        *tries += 1;
        if *tries >= TRIES {
            return Verdict::GivenUp(reason);
        }
        self.at(object.id.key, after(now, RETRY_WAIT));
        Verdict::Again
    }

    /// The keys to look at again and how long to wait before; nothing if none wait.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<(Vec<String>, Duration)> {
        if self.again.is_empty() {
            return None;
        }
        let wait = self.wake.take().map_or(0, |wake| wake.microseconds_since(now));
        self.holders.clear();
        Some((std::mem::take(&mut self.again).into_iter().collect(), Duration::from_micros(wait)))
    }

    /// The keys that are to be looked at again by now.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Vec<String> {
        if self.wake.is_some_and(|wake| wake > now) {
            return Vec::new();
        }
        self.take(now).map_or_else(Vec::new, |(keys, _)| keys)
    }

    /// Forgets the tries: what was given up is tried anew.
    pub(crate) fn forgive(&mut self) {
        self.tries.clear();
    }

    fn at(&mut self, key: String, wake: Timestamp) {
        self.again.insert(key);
        self.wake = Some(self.wake.map_or(wake, |known| known.max(wake)));
    }
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    Timestamp(now.0.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str) -> DroppedObject {
        let id =
            drops::DropId { pipeline: "p".parse().unwrap(), bucket: String::new(), key: key.into(), version: None };
        DroppedObject { id, etag: "e".into(), size: 1, modified: Timestamp(0) }
    }

    #[test]
    fn what_is_left_out_three_times_is_given_up() {
        let mut pending = Pending::default();
        let fail =
            |pending: &mut Pending| pending.left_out(object("a"), LeftOut::Passing("denied".into()), Timestamp(0));
        assert_eq!(fail(&mut pending), Verdict::Again);
        assert_eq!(fail(&mut pending), Verdict::Again);
        assert_eq!(fail(&mut pending), Verdict::GivenUp("denied".into()));
        pending.forgive();
        assert_eq!(fail(&mut pending), Verdict::Again);
        assert_eq!(pending.left_out(object("b"), LeftOut::Gone, Timestamp(0)), Verdict::Gone);
        assert_eq!(pending.take(Timestamp(0)).unwrap(), (vec!["a".to_owned()], RETRY_WAIT));
        assert_eq!(pending.take(Timestamp(0)), None);
    }

    #[test]
    fn waiting_for_others_is_no_try() {
        let mut pending = Pending::default();
        for _ in 0..100 {
            pending.busy(object("a"), "them", Timestamp(0));
            assert_eq!(pending.left_out(object("b"), LeftOut::Contended, Timestamp(0)), Verdict::Again);
        }
        assert_eq!(pending.take(Timestamp(0)).unwrap().0, ["a", "b"]);
    }
}
