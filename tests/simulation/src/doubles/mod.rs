//! What a process of the simulation is given: the traits that the real code works with, each call through its [`Port`](crate::port::Port).

mod bucket;
mod clock;
mod lake;
mod ledger;
mod queues;
mod settings;
mod store;

pub use bucket::{BUCKET, Bucket, Content, Notified, SimSource, etag};
pub use clock::{SimClock, SimEntropy};
pub use lake::SimLake;
pub use ledger::SimLedger;
pub use queues::{DEAD_QUEUE, Delivered, LARGE_QUEUE, QUEUE, RECEIVES_MAX, SimQueues, Sqs, VISIBILITY, event};
pub use settings::{SimLoader, checked};
pub use store::{Place, SimStore};

use std::fmt::Debug;

use futures::FutureExt;

/// Why a read that breaks off fails.
pub(crate) const BROKE_OFF: &str = "the connection broke off";

/// The answer of a double in memory, which never waits.
pub(crate) fn now<T>(call: impl Future<Output = T>) -> T {
    match call.now_or_never() {
        Some(answer) => answer,
        None => unreachable!("what lies in memory answers at once"),
    }
}

/// An answer for the trace: of a failure its words.
pub(crate) fn told<T, E: std::fmt::Display>(answer: &Result<T, E>, show: impl FnOnce(&T) -> String) -> String {
    match answer {
        Ok(value) => show(value),
        Err(error) => format!("failed: {error}"),
    }
}

/// An answer for the trace whose printed form is short and the same in every run.
pub(crate) fn told_all<T: Debug, E: std::fmt::Display>(answer: &Result<T, E>) -> String {
    told(answer, |value| format!("{value:?}"))
}
