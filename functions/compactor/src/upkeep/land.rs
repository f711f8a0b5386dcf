//! The commit of a rewrite. It removes files, so more must hold than for an append: at the version that is committed against, each of
//! them is still live, with the deletion vector that it had (none).
//!
//! They are live at the version of the plan. Every commit above it is read before the next version is tried, and one that names any of
//! them ends the plan; so does one that changes the table, and another upkeep's.

use std::collections::BTreeSet;
use std::time::Duration;

use lake::{Commit, CommitOutcome, CommitSummary, Head, LakeError};

use super::plan::is_within;
use super::rewrite::Rewritten;
use super::{Kept, UPKEEP_APP_ID};
use crate::{CompactError, Compactor};

/// How often a commit that gets no clear answer is tried again.
const TRIES: u32 = 20;

/// The `txn`s of two rewrites after the same one differ by a random part below this: what stands is then told apart by its number.
const TXN_STEP: u64 = 1 << 30;

/// What became of a rewrite's commit.
pub(super) enum Landing {
    /// It stands at this version, with this `txn`.
    Landed { version: u64, txn: u64 },
    /// It does not, and never will.
    Overtaken,
}

impl Compactor {
    /// Commits a rewrite. After an error it is not known whether it landed.
    pub(super) async fn land(
        &self,
        kept: &Kept,
        head: &Head,
        attempt: &str,
        rewritten: &Rewritten,
    ) -> Result<Landing, CompactError> {
        let commit = self.describe_rewrite(head, attempt, rewritten);
        let ours: BTreeSet<&str> = rewritten.adds.iter().map(|add| add.path.as_str()).collect();
        let leaving: BTreeSet<&str> = rewritten.paths.iter().map(String::as_str).collect();
        let mut version = head.version + 1;
        let mut last = String::new();
        for tried in 0..TRIES {
            match kept.lake.commit(version, &commit).await {
                Ok(CommitOutcome::Landed) => return Ok(Landing::Landed { version, txn: commit.txn }),
                Ok(CommitOutcome::Taken) => {}
                // Said of the first try only: what may have been sent before must not be taken back.
                Err(LakeError::Unwritable { reason, .. }) if last.is_empty() => {
                    tracing::info!(table = self.settings.table_address, reason, "small files were not merged");
                    return Ok(Landing::Overtaken);
                }
                Err(error) => last = error.to_string(),
            }
            match kept.lake.read_commit(version).await {
                // It did not land, as far as the log shows: the same version again, so that it can only land once.
                Ok(None) => self.parts.clock.sleep(Duration::from_millis(20 * u64::from(tried))).await,
                Ok(Some(stands)) => match judge(&stands, &ours, &leaving) {
                    Stands::Ours => match goes_through(kept, commit.txn, &ours).await {
                        Ok(Some(true)) => return Ok(Landing::Landed { version, txn: commit.txn }),
                        Ok(Some(false)) => return Ok(Landing::Overtaken),
                        Ok(None) => {
                            let reason = format!(
                                "its commit was written as version {version}, the table has a later one with a higher number, and none of \
                                 its files: it cannot be told whether it landed"
                            );
                            return Err(CompactError::Upkeep { table: self.settings.table_address.clone(), reason });
                        }
                        Err(error) => last = error.to_string(),
                    },
                    Stands::InTheWay => return Ok(Landing::Overtaken),
                    Stands::Beside => version += 1,
                },
                Err(error) => last = error.to_string(),
            }
        }
        Err(CompactError::Upkeep { table: self.settings.table_address.clone(), reason: last })
    }

    fn describe_rewrite(&self, head: &Head, attempt: &str, rewritten: &Rewritten) -> Commit {
        let before = head.txns.get(UPKEEP_APP_ID).copied().unwrap_or(0);
        let random = u64::try_from(self.parts.entropy.bits() % u128::from(TXN_STEP)).unwrap_or(0);
        let info = [("upkeep", attempt.into()), ("rows", rewritten.rows.into())];
        Commit {
            app_id: UPKEEP_APP_ID.to_owned(),
            txn: before + 1 + random,
            metadata: None,
            adds: rewritten.adds.clone(),
            removes: rewritten.removes.clone(),
            operation: "LITHIFY COMPACT",
            info: info.map(|(key, value): (&str, serde_json::Value)| (key.to_owned(), value)).into(),
            at: self.parts.clock.now(),
        }
    }
}

/// Whether the table knows a commit of ours that was read in its log. It may stand under a name that is free because the log was cleaned up
/// beyond it: then no version of the table has it. A higher number may stand above ours or instead of it; what tells then are our files, whose
/// names are nobody else's. `None`: it cannot be told, as they may have left the table again.
async fn goes_through(kept: &Kept, txn: u64, ours: &BTreeSet<&str>) -> Result<Option<bool>, LakeError> {
    let newest = kept.lake.head(&[UPKEEP_APP_ID]).await?;
    let newest = newest.and_then(|newest| newest.txns.get(UPKEEP_APP_ID).copied());
    if newest <= Some(txn) {
        return Ok(Some(newest == Some(txn)));
    }
    let live = kept.lake.live_files().await?;
    Ok(live.iter().any(|file| ours.contains(file.path.as_str())).then_some(true))
}

/// What a commit that stands where ours should have is to us.
#[derive(Debug, PartialEq, Eq)]
enum Stands {
    /// It is ours: its answer was lost.
    Ours,
    /// With it, ours must not be.
    InTheWay,
    /// It does not concern ours.
    Beside,
}

fn judge(stands: &CommitSummary, ours: &BTreeSet<&str>, leaving: &BTreeSet<&str>) -> Stands {
    if stands.files.iter().any(|path| ours.contains(path.as_str())) {
        return Stands::Ours;
    }
    // A path that is not relative to the table may mean any file.
    let names_one = stands.files.iter().any(|path| leaving.contains(path.as_str()) || !is_within(path));
    if names_one || stands.changes_table || stands.txns.contains_key(UPKEEP_APP_ID) {
        Stands::InTheWay
    } else {
        Stands::Beside
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn judged(files: &[&str], txns: &[&str], changes_table: bool) -> Stands {
        let summary = CommitSummary {
            version: 3,
            txns: txns.iter().map(|id| ((*id).to_owned(), 1)).collect::<BTreeMap<_, _>>(),
            changes_table,
            files: files.iter().map(|path| (*path).to_owned()).collect(),
        };
        judge(&summary, &BTreeSet::from(["new"]), &BTreeSet::from(["old", "older"]))
    }

    #[test]
    fn what_stands_is_ours_beside_ours_or_in_its_way() {
        assert_eq!(judged(&["new", "old", "older"], &[UPKEEP_APP_ID], false), Stands::Ours);
        assert_eq!(judged(&["theirs"], &["lithify/p"], false), Stands::Beside);
        assert_eq!(judged(&[], &[], false), Stands::Beside);
        // A deletion vector names its file as well.
        assert_eq!(judged(&["older"], &[], false), Stands::InTheWay);
        assert_eq!(judged(&["s3://lake/table/old"], &[], false), Stands::InTheWay);
        assert_eq!(judged(&["theirs"], &[], true), Stands::InTheWay);
        assert_eq!(judged(&["theirs"], &[UPKEEP_APP_ID], false), Stands::InTheWay);
    }
}
