//! What lies under a prefix, page by page.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{EncodingType, Object};
use drops::Timestamp;
use percent_encoding::percent_decode_str;

use super::failure::Failure;
use super::{Place, timestamp, unquoted};
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
}

/// A listing of a bucket under a prefix, in the order of the keys' bytes. A page holds up to 1,000 objects and costs one request.
pub struct S3Listing {
    client: Client,
    place: Place,
    after: Option<String>,
    token: Option<String>,
    ended: bool,
}

impl S3Listing {
    /// A listing of all objects whose keys begin with `prefix`.
    pub fn new(client: Client, bucket: &str, prefix: &str) -> Self {
        let place = Place { bucket: bucket.to_owned(), key: prefix.to_owned() };
        Self { client, place, after: None, token: None, ended: false }
    }

    /// The same, beginning after this key.
    #[must_use]
    pub fn after(self, key: &str) -> Self {
        Self { after: Some(key.to_owned()), ..self }
    }

    /// The next page; `None` after the last. After an error the same page can be asked for again.
    ///
    /// # Errors
    /// When S3 does not give it, or gives what is no listing.
    pub async fn next_page(&mut self) -> Result<Option<Vec<ListedObject>>, ListError> {
        if self.ended {
            return Ok(None);
        }
        let request = self.client.list_objects_v2().bucket(&self.place.bucket).prefix(&self.place.key);
        // XML cannot hold every character that a key may have.
        let request = request.encoding_type(EncodingType::Url).set_continuation_token(self.token.clone());
        let request = request.set_start_after(self.after.clone());
        let page = match request.send().await.map_err(|error| Failure::of("ListObjectsV2", &self.place, error)) {
            Ok(page) => page,
            Err(Failure::Other(reason)) => return Err(self.failed(reason)),
            Err(_) => return Err(self.failed("there is no such bucket".to_owned())),
        };
        let encoded = page.encoding_type() == Some(&EncodingType::Url);
        let objects = page.contents().iter().map(|object| listed(object, encoded));
        let objects = objects.collect::<Result<Vec<_>, _>>().map_err(|reason| self.failed(reason))?;
        if page.is_truncated() == Some(true) {
            let token = page.next_continuation_token();
            let token = token.filter(|token| self.token.as_deref() != Some(token));
            let token = token.ok_or_else(|| self.failed("S3 says there is more, but not where".to_owned()))?;
            self.token = Some(token.to_owned());
        } else {
            self.ended = true;
        }
        Ok(Some(objects))
    }

    fn failed(&self, reason: String) -> ListError {
        ListError { place: self.place.to_string(), reason }
    }
}

fn listed(object: &Object, encoded: bool) -> Result<ListedObject, String> {
    let key = object.key().ok_or("S3 listed an object without a key")?;
    let key = if encoded { decode(key)? } else { key.to_owned() };
    let size = object.size().and_then(|size| u64::try_from(size).ok());
    let (Some(size), Some(etag), Some(modified)) = (size, object.e_tag(), object.last_modified()) else {
        return Err(format!("S3 listed {key} without its size, etag or time"));
    };
    Ok(ListedObject { key, size, etag: unquoted(etag).to_owned(), modified: timestamp(modified) })
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
