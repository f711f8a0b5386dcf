//! delta-rs as another writer of the table: `tests/foreign_writer.py` with the `deltalake` wheel.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::place::remote::{BUCKET, Remote, server};

/// The number of its first row; ours are below.
pub const FIRST: i64 = 1_000_000;

/// How to start it.
pub struct Writer {
    address: String,
}

impl Writer {
    /// One that writes to a place's table.
    pub fn of(remote: &Remote) -> Self {
        Self { address: format!("s3://{BUCKET}/{}/table", remote.prefix) }
    }

    /// Does these works once.
    pub fn once(&self, works: &[&str]) -> Result<(), String> {
        let output = self.command().arg(&self.address).args(works).output().map_err(|e| e.to_string())?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    }

    /// Does these works until it is told to end.
    pub fn again_and_again(&self, works: &[&str]) -> Beside {
        let folder = tempfile::tempdir().unwrap();
        let mut command = self.command();
        command.arg("--until").arg(folder.path().join("end")).arg(&self.address).args(works);
        Beside { child: command.stdout(Stdio::piped()).spawn().unwrap(), folder }
    }

    fn command(&self) -> Command {
        let python = std::env::var("LITHIFY_PYTHON").expect(
            "LITHIFY_PYTHON names no Python with `deltalake`: run this by `cargo xtask test`, which sets one up",
        );
        // Asked when it runs: checkouts that share compiled code share this program.
        let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
        let script = PathBuf::from(here).join("../../tests/foreign_writer.py");
        let mut command = Command::new(python);
        command.arg(script).env("LITHIFY_S3", server());
        command
    }
}

/// The writer at work.
pub struct Beside {
    child: Child,
    folder: tempfile::TempDir,
}

impl Beside {
    /// Ends it and gives what it did.
    pub fn end(mut self) -> Value {
        std::fs::write(self.folder.path().join("end"), "").unwrap();
        let mut told = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
        assert!(self.child.wait().unwrap().success(), "{told}");
        serde_json::from_str(&told).unwrap()
    }
}
