mod alternating;
mod claims;
mod crash;
mod files;
mod groups;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use drops::{BatchId, DropId, Timestamp};
use tempfile::TempDir;

use super::EmbeddedLedger;
use crate::{Claim, Expected, conformance};

fn file_in(folder: &TempDir) -> PathBuf {
    folder.path().join("ledger.db")
}

fn open(path: &Path) -> EmbeddedLedger {
    EmbeddedLedger::open(path, "ledger-1".to_owned()).unwrap()
}

fn batch(n: u64) -> BatchId {
    BatchId::from_parts(1_700_000_000_000 + n, n.into())
}

/// A wanted claim on a drop that has none.
fn fresh(key: String, n: u64) -> (DropId, Expected, Claim) {
    let id = DropId { pipeline: "p".parse().unwrap(), bucket: String::new(), key, version: None };
    let (batch, holder, etag) = (batch(n), "me".to_owned(), "366-1700000000000000000".to_owned());
    (id, Expected::Absent, Claim { batch, holder, at: Timestamp(1), etag, aborted: 0, aborted_alone: 0 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract() {
    let folder = TempDir::new().unwrap();
    let made = AtomicUsize::new(0);
    conformance::all(|| {
        let path = folder.path().join(format!("{}.db", made.fetch_add(1, Ordering::Relaxed)));
        async move { open(&path) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_through_two_handles_on_one_file() {
    let folder = TempDir::new().unwrap();
    let made = AtomicUsize::new(0);
    conformance::all(|| {
        let path = folder.path().join(format!("{}.db", made.fetch_add(1, Ordering::Relaxed)));
        async move { alternating::Alternating::new(open(&path), EmbeddedLedger::open_existing(&path).unwrap()) }
    })
    .await;
}
