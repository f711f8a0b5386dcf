//! `lithify run --watch`: goes on with what file-system notifications name, and with a whole listing now and then as the safety net.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use compactor::Trigger;
use drops::is_hidden_or_temporary;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::RunError;
use super::pipeline::{PipelineRun, lock};

/// Notifications come in bursts: how long to gather them.
const GATHER: Duration = Duration::from_millis(200);

/// More keys than this are not remembered one by one: the source is listed.
const KEYS: usize = 100_000;

/// How long to sleep at most before looking at the clock.
const TICK: Duration = Duration::from_millis(500);

/// What the notifications have named since it was last asked.
#[derive(Debug, Default)]
struct Changes {
    keys: BTreeSet<String>,
    /// Paths that are no UTF-8, so that no key can name them.
    unnamed: BTreeSet<PathBuf>,
    /// Notifications were lost or too many: everything may have changed.
    all: bool,
}

/// A pipeline that is watched.
struct Watched {
    run: Arc<PipelineRun>,
    changes: Arc<Mutex<Changes>>,
    changed: Arc<Notify>,
    next_listing: Duration,
    /// Device and inode of the source's folder; nothing while it is not there.
    folder: Option<(u64, u64)>,
    _watcher: Option<RecommendedWatcher>,
}

/// Watches the pipelines until the user interrupts, or until the last of them has failed, then commits what is staged. `failed` is told of each
/// that fails, by its place among them: the others go on.
pub(crate) async fn watch(runs: &[Arc<PipelineRun>], every: Duration, mut failed: impl FnMut(usize, RunError)) {
    let changed = Arc::new(Notify::new());
    // Watching begins before the first listing, so that nothing falls between them.
    let mut watched: Vec<_> = runs.iter().enumerate().map(|(at, run)| (at, Watched::begin(run, &changed))).collect();
    while !watched.is_empty() && !runs.iter().any(|run| run.is_interrupted()) {
        for (at, mut pipeline) in std::mem::take(&mut watched) {
            match pipeline.go_on(every).await {
                Ok(()) => watched.push((at, pipeline)),
                Err(error) => failed(at, error),
            }
        }
        let wait = tokio::time::timeout(TICK, changed.notified());
        if wait.await.is_ok() {
            tokio::time::sleep(GATHER).await;
        }
    }
    for (at, pipeline) in &watched {
        if let Err(error) = pipeline.end().await {
            failed(*at, error);
        }
    }
}

impl Watched {
    fn begin(run: &Arc<PipelineRun>, changed: &Arc<Notify>) -> Self {
        run.begin_watching();
        let changes = Arc::<Mutex<Changes>>::default();
        let folder = identity(run);
        let watcher = watch_or_tell(run, &changes, changed);
        let (run, changed) = (run.clone(), changed.clone());
        Self { run, changes, changed, next_listing: Duration::ZERO, folder, _watcher: watcher }
    }

    /// Whether the source is there. Says once that it is gone, and once that it is back; then it is watched and listed anew.
    fn is_there(&mut self) -> bool {
        let found = identity(&self.run);
        let source = &self.run.settings.source;
        match (self.folder, found) {
            (Some(_), None) => {
                let message =
                    format!("the source {source} is gone (removed or unmounted); watching goes on when it is back");
                self.run.messages().warn(&message);
            }
            (None, Some(_)) => self.run.messages().warn(&format!("the source {source} is back")),
            _ => {}
        }
        if found.is_some() && found != self.folder {
            self._watcher = watch_or_tell(&self.run, &self.changes, &self.changed);
            self.next_listing = Duration::ZERO;
        }
        self.folder = found;
        found.is_some()
    }

    /// Commits what is staged.
    async fn end(&self) -> Result<(), RunError> {
        self.run.compact(Trigger::Now).await?;
        self.run.keep_up(true).await?;
        self.run.tell_version().await?;
        // What a source that is away does not list is no failure: it was told, and the next run lists it.
        if identity(&self.run).is_none() {
            self.run.tally().source_is_away();
        }
        Ok(())
    }

    /// Ingests what came, and commits what is due.
    async fn go_on(&mut self, every: Duration) -> Result<(), RunError> {
        if !self.is_there() {
            return self.run.compact(Trigger::WhenDue).await;
        }
        let run = &self.run;
        let now = run.clock.monotonic();
        let changes = std::mem::take(&mut *lock(&self.changes));
        if changes.all || now >= self.next_listing {
            self.next_listing = now + every;
            lock(&run.pending).forgive();
            run.pass(None).await?;
            run.tally().first_listing_done();
        } else {
            for path in changes.unnamed.iter().filter(|path| path.symlink_metadata().is_ok()) {
                let below = run.source.folder().and_then(|root| path.strip_prefix(root).ok()).unwrap_or(path);
                run.leave_unnamed(&below.to_string_lossy());
            }
            let mut keys = changes.keys;
            keys.extend(lock(&run.pending).take_due(run.clock.now()));
            if !keys.is_empty() {
                run.pass(Some(keys.into_iter().collect())).await?;
                // It was gone for less than a look, so nothing else would list it before the next listing is due.
                if run.tally().could_not_list(&run.source.address()) {
                    self.next_listing = now;
                }
            }
        }
        run.compact(Trigger::WhenDue).await?;
        run.keep_up(false).await
    }
}

/// Device and inode of the source's folder; nothing if it is not there. A bucket is always taken to be there: its listing says more.
fn identity(run: &PipelineRun) -> Option<(u64, u64)> {
    let Some(folder) = run.source.folder() else { return Some((0, 0)) };
    let metadata = std::fs::metadata(folder).ok().filter(std::fs::Metadata::is_dir)?;
    Some((metadata.dev(), metadata.ino()))
}

fn watch_or_tell(
    run: &Arc<PipelineRun>,
    changes: &Arc<Mutex<Changes>>,
    changed: &Arc<Notify>,
) -> Option<RecommendedWatcher> {
    match begin_watching(run, changes, changed) {
        Ok(watcher) => watcher,
        Err(e) => {
            let source = &run.settings.source;
            run.messages().warn(&format!(
                "{source} cannot be watched ({e}); it is listed every time the listing is due (--every)"
            ));
            None
        }
    }
}

fn begin_watching(
    run: &Arc<PipelineRun>,
    changes: &Arc<Mutex<Changes>>,
    changed: &Arc<Notify>,
) -> notify::Result<Option<RecommendedWatcher>> {
    // A bucket names no changes to a process like this one: it is listed.
    let Some(root) = run.source.folder() else { return Ok(None) };
    let root = root.to_owned();
    let (changes, changed, of) = (changes.clone(), changed.clone(), run.clone());
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        note(&of, &mut lock(&changes), event);
        changed.notify_one();
    })?;
    watcher.watch(&root, RecursiveMode::Recursive)?;
    Ok(Some(watcher))
}

fn note(run: &PipelineRun, changes: &mut Changes, event: notify::Result<Event>) {
    let event = match event {
        Ok(event) if event.need_rescan() => {
            changes.all = true;
            return;
        }
        Ok(event) => event,
        Err(_) => {
            changes.all = true;
            return;
        }
    };
    if matches!(event.kind, EventKind::Access(_) | EventKind::Remove(_)) {
        return;
    }
    for path in &event.paths {
        match path.to_str() {
            Some(_) => changes.keys.extend(key_of(run, path)),
            None if !run.source.excludes(path) => {
                changes.unnamed.insert(path.clone());
            }
            None => {}
        }
    }
    if changes.keys.len() + changes.unnamed.len() > KEYS {
        (changes.keys, changes.unnamed) = Default::default();
        changes.all = true;
    }
}

/// The key of a path in the source that could be a drop, or a folder of drops.
fn key_of(run: &PipelineRun, path: &Path) -> Option<String> {
    if run.source.excludes(path) {
        return None;
    }
    let key = path.strip_prefix(run.source.folder()?).ok()?.to_str()?;
    (!is_hidden_or_temporary(key)).then(|| key.to_owned())
}
