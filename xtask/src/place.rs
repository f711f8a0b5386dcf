//! Where things lie: the checkout, and the cache folder that survives it.

use std::env;
use std::path::{Path, PathBuf};

use crate::Outcome;

/// The checkout.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// `$XDG_CACHE_HOME/lithify`, or `~/.cache/lithify`.
///
/// # Errors
/// When neither is known.
pub fn cache() -> Outcome<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    let base = base.ok_or("no cache folder is known: set HOME or XDG_CACHE_HOME to an absolute path")?;
    Ok(base.join("lithify"))
}

/// The folder of compiled code: `CARGO_TARGET_DIR` if set, else one in the cache folder for all checkouts.
///
/// # Errors
/// As [`cache`].
pub fn target() -> Outcome<PathBuf> {
    match env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => Ok(root().join(folder)),
        None => Ok(cache()?.join("target")),
    }
}
