//! Whether anything is left of a drop, for somebody who has its identity and no notification of it.

use aws_sdk_s3::types::EncodingType;
use drops::DropId;

use super::failure::Failure;
use super::listing::decode;
use super::source::{S3Source, is_etag, place};
use crate::source::ReadError;

impl S3Source {
    /// Whether there is nothing left to read of a drop. What its identity names is asked for; where that is an etag, also what has no version and
    /// that others were put over, and where it names no version and the object was deleted, whether a version stands behind the delete marker
    /// (`s3:ListBucketVersions`): a notification may name that one. Two requests, at most three.
    ///
    /// # Errors
    /// [`ReadError::Passing`] if S3 does not say.
    pub async fn is_gone(&self, id: &DropId) -> Result<bool, ReadError> {
        let etag = id.version.as_deref().filter(|version| is_etag(version));
        match (self.told(id).await, etag) {
            (Ok(now), _) if id.version.is_none() || now.id == *id => Ok(false),
            (Ok(_) | Err(Failure::Missing | Failure::Deleted | Failure::Changed), Some(etag)) => {
                let null = self.head(&DropId { version: Some("null".to_owned()), ..id.clone() }).await?;
                Ok(null.is_none_or(|null| null.etag != etag))
            }
            (Err(Failure::Deleted), None) if id.version.is_none() => Ok(!self.has_versions(id).await?),
            // S3 says where a delete marker stands; not everybody who speaks its language does. Who may not list versions is told what S3 says.
            (Err(Failure::Missing), None) if id.version.is_none() => Ok(!self.has_versions(id).await.unwrap_or(false)),
            (Ok(_) | Err(Failure::Missing | Failure::Deleted | Failure::Changed), None) => Ok(true),
            // What cannot be the id of a version is none: nothing is ever read by it.
            (Err(Failure::Untold(_)), None) if id.version.is_some() => match self.head(id).await {
                Err(ReadError::NoVersionId(_)) => Ok(true),
                told => told.map(|now| now.is_none()),
            },
            (Err(failure), _) => Err(failure.to_read()),
        }
    }

    /// Whether a key has a version that is no delete marker.
    async fn has_versions(&self, id: &DropId) -> Result<bool, ReadError> {
        let place = place(id);
        // The key itself comes first among those that begin with it.
        let request = self.client.list_object_versions().bucket(&id.bucket).prefix(&id.key);
        let request = request.encoding_type(EncodingType::Url);
        let asked = async { request.send().await.map_err(|error| Failure::of("ListObjectVersions", &place, error)) };
        let page = self.over.limit(&place, asked).await.map_err(|failure| failure.to_read())?;
        let encoded = page.encoding_type() == Some(&EncodingType::Url);
        let is_it = |key: Option<&str>| {
            key.is_some_and(|key| if encoded { decode(key).is_ok_and(|key| key == id.key) } else { key == id.key })
        };
        if page.versions().iter().any(|version| is_it(version.key())) {
            return Ok(true);
        }
        if page.is_truncated() == Some(true) && is_it(page.next_key_marker()) {
            let why = "it has so many delete markers that they fill a page: its versions were not asked for";
            return Err(ReadError::Passing(format!("ListObjectVersions {place}: {why}")));
        }
        Ok(false)
    }
}
