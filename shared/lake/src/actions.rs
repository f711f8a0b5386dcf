//! The actions of the log, as JSON: those that a commit of ours writes, and of those that anyone writes the ones that a committer must
//! know (Delta protocol, "Actions").

mod read;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

pub(crate) use read::{Line, files, lines};
pub(crate) use write::{encode, rows_of};

/// What a reader and a writer of the table must understand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Protocol {
    pub min_reader_version: i64,
    pub min_writer_version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_features: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer_features: Option<Vec<String>>,
}

/// The protocol of the tables that we make: what every reader since the first understands, and no feature to be asked for.
pub(crate) const OUR_PROTOCOL: Protocol =
    Protocol { min_reader_version: 1, min_writer_version: 2, reader_features: None, writer_features: None };

/// The encoding of the table's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Format {
    pub provider: String,
    #[serde(default, deserialize_with = "without_nulls")]
    pub options: BTreeMap<String, String>,
}

/// The table's metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MetaData {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub format: Format,
    pub schema_string: String,
    #[serde(default)]
    pub partition_columns: Vec<String>,
    #[serde(default, deserialize_with = "without_nulls")]
    pub configuration: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_time: Option<i64>,
}

/// How far an application has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Txn {
    pub app_id: String,
    pub version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<i64>,
}

/// A map that others may have written with nulls, or as null.
fn without_nulls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let map = Option::<BTreeMap<String, Option<String>>>::deserialize(deserializer)?;
    Ok(map.into_iter().flatten().filter_map(|(key, value)| Some((key, value?))).collect())
}
