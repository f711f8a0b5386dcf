//! What leaves the function besides staged files: messages for other queues, waits, and the answer to Lambda.

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse};
use drops::notification::forward;

use super::arrivals::{Arrival, Arrivals};
use super::event::Message;
use super::fate::{Fate, Open, Wait};
use super::{Lanes, Outgoing, RENEWED_AT, ReceiveError, Receiver};

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
            Outgoing { body: messages[*at].body.clone(), reason: Some(why.to_string()) }
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

    /// Sends drops that are too large for this function to the other one's queue. Says of each drop whether it was accepted there.
    pub(super) async fn hand_on_large(&self, drops: &[Arrival], fates: &[Fate], lanes: &Lanes) -> Vec<bool> {
        let mut handed = vec![false; drops.len()];
        let large: Vec<usize> = (0..drops.len()).filter(|at| fates.get(*at) == Some(&Fate::Large)).collect();
        let Some(queue) = lanes.queues.large_queue.as_ref().filter(|_| !large.is_empty()) else { return handed };
        let outgoing = large.iter().map(|at| Outgoing { body: forward(&drops[*at].notification), reason: None });
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

    /// Sends drops whose turn did not come as new messages, where theirs were received often: time that was lacking must not make a dead
    /// letter of what is well. Says of each drop whether it was accepted.
    pub(super) async fn renew(
        &self,
        drops: &[Arrival],
        fates: &[Fate],
        messages: &[Message],
        lanes: &Lanes,
    ) -> Vec<bool> {
        let mut renewed = vec![false; drops.len()];
        let due = |at: &usize| fates.get(*at) == Some(&Fate::Again(Wait::Turn)) && drops[*at].receives >= RENEWED_AT;
        let due: Vec<usize> = (0..drops.len()).filter(due).collect();
        for queue in [Some(&lanes.queues.queue), lanes.queues.large_queue.as_ref()].into_iter().flatten() {
            let own: Vec<usize> = due
                .iter()
                .copied()
                .filter(|at| drops[*at].messages.iter().all(|m| is_of(&messages[*m], queue)))
                .collect();
            if own.is_empty() {
                continue;
            }
            let outgoing = own.iter().map(|at| Outgoing { body: forward(&drops[*at].notification), reason: None });
            let sent = self.queues.send(queue, outgoing.collect()).await;
            for (at, sent) in own.into_iter().zip(sent) {
                match sent {
                    Ok(()) => renewed[at] = true,
                    Err(why) => tracing::warn!(drop = %drops[at].object.id, why, "not sent as a new message"),
                }
            }
        }
        renewed
    }

    /// What came without a queue and is not final goes to the queue: nobody would bring it again.
    pub(super) async fn queue_what_had_none(
        &self,
        stranded: &[&Arrival],
        lanes: &Lanes,
        dead: Option<String>,
    ) -> Result<(), ReceiveError> {
        let outgoing = stranded.iter().map(|arrival| Outgoing { body: forward(&arrival.notification), reason: None });
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
