//! Columns that others gave the table become part of the history of its schemas, so that ingest, which never looks at the log, knows them.

use arrow_schema::Schema;
use decode::schema::TableSchema;
use runs::data_schema;

use crate::{CompactError, Compactor};

/// How often a version that others write at the same time is tried again.
const TRIES: u32 = 20;

impl Compactor {
    /// Makes the table's data columns the newest version of the schema, with those after them that runs have and the table has not yet.
    /// Nothing is written where that is what the newest version says.
    pub async fn adopt(&self, table: &Schema) -> Result<(), CompactError> {
        let ledger = &self.parts.ledger;
        for _ in 0..TRIES {
            let newest = ledger.newest_schema(&self.settings.table).await?;
            let (number, known) = match &newest {
                Some((number, text)) => (*number, parse(*number, text)?),
                None => (0, TableSchema::default()),
            };
            let wanted = union(data_schema(table), &known);
            if newest.is_some() && same_columns(&known, &wanted) {
                return Ok(());
            }
            let text = serde_json::to_string(&wanted).map_err(|error| CompactError::Internal(error.to_string()))?;
            if ledger.add_schema(&self.settings.table, number + 1, &text).await? {
                return Ok(());
            }
        }
        // Whoever was faster every time has seen the same table; the next compaction looks again.
        Ok(())
    }
}

pub(crate) fn parse(number: u64, text: &str) -> Result<TableSchema, CompactError> {
    serde_json::from_str(text)
        .map_err(|error| CompactError::Internal(format!("schema version {number} cannot be read: {error}")))
}

/// The table's columns, then those that only the ledger knows.
fn union(mut table: TableSchema, known: &TableSchema) -> TableSchema {
    let missing = |name: &str| !table.fields.iter().any(|field| field.name == name);
    let more: Vec<_> = known.fields.iter().filter(|field| missing(&field.name)).cloned().collect();
    table.fields.extend(more);
    table
}

/// Whether two schemas have the same columns, in whatever order.
fn same_columns(a: &TableSchema, b: &TableSchema) -> bool {
    a.fields.len() == b.fields.len() && b.fields.iter().all(|field| a.fields.contains(field))
}
