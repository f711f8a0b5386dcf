//! The Lambda functions of the test profile, packed as Lambda takes them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo::succeed;
use crate::{Outcome, place};

/// The features that make them.
pub const FEATURES: &str = "ingest/lambda,compactor/lambda";

/// The packed functions.
pub struct Packed {
    pub ingest: PathBuf,
    pub compactor: PathBuf,
}

/// Packs what was built in a profile: `bootstrap.zip` each. Little compressed, as nobody sends them anywhere.
///
/// # Errors
/// When cargo built no such program, or it cannot be packed.
pub fn pack(profile: &str) -> Outcome<Packed> {
    let built = place::target()?.join(profile);
    let pack = |name: &str| -> Outcome<PathBuf> {
        let program = built.join(name);
        if !program.is_file() {
            return Err(format!("cargo built no {}", program.display()));
        }
        let zip = built.join(format!("{name}.zip"));
        zipped(&program, &zip)?;
        Ok(zip)
    };
    Ok(Packed { ingest: pack("ingest")?, compactor: pack("compactor")? })
}

fn zipped(program: &Path, zip: &Path) -> Outcome {
    const PACK: &str = "import sys, zipfile\n\
        with zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as out: out.write(sys.argv[1], 'bootstrap')";
    succeed(Command::new("python3").args(["-c", PACK]).arg(program).arg(zip).stdin(Stdio::null()))
}
