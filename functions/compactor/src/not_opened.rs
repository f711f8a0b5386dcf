//! Why a pipeline must not be run: everything that tells that ledger, table, audit table and settings do not belong together.

use drops::PipelineName;

/// Why a pipeline must not be run; each says what to do. Nothing was claimed or committed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotOpened {
    /// The table is ours and the ledger is new.
    #[error(
        "the table {table} holds commits of Lithify, but its ledger is new: the one it was made with was lost; \
         restore {state} from a backup, or ingest into another table (rows would be doubled here)"
    )]
    LedgerLost {
        /// The table.
        table: String,
        /// Where the ledger should be.
        state: String,
    },
    /// The table is not ours.
    #[error("the table {table} was not made by Lithify; to append to it, say so with --append-existing")]
    Foreign {
        /// The table.
        table: String,
    },
    /// The table is an audit table.
    #[error(
        "the table {table} is an audit table, the accounting of the drops of another table: ingest into a table of another name"
    )]
    IsAudit {
        /// The table.
        table: String,
    },
    /// What stands where the audit table belongs is none.
    #[error(
        "the table {audit_table} stands where the audit table belongs, and is none: {reason}; move it away, or ingest into a table of \
         another name"
    )]
    AuditForeign {
        /// The table that stands there.
        audit_table: String,
        /// What tells it from an audit table.
        reason: String,
    },
    /// The ledger is not, and the table is gone.
    #[error(
        "the ledger knows commits of a table that is not at {table} any more (it has no _delta_log); restore {table}/_delta_log from a \
         backup, and {table}/_lithify as well if that is gone; or remove {table}/_lithify and {table}_drops to begin anew"
    )]
    TableGone {
        /// The table.
        table: String,
    },
    /// Another table stands in its place.
    #[error(
        "the table {table} has id {found}, but pipeline {pipeline} was made for table id {fixed}: it was replaced; restore it, or use another table"
    )]
    OtherTable {
        /// The table.
        table: String,
        /// The pipeline.
        pipeline: PipelineName,
        /// The id of the table that stands there.
        found: String,
        /// The id in the ledger.
        fixed: String,
    },
    /// The ledger is another than the one that the pipeline was made with.
    #[error(
        "pipeline {pipeline} was made with another ledger: this one was restored or copied; restore ledger and table to the same moment"
    )]
    OtherLedger {
        /// The pipeline.
        pipeline: PipelineName,
    },
    /// What tells drops apart cannot change: drops that were ingested would be others.
    #[error(
        "pipeline {pipeline} of table {table} {word}s overwritten objects since it was made, and the settings say the opposite; that cannot \
         change: set overwrites = \"{word}\" again (lithify run: --overwrites {word}), or ingest into a new table",
        word = if *fixed { "ingest" } else { "ignore" }
    )]
    OtherIdentity {
        /// The pipeline.
        pipeline: PipelineName,
        /// The table.
        table: String,
        /// Whether the ledger says that versions are part of the identity.
        fixed: bool,
    },
    /// The pipeline reads another source.
    #[error(
        "pipeline {pipeline} of table {table} reads {fixed}, not {asked}; {}",
        match overlaps {
            None => format!(
                "if that is the same folder under another path, give it back the path {fixed} (move or bind-mount it): in a pipeline of its \
                 own all its files would be ingested a second time; a source of other files gets a pipeline of its own: --name NAME"
            ),
            Some((other, true)) => format!("that is what pipeline {other} reads: call it {other} (--name {other}, or name = \"{other}\" in a file)"),
            Some((other, false)) => format!(
                "that overlaps with what pipeline {other} reads, and what lies in both would be in the table twice: name {fixed} again, or \
                 ingest {asked} into another table"
            ),
        }
    )]
    OtherSource {
        /// The pipeline.
        pipeline: PipelineName,
        /// The table.
        table: String,
        /// The source in the ledger.
        fixed: String,
        /// The source that was asked for.
        asked: String,
        /// A pipeline of the table that reads some of that already, if there is one, and whether it reads just that.
        overlaps: Option<(PipelineName, bool)>,
    },
    /// The pipeline writes into another table.
    #[error(
        "pipeline {pipeline} writes into {fixed} since it was made, and the settings say {asked}; what it has ingested belongs to {fixed}, so \
         that cannot change: set it back to {fixed}, and give what is to go into {asked} a pipeline of a new name"
    )]
    OtherTableNamed {
        /// The pipeline.
        pipeline: PipelineName,
        /// The table in the ledger.
        fixed: String,
        /// The table that the settings name.
        asked: String,
    },
    /// The audit table has commits that the table has not.
    #[error(
        "the audit table {audit_table} has the accounting of pipeline {pipeline} up to intent {}, the table's log says {}: it belongs to \
         another table, or the table was restored; move it away, or restore both to the same moment",
        show(*audit), show(*log)
    )]
    AuditOfAnother {
        /// The audit table.
        audit_table: String,
        /// The pipeline.
        pipeline: PipelineName,
        /// The `txn` in the audit table.
        audit: Option<u64>,
        /// The `txn` in the table's log.
        log: Option<u64>,
    },
    /// Another pipeline of the table reads the same files.
    #[error(
        "pipeline {other} of table {table} reads {source_of_other} already: rows of files in both sources would be there twice; {}, or \
         ingest into another table",
        if *same { format!("call it {other} as well (--name {other}, or name = \"{other}\" in a file)") } else { "name a source that does not overlap".to_owned() }
    )]
    SourceOfAnother {
        /// The table.
        table: String,
        /// The other pipeline.
        other: PipelineName,
        /// Its source.
        source_of_other: String,
        /// Whether both sources are the same, and not one in the other.
        same: bool,
    },
    /// Ledger and log do not meet.
    #[error(
        "the log of the table says that pipeline {pipeline} has committed up to intent {}, its ledger says {}: one of them was lost or restored; \
         restore the table and its ledger to the same moment",
        show(*log), show(*ledger)
    )]
    Apart {
        /// The pipeline.
        pipeline: PipelineName,
        /// The `txn` in the log.
        log: Option<u64>,
        /// `head` in the ledger.
        ledger: Option<u64>,
    },
    /// The table has something that we must not write to.
    #[error("the table {table} cannot be written: {reason}")]
    Refused {
        /// The table.
        table: String,
        /// Why.
        reason: String,
    },
    /// Settings and table do not fit.
    #[error("the settings do not fit the table {table}: {}", problems.join("; "))]
    Settings {
        /// The table.
        table: String,
        /// Everything that does not fit.
        problems: Vec<String>,
    },
}

fn show(number: Option<u64>) -> String {
    number.map_or_else(|| "none".to_owned(), |n| n.to_string())
}
