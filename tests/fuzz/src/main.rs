//! The binary that libFuzzer drives: `cargo xtask fuzz` builds it with coverage of our code and says which target it is.
//!
//! libFuzzer has the process's `main`.

#![no_main]

use std::sync::OnceLock;

use fuzz::Target;

/// The variable that names the target.
const TARGET: &str = "LITHIFY_FUZZ_TARGET";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static CHOSEN: OnceLock<&'static Target> = OnceLock::new();
    let target = CHOSEN.get_or_init(|| {
        let name = std::env::var(TARGET).unwrap_or_default();
        fuzz::target(&name).unwrap_or_else(|| panic!("{TARGET} names no target: '{name}'"))
    });
    let _understood = (target.check)(bytes);
});
