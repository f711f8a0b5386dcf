//! Does the audit table belong to the table, and does it have the accounting of all that was settled?

use decode::schema::type_name;
use drops::PipelineName;
use lake::Head;

use crate::audit::audit_schema;
use crate::{APP_PREFIX, CREATED_BY, CompactError, Compactor, NotOpened};

impl Compactor {
    pub(crate) fn audit_address(&self) -> String {
        format!("{}_drops", self.settings.table_address)
    }

    /// Up to which intent the audit table has the accounting. What stands in its place and is none is not written to.
    pub(crate) async fn audit_txn(&self) -> Result<Option<u64>, CompactError> {
        let Some(head) = self.parts.audit.head(&[&self.app_id()]).await? else { return Ok(None) };
        match not_an_audit_table(&head) {
            Some(reason) => Err(NotOpened::AuditForeign { audit_table: self.audit_address(), reason }.into()),
            None => Ok(self.txn(&head)),
        }
    }

    /// The audit table follows the table: it is never ahead of it, and what it lacks of what was settled was lost.
    pub(crate) async fn check_audit(&self, audit: Option<u64>, txn: Option<u64>) -> Result<(), CompactError> {
        let pipeline = self.settings.pipeline.clone();
        if audit > txn {
            let audit_table = self.audit_address();
            return Err(NotOpened::AuditOfAnother { audit_table, pipeline, audit, log: txn }.into());
        }
        let settled = self.parts.ledger.head(&pipeline).await?;
        // Another process may have settled since: what is settled now must be in the audit table now.
        if audit < settled {
            self.warn_of_gap(self.audit_txn().await?, settled);
        }
        Ok(())
    }

    /// A table that is only about to be made has no accounting yet, of no pipeline.
    pub(crate) async fn check_audit_is_new(&self) -> Result<(), CompactError> {
        for app_id in self.parts.audit.app_ids(APP_PREFIX).await? {
            // What made the audit table has none of a pipeline's.
            let pipeline = app_id.strip_prefix(APP_PREFIX).and_then(|name| name.parse::<PipelineName>().ok());
            let Some(pipeline) = pipeline else { continue };
            if self.parts.ledger.settings(&pipeline).await?.is_none() {
                let head = self.parts.audit.head(&[&app_id]).await?;
                let audit = head.and_then(|head| head.txns.get(&app_id).copied());
                return Err(NotOpened::AuditOfAnother {
                    audit_table: self.audit_address(),
                    pipeline,
                    audit,
                    log: None,
                }
                .into());
            }
        }
        Ok(())
    }

    /// Warns where the audit table holds less than what was settled, `settled` being the last intent: it was lost or restored.
    pub(crate) fn warn_of_gap(&self, holds: Option<u64>, settled: Option<u64>) {
        if holds >= settled {
            return;
        }
        let lacks = match holds {
            None => "all that was committed before".to_owned(),
            Some(number) => format!("what was committed after intent {number}"),
        };
        self.warn(format!(
            "the audit table {} lacks the accounting of pipeline {}, {lacks}: it was removed or restored; restore it to the table's moment \
             (reconcile tells which drops it lacks); the rows themselves are not concerned",
            self.audit_address(),
            self.settings.pipeline
        ));
    }
}

/// What tells a table from an audit table of ours; none if it is one.
pub fn not_an_audit_table(head: &Head) -> Option<String> {
    if !head.configuration.contains_key(CREATED_BY) {
        return Some("it was not made by Lithify".to_owned());
    }
    let columns = audit_schema();
    let lacking = columns.fields().iter().find(|field| {
        head.schema.field_with_name(field.name()).map_or(true, |found| found.data_type() != field.data_type())
    })?;
    Some(format!("it has no column {} of type {}", lacking.name(), type_name(lacking.data_type())))
}
