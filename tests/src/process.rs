//! One start of the binary.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any honest start takes, even unoptimized on a busy machine. What waits for longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// A process that was started. Ended when dropped.
pub struct Process {
    child: Child,
    started: Instant,
    log: PathBuf,
    shown: String,
}

/// A process that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code, if no signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote.
    pub stdout: String,
    /// What it told people.
    pub stderr: String,
    /// How long it lived, as its parent saw it.
    pub lived: Duration,
    shown: String,
}

impl Process {
    /// Starts it with its outputs in `<log>.stdout` and `<log>.stderr`.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let output = |kind: &str| File::create(log.with_extension(kind)).unwrap();
        command.stdin(Stdio::null()).stdout(output("stdout")).stderr(output("stderr"));
        let shown = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        Self { child, started: Instant::now(), log: log.to_path_buf(), shown }
    }

    /// Whether it still lives.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGKILL after so long a life; whether it ended before that is told by [`Ended::signal`].
    pub fn kill_after(self, life: Duration) -> Ended {
        self.kill_when(|lived| lived >= life)
    }

    /// SIGKILL as soon as `ready`, which is asked every millisecond and told how long the process has lived.
    pub fn kill_when(mut self, mut ready: impl FnMut(Duration) -> bool) -> Ended {
        while self.lives() && !ready(self.started.elapsed()) {
            assert!(self.started.elapsed() < PATIENCE, "{} neither ended nor was it ready to be killed", self.shown);
            thread::sleep(Duration::from_millis(1));
        }
        // It may have ended by itself in between: then its own status is found.
        let _ = self.child.kill();
        let status = self.child.wait().unwrap();
        self.ended(status)
    }

    /// SIGINT, as Ctrl-C sends it.
    pub fn interrupt(&self) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -INT {}", self.child.id())).status().unwrap();
        assert!(sent.success(), "{} could not be interrupted: {sent}", self.shown);
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it takes longer than `patience`.
    pub fn wait(mut self, patience: Duration) -> Ended {
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return self.ended(status);
            }
            assert!(
                self.started.elapsed() < patience,
                "{} did not end in {patience:?}; it said:\n{}",
                self.shown,
                fs::read_to_string(self.log.with_extension("stderr")).unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn ended(&self, status: ExitStatus) -> Ended {
        let text = |kind| String::from_utf8_lossy(&fs::read(self.log.with_extension(kind)).unwrap()).into_owned();
        Ended {
            code: status.code(),
            signal: status.signal(),
            stdout: text("stdout"),
            stderr: text("stderr"),
            lived: self.started.elapsed(),
            shown: self.shown.clone(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Whether SIGKILL ended it.
    pub fn killed(&self) -> bool {
        self.signal == Some(9)
    }

    /// Demands one of these exit codes.
    pub fn expect(self, codes: &[i32]) -> Self {
        assert!(
            self.code.is_some_and(|code| codes.contains(&code)),
            "{} ended with code {:?}, signal {:?}, not with one of {codes:?}; it said:\n{}\nand wrote:\n{}",
            self.shown,
            self.code,
            self.signal,
            self.stderr,
            self.stdout
        );
        self
    }

    /// Demands that it told people each of these, in whatever case.
    pub fn tells(self, parts: &[&str]) -> Self {
        let said = self.stderr.to_lowercase();
        for part in parts {
            assert!(said.contains(&part.to_lowercase()), "{} did not tell {part:?} but:\n{}", self.shown, self.stderr);
        }
        self
    }

    /// What it wrote, as one JSON value.
    ///
    /// # Panics
    /// When standard output holds anything else.
    pub fn json(&self) -> serde_json::Value {
        let parsed = serde_json::from_str(&self.stdout);
        parsed.unwrap_or_else(|error| panic!("{} wrote no JSON ({error}):\n{}", self.shown, self.stdout))
    }
}
