//! Following the log: from what is known, or from a checkpoint, to the newest version.

use std::io::ErrorKind;
use std::sync::Arc;

use super::Log;
use crate::LakeError;
use crate::actions;
use crate::checkpoint;
use crate::files::Stamp;
use crate::listing::{Listing, commit_name};
use crate::state::{Replay, TableState};

/// A listing is no picture of one moment, and logs are cleaned up while they are read: so often it is looked at anew.
const LOOKS: usize = 4;

/// Why the log could not be followed.
enum Trouble {
    /// It may be that it changed under our eyes.
    Moved(String),
    /// What is needed lies below the versions that were looked at.
    Below,
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
        let mut from = self.nearest(version, known.as_deref())?;
        let mut looks = 0;
        while looks < LOOKS {
            let listing = self.list(from)?;
            let followed = match listing.newest() {
                Some(newest) => self.follow(&listing, version.unwrap_or(newest), known.as_deref()),
                None if listing.is_partial() => Err(Trouble::Below),
                None => {
                    *known = None;
                    return if listing.hint {
                        Err(self.unreadable(
                            "its _last_checkpoint stands, but no commit and no whole checkpoint does".to_owned(),
                        ))
                    } else {
                        Ok(None)
                    };
                }
            };
            match followed {
                Ok(None) => return Ok(known.clone()),
                Ok(Some(state)) => {
                    let state = Arc::new(state);
                    if version.is_none() {
                        *known = Some(state.clone());
                    }
                    return Ok(Some(state));
                }
                Err(Trouble::Moved(reason)) => {
                    moved = reason;
                    looks += 1;
                }
                // Ends: it is lower each time, and nothing lies below the start.
                Err(Trouble::Below) => from = self.hint_below(Some(from.saturating_sub(1)))?,
                Err(Trouble::Settled(error)) => return Err(error),
            }
        }
        Err(self.unreadable(moved))
    }

    /// The version from which on the log is to be looked at: what is known, else the checkpoint that the hint names.
    fn nearest(&self, wanted: Option<u64>, known: Option<&TableState>) -> Result<u64, LakeError> {
        if !self.files.is_remote() {
            return Ok(0);
        }
        match known {
            Some(known) if wanted.is_none_or(|wanted| known.version <= wanted) => Ok(known.version),
            _ => self.hint_below(wanted),
        }
    }

    /// The version that the hint names, if it is this one or below it; else the start of the log.
    fn hint_below(&self, highest: Option<u64>) -> Result<u64, LakeError> {
        let hinted = self.hinted()?.filter(|hinted| highest.is_none_or(|highest| *hinted <= highest));
        Ok(hinted.unwrap_or(0))
    }

    /// The table at the version wanted, unless that is what is known.
    fn follow(
        &self,
        listing: &Listing,
        wanted: u64,
        known: Option<&TableState>,
    ) -> Result<Option<TableState>, Trouble> {
        let known = match known {
            Some(known) if known.version <= wanted && self.stands(known, listing)? => Some(known),
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
                stamp = self.stamp(listing, version)?;
            }
            let body = self.files.read(&name).map_err(|error| self.trouble(&name, &error))?;
            replay.apply(actions::lines(&body).map_err(|reason| Trouble::Settled(self.damaged(&name, &reason)))?);
            read.push(name);
        }
        if first > wanted {
            stamp = self.stamp(listing, wanted)?;
        }
        self.files.flush(&read).map_err(|error| Trouble::Settled(self.passing("be flushed", error)))?;
        let state = TableState::new(wanted, stamp, replay, known);
        state.map(Some).map_err(|reason| Trouble::Settled(self.unreadable(reason)))
    }

    /// Where a reader that knows nothing begins: the replay so far, and the version whose commit comes next.
    fn begin(&self, listing: &Listing, wanted: u64) -> Result<(Replay, u64), Trouble> {
        let mut replay = Replay::default();
        let Some((version, names)) = listing.checkpoint_below(wanted) else {
            return if listing.is_partial() { Err(Trouble::Below) } else { Ok((replay, 0)) };
        };
        for name in names {
            let body = self.files.read(name).map_err(|error| self.trouble(name, &error))?;
            replay.apply(checkpoint::read(name, body).map_err(|reason| Trouble::Settled(self.damaged(name, &reason)))?);
        }
        Ok((replay, version + 1))
    }

    /// Whether the log still holds the very commit that a state was read from.
    fn stands(&self, known: &TableState, listing: &Listing) -> Result<bool, Trouble> {
        let stamp = self.stamp(listing, known.version)?;
        Ok(stamp.is_some() && stamp == known.stamp)
    }

    /// The stamp of a version's commit, if it is there: as it was listed, or as it is now.
    fn stamp(&self, listing: &Listing, version: u64) -> Result<Option<Stamp>, Trouble> {
        if let Some(listed) = listing.stamp(version) {
            return Ok(Some(listed.clone()));
        }
        let name = commit_name(version);
        self.files.stamp(&name).map_err(|error| self.trouble(&name, &error))
    }

    fn trouble(&self, name: &str, error: &std::io::Error) -> Trouble {
        match error.kind() {
            ErrorKind::NotFound => Trouble::Moved(format!("{name} vanished while the log was read")),
            _ => Trouble::Settled(self.passing("be read", format!("{name}: {error}"))),
        }
    }
}
