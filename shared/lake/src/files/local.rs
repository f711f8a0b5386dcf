//! A log in a local folder.
//!
//! Written by hand and not through object_store: its local store puts atomically too (a hard link), but flushes neither the file nor the
//! folder, so that a power cut could take a commit that the ledger already calls committed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use super::{LogFiles, Named, Names, Put, Stamp};

/// Tells the temporary files of this process apart.
static TEMPORARIES: AtomicU64 = AtomicU64::new(0);

/// The log of a table in a local folder.
#[derive(Debug)]
pub(crate) struct LocalLog {
    table: PathBuf,
    log: PathBuf,
}

impl LocalLog {
    /// The log of the table at this absolute path, which need not exist.
    pub(crate) fn new(table: PathBuf) -> Self {
        Self { log: table.join("_delta_log"), table }
    }

    fn all_names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.log) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        // A name that is no UTF-8 is no part of a Delta log.
        entries.filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose()).collect()
    }

    /// Writes a flushed file whose name no reader of a Delta log takes for a part of it, and gives its path.
    ///
    /// The name is made of the process id and a counter. A process of another machine or container may have both in common, so the name
    /// is claimed, and the next one taken if it stands.
    fn write_temporary(&self, name: &str, body: &[u8]) -> io::Result<PathBuf> {
        loop {
            let count = TEMPORARIES.fetch_add(1, Ordering::Relaxed);
            let path = self.log.join(format!(".{name}.{}.{count}.tmp", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    let written = file.write_all(body).and_then(|()| file.sync_all());
                    return match written {
                        Ok(()) => Ok(path),
                        Err(error) => {
                            forget(&path);
                            Err(error)
                        }
                    };
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl LogFiles for LocalLog {
    fn names(&self, _from: u64) -> io::Result<Names> {
        let files = self.all_names()?.into_iter().map(|name| Named { name, stamp: None }).collect();
        Ok(Names { files, from: 0 })
    }

    fn stamp(&self, name: &str) -> io::Result<Option<Stamp>> {
        match fs::metadata(self.log.join(name)) {
            Ok(metadata) => Ok(Some(Stamp { size: metadata.len(), modified: metadata.modified().ok(), etag: None })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.log.join(name))
    }

    fn flush(&self, names: &[String]) -> io::Result<()> {
        for name in names {
            match File::open(self.log.join(name)).and_then(|file| file.sync_all()) {
                // A file that others cleaned away meanwhile was not the only one to say what it said.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                flushed => nothing_to_flush(flushed)?,
            }
        }
        flush_folder(&self.log)
    }

    fn prepare(&self) -> io::Result<()> {
        fs::create_dir_all(&self.log)?;
        // Folders that a process made before it died may not be on disk either, so all are flushed, whoever made them.
        for folder in self.log.ancestors() {
            flush_folder(folder)?;
        }
        Ok(())
    }

    fn put_if_absent(&self, name: &str, body: &[u8]) -> io::Result<Put> {
        let target = self.log.join(name);
        let temporary = self.write_temporary(name, body)?;
        let linked = match fs::hard_link(&temporary, &target) {
            Ok(()) => flush_folder(&self.log).map(|()| Put::Done),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Put::Exists),
            // Another process swept our temporary file away: it does so only once a version stands.
            Err(error) if error.kind() == ErrorKind::NotFound && target.exists() => Ok(Put::Exists),
            Err(error) => Err(error),
        };
        forget(&temporary);
        linked
    }

    fn replace(&self, name: &str, body: &[u8]) -> io::Result<()> {
        let temporary = self.write_temporary(name, body)?;
        let renamed = fs::rename(&temporary, self.log.join(name)).and_then(|()| flush_folder(&self.log));
        if renamed.is_err() {
            forget(&temporary);
        }
        renamed
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.log.join(name)) {
            Ok(()) => flush_folder(&self.log),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn sweep(&self, newest: u64) -> io::Result<()> {
        for name in self.all_names()? {
            let Some(version) = temporary_of_commit(&name) else { continue };
            // The commit that it was to become stands, so its writer can only lose.
            if version <= newest {
                forget(&self.log.join(name));
            }
        }
        Ok(())
    }

    fn object_store(&self) -> io::Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(LocalFileSystem::new_with_prefix(&self.table).map_err(io::Error::other)?))
    }
}

/// The version of the commit that a temporary file of ours was to become.
fn temporary_of_commit(name: &str) -> Option<u64> {
    let (version, rest) = name.strip_prefix('.')?.strip_suffix(".tmp")?.split_once('.')?;
    (version.len() == 20 && rest.starts_with("json.")).then(|| version.parse().ok()).flatten()
}

/// Removes a temporary file. One that stays costs a few bytes until the next sweep.
fn forget(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::debug!(path = %path.display(), %error, "a temporary file stays for now");
    }
}

/// A folder must be flushed for the names in it to last.
#[cfg(unix)]
fn flush_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Above the table there may be folders that we may pass but not open. They were there before us.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        flushed => nothing_to_flush(flushed),
    }
}

/// Folders cannot be opened for flushing here: the file system's own journal has to do.
#[cfg(not(unix))]
fn flush_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// A file system that cannot be written to, or knows no flush, has nothing that could be flushed.
fn nothing_to_flush(flushed: io::Result<()>) -> io::Result<()> {
    match flushed {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::ReadOnlyFilesystem | ErrorKind::Unsupported | ErrorKind::InvalidInput
            ) =>
        {
            Ok(())
        }
        flushed => flushed,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    fn log() -> (tempfile::TempDir, LocalLog) {
        let folder = tempfile::tempdir().expect("a folder");
        let log = LocalLog::new(folder.path().join("deep/er/table"));
        log.prepare().expect("prepared");
        (folder, log)
    }

    #[test]
    fn a_name_is_put_once_and_leaves_nothing_behind() {
        let (_folder, log) = log();
        assert_eq!(log.put_if_absent("a.json", b"one").expect("put"), Put::Done);
        assert_eq!(log.put_if_absent("a.json", b"two").expect("put"), Put::Exists);
        assert_eq!(log.read("a.json").expect("read"), b"one");
        log.remove("b.json").expect("what is not there is removed");
        log.replace("a.json", b"three").expect("replaced");
        assert_eq!(log.read("a.json").expect("read"), b"three");
        assert_eq!(log.all_names().expect("names"), ["a.json"]);
    }

    #[test]
    fn a_temporary_name_of_another_is_passed_over_and_a_folder_that_is_gone_is_an_error() {
        let (folder, log) = log();
        let next = TEMPORARIES.load(Ordering::Relaxed);
        let theirs = |count| log.log.join(format!(".a.json.{}.{count}.tmp", std::process::id()));
        (next..next + 50).for_each(|count| fs::write(theirs(count), "theirs").expect("written"));
        assert_eq!(log.put_if_absent("a.json", b"one").expect("put"), Put::Done);
        assert_eq!(log.read("a.json").expect("read"), b"one");
        fs::remove_dir_all(folder.path().join("deep")).expect("removed");
        assert_eq!(log.put_if_absent("b.json", b"two").expect_err("no folder").kind(), ErrorKind::NotFound);
    }

    #[test]
    fn of_many_writers_one_wins_and_its_bytes_stand() {
        let (_folder, log) = log();
        // Who looks whether a name is free and takes it then would win beside another only now and then.
        for name in (0..600).map(|round| format!("{round}.json")) {
            let (log, name, together) = (&log, &name, &Barrier::new(8));
            let wins: Vec<usize> = std::thread::scope(|scope| {
                let put = move |n: usize| {
                    together.wait();
                    (n, log.put_if_absent(name, format!("writer {n}").as_bytes()))
                };
                let writers: Vec<_> = (0..8).map(|n| scope.spawn(move || put(n))).collect();
                let won = |(n, put): (usize, io::Result<Put>)| (put.expect("put") == Put::Done).then_some(n);
                writers.into_iter().filter_map(|writer| won(writer.join().expect("no panic"))).collect()
            });
            assert_eq!(wins.len(), 1, "{name}");
            assert_eq!(log.read(name).expect("read"), format!("writer {}", wins[0]).as_bytes());
        }
    }

    #[test]
    fn a_sweep_spares_what_may_still_be_written() {
        let (_folder, log) = log();
        for name in
            [".00000000000000000004.json.7.0.tmp", ".00000000000000000005.json.7.1.tmp", ".x.tmp", "_last_checkpoint"]
        {
            fs::write(log.log.join(name), b"").expect("written");
        }
        log.sweep(4).expect("swept");
        let mut names = log.all_names().expect("names");
        names.sort();
        assert_eq!(names, [".00000000000000000005.json.7.1.tmp", ".x.tmp", "_last_checkpoint"]);
    }
}
