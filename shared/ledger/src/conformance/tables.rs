//! A table's schemas and its lease.

use drops::Timestamp;

use crate::{Lease, LeaseOutcome, Ledger};

use super::support::must;

/// Versions begin at 1, have no gaps and are never written twice.
pub async fn schemas_have_no_gaps(ledger: &dyn Ledger) {
    let table = "/data/my table é";
    assert_eq!(must(ledger.newest_schema(table).await), None);
    assert!(!must(ledger.add_schema(table, 0, "zero").await));
    assert!(!must(ledger.add_schema(table, 2, "two").await), "the one below does not stand");
    assert!(must(ledger.add_schema(table, 1, "one").await));
    assert!(!must(ledger.add_schema(table, 1, "one").await), "not free: read what stands");
    assert!(!must(ledger.add_schema(table, 1, "other").await));
    assert!(!must(ledger.add_schema(table, 3, "three").await));
    let large = "{\"é\":1}".repeat(20_000);
    for number in 2..=11 {
        assert!(must(ledger.add_schema(table, number, &large).await));
    }
    assert_eq!(must(ledger.newest_schema(table).await), Some((11, large.clone())), "by value, not by text");
    assert_eq!(must(ledger.schema(table, 1).await), Some("one".to_owned()));
    assert_eq!(must(ledger.schema(table, 10).await), Some(large));
    assert_eq!(must(ledger.schema(table, 12).await), None);
    assert_eq!(must(ledger.schema("other", 1).await), None);
    assert_eq!(must(ledger.newest_schema("other").await), None);
    assert!(must(ledger.add_schema("other", 1, "one").await));
}

/// One owner at a time; every change of owner has a token above all before it; who lost the lease cannot renew or release it.
pub async fn leases_change_hands_with_a_growing_token(ledger: &dyn Ledger) {
    let lease = |owner: &str, token, expires| Lease { owner: owner.to_owned(), token, expires: Timestamp(expires) };
    let first = granted(must(ledger.acquire_lease("t", "a", Timestamp(10), None).await));
    assert_eq!((first.owner.as_str(), first.expires), ("a", Timestamp(10)));
    let token = first.token;
    assert_eq!(must(ledger.acquire_lease("t", "b", Timestamp(20), None).await), LeaseOutcome::Held(first.clone()));
    let again = must(ledger.acquire_lease("t", "a", Timestamp(11), None).await);
    assert_eq!(again, LeaseOutcome::Granted(lease("a", token, 11)), "its own, with the new time");
    assert!(must(ledger.renew_lease("t", &first, Timestamp(30)).await));
    let renewed = lease("a", token, 30);
    let stale = must(ledger.acquire_lease("t", "b", Timestamp(40), Some(&first)).await);
    assert_eq!(stale, LeaseOutcome::Held(renewed.clone()), "what was judged dead was renewed since");

    let second = granted(must(ledger.acquire_lease("t", "b", Timestamp(40), Some(&renewed)).await));
    assert_eq!(second.owner, "b");
    assert!(second.token > token, "{} > {token}", second.token);
    assert!(!must(ledger.renew_lease("t", &renewed, Timestamp(50)).await));
    must(ledger.release_lease("t", &renewed).await);
    assert_eq!(must(ledger.acquire_lease("t", "c", Timestamp(60), None).await), LeaseOutcome::Held(second.clone()));

    must(ledger.release_lease("t", &second).await);
    must(ledger.release_lease("t", &second).await);
    assert!(!must(ledger.renew_lease("t", &second, Timestamp(70)).await), "given back");
    let third = granted(must(ledger.acquire_lease("t", "b", Timestamp(80), None).await));
    assert!(third.token > second.token, "{} > {}", third.token, second.token);
    assert!(!must(ledger.renew_lease("t", &second, Timestamp(90)).await), "an older token of the same owner");
    must(ledger.release_lease("t", &second).await);
    assert_eq!(must(ledger.acquire_lease("t", "c", Timestamp(90), None).await), LeaseOutcome::Held(third.clone()));
    must(ledger.release_lease("t", &third).await);
    let fourth = granted(must(ledger.acquire_lease("t", "c", Timestamp(95), Some(&third)).await));
    assert!(fourth.token > third.token, "what was seen is gone, and nobody holds it");

    assert!(!must(ledger.renew_lease("other", &fourth, Timestamp(99)).await));
    let other = granted(must(ledger.acquire_lease("other", "a", Timestamp(1), None).await));
    assert_eq!(other.owner, "a");
}

#[track_caller]
fn granted(outcome: LeaseOutcome) -> Lease {
    match outcome {
        LeaseOutcome::Granted(lease) => lease,
        LeaseOutcome::Held(lease) => panic!("held: {lease:?}"),
    }
}
