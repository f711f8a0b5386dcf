use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, MessageAttributeValue, SendMessageBatchRequestEntry,
};
use futures::{StreamExt, TryStreamExt};

use crate::receive::{DELAY_MAX, EARLIER_RECEIVES, Outgoing, Queues};

/// The most messages of one request, by SQS's rules.
const MESSAGES: usize = 10;

/// The most bytes of one request: SQS takes 1 MiB now and took 256 KiB before, as its emulators do.
const BYTES: usize = 200 << 10;

/// The most characters of a reason.
const REASON_CHARS: usize = 500;

/// How many requests are under way at once.
const AT_ONCE: usize = 8;

/// SQS allows no longer wait.
const WAIT_MAX: Duration = Duration::from_secs(43_200);

/// Queues of SQS.
pub(super) struct SqsQueues {
    client: Client,
}

impl SqsQueues {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    async fn send_some(&self, queue: &str, messages: Vec<Outgoing>) -> Vec<Result<(), String>> {
        let count = messages.len();
        let entries: Result<Vec<_>, _> =
            messages.into_iter().enumerate().map(|(at, message)| entry(at, message)).collect();
        let entries = match entries {
            Ok(entries) => entries,
            Err(why) => return vec![Err(why); count],
        };
        let request = self.client.send_message_batch().queue_url(queue).set_entries(Some(entries));
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(e) => return vec![Err(format!("{queue}: {}", told(&e))); count],
        };
        // What is named in neither list was not accepted.
        let mut sent = vec![Err(format!("{queue}: SQS did not say what became of it")); count];
        for accepted in answer.successful() {
            if let Some(place) = place(&mut sent, accepted.id()) {
                *place = Ok(());
            }
        }
        for failed in answer.failed() {
            if let Some(place) = place(&mut sent, failed.id()) {
                *place = Err(format!("{queue}: {} {}", failed.code(), failed.message().unwrap_or_default()));
            }
        }
        sent
    }

    async fn change_some(&self, queue: &str, messages: &[(String, Duration)]) -> Result<(), String> {
        let entries: Result<Vec<_>, _> = messages
            .iter()
            .enumerate()
            .map(|(at, (receipt, wait))| {
                let seconds = i32::try_from((*wait).min(WAIT_MAX).as_secs()).unwrap_or(0);
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(at.to_string())
                    .receipt_handle(receipt)
                    .visibility_timeout(seconds)
                    .build()
                    .map_err(|e| e.to_string())
            })
            .collect();
        let request = self.client.change_message_visibility_batch().queue_url(queue).set_entries(Some(entries?));
        let answer = request.send().await.map_err(|e| format!("{queue}: {}", told(&e)))?;
        match answer.failed().first() {
            Some(failed) => Err(format!("{queue}: {} {}", failed.code(), failed.message().unwrap_or_default())),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Queues for SqsQueues {
    async fn send(&self, queue: &str, messages: Vec<Outgoing>) -> Vec<Result<(), String>> {
        let requests: Vec<_> = cut(messages).into_iter().map(|some| self.send_some(queue, some)).collect();
        let sent: Vec<Vec<_>> = futures::stream::iter(requests).buffered(AT_ONCE).collect().await;
        sent.into_iter().flatten().collect()
    }

    async fn come_again(&self, queue: &str, messages: Vec<(String, Duration)>) -> Result<(), String> {
        let requests: Vec<_> = messages.chunks(MESSAGES).map(|some| self.change_some(queue, some)).collect();
        let done: Vec<Result<(), String>> = futures::stream::iter(requests).buffered(AT_ONCE).collect().await;
        futures::stream::iter(done).try_for_each(|()| std::future::ready(Ok(()))).await
    }
}

/// Why a request failed. Of SQS's own words the first line alone: where a signature is wrong the others repeat what was to be signed, the
/// session's token included, and what is told here goes into a log.
fn told<E: ProvideErrorMetadata + std::error::Error>(error: &E) -> String {
    match (error.code(), error.message().and_then(|message| message.lines().next())) {
        (Some(code), message) => format!("SQS answered {code}: {}", message.unwrap_or("it gives no reason")),
        (None, _) => drops::causes(error),
    }
}

/// Cuts messages into requests.
fn cut(messages: Vec<Outgoing>) -> Vec<Vec<Outgoing>> {
    let (mut cut, mut bytes): (Vec<Vec<Outgoing>>, usize) = (Vec::new(), 0);
    for message in messages {
        let size = message.body.len() + message.reason.as_ref().map_or(0, String::len) + 64;
        match cut.last_mut() {
            Some(last) if last.len() < MESSAGES && bytes + size <= BYTES => {
                bytes += size;
                last.push(message);
            }
            _ => {
                bytes = size;
                cut.push(vec![message]);
            }
        }
    }
    cut
}

fn entry(at: usize, message: Outgoing) -> Result<SendMessageBatchRequestEntry, String> {
    let mut entry = SendMessageBatchRequestEntry::builder().id(at.to_string()).message_body(message.body);
    if let Some(reason) = message.reason {
        let text: String = reason.chars().take(REASON_CHARS).collect();
        let value = MessageAttributeValue::builder().data_type("String").string_value(text).build();
        entry = entry.message_attributes("lithify-reason", value.map_err(|e| e.to_string())?);
    }
    if message.earlier_receives > 0 {
        let text = message.earlier_receives.to_string();
        let value = MessageAttributeValue::builder().data_type("Number").string_value(text).build();
        entry = entry.message_attributes(EARLIER_RECEIVES, value.map_err(|e| e.to_string())?);
    }
    if !message.delay.is_zero() {
        let seconds = i32::try_from(message.delay.min(DELAY_MAX).as_secs()).unwrap_or(0);
        entry = entry.delay_seconds(seconds);
    }
    entry.build().map_err(|e| e.to_string())
}

fn place<'a, T>(sent: &'a mut [T], id: &str) -> Option<&'a mut T> {
    sent.get_mut(id.parse::<usize>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_anew_says_so_and_waits() {
        let plain = entry(0, Outgoing { body: "b".to_owned(), ..Outgoing::default() }).expect("an entry");
        assert_eq!((plain.delay_seconds(), plain.message_attributes().map(|all| all.len())), (None, None));
        let delay = Duration::from_secs(5_000);
        let anew = Outgoing { body: "b".to_owned(), earlier_receives: 6, delay, ..Outgoing::default() };
        let anew = entry(0, anew).expect("an entry");
        let attribute = &anew.message_attributes().expect("attributes")[EARLIER_RECEIVES];
        assert_eq!(
            (anew.delay_seconds(), attribute.string_value(), attribute.data_type()),
            (Some(900), Some("6"), "Number")
        );
    }

    #[test]
    fn requests_hold_ten_messages_and_so_many_bytes() {
        let message = |length: usize| Outgoing { body: "x".repeat(length), ..Outgoing::default() };
        let lengths = |messages: Vec<Outgoing>| cut(messages).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(vec![message(10); 25]), [10, 10, 5]);
        assert_eq!(lengths(vec![message(90 << 10); 5]), [2, 2, 1]);
        assert_eq!(lengths(vec![message(1), message(300 << 10), message(1)]), [1, 1, 1]);
        assert!(cut(Vec::new()).is_empty());
    }
}
