//! The order of rows in runs and table files, as byte strings that compare the same in every run, with no global statistics.
//!
//! A key is made of the partition columns, the cluster key, then source file and row, which make it total. Its encoding is our own and
//! fixed: manifests keep the first and last key of a run, and these must compare after an update of any library.

mod cells;
mod faults;
mod keys;
mod sort;
#[cfg(test)]
mod tests;
mod zorder;

use arrow_schema::{DataType, Schema};
use serde::{Deserialize, Serialize};

use faults::{Fault, Role};
pub use keys::Keys;

use crate::row_columns::{SOURCE_FILE, SOURCE_ROW};

/// By what the rows of a table are ordered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterKey {
    /// By source file and row.
    #[default]
    SourceRow,
    /// By these columns, nulls first; texts by their first 128 bytes.
    Sort(Vec<String>),
    /// By the interleaved bits of these columns' first eight bytes, so that each of them alone prunes well.
    ZOrder(Vec<String>),
}

/// The whole order of a table's rows: partitions first, then the cluster key, then source file and row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The partition columns, in the table's order.
    pub partition_columns: Vec<String>,
    /// What orders the rows of a partition.
    pub cluster_key: ClusterKey,
}

/// More columns than this in a Z-order give each so few bits that it prunes nothing.
const Z_ORDER_COLUMNS_MAX: usize = 8;

impl ClusterKey {
    /// The columns that the key names; source file and row, which end every key, are not among them.
    pub fn columns(&self) -> &[String] {
        match self {
            Self::SourceRow => &[],
            Self::Sort(columns) | Self::ZOrder(columns) => columns,
        }
    }

    /// Everything that is wrong with the key for a table of this schema, each with the column it is about.
    pub fn check(&self, schema: &Schema) -> Result<(), Vec<String>> {
        faults::told(self.faults(schema), schema)
    }

    fn faults(&self, schema: &Schema) -> Vec<Fault> {
        let mut faults: Vec<Fault> =
            self.columns().iter().filter_map(|name| faults::of_key_column(Role::ClusterKey, name, schema)).collect();
        faults.extend(faults::repeated(Role::ClusterKey, self.columns()));
        if !matches!(self, Self::SourceRow) && self.columns().is_empty() {
            faults.push(Fault::plain(
                "the cluster key names no column: name one, or leave it out to order by source file and row",
            ));
        }
        if matches!(self, Self::ZOrder(columns) if columns.len() > Z_ORDER_COLUMNS_MAX) {
            faults.push(Fault::plain(format!(
                "cluster key: a Z-order takes at most {Z_ORDER_COLUMNS_MAX} columns, {} are named",
                self.columns().len()
            )));
        }
        faults
    }
}

impl Order {
    /// Everything that is wrong with partition columns and cluster key for a table of this schema.
    pub fn check(&self, schema: &Schema) -> Result<(), Vec<String>> {
        let mut faults = self.cluster_key.faults(schema);
        for name in &self.partition_columns {
            faults.extend(faults::of_key_column(Role::Partition, name, schema));
            let found = schema.field_with_name(name).map(|field| field.data_type());
            if matches!(found, Ok(t) if t.is_floating() || is_binary(t)) {
                faults.push(Fault::plain(format!(
                    "partition column {name}: it cannot be one, as its values have no one written form"
                )));
            }
        }
        faults.extend(faults::repeated(Role::Partition, &self.partition_columns));
        for name in self.cluster_key.columns().iter().filter(|name| self.partition_columns.contains(name)) {
            faults.push(Fault::plain(format!(
                "cluster key {name}: it is a partition column, so it is one value in every file; leave it out"
            )));
        }
        if self.partition_columns.len() >= schema.fields().len() {
            faults.push(Fault::plain("a table needs a column that is no partition column"));
        }
        faults::told(faults, schema)
    }

    /// A text that is the same for runs whose keys compare: the order and the version of the keys' encoding.
    pub fn id(&self) -> String {
        let (kind, columns) = match &self.cluster_key {
            ClusterKey::SourceRow => ("source_row", &[][..]),
            ClusterKey::Sort(columns) => ("sort", &columns[..]),
            ClusterKey::ZOrder(columns) => ("z_order", &columns[..]),
        };
        serde_json::json!([keys::ENCODING, self.partition_columns, kind, columns]).to_string()
    }

    /// Every column that the keys are made of.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let named = self.partition_columns.iter().chain(self.cluster_key.columns()).map(String::as_str);
        named.chain([SOURCE_FILE, SOURCE_ROW])
    }
}

fn is_binary(data_type: &DataType) -> bool {
    use DataType::{Binary, BinaryView, FixedSizeBinary, LargeBinary};
    matches!(data_type, Binary | LargeBinary | BinaryView | FixedSizeBinary(_))
}
