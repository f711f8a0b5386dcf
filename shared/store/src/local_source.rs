use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use drops::{DropId, DroppedObject, PipelineName, Timestamp, is_hidden_or_temporary};

use crate::source::{ListError, OpenObject, ReadError, Source};

/// A folder of drops. A drop's key is its path relative to the folder, with `/`; its etag is size and modification time in nanoseconds.
pub struct LocalSource {
    root: PathBuf,
    pipeline: PipelineName,
    excluded: Vec<PathBuf>,
}

/// Something in the folder that is no drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// Its name says that it is not meant as data.
    HiddenOrTemporary(String),
    /// A socket, a pipe or a device.
    Special(String),
    /// A link to nothing.
    DeadLink(String),
    /// Its name is not UTF-8, so that it could not be named in the table.
    NameNotUtf8(String),
    /// A link to a folder that it lies in, or above.
    Loop(String),
    /// A link to what lies in the source anyway, under its own key.
    Inner(String),
}

/// What a listing finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// A drop.
    Object(DroppedObject),
    /// No drop.
    Skipped(Skipped),
}

impl LocalSource {
    /// A folder as the source of a pipeline. Folders in `excluded` are not listed (a table inside the source).
    pub fn new(root: &Path, pipeline: PipelineName, excluded: Vec<PathBuf>) -> io::Result<Self> {
        Ok(Self { root: root.canonicalize()?, pipeline, excluded })
    }

    /// The canonical folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether a path lies in an excluded folder.
    pub fn excludes(&self, path: &Path) -> bool {
        self.excluded.iter().any(|excluded| path.starts_with(excluded))
    }

    /// Lists the folder, folder by folder, in the order of the keys' bytes. Memory grows with the largest folder, not with their number.
    pub fn list(&self) -> Listing<'_> {
        Listing {
            source: self,
            ready: VecDeque::new(),
            pending: vec![Pending::Folder(String::new())],
            above: Vec::new(),
        }
    }

    /// Lists what is at these keys now, files and folders; what is gone is left away.
    pub fn list_at(&self, keys: impl IntoIterator<Item = String>) -> Listing<'_> {
        let keys: BTreeSet<String> = keys.into_iter().collect();
        let mut pending = Vec::new();
        // The stack gives the last first.
        for key in keys.iter().rev().filter(|key| !lies_in_another(key, &keys)) {
            // A path through a link that is not followed names what is listed under its own key.
            let Some(above) = self.folders_above(key).filter(|_| !self.leads_back(key)) else { continue };
            pending.push(match key.rsplit_once('/') {
                _ if key.is_empty() => Pending::Folder(String::new()),
                _ if self.root.join(key).is_dir() => Pending::Folder(format!("{key}/")),
                Some((folder, name)) => Pending::File(format!("{folder}/"), name.to_owned()),
                None => Pending::File(String::new(), key.clone()),
            });
            pending.push(Pending::Below(above));
        }
        Listing { source: self, ready: VecDeque::new(), pending, above: Vec::new() }
    }

    /// Device and inode of every folder above a key, from the root; none if one of them is gone or is there twice.
    fn folders_above(&self, key: &str) -> Option<Vec<(u64, u64)>> {
        let mut above = Vec::new();
        if key.is_empty() {
            return Some(above);
        }
        let ends = key.match_indices('/').map(|(end, _)| end);
        for folder in std::iter::once("").chain(ends.map(|end| &key[..end])) {
            let metadata = fs::metadata(self.root.join(folder)).ok()?;
            let identity = (metadata.dev(), metadata.ino());
            if above.contains(&identity) {
                return None;
            }
            above.push(identity);
        }
        Some(above)
    }

    /// Whether a key is a path through a link that is not followed, or one itself.
    fn leads_back(&self, key: &str) -> bool {
        let ends = key.match_indices('/').map(|(end, _)| end).chain([key.len()]);
        ends.map(|end| &key[..end]).any(|part| self.is_link(part) && self.not_followed(part).is_some())
    }

    /// Why a link is not followed: what it leads to is listed under its own key, or has what is in it. Else its rows would be there twice.
    fn not_followed(&self, key: &str) -> Option<Skipped> {
        let target = self.root.join(key).canonicalize().ok()?;
        let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
        let skipped = |entered: PathBuf| match (entered.starts_with(&target), target.starts_with(&entered)) {
            (true, _) => Some(Skipped::Loop(key.to_owned())),
            (_, true) => Some(Skipped::Inner(key.to_owned())),
            _ => None,
        };
        self.entered(folder).find_map(skipped)
    }

    /// The canonical folders by which a listing comes to this one: the source, and what links on the way lead to.
    fn entered(&self, folder: &str) -> impl Iterator<Item = PathBuf> {
        let ends = folder.match_indices('/').map(|(end, _)| end).chain([folder.len()]);
        let links = ends.map(|end| &folder[..end]).filter(|part| self.is_link(part));
        std::iter::once(self.root.clone()).chain(links.filter_map(|link| self.root.join(link).canonicalize().ok()))
    }

    fn is_link(&self, key: &str) -> bool {
        fs::symlink_metadata(self.root.join(key)).is_ok_and(|metadata| metadata.is_symlink())
    }

    fn object(&self, key: String, metadata: &Metadata) -> DroppedObject {
        let id = DropId { pipeline: self.pipeline.clone(), bucket: String::new(), key, version: None };
        let micros = metadata.mtime().saturating_mul(1_000_000).saturating_add(metadata.mtime_nsec() / 1_000);
        DroppedObject { id, etag: etag(metadata), size: metadata.len(), modified: Timestamp(micros), read_at: None }
    }
}

fn etag(metadata: &Metadata) -> String {
    format!("{}-{}.{:09}", metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}

/// Whether a key lies below another of the keys: listing that one finds it.
fn lies_in_another(key: &str, keys: &BTreeSet<String>) -> bool {
    let above = key.match_indices('/').map(|(end, _)| &key[..end]);
    (!key.is_empty() && keys.contains("")) || above.into_iter().any(|above| keys.contains(above))
}

enum Pending {
    /// What follows lies below these folders.
    Below(Vec<(u64, u64)>),
    Folder(String),
    Leave,
    File(String, String),
}

/// A listing under way.
pub struct Listing<'a> {
    source: &'a LocalSource,
    ready: VecDeque<Result<Listed, ListError>>,
    pending: Vec<Pending>,
    /// Device and inode of the folders above the one being listed: a link to one of them is a loop.
    above: Vec<(u64, u64)>,
}

impl Iterator for Listing<'_> {
    type Item = Result<Listed, ListError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Some(found);
            }
            match self.pending.pop()? {
                Pending::Below(above) => self.above = above,
                Pending::Leave => {
                    self.above.pop();
                }
                Pending::File(prefix, name) => self.file(&prefix, &name),
                Pending::Folder(prefix) => self.folder(prefix),
            }
        }
    }
}

impl Listing<'_> {
    fn file(&mut self, prefix: &str, name: &str) {
        let key = format!("{prefix}{name}");
        match fs::metadata(self.source.root.join(&key)) {
            Ok(metadata) if metadata.is_file() => {
                self.ready.push_back(Ok(Listed::Object(self.source.object(key, &metadata))));
            }
            Ok(_) => self.skip(Skipped::Special(key)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                // Gone since the folder was read, or a link to nothing.
                if fs::symlink_metadata(self.source.root.join(&key)).is_ok() {
                    self.skip(Skipped::DeadLink(key));
                }
            }
            // A link that leads round in a circle, say.
            Err(e) if e.kind() != io::ErrorKind::PermissionDenied && self.source.is_link(&key) => {
                self.skip(Skipped::DeadLink(key))
            }
            Err(e) => self.fail(key, &e),
        }
    }

    fn folder(&mut self, prefix: String) {
        let path = self.source.root.join(&prefix);
        let identity = match fs::metadata(&path) {
            Ok(metadata) => (metadata.dev(), metadata.ino()),
            Err(e) => return self.fail(prefix, &e),
        };
        if self.above.contains(&identity) {
            return self.skip(Skipped::Loop(prefix));
        }
        if self.is_excluded(&path) {
            return;
        }
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(e) => return self.fail(prefix, &e),
        };
        let mut children = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => children.extend(self.child(&prefix, &entry)),
                Err(e) => self.fail(prefix.clone(), &e),
            }
        }
        self.above.push(identity);
        self.pending.push(Pending::Leave);
        // The stack gives the smallest first; a folder sorts as its name with '/', which is how its keys sort among the files.
        children.sort_unstable_by(|a, b| b.cmp(a));
        self.pending.extend(children.into_iter().map(|name| match name.strip_suffix('/') {
            Some(_) => Pending::Folder(format!("{prefix}{name}")),
            None => Pending::File(prefix.clone(), name),
        }));
    }

    /// The name of a child, with `/` if it is a folder; nothing if it is skipped.
    fn child(&mut self, prefix: &str, entry: &fs::DirEntry) -> Option<String> {
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            self.skip(Skipped::NameNotUtf8(format!("{prefix}{}", name.to_string_lossy())));
            return None;
        };
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(e) => {
                self.fail(format!("{prefix}{name}"), &e);
                return None;
            }
        };
        let linked = kind.is_symlink().then(|| fs::metadata(entry.path()).ok()).flatten();
        let is_folder = kind.is_dir() || linked.is_some_and(|m| m.is_dir());
        if is_hidden_or_temporary(name) {
            // A hidden folder is passed over whole: what lies in it is not looked at.
            self.skip(Skipped::HiddenOrTemporary(format!("{prefix}{name}{}", if is_folder { "/" } else { "" })));
            return None;
        }
        if kind.is_symlink()
            && let Some(skipped) = self.source.not_followed(&format!("{prefix}{name}"))
        {
            self.skip(skipped);
            return None;
        }
        Some(if is_folder { format!("{name}/") } else { name.to_owned() })
    }

    fn is_excluded(&self, path: &Path) -> bool {
        !self.source.excluded.is_empty() && path.canonicalize().is_ok_and(|path| self.source.excluded.contains(&path))
    }

    fn skip(&mut self, skipped: Skipped) {
        self.ready.push_back(Ok(Listed::Skipped(skipped)));
    }

    fn fail(&mut self, place: String, error: &io::Error) {
        let place = if place.is_empty() { self.source.root.display().to_string() } else { place };
        self.ready.push_back(Err(ListError { place, reason: error.to_string() }));
    }
}

struct LocalObject {
    file: File,
    etag: String,
}

impl Read for LocalObject {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl OpenObject for LocalObject {
    fn verify(&mut self) -> Result<(), ReadError> {
        let metadata = self.file.metadata().map_err(passing)?;
        if metadata.is_file() && etag(&metadata) == self.etag { Ok(()) } else { Err(ReadError::Changed) }
    }
}

fn passing(error: io::Error) -> ReadError {
    ReadError::Passing(error.to_string())
}

#[async_trait]
impl Source for LocalSource {
    async fn open(&self, object: &DroppedObject) -> Result<Box<dyn OpenObject>, ReadError> {
        // Without waiting: what was a file when it was listed may be a pipe by now, whose other end nobody opens.
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NONBLOCK);
        let file = match options.open(self.root.join(&object.id.key)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(ReadError::Gone),
            Err(e) => return Err(passing(e)),
        };
        let mut open = LocalObject { file, etag: object.etag.clone() };
        open.verify()?;
        Ok(Box::new(open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(root: &Path, excluded: Vec<PathBuf>) -> LocalSource {
        LocalSource::new(root, "default".parse().unwrap(), excluded).unwrap()
    }

    fn keys(source: &LocalSource) -> Vec<String> {
        let listed = source.list().map(Result::unwrap);
        listed.filter_map(|l| if let Listed::Object(o) = l { Some(o.id.key) } else { None }).collect()
    }

    #[test]
    fn lists_in_the_order_of_the_keys_bytes() {
        let root = tempfile::tempdir().unwrap();
        let names = ["a/z.json", "a-b/x.json", "a.json", "a/b/c.json", "B.json", "a b+%2B=é.json", "a0.json"];
        for name in names {
            fs::create_dir_all(root.path().join(name).parent().unwrap()).unwrap();
            fs::write(root.path().join(name), name).unwrap();
        }
        let mut sorted = names.map(str::to_owned).to_vec();
        sorted.sort();
        assert_eq!(keys(&source(root.path(), vec![])), sorted);
    }

    #[test]
    fn lists_at_keys_what_is_there_now() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        for name in ["a/b/x.json", "a/b/y.json", "z.json"] {
            fs::write(root.path().join(name), "{}").unwrap();
        }
        let source = source(root.path(), vec![]);
        let mut found: Vec<_> = source
            .list_at(["z.json".into(), "a/b".into(), "gone.json".into()])
            .map(|l| if let Ok(Listed::Object(o)) = l { o.id.key } else { panic!("{l:?}") })
            .collect();
        found.sort();
        assert_eq!(found, ["a/b/x.json", "a/b/y.json", "z.json"]);
    }

    #[test]
    fn lists_at_keys_each_drop_once_and_follows_no_link_upwards() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("day=2/sub")).unwrap();
        for name in ["day=2/a.json", "day=2/sub/b.json"] {
            fs::write(root.path().join(name), "{}").unwrap();
        }
        std::os::unix::fs::symlink(root.path(), root.path().join("loop")).unwrap();
        let source = source(root.path(), vec![]);
        let at = |keys: &[&str]| -> Vec<_> {
            let listed = source.list_at(keys.iter().map(|key| (*key).to_owned())).map(Result::unwrap);
            listed.filter_map(|l| if let Listed::Object(o) = l { Some(o.id.key) } else { None }).collect()
        };
        assert_eq!(at(&["day=2/a.json", "day=2", "day=2/sub"]), ["day=2/a.json", "day=2/sub/b.json"]);
        assert_eq!(at(&["loop", "loop/day=2/a.json"]), [""; 0]);
    }

    #[tokio::test]
    async fn a_pipe_where_a_file_was_is_not_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.json");
        fs::write(&path, "{}").unwrap();
        let source = source(root.path(), vec![]);
        let Some(Ok(Listed::Object(object))) = source.list().next() else { panic!("a.json is listed") };
        fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(matches!(source.open(&object).await, Err(ReadError::Changed)));
    }

    #[test]
    fn skips_what_is_no_drop_and_says_so() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("table/_delta_log")).unwrap();
        fs::create_dir_all(at("_temporary")).unwrap();
        fs::create_dir_all(at("sub")).unwrap();
        for name in ["table/part.json", "_temporary/x.json", ".hidden", "x.tmp", "good.json"] {
            fs::write(at(name), "{}").unwrap();
        }
        std::os::unix::fs::symlink(root.path(), at("sub/up")).unwrap();
        std::os::unix::fs::symlink("/nowhere", at("broken.json")).unwrap();
        let source = source(root.path(), vec![at("table").canonicalize().unwrap()]);
        assert_eq!(keys(&source), ["good.json"]);
        let skipped: Vec<_> =
            source.list().filter_map(|l| if let Ok(Listed::Skipped(s)) = l { Some(s) } else { None }).collect();
        assert_eq!(skipped.len(), 5, "{skipped:?}");
        assert!(skipped.contains(&Skipped::Loop("sub/up".into())));
        assert!(skipped.contains(&Skipped::DeadLink("broken.json".into())));
        assert!(skipped.contains(&Skipped::HiddenOrTemporary("_temporary/".into())));
    }

    #[test]
    fn what_a_link_leads_to_is_listed_once() {
        let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, root.path().join(name)).unwrap();
        fs::create_dir_all(root.path().join("day=1/sub")).unwrap();
        fs::create_dir_all(other.path().join("in")).unwrap();
        fs::write(root.path().join("day=1/a.json"), "{}").unwrap();
        fs::write(other.path().join("in/b.json"), "{}").unwrap();
        link(Path::new("day=1"), "latest");
        link(Path::new("day=1/a.json"), "now.json");
        link(Path::new("../.."), "day=1/sub/up");
        link(root.path().parent().unwrap(), "above");
        // Out of the source it is followed, and not from there to where it is already, or back.
        link(other.path(), "other");
        std::os::unix::fs::symlink("in", other.path().join("again")).unwrap();
        std::os::unix::fs::symlink(root.path(), other.path().join("back")).unwrap();
        let source = source(root.path(), vec![]);
        assert_eq!(keys(&source), ["day=1/a.json", "other/in/b.json"]);
        let mut skipped: Vec<_> = source
            .list()
            .filter_map(|l| if let Ok(Listed::Skipped(s)) = l { Some(format!("{s:?}")) } else { None })
            .collect();
        skipped.sort();
        let (inner, up) = (["latest", "now.json", "other/again"], ["above", "day=1/sub/up", "other/back"]);
        let told = |kind: &str, key: &&str| format!("{kind}({key:?})");
        let expected: Vec<_> =
            inner.iter().map(|k| told("Inner", k)).chain(up.iter().map(|k| told("Loop", k))).collect();
        assert_eq!(skipped, expected);
        for key in inner.iter().chain(&up).map(|key| (*key).to_owned()) {
            assert_eq!(source.list_at([key.clone(), format!("{key}/a.json")]).count(), 0, "{key}");
        }
        assert_eq!(source.list_at(["other/in/b.json".to_owned()]).count(), 1);
    }

    #[tokio::test]
    async fn a_file_that_changes_is_noticed_before_and_while_it_is_read() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.json");
        fs::write(&path, "one").unwrap();
        let source = source(root.path(), vec![]);
        let Some(Ok(Listed::Object(object))) = source.list().next() else { panic!("a.json is listed") };

        let mut open = source.open(&object).await.unwrap();
        let mut text = String::new();
        open.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one");
        open.verify().unwrap();

        fs::write(&path, "another").unwrap();
        assert!(matches!(open.verify(), Err(ReadError::Changed)));
        assert!(matches!(source.open(&object).await, Err(ReadError::Changed)));
        fs::remove_file(&path).unwrap();
        assert!(matches!(source.open(&object).await, Err(ReadError::Gone)));
    }
}
