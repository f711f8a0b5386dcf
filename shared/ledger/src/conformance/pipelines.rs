//! The ledger's identity; a pipeline's intents, `head` and settings.

use crate::{HeadOutcome, Ledger, PipelineSettings};

use super::support::{intent, must, pipeline, settings};

/// A ledger has an identity, and always the same.
pub async fn identity_stays(ledger: &dyn Ledger) {
    let identity = must(ledger.identity().await);
    assert!(!identity.is_empty());
    assert!(must(ledger.reserve_intent(&pipeline("p"), &intent(1, 1)).await));
    assert_eq!(must(ledger.identity().await), identity);
}

/// A number belongs to the first intent that reserved it; numbers may have gaps, and pipelines have their own.
pub async fn intents_are_immutable(ledger: &dyn Ledger) {
    let (p, q) = (pipeline("p"), pipeline("q"));
    assert_eq!(must(ledger.intent(&p, 1).await), None);
    assert!(must(ledger.reserve_intent(&p, &intent(1, 1)).await));
    assert!(must(ledger.reserve_intent(&p, &intent(1, 1)).await), "a retry after a lost reply");
    assert!(!must(ledger.reserve_intent(&p, &intent(1, 2)).await));
    assert_eq!(must(ledger.intent(&p, 1).await), Some(intent(1, 1)));
    assert!(must(ledger.reserve_intent(&q, &intent(1, 2)).await));
    assert_eq!(must(ledger.intent(&q, 1).await), Some(intent(1, 2)));
    assert!(must(ledger.reserve_intent(&p, &intent(12, 3)).await));
    assert_eq!(must(ledger.intent(&p, 12).await), Some(intent(12, 3)));
    assert_eq!(must(ledger.intent(&p, 2).await), None);
    assert_eq!(must(ledger.head(&p).await), None, "an intent is no settled one");
}

/// `head` moves forward, by any step, and never back.
pub async fn head_never_moves_back(ledger: &dyn Ledger) {
    let (p, q) = (pipeline("p"), pipeline("q"));
    assert_eq!(must(ledger.head(&p).await), None);
    assert_eq!(must(ledger.move_head(&p, 0).await), HeadOutcome::Moved);
    assert_eq!(must(ledger.head(&p).await), Some(0));
    assert_eq!(must(ledger.move_head(&p, 9).await), HeadOutcome::Moved);
    assert_eq!(must(ledger.move_head(&p, 9).await), HeadOutcome::AlreadyThere);
    assert_eq!(must(ledger.move_head(&p, 2).await), HeadOutcome::AlreadyThere);
    assert_eq!(must(ledger.head(&p).await), Some(9));
    assert_eq!(must(ledger.move_head(&p, 10).await), HeadOutcome::Moved, "by value, not by text");
    assert_eq!(must(ledger.head(&p).await), Some(10));
    assert_eq!(must(ledger.head(&q).await), None);
}

/// The first settings stand; only pipelines with settings are listed.
pub async fn settings_are_fixed_once(ledger: &dyn Ledger) {
    let p = pipeline("p");
    assert_eq!(must(ledger.settings(&p).await), None);
    assert_eq!(must(ledger.move_head(&p, 1).await), HeadOutcome::Moved);
    assert_eq!(must(ledger.settings(&p).await), None);
    assert_eq!(must(ledger.pipelines().await), [], "a head is no settings");
    assert_eq!(must(ledger.fix_settings(&p, &settings(1)).await), settings(1));
    assert_eq!(must(ledger.fix_settings(&p, &settings(1)).await), settings(1), "a retry after a lost reply");
    assert_eq!(must(ledger.fix_settings(&p, &settings(2)).await), settings(1));
    assert_eq!(must(ledger.settings(&p).await), Some(settings(1)));
    assert_eq!(must(ledger.fix_settings(&pipeline("a"), &settings(4)).await), settings(4));
    assert_eq!(must(ledger.pipelines().await), [pipeline("a"), p.clone()], "by name");
    assert_eq!(must(ledger.head(&p).await), Some(1));
}

/// Settings that an earlier build fixed get their table once; those that name one keep it.
pub async fn tables_are_entered_once(ledger: &dyn Ledger) {
    let (p, q) = (pipeline("p"), pipeline("q"));
    assert!(ledger.fix_table(&p, "one").await.is_err(), "there are no settings to enter it in");
    let without = PipelineSettings { table: None, ..settings(1) };
    assert_eq!(must(ledger.fix_settings(&p, &without).await), without);
    assert_eq!(must(ledger.settings(&p).await), Some(without.clone()));
    let with = PipelineSettings { table: Some("s3://lake/é".to_owned()), ..without };
    assert_eq!(must(ledger.fix_table(&p, "s3://lake/é").await), with);
    assert_eq!(must(ledger.fix_table(&p, "s3://lake/é").await), with, "a retry after a lost reply");
    assert_eq!(must(ledger.fix_table(&p, "two").await), with);
    assert_eq!(must(ledger.settings(&p).await), Some(with));
    assert_eq!(must(ledger.fix_settings(&q, &settings(2)).await), settings(2));
    assert_eq!(must(ledger.fix_table(&q, "two").await), settings(2));
    assert_eq!(must(ledger.pipelines().await), [p, q]);
}
