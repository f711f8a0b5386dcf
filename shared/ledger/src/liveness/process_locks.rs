//! One lock file per process: locked while the process lives, a witness when it is dead.
//!
//! 1. A process makes its file under a temporary name, locks it, and only then links it to its final name: nobody can find it
//!    unlocked while its owner lives.
//! 2. Whoever asks opens the file anew and tries a *shared* lock. The owner's lock is exclusive, so it is refused while the owner
//!    lives, and two who ask at once do not take each other for the owner. Asking in the owner's own process works the same way:
//!    such locks belong to the open file, not to the process.
//! 3. A file goes away when its process ends well with nothing in work, or by [`ProcessLocks::sweep_dead`]. A process that was
//!    killed always leaves its file, and so does one that ends in the middle of its work: its slots are evidence.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::UNIX_EPOCH,
};

use drops::{BatchId, Timestamp};

use super::{
    Activity, Holder, Liveness, Suspect,
    slots::{self, SLOT_BYTES},
};

/// Slots that have their place on the disk from the start, so that a full disk does not cost the evidence.
const SLOTS_RESERVED: usize = 64;

/// Slots that a lock file can have.
const SLOTS_MAX: usize = 4_096;

/// A dead file that nobody wrote for this long is evidence of nothing any more: seven days, in microseconds.
const EVIDENCE_AGE_MAX: u64 = 7 * 24 * 3_600 * 1_000_000;

/// Why a process could not get its lock.
#[derive(Debug, thiserror::Error)]
pub enum LivenessError {
    /// The name cannot name a file.
    #[error(
        "'{0}' cannot name a process's lock: use 1 to 100 letters, digits, '_', '-' or '.', beginning with a letter or digit"
    )]
    InvalidName(String),
    /// The name was used before: take another.
    #[error("the lock '{0}' exists already: a name is for one process and never comes again")]
    Taken(PathBuf),
    /// The file system refused.
    #[error("the lock '{path}' could not be {action}: {source}")]
    Io {
        /// The lock's file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// The folder with the locks of all processes that use one ledger.
#[derive(Clone, Debug)]
pub struct ProcessLocks {
    folder: PathBuf,
}

impl ProcessLocks {
    /// The locks in a folder, which must exist when one is held.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Makes and locks this process's file. The name must be new: no process, dead or alive, had it before.
    ///
    /// # Errors
    /// The name cannot be one or was used before, or the file system refuses.
    pub fn hold(&self, name: String) -> Result<ProcessLock, LivenessError> {
        if !is_name(&name) {
            return Err(LivenessError::InvalidName(name));
        }
        let path = self.path(&name);
        let temporary = self.folder.join(format!(".{name}.lock.tmp"));
        let failed = |action| {
            let path = path.clone();
            move |source| LivenessError::Io { path, action, source }
        };
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&temporary).map_err(|e| {
            if e.kind() == ErrorKind::AlreadyExists { LivenessError::Taken(path.clone()) } else { failed("made")(e) }
        })?;
        let prepared = prepare(&file).map_err(failed("locked"));
        let published = prepared.and_then(|()| match publish(&temporary, &path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(LivenessError::Taken(path.clone())),
            done => done.map_err(failed("named")),
        });
        // Linked or not, the temporary name has done its work; after a rename it is gone already.
        let _ = fs::remove_file(&temporary);
        published.map(|()| ProcessLock { name, path, file, complained: AtomicBool::new(false) })
    }

    /// Deletes the files of dead processes: those named in `no_longer_needed` (no claim that can still be taken over names them), and
    /// those that nobody wrote in the seven days before `now`. Files of living processes stay whatever is asked. Returns how many went.
    ///
    /// # Errors
    /// The folder or a file in it cannot be read or deleted.
    pub fn sweep_dead(&self, no_longer_needed: &[&str], now: Timestamp) -> io::Result<usize> {
        let mut swept = 0;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let file_name = entry.file_name();
            let Some(file_name) = file_name.to_str() else { continue };
            let holder = file_name.strip_suffix(".lock");
            if holder.is_none() && !file_name.ends_with(".lock.tmp") {
                continue;
            }
            let named = holder.is_some_and(|holder| no_longer_needed.contains(&holder));
            if named || age(&entry, now)? > EVIDENCE_AGE_MAX {
                swept += usize::from(sweep(&entry.path())?);
            }
        }
        Ok(swept)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.lock"))
    }
}

impl Liveness for ProcessLocks {
    fn is_dead(&self, holder: &str, _claimed_at: Timestamp, _now: Timestamp) -> bool {
        if !is_name(holder) {
            return true;
        }
        let file = match File::open(self.path(holder)) {
            Ok(file) => file,
            Err(e) => return e.kind() == ErrorKind::NotFound,
        };
        match file.try_lock_shared() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => {
                tracing::warn!(holder, %error, "cannot tell whether a process lives; taking it for alive");
                false
            }
        }
    }

    /// An absent file says that no drop killed its process: one that is killed leaves its file.
    fn suspect(&self, holder: &str, batch: BatchId) -> Suspect {
        if !is_name(holder) {
            return Suspect::Any;
        }
        match fs::read(self.path(holder)) {
            Ok(table) => slots::suspect(&table, batch),
            Err(e) if e.kind() == ErrorKind::NotFound => Suspect::None,
            Err(_) => Suspect::Any,
        }
    }

    fn read_by_the_dead(&self, batch: BatchId) -> Vec<u64> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let holders: Vec<_> = names.filter_map(|name| Some(name.strip_suffix(".lock")?.to_owned())).collect();
        let mut found = Vec::new();
        for holder in holders {
            // The lock itself tells who is dead; the moments are for holders elsewhere.
            if let Suspect::Drop(hash) = self.suspect(&holder, batch)
                && self.is_dead(&holder, Timestamp(0), Timestamp(0))
            {
                found.push(hash);
            }
        }
        found
    }
}

/// This process's lock. It ends with the process or when it is dropped.
#[derive(Debug)]
pub struct ProcessLock {
    name: String,
    path: PathBuf,
    file: File,
    complained: AtomicBool,
}

impl Holder for ProcessLock {
    fn name(&self) -> &str {
        &self.name
    }

    /// One small write, not synced. A slot from 4,096 on is not noted.
    fn begin(&self, slot: usize, batch: BatchId, activity: Activity) {
        self.note(slot, &slots::busy(batch, activity));
    }

    fn idle(&self, slot: usize) {
        self.note(slot, &slots::IDLE);
    }
}

impl ProcessLock {
    fn note(&self, slot: usize, bytes: &[u8; SLOT_BYTES]) {
        if slot >= SLOTS_MAX {
            return;
        }
        let noted = self.file.write_all_at(bytes, (slot * SLOT_BYTES) as u64);
        // The note is a hint for others: work goes on without it.
        if let Err(error) = noted
            && !self.complained.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot note what is being worked on");
        }
    }
}

impl Drop for ProcessLock {
    fn drop(&mut self) {
        let ended_well = !thread::panicking() && fs::read(&self.path).is_ok_and(|table| slots::all_idle(&table));
        if ended_well {
            // Still locked, and a name never comes again: nobody else's file can be hit. If it fails, a sweep gets it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether a holder's name is one that [`ProcessLocks::hold`] gives: it must not leave the folder.
fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.len() <= 100 && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(fits)
}

/// Locks a new file and reserves its slots.
fn prepare(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    file.write_all_at(&slots::IDLE.repeat(SLOTS_RESERVED), 0)
}

/// Gives the file its final name if that is free.
fn publish(temporary: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(temporary, path) {
        // A file system without links: between the look and the rename only a twin of this name could come, and names are unique.
        Err(e) if matches!(e.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) => {
            if path.try_exists()? {
                return Err(ErrorKind::AlreadyExists.into());
            }
            fs::rename(temporary, path)
        }
        done => done,
    }
}

/// How long ago a file was written, in microseconds; 0 if it vanished.
fn age(entry: &fs::DirEntry, now: Timestamp) -> io::Result<u64> {
    let modified = match entry.metadata() {
        Ok(metadata) => metadata.modified()?,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(e),
    };
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    Ok(now.microseconds_since(Timestamp(i64::try_from(since).unwrap_or(i64::MAX))))
}

/// Deletes a file if its lock is free.
fn sweep(path: &Path) -> io::Result<bool> {
    let gone = |e: io::Error| if e.kind() == ErrorKind::NotFound { Ok(false) } else { Err(e) };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) => return gone(e),
    };
    match file.try_lock() {
        Ok(()) => fs::remove_file(path).map(|()| true).or_else(gone),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
