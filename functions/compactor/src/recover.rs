//! Step 2: settle what was committed and not settled, and stop where ledger and log tell different histories.

use lake::{Head, LakeError};
use ledger::Intent;

use crate::{CompactError, Compactor, NotOpened};

impl Compactor {
    /// Settles every commit of ours above `head`, oldest first. Returns the table's newest version.
    pub(crate) async fn recover(&self) -> Result<Head, CompactError> {
        let app_id = self.app_id();
        let head = self.parts.lake.head(&[&app_id]).await?.ok_or_else(|| self.table_gone())?;
        let mut below = head.version + 1;
        let mut chain = Vec::new();
        for intent in self.unsettled(self.txn(&head)).await? {
            below = self.version_of(intent.number, below).await?.unwrap_or(below.saturating_sub(1));
            chain.push((intent, below));
        }
        for (intent, version) in chain.iter().rev() {
            tracing::debug!(intent = intent.number, version, "settling a commit that another process left unsettled");
            self.settle(intent, *version).await?;
        }
        Ok(head)
    }

    /// The intents above `head` that the log holds, newest first: each names its predecessor.
    pub(crate) async fn unsettled(&self, txn: Option<u64>) -> Result<Vec<Intent>, CompactError> {
        let settled = self.parts.ledger.head(&self.settings.pipeline).await?;
        let apart = || NotOpened::Apart { pipeline: self.settings.pipeline.clone(), log: txn, ledger: settled };
        let mut chain = Vec::new();
        let mut at = txn;
        while at > settled {
            let Some(number) = at else { break };
            // One that does not rest on an earlier one is damaged, and would be followed for ever.
            let rests_below = |intent: &Intent| intent.predecessor.is_none_or(|before| before < number);
            let intent = self.intent(number).await?.filter(rests_below).ok_or_else(apart)?;
            at = intent.predecessor;
            chain.push(intent);
        }
        if at == settled { Ok(chain) } else { Err(apart().into()) }
    }

    /// The version below `below` that carries an intent. Where the log's older part was cleaned up, the newest version that is gone: it was that or an
    /// earlier one; so it is below a commit that is damaged. None if no version carries it.
    async fn version_of(&self, number: u64, below: u64) -> Result<Option<u64>, CompactError> {
        let app_id = self.app_id();
        for version in (0..below).rev() {
            match self.parts.lake.read_commit(version).await {
                Ok(Some(commit)) if commit.txns.get(&app_id) == Some(&number) => return Ok(Some(version)),
                Ok(Some(_)) => {}
                Ok(None) | Err(LakeError::Gone { .. } | LakeError::Unreadable { .. }) => return Ok(Some(version)),
                Err(e) => return Err(e.into()),
            }
        }
        Ok(None)
    }

    pub(crate) fn table_gone(&self) -> NotOpened {
        NotOpened::TableGone { table: self.settings.table_address.clone() }
    }
}
