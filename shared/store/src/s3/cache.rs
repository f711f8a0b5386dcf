//! Blocks of open objects, as many as a bound allows; the one that was not used for longest goes first.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Which block: of which reader, and its number there.
pub(super) type BlockId = (u64, u64);

/// A bounded set of blocks.
pub(super) struct Cache {
    bytes_max: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    blocks: HashMap<BlockId, (Bytes, u64)>,
    bytes: usize,
    uses: u64,
    readers: u64,
}

impl Cache {
    /// An empty one that will hold so many bytes at most.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, held: Mutex::default() }
    }

    /// A number that no other reader has.
    pub(super) fn reader(&self) -> u64 {
        let mut held = self.held();
        held.readers += 1;
        held.readers
    }

    /// A block, if it is held.
    pub(super) fn get(&self, id: BlockId) -> Option<Bytes> {
        let mut held = self.held();
        held.uses += 1;
        let now = held.uses;
        let (bytes, used) = held.blocks.get_mut(&id)?;
        *used = now;
        Some(bytes.clone())
    }

    /// Holds a block and lets go of others for it. One larger than the bound is not held.
    pub(super) fn insert(&self, id: BlockId, bytes: Bytes) {
        if bytes.len() > self.bytes_max {
            return;
        }
        let mut held = self.held();
        held.uses += 1;
        let now = held.uses;
        held.bytes += bytes.len();
        if let Some((before, _)) = held.blocks.insert(id, (bytes, now)) {
            held.bytes -= before.len();
        }
        while held.bytes > self.bytes_max {
            // There are few: the bound over the size of a block.
            let Some(oldest) = held.blocks.iter().min_by_key(|(_, (_, used))| *used).map(|(id, _)| *id) else { return };
            held.remove(oldest);
        }
    }

    /// Lets go of all blocks of a reader.
    pub(super) fn forget(&self, reader: u64) {
        let mut held = self.held();
        let gone: Vec<BlockId> = held.blocks.keys().filter(|id| id.0 == reader).copied().collect();
        for id in gone {
            held.remove(id);
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Every change is whole before anything in it can panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn remove(&mut self, id: BlockId) {
        if let Some((bytes, _)) = self.blocks.remove(&id) {
            self.bytes -= bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let cache = Cache::new(10);
        let block = |length: usize| Bytes::from(vec![7; length]);
        cache.insert((1, 0), block(4));
        cache.insert((1, 1), block(4));
        assert!(cache.get((1, 0)).is_some());
        cache.insert((2, 0), block(4));
        assert!(cache.get((1, 1)).is_none() && cache.get((1, 0)).is_some() && cache.get((2, 0)).is_some());
        cache.insert((2, 0), block(6));
        assert_eq!(cache.held().bytes, 10);
        cache.insert((3, 0), block(11));
        assert!(cache.get((3, 0)).is_none() && cache.get((1, 0)).is_some());
        cache.forget(1);
        let held = cache.held();
        assert_eq!((held.bytes, held.blocks.len()), (6, 1));
    }
}
