//! What measurements and end-to-end tests share: orders as Kafka Connect's S3 sink drops them, the truth about them, and
//! the running of other programs with a stopwatch.
//!
//! * [`row`]: one order as a JSON line, a pure function of seed, partition and offset
//! * [`truth`]: what a reader of the table must find, added up while the rows are made
//! * [`layout`]: how the rows lie in files, and the writing of them
//! * [`measure`]: time and peak memory of another program

use std::path::PathBuf;

pub mod layout;
pub mod measure;
pub mod random;
pub mod row;
pub mod truth;

/// The checkout that is at work. Asked when it runs: checkouts that share compiled code share this program.
pub fn checkout() -> PathBuf {
    let compiled = || PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(compiled, PathBuf::from);
    here.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).unwrap_or(&here).to_path_buf()
}
