//! The contract of [`Ledger`] as checks that every ledger runs; a check panics where the contract is broken.
//!
//! [`all`] runs each on a fresh ledger. The races need a runtime with several threads to be worth much.

#![allow(clippy::panic, reason = "a check that fails panics: this is test code that other crates can call")]

use std::{future::Future, sync::Arc};

use crate::Ledger;

pub mod batches;
pub mod claims;
pub mod pipelines;
pub mod races;
mod support;
pub mod tables;

#[cfg(all(test, feature = "dynamodb"))]
pub(crate) use support::{batch, intent, sealed, settings};

/// Runs every check, each on a ledger of its own that `make` makes.
pub async fn all<L, F, Fut>(make: F)
where
    L: Ledger + 'static,
    F: Fn() -> Fut,
    Fut: Future<Output = L>,
{
    macro_rules! each {
        ($($check:path),+ $(,)?) => { $($check(&make().await).await;)+ };
    }
    macro_rules! each_race {
        ($($check:path),+ $(,)?) => { $($check(Arc::new(make().await)).await;)+ };
    }
    each!(
        claims::granted_once_and_again_on_a_retry,
        claims::taken_over_only_from_the_named_batch,
        claims::taken_over_from_nothing_is_an_error,
        claims::each_by_itself_and_in_order,
        claims::keys_come_back_as_they_were,
        claims::pipelines_do_not_mix,
        claims::ten_thousand_in_one_call,
        batches::sealed_then_committed,
        batches::aborted_batches_stay_void,
        batches::batches_that_were_given_up_say_so,
        batches::sealed_batches_cannot_be_aborted,
        batches::another_record_for_a_sealed_batch_is_an_error,
        batches::staged_ones_are_listed_and_added_up,
        batches::marking_is_all_or_nothing,
        batches::marking_many_and_again,
        batches::listed_by_pages,
        pipelines::identity_stays,
        pipelines::intents_are_immutable,
        pipelines::head_never_moves_back,
        pipelines::settings_are_fixed_once,
        pipelines::tables_are_entered_once,
        tables::schemas_have_no_gaps,
        tables::leases_change_hands_with_a_growing_token,
    );
    each_race!(
        races::one_claim,
        races::one_take_over,
        races::seal_against_abort,
        races::one_version_for_a_batch,
        races::one_intent_number,
        races::head_only_grows,
        races::one_set_of_settings,
        races::one_table,
        races::one_schema_number,
        races::one_lease,
    );
}
