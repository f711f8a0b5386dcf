//! Step 3: which staged batches one commit carries, decided only after recovery.

use drops::BatchId;
use ledger::{Sealed, StagedTotals};

use crate::{CompactError, Compactor, Trigger};

/// The most batches of one commit: what settling holds in memory at once is one manifest, but the intent's list is one file.
const MAX_BATCHES: usize = 10_000;

/// The most drops of one commit: one file of the audit table.
const MAX_DROPS: u64 = 2_000_000;

impl Compactor {
    pub(crate) fn due(&self, waiting: &StagedTotals, trigger: Trigger) -> bool {
        let Some(oldest) = waiting.oldest else { return false };
        let waited = self.parts.clock.now().microseconds_since(oldest);
        trigger == Trigger::Now
            || waiting.staged_bytes >= self.settings.target_file_size
            || u128::from(waited) >= self.settings.longest_delay.as_micros()
    }

    /// The staged batches to commit, oldest first; none if nothing is due.
    pub(crate) async fn choose(&self, trigger: Trigger) -> Result<Vec<(BatchId, Sealed)>, CompactError> {
        if !self.due(&self.waiting().await?, trigger) {
            return Ok(Vec::new());
        }
        let mut staged = self.parts.ledger.staged(&self.settings.pipeline).await?;
        let mut drops = 0;
        let fit = staged.iter().take(MAX_BATCHES).take_while(|(_, sealed)| {
            let before = drops;
            drops += sealed.drops;
            before == 0 || drops <= MAX_DROPS
        });
        let fit = fit.count();
        staged.truncate(fit);
        Ok(staged)
    }
}
