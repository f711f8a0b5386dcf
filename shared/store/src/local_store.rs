use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::store::{ObjectWriter, RandomRead, Store, StoreError, is_address};

static TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// A folder. What `put` and `finish` have written is fsynced, its name and its folders too: object_store's local store does not do that.
pub struct LocalStore {
    root: PathBuf,
    /// Whose temporary files these are.
    owner: String,
    /// Folders below the root that exist durably.
    folders: Arc<Mutex<HashSet<PathBuf>>>,
    /// Whether the root was there once: from then on it is not made anew, as what it held may only have been moved away.
    had_root: AtomicBool,
    /// Unless it may be.
    made_anew: bool,
}

impl LocalStore {
    /// A store in a folder, which need not exist yet. The owner, a name of letters and digits that no other process has, tells whose
    /// an unfinished file is.
    pub fn new(root: &Path, owner: &str) -> Self {
        let had_root = AtomicBool::new(root.is_dir());
        Self { root: root.to_owned(), owner: owner.to_owned(), folders: Arc::default(), had_root, made_anew: false }
    }

    /// The same, of a folder that is made anew where it was taken away: what can do without what it held.
    #[must_use]
    pub fn made_anew(self) -> Self {
        Self { made_anew: true, ..self }
    }

    /// Deletes the unfinished files of owners that are dead, in the folder and those below it. Returns how many.
    pub fn sweep_temporaries(&self, is_dead: &dyn Fn(&str) -> bool) -> io::Result<usize> {
        let mut folders = vec![self.root.clone()];
        let mut swept = 0;
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else if entry.file_name().to_str().and_then(owner_of).is_some_and(is_dead) {
                    fs::remove_file(entry.path())?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    fn path(&self, address: &str) -> Result<PathBuf, StoreError> {
        if is_address(address) { Ok(self.root.join(address)) } else { Err(StoreError::Address(address.to_owned())) }
    }

    /// An address as errors name it.
    fn shown(&self, address: &str) -> String {
        self.root.join(address).display().to_string()
    }

    /// Makes a folder below the root, which must be there.
    fn create_below(&self, folder: &Path) -> io::Result<()> {
        if !self.root.is_dir() {
            let root = self.root.display();
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("the folder {root} was removed or moved away: put it back as it was"),
            ));
        }
        if folder == self.root {
            return Ok(());
        }
        // One that is there may have been made by a process that has not flushed its name, and may never do so.
        let parent = folder.parent().unwrap_or(&self.root);
        self.create_below(parent)?;
        match fs::create_dir(folder) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
            _ => sync_folder(parent),
        }
    }

    fn begin(&self, address: &str) -> Result<LocalWriter, StoreError> {
        let path = self.path(address)?;
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        let shown = self.shown(address);
        let failed = |action| {
            let address = shown.clone();
            move |source| StoreError::Io { action, address, source }
        };
        let mut known = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(&folder) || !folder.is_dir() {
            if self.made_anew || !self.had_root.load(Ordering::Relaxed) {
                create_folder(&self.root).map_err(failed("make the folder of"))?;
                self.had_root.store(true, Ordering::Relaxed);
            }
            self.create_below(&folder).map_err(failed("make the folder of"))?;
            known.insert(folder.clone());
        }
        drop(known);
        let number = TEMPORARY.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!(".unfinished-{}-{number}.tmp", self.owner));
        let file = File::create(&temporary).map_err(failed("create"))?;
        Ok(LocalWriter { file, temporary, path, folder, written: 0, finished: false })
    }
}

/// Whose unfinished file this is.
fn owner_of(name: &str) -> Option<&str> {
    let (owner, _) = name.strip_prefix(".unfinished-")?.strip_suffix(".tmp")?.rsplit_once('-')?;
    Some(owner)
}

/// Makes a folder and every missing one above it, each fsynced into its parent.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent().filter(|p| !p.as_os_str().is_empty()) {
        create_folder(parent)?;
    }
    match fs::create_dir(folder) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    sync_folder(folder.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// Makes the names in a folder durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

struct LocalWriter {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    folder: PathBuf,
    written: u64,
    finished: bool,
}

impl Write for LocalWriter {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        let written = self.file.write(content)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl ObjectWriter for LocalWriter {
    fn finish(mut self: Box<Self>) -> Result<u64, StoreError> {
        let failed = |action| {
            let address = self.path.display().to_string();
            move |source| StoreError::Io { action, address, source }
        };
        self.file.sync_all().map_err(failed("sync"))?;
        fs::rename(&self.temporary, &self.path).map_err(failed("name"))?;
        sync_folder(&self.folder).map_err(failed("sync the folder of"))?;
        self.finished = true;
        Ok(self.written)
    }
}

impl Drop for LocalWriter {
    fn drop(&mut self) {
        if !self.finished {
            // What is left if this fails is a hidden temporary file that nothing names.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

struct LocalRead {
    file: File,
    size: u64,
}

impl RandomRead for LocalRead {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        // Who asks may have been told so by a file that lies: nothing is allocated for what is not there.
        if offset.checked_add(length as u64).is_none_or(|end| end > self.size) {
            let reason = format!("it has {} bytes, not {length} from {offset} on", self.size);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
        }
        let mut content = vec![0; length];
        self.file.read_exact_at(&mut content, offset)?;
        Ok(content.into())
    }
}

fn missing_or(action: &'static str, address: String) -> impl FnOnce(io::Error) -> StoreError {
    move |source| match source.kind() {
        io::ErrorKind::NotFound => StoreError::Missing(address),
        _ => StoreError::Io { action, address, source },
    }
}

#[async_trait]
impl Store for LocalStore {
    async fn put(&self, address: &str, content: Bytes) -> Result<(), StoreError> {
        let mut writer = Box::new(self.begin(address)?);
        let failed = |source| StoreError::Io { action: "write", address: self.shown(address), source };
        writer.write_all(&content).map_err(failed)?;
        writer.finish().map(|_| ())
    }

    async fn get(&self, address: &str) -> Result<Bytes, StoreError> {
        fs::read(self.path(address)?).map(Bytes::from).map_err(missing_or("read", self.shown(address)))
    }

    async fn open(&self, address: &str) -> Result<Arc<dyn RandomRead>, StoreError> {
        let file = File::open(self.path(address)?).map_err(missing_or("open", self.shown(address)))?;
        let size = file.metadata().map_err(missing_or("look at", self.shown(address)))?.len();
        Ok(Arc::new(LocalRead { file, size }))
    }

    fn writer(&self, address: &str) -> Result<Box<dyn ObjectWriter>, StoreError> {
        Ok(Box::new(self.begin(address)?))
    }

    async fn delete(&self, address: &str) -> Result<(), StoreError> {
        match fs::remove_file(self.path(address)?) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(missing_or("delete", self.shown(address))(e)),
            _ => Ok(()),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let Some((base, begin)) = prefix.rsplit_once('/') else { return Err(StoreError::Address(prefix.to_owned())) };
        let mut folders = vec![(self.path(base)?, format!("{base}/"), begin)];
        let mut found = Vec::new();
        while let Some((folder, prefix, begin)) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(missing_or("list", self.shown(&prefix))(e)),
            };
            for entry in entries {
                let entry = entry.map_err(missing_or("list", self.shown(&prefix)))?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                if name.starts_with('.') || !name.starts_with(begin) {
                    continue;
                }
                match entry.metadata() {
                    Ok(m) if m.is_dir() => folders.push((entry.path(), format!("{prefix}{name}/"), "")),
                    Ok(m) => found.push((format!("{prefix}{name}"), m.len())),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => return Err(missing_or("look at", self.shown(&prefix))(e)),
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_root_that_was_moved_away_is_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        for made_by in ["us", "others"] {
            if made_by == "others" {
                fs::create_dir(&root).unwrap();
            }
            let store = LocalStore::new(&root, "me");
            if made_by == "us" {
                store.put("a/x", "x".into()).await.unwrap();
            }
            fs::rename(&root, folder.path().join(made_by)).unwrap();
            for address in ["a/x", "b/y", "z"] {
                let refused = store.put(address, "x".into()).await.unwrap_err();
                assert!(refused.to_string().contains("moved away"), "{refused}");
            }
            assert!(!root.exists());
            let store = LocalStore::new(&folder.path().join(made_by), "me").made_anew();
            fs::remove_dir_all(folder.path().join(made_by)).unwrap();
            store.put("a/x", "x".into()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_beyond_the_end_takes_no_memory() {
        let root = tempfile::tempdir().unwrap();
        let store = LocalStore::new(root.path(), "me");
        store.put("a", "abc".into()).await.unwrap();
        let object = store.open("a").await.unwrap();
        assert_eq!(object.read_at(1, 2).unwrap(), "bc");
        for (offset, length) in [(0, 1 << 60), (u64::MAX, 2), (2, 2), (4, 0)] {
            assert_eq!(object.read_at(offset, length).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[tokio::test]
    async fn writes_reads_lists_and_deletes() {
        let root = tempfile::tempdir().unwrap();
        let store = LocalStore::new(&root.path().join("not/yet"), "me");
        store.put("a/b/c", "abc".into()).await.unwrap();
        store.put("a/x", "x".into()).await.unwrap();
        store.put("a/x", "xyz".into()).await.unwrap();
        assert_eq!(store.get("a/x").await.unwrap(), "xyz");
        assert_eq!(store.open("a/b/c").await.unwrap().read_at(1, 2).unwrap(), "bc");
        assert_eq!(store.list("a/").await.unwrap(), [("a/b/c".to_owned(), 3), ("a/x".to_owned(), 3)]);
        assert_eq!(store.list("a/b").await.unwrap(), [("a/b/c".to_owned(), 3)]);
        assert_eq!(store.list("a/x").await.unwrap(), [("a/x".to_owned(), 3)]);
        assert!(store.list("a/b/d").await.unwrap().is_empty() && store.list("a").await.is_err());
        store.delete("a/x").await.unwrap();
        store.delete("a/x").await.unwrap();
        assert!(matches!(store.get("a/x").await, Err(StoreError::Missing(_))));
        assert!(store.list("nothing/").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_unfinished_object_does_not_exist() {
        let root = tempfile::tempdir().unwrap();
        let store = LocalStore::new(root.path(), "me");
        let mut writer = store.writer("a/x").unwrap();
        writer.write_all(b"half").unwrap();
        assert!(store.list("a/").await.unwrap().is_empty());
        drop(writer);
        assert_eq!(fs::read_dir(root.path().join("a")).unwrap().count(), 0);
        let mut writer = store.writer("a/x").unwrap();
        writer.write_all(b"whole").unwrap();
        assert_eq!(writer.finish().unwrap(), 5);
        assert_eq!(store.get("a/x").await.unwrap(), "whole");
    }

    #[test]
    fn what_the_dead_left_unfinished_is_swept() {
        let root = tempfile::tempdir().unwrap();
        let at = |owner| LocalStore::new(root.path(), owner);
        // As a killed process does: the writer is never dropped.
        std::mem::forget(at("dead").writer("a/b/x").unwrap());
        std::mem::forget(at("alive").writer("a/x").unwrap());
        fs::write(root.path().join("a/.other.tmp"), "").unwrap();
        assert_eq!(at("me").sweep_temporaries(&|owner| owner == "dead").unwrap(), 1);
        assert_eq!(fs::read_dir(root.path().join("a/b")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(root.path().join("a")).unwrap().count(), 3);
    }

    #[tokio::test]
    async fn an_address_cannot_leave_the_folder() {
        let root = tempfile::tempdir().unwrap();
        let store = LocalStore::new(&root.path().join("in"), "me");
        for bad in ["../out", "/etc/passwd", "a/../../out", "a//b", "", "a/.", "a\0b"] {
            assert!(matches!(store.put(bad, "x".into()).await, Err(StoreError::Address(_))), "{bad}");
        }
    }
}
