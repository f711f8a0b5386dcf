//! DynamoDB Local for tests: brought by Maven once, kept in the cache folder, and run on the loopback interface while somebody holds it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{Outcome, cargo, place};

/// What names the server and its version, relative to the checkout.
const POM: &str = "xtask/dynamodb-local/pom.xml";

/// What starts it.
const LAUNCHER: &str = "xtask/dynamodb-local/Loopback.java";

/// The variable in which tests look for the server's address.
pub const VARIABLE: &str = "LITHIFY_DYNAMODB";

/// A running server: it keeps all in memory, and ends with this value or with this process.
pub struct Server {
    child: Child,
    /// Where it answers.
    pub endpoint: String,
}

/// Starts a server on a free port, and waits until it answers.
///
/// # Errors
/// When it cannot be brought or started, with what to do.
pub fn start() -> Outcome<Server> {
    let libraries = libraries()?;
    let log = libraries.with_file_name(format!("server-{}.log", std::process::id()));
    let told = |problem: String| {
        let said = fs::read_to_string(&log).unwrap_or_default();
        format!("cannot start DynamoDB Local: {problem}\n{said}")
    };
    let errors = File::create(&log).map_err(|error| told(error.to_string()))?;
    let mut command = Command::new("java");
    let mut library_path = OsString::from("-Djava.library.path=");
    library_path.push(&libraries);
    command.arg("-Xmx1g").arg(library_path).arg("-cp").arg(libraries.join("*")).arg(place::root().join(LAUNCHER));
    // Its standard input is a pipe that nobody writes to: it closes when this process ends, in whatever way.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
    let mut child = command.spawn().map_err(|error| told(error.to_string()))?;
    let output = child.stdout.take();
    // From here on the server ends with this value, also if it is not what it should be.
    let mut server = Server { child, endpoint: String::new() };
    let Some(output) = output else { return Err(told("it has no output".into())) };
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if let Some(port) = line.strip_prefix("port ") {
            server.endpoint = format!("http://127.0.0.1:{}", port.trim());
            // What it says from now on goes nowhere.
            let _ = fs::remove_file(&log);
            return Ok(server);
        }
    }
    Err(told("it ended, or closed its output, before it named a port".into()))
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder with the server and all that it needs, filled now if it is not there.
fn libraries() -> Outcome<PathBuf> {
    let pom = place::root().join(POM);
    let text = fs::read(&pom).map_err(|error| format!("cannot read {}: {error}", pom.display()))?;
    let folder = place::cache()?.join("dynamodb-local").join(format!("{:016x}", place::fingerprint(&[&text])));
    let told = |error| format!("cannot fill {}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(told)?;
    // Two checkouts may want it at once.
    let lock = File::create(folder.join("lock")).map_err(told)?;
    lock.lock().map_err(told)?;
    let (complete, libraries) = (folder.join("complete"), folder.join("lib"));
    if !complete.exists() {
        println!("bringing DynamoDB Local ...");
        if libraries.exists() {
            fs::remove_dir_all(&libraries).map_err(told)?;
        }
        bring(&pom, &libraries)?;
        File::create(&complete).map_err(told)?;
    }
    Ok(libraries)
}

fn bring(pom: &Path, libraries: &Path) -> Outcome {
    let mut target = OsString::from("-DoutputDirectory=");
    target.push(libraries);
    let mut maven = Command::new("mvn");
    maven.args(["--quiet", "--batch-mode", "--file"]).arg(pom).arg("dependency:copy-dependencies");
    cargo::succeed(maven.arg("-DincludeScope=runtime").arg(target).stdin(Stdio::null())).map_err(|problem| {
        format!(
            "{problem}\nMaven could not bring what {} names: is a Maven repository reachable from here?",
            pom.display()
        )
    })
}
