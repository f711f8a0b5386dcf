//! Settings as they were written, each with where it was written: not yet parsed, so that one check judges all of them.

use super::{Origin, SettingError};

/// A value that the user gave, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given<T> {
    /// The value as it was written.
    pub value: T,
    /// Where it was written.
    pub origin: Origin,
}

impl<T> Given<T> {
    /// A value of the command line's flag or argument `flag`.
    pub fn by_flag(flag: &str, value: T) -> Self {
        Self { value, origin: Origin::Flag(flag.to_owned()) }
    }
}

/// The settings of one pipeline as they were written. Fields are named as in [`super::Pipeline`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawPipeline {
    /// Where the pipeline itself begins: the line of its `[[pipeline]]`.
    pub origin: Origin,
    /// Its name.
    pub name: Option<Given<String>>,
    /// The source's address.
    pub source: Option<Given<String>>,
    /// The table's address.
    pub table: Option<Given<String>>,
    /// A format's name.
    pub format: Option<Given<String>>,
    /// A compression's name.
    pub compression: Option<Given<String>>,
    /// Column types, e.g. `price double, customer.zip string`.
    pub schema_hints: Option<Given<String>>,
    /// Columns to sort by.
    pub cluster_by: Option<Given<Vec<String>>>,
    /// Columns of a Z-order.
    pub z_order_by: Option<Given<Vec<String>>>,
    /// Partition columns.
    pub partition_columns: Option<Given<Vec<String>>>,
    /// A size.
    pub target_file_size: Option<Given<String>>,
    /// A duration.
    pub longest_delay: Option<Given<String>>,
    /// A duration.
    pub settle_time: Option<Given<String>>,
    /// Whether to append to a table that Lithify did not make.
    pub append_existing: Option<Given<bool>>,
    /// What is done with an overwritten key: `ignore` or `ingest`.
    pub overwrites: Option<Given<String>>,
    /// The settings that stand there with a value that could not be read: they are not missing.
    pub unread: Vec<String>,
}

/// The services of AWS that work is done with, as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawAws {
    /// The ledger's address, `dynamodb://NAME`.
    pub ledger: Option<Given<String>>,
    /// The address of the queue that notifications come through.
    pub queue: Option<Given<String>>,
    /// The address of the queue for drops that are too large for that.
    pub large_queue: Option<Given<String>>,
    /// The address of the queue for what cannot be understood.
    pub dead_letter_queue: Option<Given<String>>,
    /// A size.
    pub large_drop_size: Option<Given<String>>,
}

/// The settings of one process as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawSettings {
    /// Where they stand as a whole: the first line of the file, or nowhere.
    pub origin: Origin,
    /// A size.
    pub memory: Option<Given<String>>,
    /// A number.
    pub workers: Option<Given<String>>,
    /// What holds for each pipeline that does not say otherwise: `target_file_size`, `longest_delay`, `settle_time`.
    pub shared: RawPipeline,
    /// The pipelines.
    pub pipelines: Vec<RawPipeline>,
    /// The services of AWS.
    pub aws: RawAws,
    /// What was wrong already while reading (unknown names, wrong kinds of values): reported by the check with the rest.
    pub faults: Vec<SettingError>,
}

impl RawPipeline {
    /// A pipeline of which nothing is said yet.
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            name: None,
            source: None,
            table: None,
            format: None,
            compression: None,
            schema_hints: None,
            cluster_by: None,
            z_order_by: None,
            partition_columns: None,
            target_file_size: None,
            longest_delay: None,
            settle_time: None,
            append_existing: None,
            overwrites: None,
            unread: Vec::new(),
        }
    }

    /// This pipeline with what `over` gives in place of its own values. The two orders of rows are one choice: where `over`
    /// gives either, neither of the own ones stays.
    pub fn overlay(self, over: &Self) -> Self {
        fn pick<T: Clone>(over: &Option<T>, own: Option<T>) -> Option<T> {
            over.clone().or(own)
        }
        let orders = over.cluster_by.is_some() || over.z_order_by.is_some();
        let (own_cluster, own_z_order) = if orders { (None, None) } else { (self.cluster_by, self.z_order_by) };
        Self {
            origin: self.origin,
            name: pick(&over.name, self.name),
            source: pick(&over.source, self.source),
            table: pick(&over.table, self.table),
            format: pick(&over.format, self.format),
            compression: pick(&over.compression, self.compression),
            schema_hints: pick(&over.schema_hints, self.schema_hints),
            cluster_by: pick(&over.cluster_by, own_cluster),
            z_order_by: pick(&over.z_order_by, own_z_order),
            partition_columns: pick(&over.partition_columns, self.partition_columns),
            target_file_size: pick(&over.target_file_size, self.target_file_size),
            longest_delay: pick(&over.longest_delay, self.longest_delay),
            settle_time: pick(&over.settle_time, self.settle_time),
            append_existing: pick(&over.append_existing, self.append_existing),
            overwrites: pick(&over.overwrites, self.overwrites),
            unread: if over.unread.is_empty() { self.unread } else { over.unread.clone() },
        }
    }
}

impl RawSettings {
    /// Settings of which nothing is said yet.
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            memory: None,
            workers: None,
            shared: RawPipeline::new(Origin::Absent),
            pipelines: Vec::new(),
            aws: RawAws::default(),
            faults: Vec::new(),
        }
    }

    /// The pipelines, each with the shared values where it has none of its own.
    pub(super) fn whole_pipelines(&self) -> Vec<RawPipeline> {
        self.pipelines
            .iter()
            .map(|own| RawPipeline { origin: own.origin.clone(), ..self.shared.clone().overlay(own) })
            .collect()
    }
}
