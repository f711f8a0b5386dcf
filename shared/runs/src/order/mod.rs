//! The order of rows in runs and table files, as byte strings that compare the same in every run, with no global statistics.
//!
//! A key is made of the partition columns, the cluster key, then source file and row, which make it total. Its encoding is our own and
//! fixed: manifests keep the first and last key of a run, and these must compare after an update of any library.

mod cells;
mod keys;
mod sort;
#[cfg(test)]
mod tests;
mod zorder;

use arrow_schema::{DataType, Schema};
use decode::hints::quoted;
use decode::schema::type_name;
use decode::suggest::did_you_mean;
use serde::{Deserialize, Serialize};

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
        let mut faults: Vec<String> =
            self.columns().iter().filter_map(|name| fault_of_key_column("cluster key", name, schema)).collect();
        faults.extend(repeated("cluster key", self.columns()));
        if !matches!(self, Self::SourceRow) && self.columns().is_empty() {
            faults.push(
                "the cluster key names no column: name one, or leave it out to order by source file and row".into(),
            );
        }
        if matches!(self, Self::ZOrder(columns) if columns.len() > Z_ORDER_COLUMNS_MAX) {
            faults.push(format!(
                "a Z-order takes at most {Z_ORDER_COLUMNS_MAX} columns, {} are named",
                self.columns().len()
            ));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

impl Order {
    /// Everything that is wrong with partition columns and cluster key for a table of this schema.
    pub fn check(&self, schema: &Schema) -> Result<(), Vec<String>> {
        let mut faults = self.cluster_key.check(schema).err().unwrap_or_default();
        for name in &self.partition_columns {
            faults.extend(fault_of_key_column("partition column", name, schema));
            let found = schema.field_with_name(name).map(|field| field.data_type());
            if matches!(found, Ok(t) if t.is_floating() || is_binary(t)) {
                faults.push(format!("{name} cannot be a partition column: its values have no one written form"));
            }
        }
        faults.extend(repeated("partition column", &self.partition_columns));
        for name in self.cluster_key.columns().iter().filter(|name| self.partition_columns.contains(name)) {
            faults.push(format!(
                "cluster key {name}: it is a partition column, so it is one value in every file; leave it out"
            ));
        }
        if self.partition_columns.len() >= schema.fields().len() {
            faults.push("a table needs a column that is no partition column".into());
        }
        // What there is to choose from is said once.
        let has = format!(" (it has {})", key_columns(schema));
        let last = faults.iter().rposition(|fault| fault.contains(&has));
        for fault in faults.iter_mut().take(last.unwrap_or_default()) {
            *fault = fault.replace(&has, "");
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
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

fn fault_of_key_column(role: &str, name: &str, schema: &Schema) -> Option<String> {
    match schema.field_with_name(name) {
        Err(_) => Some(format!("{role} {name}: {}", no_such_column(name, schema))),
        Ok(field) if !cells::has_order(field.data_type()) => Some(format!(
            "{role} {name}: values of type {} have no order; name a plain column of the table: {}",
            type_name(field.data_type()),
            key_columns(schema)
        )),
        Ok(_) => None,
    }
}

/// What to do about a column that the table has not: what it was likely meant to be, and what there is.
fn no_such_column(name: &str, schema: &Schema) -> String {
    let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    // A field of a nested column is no column.
    let top = name.split('.').next().unwrap_or(name);
    let nested = known.iter().find(|known| top != name && known.eq_ignore_ascii_case(top));
    if let Some(parent) = nested {
        return format!(
            "a field within the column {parent} is no column, and no table is ordered by one; name a column of its own: {}",
            key_columns(schema)
        );
    }
    let has = key_columns(schema);
    // Two columns never differ by case alone: a hint would not bring this one.
    if let Some(same) = known.iter().find(|known| known.to_lowercase() == name.to_lowercase()) {
        return format!("the table has no such column, did you mean '{same}'? (it has {has})");
    }
    // A name of a letter or two is like any other.
    let meant = if name.chars().count() > 2 { did_you_mean(name, &known) } else { String::new() };
    format!(
        "the table has no such column{meant} (it has {has}); one that comes with later files is given its type: schema_hints = \"{} string\"",
        quoted(name)
    )
}

/// How many columns are named of a table.
const NAMED: usize = 20;

/// The columns that rows can be ordered by.
fn key_columns(schema: &Schema) -> String {
    let all: Vec<&str> = schema
        .fields()
        .iter()
        .filter(|field| cells::has_order(field.data_type()))
        .map(|field| field.name().as_str())
        .collect();
    let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    format!("{}{more}", all[..all.len().min(NAMED)].join(", "))
}

fn repeated(role: &str, names: &[String]) -> Vec<String> {
    let twice = names.iter().enumerate().filter(|(i, name)| names[..*i].contains(name));
    twice.map(|(_, name)| format!("{role} {name} is named twice")).collect()
}

fn is_binary(data_type: &DataType) -> bool {
    use DataType::{Binary, BinaryView, FixedSizeBinary, LargeBinary};
    matches!(data_type, Binary | LargeBinary | BinaryView | FixedSizeBinary(_))
}
