//! Files that earlier rewrites wrote and no commit names: their process died, or never learned what became of its commit.
//!
//! No clock says when such files may go. A rewrite's commit carries upkeep's `txn`, and every other rewrite that was planned below its
//! version reads it before it can commit above it, and gives up. So once ours stands at a version, what was planned below and has not
//! landed by then never will.

use lake::LakeError;
use store::StoreError;

use super::rewrite::{PlanFile, file_name, plan_address, scratch_prefix};
use super::{Kept, UPKEEP_APP_ID};
use crate::{CompactError, Compactor};

/// How many versions are searched for a plan's commit. What is older is left for a vacuum.
const SEARCHED_MAX: u64 = 1_000;

/// What became of an earlier plan.
enum Fate {
    Landed,
    NeverLands,
    /// The log was cleaned up, is damaged, or has grown too far since.
    CannotBeTold,
}

impl Compactor {
    /// Sweeps what plans below `version` left, our own commit with the number `txn` standing there. What stays if this fails costs
    /// space only.
    pub(super) async fn sweep_orphans(&self, kept: &Kept, version: u64, txn: u64) {
        if let Err(error) = self.try_sweep(kept, version, txn).await {
            tracing::warn!(table = self.settings.table_address, %error, "files of rewrites that did not land were not swept");
        }
    }

    async fn try_sweep(&self, kept: &Kept, version: u64, txn: u64) -> Result<(), CompactError> {
        let plans = self.parts.state.list(kept.plans).await?;
        let attempts = plans.iter().filter_map(|(address, _)| attempt_of(kept, address)).collect::<Vec<_>>();
        if attempts.is_empty() {
            return Ok(());
        }
        // A log that was cleaned up while this process slept may have taken our commit into no version of the table.
        let stands = kept.lake.head(&[UPKEEP_APP_ID]).await?;
        if stands.and_then(|head| head.txns.get(UPKEEP_APP_ID).copied()) != Some(txn) {
            return Ok(());
        }
        for attempt in attempts {
            let Some(plan) = self.read_plan(kept, attempt).await? else { continue };
            if plan.after >= version {
                continue;
            }
            match self.fate(kept, &plan, attempt, version).await? {
                Fate::Landed => {}
                Fate::NeverLands => self.delete_orphans(kept, &plan, attempt).await?,
                Fate::CannotBeTold => {
                    tracing::warn!(
                        attempt,
                        "files of a rewrite are left for a vacuum: it cannot be told whether it landed"
                    );
                }
            }
            let scratch = scratch_prefix(kept, attempt);
            for (address, _) in plans.iter().filter(|(address, _)| address.starts_with(&scratch)) {
                self.parts.state.delete(address).await?;
            }
            self.forget_plan(kept, attempt).await;
        }
        Ok(())
    }

    async fn read_plan(&self, kept: &Kept, attempt: &str) -> Result<Option<PlanFile>, CompactError> {
        match self.parts.state.get(&plan_address(kept, attempt)).await {
            // Its own process is done with it.
            Err(StoreError::Missing(_)) => Ok(None),
            read => Ok(serde_json::from_slice(&read?).ok()),
        }
    }

    /// Looks for a plan's commit from the version that it rests on to ours.
    async fn fate(&self, kept: &Kept, plan: &PlanFile, attempt: &str, version: u64) -> Result<Fate, CompactError> {
        if version - plan.after > SEARCHED_MAX {
            return Ok(Fate::CannotBeTold);
        }
        for at in plan.after + 1..=version {
            match kept.lake.read_commit(at).await {
                Ok(Some(commit)) if commit.files.iter().any(|path| path.contains(attempt)) => return Ok(Fate::Landed),
                Ok(Some(_)) => {}
                Ok(None) | Err(LakeError::Gone { .. } | LakeError::Unreadable { .. }) => {
                    return Ok(Fate::CannotBeTold);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Fate::NeverLands)
    }

    /// Files of a folder are written one after the other: the first that is missing ends them. They are deleted from the last on.
    async fn delete_orphans(&self, kept: &Kept, plan: &PlanFile, attempt: &str) -> Result<(), CompactError> {
        for (group, folder) in plan.folders.iter().enumerate().rev() {
            let mut count = 0;
            loop {
                match kept.files.open(&file_name(folder, attempt, group, count)).await {
                    Ok(_) => count += 1,
                    Err(StoreError::Missing(_)) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            for n in (0..count).rev() {
                let path = file_name(folder, attempt, group, n);
                tracing::debug!(path, "deleting a file of a rewrite that did not land");
                kept.files.delete(&path).await?;
            }
        }
        Ok(())
    }
}

/// The attempt whose plan lies at an address.
fn attempt_of<'a>(kept: &Kept, address: &'a str) -> Option<&'a str> {
    address.strip_prefix(kept.plans)?.strip_suffix(".json")
}
