//! From settings to a compactor's: what the command line and the function share.

use runs::{ClusterKey, Order, WriteSettings};
use runtime::settings::{ClusterBy, Pipeline};

/// The order of a pipeline's rows.
pub fn order_of(pipeline: &Pipeline) -> Order {
    let cluster_key = match &pipeline.cluster_by {
        ClusterBy::Source => ClusterKey::SourceRow,
        ClusterBy::Columns(columns) => ClusterKey::Sort(columns.clone()),
        ClusterBy::ZOrder(columns) => ClusterKey::ZOrder(columns.clone()),
    };
    Order { partition_columns: pipeline.partition_columns.clone(), cluster_key }
}

/// How a pipeline's runs and table files are written.
pub fn write_settings(pipeline: &Pipeline) -> WriteSettings {
    let defaults = WriteSettings::default();
    // Table files are cut between row groups, so that a row group is what a file may miss its target by.
    let eighth = usize::try_from(pipeline.target_file_size / 8).unwrap_or(usize::MAX);
    WriteSettings { order: order_of(pipeline), row_group_bytes: defaults.row_group_bytes.min(eighth), ..defaults }
}
