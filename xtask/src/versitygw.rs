//! A real S3 server for tests: Versity's gateway over a folder, installed once by Go and kept in the cache folder.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::cargo::succeed;
use crate::place;

const MODULE: &str = "github.com/versity/versitygw/cmd/versitygw";
const VERSION: &str = "v1.8.0";

/// Its keys.
const KEY: &str = "test";

/// The bucket that it has from the beginning.
const BUCKET: &str = "lithify";

/// The variable in which tests look for the server's address.
pub const VARIABLE: &str = "LITHIFY_S3";

/// How long it may take to answer.
const START_TIME_MAX: Duration = Duration::from_secs(20);

/// A running server over a folder of its own; both are gone when it is dropped.
pub struct Server {
    /// Where it listens, as a URL.
    pub endpoint: String,
    process: Child,
    folder: PathBuf,
}

impl Server {
    /// Starts one on a free port of loopback.
    ///
    /// # Errors
    /// When it cannot be installed or does not answer.
    pub fn start() -> Outcome<Self> {
        let program = installed()?;
        let told = |error: std::io::Error| format!("cannot start the S3 server: {error}");
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).map_err(told)?;
        let folder = place::cache()?.join("versitygw").join(format!("run-{}-{}", std::process::id(), address.port()));
        for part in ["buckets", "versions"] {
            fs::create_dir_all(folder.join(part)).map_err(told)?;
        }
        fs::create_dir(folder.join("buckets").join(BUCKET)).map_err(told)?;
        let log = File::create(folder.join("log")).map_err(told)?;
        let mut command = Command::new(program);
        command.args(["--port", &address.to_string(), "--access", KEY, "--secret", KEY, "--keep-alive", "--quiet"]);
        command.arg("--access-log").arg(folder.join("requests"));
        command.arg("posix").arg("--versioning-dir").arg(folder.join("versions")).arg(folder.join("buckets"));
        command.stdin(Stdio::null()).stderr(log.try_clone().map_err(told)?).stdout(log);
        let process = command.spawn().map_err(told)?;
        let mut server = Self { endpoint: format!("http://{address}"), process, folder };
        server.await_answer(&address.to_string())?;
        Ok(server)
    }

    /// The file in which it notes every request, as S3's access logs do.
    pub fn requests(&self) -> PathBuf {
        self.folder.join("requests")
    }

    fn await_answer(&mut self, address: &str) -> Outcome {
        let began = Instant::now();
        while !answers(address) {
            let ended = self.process.try_wait().is_ok_and(|status| status.is_some());
            if ended || began.elapsed() > START_TIME_MAX {
                let said = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(format!("the S3 server does not answer; it says:\n{said}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What cannot be stopped or removed any more is not there.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn answers(address: &str) -> bool {
    let asked = TcpStream::connect(address).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        stream.read(&mut [0; 16])
    });
    asked.is_ok_and(|length| length > 0)
}

/// The program, which is installed if it is not there.
fn installed() -> Outcome<PathBuf> {
    let folder = place::cache()?.join("versitygw").join(VERSION);
    let told = |error| format!("cannot make {}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(told)?;
    // Two checkouts may want it at once.
    let lock = File::create(folder.join("lock")).map_err(told)?;
    lock.lock().map_err(told)?;
    let program = folder.join("versitygw");
    if !program.exists() {
        println!("installing {MODULE}@{VERSION}, which takes minutes the first time ...");
        install(&folder)?;
    }
    Ok(program)
}

fn install(folder: &Path) -> Outcome {
    let new = folder.join("new");
    let mut command = Command::new("go");
    command.args(["install", &format!("{MODULE}@{VERSION}")]).env("GOBIN", &new).env_remove("GOFLAGS");
    succeed(command.current_dir(folder).stdin(Stdio::null()))
        .map_err(|problem| format!("{problem}\nGo could not install it: is its module proxy reachable from here?"))?;
    fs::rename(new.join("versitygw"), folder.join("versitygw"))
        .map_err(|error| format!("cannot keep what Go installed: {error}"))
}
