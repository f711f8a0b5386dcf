//! Where things lie: the checkout, and the cache folder that survives it.

use std::env;
use std::path::PathBuf;

use crate::Outcome;

/// The checkout.
pub fn root() -> PathBuf {
    // Asked when it runs: checkouts that share compiled code share this program.
    let compiled = || PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let here = env::var_os("CARGO_MANIFEST_DIR").map_or_else(compiled, PathBuf::from);
    here.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).unwrap_or(&here).to_path_buf()
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

/// FNV-1a over 64 bits: it names a folder, so it must not change with the tool chain.
pub fn fingerprint(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter().chain(&[0]));
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_changes_the_fingerprint() {
        assert_eq!(fingerprint(&[b"a", b"b"]), fingerprint(&[b"a", b"b"]));
        assert_ne!(fingerprint(&[b"a", b"b"]), fingerprint(&[b"ab", b""]));
        assert_ne!(fingerprint(&[b"a"]), fingerprint(&[b"b"]));
    }
}
