//! The requests to DynamoDB, each with what makes its answer certain.
//!
//! The SDK repeats what was throttled or got no answer. A conditional write whose first answer was lost then fails against itself; so a
//! refusal always brings the item that stands (`ReturnValuesOnConditionCheckFailure`), at no further request, and callers judge by it.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::condition::Condition;
use super::failure::Failure;
use super::item::{Item, Key, text};

/// Tries of one request. With the waits below, a request is given up after about five seconds of refusals: a batch that is lost for a
/// hiccup of DynamoDB costs its drops a claim time.
const TRIES: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(25);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// How long one try may take where the client sets nothing: DynamoDB answers in milliseconds, and a connection that died must not take
/// the whole invocation with it. A small function opens its connections slowly.
const TRY_TIME: Duration = Duration::from_secs(10);

/// The table, and the client that asks it.
pub(super) struct Door {
    pub(super) client: Client,
    pub(super) table: String,
}

/// What became of a conditional write.
#[must_use]
pub(super) enum Written {
    /// It happened.
    Done,
    /// It did not, because of the item that stands, if one does.
    Refused(Option<Item>),
}

impl Door {
    /// Takes the client with its credentials and connections, and this ledger's own way of trying again.
    pub(super) fn new(client: &Client, table: String) -> Self {
        let retries = RetryConfig::standard()
            .with_max_attempts(TRIES)
            .with_initial_backoff(FIRST_WAIT)
            .with_max_backoff(LONGEST_WAIT);
        // The SDK's bucket stops all tries of a client after a hundred throttled requests, which a burst of claims on a table that
        // has yet to grow reaches at once. What bounds the tries here is their number and the number of requests in flight.
        let partition = RetryPartition::custom("lithify-ledger").token_bucket(TokenBucket::unlimited()).build();
        let given = client.config().timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled);
        let try_time = given.operation_attempt_timeout().unwrap_or(TRY_TIME);
        let timeouts = given.to_builder().operation_attempt_timeout(try_time).build();
        let config = client.config().to_builder().retry_config(retries).retry_partition(partition);
        Self { client: Client::from_conf(config.timeout_config(timeouts).build()), table }
    }

    /// One item.
    pub(super) async fn get(&self, key: Key) -> Result<Option<Item>, Failure> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        Ok(request.set_key(Some(key.into_item())).send().await?.item)
    }

    /// Writes one item if the condition holds: one request, whatever the outcome.
    pub(super) async fn put(&self, item: Item, condition: Condition) -> Result<Written, Failure> {
        let condition = condition.rendered();
        let mut waits = Waits::default();
        loop {
            let request = self
                .client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(item.clone()))
                .condition_expression(&condition.text)
                .set_expression_attribute_names(condition.names.clone())
                .set_expression_attribute_values(condition.values.clone())
                .return_values_on_condition_check_failure(AllOld);
            match request.send().await {
                Ok(_) => return Ok(Written::Done),
                Err(error) => match refusal(error)? {
                    Refusal::Stands(item) => return Ok(Written::Refused(item)),
                    Refusal::Conflict(failure) => waits.next(failure).await?,
                },
            }
        }
    }

    /// The items under a partition key whose sort key begins with `prefix`, in its order. All of them, or with `newest` the last alone.
    pub(super) async fn query(&self, pk: &str, prefix: &str, newest: bool) -> Result<Vec<Item>, Failure> {
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let mut request = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .scan_index_forward(!newest)
                .set_limit(newest.then_some(1))
                .expression_attribute_values(":pk", text(pk))
                .set_exclusive_start_key(from);
            request = if prefix.is_empty() {
                request.key_condition_expression("pk = :pk")
            } else {
                let prefix = text(prefix);
                request
                    .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
                    .expression_attribute_values(":sk", prefix)
            };
            let page = request.send().await?;
            found.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key.filter(|key| !key.is_empty());
            if from.is_none() || (newest && !found.is_empty()) {
                return Ok(found);
            }
        }
    }
}

/// Why a single write did not happen.
enum Refusal {
    Stands(Option<Item>),
    Conflict(Failure),
}

fn refusal(error: SdkError<PutItemError, HttpResponse>) -> Result<Refusal, Failure> {
    match error.as_service_error() {
        // DynamoDB tells the absence of an item by an absent or an empty map.
        Some(PutItemError::ConditionalCheckFailedException(refused)) => {
            Ok(Refusal::Stands(refused.item().filter(|item: &&HashMap<_, _>| !item.is_empty()).cloned()))
        }
        Some(PutItemError::TransactionConflictException(_)) => Ok(Refusal::Conflict(error.into())),
        _ => Err(error.into()),
    }
}

/// The waits between tries that the SDK does not make: for a transaction on the same item to end, and for the rest of an
/// answer.
#[derive(Default)]
pub(super) struct Waits(u32);

impl Waits {
    /// Waits longer every time, and gives up with this failure after as many tries as a request has.
    pub(super) async fn next(&mut self, failure: Failure) -> Result<(), Failure> {
        self.0 += 1;
        if self.0 >= TRIES {
            return Err(failure);
        }
        tokio::time::sleep((FIRST_WAIT * 2_u32.pow(self.0 - 1)).min(LONGEST_WAIT)).await;
        Ok(())
    }

    /// Begins anew after a try that got something done.
    pub(super) fn begin_anew(&mut self) {
        self.0 = 0;
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::error::{ConditionalCheckFailedException, TransactionConflictException};

    use super::*;

    #[test]
    fn a_write_in_the_way_of_a_transaction_is_tried_again() {
        let answer = || HttpResponse::new(400_u16.try_into().unwrap(), "".into());
        let conflict = TransactionConflictException::builder().build();
        let conflict = SdkError::service_error(PutItemError::TransactionConflictException(conflict), answer());
        assert!(matches!(refusal(conflict), Ok(Refusal::Conflict(_))));
        let stands = ConditionalCheckFailedException::builder().build();
        let stands = SdkError::service_error(PutItemError::ConditionalCheckFailedException(stands), answer());
        assert!(matches!(refusal(stands), Ok(Refusal::Stands(None))));
        assert!(refusal(SdkError::timeout_error("late")).is_err());
    }
}
