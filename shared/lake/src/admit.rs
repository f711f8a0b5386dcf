//! Whether a commit may stand where it is asked for: one set of rules for the log on disk and its double in memory.

use std::collections::BTreeSet;

use crate::actions::{Format, MetaData, OUR_PROTOCOL};
use crate::state::TableState;
use crate::{Commit, LakeError, TableMetadata, path, schema, support};

/// A commit that may be tried, or one that need not be.
pub(crate) enum Admission {
    /// It may be tried; with the `metaData` that it shall carry.
    Try(Option<Box<MetaData>>),
    /// Something stands at its version.
    Taken,
}

/// Judges a commit by the newest version of the table; `None` where there is no table.
pub(crate) fn admit(
    table: &str,
    newest: Option<&TableState>,
    version: u64,
    commit: &Commit,
) -> Result<Admission, LakeError> {
    let unwritable = |reason: String| LakeError::Unwritable { table: table.to_owned(), version, reason };
    match newest {
        Some(newest) if newest.version >= version => return Ok(Admission::Taken),
        Some(newest) if newest.version + 1 < version => {
            return Err(unwritable(format!("the newest version is {}, and a log must have no gap", newest.version)));
        }
        None if version > 0 => return Err(unwritable("there is no table, and version 0 makes it".to_owned())),
        _ => {}
    }
    if let Some(refusal) = newest.and_then(TableState::refusal) {
        return Err(unwritable(refusal.to_owned()));
    }
    let metadata = match &commit.metadata {
        Some(metadata) => Some(Box::new(metadata_action(newest, metadata).map_err(unwritable)?)),
        None if newest.is_none() => {
            return Err(unwritable("version 0 makes the table, and its metadata is missing".to_owned()));
        }
        None => None,
    };
    let partition_columns = match (&metadata, newest) {
        (Some(metadata), _) => metadata.partition_columns.as_slice(),
        (None, Some(newest)) => newest.metadata().partition_columns.as_slice(),
        (None, None) => &[],
    };
    check_adds(commit, partition_columns).map_err(unwritable)?;
    check_removes(commit).map_err(unwritable)?;
    Ok(Admission::Try(metadata))
}

/// The `metaData` that a commit shall carry: what it says, and what others have said of the table and we have no word for.
pub(crate) fn metadata_action(newest: Option<&TableState>, ours: &TableMetadata) -> Result<MetaData, String> {
    let protocol = newest.map_or(&OUR_PROTOCOL, TableState::protocol);
    let before = newest.map(TableState::metadata);
    if let Some(before) = before {
        if before.id != ours.id {
            return Err(format!("its metadata is that of another table ({}, this one is {})", ours.id, before.id));
        }
        if before.partition_columns != ours.partition_columns {
            return Err("the partition columns of a table that holds files cannot change".to_owned());
        }
    }
    if let Some(missing) = ours.partition_columns.iter().find(|name| ours.schema.field_with_name(name).is_err()) {
        return Err(format!("the partition column {missing} is no column of the schema"));
    }
    let timestamps_without_zone = support::has_timestamps_without_zone(protocol);
    let previous = before.map(|before| before.schema_string.as_str());
    let format = || Format { provider: "parquet".to_owned(), options: Default::default() };
    Ok(MetaData {
        id: ours.id.clone(),
        name: before.and_then(|before| before.name.clone()),
        description: before.and_then(|before| before.description.clone()),
        format: before.map_or_else(format, |before| before.format.clone()),
        schema_string: schema::to_delta(&ours.schema, timestamps_without_zone, previous)?,
        partition_columns: ours.partition_columns.clone(),
        configuration: ours.configuration.clone(),
        created_time: before
            .map_or_else(|| i64::try_from(ours.created.milliseconds()).ok(), |before| before.created_time),
    })
}

/// What leaves must be named once and stay away, and a table that is only made has nothing to lose.
fn check_removes(commit: &Commit) -> Result<(), String> {
    let mut paths: BTreeSet<String> = commit.adds.iter().map(|add| path::encode(&add.path)).collect();
    for remove in &commit.removes {
        if remove.spelled.is_empty() || !paths.insert(remove.spelled.clone()) {
            return Err(format!("it removes the file {:?} twice, or adds it as well", remove.spelled));
        }
    }
    match (&commit.metadata, commit.removes.is_empty()) {
        (Some(_), false) => Err("what changes the table's metadata must not rewrite its files as well".to_owned()),
        _ => Ok(()),
    }
}

/// A file named twice would be one file to some readers and two to others; a partition value too many or too few is no valid `add`.
fn check_adds(commit: &Commit, partition_columns: &[String]) -> Result<(), String> {
    let mut paths = BTreeSet::new();
    for add in &commit.adds {
        if add.path.is_empty() || add.path.starts_with('/') {
            return Err(format!("the file {:?} has no path relative to the table", add.path));
        }
        if !paths.insert(add.path.as_str()) {
            return Err(format!("it names the file {} twice", add.path));
        }
        let whole = add.partition_values.len() == partition_columns.len()
            && partition_columns.iter().all(|column| add.partition_values.contains_key(column));
        if !whole {
            return Err(format!("the file {} does not have exactly the table's partition columns as values", add.path));
        }
    }
    Ok(())
}
