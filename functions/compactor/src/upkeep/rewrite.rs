//! One rewrite: the plan is written down, the files are merged, and the commit is tried.

use std::ops::ControlFlow;

use drops::BatchId;
use lake::{AddFile, Head, RemoveFile};
use runs::{FinishedFile, MergeStores, MergeTarget, RunInput, RunsError, partition_folder};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::Kept;
use super::inspect::file_columns;
use super::land::Landing;
use super::plan::{Group, Plan};
use crate::{CompactError, Compactor, Until};

/// What became of a rewrite.
pub(super) enum Rewrite {
    /// It is in the table.
    Landed { version: u64, rewritten: Rewritten },
    /// Others committed what makes the plan void; nothing of it is left.
    Overtaken,
    /// There was no time; nothing of it is left.
    Stopped,
    /// It would not have made fewer files.
    Useless,
    /// One of the files cannot be read, which their footers did not show; nothing of it is left.
    Damaged { path: String, reason: String },
}

/// Files that wait for their commit, and those that they replace.
pub(super) struct Rewritten {
    pub(super) adds: Vec<AddFile>,
    pub(super) removes: Vec<RemoveFile>,
    /// The paths of the files that leave, as decoded.
    pub(super) paths: Vec<String>,
    pub(super) rows: u64,
}

/// A plan as it is written down: what its process may leave behind can be found by it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PlanFile {
    /// The version that the plan rests on: its commit can only land above it.
    pub(super) after: u64,
    /// The folders that it writes to, relative to the table, each empty or ending with `/`.
    pub(super) folders: Vec<String>,
}

/// The name of a rewrite's `n`th file in its `group`th folder.
pub(super) fn file_name(folder: &str, attempt: &str, group: usize, n: u64) -> String {
    format!("{folder}part-{n:05}-{attempt}-{group}.upkeep.zstd.parquet")
}

/// The beginning of the addresses of a rewrite's own runs in the state.
pub(super) fn scratch_prefix(kept: &Kept, attempt: &str) -> String {
    format!("{}merge-{attempt}-", kept.plans)
}

pub(super) fn plan_address(kept: &Kept, attempt: &str) -> String {
    format!("{}{attempt}.json", kept.plans)
}

impl Compactor {
    /// Carries a plan out.
    pub(super) async fn rewrite(&self, kept: &Kept, plan: &Plan, until: &Until) -> Result<Rewrite, CompactError> {
        let attempt: BatchId = self.parts.entropy.batch_id(self.parts.clock.now());
        let attempt = attempt.to_string();
        self.write_plan(kept, plan, &attempt).await?;
        let rewritten = match self.merge_groups(kept, plan, &attempt, until).await {
            Ok(rewritten) => rewritten,
            Err(error) => {
                self.forget_plan(kept, &attempt).await;
                return error;
            }
        };
        if rewritten.adds.len() >= rewritten.removes.len() {
            self.undo(kept, &attempt, &rewritten.adds).await;
            return Ok(Rewrite::Useless);
        }
        // An error leaves the files where they are, and the plan: it is not known whether the commit landed.
        match self.land(kept, &plan.head, &attempt, &rewritten).await? {
            Landing::Landed { version, txn } => {
                self.forget_plan(kept, &attempt).await;
                self.sweep_orphans(kept, version, txn).await;
                Ok(Rewrite::Landed { version, rewritten })
            }
            Landing::Overtaken => {
                self.undo(kept, &attempt, &rewritten.adds).await;
                Ok(Rewrite::Overtaken)
            }
        }
    }

    async fn write_plan(&self, kept: &Kept, plan: &Plan, attempt: &str) -> Result<(), CompactError> {
        let folders = plan.groups.iter().map(|group| folder(&plan.head, group)).collect();
        let file = PlanFile { after: plan.head.version, folders };
        let content = serde_json::to_vec(&file).map_err(|error| CompactError::Internal(error.to_string()))?;
        Ok(self.parts.state.put(&plan_address(kept, attempt), content.into()).await?)
    }

    /// Merges one partition after the other. On an error nothing is left of what was written; a stop is none.
    async fn merge_groups(
        &self,
        kept: &Kept,
        plan: &Plan,
        attempt: &str,
        until: &Until,
    ) -> Result<Rewritten, Result<Rewrite, CompactError>> {
        let mut done = Rewritten { adds: Vec::new(), removes: Vec::new(), paths: Vec::new(), rows: 0 };
        for (number, group) in plan.groups.iter().enumerate() {
            let merged = match self.merge_group(kept, &plan.head, group, (attempt, number), until).await {
                Ok(merged) => merged,
                Err(error) => {
                    self.delete_files(kept, &done.adds).await;
                    return Err(match error {
                        RunsError::Stopped => Ok(Rewrite::Stopped),
                        RunsError::Damaged { address, reason }
                            if group.files.iter().any(|(file, _)| file.path == address) =>
                        {
                            Ok(Rewrite::Damaged { path: address, reason })
                        }
                        error => Err(CompactError::Upkeep {
                            table: self.settings.table_address.clone(),
                            reason: error.to_string(),
                        }),
                    });
                }
            };
            done.rows += merged.iter().map(|file| file.rows).sum::<u64>();
            let modified = self.parts.clock.now();
            done.adds.extend(merged.into_iter().map(|file| AddFile {
                path: file.path,
                // The very texts that the removed files have: nothing is parsed and written again.
                partition_values: group.partition.clone(),
                size: file.size,
                modified,
                stats: file.stats_json,
            }));
            done.paths.extend(group.files.iter().map(|(file, _)| file.path.clone()));
            done.removes.extend(group.files.iter().map(|(file, _)| RemoveFile {
                spelled: file.spelled.clone(),
                partition_values: file.partition_values.clone(),
                size: file.size,
            }));
        }
        Ok(done)
    }

    /// Merges the files of one partition. The merge counts the rows in and out.
    async fn merge_group(
        &self,
        kept: &Kept,
        head: &Head,
        group: &Group,
        (attempt, number): (&str, usize),
        until: &Until,
    ) -> Result<Vec<FinishedFile>, RunsError> {
        let stores = MergeStores {
            inputs: kept.files.clone(),
            staging: self.parts.state.clone(),
            table: kept.files.clone(),
            runtime: Handle::current(),
        };
        let (schema, order, folder) = (file_columns(head), kept.order_within(), folder(head, group));
        let inputs: Vec<RunInput> = group.files.iter().map(|(_, run)| run.clone()).collect();
        let (settings, until, attempt) = (self.settings.clone(), until.clone(), attempt.to_owned());
        let merged = self.merged.clone();
        let scratch = format!("{}{number}-", scratch_prefix(kept, &attempt));
        let merging = tokio::task::spawn_blocking(move || {
            let target = MergeTarget {
                schema,
                order,
                file_bytes: settings.target_file_size,
                memory_bytes: settings.merge_memory as u64,
                compression_level: settings.write.compression_level,
                file_name: &|_, n| file_name(&folder, &attempt, number, n),
                scratch_name: &|n| format!("{scratch}{n}.parquet"),
            };
            let mut go_on = |rows| {
                merged(rows);
                if until.stops_merge() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            runs::merge(inputs, &stores, &target, &mut go_on).map(|merged| merged.files)
        });
        merging.await.unwrap_or_else(|error| {
            Err(RunsError::Encode { action: "merge files of the table", reason: error.to_string() })
        })
    }

    /// Takes back what no commit will ever name.
    async fn undo(&self, kept: &Kept, attempt: &str, adds: &[AddFile]) {
        if self.delete_files(kept, adds).await {
            self.forget_plan(kept, attempt).await;
        }
    }

    /// Deletes files of a rewrite, the last first, so that what is left of them can be found from the first on. False if any stayed.
    async fn delete_files(&self, kept: &Kept, adds: &[AddFile]) -> bool {
        for add in adds.iter().rev() {
            if let Err(error) = kept.files.delete(&add.path).await {
                tracing::warn!(path = add.path, %error, "a file of upkeep that no commit names was not deleted");
                return false;
            }
        }
        true
    }

    /// A plan that is done with needs no trace.
    pub(super) async fn forget_plan(&self, kept: &Kept, attempt: &str) {
        let address = plan_address(kept, attempt);
        if let Err(error) = self.parts.state.delete(&address).await {
            tracing::warn!(address, %error, "the plan of a rewrite that is done was not deleted");
        }
    }
}

/// The folder of a group's partition, as the files of commits have it.
fn folder(head: &Head, group: &Group) -> String {
    if head.partition_columns.is_empty() {
        return String::new();
    }
    format!("{}/", partition_folder(&head.partition_columns, &group.partition))
}
