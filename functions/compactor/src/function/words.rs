//! Failures in the functions' own words: what the command line mends with a flag or by running again is mended in Terraform's settings here.

use crate::{CompactError, NotOpened};

/// What is told of a failure.
pub(super) fn told(error: &CompactError) -> String {
    match error {
        CompactError::Apart(reason) => not_opened(reason),
        CompactError::Commit { pipeline, intent, reason } => format!(
            "the commit of intent {intent} of pipeline {pipeline} did not come through: {reason}; the next invocation begins with finding out"
        ),
        other => other.to_string(),
    }
}

fn not_opened(reason: &NotOpened) -> String {
    match reason {
        NotOpened::Foreign { table } => {
            format!(
                "the table {table} was not made by Lithify; to append to it, set append_existing = true in its pipeline"
            )
        }
        NotOpened::TableGone { table } => format!(
            "the ledger knows a table at {table}, which has no _delta_log any more; if the pipeline's table was changed, set it back, and give \
             what is to go into another table a pipeline of a new name; else restore {table}/_delta_log from a backup"
        ),
        NotOpened::OtherIdentity { pipeline, table, fixed } => {
            let (does, word) = if *fixed { ("ingests", "ingest") } else { ("ignores", "ignore") };
            format!(
                "pipeline {pipeline} of table {table} {does} overwritten objects since it was made; that cannot change: set overwrites = \"{word}\", \
                 or make a pipeline of a new name with a new table"
            )
        }
        NotOpened::OtherSource { pipeline, table, fixed, asked, overlaps: None } => format!(
            "pipeline {pipeline} of table {table} reads {fixed}, not {asked}; set its source back, and give the new source a pipeline of a new name"
        ),
        NotOpened::OtherSource { pipeline, table, fixed, asked, overlaps: Some((other, _)) } => format!(
            "pipeline {pipeline} of table {table} reads {fixed}, not {asked}, of which pipeline {other} reads some already: set its source back; what \
             lies there goes into this table once only"
        ),
        NotOpened::SourceOfAnother { table, other, source_of_other, .. } => format!(
            "pipeline {other}, which the ledger knows, reads {source_of_other} already: each of its rows would be there twice in {table}; a pipeline \
             that is renamed is another one, so call it {other} again, or give this one a source of its own"
        ),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_speaks_of_the_command_line() {
        let name = || "late".parse().expect("a name");
        let text = || "s3://lake/t".to_owned();
        let reasons = [
            NotOpened::Foreign { table: text() },
            NotOpened::TableGone { table: text() },
            NotOpened::OtherIdentity { pipeline: name(), table: text(), fixed: true },
            NotOpened::OtherSource { pipeline: name(), table: text(), fixed: text(), asked: text(), overlaps: None },
            NotOpened::OtherSource {
                pipeline: name(),
                table: text(),
                fixed: text(),
                asked: text(),
                overlaps: Some((name(), true)),
            },
            NotOpened::SourceOfAnother { table: text(), other: name(), source_of_other: text(), same: true },
            NotOpened::OtherTableNamed { pipeline: name(), fixed: text(), asked: text() },
            NotOpened::OtherTable { table: text(), pipeline: name(), found: text(), fixed: text() },
            NotOpened::LedgerLost { table: text(), state: text() },
            NotOpened::Apart { pipeline: name(), log: None, ledger: None },
        ];
        for reason in reasons {
            let words = told(&CompactError::Apart(reason));
            for others in ["--", "lithify run", "remove"] {
                assert!(!words.contains(others), "{words}");
            }
        }
    }
}
