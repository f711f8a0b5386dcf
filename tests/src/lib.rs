//! The harness of the end-to-end tests: the real binary, folders of drops whose truth is known, and readers that share no
//! code with what wrote the table.
//!
//! * [`place`]: a source, a table and the binary's life between them
//! * [`process`]: one start of the binary: killed, interrupted or waited for
//! * [`drops`]: drops and what must come of each
//! * [`reader`]: tables through the eyes of others
//! * [`check`]: what must hold after any history: each row exactly once
//!
//! Everything here ends a test by a panic that says what was expected: it is used by tests alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the harness of tests fails as tests do")]
#![allow(clippy::disallowed_methods, reason = "real processes are started and killed by the real clock")]

pub use benches::checkout;

pub mod check;
pub mod drops;
pub mod place;
pub mod process;
pub mod reader;
