//! Step 3: which staged batches one commit carries, decided only after recovery.

use drops::BatchId;
use ledger::{Sealed, StagedTotals};

use crate::{CompactError, Compactor, Trigger, Until};

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

    /// The staged batches to commit, oldest first; none if nothing is due. No more than can be merged in the time that is left, though
    /// never fewer than one: a batch that takes longer than that is tried when there is most time.
    pub(crate) async fn choose(&self, trigger: Trigger, until: &Until) -> Result<Vec<(BatchId, Sealed)>, CompactError> {
        if !self.due(&self.waiting().await?, trigger) {
            return Ok(Vec::new());
        }
        let mut staged = self.parts.ledger.staged(&self.settings.pipeline).await?;
        let fit = fit(staged.iter().map(|(_, sealed)| sealed), self.settings.commit_bytes.min(until.bytes()));
        staged.truncate(fit);
        Ok(staged)
    }
}

/// How many of these one commit takes.
fn fit<'a>(staged: impl Iterator<Item = &'a Sealed>, bytes_max: u64) -> usize {
    let (mut count, mut drops, mut bytes) = (0, 0_u64, 0_u64);
    for sealed in staged.take(MAX_BATCHES) {
        (drops, bytes) = (drops.saturating_add(sealed.drops), bytes.saturating_add(sealed.staged_bytes));
        if count > 0 && (drops > MAX_DROPS || bytes > bytes_max) {
            break;
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(drops: u64, staged_bytes: u64) -> Sealed {
        Sealed {
            pipeline: "p".parse().expect("a name"),
            manifest: String::new(),
            digest: String::new(),
            drops,
            quarantined_drops: 0,
            rows: 0,
            rescued_rows: 0,
            quarantined_records: 0,
            source_bytes: 0,
            staged_bytes,
            at: drops::Timestamp(0),
        }
    }

    #[test]
    fn a_commit_takes_what_fits_and_at_least_one_batch() {
        let staged = [sealed(5, 100), sealed(5, 100), sealed(MAX_DROPS, 1)];
        assert_eq!(fit(staged.iter(), u64::MAX), 2);
        assert_eq!(fit(staged.iter(), 200), 2);
        assert_eq!(fit(staged.iter(), 199), 1);
        assert_eq!(fit([sealed(1, 0), sealed(MAX_DROPS - 1, 0), sealed(1, 0)].iter(), u64::MAX), 2);
        assert_eq!(fit(staged.iter(), 0), 1);
        assert_eq!(fit(staged[2..].iter(), 0), 1);
        assert_eq!(fit([].iter(), 9), 0);
    }
}
