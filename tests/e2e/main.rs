//! End to end: the real binary on real folders, killed, doubled, misled and measured, and its tables read by others.
//!
//! `cargo xtask e2e` builds the binary and brings the readers; `cargo xtask e2e NAME` runs what contains NAME. The names are
//! [`kill`], [`together`], [`watch`], [`reconcile`], [`rerun`], [`messages`], [`durable`], [`formats`], [`peers`], [`memory`] and [`hostile`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_methods, reason = "real processes are watched by the real clock")]

mod durable;
mod formats;
mod hostile;
mod kill;
mod memory;
mod messages;
mod peers;
mod reconcile;
mod rerun;
mod together;
mod watch;

/// Exit codes of the binary, as its help tells them.
mod exit {
    pub const FINAL: i32 = 0;
    pub const FAILED: i32 = 1;
    pub const SETTINGS: i32 = 2;
    pub const QUARANTINED: i32 = 3;
    pub const INTERRUPTED: i32 = 130;
}
