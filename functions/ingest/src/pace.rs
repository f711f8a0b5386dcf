//! Whether it is a drop's own weight that it was not read in the time that there was, or something that passes.

use std::io::{self, Read};
use std::time::Duration;

use drops::Timestamp;
use runtime::Clock;
use store::{OpenObject, ReadError};

use crate::{Ingest, LeftOut, Right};

/// What a connection to S3 brings when nothing is amiss, in bytes a second, and more: who waited for bytes that came like this waited for
/// their number.
const FULL_PACE: u64 = 16 << 20;

/// An object that is read against the clock.
pub(crate) struct Paced<'a> {
    inner: Box<dyn OpenObject>,
    clock: &'a dyn Clock,
    began: Duration,
    /// How long its reader waited for bytes.
    waited: Duration,
    bytes: u64,
}

impl<'a> Paced<'a> {
    /// Begins to look at the clock.
    pub(crate) fn new(inner: Box<dyn OpenObject>, clock: &'a dyn Clock) -> Self {
        Self { inner, clock, began: clock.monotonic(), waited: Duration::ZERO, bytes: 0 }
    }

    /// For how long it was read, if that was the time that is whole, and at least half of it was spent on the drop itself: on decoding it, or
    /// on bytes that came as fast as they can. `elsewhere` is how long its reader waited for others besides. `None`: it was begun late, or
    /// what it waited for was slow, which passes.
    pub(crate) fn outlasts(&self, whole: Duration, elsewhere: Duration) -> Option<Duration> {
        let took = self.clock.monotonic().saturating_sub(self.began);
        let at_full_pace = u128::from(self.bytes) * 1_000 >= u128::from(FULL_PACE) * self.waited.as_millis();
        let passing = if at_full_pace { elsewhere } else { elsewhere + self.waited };
        (took >= whole && passing < took / 2).then_some(took)
    }
}

/// Waits for something that is not the drop's own work, and adds how long that took.
pub(crate) async fn timed<T>(ingest: &Ingest, waited: &mut Duration, work: impl Future<Output = T>) -> T {
    let began = ingest.clock.monotonic();
    let done = work.await;
    *waited += ingest.clock.monotonic().saturating_sub(began);
    done
}

impl Ingest {
    /// What becomes of a drop that was not read to its end in the time that there was: it is left out, or quarantined for this reason.
    pub(crate) fn out_of_time(
        &self,
        right: &Right,
        alone: bool,
        open: &Paced<'_>,
        elsewhere: Duration,
    ) -> Result<LeftOut, String> {
        let whole = self.whole_time.filter(|_| alone);
        let Some(time) = whole.and_then(|whole| open.outlasts(whole, elsewhere)) else {
            return Ok(LeftOut::Stopped { begun: true });
        };
        if !right.is_deadly_after_this(self.settings.aborted_alone_limit) {
            return Ok(LeftOut::Outlasted { time });
        }
        let earlier = right.aborted;
        Err(format!(
            "it could not be read within {} seconds alone, and {earlier} earlier {} at this key ended without it; give the function for large \
             drops more memory, which is more processor too, or cut the file, and put it under another key; or put it under a prefix that no \
             pipeline reads, and ingest it from there by `lithify run`, which has no such limit",
            time.as_secs(),
            if earlier == 1 { "try" } else { "tries" }
        ))
    }
}

impl Read for Paced<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let began = self.clock.monotonic();
        let read = self.inner.read(buffer);
        self.waited += self.clock.monotonic().saturating_sub(began);
        self.bytes += read.as_ref().map_or(0, |length| *length as u64);
        read
    }
}

impl OpenObject for Paced<'_> {
    fn verify(&mut self) -> Result<(), ReadError> {
        self.inner.verify()
    }

    fn modified(&self) -> Option<Timestamp> {
        self.inner.modified()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A clock that a test sets, in milliseconds.
    #[derive(Default)]
    struct SetClock(AtomicU64);

    impl Clock for SetClock {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }

        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    /// Bytes, each read of which takes so many milliseconds.
    struct Slow(&'static SetClock, u64);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.0.fetch_add(self.1, Ordering::Relaxed);
            Ok(buffer.len())
        }
    }

    impl OpenObject for Slow {
        fn verify(&mut self) -> Result<(), ReadError> {
            Ok(())
        }
    }

    /// What became of so many reads of a mebibyte, each taking so long, and the work on them so long, of which waiting elsewhere so long; all
    /// in milliseconds. A whole time is ten seconds.
    fn outlasts(reads: u64, each: u64, work: u64, elsewhere: u64) -> Option<u64> {
        let clock: &'static SetClock = Box::leak(Box::default());
        let mut paced = Paced::new(Box::new(Slow(clock, each)), clock);
        let mut buffer = vec![0; 1 << 20];
        for _ in 0..reads {
            assert_eq!(paced.read(&mut buffer).expect("bytes"), 1 << 20);
        }
        clock.0.fetch_add(work, Ordering::Relaxed);
        let took = paced.outlasts(Duration::from_secs(10), Duration::from_millis(elsewhere));
        took.map(|took| u64::try_from(took.as_millis()).expect("few"))
    }

    #[test]
    fn only_what_a_drop_itself_takes_counts() {
        assert_eq!(outlasts(10, 1, 10_000, 0), Some(10_010), "decoding it takes too long");
        assert_eq!(outlasts(10, 1, 9_900, 0), None, "it was begun late");
        assert_eq!(outlasts(200, 50, 0, 0), Some(10_000), "twenty mebibytes a second: there are too many of them");
        assert_eq!(outlasts(100, 100, 0, 0), None, "ten mebibytes a second: they come slowly");
        assert_eq!(outlasts(1, 5_000, 5_000, 0), None, "a connection that stood still for half of the time");
        assert_eq!(outlasts(1, 4_900, 5_200, 0), Some(10_100));
        assert_eq!(outlasts(10, 1, 10_000, 6_000), None, "its runs were written slowly");
        assert_eq!(outlasts(10, 300, 10_000, 4_000), None, "both together");
    }

    /// What was replaced while it was read.
    struct Replaced;

    impl Read for Replaced {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
    }

    impl OpenObject for Replaced {
        fn verify(&mut self) -> Result<(), ReadError> {
            Err(ReadError::Changed)
        }

        fn modified(&self) -> Option<Timestamp> {
            Some(Timestamp(7))
        }
    }

    #[test]
    fn what_is_known_of_the_object_comes_through() {
        let clock = SetClock::default();
        let mut paced = Paced::new(Box::new(Replaced), &clock);
        assert!(matches!(paced.verify(), Err(ReadError::Changed)));
        assert_eq!(paced.modified(), Some(Timestamp(7)));
    }
}
