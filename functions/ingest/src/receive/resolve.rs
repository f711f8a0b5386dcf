//! Drops whose two names lie in the sources of two pipelines: S3 is asked which of them exists, before either pipeline works.
//!
//! EventBridge's word does not say whether a key is encoded. Within one pipeline reading tells; a drop of two is one pipeline's only.

use drops::{DropId, DroppedObject};
use futures::StreamExt;
use store::ReadError;

use super::arrivals::Arrival;
use super::lanes::Lanes;
use super::{Call, Receiver};

/// How many drops are asked about at once.
const ASKED_AT_ONCE: usize = 32;

impl Receiver {
    /// Gives each such drop to its pipeline. Those of which S3 does not tell in time are marked, to come again.
    pub(super) async fn resolve(&self, drops: &mut [Arrival], lanes: &Lanes, told: &Call) {
        let disputed: Vec<usize> = (0..drops.len()).filter(|at| drops[*at].other_lane.is_some()).collect();
        if disputed.is_empty() {
            return;
        }
        disputed.iter().for_each(|at| drops[*at].unresolved = true);
        let asked: Vec<_> = disputed.iter().map(|at| (*at, drops[*at].clone())).collect();
        let asked = asked.into_iter().map(|(at, arrival)| async move { (at, which(arrival, lanes).await) });
        let mut answers = futures::stream::iter(asked).buffer_unordered(ASKED_AT_ONCE);
        let time = self.until(told.deadline) / 4;
        let all = async {
            while let Some((at, answer)) = answers.next().await {
                match answer {
                    Ok(arrival) => drops[at] = arrival,
                    Err(why) => {
                        tracing::warn!(drop = %drops[at].object.id, %why, "it cannot be told whose it is: it comes again");
                    }
                }
            }
        };
        if tokio::time::timeout(time, all).await.is_err() {
            tracing::warn!("S3 did not tell in time whose some drops are: they come again");
        }
    }
}

/// The pipeline that a drop is of: that of the name that has the etag which was notified, else of the one that exists. What neither has is
/// missing under the name that was told.
async fn which(arrival: Arrival, lanes: &Lanes) -> Result<Arrival, ReadError> {
    let resolved = |arrival: Arrival| Arrival { other_lane: None, unresolved: false, ..arrival };
    let Some(lane) = arrival.other_lane else { return Ok(resolved(arrival)) };
    let told = head(&arrival, lanes).await?;
    if told.as_ref().is_some_and(|now| fits(&arrival, now)) {
        return Ok(resolved(arrival));
    }
    let Ok(other) = Arrival::new(arrival.notification.clone().by_its_other_key(), lane, lanes) else {
        // No drop by its other name.
        return Ok(resolved(arrival));
    };
    let earlier = arrival.earlier.iter().map(|one| one.clone().by_its_other_key()).collect();
    let (messages, receives, overwritten) = (arrival.messages.clone(), arrival.receives, arrival.overwritten);
    let other = Arrival { earlier, messages, receives, overwritten, ..other };
    match head(&other, lanes).await? {
        Some(now) if fits(&other, &now) || told.is_none() => Ok(other),
        _ => Ok(resolved(arrival)),
    }
}

async fn head(arrival: &Arrival, lanes: &Lanes) -> Result<Option<DroppedObject>, ReadError> {
    let heads = &lanes.lanes[arrival.lane].heads;
    let at = |version: Option<String>| DropId { version, ..arrival.object.id.clone() };
    match heads.head(&at(arrival.notification.named_version().map(str::to_owned))).await {
        // What is no version's id says nothing of where the object lies; its pipeline finds it out again.
        Err(ReadError::NoVersionId(_)) => heads.head(&at(None)).await,
        told => told,
    }
}

fn fits(arrival: &Arrival, now: &DroppedObject) -> bool {
    arrival.notification.etag.as_ref().is_none_or(|etag| *etag == now.etag)
}
