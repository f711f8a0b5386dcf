//! Drops that are not final yet and are looked at again: too young, left out, or claimed by another process.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use drops::{DroppedObject, Timestamp};
use ingest::LeftOut;

/// How often a drop that was left out is tried before it is given up for this run.
const TRIES: u32 = 3;

/// How often a run that ends looks for a file to rest: one that is modified at each look is left out.
const YOUNG_LOOKS: u32 = 3;

/// The longest that a run that ends waits for a file to rest.
const LONGEST_SETTLING: Duration = Duration::from_secs(30);

/// How long to wait before another process is looked at again.
const BUSY_WAIT: Duration = Duration::from_millis(100);

/// How long to wait before what was left out is tried again.
const RETRY_WAIT: Duration = Duration::from_millis(300);

/// What falls due within this time is looked at together.
const TOGETHER: Duration = Duration::from_millis(500);

/// What waits, by key.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// When each is looked at again.
    again: BTreeMap<String, Timestamp>,
    tries: BTreeMap<String, u32>,
    /// How often each was found too young.
    young: BTreeMap<String, u32>,
    /// Whether files are waited for as long as it takes.
    patient: bool,
    /// Files that were modified in the future: as what, and when they were first seen so.
    future: BTreeMap<String, (String, Timestamp)>,
    /// The processes that work on some of them.
    pub(crate) holders: BTreeSet<String>,
}

/// What becomes of a drop that is not final.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is looked at again.
    Again,
    /// Its object is gone.
    Gone,
    /// It rests later than a run waits: a run after this moment takes it.
    NextRun(Timestamp),
    /// Three tries are enough, for this reason.
    GivenUp(String),
}

impl Pending {
    /// Waits for files to rest as long as it takes, as watching does.
    pub(crate) fn be_patient(&mut self) {
        self.patient = true;
    }

    /// A drop that another process works on.
    pub(crate) fn busy(&mut self, object: DroppedObject, holder: &str, now: Timestamp) {
        self.holders.insert(holder.to_owned());
        self.at(object.id.key, after(now, BUSY_WAIT));
    }

    /// A drop that was modified too lately, and rests long enough at `settled` if it is not modified again. No try counts: it was
    /// not read.
    pub(crate) fn young(&mut self, object: DroppedObject, settled: Timestamp, now: Timestamp) -> Verdict {
        if !self.patient {
            let looks = self.young.entry(object.id.key.clone()).or_default();
            *looks += 1;
            if *looks > YOUNG_LOOKS {
                return Verdict::GivenUp("it is still being written: it was modified before each look".to_owned());
            }
            if settled > after(now, LONGEST_SETTLING) {
                return Verdict::NextRun(settled);
            }
        }
        self.at(object.id.key, settled);
        Verdict::Again
    }

    /// When a file that was modified in the future was first seen as it is now.
    pub(crate) fn seen(&mut self, object: &DroppedObject, now: Timestamp) -> Timestamp {
        let known = self.future.entry(object.id.key.clone()).or_insert_with(|| (object.etag.clone(), now));
        if known.0 != object.etag {
            *known = (object.etag.clone(), now);
        }
        known.1
    }

    /// A file has rested long enough: it is not asked about again.
    pub(crate) fn rests(&mut self, key: &str) {
        self.future.remove(key);
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
            LeftOut::Stopped { .. } | LeftOut::Outlasted { .. } => "interrupted".to_owned(),
            LeftOut::NoVersionId(reason) | LeftOut::Passing(reason) => reason,
        };
        let tries = self.tries.entry(object.id.key.clone()).or_default();
        *tries += 1;
        if *tries >= TRIES {
            return Verdict::GivenUp(reason);
        }
        self.at(object.id.key, after(now, RETRY_WAIT));
        Verdict::Again
    }

    /// The keys to look at again next and how long to wait before; nothing if none wait.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<(Vec<String>, Duration)> {
        let first = self.again.values().min().copied()?;
        let until = after(first, TOGETHER);
        let last = self.again.values().filter(|at| **at <= until).max().copied()?;
        Some((self.take_until(last), Duration::from_micros(last.microseconds_since(now))))
    }

    /// The keys that are to be looked at again by now.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Vec<String> {
        self.take_until(now)
    }

    fn take_until(&mut self, moment: Timestamp) -> Vec<String> {
        self.holders.clear();
        let due: Vec<String> = self.again.iter().filter(|(_, at)| **at <= moment).map(|(key, _)| key.clone()).collect();
        for key in &due {
            self.again.remove(key);
        }
        due
    }

    /// Forgets the tries: what was given up is tried anew.
    pub(crate) fn forgive(&mut self) {
        self.tries.clear();
    }

    fn at(&mut self, key: String, wake: Timestamp) {
        self.again.insert(key, wake);
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
        DroppedObject { id, etag: "e".into(), size: 1, modified: Timestamp(0), read_at: None }
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
    fn a_file_that_goes_on_changing_holds_up_no_other_and_is_left_out() {
        let second = 1_000_000;
        let next = |at| Verdict::NextRun(Timestamp(at));
        let mut pending = Pending::default();
        let rests = Timestamp(2 * second);
        assert_eq!(pending.young(object("rests"), rests, Timestamp(0)), Verdict::Again);
        for look in 1..=3 {
            let settled = Timestamp((look + 2) * second);
            assert_eq!(pending.young(object("grows"), settled, Timestamp(look * second)), Verdict::Again);
        }
        assert_eq!(pending.take(Timestamp(0)), Some((vec!["rests".to_owned()], Duration::from_secs(2))));
        assert_eq!(pending.take(Timestamp(2 * second)), Some((vec!["grows".to_owned()], Duration::from_secs(3))));
        let verdict = pending.young(object("grows"), Timestamp(9 * second), Timestamp(7 * second));
        assert!(matches!(&verdict, Verdict::GivenUp(why) if why.contains("still being written")), "{verdict:?}");
        let hour = 3_600 * second;
        assert_eq!(pending.young(object("settles for an hour"), Timestamp(hour), Timestamp(0)), next(hour));
        assert_eq!(pending.take(Timestamp(0)), None);
    }

    #[test]
    fn a_file_from_the_future_rests_from_when_it_was_first_seen_as_it_is() {
        let mut pending = Pending::default();
        let grown = DroppedObject { etag: "grown".into(), ..object("a") };
        assert_eq!(pending.seen(&object("a"), Timestamp(1)), Timestamp(1));
        assert_eq!(pending.seen(&object("a"), Timestamp(2)), Timestamp(1));
        assert_eq!(pending.seen(&grown, Timestamp(3)), Timestamp(3));
        assert_eq!(pending.seen(&grown, Timestamp(4)), Timestamp(3));
        pending.rests("a");
        assert_eq!(pending.seen(&grown, Timestamp(5)), Timestamp(5));
    }

    #[test]
    fn watching_waits_as_long_as_it_takes() {
        let mut pending = Pending::default();
        pending.be_patient();
        for look in 0..100 {
            assert_eq!(pending.young(object("a"), Timestamp(look + 7_200_000_000), Timestamp(look)), Verdict::Again);
        }
        assert_eq!(pending.take_due(Timestamp(7_200_000_098)), [""; 0]);
        assert_eq!(pending.take_due(Timestamp(7_200_000_099)), ["a"]);
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
