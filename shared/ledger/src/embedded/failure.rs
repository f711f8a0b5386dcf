//! Why an operation on the file failed: SQLite's codes in words for the user, in one place.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::LedgerError;

/// Why an operation failed, before it is known what was tried on which file. It can be cloned because one failed commit is the
/// answer to every write in it.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    reason: String,
    passing: bool,
}

impl Failure {
    /// A failure that stays until somebody acts.
    pub(super) fn lasting(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), passing: false }
    }

    /// A failure that can be over at the next try.
    pub(super) fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), passing: true }
    }

    /// Whether the next try can do better.
    pub(super) fn is_passing(&self) -> bool {
        self.passing
    }

    /// The error that the caller sees.
    pub(super) fn into_error(self, action: &'static str, path: &Path) -> LedgerError {
        let reason = format!("'{}': {}", path.display(), self.reason);
        LedgerError { action, reason, passing: self.passing }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        let Some(code) = error.sqlite_error_code() else {
            return Self::lasting(format!("a record in it cannot be read ({error}): restore the file from a copy"));
        };
        match code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
                Self::passing(format!("another process keeps it locked ({error}): try again"))
            }
            ErrorCode::DiskFull => Self::passing(format!("the disk is full ({error}): free some space and try again")),
            ErrorCode::DatabaseCorrupt => Self::lasting(format!(
                "the file is damaged ({error}): restore it, with the '-wal' file beside it if there is one, from a copy"
            )),
            ErrorCode::NotADatabase => Self::lasting(format!(
                "the file is no ledger, or its beginning is damaged ({error}): name another place or restore it from a copy"
            )),
            ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::lasting(format!(
                "it cannot be opened ({error}): its folder must exist, and this user must be allowed to write there"
            )),
            _ => Self::lasting(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::lasting(format!("a record in it cannot be read ({error}): restore the file from a copy"))
    }
}
