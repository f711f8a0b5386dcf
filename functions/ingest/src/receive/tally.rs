//! What is counted, by the names that CloudWatch shows.

use runtime::telemetry::{Metrics, Unit};

/// The sums of one pipeline in one invocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) drops: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) rescued_rows: u64,
    pub(super) quarantined_drops: u64,
    pub(super) quarantined_records: u64,
    pub(super) duplicates: u64,
    pub(super) ignored_overwrites: u64,
    pub(super) missing_objects: u64,
    pub(super) left_out: u64,
    pub(super) skipped: u64,
    pub(super) large_drops: u64,
    /// Milliseconds from S3's event to the seal, of each drop.
    pub(super) event_to_staged: Vec<u64>,
}

impl Tally {
    /// Adds the sums to the metrics.
    pub(super) fn tell(self, pipeline: &str, metrics: &mut Metrics) {
        let counts = [
            ("Drops", self.drops),
            ("Rows", self.rows),
            ("RescuedRows", self.rescued_rows),
            ("QuarantinedDrops", self.quarantined_drops),
            ("QuarantinedRecords", self.quarantined_records),
            ("Duplicates", self.duplicates),
            ("IgnoredOverwrites", self.ignored_overwrites),
            ("MissingObjects", self.missing_objects),
            ("LeftOut", self.left_out),
            ("Skipped", self.skipped),
            ("LargeDrops", self.large_drops),
        ];
        for (name, count) in counts {
            metrics.add(Some(pipeline), name, Unit::Count, count);
        }
        metrics.add(Some(pipeline), "Bytes", Unit::Bytes, self.bytes);
        for milliseconds in self.event_to_staged {
            metrics.observe(Some(pipeline), "EventToStaged", Unit::Milliseconds, milliseconds);
        }
    }
}
