//! Why there is nothing to look at, where a table on S3 is not there: it never was, or its log is gone.
//!
//! A ledger in DynamoDB has the pipelines of many tables, so that it knows some pipelines says nothing of this one.

use ledger::Ledger;

use crate::report::Failure;
use crate::status::{log_lost, of_ledger};

/// What to say of a table without a log. `table` is its canonical address, by which the ledger knows it; `named` the ledger's own.
pub(super) async fn no_table(ledger: &dyn Ledger, table: &str, named: &str) -> Failure {
    match is_known(ledger, table).await {
        Ok(true) => log_lost(table),
        Ok(false) => Failure::new(
            format!("there is no table at {table}, and the ledger {named} knows of none there"),
            format!(
                "see whether both names are right; the table is made by the apply that adds its pipeline, or by \
                 `lithify run SOURCE {table} --ledger {named}`"
            ),
        ),
        Err(failure) => failure,
    }
}

/// Whether a pipeline was opened with this table: not before the table was there.
async fn is_known(ledger: &dyn Ledger, table: &str) -> Result<bool, Failure> {
    let mut is_unnamed = false;
    for pipeline in ledger.pipelines().await.map_err(of_ledger)? {
        match ledger.settings(&pipeline).await.map_err(of_ledger)?.map(|settings| settings.table) {
            Some(Some(named)) if named == table => return Ok(true),
            Some(None) => is_unnamed = true,
            _ => {}
        }
    }
    // A pipeline that an earlier build opened names no table: one with a schema is taken for its own.
    Ok(is_unnamed && ledger.newest_schema(table).await.map_err(of_ledger)?.is_some())
}

#[cfg(test)]
mod tests {
    use drops::Timestamp;
    use ledger::{EmbeddedLedger, PipelineSettings};

    use super::*;

    const OTHER: &str = "s3://lake/tables/other";

    async fn told(opened_with: Option<&str>, with_schema: bool, table: &str) -> Failure {
        let folder = tempfile::tempdir().unwrap();
        let ledger = EmbeddedLedger::open(&folder.path().join("ledger.db"), "l".to_owned()).unwrap();
        let settings = PipelineSettings {
            source: "s3://drops/p/".to_owned(),
            identity_holds_version: false,
            ledger: "l".to_owned(),
            table_id: "t".to_owned(),
            table: opened_with.map(str::to_owned),
            at: Timestamp(1),
        };
        ledger.fix_settings(&"p".parse().unwrap(), &settings).await.unwrap();
        if with_schema {
            assert!(ledger.add_schema(OTHER, 1, "{}").await.unwrap());
        }
        no_table(&ledger, table, "dynamodb://l").await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_that_never_was_has_lost_nothing() {
        for (opened_with, with_schema) in [(Some(OTHER), true), (None, true), (None, false)] {
            let Failure { error, help, .. } = told(opened_with, with_schema, "s3://lake/tables/nope").await;
            assert_eq!(
                error,
                "there is no table at s3://lake/tables/nope, and the ledger dynamodb://l knows of none there"
            );
            assert!(help.contains("lithify run SOURCE s3://lake/tables/nope") && !help.contains("remove"), "{help}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_that_was_has_lost_its_log() {
        for (opened_with, with_schema) in [(Some(OTHER), false), (None, true)] {
            let Failure { error, help, .. } = told(opened_with, with_schema, OTHER).await;
            assert!(error.contains("s3://lake/tables/other/_delta_log is gone"), "{error}");
            // The ledger is elsewhere: without the state it would still know what it knows.
            assert!(help.contains("restore") && !help.contains("remove"), "{help}");
        }
    }
}
