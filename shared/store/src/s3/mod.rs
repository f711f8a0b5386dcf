//! Sources and stores on S3.
//!
//! * [`content`]: the bytes of one object, or of a part of it, however often the connection breaks
//! * [`source`], [`stream`]: drops, read whole where they are small and streamed through bounded memory where not
//! * [`store`], [`random`], [`cache`], [`writer`]: files of ours, read at any offset and written in parts
//! * [`listing`]: what lies under a prefix, page by page
//! * [`over`]: the time that there is for reading
//! * [`gone`]: whether anything is left of a drop
//! * [`failure`]: what S3's answers mean to us, the one place where they are told apart
//!
//! The client's own retries stand below all of this: what is told here as failed was tried several times.

mod cache;
mod content;
mod failure;
mod gone;
mod listing;
mod over;
mod random;
mod source;
mod store;
mod stream;
mod writer;

use std::fmt;
use std::future::Future;

use aws_smithy_types::DateTime;
use drops::Timestamp;
use tokio::runtime::Handle;

pub use listing::{ListedObject, S3Listing};
pub use source::S3Source;
pub use store::S3Store;

/// The address of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    bucket: String,
    key: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// Waits for the network where the caller's trait blocks.
///
/// Works on threads of a multi-thread runtime as well as on those of `spawn_blocking`, inside `Handle::block_on` or not. The one thread of
/// a current-thread runtime cannot wait for itself; there tokio panics and says so.
fn wait<F: Future>(runtime: &Handle, work: F) -> F::Output {
    tokio::task::block_in_place(|| runtime.block_on(work))
}

/// An etag without the quotes that HTTP puts around it: S3's events name it so.
fn unquoted(etag: &str) -> &str {
    etag.trim_matches('"')
}

/// A version's id; S3 calls `null` what was put while its bucket kept no versions.
fn named_version(id: &str) -> Option<String> {
    (!id.is_empty() && id != "null").then(|| id.to_owned())
}

/// An etag as a condition of HTTP wants it.
fn quoted(etag: &str) -> String {
    format!("\"{}\"", unquoted(etag))
}

fn timestamp(time: &DateTime) -> Timestamp {
    let micros = time.secs().saturating_mul(1_000_000).saturating_add(i64::from(time.subsec_nanos() / 1_000));
    Timestamp(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_has_one_form() {
        assert_eq!(unquoted("\"abc-2\""), "abc-2");
        assert_eq!(quoted("abc-2"), quoted("\"abc-2\""));
    }

    #[test]
    fn times_keep_their_microseconds() {
        assert_eq!(
            timestamp(&DateTime::from_secs_and_nanos(1_700_000_000, 123_456_789)),
            Timestamp(1_700_000_000_123_456)
        );
    }
}
