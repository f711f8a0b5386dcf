//! What must be asked before a drop can be claimed: what its notification left out, and its format where its name does not tell it.
//!
//! Most notifications leave nothing to ask. The others are asked for side by side, in a part of the invocation's time, so that whatever
//! was learned by then can still be ingested.

use std::sync::{Arc, Mutex, PoisonError};

use decode::format::{Format, Packing, Plan};
use decode::inflate::{Buffers, tell};
use drops::notification::Notification;
use drops::{DropId, DroppedObject};
use futures::StreamExt;
use ledger::Expected;
use store::ReadError;

use super::arrivals::Arrival;
use super::fate::{Fate, Wait};
use super::lanes::Lane;
use super::peek::Peeked;
use crate::{Candidate, Right};

/// How many drops are asked about at once.
const ASKED_AT_ONCE: usize = 32;

/// Asks S3 about drops.
pub(super) struct Asker<'a> {
    pub(super) lane: &'a Lane,
    pub(super) source: Arc<Peeked>,
    /// Tells when to ask no more.
    pub(super) stop: &'a (dyn Fn() -> bool + Sync),
    /// From what size on drops are not read here.
    pub(super) large: Option<u64>,
    /// Whether the source's bucket keeps versions, once an answer told.
    keeps_versions: Mutex<Option<bool>>,
}

/// A drop that can be claimed.
pub(super) struct Known {
    pub(super) candidate: Candidate,
    /// Whether S3 was asked what it is: then this is what it is now.
    pub(super) asked: bool,
}

/// A drop that is not claimed, and why it comes again, if it does.
pub(super) struct Unfit {
    pub(super) fate: Fate,
    pub(super) why: Option<String>,
}

impl From<Fate> for Unfit {
    fn from(fate: Fate) -> Self {
        Self { fate, why: None }
    }
}

impl From<ReadError> for Unfit {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Gone => Fate::Missing.into(),
            ReadError::Changed | ReadError::Passing(_) => {
                Self { fate: Fate::Again(Wait::BackOff), why: Some(error.to_string()) }
            }
        }
    }
}

impl<'a> Asker<'a> {
    pub(super) fn new(
        lane: &'a Lane,
        source: Arc<Peeked>,
        stop: &'a (dyn Fn() -> bool + Sync),
        large: Option<u64>,
    ) -> Self {
        Self { lane, source, stop, large, keeps_versions: Mutex::default() }
    }

    /// Every arrival as a candidate that nobody has claimed, or why it is none; in their order.
    pub(super) async fn all(&self, arrivals: &[Arrival]) -> Vec<Result<Known, Unfit>> {
        let asked = arrivals.iter().map(|arrival| self.one(arrival));
        futures::stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await
    }

    async fn one(&self, arrival: &Arrival) -> Result<Known, Unfit> {
        let (mut object, mut asked) = self.meant(arrival).await?;
        if self.large.is_some_and(|large| object.size >= large) {
            return Err(Fate::Large.into());
        }
        let told = match &arrival.plan {
            Plan::Known(format, packing) => Some((*format, *packing)),
            Plan::NeedsFirstBytes(packing) => {
                self.in_time()?;
                match self.tell(&object, *packing).await {
                    Err(ReadError::Gone | ReadError::Changed) => {
                        (object, asked) = (self.now_of(&object.id, arrival).await?, true);
                        self.tell(&object, *packing).await?
                    }
                    told => told?,
                }
            }
            Plan::Unknown(_) => None,
        };
        let (format, packing) = told.ok_or(Fate::Skipped)?;
        Ok(Known { candidate: Candidate { object, format, packing, right: Right::fresh(Expected::Absent) }, asked })
    }

    /// The object that a notification means, and whether S3 was asked for it. Which of two keys is meant is asked only where something must
    /// be asked anyway: else the one that was told is read, and [`Self::now_of`] tells when that was in vain.
    async fn meant(&self, arrival: &Arrival) -> Result<(DroppedObject, bool), Unfit> {
        let (mut object, notification) = (arrival.object.clone(), &arrival.notification);
        let left_out = object.etag.is_empty() || notification.size.is_none();
        let versionless = self.lane.holds_version() && notification.version_id.as_ref().is_none_or(|id| id == "null");
        let asks = left_out || (versionless && self.known_to_keep_versions() != Some(false));
        if asks && let Some(key) = self.other_key(arrival) {
            object = self.by_either_key(object, key).await?;
        }
        if versionless {
            object.id.version = None;
        }
        if left_out || (versionless && self.keeps_versions(&object.id).await?) {
            self.in_time()?;
            return Ok((self.now(&object.id).await?, true));
        }
        if versionless {
            object.id.version = Some(object.etag.clone());
        }
        Ok((object, false))
    }

    /// The key that a drop has if the one that was told is encoded.
    pub(super) fn other_key<'n>(&self, arrival: &'n Arrival) -> Option<&'n str> {
        let Notification { bucket, other_key, .. } = &arrival.notification;
        other_key.as_deref().filter(|key| self.lane.below(bucket, key).is_some())
    }

    /// Which of two keys is meant: the etag tells. The one that was told, where neither fits or both do.
    async fn by_either_key(&self, object: DroppedObject, other: &str) -> Result<DroppedObject, Unfit> {
        self.in_time()?;
        let fits = |now: &DroppedObject| object.etag.is_empty() || now.etag == object.etag;
        let of_other = DropId { key: other.to_owned(), ..object.id.clone() };
        if self.lane.heads.head(&object.id).await?.is_some_and(|now| fits(&now)) {
            return Ok(object);
        }
        match self.lane.heads.head(&of_other).await?.filter(fits) {
            Some(_) => Ok(DroppedObject { id: of_other, ..object }),
            None => Ok(object),
        }
    }

    /// What a drop is now that is not what its notification says, by the key that was told or by its other one: the etag that was notified
    /// tells, else which of them exists.
    pub(super) async fn now_of(&self, id: &DropId, arrival: &Arrival) -> Result<DroppedObject, Unfit> {
        let Some(key) = self.other_key(arrival) else { return self.now(id).await };
        let other = self.now(&DropId { key: key.to_owned(), ..id.clone() }).await;
        let fits = |now: &DroppedObject| arrival.notification.etag.as_ref().is_some_and(|etag| *etag == now.etag);
        match other {
            Ok(now) if fits(&now) => return Ok(now),
            Err(unfit) if unfit.fate != Fate::Missing => return Err(unfit),
            _ => {}
        }
        match self.now(id).await {
            Err(unfit) if unfit.fate == Fate::Missing => other,
            told => told,
        }
    }

    /// Whether the bucket keeps versions, so that a notification without one is no whole identity.
    async fn keeps_versions(&self, id: &DropId) -> Result<bool, Unfit> {
        if let Some(known) = self.known_to_keep_versions() {
            return Ok(known);
        }
        self.in_time()?;
        // Of what is gone nothing is told.
        let now = self.lane.heads.head(id).await?.ok_or(Fate::Missing)?;
        let keeps = now.id.version.is_some();
        *self.keeps_versions.lock().unwrap_or_else(PoisonError::into_inner) = Some(keeps);
        Ok(keeps)
    }

    fn known_to_keep_versions(&self) -> Option<bool> {
        *self.keeps_versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an identity names now.
    pub(super) async fn now(&self, id: &DropId) -> Result<DroppedObject, Unfit> {
        let mut object = self.lane.heads.head(id).await?.ok_or(Fate::Missing)?;
        if !self.lane.holds_version() {
            object.id.version = None;
        } else if object.id.version.is_none() {
            object.id.version = Some(object.etag.clone());
        }
        Ok(object)
    }

    async fn tell(&self, object: &DroppedObject, packing: Packing) -> Result<Option<(Format, Packing)>, ReadError> {
        let first = self.source.first_bytes(object).await?;
        Ok(tell(&mut Buffers::new(), &first, packing))
    }

    fn in_time(&self) -> Result<(), Unfit> {
        if (self.stop)() {
            return Err(Unfit { fate: Fate::Again(Wait::Turn), why: Some(super::shift::OUT_OF_TIME.to_owned()) });
        }
        Ok(())
    }
}
