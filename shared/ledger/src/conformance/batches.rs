//! Records of batches: the fence.

use drops::Timestamp;

use crate::{AbortOutcome, BatchRecord, Ledger, SealOutcome, StagedTotals};

use super::support::{batch, must, pipeline, sealed};

/// A batch's way: no record, staged, committed. Retries of each step are answered as the step was.
pub async fn sealed_then_committed(ledger: &dyn Ledger) {
    assert_eq!(must(ledger.batch(batch(1)).await), None);
    assert_eq!(must(ledger.seal(batch(1), &sealed("p", 1)).await), SealOutcome::Sealed);
    assert_eq!(must(ledger.seal(batch(1), &sealed("p", 1)).await), SealOutcome::Sealed, "a retry after a lost reply");
    assert_eq!(must(ledger.batch(batch(1)).await), Some(BatchRecord::Staged(sealed("p", 1))));
    assert_eq!(must(ledger.staged(&pipeline("p")).await), [(batch(1), sealed("p", 1))], "once, not twice");
    must(ledger.mark_committed(&[batch(1)], 7).await);
    must(ledger.mark_committed(&[batch(1)], 7).await);
    let committed = BatchRecord::Committed { sealed: sealed("p", 1), version: 7 };
    assert_eq!(must(ledger.batch(batch(1)).await), Some(committed.clone()));
    assert_eq!(
        must(ledger.seal(batch(1), &sealed("p", 1)).await),
        SealOutcome::Sealed,
        "a reply that was lost for long"
    );
    assert_eq!(must(ledger.batch(batch(1)).await), Some(committed));
    assert_eq!(must(ledger.staged(&pipeline("p")).await), [], "it does not come back to the list");
}

/// An abort is for ever: a seal after it is void and enters nothing in the list.
pub async fn aborted_batches_stay_void(ledger: &dyn Ledger) {
    assert_eq!(must(ledger.abort(&pipeline("p"), batch(1)).await), AbortOutcome::Aborted);
    assert_eq!(must(ledger.abort(&pipeline("p"), batch(1)).await), AbortOutcome::Aborted, "a retry after a lost reply");
    assert_eq!(must(ledger.seal(batch(1), &sealed("p", 1)).await), SealOutcome::Void);
    assert_eq!(must(ledger.seal(batch(1), &sealed("p", 1)).await), SealOutcome::Void);
    assert_eq!(must(ledger.batch(batch(1)).await), Some(BatchRecord::Aborted));
    assert_eq!(must(ledger.staged(&pipeline("p")).await), []);
    assert_eq!(must(ledger.staged_totals(&pipeline("p")).await), StagedTotals::default());
}

/// Giving up is for ever as well, and told from an abort: the first of the two stands.
pub async fn batches_that_were_given_up_say_so(ledger: &dyn Ledger) {
    assert_eq!(must(ledger.give_up(&pipeline("p"), batch(1)).await), AbortOutcome::Aborted);
    assert_eq!(
        must(ledger.give_up(&pipeline("p"), batch(1)).await),
        AbortOutcome::Aborted,
        "a retry after a lost reply"
    );
    assert_eq!(must(ledger.abort(&pipeline("p"), batch(1)).await), AbortOutcome::Stands(BatchRecord::GivenUp));
    assert_eq!(must(ledger.seal(batch(1), &sealed("p", 1)).await), SealOutcome::Void);
    assert_eq!(must(ledger.batch(batch(1)).await), Some(BatchRecord::GivenUp));
    assert_eq!(must(ledger.staged_totals(&pipeline("p")).await), StagedTotals::default());
    assert!(ledger.mark_committed(&[batch(1)], 0).await.is_err());

    assert_eq!(must(ledger.abort(&pipeline("p"), batch(2)).await), AbortOutcome::Aborted);
    assert_eq!(must(ledger.give_up(&pipeline("p"), batch(2)).await), AbortOutcome::Stands(BatchRecord::Aborted));
    assert_eq!(must(ledger.seal(batch(3), &sealed("p", 3)).await), SealOutcome::Sealed);
    let staged = BatchRecord::Staged(sealed("p", 3));
    assert_eq!(must(ledger.give_up(&pipeline("p"), batch(3)).await), AbortOutcome::Stands(staged));
    let known: Vec<_> =
        must(ledger.batches(&pipeline("p"), None, 10).await).into_iter().map(|(_, record)| record).collect();
    assert_eq!(known[..2], [BatchRecord::GivenUp, BatchRecord::Aborted]);
}

/// An abort that comes too late changes nothing and says what stands.
pub async fn sealed_batches_cannot_be_aborted(ledger: &dyn Ledger) {
    let staged = BatchRecord::Staged(sealed("p", 1));
    assert_eq!(must(ledger.seal(batch(1), &sealed("p", 1)).await), SealOutcome::Sealed);
    assert_eq!(must(ledger.abort(&pipeline("p"), batch(1)).await), AbortOutcome::Stands(staged.clone()));
    assert_eq!(must(ledger.batch(batch(1)).await), Some(staged));
    assert_eq!(must(ledger.staged_totals(&pipeline("p")).await).batches, 1);
    must(ledger.mark_committed(&[batch(1)], 0).await);
    let committed = BatchRecord::Committed { sealed: sealed("p", 1), version: 0 };
    assert_eq!(must(ledger.abort(&pipeline("p"), batch(1)).await), AbortOutcome::Stands(committed.clone()));
    assert_eq!(must(ledger.batch(batch(1)).await), Some(committed));
}

/// Two different records for one batch are a fault of the caller, and the first stays.
pub async fn another_record_for_a_sealed_batch_is_an_error(ledger: &dyn Ledger) {
    assert_eq!(must(ledger.seal(batch(1), &sealed("p", 1)).await), SealOutcome::Sealed);
    assert!(ledger.seal(batch(1), &sealed("p", 2)).await.is_err());
    assert!(ledger.seal(batch(1), &sealed("q", 1)).await.is_err());
    assert_eq!(must(ledger.batch(batch(1)).await), Some(BatchRecord::Staged(sealed("p", 1))));
    assert_eq!(must(ledger.staged(&pipeline("p")).await), [(batch(1), sealed("p", 1))]);
    assert_eq!(must(ledger.staged(&pipeline("q")).await), []);
}

/// The list is by id whatever the order of seals, per pipeline, and the totals agree with it.
pub async fn staged_ones_are_listed_and_added_up(ledger: &dyn Ledger) {
    assert_eq!(must(ledger.staged(&pipeline("p")).await), []);
    assert_eq!(must(ledger.staged_totals(&pipeline("p")).await), StagedTotals::default());
    for n in [3, 1, 4, 2] {
        assert_eq!(must(ledger.seal(batch(n), &sealed("p", n)).await), SealOutcome::Sealed);
    }
    assert_eq!(must(ledger.seal(batch(5), &sealed("q", 5)).await), SealOutcome::Sealed);
    let listed = |numbers: &[u64]| numbers.iter().map(|n| (batch(*n), sealed("p", *n))).collect::<Vec<_>>();
    assert_eq!(must(ledger.staged(&pipeline("p")).await), listed(&[1, 2, 3, 4]));
    let totals = StagedTotals {
        batches: 4,
        staged_bytes: 4 * 5_000_000_000 + 10,
        drops: 4 * 10 + 10,
        rows: 4 * 1_000 + 10,
        oldest: Some(Timestamp(2_000_000 - 4)),
    };
    assert_eq!(must(ledger.staged_totals(&pipeline("p")).await), totals);
    must(ledger.mark_committed(&[batch(4), batch(2)], 1).await);
    assert_eq!(must(ledger.staged(&pipeline("p")).await), listed(&[1, 3]));
    let left = must(ledger.staged_totals(&pipeline("p")).await);
    assert_eq!((left.batches, left.rows, left.oldest), (2, 2_004, Some(Timestamp(2_000_000 - 3))));
    assert_eq!(must(ledger.staged(&pipeline("q")).await), [(batch(5), sealed("q", 5))]);
}

/// One batch that cannot be marked leaves all others as they were, wherever in the call it stands.
pub async fn marking_is_all_or_nothing(ledger: &dyn Ledger) {
    for n in [1, 2, 3] {
        assert_eq!(must(ledger.seal(batch(n), &sealed("p", n)).await), SealOutcome::Sealed);
    }
    must(ledger.mark_committed(&[batch(3)], 5).await);
    assert_eq!(must(ledger.abort(&pipeline("p"), batch(4)).await), AbortOutcome::Aborted);
    let no_record = batch(9);
    for wrong in [no_record, batch(4), batch(3)] {
        for call in [[batch(1), batch(2), wrong], [wrong, batch(1), batch(2)]] {
            assert!(ledger.mark_committed(&call, 6).await.is_err(), "{call:?}");
        }
    }
    assert_eq!(must(ledger.batch(batch(1)).await), Some(BatchRecord::Staged(sealed("p", 1))));
    assert_eq!(must(ledger.batch(batch(4)).await), Some(BatchRecord::Aborted));
    assert_eq!(must(ledger.batch(no_record).await), None);
    assert_eq!(must(ledger.staged(&pipeline("p")).await), [1, 2].map(|n| (batch(n), sealed("p", n))));
    must(ledger.mark_committed(&[], 6).await);
    must(ledger.mark_committed(&[batch(3), batch(1), batch(2), batch(1)], 5).await);
    assert_eq!(must(ledger.staged(&pipeline("p")).await), []);
}

/// A commit can carry hundreds of batches; a retry finds them all marked.
pub async fn marking_many_and_again(ledger: &dyn Ledger) {
    for n in 0..300 {
        assert_eq!(must(ledger.seal(batch(n), &sealed("p", n)).await), SealOutcome::Sealed);
    }
    let ids: Vec<_> = (0..299).map(batch).collect();
    must(ledger.mark_committed(&ids, 2).await);
    must(ledger.mark_committed(&ids, 2).await);
    assert!(ledger.mark_committed(&ids, 3).await.is_err());
    assert_eq!(must(ledger.staged(&pipeline("p")).await), [(batch(299), sealed("p", 299))]);
    let committed = BatchRecord::Committed { sealed: sealed("p", 298), version: 2 };
    assert_eq!(must(ledger.batch(batch(298)).await), Some(committed));
}

/// Every batch of one pipeline, whatever its state, in pages by id.
pub async fn listed_by_pages(ledger: &dyn Ledger) {
    assert_eq!(must(ledger.batches(&pipeline("p"), None, 10).await), []);
    for n in [4, 2, 1] {
        assert_eq!(must(ledger.seal(batch(n), &sealed("p", n)).await), SealOutcome::Sealed);
    }
    assert_eq!(must(ledger.abort(&pipeline("p"), batch(3)).await), AbortOutcome::Aborted);
    assert_eq!(must(ledger.seal(batch(5), &sealed("q", 5)).await), SealOutcome::Sealed);
    must(ledger.mark_committed(&[batch(2)], 8).await);
    let staged = |n| (batch(n), BatchRecord::Staged(sealed("p", n)));
    let every = [
        staged(1),
        (batch(2), BatchRecord::Committed { sealed: sealed("p", 2), version: 8 }),
        (batch(3), BatchRecord::Aborted),
        staged(4),
    ];
    assert_eq!(must(ledger.batches(&pipeline("p"), None, 10).await), every);
    assert_eq!(must(ledger.batches(&pipeline("p"), None, 3).await), every[..3]);
    assert_eq!(must(ledger.batches(&pipeline("p"), Some(batch(3)), 3).await), every[3..]);
    assert_eq!(must(ledger.batches(&pipeline("p"), Some(batch(4)), 3).await), []);
    assert_eq!(must(ledger.batches(&pipeline("p"), Some(batch(1)), 1).await), every[1..2]);
    assert_eq!(must(ledger.batches(&pipeline("q"), None, 9).await).len(), 1);
}
