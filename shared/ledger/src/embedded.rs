//! The ledger of one machine: an SQLite file in WAL mode that several processes use at once.
//!
//! - `connection` opens the file and keeps the readers; `schema` makes its tables and tells what a file is;
//! - `writer` carries writes in groups, one fsync for many callers;
//! - `claims`, `batches`, `pipelines`, `tables` hold the SQL, as plain functions on a connection;
//! - `failure` turns SQLite's codes into words.
//!
//! Reads run on the caller's thread (microseconds each, WAL readers wait for nobody); writes run on the writer's.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use drops::{BatchId, DropId, PipelineName, Timestamp};
use rusqlite::Connection;

use crate::{
    AbortOutcome, BatchRecord, Claim, ClaimOutcome, Expected, HeadOutcome, Intent, Lease, LeaseOutcome, Ledger,
    LedgerError, PipelineSettings, SealOutcome, Sealed, StagedTotals,
};

mod batches;
mod claims;
mod connection;
mod failure;
mod pipelines;
mod schema;
mod tables;
mod values;
mod writer;

#[cfg(test)]
mod tests;

use connection::{Access, Readers};
use failure::Failure;
use writer::Writer;

/// A ledger in one SQLite file.
///
/// A write that was answered survives a crash of the machine. A caller who stops waiting for a write (drops the future) does not
/// learn whether it happened; it is never half done. Dropping the ledger carries out the writes that wait and closes the file.
pub struct EmbeddedLedger {
    path: PathBuf,
    readers: Readers,
    /// Absent where the ledger was opened for looking.
    writer: Option<Writer>,
}

impl EmbeddedLedger {
    /// Opens the ledger at `path`, and makes it with the identity `new_identity` if it is absent. The folder must exist.
    ///
    /// # Errors
    /// The file is foreign, damaged or of another format, or cannot be opened; the message names it and says what to do.
    pub fn open(path: &Path, new_identity: String) -> Result<Self, LedgerError> {
        if new_identity.is_empty() {
            let failure = Failure::lasting("a ledger's identity is never empty");
            return Err(failure.into_error("be made", path));
        }
        Self::open_with(path, Access::Create, &new_identity)
    }

    /// Opens the ledger at `path`, which must exist.
    ///
    /// # Errors
    /// As for [`EmbeddedLedger::open`], and if there is no ledger.
    pub fn open_existing(path: &Path) -> Result<Self, LedgerError> {
        Self::open_with(path, Access::Write, "")
    }

    /// Opens the ledger at `path`, which must exist, for reading alone, while others may write it. Every method that writes fails.
    /// Where nothing can be written and no write is pending, as on a read-only mount, the file is read as it stands.
    ///
    /// # Errors
    /// As for [`EmbeddedLedger::open_existing`].
    pub fn look(path: &Path) -> Result<Self, LedgerError> {
        Self::open_with(path, Access::Look, "").or_else(|error| {
            // SQLite needs to write beside a file in WAL mode even to read it.
            let still = !error.passing && path.is_file() && connection::is_at_rest(path);
            if still { Self::open_with(path, Access::Still, "").map_err(|_| error) } else { Err(error) }
        })
    }

    /// How many claims of a pipeline name each batch. For people: no decision reads it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn claims_by_batch(&self, pipeline: &PipelineName) -> Result<Vec<(BatchId, u64)>, LedgerError> {
        self.read("count the claims", |conn| claims::by_batch(conn, pipeline))
    }

    /// The drops of a pipeline whose claims name one of these batches, with that batch; each as [`DropId`]'s text. For people.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn claimed_by(
        &self,
        pipeline: &PipelineName,
        batches: &HashSet<BatchId>,
    ) -> Result<Vec<(String, BatchId)>, LedgerError> {
        self.read("list claims", |conn| claims::of_batches(conn, pipeline, batches))
    }

    fn open_with(path: &Path, access: Access, new_identity: &str) -> Result<Self, LedgerError> {
        let open = || {
            if access != Access::Create && !path.is_file() {
                return Err(Failure::lasting("there is no such file: name the folder of a table that lithify made"));
            }
            let conn = connection::open(path, access, new_identity)?;
            let place = connection::Place::of(path)?;
            let path = path.to_owned();
            Ok(match access {
                Access::Look | Access::Still => {
                    Self { readers: Readers::new(path.clone(), access, Some(conn)), path, writer: None }
                }
                // The readers never make the file: one that vanished must not come back empty.
                Access::Create | Access::Write => Self {
                    readers: Readers::new(path.clone(), Access::Write, None),
                    path,
                    writer: Some(Writer::start(conn, place)?),
                },
            })
        };
        open().map_err(|failure: Failure| failure.into_error("be opened", path))
    }

    /// Reads on this thread, in one snapshot.
    fn read<T>(
        &self,
        action: &'static str,
        look: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, LedgerError> {
        self.readers.read(look).map_err(|failure| failure.into_error(action, &self.path))
    }

    /// Writes about `rows` rows in the next group.
    async fn write<T: Send + 'static>(
        &self,
        action: &'static str,
        rows: usize,
        write: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let written = match &self.writer {
            Some(writer) => writer.write(rows, write).await,
            None => Err(Failure::lasting("it was opened for looking alone")),
        };
        written.map_err(|failure| failure.into_error(action, &self.path))
    }
}

#[async_trait]
impl Ledger for EmbeddedLedger {
    async fn identity(&self) -> Result<String, LedgerError> {
        self.read("read its identity", schema::identity)
    }

    async fn claims(&self, ids: &[DropId]) -> Result<Vec<Option<Claim>>, LedgerError> {
        self.read("read claims", |conn| claims::standing(conn, ids))
    }

    async fn claim(&self, wanted: &[(DropId, Expected, Claim)]) -> Result<Vec<ClaimOutcome>, LedgerError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let packed = claims::Wanted::pack(wanted).map_err(|failure| failure.into_error("claim drops", &self.path))?;
        self.write("claim drops", wanted.len(), move |conn| claims::claim(conn, &packed)).await
    }

    async fn batch(&self, id: BatchId) -> Result<Option<BatchRecord>, LedgerError> {
        self.read("read a batch's record", |conn| batches::record(conn, id))
    }

    async fn abort(&self, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, LedgerError> {
        let pipeline = pipeline.clone();
        self.write("abort a batch", 1, move |conn| batches::abort(conn, &pipeline, id)).await
    }

    async fn give_up(&self, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, LedgerError> {
        let pipeline = pipeline.clone();
        self.write("give up a batch", 1, move |conn| batches::give_up(conn, &pipeline, id)).await
    }

    async fn seal(&self, id: BatchId, sealed: &Sealed) -> Result<SealOutcome, LedgerError> {
        let sealed = sealed.clone();
        self.write("seal a batch", 2, move |conn| batches::seal(conn, id, &sealed)).await
    }

    async fn staged(&self, pipeline: &PipelineName) -> Result<Vec<(BatchId, Sealed)>, LedgerError> {
        self.read("list the staged batches", |conn| batches::staged(conn, pipeline))
    }

    async fn staged_totals(&self, pipeline: &PipelineName) -> Result<StagedTotals, LedgerError> {
        self.read("add up the staged batches", |conn| batches::staged_totals(conn, pipeline))
    }

    async fn mark_committed(&self, batches: &[BatchId], version: u64) -> Result<(), LedgerError> {
        if batches.is_empty() {
            return Ok(());
        }
        let ids = batches.to_vec();
        let rows = ids.len() * 2;
        self.write("mark batches as committed", rows, move |conn| batches::mark_committed(conn, &ids, version)).await
    }

    async fn batches(
        &self,
        pipeline: &PipelineName,
        after: Option<BatchId>,
        limit: usize,
    ) -> Result<Vec<(BatchId, BatchRecord)>, LedgerError> {
        self.read("list the batches", |conn| batches::list(conn, pipeline, after, limit))
    }

    async fn count_claims(&self, pipeline: &PipelineName) -> Result<u64, LedgerError> {
        self.read("count the claims", |conn| claims::count(conn, pipeline))
    }

    async fn reserve_intent(&self, pipeline: &PipelineName, intent: &Intent) -> Result<bool, LedgerError> {
        let (pipeline, intent) = (pipeline.clone(), intent.clone());
        self.write("reserve an intent", 1, move |conn| pipelines::reserve_intent(conn, &pipeline, &intent)).await
    }

    async fn intent(&self, pipeline: &PipelineName, number: u64) -> Result<Option<Intent>, LedgerError> {
        self.read("read an intent", |conn| pipelines::intent(conn, pipeline, number))
    }

    async fn head(&self, pipeline: &PipelineName) -> Result<Option<u64>, LedgerError> {
        self.read("read the head", |conn| pipelines::head(conn, pipeline))
    }

    async fn move_head(&self, pipeline: &PipelineName, number: u64) -> Result<HeadOutcome, LedgerError> {
        let pipeline = pipeline.clone();
        self.write("move the head", 1, move |conn| pipelines::move_head(conn, &pipeline, number)).await
    }

    async fn settings(&self, pipeline: &PipelineName) -> Result<Option<PipelineSettings>, LedgerError> {
        self.read("read a pipeline's settings", |conn| pipelines::settings(conn, pipeline))
    }

    async fn fix_settings(
        &self,
        pipeline: &PipelineName,
        settings: &PipelineSettings,
    ) -> Result<PipelineSettings, LedgerError> {
        let (pipeline, settings) = (pipeline.clone(), settings.clone());
        self.write("fix a pipeline's settings", 1, move |conn| pipelines::fix_settings(conn, &pipeline, &settings))
            .await
    }

    async fn fix_table(&self, pipeline: &PipelineName, table: &str) -> Result<PipelineSettings, LedgerError> {
        let (pipeline, table) = (pipeline.clone(), table.to_owned());
        self.write("enter a pipeline's table", 1, move |conn| pipelines::fix_table(conn, &pipeline, &table)).await
    }

    async fn pipelines(&self) -> Result<Vec<PipelineName>, LedgerError> {
        self.read("list the pipelines", pipelines::list)
    }

    async fn newest_schema(&self, table: &str) -> Result<Option<(u64, String)>, LedgerError> {
        self.read("read the newest schema", |conn| tables::newest_schema(conn, table))
    }

    async fn schema(&self, table: &str, number: u64) -> Result<Option<String>, LedgerError> {
        self.read("read a schema", |conn| tables::schema(conn, table, number))
    }

    async fn add_schema(&self, table: &str, number: u64, schema: &str) -> Result<bool, LedgerError> {
        let (table, schema) = (table.to_owned(), schema.to_owned());
        self.write("add a schema", 1, move |conn| tables::add_schema(conn, &table, number, &schema)).await
    }

    async fn acquire_lease(
        &self,
        table: &str,
        owner: &str,
        expires: Timestamp,
        seen: Option<&Lease>,
    ) -> Result<LeaseOutcome, LedgerError> {
        let (table, owner, seen) = (table.to_owned(), owner.to_owned(), seen.cloned());
        let acquire = move |conn: &Connection| tables::acquire_lease(conn, &table, &owner, expires, seen.as_ref());
        self.write("acquire a lease", 1, acquire).await
    }

    async fn renew_lease(&self, table: &str, lease: &Lease, expires: Timestamp) -> Result<bool, LedgerError> {
        let (table, lease) = (table.to_owned(), lease.clone());
        self.write("renew a lease", 1, move |conn| tables::renew_lease(conn, &table, &lease, expires)).await
    }

    async fn release_lease(&self, table: &str, lease: &Lease) -> Result<(), LedgerError> {
        let (table, lease) = (table.to_owned(), lease.clone());
        self.write("release a lease", 1, move |conn| tables::release_lease(conn, &table, &lease)).await
    }
}
