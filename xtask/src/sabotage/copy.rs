//! A copy of the checkout: what git knows or would, as it lies there. Files that are the same keep their times, so that cargo builds only
//! what changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::edit::Texts;
use crate::Outcome;

/// Makes `to` hold what `from` holds, but for these texts.
///
/// # Errors
/// When git does not answer, or a file cannot be read or written.
pub fn refresh(from: &Path, to: &Path, texts: &Texts) -> Outcome {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(from)
        .output()
        .map_err(|error| format!("cannot start git: {error}"))?;
    if !listed.status.success() {
        return Err(format!("git does not list the checkout: {}", String::from_utf8_lossy(&listed.stderr)));
    }
    let names = String::from_utf8(listed.stdout).map_err(|_| "a file of the checkout has a name that is not UTF-8")?;
    // What was deleted and is not committed yet is listed as well.
    let names: BTreeSet<PathBuf> = names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .filter(|name| from.join(name).exists())
        .collect();
    for name in &names {
        let text = name.to_str().and_then(|name| texts.get(name));
        copy(&from.join(name), text, &to.join(name)).map_err(|error| format!("{}: {error}", name.display()))?;
    }
    remove_others(to, to, &names).map_err(|error| format!("{}: {error}", to.display()))
}

fn copy(from: &Path, text: Option<&String>, to: &Path) -> std::io::Result<()> {
    let content = match text {
        Some(text) => text.clone().into_bytes(),
        None => fs::read(from)?,
    };
    if fs::read(to).is_ok_and(|there| there == content) {
        return Ok(());
    }
    to.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(to, content)
}

/// Files that the checkout has no more would still be compiled.
fn remove_others(folder: &Path, root: &Path, names: &BTreeSet<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, root, names)?;
        } else if path.strip_prefix(root).is_ok_and(|name| !names.contains(name)) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
