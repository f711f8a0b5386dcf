//! Step 4's other half: the chosen batches' runs become table files.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use drops::{BatchId, Timestamp};
use lake::{AddFile, Head, TableMetadata};
use ledger::{Intent, Sealed};
use runs::{FinishedFile, MergeStores, MergeTarget, MergedRuns, RescuedColumn, RunInput, table_schema};
use store::StoreError;
use tokio::runtime::Handle;

use crate::schema::widen;
use crate::{CommitReport, CompactError, Compactor, Until};

/// Table files that wait for their commit.
pub(crate) struct Merged {
    pub(crate) adds: Vec<AddFile>,
    /// The table's metadata, where the runs need columns that it lacks.
    pub(crate) metadata: Option<TableMetadata>,
    pub(crate) drops: u64,
    pub(crate) rows: u64,
    /// The rows that have something in `_rescued_data` only since they were merged.
    pub(crate) rescued_rows: u64,
    /// The columns that these values were rescued from.
    pub(crate) rescued_columns: Vec<RescuedColumn>,
    /// When some of the drops arrived.
    pub(crate) arrivals: Vec<Timestamp>,
}

/// How many arrivals are kept of a commit.
const ARRIVALS_MAX: usize = 1_000;

impl Merged {
    pub(crate) fn report(&self, version: u64) -> CommitReport {
        let bytes = self.adds.iter().map(|add| add.size).sum();
        let (files, arrivals) = (self.adds.len() as u64, self.arrivals.clone());
        CommitReport {
            version,
            drops: self.drops,
            rows: self.rows,
            rescued_rows: self.rescued_rows,
            rescued_columns: self.rescued_columns.clone(),
            files,
            bytes,
            arrivals,
        }
    }
}

impl Compactor {
    /// Merges the runs of the chosen batches into files of the target size. `None` if the time ran out; nothing is left of it then.
    pub(crate) async fn merge(
        &self,
        head: &Head,
        intent: &Intent,
        chosen: &[(BatchId, Sealed)],
        until: &Until,
    ) -> Result<Option<Merged>, CompactError> {
        let mut versions: BTreeMap<u64, SchemaRef> = BTreeMap::new();
        let mut inputs = Vec::new();
        let mut arrivals = Vec::new();
        for (id, _) in chosen {
            let manifest = self.manifest_runs(*id).await?;
            if arrivals.len() < ARRIVALS_MAX {
                arrivals.extend(manifest.ends.iter().map(|drop| drop.arrived.unwrap_or(drop.modified)));
            }
            for run in manifest.runs {
                let schema = match versions.entry(run.schema_version) {
                    Entry::Occupied(known) => known.get().clone(),
                    Entry::Vacant(unknown) => unknown.insert(self.schema_version(run.schema_version).await?).clone(),
                };
                inputs.push(RunInput::new(&run, schema));
            }
        }
        let newest = versions.last_key_value().map_or_else(|| head.schema.clone(), |(_, schema)| schema.clone());
        let schema = widen(&head.schema, &newest);
        let expected: u64 = inputs.iter().map(|run| run.rows).sum();
        let merged = if inputs.is_empty() {
            MergedRuns::default()
        } else {
            match self.merge_runs(inputs, schema.clone(), intent.number, until).await? {
                Some(merged) => merged,
                None => return Ok(None),
            }
        };
        let MergedRuns { files, rescued_rows, rescued_columns } = merged;
        let (drops, rows) = (sum(chosen, |s| s.drops), files.iter().map(|file| file.rows).sum());
        if rows != expected || rows != sum(chosen, |s| s.rows) {
            return Err(CompactError::Internal(format!("{expected} rows were to be merged, {rows} were")));
        }
        let metadata = (!Arc::ptr_eq(&schema, &head.schema)).then(|| TableMetadata {
            id: head.table_id.clone(),
            schema,
            partition_columns: head.partition_columns.clone(),
            configuration: head.configuration.clone(),
            created: self.parts.clock.now(),
        });
        let adds = files.into_iter().map(|file| self.add(file)).collect();
        Ok(Some(Merged { adds, metadata, drops, rows, rescued_rows, rescued_columns, arrivals }))
    }

    async fn merge_runs(
        &self,
        inputs: Vec<RunInput>,
        schema: SchemaRef,
        intent: u64,
        until: &Until,
    ) -> Result<Option<MergedRuns>, CompactError> {
        let stores = MergeStores {
            inputs: self.parts.state.clone(),
            staging: self.parts.state.clone(),
            table: self.parts.table_store.clone(),
            runtime: Handle::current(),
        };
        let (settings, until, merged) = (self.settings.clone(), until.clone(), self.merged.clone());
        // Another try of the same intent writes other files: the name is made anew each time.
        let attempt = self.parts.entropy.batch_id(self.parts.clock.now());
        let merging = tokio::task::spawn_blocking(move || {
            let file_name = |partition: &str, n: u64| {
                let folder = if partition.is_empty() { String::new() } else { format!("{partition}/") };
                format!("{folder}part-{n:05}-{attempt}-{intent}.zstd.parquet")
            };
            let scratch_name = |n: u64| format!("staging/{}/merge-{attempt}-{n}.parquet", settings.pipeline);
            let target = MergeTarget {
                schema,
                order: settings.write.order.clone(),
                file_bytes: settings.target_file_size,
                memory_bytes: settings.merge_memory as u64,
                compression_level: settings.write.compression_level,
                file_name: &file_name,
                scratch_name: &scratch_name,
            };
            let mut go_on = |rows| {
                merged(rows);
                if until.stops_merge() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            runs::merge(inputs, &stores, &target, &mut go_on)
        });
        let failed = |reason| CompactError::Merge { pipeline: self.settings.pipeline.clone(), reason };
        match merging.await.map_err(|e| failed(e.to_string()))? {
            Ok(merged) => Ok(Some(merged)),
            Err(runs::RunsError::Stopped) => Ok(None),
            // The store says where that is, or only which file.
            Err(runs::RunsError::Store(StoreError::Missing(address))) => {
                let known = address.starts_with(&self.settings.table_address);
                let address = if known { address } else { self.place_of(&address) };
                Err(CompactError::Damaged { address, reason: "it is not there".to_owned() })
            }
            Err(runs::RunsError::Damaged { address, reason }) => {
                Err(CompactError::Damaged { address: self.place_of(&address), reason })
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    async fn schema_version(&self, number: u64) -> Result<SchemaRef, CompactError> {
        let text = self.parts.ledger.schema(&self.settings.table, number).await?;
        let text = text.ok_or_else(|| {
            CompactError::Internal(format!("a run names schema version {number}, which the ledger lacks"))
        })?;
        Ok(table_schema(&crate::adopt::parse(number, &text)?))
    }

    fn add(&self, file: FinishedFile) -> AddFile {
        let FinishedFile { path, size, partition_values, stats_json: stats, .. } = file;
        AddFile { path, partition_values, size, modified: self.parts.clock.now(), stats }
    }

    /// Deletes files that no commit names or ever will.
    pub(crate) async fn discard(&self, merged: &Merged) {
        for add in &merged.adds {
            if let Err(e) = self.parts.table_store.delete(&add.path).await {
                tracing::warn!(path = add.path, error = %e, "a file of a commit that did not happen was not deleted");
            }
        }
    }
}

fn sum(chosen: &[(BatchId, Sealed)], of: fn(&Sealed) -> u64) -> u64 {
    chosen.iter().map(|(_, sealed)| of(sealed)).sum()
}
