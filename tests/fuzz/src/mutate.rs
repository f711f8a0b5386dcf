//! Mutations from a fixed seed: what `cargo test` tries, the same on every machine. It follows no coverage; what libFuzzer has found is
//! in the corpus, and each mutation begins there.

use crate::Target;

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators"): a seed gives the same numbers for ever.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; zero if there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { (self.next() % limit as u64) as usize }
    }
}

/// The longest input that is made.
const MOST_BYTES: usize = 8 << 10;

/// A corpus file, changed in one to six places.
pub fn mutated(target: &Target, corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = pick(corpus, random).to_vec();
    for _ in 0..=random.below(6) {
        change(&mut bytes, target, corpus, random);
        bytes.truncate(MOST_BYTES);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, target: &Target, corpus: &[Vec<u8>], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let length = random.below(16.min(bytes.len() - at + 1));
    match random.below(9) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.below(256) as u8;
            }
        }
        2 => drop(bytes.drain(at..at + length)),
        3 => {
            let copy = bytes[at..at + length].to_vec();
            let to = random.below(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        4 => bytes.truncate(at),
        5 => {
            // The beginning of this one and the end of another.
            let other = pick(corpus, random);
            let from = random.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        6 => {
            let copy = bytes[at..at + length].repeat(1 + random.below(12));
            bytes.splice(at..at, copy);
        }
        _ => {
            let words = target.words;
            let word = words.get(random.below(words.len())).copied().unwrap_or_default();
            bytes.splice(at..at + length * random.below(2), word.bytes());
        }
    }
}

fn pick<'a>(corpus: &'a [Vec<u8>], random: &mut Random) -> &'a [u8] {
    corpus.get(random.below(corpus.len())).map_or(&[], Vec::as_slice)
}
