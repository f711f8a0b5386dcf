//! Sorted Parquet runs, the manifests that speak for them, and the streaming merge that makes table files of them. No Delta.
//!
//! A batch's rows are put in order ([`Order`]), encoded ([`write_run`]) and named in a [`Manifest`]. The compactor hands the runs of
//! many batches to [`merge`], which gives files of the target size with the statistics that the log wants ([`FinishedFile`]).
//! Runs and table files are written with the same properties, so that a run which overlaps no other is copied undecoded:
//! each row is then encoded once.

mod error;
mod files;
mod manifest;
mod merge;
mod order;
mod row_columns;
mod stats;
#[cfg(test)]
mod testing;
mod text;

pub use error::{ManifestError, RunsError};
pub use files::{FinishedRun, RowGroupFacts, TableFileWriter, WriteSettings, WrittenFile, read_columns, write_run};
pub use manifest::{Fate, HeldDrop, IntentList, Manifest, ManifestRuns, StagedRun};
pub use merge::{
    FinishedFile, MergeStores, MergeTarget, MergedRuns, RescuedColumn, RunInput, TableRun, merge, partition_folder,
    table_run,
};
pub use order::{ClusterKey, Keys, Order};
pub use row_columns::{
    INGESTED_AT, RESCUED_DATA, SOURCE_FILE, SOURCE_ROW, SOURCE_TIME, SOURCE_VERSION, data_schema, is_row_column,
    row_column_fields, table_schema,
};
pub use stats::statistics;
