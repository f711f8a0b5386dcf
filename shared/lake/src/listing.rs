//! What stands in a `_delta_log`, told by the names of its files.
//!
//! Only commits and whole checkpoints count; checksums, compacted commits and the hint `_last_checkpoint` make reading cheaper and
//! decide nothing (Delta protocol, "Delta Log Entries" and "Checkpoints").

use std::collections::BTreeMap;

use crate::files::{Named, Names, Stamp};

/// The name of the hint that tells readers where the newest checkpoint is.
pub(crate) const LAST_CHECKPOINT: &str = "_last_checkpoint";

/// The name of a version's commit.
pub(crate) fn commit_name(version: u64) -> String {
    format!("{version:020}.json")
}

/// The name of a version's checkpoint in one file.
pub(crate) fn checkpoint_name(version: u64) -> String {
    format!("{version:020}.checkpoint.parquet")
}

/// The versions that a log holds.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// What lies below this version was not looked at.
    from: u64,
    /// The versions that have a commit, with their stamps where the listing told them.
    commits: BTreeMap<u64, Option<Stamp>>,
    /// The files of each version's checkpoint, where all of its parts are there.
    checkpoints: BTreeMap<u64, Vec<String>>,
    /// Whether the hint stands.
    pub hint: bool,
}

impl Listing {
    /// Reads the names of a log's files.
    pub(crate) fn of(names: Names) -> Self {
        let mut listing = Self { from: names.from, ..Self::default() };
        let mut parts: BTreeMap<(u64, usize), Vec<String>> = BTreeMap::new();
        for Named { name, stamp } in names.files {
            match kind(&name) {
                Some(Kind::Commit(version)) => {
                    listing.commits.insert(version, stamp);
                }
                Some(Kind::Checkpoint { version, parts: total }) => {
                    parts.entry((version, total)).or_default().push(name);
                }
                None => listing.hint |= name == LAST_CHECKPOINT,
            }
        }
        for ((version, total), mut files) in parts {
            if total == 1 {
                // Several checkpoints of one version say the same.
                files.truncate(1);
            }
            if files.len() == total {
                files.sort_unstable();
                listing.checkpoints.entry(version).or_insert(files);
            }
        }
        listing
    }

    /// Whether there may be more, below the version from which on it was looked.
    pub(crate) fn is_partial(&self) -> bool {
        self.from > 0
    }

    /// The newest version that a commit or a checkpoint stands for.
    pub(crate) fn newest(&self) -> Option<u64> {
        let commit = self.commits.last_key_value().map(|(version, _)| *version);
        commit.max(self.checkpoints.last_key_value().map(|(version, _)| *version))
    }

    /// The stamp of a version's commit, if the listing told it.
    pub(crate) fn stamp(&self, version: u64) -> Option<&Stamp> {
        self.commits.get(&version)?.as_ref()
    }

    /// Whether a version has a commit.
    pub(crate) fn has_commit(&self, version: u64) -> bool {
        self.commits.contains_key(&version)
    }

    /// The newest whole checkpoint at or below a version, with its files.
    pub(crate) fn checkpoint_below(&self, version: u64) -> Option<(u64, &[String])> {
        self.checkpoints.range(..=version).next_back().map(|(version, files)| (*version, files.as_slice()))
    }

    /// The newest whole checkpoint at or above a version.
    pub(crate) fn checkpoint_above(&self, version: u64) -> Option<u64> {
        self.checkpoints.range(version..).next_back().map(|(version, _)| *version)
    }

    /// Whether a version has a whole checkpoint.
    pub(crate) fn has_checkpoint(&self, version: u64) -> bool {
        self.checkpoints.contains_key(&version)
    }
}

enum Kind {
    Commit(u64),
    Checkpoint { version: u64, parts: usize },
}

fn kind(name: &str) -> Option<Kind> {
    let (version, rest) = name.split_once('.')?;
    let version = number(version, 20)?;
    let mut words = rest.split('.');
    match (words.next()?, words.next(), words.next(), words.next(), words.next()) {
        ("json", None, ..) => Some(Kind::Commit(version)),
        ("checkpoint", Some("parquet"), None, ..) => Some(Kind::Checkpoint { version, parts: 1 }),
        ("checkpoint", Some(uuid), Some("parquet" | "json"), None, _) if uuid.len() == 36 => {
            Some(Kind::Checkpoint { version, parts: 1 })
        }
        ("checkpoint", Some(part), Some(total), Some("parquet"), None) => {
            number(part, 10)?;
            Some(Kind::Checkpoint { version, parts: usize::try_from(number(total, 10)?).ok()? })
        }
        _ => None,
    }
}

fn number(word: &str, digits: usize) -> Option<u64> {
    (word.len() == digits && word.bytes().all(|byte| byte.is_ascii_digit())).then(|| word.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(names: &[&str]) -> Listing {
        let files = names.iter().map(|name| Named { name: (*name).to_owned(), stamp: None }).collect();
        Listing::of(Names { files, from: 0 })
    }

    #[test]
    fn other_names_are_not_commits() {
        let listing = listing(&[
            "00000000000000000001.json",
            "00000000000000000000.json",
            ".00000000000000000009.json.1.2.tmp",
            "00000000000000000009.crc",
            "00000000000000000002.00000000000000000009.compacted.json",
            "9.json",
            "_last_checkpoint",
        ]);
        assert_eq!(listing.newest(), Some(1));
        assert!(listing.has_commit(0) && listing.has_commit(1) && !listing.has_commit(2));
        assert!(listing.hint);
    }

    #[test]
    fn a_checkpoint_counts_once_all_of_its_parts_are_there() {
        let cut = ["00000000000000000007.checkpoint.0000000001.0000000002.parquet"];
        assert_eq!(listing(&cut).newest(), None);
        let whole = [cut[0], "00000000000000000007.checkpoint.0000000002.0000000002.parquet"];
        assert_eq!(listing(&whole).checkpoint_below(9).map(|(version, files)| (version, files.len())), Some((7, 2)));
        assert_eq!(listing(&whole).checkpoint_below(6), None);
        let uuid = ["00000000000000000003.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json"];
        assert!(listing(&uuid).has_checkpoint(3));
        assert_eq!(listing(&uuid).checkpoint_above(2), Some(3));
        assert_eq!(listing(&uuid).checkpoint_above(4), None);
    }
}
