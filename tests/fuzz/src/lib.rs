//! What reads strangers' bytes, held against its properties under any bytes.
//!
//! A [`Target`] takes bytes and panics where a property does not hold. Two drivers feed it:
//! - `cargo test` ([`mutate`]): every file of the corpus, then mutations of them from a fixed seed, in seconds;
//! - `cargo xtask fuzz` (`main.rs`): libFuzzer, which follows the coverage of our code, for as long as one likes.
//!
//! The corpus, `corpus/TARGET/`, holds what a target reads as it would lie in a bucket: no framing of our own, so that a strange
//! file from life is dropped there as it is. What a property needs beside the bytes (the sizes of chunks) is drawn from their
//! fingerprint, so that a file always does the same.
//!
//! The other side of each property is told by code that shares nothing with ours: `serde_json`, `percent-encoding`, `jiff`, the
//! compressors' own readers, and for CSV a reader written straight from what our documentation says ([`plain_csv`]).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a property that does not hold is a panic")]

pub mod cells;
pub mod json;
pub mod law;
pub mod mutate;
pub mod number;
pub mod packing;
pub mod plain_csv;
pub mod read;
pub mod targets;

pub use targets::{TARGETS, Target, target};

/// FNV-1a over 64 bits: what is drawn for some bytes.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}
