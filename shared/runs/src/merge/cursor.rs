//! The merge of rows: a heap of runs by their current key. A run waits unopened until its first key is reached.

use arrow_array::RecordBatch;

use super::gather::Gather;
use super::input::{Input, rows_at_once};
use super::{Job, RunInput};
use crate::error::RunsError;
use crate::order::Keys;

/// Takes rows in the order of their keys.
pub(super) type RowSink<'a, 'j> = dyn FnMut(RecordBatch, &mut Job<'j>) -> Result<(), RunsError> + 'a;

/// A run's place in the heap.
enum Slot {
    Waiting(Box<RunInput>),
    Open(Box<Current>),
    Ended,
}

struct Current {
    input: Input,
    batch: RecordBatch,
    keys: Keys,
    row: usize,
}

impl Slot {
    /// The key of its next row.
    fn key(&self) -> &[u8] {
        match self {
            Self::Waiting(run) => &run.first_key,
            Self::Open(current) => current.keys.get(current.row),
            Self::Ended => &[],
        }
    }
}

impl<'j> Job<'j> {
    /// Hands the rows of these runs to `sink`, in the order of their keys. Of runs with equal keys the one that began first has its turn, so
    /// that one which ends there is done before another is opened that begins there.
    pub(super) fn merge_rows(&mut self, mut runs: Vec<RunInput>, sink: &mut RowSink<'_, 'j>) -> Result<(), RunsError> {
        runs.sort_by(|a, b| (&a.first_key, &a.last_key).cmp(&(&b.first_key, &b.last_key)));
        let mut gather = Gather::new(runs.len(), rows_at_once(self.columns));
        let slots = runs.into_iter().map(|run| Slot::Waiting(Box::new(run))).collect();
        let mut heap = Heap::new(slots);
        while let Some((top, slot, bound)) = heap.top() {
            let still_there = match slot {
                Slot::Waiting(run) => {
                    let mut input = Input::open(run, self)?;
                    match input.next_with_keys(&self.target.order)? {
                        Some((batch, keys)) => {
                            *slot = Slot::Open(Box::new(Current { input, batch, keys, row: 0 }));
                            true
                        }
                        None => false,
                    }
                }
                Slot::Ended => false,
                Slot::Open(current) => {
                    let end = match bound {
                        Some(bound) => current.keys.first_above(bound, current.row).max(current.row + 1),
                        None => current.keys.len(),
                    };
                    gather.take(top, &current.batch, current.row, end, &mut |batch| sink(batch, self))?;
                    current.row = end;
                    end < current.keys.len() || {
                        gather.leave(top, &current.batch, &mut |batch| sink(batch, self))?;
                        current.refill(self)?
                    }
                }
            };
            heap.settle(still_there);
        }
        gather.flush(&mut |batch| sink(batch, self))
    }
}

impl Current {
    /// Reads the next batch; tells whether there was one.
    fn refill(&mut self, job: &Job<'_>) -> Result<bool, RunsError> {
        let next = self.input.next_with_keys(&job.target.order)?;
        Ok(next.is_some_and(|(batch, keys)| {
            (self.batch, self.keys, self.row) = (batch, keys, 0);
            true
        }))
    }
}

/// A binary heap of slots with the smallest key on top, which can be changed in place.
struct Heap {
    slots: Vec<Slot>,
    order: Vec<usize>,
}

impl Heap {
    fn new(slots: Vec<Slot>) -> Self {
        let order = (0..slots.len()).collect();
        let mut heap = Self { slots, order };
        for at in (0..heap.order.len() / 2).rev() {
            heap.sift_down(at);
        }
        heap
    }

    /// The slot with the smallest key, and the smallest key of all others.
    fn top(&mut self) -> Option<(usize, &mut Slot, Option<&[u8]>)> {
        let top = *self.order.first()?;
        let second = match (self.order.get(1), self.order.get(2)) {
            (Some(left), Some(right)) if self.is_before(*right, *left) => Some(*right),
            (left, _) => left.copied(),
        };
        let Some(second) = second else { return Some((top, &mut self.slots[top], None)) };
        let [slot, second] = self.slots.get_disjoint_mut([top, second]).ok()?;
        Some((top, slot, Some(second.key())))
    }

    /// After the top changed, or ended.
    fn settle(&mut self, still_there: bool) {
        if !still_there {
            let ended = self.order.swap_remove(0);
            // Its reader and pages go now, not at the end of the merge.
            self.slots[ended] = Slot::Ended;
        }
        self.sift_down(0);
    }

    fn sift_down(&mut self, mut at: usize) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.order.len() && self.is_before(self.order[child], self.order[least]) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.order.swap(at, least);
            at = least;
        }
    }

    fn is_before(&self, a: usize, b: usize) -> bool {
        (self.slots[a].key(), a) < (self.slots[b].key(), b)
    }
}
