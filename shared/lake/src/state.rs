//! What a table's log says at one version, as far as a committer must know, and how each commit changes it.
//!
//! The last action of a kind wins: `protocol`, `metaData`, and `txn` for each application (Delta protocol, "Action Reconciliation").

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};

use crate::actions::{Line, MetaData, Protocol};
use crate::files::Stamp;
use crate::{Head, schema, support};

/// A replay of the log that has come to some version, or has not begun.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Replay {
    protocol: Option<Protocol>,
    metadata: Option<MetaData>,
    txns: BTreeMap<String, i64>,
}

impl Replay {
    /// Takes in the actions of the next version.
    pub(crate) fn apply(&mut self, lines: impl IntoIterator<Item = Line>) {
        for line in lines {
            if line.protocol.is_some() {
                self.protocol = line.protocol;
            }
            if line.metadata.is_some() {
                self.metadata = line.metadata;
            }
            if let Some(txn) = line.txn {
                self.txns.insert(txn.app_id, txn.version);
            }
        }
    }
}

/// The table at one version.
#[derive(Clone, Debug)]
pub(crate) struct TableState {
    /// The version.
    pub version: u64,
    /// The stamp of the version's commit, if it is there: a table that was made anew or restored has another.
    pub stamp: Option<Stamp>,
    /// What the log has said up to here.
    pub replay: Replay,
    protocol: Arc<Protocol>,
    metadata: Arc<MetaData>,
    schema: SchemaRef,
    refusal: Option<String>,
}

impl TableState {
    /// The table as a replay has found it. `before` is an older state, whose conclusions are kept where nothing changed.
    /// The error says what is missing from the log.
    pub(crate) fn new(
        version: u64,
        stamp: Option<Stamp>,
        replay: Replay,
        before: Option<&Self>,
    ) -> Result<Self, String> {
        let Some(protocol) = &replay.protocol else {
            return Err(format!("no protocol stands up to version {version}"));
        };
        let Some(metadata) = &replay.metadata else {
            return Err(format!("no metaData stands up to version {version}"));
        };
        if let Some(before) = before
            && before.replay.protocol == replay.protocol
            && before.replay.metadata == replay.metadata
        {
            return Ok(Self { version, stamp, replay, ..before.clone() });
        }
        let (schema, refusal) = conclusions(protocol, metadata);
        let (protocol, metadata) = (Arc::new(protocol.clone()), Arc::new(metadata.clone()));
        Ok(Self { version, stamp, replay, protocol, metadata, schema, refusal })
    }

    /// The table's metadata.
    pub(crate) fn metadata(&self) -> &MetaData {
        &self.metadata
    }

    /// The table's protocol.
    pub(crate) fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// Why we must not write to the table, if so.
    pub(crate) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// The application ids that begin with `prefix`.
    pub(crate) fn app_ids(&self, prefix: &str) -> Vec<String> {
        self.replay.txns.keys().filter(|id| id.starts_with(prefix)).cloned().collect()
    }

    /// The newest `txn` of an application. None of ours is negative.
    pub(crate) fn txn(&self, app_id: &str) -> Option<u64> {
        self.replay.txns.get(app_id).and_then(|version| u64::try_from(*version).ok())
    }

    /// The table as callers see it.
    pub(crate) fn head(&self, app_ids: &[&str]) -> Head {
        Head {
            version: self.version,
            table_id: self.metadata.id.clone(),
            schema: self.schema.clone(),
            partition_columns: self.metadata.partition_columns.clone(),
            configuration: self.metadata.configuration.clone(),
            txns: app_ids.iter().filter_map(|id| Some(((*id).to_owned(), self.txn(id)?))).collect(),
            refusal: self.refusal.clone(),
        }
    }
}

/// The schema, and why the table is refused. A table whose schema is beyond us is refused, and its schema left empty.
fn conclusions(protocol: &Protocol, metadata: &MetaData) -> (SchemaRef, Option<String>) {
    let refusal = support::refusal(protocol, metadata);
    match schema::from_delta(&metadata.schema_string) {
        Ok(schema) => (schema, refusal),
        Err(reason) => {
            let refusal = refusal
                .unwrap_or_else(|| format!("the table's schema has a type that this release does not know: {reason}"));
            (Arc::new(Schema::empty()), Some(refusal))
        }
    }
}
