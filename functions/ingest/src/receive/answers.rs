//! What leaves the function besides staged files: messages for other queues, waits, and the answer to Lambda.

use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse};
use drops::notification::forward_all;
use runtime::telemetry::{Metrics, Unit};

use super::arrivals::{Arrival, Arrivals};
use super::event::Message;
use super::fate::{Fate, Open, Wait};
use super::{DELAY_MAX, Lanes, Outgoing, RENEWED_AT, ReceiveError, Receiver};

impl Receiver {
    /// Sends what cannot be understood to the dead-letter queue. What that does not accept stays open; SQS moves it there in the end.
    /// Gives the last failure.
    pub(super) async fn bury(
        &self,
        arrivals: &Arrivals,
        messages: &[Message],
        lanes: &Lanes,
        open: &mut Open,
    ) -> Option<String> {
        if arrivals.not_understood.is_empty() {
            return None;
        }
        let outgoing = arrivals.not_understood.iter().map(|(at, why)| {
            tracing::error!(message_id = %messages[*at].id, %why, "sent to the dead-letter queue");
            Outgoing { body: messages[*at].body.clone(), reason: Some(why.to_string()), ..Outgoing::default() }
        });
        let sent = match &lanes.queues.dead_letter_queue {
            Some(queue) => self.queues.send(queue, outgoing.collect()).await,
            None => outgoing.map(|_| Err("the settings name no dead_letter_queue".to_owned())).collect(),
        };
        let mut failure = None;
        for (at, (message, _)) in arrivals.not_understood.iter().enumerate() {
            if let Err(why) = sent.get(at).cloned().unwrap_or_else(|| Err("there was no answer".to_owned())) {
                tracing::error!(message_id = %messages[*message].id, %why, "the dead-letter queue did not accept it");
                open.keep(*message, &messages[*message], Wait::BackOff);
                failure =
                    Some(format!("a message cannot be understood, and the dead-letter queue did not accept it: {why}"));
            }
        }
        failure
    }

    /// Sends drops to the dead-letter queue, each as a message of its own, of which S3 says that their notification cannot be right: their
    /// neighbours are not held up, and they are taken when they come back from there. Notes in `handed` which were accepted.
    pub(super) async fn bury_drops(
        &self,
        drops: &[Arrival],
        fates: &[Fate],
        handed: &mut [bool],
        lanes: &Lanes,
        metrics: &mut Metrics,
    ) {
        let not_understood = fates.iter().enumerate().filter_map(|(at, fate)| match fate {
            Fate::NotUnderstood(why) => Some((at, why)),
            _ => None,
        });
        let not_understood: Vec<(usize, &String)> = not_understood.collect();
        metrics.add(None, "UnknownMessages", Unit::Count, not_understood.len() as u64);
        let Some(queue) = lanes.queues.dead_letter_queue.as_ref().filter(|_| !not_understood.is_empty()) else {
            return;
        };
        let outgoing = not_understood.iter().map(|(at, why)| {
            tracing::error!(drop = %drops[*at].object.id, %why, "its notification cannot be right: sent to the dead-letter queue");
            Outgoing { reason: Some((*why).clone()), ..forwarded(&drops[*at]) }
        });
        let sent = self.queues.send(queue, outgoing.collect()).await;
        for ((at, _), sent) in not_understood.iter().zip(sent) {
            match sent {
                Ok(()) => handed[*at] = true,
                // It stays open; SQS moves it there in the end.
                Err(why) => {
                    tracing::error!(drop = %drops[*at].object.id, why, "the dead-letter queue did not accept it");
                }
            }
        }
    }

    /// Sends drops that are too large for this function to the other one's queue. Says of each drop whether it was accepted there.
    pub(super) async fn hand_on_large(&self, drops: &[Arrival], fates: &[Fate], lanes: &Lanes) -> Vec<bool> {
        let mut handed = vec![false; drops.len()];
        let large: Vec<usize> = (0..drops.len()).filter(|at| fates.get(*at) == Some(&Fate::Large)).collect();
        let Some(queue) = lanes.queues.large_queue.as_ref().filter(|_| !large.is_empty()) else { return handed };
        let outgoing = large.iter().map(|at| forwarded(&drops[*at]));
        let sent = self.queues.send(queue, outgoing.collect()).await;
        for (at, sent) in large.into_iter().zip(sent) {
            match sent {
                Ok(()) => handed[at] = true,
                Err(why) => {
                    tracing::error!(drop = %drops[at].object.id, why, "the queue of large drops did not accept it")
                }
            }
        }
        handed
    }

    /// Sends drops that wait for something that passes as new messages, where theirs were received often: what was denied or throttled, a
    /// closed pipeline and time that was lacking must not make a dead letter of what is well. The new message comes when the old one would
    /// have. Says of each drop whether some queue has accepted it; `handed` says it of those that were handed on.
    pub(super) async fn renew(
        &self,
        drops: &[Arrival],
        fates: &[Fate],
        handed: Vec<bool>,
        messages: &[Message],
        lanes: &Lanes,
        metrics: &mut Metrics,
    ) -> Vec<bool> {
        let mut sent = handed;
        let passes = |fate: &Fate| fate.wait().is_some() && !matches!(fate, Fate::NotUnderstood(_));
        let due = |at: &usize| drops[*at].receives >= RENEWED_AT && !sent[*at] && passes(&fates[*at]);
        let due: Vec<usize> = (0..drops.len()).filter(due).collect();
        for queue in [Some(&lanes.queues.queue), lanes.queues.large_queue.as_ref()].into_iter().flatten() {
            let is_own = |at: &usize| drops[*at].messages.iter().all(|m| is_of(&messages[*m], queue));
            let own: Vec<usize> = due.iter().copied().filter(is_own).collect();
            if own.is_empty() {
                continue;
            }
            let outgoing = own.iter().map(|at| renewed(&drops[*at], &fates[*at], messages)).collect();
            let answers = self.queues.send(queue, outgoing).await;
            for (at, answer) in own.into_iter().zip(answers) {
                match answer {
                    Ok(()) => {
                        sent[at] = true;
                        let pipeline = lanes.lanes[drops[at].lane].pipeline.name.as_str();
                        metrics.add(Some(pipeline), "Renewed", Unit::Count, 1);
                    }
                    Err(why) => tracing::warn!(drop = %drops[at].object.id, why, "not sent as a new message"),
                }
            }
        }
        sent
    }

    /// What came without a queue and is not final goes to the queue: nobody would bring it again.
    pub(super) async fn queue_what_had_none(
        &self,
        stranded: &[&Arrival],
        lanes: &Lanes,
        dead: Option<String>,
    ) -> Result<(), ReceiveError> {
        let outgoing = stranded.iter().map(|arrival| forwarded(arrival));
        let sent = if stranded.is_empty() {
            Vec::new()
        } else {
            self.queues.send(&lanes.queues.queue, outgoing.collect()).await
        };
        let accepted = sent.iter().filter(|sent| sent.is_ok()).count();
        let failure = sent.into_iter().find_map(Result::err).or(dead);
        match failure {
            Some(why) => Err(ReceiveError::NotHandedOn(why)),
            None if accepted < stranded.len() => Err(ReceiveError::NotHandedOn("the queue gave no answer".to_owned())),
            None => Ok(()),
        }
    }

    /// Lets open messages come again when there is a point in it, and not after the queue's own time.
    pub(super) async fn come_again(&self, open: &Open, messages: &[Message], lanes: &Lanes) {
        let queues = [Some(&lanes.queues.queue), lanes.queues.large_queue.as_ref()];
        for queue in queues.into_iter().flatten() {
            let own = open.all().filter(|(at, _)| is_of(&messages[*at], queue));
            let waits: Vec<_> = own.map(|(at, wait)| (messages[at].receipt.clone(), wait)).collect();
            if !waits.is_empty()
                && let Err(why) = self.queues.come_again(queue, waits).await
            {
                tracing::warn!(queue, why, "messages come again later than they could");
            }
        }
    }
}

/// A drop as a message of its own.
fn forwarded(arrival: &Arrival) -> Outgoing {
    Outgoing { body: forward_all(arrival.notifications()), ..Outgoing::default() }
}

/// A drop as a message that stands for all that brought it, and waits as they would have.
fn renewed(arrival: &Arrival, fate: &Fate, messages: &[Message]) -> Outgoing {
    let earlier_receives = arrival.messages.iter().map(|at| messages[*at].all_receives()).max().unwrap_or(0);
    let delay = fate.wait().map_or(Duration::ZERO, |wait| wait.time(earlier_receives)).min(DELAY_MAX);
    Outgoing { earlier_receives, delay, ..forwarded(arrival) }
}

/// Whether a message came through this queue: its ARN ends in the queue's name, as its address does.
fn is_of(message: &Message, queue: &str) -> bool {
    let name = message.queue.rsplit(':').next().unwrap_or_default();
    !name.is_empty() && queue.trim_end_matches('/').rsplit('/').next() == Some(name)
}

pub(super) fn answer(open: &Open, messages: &[Message]) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = open
        .all()
        .map(|(at, _)| {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = messages[at].id.clone();
            failure
        })
        .collect();
    response
}
