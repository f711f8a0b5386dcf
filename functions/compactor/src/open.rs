//! Before anything is claimed: do ledger and table belong together?
//!
//! The log is the record, the ledger the index. Where they tell different histories, one of them was lost or restored,
//! and going on could double rows or lose them.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_schema::{Schema, SchemaRef};
use decode::hints::Hints;
use decode::infer::Observed;
use decode::schema::{Field, TableSchema, Type, type_name};
use drops::PipelineName;
use lake::{Commit, CommitOutcome, Head, TableMetadata};
use ledger::PipelineSettings;
use runs::{ClusterKey, Order, data_schema, row_column_fields, table_schema};

use crate::audit_gap::not_an_audit_table;
use crate::schema::widen;
use crate::{APP_PREFIX, CREATED_BY, Coming, CompactError, Compactor, NotOpened};

/// A pipeline whose ledger and table belong together, everything of the past settled.
#[derive(Clone, Debug)]
pub enum Opened {
    /// There is a table.
    Table {
        /// Its newest version.
        version: u64,
        /// Its columns.
        schema: SchemaRef,
    },
    /// There is none yet: [`Compactor::create`] makes it once the columns are known.
    NoTable,
}

impl Compactor {
    /// Checks that ledger and table belong together, settles what a process before us left unsettled, and sweeps staging.
    pub async fn open(&self) -> Result<Opened, CompactError> {
        let opened = self.open_unswept().await?;
        if matches!(opened, Opened::Table { .. }) {
            self.sweep_staging(false).await?;
        }
        Ok(opened)
    }

    /// Opens the pipeline whatever there is yet: a table that does not exist is made with the row columns and those of `first`, and all
    /// others come with the data. For pipelines whose ingest begins only when they are open.
    pub async fn ensure_open(&self, first: &TableSchema) -> Result<(u64, SchemaRef), CompactError> {
        if let Opened::Table { version, schema } = self.open_unswept().await? {
            self.adopt(&schema).await?;
            return Ok((version, schema));
        }
        self.check_columns(&table_schema(first))?;
        // The table's schema is in the ledger before there is a table: one without the other is a ledger that was lost.
        let text = serde_json::to_string(first).map_err(|error| CompactError::Internal(error.to_string()))?;
        let ledger = &self.parts.ledger;
        // Another may have written one: what stands decides.
        let _written = ledger.add_schema(&self.settings.table, 1, &text).await?;
        let (number, newest) = ledger
            .newest_schema(&self.settings.table)
            .await?
            .ok_or_else(|| CompactError::Internal("the schema that was written is not there".to_owned()))?;
        self.create(&crate::adopt::parse(number, &newest)?).await?;
        match self.open_unswept().await? {
            Opened::Table { version, schema } => Ok((version, schema)),
            Opened::NoTable => Err(self.table_gone().into()),
        }
    }

    async fn open_unswept(&self) -> Result<Opened, CompactError> {
        let ledger = &self.parts.ledger;
        let fixed = ledger.settings(&self.settings.pipeline).await?;
        match &fixed {
            Some(fixed) => self.check_fixed(fixed).await?,
            None => self.check_others().await?,
        }
        // The audit table before the table, which it follows: so it is never seen ahead of it by chance.
        let audit = self.audit_txn().await?;
        // The table before its schema: whoever makes one has written its schema before.
        let Some(head) = self.parts.lake.head(&[&self.app_id()]).await? else {
            let committed = ledger.head(&self.settings.pipeline).await?.is_some();
            return if committed || fixed.is_some() { Err(self.table_gone().into()) } else { Ok(Opened::NoTable) };
        };
        if ledger.newest_schema(&self.settings.table).await?.is_none() {
            self.check_unknown(&head).await?;
        }
        self.check_table(&head, fixed.as_ref())?;
        self.unsettled(self.txn(&head)).await?;
        self.check_audit(audit, self.txn(&head)).await?;
        let head = self.recover().await?;
        self.fix(&head.table_id).await?;
        Ok(Opened::Table { version: head.version, schema: head.schema })
    }

    /// Makes the table with these data columns, or finds that another process has. Nothing is claimed before this.
    pub async fn create(&self, data: &TableSchema) -> Result<SchemaRef, CompactError> {
        let schema = table_schema(data);
        self.check_columns(&schema)?;
        let app_id = self.app_id();
        let mut failure = None;
        for _ in 0..3 {
            let audit = self.audit_txn().await?;
            if let Some(head) = self.parts.lake.head(&[&app_id]).await? {
                self.check_table(&head, None)?;
                self.fix(&head.table_id).await?;
                return Ok(head.schema);
            }
            self.check_audit(audit, None).await?;
            self.check_audit_is_new().await?;
            let at = self.parts.clock.now();
            let metadata = TableMetadata {
                id: uuid(self.parts.entropy.bits()),
                schema: schema.clone(),
                partition_columns: self.settings.write.order.partition_columns.clone(),
                configuration: BTreeMap::from([(CREATED_BY.to_owned(), env!("CARGO_PKG_VERSION").to_owned())]),
                created: at,
            };
            // The `txn` 0 is below every intent's number; it is of no pipeline, as the table belongs to all of them.
            let commit = Commit {
                app_id: format!("{APP_PREFIX}#table"),
                txn: 0,
                metadata: Some(metadata),
                adds: Vec::new(),
                removes: Vec::new(),
                operation: "CREATE TABLE",
                info: BTreeMap::new(),
                at,
            };
            // Landed, taken or unknown: what stands is read.
            match self.parts.lake.commit(0, &commit).await {
                Ok(CommitOutcome::Landed | CommitOutcome::Taken) => {}
                Err(e) => {
                    tracing::warn!(error = %e, "the table's first commit gave no clear answer");
                    failure = Some(e);
                }
            }
        }
        // Nothing stands there: it was never made, or is gone again.
        Err(failure.map_or_else(|| self.table_gone().into(), CompactError::from))
    }

    async fn fix(&self, table_id: &str) -> Result<(), CompactError> {
        let settings = PipelineSettings {
            source: self.settings.source.clone(),
            identity_holds_version: self.settings.identity_holds_version,
            ledger: self.parts.ledger.identity().await?,
            table_id: table_id.to_owned(),
            table: Some(self.settings.table.clone()),
            at: self.parts.clock.now(),
        };
        let mut stands = self.parts.ledger.fix_settings(&self.settings.pipeline, &settings).await?;
        self.check_fixed(&stands).await?;
        self.check_table_id(table_id, &stands)?;
        if stands.table.is_none() {
            stands = self.parts.ledger.fix_table(&self.settings.pipeline, &self.settings.table).await?;
        }
        self.check_table_named(&stands)
    }

    /// What is fixed of the pipeline, which must still be what the settings and the ledger say: whoever compacts may have opened it long ago, and
    /// a ledger can be lost or restored meanwhile, or its pipeline given to another table.
    pub(crate) async fn still_fixed(&self) -> Result<PipelineSettings, CompactError> {
        let Some(fixed) = self.parts.ledger.settings(&self.settings.pipeline).await? else {
            let (table, state) = (self.settings.table_address.clone(), self.settings.ledger_address.clone());
            return Err(NotOpened::LedgerLost { table, state }.into());
        };
        self.check_fixed(&fixed).await?;
        Ok(fixed)
    }

    pub(crate) async fn check_fixed(&self, fixed: &PipelineSettings) -> Result<(), CompactError> {
        let pipeline = self.settings.pipeline.clone();
        self.check_table_named(fixed)?;
        if fixed.source != self.settings.source {
            let (table, asked) = (self.settings.table_address.clone(), self.settings.source.clone());
            let overlaps = self.overlapping().await?.map(|(other, source)| (other, source == asked));
            return Err(NotOpened::OtherSource { pipeline, table, fixed: fixed.source.clone(), asked, overlaps }.into());
        }
        if fixed.identity_holds_version != self.settings.identity_holds_version {
            let (table, fixed) = (self.settings.table_address.clone(), fixed.identity_holds_version);
            return Err(NotOpened::OtherIdentity { pipeline, table, fixed }.into());
        }
        if fixed.ledger != self.parts.ledger.identity().await? {
            return Err(NotOpened::OtherLedger { pipeline }.into());
        }
        Ok(())
    }

    /// Settings that an earlier build fixed name no table: they are taken at the word of the table's id.
    fn check_table_named(&self, fixed: &PipelineSettings) -> Result<(), CompactError> {
        match &fixed.table {
            Some(table) if *table != self.settings.table => Err(NotOpened::OtherTableNamed {
                pipeline: self.settings.pipeline.clone(),
                fixed: table.clone(),
                asked: self.settings.table.clone(),
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// A new pipeline must not read what another of the table reads.
    async fn check_others(&self) -> Result<(), CompactError> {
        let Some((other, source_of_other)) = self.overlapping().await? else { return Ok(()) };
        let (table, same) = (self.settings.table_address.clone(), source_of_other == self.settings.source);
        Err(NotOpened::SourceOfAnother { table, other, source_of_other, same }.into())
    }

    /// A pipeline of the table, and its source, which lies in that of the settings or around it, if there is one: the one with the very same before
    /// others.
    async fn overlapping(&self) -> Result<Option<(PipelineName, String)>, CompactError> {
        let (ours, mut found) = (Path::new(&self.settings.source), None);
        for other in self.parts.ledger.pipelines().await? {
            let Some(fixed) = self.parts.ledger.settings(&other).await? else { continue };
            // A ledger may be that of many tables: in each of them the same files may be, once.
            if fixed.table.as_ref().is_some_and(|table| *table != self.settings.table) {
                continue;
            }
            let theirs = Path::new(&fixed.source);
            if ours == theirs {
                return Ok(Some((other, fixed.source)));
            }
            if ours.starts_with(theirs) || theirs.starts_with(ours) {
                found.get_or_insert((other, fixed.source));
            }
        }
        Ok(found)
    }

    /// A table that stands where the ledger knows no schema of it: it is foreign, or the ledger was lost.
    async fn check_unknown(&self, head: &Head) -> Result<(), CompactError> {
        let table = self.settings.table_address.clone();
        if not_an_audit_table(head).is_none() {
            return Err(NotOpened::IsAudit { table }.into());
        }
        let ours =
            head.configuration.contains_key(CREATED_BY) || !self.parts.lake.app_ids(APP_PREFIX).await?.is_empty();
        if ours {
            let state = self.settings.ledger_address.clone();
            return Err(NotOpened::LedgerLost { table, state }.into());
        }
        if self.settings.append_existing { Ok(()) } else { Err(NotOpened::Foreign { table }.into()) }
    }

    fn check_table(&self, head: &Head, fixed: Option<&PipelineSettings>) -> Result<(), CompactError> {
        let table = self.settings.table_address.clone();
        if let Some(reason) = &head.refusal {
            return Err(NotOpened::Refused { table, reason: reason.clone() }.into());
        }
        if let Some(fixed) = fixed {
            self.check_table_id(&head.table_id, fixed)?;
        }
        let mut problems = Vec::new();
        // Whatever the settings name, the table keeps the partition columns that it has: the cluster key is judged beside those.
        let order = Order {
            partition_columns: head.partition_columns.clone(),
            cluster_key: self.settings.write.order.cluster_key.clone(),
        };
        if head.partition_columns != self.settings.write.order.partition_columns {
            let named = |columns: &[String]| if columns.is_empty() { "none".to_owned() } else { columns.join(", ") };
            let (stands, asked) = (named(&head.partition_columns), named(&self.settings.write.order.partition_columns));
            problems.push(format!(
                "the table's partition columns are {stands}, the settings say {asked} (partition_columns): they never change, \
                 set them back or ingest into a new table"
            ));
        }
        let foreign = row_column_fields().into_iter().filter_map(|ours| {
            let theirs = head.schema.fields().iter().find(|theirs| theirs.name().eq_ignore_ascii_case(ours.name()))?;
            if theirs.name() != ours.name() {
                // Names of Delta's columns are told apart without case.
                return Some(format!(
                    "its column {} takes the name of {}, which Lithify writes",
                    theirs.name(),
                    ours.name()
                ));
            }
            let problem = format!(
                "its column {} is {}, where Lithify writes {}",
                ours.name(),
                type_name(theirs.data_type()),
                type_name(ours.data_type())
            );
            (theirs.data_type() != ours.data_type()).then_some(problem)
        });
        let foreign: Vec<_> = foreign.collect();
        if !foreign.is_empty() {
            return Err(NotOpened::Refused { table, reason: foreign.join("; ") }.into());
        }
        // Everything that is wrong at once: what one run shows, the next need not.
        let wanted = table_schema(&data_schema(&head.schema));
        problems.extend(self.faults_of_columns(&order, &wanted));
        if problems.is_empty() { Ok(()) } else { Err(NotOpened::Settings { table, problems }.into()) }
    }

    pub(crate) fn check_table_id(&self, found: &str, fixed: &PipelineSettings) -> Result<(), CompactError> {
        if found == fixed.table_id {
            return Ok(());
        }
        let (table, pipeline) = (self.settings.table_address.clone(), self.settings.pipeline.clone());
        Err(NotOpened::OtherTable { table, pipeline, found: found.to_owned(), fixed: fixed.table_id.clone() }.into())
    }

    /// The columns that the settings name must be there, and be such that rows can be ordered by them.
    fn check_columns(&self, schema: &SchemaRef) -> Result<(), CompactError> {
        match self.faults_of_columns(&self.settings.write.order, schema) {
            problems if problems.is_empty() => Ok(()),
            problems => Err(NotOpened::Settings { table: self.settings.table_address.clone(), problems }.into()),
        }
    }

    fn faults_of_columns(&self, order: &Order, schema: &SchemaRef) -> Vec<String> {
        let checked = match &self.settings.coming {
            Coming::Any => of_known_columns(order, schema).check(schema),
            Coming::Hinted(columns) => order.check(&widen(schema, &table_schema(columns))),
        };
        checked.err().unwrap_or_default()
    }
}

/// The data columns that a table is made with where no drop was seen yet: those of the hints, and the partition columns, which no table
/// gets later; a partition column without a hint is text.
pub fn first_columns(hints: &Hints, partition_columns: &[String]) -> TableSchema {
    let mut schema = Observed::new().resolve(hints, None).schema;
    for name in partition_columns {
        if !schema.fields.iter().any(|field| field.name == *name) {
            schema.fields.push(Field::new(name.as_str(), Type::String));
        }
    }
    schema
}

/// The order without the key columns that the table lacks: in every row that there is they are null, so they order nothing yet.
fn of_known_columns(order: &Order, schema: &Schema) -> Order {
    let known = |columns: &[String]| -> Vec<String> {
        columns.iter().filter(|name| schema.field_with_name(name).is_ok()).cloned().collect()
    };
    let cluster_key = match &order.cluster_key {
        ClusterKey::SourceRow => ClusterKey::SourceRow,
        key if known(key.columns()).is_empty() => ClusterKey::SourceRow,
        ClusterKey::Sort(columns) => ClusterKey::Sort(known(columns)),
        ClusterKey::ZOrder(columns) => ClusterKey::ZOrder(known(columns)),
    };
    Order { partition_columns: order.partition_columns.clone(), cluster_key }
}

/// A version 4 UUID (RFC 9562) of these random bits: what Delta uses as a table's id.
pub(crate) fn uuid(bits: u128) -> String {
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_begins_with_hinted_and_partition_columns() {
        let hints = Hints::parse("day date, price double").expect("hints");
        let columns = first_columns(&hints, &["day".to_owned(), "shop".to_owned()]);
        let columns: Vec<_> = columns.fields.iter().map(|f| (f.name.as_str(), &f.data_type)).collect();
        assert_eq!(columns, [("day", &Type::Date), ("price", &Type::Double), ("shop", &Type::String)]);
        assert_eq!(first_columns(&Hints::default(), &[]).fields, []);
    }

    #[test]
    fn key_columns_that_are_not_there_yet_order_nothing() {
        let schema = table_schema(&first_columns(&Hints::parse("a bigint").expect("hints"), &[]));
        let order = |cluster_key| Order { partition_columns: Vec::new(), cluster_key };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let both = of_known_columns(&order(ClusterKey::Sort(names(&["a", "b"]))), &schema);
        assert_eq!(both, order(ClusterKey::Sort(names(&["a"]))));
        assert_eq!(of_known_columns(&order(ClusterKey::ZOrder(names(&["b"]))), &schema), Order::default());
    }

    #[test]
    fn a_uuid_says_its_version_and_variant() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
