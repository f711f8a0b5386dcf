//! Steps 4 and 5: the intent, and the commit that carries its number.

use std::time::Duration;

use drops::BatchId;
use lake::{Commit, CommitOutcome, Head, LakeError};
use ledger::{Intent, Sealed};
use runs::IntentList;

use crate::merge::Merged;
use crate::{CompactError, Compactor, NotOpened};

/// How often a commit that gets no clear answer is tried again.
const TRIES: u32 = 20;

impl Compactor {
    /// Reserves a number above every other and says, immutably, which batches its commit will carry.
    pub(crate) async fn write_intent(&self, head: &Head, chosen: &[(BatchId, Sealed)]) -> Result<Intent, CompactError> {
        let predecessor = self.txn(head);
        let list = IntentList { batches: chosen.iter().map(|(id, _)| *id).collect() };
        let (content, digest) = list.encode().map_err(|e| CompactError::Internal(e.to_string()))?;
        let at = self.parts.clock.now();
        let address = format!("intents/{}/{}.json", self.settings.pipeline, self.parts.entropy.batch_id(at));
        self.parts.state.put(&address, content).await?;
        let mut number = predecessor.map_or(1, |n| n + 1);
        loop {
            let intent = Intent { number, predecessor, list: address.clone(), digest: digest.clone(), at };
            if self.parts.ledger.reserve_intent(&self.settings.pipeline, &intent).await? {
                return Ok(intent);
            }
            number += 1;
        }
    }

    /// Commits at exactly the version after the one that was read. Nothing but a commit that was *read* there moves us on.
    /// Returns the version, or nothing if the work must begin again from what the log says now.
    pub(crate) async fn commit(
        &self,
        head: &Head,
        intent: &Intent,
        merged: &Merged,
    ) -> Result<Option<u64>, CompactError> {
        let app_id = self.app_id();
        let commit = self.describe(intent, merged);
        let mut version = head.version + 1;
        let mut last = String::new();
        for attempt in 0..TRIES {
            match self.parts.lake.commit(version, &commit).await {
                Ok(CommitOutcome::Landed) => return Ok(Some(version)),
                Ok(CommitOutcome::Taken) => {}
                Err(e @ LakeError::Unwritable { .. }) => return Err(e.into()),
                Err(e) => last = e.to_string(),
            }
            match self.parts.lake.read_commit(version).await {
                // It did not land, as far as the log shows: the same version again, so that it can only land once.
                Ok(None) => self.parts.clock.sleep(Duration::from_millis(20 * u64::from(attempt))).await,
                Ok(Some(stands)) => match stands.txns.get(&app_id) {
                    Some(number) if *number == intent.number => match self.goes_through(*number).await {
                        Ok(true) => return Ok(Some(version)),
                        // What was read is no part of the table: it never will be.
                        Ok(false) => return Ok(None),
                        Err(e @ CompactError::Apart(_)) => return Err(e),
                        Err(e) => last = e.to_string(),
                    },
                    Some(_) => return Ok(None),
                    None if stands.changes_table => return Ok(None),
                    None => version += 1,
                },
                Err(e) => last = e.to_string(),
            }
        }
        Err(CompactError::Commit { pipeline: self.settings.pipeline.clone(), intent: intent.number, reason: last })
    }

    /// Whether the table knows a commit of ours that was read in its log. A process that slept may find a version's name free because the log was
    /// checkpointed and cleaned up beyond it: what it wrote there is in no version of the table, and only the answer, if it comes, says so.
    ///
    /// A higher number in the log may stand above ours or instead of it. Each intent names the one that it landed upon: ours is in the table if the
    /// chain from the log's number down comes to it.
    async fn goes_through(&self, number: u64) -> Result<bool, CompactError> {
        let log = self.parts.lake.head(&[&self.app_id()]).await?.and_then(|newest| self.txn(&newest));
        let mut at = log;
        while let Some(above) = at.filter(|at| *at > number) {
            let rests_below = |intent: &Intent| intent.predecessor.is_none_or(|before| before < above);
            let Some(intent) = self.intent(above).await?.filter(rests_below) else {
                let ledger = self.parts.ledger.head(&self.settings.pipeline).await?;
                return Err(NotOpened::Apart { pipeline: self.settings.pipeline.clone(), log, ledger }.into());
            };
            at = intent.predecessor;
        }
        Ok(at == Some(number))
    }

    fn describe(&self, intent: &Intent, merged: &Merged) -> Commit {
        let info = [
            ("pipeline", self.settings.pipeline.as_str().into()),
            ("intent", intent.number.into()),
            ("intentDigest", intent.digest.as_str().into()),
            ("drops", merged.drops.into()),
            ("rows", merged.rows.into()),
        ];
        Commit {
            app_id: self.app_id(),
            txn: intent.number,
            metadata: merged.metadata.clone(),
            adds: merged.adds.clone(),
            removes: Vec::new(),
            operation: "LITHIFY APPEND",
            info: info.map(|(key, value): (&str, serde_json::Value)| (key.to_owned(), value)).into(),
            at: self.parts.clock.now(),
        }
    }
}
