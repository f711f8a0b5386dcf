//! What lies under a prefix, page by page.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{EncodingType, Object, ObjectVersion};
use aws_smithy_types::DateTime;
use drops::Timestamp;
use percent_encoding::percent_decode_str;

use super::failure::Failure;
use super::{Place, named_version, timestamp, unquoted};
use crate::source::ListError;

/// An object as a listing tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// Its key, decoded.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its etag, without quotes.
    pub etag: String,
    /// When it was last modified.
    pub modified: Timestamp,
    /// Its version's id, where versions were asked for and it has one.
    pub version: Option<String>,
}

/// A listing of a bucket under a prefix, in the order of the keys' bytes. A page costs one request and holds up to 1,000 objects.
pub struct S3Listing {
    client: Client,
    place: Place,
    with_versions: bool,
    next: Option<Next>,
    ended: bool,
}

/// Where a listing goes on, in S3's words.
#[derive(Clone, PartialEq, Eq)]
struct Next {
    /// A token, or a key where versions are listed.
    from: String,
    version: Option<String>,
}

/// What S3 gives at once.
struct Page {
    objects: Vec<ListedObject>,
    is_last: bool,
    next: Option<Next>,
}

impl S3Listing {
    /// A listing of all objects whose keys begin with `prefix`.
    pub fn new(client: Client, bucket: &str, prefix: &str) -> Self {
        let place = Place { bucket: bucket.to_owned(), key: prefix.to_owned() };
        Self { client, place, with_versions: false, next: None, ended: false }
    }

    /// The same objects with their versions (`s3:ListBucketVersions`). S3 lists the older ones too, which are left away: they fill pages.
    #[must_use]
    pub fn with_versions(self) -> Self {
        Self { with_versions: true, ..self }
    }

    /// The next page; `None` after the last. After an error the same page can be asked for again.
    ///
    /// # Errors
    /// When S3 does not give it, or gives what is no listing.
    pub async fn next_page(&mut self) -> Result<Option<Vec<ListedObject>>, ListError> {
        if self.ended {
            return Ok(None);
        }
        let page = if self.with_versions { self.versions().await } else { self.objects().await };
        let page = match page {
            Ok(page) => page,
            Err(Failure::Other(reason)) => return Err(self.failed(reason)),
            Err(_) => return Err(self.failed("there is no such bucket".to_owned())),
        };
        if !page.is_last {
            let next = page.next.filter(|next| self.next.as_ref() != Some(next));
            self.next = Some(next.ok_or_else(|| self.failed("S3 says there is more, but not where".to_owned()))?);
        }
        self.ended = page.is_last;
        Ok(Some(page.objects))
    }

    async fn objects(&self) -> Result<Page, Failure> {
        let request = self.client.list_objects_v2().bucket(&self.place.bucket).prefix(&self.place.key);
        // XML cannot hold every character that a key may have.
        let request = request.encoding_type(EncodingType::Url);
        let request = request.set_continuation_token(self.next.clone().map(|next| next.from));
        let page = request.send().await.map_err(|error| Failure::of("ListObjectsV2", &self.place, error))?;
        let encoded = page.encoding_type() == Some(&EncodingType::Url);
        let listed = |object: &Object| {
            let (key, etag, size, modified) = (object.key(), object.e_tag(), object.size(), object.last_modified());
            listed(key_of(key, encoded)?, etag, size, modified, None)
        };
        let objects = page.contents().iter().map(listed).collect::<Result<_, _>>().map_err(Failure::Other)?;
        let next = page.next_continuation_token().map(|token| Next { from: token.to_owned(), version: None });
        Ok(Page { objects, is_last: page.is_truncated() != Some(true), next })
    }

    async fn versions(&self) -> Result<Page, Failure> {
        let (from, version) = self.next.clone().map_or((None, None), |next| (Some(next.from), next.version));
        let request = self.client.list_object_versions().bucket(&self.place.bucket).prefix(&self.place.key);
        let request = request.encoding_type(EncodingType::Url).set_key_marker(from).set_version_id_marker(version);
        let page = request.send().await.map_err(|error| Failure::of("ListObjectVersions", &self.place, error))?;
        let encoded = page.encoding_type() == Some(&EncodingType::Url);
        let listed = |object: &ObjectVersion| {
            let (key, etag, size, modified) = (object.key(), object.e_tag(), object.size(), object.last_modified());
            listed(key_of(key, encoded)?, etag, size, modified, object.version_id().and_then(named_version))
        };
        let current = page.versions().iter().filter(|object| object.is_latest() == Some(true));
        let objects = current.map(listed).collect::<Result<_, _>>().map_err(Failure::Other)?;
        let next = match page.next_key_marker() {
            Some(key) => {
                let from = key_of(Some(key), encoded).map_err(Failure::Other)?;
                Some(Next { from, version: page.next_version_id_marker().map(str::to_owned) })
            }
            None => None,
        };
        Ok(Page { objects, is_last: page.is_truncated() != Some(true), next })
    }

    fn failed(&self, reason: String) -> ListError {
        ListError { place: self.place.to_string(), reason }
    }
}

fn listed(
    key: String,
    etag: Option<&str>,
    size: Option<i64>,
    modified: Option<&DateTime>,
    version: Option<String>,
) -> Result<ListedObject, String> {
    let (Some(size), Some(etag), Some(modified)) = (size.and_then(|size| u64::try_from(size).ok()), etag, modified)
    else {
        return Err(format!("S3 listed {key} without its size, etag or time"));
    };
    Ok(ListedObject { key, size, etag: unquoted(etag).to_owned(), modified: timestamp(modified), version })
}

fn key_of(key: Option<&str>, encoded: bool) -> Result<String, String> {
    let key = key.ok_or("S3 listed an object without a key")?;
    if encoded { decode(key) } else { Ok(key.to_owned()) }
}

/// A key as S3 encodes it in listings: `+` is a space, the rest percent-encoded UTF-8.
pub(super) fn decode(key: &str) -> Result<String, String> {
    let spaced = key.replace('+', " ");
    let decoded =
        percent_decode_str(&spaced).decode_utf8().map_err(|_| format!("S3 listed {key}, which is no UTF-8"))?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_as_s3_encodes_them() {
        assert_eq!(decode("a+b%2Bc/%25%3D%C3%BC%01").unwrap(), "a b+c/%=ü\u{1}");
        assert!(decode("%FF").is_err());
    }
}
