//! What a batch may hold, and how its runs are written: the same wherever drops come from.

use runs::{ClusterKey, Order, WriteSettings};
use runtime::settings::{ClusterBy, Pipeline};

/// The most drops of a batch: what is lost if its process dies, and what a run's row group is made of.
pub const BATCH_DROPS: usize = 5_000;

/// The most bytes that a batch reads, unless its one drop is larger.
pub const BATCH_BYTES: u64 = 64 << 20;

/// How a pipeline's runs are written: in the order of its table.
pub fn write_settings(pipeline: &Pipeline) -> WriteSettings {
    let cluster_key = match &pipeline.cluster_by {
        ClusterBy::Source => ClusterKey::SourceRow,
        ClusterBy::Columns(columns) => ClusterKey::Sort(columns.clone()),
        ClusterBy::ZOrder(columns) => ClusterKey::ZOrder(columns.clone()),
    };
    let defaults = WriteSettings::default();
    // Table files are cut between row groups, so that a row group is what a file may miss its target by.
    let most = usize::try_from(pipeline.target_file_size / 8).unwrap_or(usize::MAX);
    WriteSettings {
        order: Order { partition_columns: pipeline.partition_columns.clone(), cluster_key },
        row_group_bytes: defaults.row_group_bytes.min(most),
        ..defaults
    }
}
