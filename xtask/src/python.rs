//! Python environments that hold exactly what a file of requirements says, made once and kept in the cache folder.
//!
//! Where packages come from is the machine's own business: pip reads its settings from the environment and its
//! configuration, and every file that it installs must have a hash that the file of requirements names.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::{cargo, place};

/// Gives the interpreter of the environment for `requirements` (relative to the checkout), which is made if it is not there.
///
/// # Errors
/// When it cannot be made, with what to do.
pub fn environment(requirements: &str) -> Outcome<PathBuf> {
    let wanted = place::root().join(requirements);
    let text = fs::read(&wanted).map_err(|error| format!("cannot read {}: {error}", wanted.display()))?;
    let version = version()?;
    let folder =
        place::cache()?.join("python").join(format!("{:016x}", place::fingerprint(&[&text, version.as_bytes()])));
    let told = |error| format!("cannot make the Python environment {}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(told)?;
    // Two checkouts may want the same one at once.
    let lock = File::create(folder.join("lock")).map_err(told)?;
    lock.lock().map_err(told)?;
    let (complete, venv) = (folder.join("complete"), folder.join("venv"));
    if !complete.exists() {
        println!("making the Python environment for {requirements} ...");
        if venv.exists() {
            fs::remove_dir_all(&venv).map_err(told)?;
        }
        make(&venv, &wanted)?;
        File::create(&complete).map_err(told)?;
    }
    Ok(interpreter(&venv))
}

fn make(venv: &Path, requirements: &Path) -> Outcome {
    cargo::succeed(Command::new("python3").args(["-m", "venv"]).arg(venv).stdin(Stdio::null()))?;
    let mut install = Command::new(interpreter(venv));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"]);
    cargo::succeed(install.arg(requirements).stdin(Stdio::null())).map_err(|problem| {
        format!("{problem}\npip could not install {}: is a package index reachable from here?", requirements.display())
    })
}

fn interpreter(venv: &Path) -> PathBuf {
    venv.join("bin").join("python3")
}

/// The version and place of `python3`: another one gets another environment.
fn version() -> Outcome<String> {
    let mut command = Command::new("python3");
    command.args(["-c", "import sys; print(sys.version, sys.base_prefix)"]).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("cannot start python3: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
