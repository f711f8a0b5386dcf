//! `cargo xtask release`: the command line as it is handed out, which works on S3 as well, in an archive with its digest.
//!
//! The functions are no part of it: Lambda wants them built against its own C library, which `cargo lambda build` does (README).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo::{cargo, phase, succeed};
use crate::{Outcome, e2e, place, tools};

/// How it is built: with S3 and DynamoDB, of the very versions of the lock file.
const BUILD: [&str; 7] = ["build", "--release", "--locked", "--package", "lithify", "--features", "lithify/aws"];

/// What a build without S3 says of an address there.
const FOLDERS_ONLY: &str = "works on folders only";

/// The shells, and where each one's completions lie in the archive.
const COMPLETIONS: [(&str, &str); 3] =
    [("bash", "completions/lithify.bash"), ("zsh", "completions/_lithify"), ("fish", "completions/lithify.fish")];

/// What lies beside the program as it is in the checkout.
const BESIDE: [&str; 3] = ["LICENSE", "README.md", "CHANGELOG.md"];

/// Builds, tries, packs, and says where the archive lies.
///
/// # Errors
/// What could not be built or packed, or what the program lacks.
pub fn run() -> Outcome {
    tools::check()?;
    phase("release build", || succeed(&mut cargo(&BUILD)?))?;
    let archive = phase("archive", || {
        let program = e2e::binary("release")?;
        works_on_s3(&program)?;
        let version = version_in(&said(Command::new(&program).arg("--version"))?)?;
        let host = host_in(&said(Command::new("rustc").arg("-vV").current_dir(place::root()))?)?;
        let name = format!("lithify-{version}-{host}");
        let folder = place::target()?.join("archives");
        gather(&program, &folder.join(&name)).map_err(|error| format!("{}: {error}", folder.join(&name).display()))?;
        complete(&program, &folder.join(&name))?;
        pack(&folder, &name)
    })?;
    println!("\n{}\n{}.sha256", archive.display(), archive.display());
    Ok(())
}

/// Whether the program takes addresses on S3: asked for a table there without a ledger, it misses only that.
fn works_on_s3(program: &Path) -> Outcome {
    let mut command = Command::new(program);
    command.args(["run", "s3://source/drops/", "s3://lake/table"]).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    let told = String::from_utf8_lossy(&output.stderr);
    if told.contains("dynamodb://") && !told.contains(FOLDERS_ONLY) {
        return Ok(());
    }
    Err(format!("{} was built without S3: {told}", program.display()))
}

/// Puts what is packed into a folder, which is made anew.
fn gather(program: &Path, folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(folder.join("completions"))?,
    }
    fs::copy(program, folder.join("lithify"))?;
    for name in BESIDE {
        fs::copy(place::root().join(name), folder.join(name))?;
    }
    Ok(())
}

fn complete(program: &Path, folder: &Path) -> Outcome {
    for (shell, path) in COMPLETIONS {
        let text = said(Command::new(program).args(["completions", shell]))?;
        fs::write(folder.join(path), text).map_err(|error| format!("cannot write {path}: {error}"))?;
    }
    Ok(())
}

/// Packs a folder as `NAME.tar.gz`, with `NAME.tar.gz.sha256` as `sha256sum --check` reads it, and removes it. The same files give the same bytes.
fn pack(folder: &Path, name: &str) -> Outcome<PathBuf> {
    const PACK: &str = "import gzip, hashlib, os, sys, tarfile\n\
        folder, name = sys.argv[1:]\n\
        archive = os.path.join(folder, name + '.tar.gz')\n\
        def plain(entry):\n\
        \x20   entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, '', ''\n\
        \x20   entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644\n\
        \x20   return entry\n\
        with open(archive, 'wb') as file, gzip.GzipFile('', 'wb', 6, file, mtime=0) as packed:\n\
        \x20   with tarfile.open(fileobj=packed, mode='w', format=tarfile.PAX_FORMAT) as out:\n\
        \x20       out.add(os.path.join(folder, name), name, filter=plain)\n\
        with open(archive, 'rb') as file: digest = hashlib.sha256(file.read()).hexdigest()\n\
        with open(archive + '.sha256', 'w') as out: out.write(f'{digest}  {name}.tar.gz\\n')";
    succeed(Command::new("python3").args(["-c", PACK]).arg(folder).arg(name).stdin(Stdio::null()))?;
    let gathered = folder.join(name);
    fs::remove_dir_all(&gathered).map_err(|error| format!("cannot remove {}: {error}", gathered.display()))?;
    Ok(folder.join(format!("{name}.tar.gz")))
}

/// What a command says.
fn said(command: &mut Command) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let program = command.get_program().to_string_lossy().into_owned();
    let output = output.map_err(|error| format!("cannot start {program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} failed ({})", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("what {program} says is no text: {error}"))
}

/// The version in what `lithify --version` says.
fn version_in(said: &str) -> Outcome<String> {
    let version = said.trim().strip_prefix("lithify ").map(str::to_owned);
    version.ok_or_else(|| format!("this is no version of lithify: {said}"))
}

/// The target that a compiler builds for, in what `rustc -vV` says.
fn host_in(said: &str) -> Outcome<String> {
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| format!("rustc does not say what it builds for: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_out_works_on_s3_and_is_of_the_lock_file() {
        for word in ["--release", "--locked", "lithify/aws"] {
            assert!(BUILD.contains(&word), "{word}");
        }
        let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/runtime/src/settings");
        let says = |file: fs::DirEntry| fs::read_to_string(file.path()).is_ok_and(|text| text.contains(FOLDERS_ONLY));
        assert!(fs::read_dir(build).unwrap().any(|file| says(file.unwrap())), "a build without S3 says it otherwise");
    }

    #[test]
    fn a_name_has_version_and_target() {
        assert_eq!(version_in("lithify 0.1.0\n").unwrap(), "0.1.0");
        assert_eq!(
            host_in("rustc 1.95.0\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n").unwrap(),
            "x86_64-unknown-linux-gnu"
        );
        assert!(version_in("other 0.1.0").is_err() && host_in("rustc 1.95.0").is_err());
    }

    #[test]
    fn an_archive_is_whole_and_the_same_each_time() {
        let folder = std::env::temp_dir().join(format!("lithify-archive-{}", std::process::id()));
        let program = folder.join("program");
        let packed = || {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&program, "a program").unwrap();
            gather(&program, &folder.join("n")).unwrap();
            fs::write(folder.join("n/completions/_lithify"), "words").unwrap();
            let archive = pack(&folder, "n").unwrap();
            (fs::read(&archive).unwrap(), fs::read_to_string(archive.with_extension("gz.sha256")).unwrap())
        };
        let (first, digest) = packed();
        assert_eq!((first, &digest), (packed().0, &packed().1));
        assert!(!folder.join("n").exists());
        let check = "import hashlib, sys, tarfile\n\
            digest, name = open('n.tar.gz.sha256').read().split()\n\
            assert hashlib.sha256(open(name, 'rb').read()).hexdigest() == digest\n\
            print(*sorted(entry.name for entry in tarfile.open(name)))";
        let names = said(Command::new("python3").args(["-c", check]).current_dir(&folder)).unwrap();
        let names: Vec<&str> = names.split_whitespace().collect();
        let all =
            ["n", "n/CHANGELOG.md", "n/LICENSE", "n/README.md", "n/completions", "n/completions/_lithify", "n/lithify"];
        assert_eq!(names, all);
        fs::remove_dir_all(&folder).unwrap();
    }
}
