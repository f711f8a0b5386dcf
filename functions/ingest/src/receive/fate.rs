//! What became of a drop in this invocation, and what that means for the messages that wait for it.

use std::time::Duration;

use super::event::Message;

/// The shortest time after which something that failed is tried again; it doubles with each receive.
const BACK_OFF: Duration = Duration::from_secs(5);

/// The longest.
const BACK_OFF_MAX: Duration = Duration::from_secs(300);

/// How long to wait for the compactor to open a pipeline, at first; it doubles as well.
const CLOSED: Duration = Duration::from_secs(30);

/// When a drop that is not final is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// At once: only the time was lacking.
    None,
    /// At once: its turn did not come. However often that happens, it says nothing against the drop.
    Turn,
    /// Later each time.
    BackOff,
    /// Its pipeline is not open.
    Closed,
}

/// What became of a drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// A sealed batch of this invocation holds it.
    Staged,
    /// A sealed batch of an earlier one does.
    Duplicate,
    /// There is no such object (or version) any more.
    Missing,
    /// Its first bytes tell no format of ours, or it stands for a folder.
    Skipped,
    /// It is too large for this function: it goes to the other queue.
    Large,
    /// What its notification says of its version cannot be understood, and why: it goes to the dead-letter queue.
    NotUnderstood(String),
    /// It is not final.
    Again(Wait),
}

impl Wait {
    /// How long a message that was received so often waits.
    pub(super) fn time(self, receives: u32) -> Duration {
        let doubled = |first: Duration| first.saturating_mul(1 << receives.saturating_sub(1).min(10)).min(BACK_OFF_MAX);
        match self {
            Self::None | Self::Turn => Duration::ZERO,
            Self::BackOff => doubled(BACK_OFF),
            Self::Closed => doubled(CLOSED),
        }
    }
}

impl Fate {
    /// How the messages of a drop wait that is not final; none where it is, or is gone. All of these causes pass: what no delivery can
    /// mend is quarantined, and what cannot be understood is no drop.
    pub(super) fn wait(&self) -> Option<Wait> {
        match self {
            Self::Staged | Self::Duplicate | Self::Missing | Self::Skipped => None,
            // The other queue did not accept it, or the dead-letter queue.
            Self::Large | Self::NotUnderstood(_) => Some(Wait::BackOff),
            Self::Again(wait) => Some(*wait),
        }
    }
}

/// Which messages are not acknowledged, and when they come again: of several drops of a message the most impatient decides.
#[derive(Debug)]
pub(super) struct Open {
    waits: Vec<Option<Duration>>,
}

impl Open {
    pub(super) fn none(messages: usize) -> Self {
        Self { waits: vec![None; messages] }
    }

    /// A message stays open.
    pub(super) fn keep(&mut self, at: usize, message: &Message, wait: Wait) {
        let time = wait.time(message.all_receives());
        if let Some(place) = self.waits.get_mut(at) {
            *place = Some(place.map_or(time, |before| before.min(time)));
        }
    }

    /// The messages that are open, with their waits.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, Duration)> {
        self.waits.iter().enumerate().filter_map(|(at, wait)| wait.map(|wait| (at, wait)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes() {
        let seconds = |receives| Wait::BackOff.time(receives).as_secs();
        assert_eq!([0, 1, 2, 3, 6, 7, 12, u32::MAX].map(seconds), [5, 5, 10, 20, 160, 300, 300, 300]);
        let seconds = |receives| Wait::Closed.time(receives).as_secs();
        assert_eq!([0, 1, 2, 4, 5, u32::MAX].map(seconds), [30, 30, 60, 240, 300, 300]);
    }
}
