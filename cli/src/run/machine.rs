//! One machine's parts: the folders, the embedded ledger and the process locks behind a table.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use compactor::{APP_PREFIX, CREATED_BY, LOCAL_LEASE, NotOpened, not_an_audit_table};
use lake::{DeltaLake, Lake};
use ledger::{EmbeddedLedger, Holder, Ledger, Liveness, ProcessLocks};
use runtime::{Clock, Entropy, SystemClock, SystemEntropy};
use store::{LocalStore, Store, create_folder};

use super::RunError;

/// The clock and the randomness of this process.
pub(crate) struct Machine {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl Machine {
    /// The real ones.
    pub(crate) fn new() -> Self {
        Self { clock: Arc::new(SystemClock::new()), entropy: Arc::new(SystemEntropy) }
    }
}

/// A table with everything that Lithify keeps about it, on this machine or on S3.
#[derive(Clone)]
pub(crate) struct Table {
    /// Where it is: a folder, or `s3://bucket/path`.
    pub(crate) address: String,
    /// Where its state is, for messages.
    pub(crate) state_address: String,
    /// What the ledger calls it.
    pub(crate) name: String,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) liveness: Arc<dyn Liveness>,
    pub(crate) leases: Leases,
    pub(crate) holder: Arc<dyn Holder>,
    pub(crate) lake: Arc<dyn Lake>,
    pub(crate) audit: Arc<dyn Lake>,
    pub(crate) state: Arc<dyn Store>,
    pub(crate) table_store: Arc<dyn Store>,
    pub(crate) audit_store: Arc<dyn Store>,
    /// The state that this process has made for it; none if it was there, or is elsewhere.
    pub(crate) made: Option<MadeState>,
}

/// How a table's lease is taken.
#[derive(Clone)]
pub(crate) struct Leases {
    /// Which holders are dead.
    pub(crate) liveness: Arc<dyn Liveness>,
    /// How long it is asked for.
    pub(crate) time: Duration,
    /// What one commit takes at most, about: the lease is renewed between two.
    pub(crate) commit_bytes: u64,
}

impl Leases {
    /// Where the death of a holder is seen at once.
    fn by_sight(liveness: Arc<dyn Liveness>) -> Self {
        Self { liveness, time: LOCAL_LEASE, commit_bytes: u64::MAX }
    }
}

/// Where a table's state lies.
pub(crate) fn state_folder(table: &Path) -> PathBuf {
    table.join("_lithify")
}

/// Where a table's audit table lies.
pub(crate) fn audit_folder(table: &Path) -> PathBuf {
    let mut name = table.file_name().unwrap_or_default().to_owned();
    name.push("_drops");
    table.with_file_name(name)
}

/// The embedded ledger's file.
pub(crate) fn ledger_file(table: &Path) -> PathBuf {
    state_folder(table).join("ledger.db")
}

/// Whether a table in a folder has a ledger: one that may not be looked at is not taken for none.
pub(crate) fn has_ledger(table: &Path) -> std::io::Result<bool> {
    ledger_file(table).try_exists()
}

impl Table {
    /// Opens a table in a folder, making what is missing. Refuses, before it makes anything, a table that has no ledger and should have one.
    pub(crate) async fn local(folder: &Path, append_existing: bool, machine: &Machine) -> Result<Self, RunError> {
        let (lake, audit) = (Arc::new(DeltaLake::local(folder)?), Arc::new(DeltaLake::local(&audit_folder(folder))?));
        let has_ledger =
            || has_ledger(folder).map_err(|e| RunError::Folder { folder: state_folder(folder), reason: e.to_string() });
        if !has_ledger()? {
            refuse_without_ledger(folder, lake.as_ref(), append_existing).await?;
            refuse_foreign_audit(folder, audit.as_ref()).await?;
        }
        let state = state_folder(folder);
        let now = machine.clock.now();
        let locks = ProcessLocks::new(&state.join("locks"));
        let failed = |e: std::io::Error| RunError::Folder { folder: state.clone(), reason: e.to_string() };
        let had_folder = folder.exists();
        // Nobody takes new state away while the folder is locked, and afterwards this process's own lock keeps it.
        let folder_lock = lock_folder(folder).map_err(failed)?;
        let is_new = !has_ledger()?;
        create_folder(&state.join("locks")).map_err(failed)?;
        let lock = locks.hold(machine.entropy.batch_id(now).to_string())?;
        let ledger = EmbeddedLedger::open(&ledger_file(folder), machine.entropy.batch_id(now).to_string())?;
        drop(folder_lock);
        let made = is_new.then(|| MadeState { folder: folder.to_owned(), lock: lock.name().to_owned(), had_folder });
        let stores = [
            LocalStore::new(&state, lock.name()),
            LocalStore::new(folder, lock.name()),
            // Rows go on where their accounting was taken away, which is told of.
            LocalStore::new(&audit_folder(folder), lock.name()).made_anew(),
        ];
        for store in &stores {
            sweep(store, &locks, now);
        }
        if let Err(e) = locks.sweep_dead(&[], now) {
            tracing::warn!(error = %e, "locks of dead processes were not swept");
        }
        let liveness: Arc<dyn Liveness> = Arc::new(locks);
        let [state_store, table_store, audit_store] = stores.map(|store| -> Arc<dyn Store> { Arc::new(store) });
        Ok(Self {
            address: folder.display().to_string(),
            state_address: state.display().to_string(),
            name: "table".to_owned(),
            ledger: Arc::new(ledger),
            leases: Leases::by_sight(liveness.clone()),
            liveness,
            holder: Arc::new(lock),
            lake,
            audit,
            state: state_store,
            table_store,
            audit_store,
            made,
        })
    }

    /// Takes away the state that this process has made, where nothing came of it: no table of ours, nothing claimed, nobody else at work.
    pub(crate) async fn forget_state(self) {
        let Some(made) = &self.made else { return };
        if let Err(reason) = self.forget(made).await {
            tracing::warn!(folder = %made.folder.display(), reason, "the state of a table that was refused stays");
        }
    }

    async fn forget(&self, made: &MadeState) -> Result<(), String> {
        // Whoever else comes waits until it is decided.
        let Some(_locked) = lock_folder(&made.folder).map_err(|e| e.to_string())? else { return Ok(()) };
        let head = self.lake.head(&[]).await.map_err(|e| e.to_string())?;
        let ours = head.is_some_and(|head| head.configuration.contains_key(CREATED_BY));
        let used = !self.ledger.pipelines().await.map_err(|e| e.to_string())?.is_empty();
        if ours || used || !made.is_alone().map_err(|e| e.to_string())? {
            return Ok(());
        }
        made.remove().map_err(|e| e.to_string())
    }
}

/// State of a table that was not there before this process.
#[derive(Clone, Debug)]
pub(crate) struct MadeState {
    /// The table's folder.
    folder: PathBuf,
    /// This process's lock.
    lock: String,
    /// Whether the table's folder was there.
    had_folder: bool,
}

impl MadeState {
    /// Whether no other process, dead or alive, has come to it.
    fn is_alone(&self) -> std::io::Result<bool> {
        let own = format!("{}.lock", self.lock);
        for entry in std::fs::read_dir(state_folder(&self.folder).join("locks"))? {
            if entry?.file_name() != own.as_str() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn remove(&self) -> std::io::Result<()> {
        std::fs::remove_dir_all(state_folder(&self.folder))?;
        if !self.had_folder {
            // Something else may lie there by now: then it stays.
            let _ = std::fs::remove_dir(&self.folder);
        }
        Ok(())
    }
}

/// Makes a table's folder and locks it, as every process does that makes its state or takes it away, until this is dropped. None on a file
/// system without such locks: there nothing is taken away.
fn lock_folder(folder: &Path) -> std::io::Result<Option<File>> {
    loop {
        create_folder(folder)?;
        let opened = match File::open(folder) {
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            opened => opened?,
        };
        if let Err(e) = opened.lock() {
            tracing::debug!(folder = %folder.display(), error = %e, "the table's folder cannot be locked");
            return Ok(None);
        }
        // It may have been removed, and made anew, while this process waited.
        let (ours, stands) = (opened.metadata()?, std::fs::metadata(folder));
        if stands.is_ok_and(|stands| (stands.dev(), stands.ino()) == (ours.dev(), ours.ino())) {
            return Ok(Some(opened));
        }
    }
}

/// Deletes what dead processes were writing.
fn sweep(store: &LocalStore, locks: &ProcessLocks, now: drops::Timestamp) {
    if let Err(e) = store.sweep_temporaries(&|owner| locks.is_dead(owner, now, now)) {
        tracing::warn!(error = %e, "temporary files of dead processes were not swept");
    }
}

async fn refuse_without_ledger(folder: &Path, lake: &DeltaLake, append_existing: bool) -> Result<(), RunError> {
    let Some(head) = lake.head(&[]).await? else { return Ok(()) };
    // Another process may just have made both: whoever makes a table has made its ledger before.
    if ledger_file(folder).exists() {
        return Ok(());
    }
    let table = folder.display().to_string();
    if not_an_audit_table(&head).is_none() {
        return Err(NotOpened::IsAudit { table }.into());
    }
    if head.configuration.contains_key(CREATED_BY) || !lake.app_ids(APP_PREFIX).await?.is_empty() {
        return Err(NotOpened::LedgerLost { table, state: state_folder(folder).display().to_string() }.into());
    }
    if append_existing { Ok(()) } else { Err(NotOpened::Foreign { table }.into()) }
}

/// What stands where the audit table belongs must be one.
async fn refuse_foreign_audit(folder: &Path, audit: &DeltaLake) -> Result<(), RunError> {
    let Some(reason) = audit.head(&[]).await?.and_then(|head| not_an_audit_table(&head)) else { return Ok(()) };
    let audit_table = audit_folder(folder).display().to_string();
    Err(NotOpened::AuditForeign { audit_table, reason }.into())
}
