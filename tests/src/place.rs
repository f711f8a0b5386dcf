//! A folder for one test: a source, a table, and the outputs of every start of the binary.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use benches::measure::{self, Measured};
use tempfile::TempDir;

use crate::process::{Ended, PATIENCE, Process};

/// A folder for one test, removed at its end, kept and named when the test fails.
pub struct Place {
    folder: Option<TempDir>,
    root: PathBuf,
    starts: AtomicU32,
}

impl Place {
    /// An empty place with an empty source.
    pub fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("lithify-{name}-")).tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("source")).unwrap();
        Self { folder: Some(folder), root, starts: AtomicU32::new(0) }
    }

    /// A path below the place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Where drops go.
    pub fn source(&self) -> PathBuf {
        self.path("source")
    }

    /// The table.
    pub fn table(&self) -> PathBuf {
        self.path("table")
    }

    /// The audit table beside it.
    pub fn audit(&self) -> PathBuf {
        self.path("table_drops")
    }

    /// Lithify's own state inside the table's folder.
    pub fn state(&self) -> PathBuf {
        self.table().join("_lithify")
    }

    /// `lithify WORDS`, ended.
    pub fn lithify(&self, words: &[&str]) -> Ended {
        let mut command = Command::new(binary());
        command.args(words);
        Process::start(command, &self.log()).wait(PATIENCE)
    }

    /// `lithify run SOURCE TABLE --json` with fresh files read at once, and `flags`; started, not waited for.
    pub fn start(&self, flags: &[&str]) -> Process {
        let mut command = Command::new(binary());
        self.arguments(&mut command, flags);
        Process::start(command, &self.log())
    }

    /// The same, ended.
    pub fn run(&self, flags: &[&str]) -> Ended {
        self.start(flags).wait(PATIENCE)
    }

    /// The same under the stopwatch.
    pub fn measured(&self, flags: &[&str]) -> (Ended, Measured) {
        let log = self.log();
        let report = log.with_extension("report");
        let mut command = measure::command(&report, binary());
        self.arguments(&mut command, flags);
        let ended = Process::start(command, &log).wait(PATIENCE);
        let measured = measure::read(&report).unwrap();
        (ended, measured)
    }

    fn arguments(&self, command: &mut Command, flags: &[&str]) {
        command.arg("run").arg(self.source()).arg(self.table()).args(["--json", "--settle-time", "0s"]).args(flags);
    }

    fn log(&self) -> PathBuf {
        self.root.join(format!("start-{:03}", self.starts.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("kept for a look: {}", folder.keep().display());
        }
    }
}

/// The binary that `cargo xtask e2e` built.
///
/// # Panics
/// Where it was not named: a test that silently ran nothing would pass.
pub fn binary() -> PathBuf {
    named("LITHIFY_BIN")
}

/// The Python that has the readers.
///
/// # Panics
/// As [`binary`].
pub fn python() -> PathBuf {
    named("LITHIFY_PYTHON")
}

fn named(variable: &str) -> PathBuf {
    let value = std::env::var_os(variable)
        .unwrap_or_else(|| panic!("{variable} is not set: start the end-to-end tests by `cargo xtask e2e`"));
    let path = Path::new(&value).to_path_buf();
    assert!(path.is_file(), "{variable} names {}, which is no file", path.display());
    path
}
