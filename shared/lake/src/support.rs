//! Whether we may write to a table: its protocol's features, its properties and its columns.
//!
//! An append must honour every writer feature that is active (Delta protocol, "Valid Feature Names in Table Features"). Features that an
//! append cannot violate are let through, those that can are refused by name, and those that are unknown are refused: better no commit
//! than one that breaks a promise that somebody else made about the table.

use serde_json::Value;

use crate::actions::{MetaData, Protocol};

/// Writer features that ask nothing of an append, or ask it only of tables that are refused for another reason below.
const HARMLESS: [&str; 15] = [
    "allowColumnDefaults",
    "appendOnly",
    "changeDataFeed",
    "checkConstraints",
    "columnMapping",
    "deletionVectors",
    "domainMetadata",
    "generatedColumns",
    "identityColumns",
    "inCommitTimestamp",
    "invariants",
    "timestampNtz",
    "v2Checkpoint",
    "variantType",
    "vacuumProtocolCheck",
];

/// Why we must not append to a table with this protocol and metadata, in one sentence; `None` if we may.
pub(crate) fn refusal(protocol: &Protocol, metadata: &MetaData) -> Option<String> {
    refused_protocol(protocol)
        .or_else(|| refused_properties(metadata))
        .or_else(|| refused_columns(&metadata.schema_string))
}

/// Whether the table may hold timestamps without a zone.
pub(crate) fn has_timestamps_without_zone(protocol: &Protocol) -> bool {
    protocol.writer_features.iter().flatten().any(|feature| feature == "timestampNtz")
}

fn refused_protocol(protocol: &Protocol) -> Option<String> {
    if !(1..=3).contains(&protocol.min_reader_version) {
        return Some(format!(
            "the table asks for reader version {}, and this release knows 1 to 3",
            protocol.min_reader_version
        ));
    }
    if !(1..=7).contains(&protocol.min_writer_version) {
        return Some(format!(
            "the table asks for writer version {}, and this release knows 1 to 7",
            protocol.min_writer_version
        ));
    }
    let features = protocol.reader_features.iter().chain(&protocol.writer_features).flatten();
    let unknown = features.into_iter().find(|feature| !HARMLESS.contains(&feature.as_str()))?;
    Some(format!("the table has the feature {unknown}, which this release cannot write"))
}

fn refused_properties(metadata: &MetaData) -> Option<String> {
    if metadata.format.provider != "parquet" {
        return Some(format!("the table's files are {}, and only parquet is written", metadata.format.provider));
    }
    let property = |name: &str| metadata.configuration.get(name).map(String::as_str);
    let on = |name: &str| property(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if property("delta.columnMapping.mode").is_some_and(|mode| !mode.eq_ignore_ascii_case("none")) {
        return Some(
            "the table has column mapping on (delta.columnMapping.mode), which this release cannot write".to_owned(),
        );
    }
    if let Some(name) = metadata.configuration.keys().find(|name| name.starts_with("delta.constraints.")) {
        return Some(format!("the table has a check constraint ({name}), which this release cannot check"));
    }
    // The number of a txn is what keeps rows from being committed twice: it must not be forgotten.
    if property("delta.setTransactionRetentionDuration").is_some() {
        return Some(
            "the table forgets transaction numbers (delta.setTransactionRetentionDuration), which guard against doubled rows"
                .to_owned(),
        );
    }
    let switches = [
        ("delta.enableInCommitTimestamps", "in-commit timestamps"),
        ("delta.enableRowTracking", "row tracking"),
        ("delta.enableTypeWidening", "type widening"),
        ("delta.enableIcebergCompatV1", "Iceberg compatibility"),
        ("delta.enableIcebergCompatV2", "Iceberg compatibility"),
        ("delta.enableIcebergCompatV3", "Iceberg compatibility"),
    ];
    let (name, what) = switches.into_iter().find(|(name, _)| on(name))?;
    Some(format!("the table has {what} on ({name}), which this release cannot write"))
}

fn refused_columns(schema: &str) -> Option<String> {
    match serde_json::from_str::<Value>(schema) {
        Ok(schema) => refused_type("", &schema),
        Err(error) => Some(format!("the table's schema is no JSON: {error}")),
    }
}

/// Walks a type of the schema; `name` is the column it belongs to, with dots.
fn refused_type(name: &str, data_type: &Value) -> Option<String> {
    if let Some(primitive) = data_type.as_str() {
        let unknown =
            matches!(primitive, "void" | "variant") || ["interval", "geo"].iter().any(|it| primitive.starts_with(it));
        return unknown.then(|| format!("the column {name} has the type {primitive}, which this release cannot write"));
    }
    if let Some(fields) = data_type["fields"].as_array() {
        return fields.iter().find_map(|field| refused_field(name, field));
    }
    if data_type["containsNull"] == false || data_type["valueContainsNull"] == false {
        return Some(format!("the column {name} must not hold nulls inside, and rows without a value would be null"));
    }
    ["elementType", "keyType", "valueType"]
        .iter()
        .filter_map(|part| data_type.get(part))
        .find_map(|part| refused_type(name, part))
}

fn refused_field(parent: &str, field: &Value) -> Option<String> {
    let own = field["name"].as_str().unwrap_or_default();
    let name = if parent.is_empty() { own.to_owned() } else { format!("{parent}.{own}") };
    if field["nullable"] == false {
        return Some(format!("the column {name} must not be null, and rows without a value would be null"));
    }
    let rules = field["metadata"].as_object().into_iter().flat_map(|metadata| metadata.keys()).find_map(|key| {
        Some(match key.as_str() {
            "delta.invariants" => "an invariant",
            "delta.generationExpression" => "a generation expression",
            "CURRENT_DEFAULT" => "a default",
            key if key.starts_with("delta.identity.") => "an identity",
            key if key.starts_with("delta.typeChanges") => "a widened type",
            _ => return None,
        })
    });
    if let Some(rule) = rules {
        return Some(format!("the column {name} has {rule}, which this release cannot write"));
    }
    refused_type(&name, &field["type"])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::actions::{Format, OUR_PROTOCOL};

    fn metadata(fields: &str, configuration: &[(&str, &str)]) -> MetaData {
        MetaData {
            id: "1".to_owned(),
            name: None,
            description: None,
            format: Format { provider: "parquet".to_owned(), options: BTreeMap::new() },
            schema_string: format!(r#"{{"type":"struct","fields":[{fields}]}}"#),
            partition_columns: Vec::new(),
            configuration: configuration.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            created_time: None,
        }
    }

    fn features(names: &[&str]) -> Protocol {
        Protocol {
            min_reader_version: 3,
            min_writer_version: 7,
            reader_features: None,
            writer_features: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        }
    }

    const PLAIN: &str = r#"{"name":"a","type":"long","nullable":true,"metadata":{}}"#;

    #[test]
    fn plain_tables_are_written() {
        assert_eq!(refusal(&OUR_PROTOCOL, &metadata(PLAIN, &[("delta.appendOnly", "true")])), None);
        let listed = features(&["appendOnly", "deletionVectors", "timestampNtz", "columnMapping", "v2Checkpoint"]);
        let feed = metadata(PLAIN, &[("delta.enableChangeDataFeed", "true"), ("delta.columnMapping.mode", "none")]);
        assert_eq!(refusal(&listed, &feed), None);
    }

    #[test]
    fn features_are_refused_by_name() {
        for feature in ["rowTracking", "typeWidening", "clustering", "icebergCompatV2", "inventedLater"] {
            let reason = refusal(&features(&[feature]), &metadata(PLAIN, &[])).expect("refused");
            assert!(reason.contains(feature), "{reason}");
        }
        let newer = Protocol { min_writer_version: 8, ..OUR_PROTOCOL };
        assert!(refusal(&newer, &metadata(PLAIN, &[])).is_some_and(|reason| reason.contains("writer version 8")));
    }

    #[test]
    fn active_properties_are_refused_by_name() {
        for (name, value) in [
            ("delta.columnMapping.mode", "name"),
            ("delta.constraints.positive", "a > 0"),
            ("delta.enableInCommitTimestamps", "true"),
            ("delta.setTransactionRetentionDuration", "interval 7 days"),
        ] {
            let reason = refusal(&features(&["columnMapping"]), &metadata(PLAIN, &[(name, value)])).expect("refused");
            assert!(reason.contains(name), "{reason}");
        }
    }

    #[test]
    fn columns_are_refused_by_name() {
        let columns = [
            (r#"{"name":"x","type":"long","nullable":false,"metadata":{}}"#, "column x "),
            (r#"{"name":"x","type":"long","nullable":true,"metadata":{"delta.invariants":"{}"}}"#, "column x "),
            (r#"{"name":"x","type":"long","nullable":true,"metadata":{"delta.identity.start":1}}"#, "column x "),
            (r#"{"name":"x","type":"void","nullable":true,"metadata":{}}"#, "column x "),
            (r#"{"name":"x","type":"variant","nullable":true,"metadata":{}}"#, "column x "),
            (
                r#"{"name":"s","type":{"type":"struct","fields":[{"name":"x","type":"long","nullable":false,"metadata":{}}]},"nullable":true,"metadata":{}}"#,
                "column s.x ",
            ),
            (
                r#"{"name":"l","type":{"type":"array","elementType":"long","containsNull":false},"nullable":true,"metadata":{}}"#,
                "column l ",
            ),
        ];
        for (column, named) in columns {
            let reason = refusal(&OUR_PROTOCOL, &metadata(&format!("{PLAIN},{column}"), &[])).expect("refused");
            assert!(reason.contains(named), "{reason}");
        }
    }
}
