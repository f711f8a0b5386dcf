//! Several writes of which all happen or none.
//!
//! The SDK gives a request a token that is the same in all its tries, which end within seconds; DynamoDB answers a try of what has
//! happened with success for ten minutes. Nothing rests on that alone: a call that is made again has another token, is refused by
//! what it wrote itself, and callers judge by what stands.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;
use aws_sdk_dynamodb::types::{CancellationReason, ConditionCheck, Delete, Put, TransactWriteItem};

use super::condition::Condition;
use super::door::{Door, Waits};
use super::failure::Failure;
use super::item::{Item, Key};

/// One write of a transaction.
pub(super) enum Write {
    /// Writes an item if the condition holds.
    Put(Item, Condition),
    /// Removes an item, if it is there.
    Delete(Key),
    /// Writes nothing, and demands that the condition holds.
    Check(Key, Condition),
}

/// What became of a transaction.
#[must_use]
pub(super) enum Transacted {
    /// All of it happened, by this try or by one whose answer was lost.
    Done,
    /// Nothing happened, because conditions did not hold: for each write the item that stood against it, if one did.
    Refused(Vec<Option<Item>>),
}

impl Door {
    /// Carries out up to 100 writes in one transaction.
    pub(super) async fn transact(&self, writes: Vec<Write>) -> Result<Transacted, Failure> {
        let items = writes.into_iter().map(|write| self.rendered(write)).collect::<Result<Vec<_>, _>>()?;
        let mut waits = Waits::default();
        loop {
            match self.client.transact_write_items().set_transact_items(Some(items.clone())).send().await {
                Ok(_) => return Ok(Transacted::Done),
                Err(SdkError::ServiceError(answer)) if answer.err().is_transaction_canceled_exception() => {
                    let reasons = reasons(answer.into_err());
                    if reasons.iter().any(|reason| reason.code() == Some("ConditionalCheckFailed")) {
                        return Ok(Transacted::Refused(reasons.into_iter().map(standing).collect()));
                    }
                    waits.next(cancelled(&reasons)?).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn rendered(&self, write: Write) -> Result<TransactWriteItem, Failure> {
        let item = TransactWriteItem::builder();
        let unmade = |error| Failure::lasting(format!("a request could not be made: {error}"));
        Ok(match write {
            Write::Put(content, condition) => {
                let condition = condition.rendered();
                let put = Put::builder()
                    .table_name(&self.table)
                    .set_item(Some(content))
                    .condition_expression(condition.text)
                    .set_expression_attribute_names(condition.names)
                    .set_expression_attribute_values(condition.values)
                    .return_values_on_condition_check_failure(AllOld);
                item.put(put.build().map_err(unmade)?)
            }
            Write::Delete(key) => {
                let delete = Delete::builder().table_name(&self.table).set_key(Some(key.into_item()));
                item.delete(delete.build().map_err(unmade)?)
            }
            Write::Check(key, condition) => {
                let condition = condition.rendered();
                let check = ConditionCheck::builder()
                    .table_name(&self.table)
                    .set_key(Some(key.into_item()))
                    .condition_expression(condition.text)
                    .set_expression_attribute_names(condition.names)
                    .set_expression_attribute_values(condition.values)
                    .return_values_on_condition_check_failure(AllOld);
                item.condition_check(check.build().map_err(unmade)?)
            }
        }
        .build())
    }
}

fn reasons(error: TransactWriteItemsError) -> Vec<CancellationReason> {
    match error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            cancelled.cancellation_reasons.unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn standing(reason: CancellationReason) -> Option<Item> {
    reason.item.filter(|item| !item.is_empty())
}

/// The failure of a transaction that no condition refused: it is worth another try while something else was in its way.
fn cancelled(reasons: &[CancellationReason]) -> Result<Failure, Failure> {
    let told: Vec<_> = reasons.iter().filter_map(|reason| Some((reason.code()?, reason.message()))).collect();
    let told: Vec<_> = told.into_iter().filter(|(code, _)| *code != "None").collect();
    let passing = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    let text = format!("DynamoDB cancelled a transaction ({told:?})");
    match told.iter().all(|(code, _)| passing.contains(code)) {
        true => Ok(Failure::passing(format!("{text}: try again"))),
        false => Err(Failure::lasting(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_in_the_way_is_worth_another_try() {
        let reasons = |codes: &[&str]| -> Vec<CancellationReason> {
            codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect()
        };
        for codes in [&["None", "TransactionConflict", "None"][..], &["ThrottlingError"]] {
            assert!(cancelled(&reasons(codes)).is_ok(), "{codes:?}");
        }
        for codes in [&["None", "ValidationError"][..], &["TransactionConflict", "ItemCollectionSizeLimitExceeded"]] {
            assert!(cancelled(&reasons(codes)).is_err(), "{codes:?}");
        }
    }
}
