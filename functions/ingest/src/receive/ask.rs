//! What must be asked before a drop can be claimed: what its notification left out, and its format where its name does not tell it.
//!
//! Most notifications leave nothing to ask. The others are asked for side by side, in a part of the invocation's time, so that whatever
//! was learned by then can still be ingested.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use decode::format::{Format, Packing, Plan};
use decode::inflate::{Buffers, tell};
use drops::notification::Notification;
use drops::{DropId, DroppedObject, is_folder_marker};
use futures::StreamExt;
use futures::future::{Either, FutureExt, select};
use ledger::Expected;
use store::ReadError;

use super::Heads;
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
    /// What its objects are now.
    pub(super) heads: Arc<dyn Heads>,
    /// Tells when to ask no more.
    pub(super) stop: &'a (dyn Fn() -> bool + Sync),
    /// For how long answers are waited for: what hangs holds nobody up.
    pub(super) time: Duration,
    /// From what size on drops are not read here.
    pub(super) large: Option<u64>,
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
            ReadError::NoVersionId(why) => Fate::NotUnderstood(why).into(),
            ReadError::Changed | ReadError::Passing(_) => {
                Self { fate: Fate::Again(Wait::BackOff), why: Some(error.to_string()) }
            }
        }
    }
}

/// What S3 calls the version of an object that has none.
const NULL: &str = "null";

/// What S3 did not say.
const NO_ANSWER: &str = "S3 did not say what it is in the time that there was";

/// What is known of an arrival, or that S3 did not say it before the time was over.
async fn answered(
    asking: impl Future<Output = Result<Known, Unfit>>,
    over: impl Future<Output = ()> + Unpin,
) -> Result<Known, Unfit> {
    match select(pin!(asking), over).await {
        Either::Left((told, _)) => told,
        Either::Right(_) => Err(Unfit { fate: Fate::Again(Wait::BackOff), why: Some(NO_ANSWER.to_owned()) }),
    }
}

impl Asker<'_> {
    /// Every arrival as a candidate that nobody has claimed, or why it is none; in their order.
    pub(super) async fn all(&self, arrivals: &[Arrival]) -> Vec<Result<Known, Unfit>> {
        let over = tokio::time::sleep(self.time).boxed().shared();
        // Where it is not known, each is told when it is opened.
        let asking = tokio::time::timeout(self.time / 4, self.asks_versions(arrivals));
        let asks_versions = asking.await.unwrap_or(false);
        let mut named: HashMap<&DropId, usize> = HashMap::new();
        arrivals.iter().for_each(|arrival| *named.entry(&arrival.object.id).or_default() += 1);
        // Several may be told by one name that mean two drops: one of them by its other key.
        let is_disputed = |arrival: &Arrival| self.other_key(arrival).is_some() && named[&arrival.object.id] > 1;
        let asked = arrivals.iter().map(|arrival| {
            let one = self.one(arrival, asks_versions, is_disputed(arrival));
            answered(one, over.clone())
        });
        futures::stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await
    }

    async fn one(&self, arrival: &Arrival, asks_versions: bool, is_disputed: bool) -> Result<Known, Unfit> {
        let (mut object, mut asked) = self.meant(arrival, asks_versions, is_disputed).await?;
        Self::is_data(&object)?;
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

    /// Whether to ask of each notification without a version which one it is of, before anything is claimed. In a bucket that keeps versions
    /// most have one; of the first such object S3 is asked. That saves work and decides nothing: an object without a version says nothing
    /// of its neighbours, and what is known by its etag and has one is told when it is opened ([`store::Source::open`]).
    async fn asks_versions(&self, arrivals: &[Arrival]) -> bool {
        if arrivals.iter().any(|arrival| self.lane.holds_version() && arrival.notification.named_version().is_some()) {
            return true;
        }
        let Some(first) = arrivals.iter().find(|arrival| self.is_versionless(arrival)) else { return false };
        let now = self.now(&DropId { version: None, ..first.object.id.clone() }, &[]).await;
        now.is_ok_and(|now| !now.is_known_by_etag())
    }

    /// Whether a notification does not say the version that is part of its drop's identity.
    fn is_versionless(&self, arrival: &Arrival) -> bool {
        self.lane.holds_version() && arrival.notification.named_version().is_none()
    }

    /// The object that a notification means, and whether S3 was asked for it. Which of two keys is meant is asked only where something must
    /// be asked anyway, or where others were told by the same one: else the one that was told is read, and [`Self::now_of`] tells when that was in vain.
    async fn meant(
        &self,
        arrival: &Arrival,
        asks_versions: bool,
        is_disputed: bool,
    ) -> Result<(DroppedObject, bool), Unfit> {
        let (mut object, notification) = (arrival.object.clone(), &arrival.notification);
        let is_versionless = self.is_versionless(arrival);
        let left_out = object.etag.is_empty() || notification.size.is_none();
        let asks = left_out || (is_versionless && asks_versions) || is_disputed;
        if !asks {
            return Ok((object, false));
        }
        if is_versionless {
            object.id.version = None;
        }
        if let Some(key) = self.other_key(arrival) {
            object = self.by_either_key(object, key).await?;
        }
        self.in_time()?;
        let now = self.told_or_other(&object.id, arrival).await;
        let told = notification.etag.as_deref().filter(|_| is_versionless);
        let other = told.filter(|etag| match &now {
            Ok(now) => now.etag != **etag,
            Err(unfit) => unfit.fate == Fate::Missing,
        });
        match other {
            None => Ok((now?, true)),
            // Something was put over what was notified, or it was deleted.
            Some(etag) => Ok((self.without_version_by_either_key(&object.id, etag, arrival).await?, true)),
        }
    }

    /// As [`Self::without_version`], under the key that was chosen, else under the drop's other one.
    async fn without_version_by_either_key(
        &self,
        id: &DropId,
        etag: &str,
        arrival: &Arrival,
    ) -> Result<DroppedObject, Unfit> {
        if let Some(found) = self.without_version(id, etag).await? {
            return Ok(found);
        }
        let other = self.other_key(arrival).filter(|key| *key != id.key).ok_or(Fate::Missing)?;
        let other = DropId { key: other.to_owned(), ..id.clone() };
        Ok(self.without_version(&other, etag).await?.ok_or(Fate::Missing)?)
    }

    /// The object with this etag that has no version, as it was put before its bucket kept them or while that was suspended: S3 keeps it by the
    /// name `null` when others are put over it, and behind a delete marker. Its etag is what it is known by.
    async fn without_version(&self, id: &DropId, etag: &str) -> Result<Option<DroppedObject>, ReadError> {
        let found = self.heads.head(&DropId { version: Some(NULL.to_owned()), ..id.clone() }).await?;
        Ok(found.filter(|found| found.etag == etag).map(|found| DroppedObject {
            id: DropId { version: Some(etag.to_owned()), ..id.clone() },
            read_at: Some(NULL.to_owned()),
            ..found
        }))
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
        if self.heads.head(&object.id).await?.is_some_and(|now| fits(&now)) {
            return Ok(object);
        }
        match self.heads.head(&of_other).await?.filter(fits) {
            Some(_) => Ok(DroppedObject { id: of_other, ..object }),
            None => Ok(object),
        }
    }

    /// What stands under the key that was chosen, else under the drop's other one: what was put over the content that was notified tells neither.
    async fn told_or_other(&self, id: &DropId, arrival: &Arrival) -> Result<DroppedObject, Unfit> {
        let versions = versions_of(arrival);
        let now = self.now(id, &versions).await;
        let is_missing = now.as_ref().is_err_and(|unfit| unfit.fate == Fate::Missing);
        match self.other_key(arrival).filter(|key| is_missing && *key != id.key) {
            Some(other) => self.now(&DropId { key: other.to_owned(), ..id.clone() }, &versions).await,
            None => now,
        }
    }

    /// What a drop is now that is not what its notification says, by the key that was told or by its other one: the etag that was notified
    /// tells, else which of them exists.
    pub(super) async fn now_of(&self, id: &DropId, arrival: &Arrival) -> Result<DroppedObject, Unfit> {
        let versions = versions_of(arrival);
        let Some(key) = self.other_key(arrival) else { return self.now(id, &versions).await };
        let other = self.now(&DropId { key: key.to_owned(), ..id.clone() }, &versions).await;
        let fits = |now: &DroppedObject| arrival.notification.etag.as_ref().is_some_and(|etag| *etag == now.etag);
        match other {
            Ok(now) if fits(&now) => return Ok(now),
            Err(unfit) if !matches!(unfit.fate, Fate::Missing | Fate::Skipped) => return Err(unfit),
            _ => {}
        }
        match self.now(id, &versions).await {
            Err(unfit) if unfit.fate == Fate::Missing => other,
            told => told,
        }
    }

    /// What an identity names now. Where it names no version and there is no current object, it is the first of the versions that were notified
    /// that there is: a delete marker stands before it, and it is not gone.
    pub(super) async fn now(&self, id: &DropId, notified: &[&str]) -> Result<DroppedObject, Unfit> {
        if self.lane.holds_version() {
            let Some(mut object) = self.heads.head(id).await? else {
                // What is no version that was notified is an etag.
                let etag = id.version.as_deref().filter(|version| !notified.contains(version));
                let Some(etag) = etag else { return Err(Fate::Missing.into()) };
                return Ok(self.without_version(id, etag).await?.ok_or(Fate::Missing)?);
            };
            Self::is_data(&object)?;
            object.id.version.get_or_insert_with(|| object.etag.clone());
            return Ok(object);
        }
        let versions = std::iter::once(None).chain(notified.iter().map(|version| Some((*version).to_owned())));
        for read_at in versions {
            let asked = DropId { version: read_at.clone(), ..id.clone() };
            if let Some(object) = self.heads.head(&asked).await? {
                Self::is_data(&object)?;
                return Ok(DroppedObject { id: id.clone(), read_at, ..object });
            }
        }
        Err(Fate::Missing.into())
    }

    /// What stands for a folder is no drop. That it is empty may be told by S3 alone.
    fn is_data(object: &DroppedObject) -> Result<(), Fate> {
        if is_folder_marker(&object.id.key, object.size) { Err(Fate::Skipped) } else { Ok(()) }
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

/// The versions that notifications of a drop name, the last one's first. The word `null` counts: S3 finds that by this name.
pub(super) fn versions_of(arrival: &Arrival) -> Vec<&str> {
    arrival.notifications().filter_map(|notification| notification.version_id.as_deref()).collect()
}
