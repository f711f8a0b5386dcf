//! The ledger of the functions: one DynamoDB table with the keys `pk` and `sk`, on demand.
//!
//! - `claims`, `batches`, `staged`, `pipelines`, `schemas`, `lease`: one file for each kind of item, with its layout and lifetime;
//! - `door`, `many`, `transaction`: the requests, and what makes their answers certain; `condition` what they may demand;
//! - `item`: keys and attributes; `failure`: the SDK's errors in words.
//!
//! Every write is conditional, and a refused one is judged by what stands, so that repeating any of them is right. No item grows with
//! the number of drops, no decision reads an index. What people ask ([`Ledger::batches`], [`Ledger::count_claims`]) reads the whole
//! table: an index for it would be written with every drop.
//!
//! A role needs `dynamodb:` `GetItem`, `BatchGetItem`, `Query`, `PutItem`, `DeleteItem`, `ConditionCheckItem` and `DescribeTable` on the
//! table; people who look at it `Scan` as well.

use std::collections::HashSet;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::KeyType;
use drops::{BatchId, DropId, PipelineName, Timestamp};

use crate::{
    AbortOutcome, BatchRecord, Claim, ClaimOutcome, Expected, HeadOutcome, Intent, Lease, LeaseOutcome, Ledger,
    LedgerError, PipelineSettings, SealOutcome, Sealed, StagedTotals,
};

mod batches;
mod claims;
mod condition;
#[cfg(any(test, feature = "conformance"))]
mod create;
mod door;
mod failure;
mod item;
mod lease;
mod many;
mod pipelines;
mod schemas;
mod staged;
mod transaction;

#[cfg(any(test, feature = "conformance"))]
pub use create::create_table;
use door::Door;
use failure::Failure;

/// A ledger in one DynamoDB table.
///
/// A claim is one write request for each drop, 64 of them at once; a seal is one transaction; the list of staged batches is one Query.
/// A caller who stops waiting for a write (drops the future) does not learn whether it happened: read again.
pub struct DynamoLedger {
    door: Door,
}

impl DynamoLedger {
    /// The ledger in the table of this name (or ARN), which must exist. Nothing is asked before the first method is called.
    ///
    /// The client's credentials, endpoint and connections are used; how often a request is tried again is the ledger's own choice,
    /// and a try ends after 10 seconds unless the client says otherwise.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { door: Door::new(&client, table) }
    }

    /// How many claims of a pipeline name each batch. Slow, for people: it reads the whole table.
    ///
    /// # Errors
    /// DynamoDB does not answer, or an item is not as a ledger writes it.
    pub async fn claims_by_batch(&self, pipeline: &PipelineName) -> Result<Vec<(BatchId, u64)>, LedgerError> {
        self.told("count the claims", claims::by_batch(&self.door, pipeline).await)
    }

    /// The drops of a pipeline whose claims name one of these batches, with that batch. Slow, for people: it reads the whole table.
    ///
    /// # Errors
    /// As [`Self::claims_by_batch`].
    pub async fn claimed_by(
        &self,
        pipeline: &PipelineName,
        batches: &HashSet<BatchId>,
    ) -> Result<Vec<(DropId, BatchId)>, LedgerError> {
        self.told("list claims", claims::of_batches(&self.door, pipeline, batches).await)
    }

    /// Names what was tried, and the table.
    fn told<T>(&self, action: &'static str, result: Result<T, Failure>) -> Result<T, LedgerError> {
        result.map_err(|failure| failure.into_error(action, &self.door.table))
    }
}

/// DynamoDB's own identity of the table, which a restored or newly made one does not share. The one time that the table is described,
/// its keys are checked too.
async fn identity(door: &Door) -> Result<String, Failure> {
    let answer = door.client.describe_table().table_name(&door.table).send().await?;
    let table = answer.table.ok_or_else(|| Failure::passing("DynamoDB described nothing: try again"))?;
    let keys: Vec<_> = table.key_schema().iter().map(|key| (key.key_type().clone(), key.attribute_name())).collect();
    if keys != [(KeyType::Hash, "pk"), (KeyType::Range, "sk")] {
        return Err(Failure::lasting(format!(
            "it is no ledger: its keys are {keys:?} and not the hash key 'pk' with the range key 'sk'; name another table"
        )));
    }
    if let Some(id) = table.table_id.filter(|id| !id.is_empty()) {
        return Ok(id);
    }
    // DynamoDB Local has no TableId; a table that was made anew differs in its time.
    match (table.table_arn, table.creation_date_time) {
        (Some(arn), Some(time)) => Ok(format!("{arn} of {}", time.as_secs_f64())),
        _ => Err(Failure::lasting(
            "DynamoDB gives it no identity, without which a restored ledger is not told from a lost one",
        )),
    }
}

#[async_trait]
impl Ledger for DynamoLedger {
    async fn identity(&self) -> Result<String, LedgerError> {
        self.told("read its identity", identity(&self.door).await)
    }

    async fn claims(&self, ids: &[DropId]) -> Result<Vec<Option<Claim>>, LedgerError> {
        self.told("read claims", claims::standing(&self.door, ids).await)
    }

    async fn claim(&self, wanted: &[(DropId, Expected, Claim)]) -> Result<Vec<ClaimOutcome>, LedgerError> {
        self.told("claim drops", claims::claim(&self.door, wanted).await)
    }

    async fn batch(&self, id: BatchId) -> Result<Option<BatchRecord>, LedgerError> {
        self.told("read a batch's record", batches::record(&self.door, id).await)
    }

    async fn abort(&self, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, LedgerError> {
        self.told("abort a batch", batches::abort(&self.door, pipeline, id).await)
    }

    async fn give_up(&self, pipeline: &PipelineName, id: BatchId) -> Result<AbortOutcome, LedgerError> {
        self.told("give up a batch", batches::give_up(&self.door, pipeline, id).await)
    }

    async fn seal(&self, id: BatchId, sealed: &Sealed) -> Result<SealOutcome, LedgerError> {
        self.told("seal a batch", batches::seal(&self.door, id, sealed).await)
    }

    async fn staged(&self, pipeline: &PipelineName) -> Result<Vec<(BatchId, Sealed)>, LedgerError> {
        self.told("list the staged batches", staged::list(&self.door, pipeline).await)
    }

    /// One Query, and a page more for each 2,000 batches that are staged.
    async fn staged_totals(&self, pipeline: &PipelineName) -> Result<StagedTotals, LedgerError> {
        self.told("add up the staged batches", staged::totals(&self.door, pipeline).await)
    }

    async fn mark_committed(&self, batches: &[BatchId], version: u64) -> Result<(), LedgerError> {
        self.told("mark batches as committed", batches::mark_committed(&self.door, batches, version).await)
    }

    /// Slow, for people: each call reads the whole table (claims and all, at DynamoDB's price for reading: about 0.1 dollars for a
    /// table of 10 million claims) whatever `limit` is. Ask once with a high limit and not page by page.
    async fn batches(
        &self,
        pipeline: &PipelineName,
        after: Option<BatchId>,
        limit: usize,
    ) -> Result<Vec<(BatchId, BatchRecord)>, LedgerError> {
        self.told("list the batches", batches::list(&self.door, pipeline, after, limit).await)
    }

    /// Slow, for people: it reads the whole table, as [`Ledger::batches`] does.
    async fn count_claims(&self, pipeline: &PipelineName) -> Result<u64, LedgerError> {
        self.told("count the claims", claims::count(&self.door, pipeline).await)
    }

    async fn reserve_intent(&self, pipeline: &PipelineName, intent: &Intent) -> Result<bool, LedgerError> {
        self.told("reserve an intent", pipelines::reserve_intent(&self.door, pipeline, intent).await)
    }

    async fn intent(&self, pipeline: &PipelineName, number: u64) -> Result<Option<Intent>, LedgerError> {
        self.told("read an intent", pipelines::intent(&self.door, pipeline, number).await)
    }

    async fn head(&self, pipeline: &PipelineName) -> Result<Option<u64>, LedgerError> {
        self.told("read the head", pipelines::head(&self.door, pipeline).await)
    }

    async fn move_head(&self, pipeline: &PipelineName, number: u64) -> Result<HeadOutcome, LedgerError> {
        self.told("move the head", pipelines::move_head(&self.door, pipeline, number).await)
    }

    async fn settings(&self, pipeline: &PipelineName) -> Result<Option<PipelineSettings>, LedgerError> {
        self.told("read a pipeline's settings", pipelines::settings(&self.door, pipeline).await)
    }

    async fn fix_settings(
        &self,
        pipeline: &PipelineName,
        settings: &PipelineSettings,
    ) -> Result<PipelineSettings, LedgerError> {
        self.told("fix a pipeline's settings", pipelines::fix_settings(&self.door, pipeline, settings).await)
    }

    async fn fix_table(&self, pipeline: &PipelineName, table: &str) -> Result<PipelineSettings, LedgerError> {
        self.told("enter a pipeline's table", pipelines::fix_table(&self.door, pipeline, table).await)
    }

    async fn pipelines(&self) -> Result<Vec<PipelineName>, LedgerError> {
        self.told("list the pipelines", pipelines::list(&self.door).await)
    }

    async fn newest_schema(&self, table: &str) -> Result<Option<(u64, String)>, LedgerError> {
        self.told("read the newest schema", schemas::newest(&self.door, table).await)
    }

    async fn schema(&self, table: &str, number: u64) -> Result<Option<String>, LedgerError> {
        self.told("read a schema", schemas::get(&self.door, table, number).await)
    }

    async fn add_schema(&self, table: &str, number: u64, schema: &str) -> Result<bool, LedgerError> {
        self.told("add a schema", schemas::add(&self.door, table, number, schema).await)
    }

    async fn acquire_lease(
        &self,
        table: &str,
        owner: &str,
        expires: Timestamp,
        seen: Option<&Lease>,
    ) -> Result<LeaseOutcome, LedgerError> {
        self.told("acquire a lease", lease::acquire(&self.door, table, owner, expires, seen).await)
    }

    async fn renew_lease(&self, table: &str, lease: &Lease, expires: Timestamp) -> Result<bool, LedgerError> {
        self.told("renew a lease", lease::renew(&self.door, table, lease, expires).await)
    }

    async fn release_lease(&self, table: &str, lease: &Lease) -> Result<(), LedgerError> {
        self.told("release a lease", lease::release(&self.door, table, lease).await)
    }
}
