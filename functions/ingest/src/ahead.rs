//! Objects opened ahead of their turn, where a source is far away: reads run side by side under a bound on bytes in flight.

use std::collections::VecDeque;
use std::sync::Arc;

use store::{Begun, OpenObject, ReadError, Source};

use crate::Candidate;

/// An object whose turn has come, opened or not yet.
pub(crate) enum Opening {
    /// It is opened now.
    Due,
    /// It was begun ahead.
    Begun(Begun),
}

impl Opening {
    /// The opened object.
    pub(crate) async fn opened(
        self,
        source: &dyn Source,
        candidate: &Candidate,
    ) -> Result<Box<dyn OpenObject>, ReadError> {
        match self {
            Self::Due => source.open(&candidate.object).await,
            Self::Begun(begun) => begun.await,
        }
    }
}

/// Hands out candidates in their order, and begins to read those that come next.
pub(crate) struct Ahead {
    source: Arc<dyn Source>,
    waiting: VecDeque<Candidate>,
    begun: VecDeque<(Candidate, Begun)>,
    /// Bytes that the begun reads may hold.
    bytes: u64,
}

impl Ahead {
    pub(crate) fn new(source: Arc<dyn Source>, candidates: Vec<Candidate>) -> Self {
        Self { source, waiting: candidates.into(), begun: VecDeque::new(), bytes: 0 }
    }

    /// The next candidate.
    pub(crate) fn next(&mut self) -> Option<(Candidate, Opening)> {
        self.begin();
        if let Some((candidate, begun)) = self.begun.pop_front() {
            self.bytes -= self.held_by(&candidate);
            return Some((candidate, Opening::Begun(begun)));
        }
        self.waiting.pop_front().map(|candidate| (candidate, Opening::Due))
    }

    /// What was not handed out yet. No more reads are begun.
    pub(crate) fn rest(self) -> impl Iterator<Item = Candidate> {
        self.begun.into_iter().map(|(candidate, _)| candidate).chain(self.waiting)
    }

    fn begin(&mut self) {
        let limit = self.source.read_ahead();
        while self.begun.len() < limit.objects {
            let Some(next) = self.waiting.front() else { return };
            let held = self.held_by(next);
            if !self.begun.is_empty() && self.bytes + held > limit.bytes {
                return;
            }
            let Some(candidate) = self.waiting.pop_front() else { return };
            self.bytes += held;
            let begun = self.source.clone().open_ahead(candidate.object.clone());
            self.begun.push_back((candidate, begun));
        }
    }

    fn held_by(&self, candidate: &Candidate) -> u64 {
        candidate.object.size.min(self.source.read_ahead().bytes_per_object)
    }
}
