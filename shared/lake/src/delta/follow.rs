//! Following the log: from what is known, or from a checkpoint, to the newest version.

use std::io::ErrorKind;
use std::sync::Arc;

use super::Log;
use crate::LakeError;
use crate::actions;
use crate::checkpoint;
use crate::listing::{Listing, commit_name};
use crate::state::{Replay, TableState};

/// A listing is no picture of one moment, and logs are cleaned up while they are read: so often it is looked at anew.
const LOOKS: usize = 4;

/// Why the log could not be followed.
enum Trouble {
    /// It may be that it changed under our eyes.
    Moved(String),
    /// Looking again is no use.
    Settled(LakeError),
}

impl Log {
    /// The table at its newest version; `None` if there is none.
    pub(super) fn newest(&self) -> Result<Option<Arc<TableState>>, LakeError> {
        self.followed(None)
    }

    /// The table at a version.
    pub(super) fn at(&self, version: u64) -> Result<Option<Arc<TableState>>, LakeError> {
        self.followed(Some(version))
    }

    fn followed(&self, version: Option<u64>) -> Result<Option<Arc<TableState>>, LakeError> {
        let mut known = self.known();
        let mut moved = String::new();
        for _ in 0..LOOKS {
            let listing = self.list()?;
            let Some(newest) = listing.newest() else {
                *known = None;
                return if listing.hint {
                    Err(self.unreadable(
                        "its _last_checkpoint stands, but no commit and no whole checkpoint does".to_owned(),
                    ))
                } else {
                    Ok(None)
                };
            };
            let wanted = version.unwrap_or(newest);
            match self.follow(&listing, wanted, known.as_deref()) {
                Ok(None) => return Ok(known.clone()),
                Ok(Some(state)) => {
                    let state = Arc::new(state);
                    if version.is_none() {
                        *known = Some(state.clone());
                    }
                    return Ok(Some(state));
                }
                Err(Trouble::Moved(reason)) => moved = reason,
                Err(Trouble::Settled(error)) => return Err(error),
            }
        }
        Err(self.unreadable(moved))
    }

    /// The table at the version wanted, unless that is what is known.
    fn follow(
        &self,
        listing: &Listing,
        wanted: u64,
        known: Option<&TableState>,
    ) -> Result<Option<TableState>, Trouble> {
        let known = match known {
            Some(known) if known.version <= wanted && self.stands(known)? => Some(known),
            _ => None,
        };
        if known.is_some_and(|known| known.version == wanted) {
            return Ok(None);
        }
        let (mut replay, first) = match known {
            // Where the commits after it are there, they are few and small.
            Some(known) if (known.version + 1..=wanted).all(|version| listing.has_commit(version)) => {
                (known.replay.clone(), known.version + 1)
            }
            _ => self.begin(listing, wanted)?,
        };
        let mut read = Vec::new();
        let mut stamp = None;
        for version in first..=wanted {
            let name = commit_name(version);
            if !listing.has_commit(version) {
                return Err(Trouble::Moved(format!(
                    "{name} is missing, and the newest version is {wanted}; restore that file, or the table to version {}",
                    version.saturating_sub(1)
                )));
            }
            if version == wanted {
                // Before its bytes are read: if it is exchanged in between, the next look finds another stamp.
                stamp = self.files.stamp(&name).map_err(|error| self.trouble(&name, &error))?;
            }
            let body = self.files.read(&name).map_err(|error| self.trouble(&name, &error))?;
            replay.apply(actions::lines(&body).map_err(|reason| Trouble::Settled(self.damaged(&name, &reason)))?);
            read.push(name);
        }
        if first > wanted {
            let name = commit_name(wanted);
            stamp = self.files.stamp(&name).map_err(|error| self.trouble(&name, &error))?;
        }
        self.files.flush(&read).map_err(|error| Trouble::Settled(self.passing("be flushed", error)))?;
        let state = TableState::new(wanted, stamp, replay, known);
        state.map(Some).map_err(|reason| Trouble::Settled(self.unreadable(reason)))
    }

    /// Where a reader that knows nothing begins: the replay so far, and the version whose commit comes next.
    fn begin(&self, listing: &Listing, wanted: u64) -> Result<(Replay, u64), Trouble> {
        let mut replay = Replay::default();
        let Some((version, names)) = listing.checkpoint_below(wanted) else { return Ok((replay, 0)) };
        for name in names {
            let body = self.files.read(name).map_err(|error| self.trouble(name, &error))?;
            replay.apply(checkpoint::read(name, body).map_err(|reason| Trouble::Settled(self.damaged(name, &reason)))?);
        }
        Ok((replay, version + 1))
    }

    /// Whether the log still holds the very commit that a state was read from.
    fn stands(&self, known: &TableState) -> Result<bool, Trouble> {
        let name = commit_name(known.version);
        let stamp = self.files.stamp(&name).map_err(|error| self.trouble(&name, &error))?;
        Ok(stamp.is_some() && stamp == known.stamp)
    }

    fn trouble(&self, name: &str, error: &std::io::Error) -> Trouble {
        match error.kind() {
            ErrorKind::NotFound => Trouble::Moved(format!("{name} vanished while the log was read")),
            _ => Trouble::Settled(self.passing("be read", format!("{name}: {error}"))),
        }
    }
}
