//! The slot table in a lock file: what each worker of the process is doing, in 64 bytes per worker, readable with any pager.
//!
//! A slot is overwritten in place with one write and never synced: it outlives the process (the page cache does), not a power cut,
//! and no drop pulls the plug. A checksum tells a slot that was written in part from a whole one.
//!
//! ```text
//! reading 01J9Z3K8Q0000000000000000A 00f3a91c55d20b7e 9c1e04d7<spaces>\n
//! staging 01J9Z3K8Q0000000000000000A 0000000000000000 1b00c2e9<spaces>\n
//! ```

use std::io::Write;

use drops::BatchId;

use super::{Fnv, Suspect};

/// Bytes per slot.
pub(super) const SLOT_BYTES: usize = 64;

/// What a worker does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It reads and decodes one drop.
    Reading {
        /// The drop's [`drop_hash`](super::drop_hash).
        drop_hash: u64,
    },
    /// It sorts, writes or seals what the batch holds.
    Staging,
}

/// One slot as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Idle,
    Busy(BatchId, Activity),
    /// Not written as a whole.
    Unclear,
}

/// The bytes of an idle slot.
pub(super) const IDLE: [u8; SLOT_BYTES] = {
    let mut bytes = [b' '; SLOT_BYTES];
    bytes[SLOT_BYTES - 1] = b'\n';
    bytes
};

/// The bytes of a busy slot.
pub(super) fn busy(batch: BatchId, activity: Activity) -> [u8; SLOT_BYTES] {
    let mut bytes = IDLE;
    let (word, hash) = match activity {
        Activity::Reading { drop_hash } => ("reading", drop_hash),
        Activity::Staging => ("staging", 0),
    };
    let mut rest = &mut bytes[..];
    // 7 + 1 + 26 + 1 + 16 bytes of 64: the slice is never too short.
    let _ = write!(rest, "{word} {batch} {hash:016x}");
    let length = SLOT_BYTES - rest.len();
    let check = checksum(&bytes[..length]);
    let _ = write!(&mut bytes[length..], " {check:08x}");
    bytes
}

fn checksum(bytes: &[u8]) -> u64 {
    Fnv::of(bytes) >> 32
}

fn parse(bytes: &[u8]) -> Slot {
    let Ok(text) = std::str::from_utf8(bytes) else { return Slot::Unclear };
    // Zeros: a slot below one that was written beyond the end, never used itself.
    let text = text.trim_matches(['\0', ' ', '\n']);
    if text.is_empty() {
        return Slot::Idle;
    }
    parse_busy(text).map_or(Slot::Unclear, |(batch, activity)| Slot::Busy(batch, activity))
}

fn parse_busy(text: &str) -> Option<(BatchId, Activity)> {
    let (said, check) = text.rsplit_once(' ')?;
    if u64::from_str_radix(check, 16).ok()? != checksum(said.as_bytes()) {
        return None;
    }
    let mut words = said.split(' ');
    let (word, batch, hash) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
    let activity = match word {
        "reading" => Activity::Reading { drop_hash: u64::from_str_radix(hash, 16).ok()? },
        "staging" => Activity::Staging,
        _ => return None,
    };
    Some((batch, activity))
}

/// Whether no worker was at work.
pub(super) fn all_idle(table: &[u8]) -> bool {
    table.chunks(SLOT_BYTES).all(|slot| parse(slot) == Slot::Idle)
}

/// What the table says of a batch.
pub(super) fn suspect(table: &[u8], batch: BatchId) -> Suspect {
    let mut found = Suspect::None;
    for slot in table.chunks(SLOT_BYTES).map(parse) {
        let here = match slot {
            Slot::Idle => continue,
            Slot::Busy(other, _) if other != batch => continue,
            Slot::Busy(_, Activity::Reading { drop_hash }) => Suspect::Drop(drop_hash),
            Slot::Busy(_, Activity::Staging) | Slot::Unclear => Suspect::Any,
        };
        found = match found {
            Suspect::None => here,
            same if same == here => same,
            // Two workers on one batch, each with another drop.
            _ => Suspect::Any,
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(n: u128) -> BatchId {
        BatchId::from_parts(1_700_000_000_000, n)
    }

    #[test]
    fn tables_say_what_was_being_read() {
        let reading = |drop_hash| Activity::Reading { drop_hash };
        let table = |slots: &[[u8; SLOT_BYTES]]| slots.concat();
        assert_eq!(suspect(&[], id(1)), Suspect::None);
        assert_eq!(suspect(&table(&[IDLE, busy(id(2), reading(7))]), id(1)), Suspect::None);
        assert_eq!(suspect(&table(&[IDLE, busy(id(1), reading(7))]), id(1)), Suspect::Drop(7));
        assert_eq!(suspect(&table(&[busy(id(1), reading(7)), busy(id(1), reading(7))]), id(1)), Suspect::Drop(7));
        assert_eq!(suspect(&table(&[busy(id(1), reading(7)), busy(id(1), reading(8))]), id(1)), Suspect::Any);
        assert_eq!(suspect(&table(&[busy(id(1), reading(7)), busy(id(1), Activity::Staging)]), id(1)), Suspect::Any);
        assert_eq!(suspect(&table(&[[0; SLOT_BYTES], busy(id(1), Activity::Staging)]), id(1)), Suspect::Any);
        assert!(all_idle(&table(&[[0; SLOT_BYTES], IDLE])));
        assert!(!all_idle(&table(&[IDLE, busy(id(1), Activity::Staging)])));
    }

    proptest! {
        #[test]
        fn a_slot_written_in_part_blames_no_single_drop(hash: u64, old: u64, cut in 1..SLOT_BYTES) {
            let whole = busy(id(5), Activity::Reading { drop_hash: hash });
            prop_assert_eq!(suspect(&whole, id(5)), Suspect::Drop(hash));
            let before = busy(id(6), Activity::Reading { drop_hash: old });
            let mut torn = before;
            torn[..cut].copy_from_slice(&whole[..cut]);
            prop_assert!(torn == whole || torn == before || suspect(&torn, id(5)) == Suspect::Any);
        }
    }
}
