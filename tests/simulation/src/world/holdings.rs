//! What sealed batches hold.

use std::collections::BTreeMap;

use drops::{BatchId, Timestamp};
use ledger::{BatchRecord, Ledger};
use runs::{Fate, Manifest};

use super::World;
use crate::doubles::now;

/// How a drop's content is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub batch: BatchId,
    pub sealed: Timestamp,
    pub fate: Fate,
    pub committed: bool,
}

impl World {
    /// How each content of each key is held: by key and `_source_version`.
    ///
    /// # Errors
    /// A manifest cannot be read.
    pub(super) fn held(&self) -> Result<BTreeMap<(String, String), Vec<Held>>, String> {
        let mut held: BTreeMap<(String, String), Vec<Held>> = BTreeMap::new();
        let of_each = self.pipelines().map(|pipeline| now(self.ledger.batches(pipeline, None, usize::MAX)));
        let batches = of_each.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?.into_iter().flatten();
        for (id, record) in batches {
            let Some(sealed) = record.sealed() else { continue };
            let content = now(store::Store::get(&self.state, &sealed.manifest)).map_err(|e| e.to_string())?;
            let manifest = Manifest::decode(&content, &sealed.digest).map_err(|e| format!("batch {id}: {e}"))?;
            let sealed = sealed.at;
            let committed = matches!(record, BatchRecord::Committed { .. });
            for drop in manifest.held {
                let version = drop.source_version().to_owned();
                held.entry((drop.key, version)).or_default().push(Held {
                    batch: id,
                    sealed,
                    fate: drop.fate,
                    committed,
                });
            }
        }
        Ok(held)
    }
}
