//! Drops that are objects in a bucket.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use bytes::{Buf, Bytes};
use drops::{DropId, DroppedObject, Timestamp};

use super::content::{Content, Stretch, Wanted};
use super::failure::Failure;
use super::over::Over;
use super::stream::{BUFFER_BYTES, StreamedObject};
use super::{Place, named_version, quoted, timestamp, unquoted};
use crate::source::{OpenObject, ReadAhead, ReadError, Source};

/// Objects up to this size are read whole when they are opened.
const SMALL_BYTES: u64 = 1 << 20;

/// What a connection holds besides, in buffers of its own.
const CONNECTION_BYTES: u64 = 512 << 10;

/// Objects of S3 as a source. The bucket is each drop's own.
///
/// One request opens a drop: the version that its identity names, and only with the etag that it was notified or listed with. Its answer tells
/// whether an object that is known by its etag has a version after all: then it is no drop of that identity.
#[derive(Clone)]
pub struct S3Source {
    pub(super) client: Client,
    ahead: ReadAhead,
    pub(super) over: Over,
}

impl S3Source {
    /// A source that opens so many objects ahead of their turn, which may hold so many bytes together.
    pub fn new(client: Client, objects_ahead: usize, bytes_ahead: u64) -> Self {
        let bytes_per_object = SMALL_BYTES.max(BUFFER_BYTES + CONNECTION_BYTES);
        let ahead = ReadAhead { objects: objects_ahead, bytes: bytes_ahead, bytes_per_object };
        Self { client, ahead, over: Over::default() }
    }

    /// The same for somebody who has this much time. Must be called within a runtime.
    #[must_use]
    pub fn in_time(&self, time: Duration) -> Self {
        Self { over: Over::after(time), ..self.clone() }
    }

    /// What an identity names now: its etag, size and time, and its version if it has one, also where the identity was said to be an etag.
    /// `None` if there is no such object (or version).
    ///
    /// # Errors
    /// [`ReadError::Passing`] if S3 does not say; [`ReadError::NoVersionId`] if the identity's version cannot be one.
    pub async fn head(&self, id: &DropId) -> Result<Option<DroppedObject>, ReadError> {
        match self.told(id).await {
            Ok(object) => Ok(Some(object)),
            // Another etag: the content that this identity names is gone.
            Err(Failure::Missing | Failure::Deleted | Failure::Changed) => Ok(None),
            Err(Failure::Untold(reason)) if version_of(id).is_some() => Err(self.why_untold(id, reason).await),
            Err(failure) => Err(failure.to_read()),
        }
    }

    /// What S3 tells of an identity, by one request.
    pub(super) async fn told(&self, id: &DropId) -> Result<DroppedObject, Failure> {
        let (version, place) = (version_of(id), place(id));
        let etag = id.version.as_deref().filter(|_| version.is_none());
        let request = self.client.head_object().bucket(&id.bucket).key(&id.key);
        let request = request.set_version_id(version.map(str::to_owned)).set_if_match(etag.map(quoted));
        let asked = async { request.send().await.map_err(|error| Failure::of("HeadObject", &place, error)) };
        let head = self.over.limit(&place, asked).await?;
        let size = head.content_length().and_then(|size| u64::try_from(size).ok());
        let (Some(etag), Some(size), Some(modified)) = (head.e_tag(), size, head.last_modified()) else {
            return Err(Failure::Other(format!("HeadObject {place}: S3 did not tell etag, size and time")));
        };
        let (etag, modified) = (unquoted(etag).to_owned(), timestamp(modified));
        let mut id = id.clone();
        if version.is_none() {
            id.version = head.version_id().and_then(named_version).or(id.version);
        }
        Ok(DroppedObject { id, etag, size, modified, read_at: None })
    }

    /// Why S3 refuses to tell of a version: asked for its last byte, it says it in words. `reason` where even then there are none.
    async fn why_untold(&self, id: &DropId, reason: String) -> ReadError {
        let wanted = Wanted { place: place(id), version: id.version.clone(), etag: None, over: self.over.clone() };
        match Content::open(&self.client, wanted, Stretch::Last(1)).await {
            Ok(_) | Err(Failure::OutOfRange) => ReadError::Passing(reason),
            Err(failure) => failure.to_read(),
        }
    }
}

pub(super) fn place(id: &DropId) -> Place {
    Place { bucket: id.bucket.clone(), key: id.key.clone() }
}

/// The version of the bucket that an identity names, where it is no etag.
fn version_of(id: &DropId) -> Option<&str> {
    id.version.as_deref().filter(|version| !is_etag(version))
}

/// Whether the version of an identity is an etag, as it is where the bucket keeps no versions: 32 hexadecimal digits, and for an object
/// that came in parts their number. No service makes its version ids like this.
pub(super) fn is_etag(version: &str) -> bool {
    let (digest, parts) = version.split_once('-').unwrap_or((version, "1"));
    let is_hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    digest.len() == 32
        && digest.bytes().all(is_hexadecimal)
        && !parts.is_empty()
        && parts.bytes().all(|byte| byte.is_ascii_digit())
}

#[async_trait]
impl Source for S3Source {
    async fn open(&self, object: &DroppedObject) -> Result<Box<dyn OpenObject>, ReadError> {
        let etag = unquoted(&object.etag);
        let of_identity = object.id.version.clone().filter(|version| version != etag);
        let is_known_by_etag = object.id.version.is_some() && of_identity.is_none();
        let wanted = Wanted {
            place: place(&object.id),
            version: of_identity.or_else(|| object.read_at.clone()),
            etag: (!etag.is_empty()).then(|| etag.to_owned()),
            over: self.over.clone(),
        };
        let content = Content::open(&self.client, wanted, Stretch::Whole).await.map_err(|failure| failure.to_read())?;
        if is_known_by_etag && content.version().is_some() {
            return Err(ReadError::Changed);
        }
        if content.size() > SMALL_BYTES {
            return Ok(Box::new(StreamedObject::begin(content)));
        }
        let modified = content.modified();
        let bytes = content.rest().await.map_err(|failure| failure.to_read())?;
        Ok(Box::new(SmallObject { bytes, modified }))
    }

    fn read_ahead(&self) -> ReadAhead {
        self.ahead
    }

    fn within(&self, time: Duration) -> Option<Arc<dyn Source>> {
        Some(Arc::new(self.in_time(time)))
    }
}

/// An object in memory: read to its end, under the etag that was asked for.
struct SmallObject {
    bytes: Bytes,
    modified: Option<Timestamp>,
}

impl Read for SmallObject {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.bytes.len());
        self.bytes.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

impl OpenObject for SmallObject {
    fn verify(&mut self) -> Result<(), ReadError> {
        Ok(())
    }

    fn modified(&self) -> Option<Timestamp> {
        self.modified
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_told_from_a_version() {
        for etag in ["d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e-12"] {
            assert!(is_etag(etag), "{etag}");
        }
        for version in [
            "null",
            "3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "d41d8cd98f00b204e9800998ecf8427e-",
        ] {
            assert!(!is_etag(version), "{version}");
        }
    }
}
