//! A table in a folder, whose log is of strangers' bytes.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::sync::Once;

use lake::LakeError;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// A folder for a table, and what waits for its readers.
struct Place {
    folder: TempDir,
    runtime: Runtime,
}

thread_local! {
    static PLACE: RefCell<Place> = RefCell::new(Place {
        folder: tempfile::tempdir().expect("a folder"),
        runtime: Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime"),
    });
}

/// Where readers of Parquet break off, the error counts that comes of it: libFuzzer would end at once.
pub(super) fn let_readers_break_off() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let file = panic.location().map_or("", std::panic::Location::file);
            if !["/parquet-", "/arrow-", "/bytes-"].iter().any(|library| file.contains(library)) {
                before(panic);
            }
        }));
    });
}

/// Reads a table with an empty log, which is the reader's to fill.
pub(super) fn with_log(read: impl AsyncFnOnce(&Path) -> bool) -> bool {
    PLACE.with_borrow(|place| {
        let table = place.folder.path().join("table");
        let log = table.join("_delta_log");
        let _ = fs::remove_dir_all(&log);
        fs::create_dir_all(&log).expect("a folder");
        place.runtime.block_on(read(&table))
    })
}

/// An error names the table, and nothing panicked within. Nothing was understood.
pub(super) fn named(error: &LakeError) -> bool {
    assert!(error.to_string().contains("table"), "{error}");
    assert!(!error.to_string().contains("panicked"), "{error}");
    false
}
