//! Connections to the file, and the small pool of those that read.
//!
//! Nothing here opens the ledger's file except through SQLite: SQLite's locks belong to the process, and closing any other handle
//! on the file would give them all up.

use std::{
    fs::File,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{
    failure::Failure,
    schema::{self, Found},
};

/// How long one try for a lock waits, and how many tries there are: about a minute before the ledger is called busy.
const BUSY_WAIT: Duration = Duration::from_millis(5);
const BUSY_TRIES: i32 = 12_000;

/// How often the first opening of a file is tried while another process makes it.
const CREATION_TRIES: usize = 200;

/// Idle connections that are kept for the next read.
const IDLE_READERS_MAX: usize = 4;

/// What a connection may do with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Read and write, and make the file if it is absent.
    Create,
    /// Read and write a file that exists.
    Write,
    /// Read a file that exists.
    Look,
    /// Read a file that exists and that nobody writes meanwhile.
    Still,
}

/// Opens a connection; makes the ledger with `new_identity` where that is allowed and nothing is there yet.
pub(super) fn open(path: &Path, access: Access, new_identity: &str) -> Result<Connection, Failure> {
    for _ in 0..CREATION_TRIES {
        match try_open(path, access, new_identity) {
            // SQLite does not wait by itself where waiting could be a deadlock, as in the change to WAL.
            Err(failure) if access == Access::Create && failure.is_passing() => thread::sleep(BUSY_WAIT),
            done => return done,
        }
    }
    try_open(path, access, new_identity)
}

fn try_open(path: &Path, access: Access, new_identity: &str) -> Result<Connection, Failure> {
    let mut conn = connect(path, access)?;
    if schema::inspect(&conn)? == Found::Empty {
        if access != Access::Create {
            return Err(Failure::lasting("the file is empty: no ledger was made in it"));
        }
        use_wal(&conn)?;
        schema::create(&mut conn, new_identity)?;
    } else if !matches!(access, Access::Look | Access::Still) {
        use_wal(&conn)?;
    }
    if access == Access::Create {
        // Whoever made the file: what is written through this connection counts only if the folder knows the file.
        sync_folder(path)?;
    }
    Ok(conn)
}

/// A connection with its settings, whatever the file is.
fn connect(path: &Path, access: Access) -> Result<Connection, Failure> {
    let mode = match access {
        Access::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Access::Look => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Access::Still => OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
    };
    let mode = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = match access {
        Access::Still => Connection::open_with_flags(still_address(path), mode)?,
        _ => Connection::open_with_flags(path, mode)?,
    };
    conn.busy_handler(Some(wait_for_lock))?;
    conn.set_prepared_statement_cache_capacity(64);
    // `synchronous = FULL`: a commit is on the disk when it returns. `fullfsync`: on macOS too. `cell_size_check`: damage is
    // found where it is read. The WAL is folded into the file every 16 MiB and shrinks again after a burst.
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA cell_size_check = ON;
         PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 4096;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    Ok(conn)
}

/// A file that was opened, so that it is known whether its path still leads to it: what is written into a file that was removed or moved away
/// would be lost, and its table would go on without it.
pub(super) struct Place {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl Place {
    /// The file that a connection was opened to a moment ago.
    pub(super) fn of(path: &Path) -> Result<Self, Failure> {
        let found = device_and_inode(path)?;
        Ok(Self { path: path.to_owned(), device_and_inode: found })
    }

    /// Whether it is there as it was.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if device_and_inode(&self.path)? == self.device_and_inode {
            return Ok(());
        }
        Err(Failure::lasting("another file took its place while it was open: nothing was written; start again"))
    }
}

fn device_and_inode(path: &Path) -> Result<(u64, u64), Failure> {
    let found = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::lasting(
            "it was removed or moved away while it was open: nothing was written; put the table's folder back as it was, and run again",
        ),
        _ => Failure::lasting(format!("it cannot be looked at ({error})")),
    })?;
    Ok((found.dev(), found.ino()))
}

/// Whether no write waits beside the file to be folded into it.
pub(super) fn is_at_rest(path: &Path) -> bool {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    match std::fs::metadata(wal) {
        Ok(found) => found.len() == 0,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// The file as SQLite's URI (<https://sqlite.org/uri.html>) that promises that nobody writes it.
fn still_address(path: &Path) -> String {
    let mut address = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                address.push(char::from(*byte))
            }
            other => address.push_str(&format!("%{other:02X}")),
        }
    }
    address + "?immutable=1"
}

fn wait_for_lock(tries: i32) -> bool {
    // The first waits are short: most writes of others take a few milliseconds.
    thread::sleep(if tries < 4 { Duration::from_millis(1) } else { BUSY_WAIT });
    tries < BUSY_TRIES
}

fn use_wal(conn: &Connection) -> Result<(), Failure> {
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode == "wal" {
        return Ok(());
    }
    Err(Failure::lasting(format!(
        "SQLite cannot use WAL there (it stays with '{mode}'): put the table on a local disk, not on a network share"
    )))
}

fn sync_folder(path: &Path) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|e| Failure::lasting(format!("its folder '{}' cannot be synced to the disk: {e}", folder.display())))
}

/// Connections for reading, each used by one call at a time. In WAL a reader neither waits for a writer nor holds one up, and sees
/// every commit that was answered before it began.
pub(super) struct Readers {
    path: PathBuf,
    access: Access,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// Readers of a file that was opened before; `first` is used for the first read.
    pub(super) fn new(path: PathBuf, access: Access, first: Option<Connection>) -> Self {
        Self { path, access, idle: Mutex::new(first.into_iter().collect()) }
    }

    /// Reads in one snapshot: all that `look` sees stood at one moment.
    pub(super) fn read<T>(&self, look: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let conn = match idle {
            Some(conn) => conn,
            None => connect(&self.path, self.access)?,
        };
        let snapshot = conn.unchecked_transaction()?;
        let found = look(&snapshot)?;
        snapshot.finish()?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS_MAX {
            idle.push(conn);
        }
        Ok(found)
    }
}
