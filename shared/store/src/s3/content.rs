//! The bytes of one object, or of a stretch of it, as they come.
//!
//! A connection that breaks in the middle is taken up where it broke: the next request asks for the rest, of the very content that the
//! first answer began (`If-Match` on its etag).

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use drops::Timestamp;

use super::failure::Failure;
use super::over::Over;
use super::{Place, named_version, quoted, timestamp, unquoted};

/// So many connections in a row may break without bringing [`PROGRESS_BYTES`].
const BREAKS_MAX: u32 = 3;

/// What makes a connection worth having.
const PROGRESS_BYTES: u64 = 1 << 20;

/// How long to wait for the next bytes: then the connection counts as broken.
const STALL: Duration = Duration::from_secs(10);

/// How long to wait before the first of several attempts; each further one waits twice as long.
const PAUSE: Duration = Duration::from_millis(100);

/// Which bytes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stretch {
    /// All of them.
    Whole,
    /// From the first offset up to, not including, the second.
    Between(u64, u64),
    /// So many from the end, or all if there are fewer.
    Last(u64),
}

/// What to read.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub place: Place,
    /// The version; the current one if absent.
    pub version: Option<String>,
    /// The etag that it must have.
    pub etag: Option<String>,
    /// How long there is time for it.
    pub over: Over,
}

/// The bytes of an object as they come.
pub(super) struct Content {
    client: Client,
    wanted: Wanted,
    stream: ByteStream,
    /// The offset of the next byte.
    at: u64,
    /// The offset after the last.
    end: u64,
    /// The size of the whole object.
    size: u64,
    modified: Option<Timestamp>,
    version: Option<String>,
    breaks: u32,
    brought: u64,
}

/// One answer: its bytes, from where to where they go, of how many, of which content.
struct Answer {
    stream: ByteStream,
    start: u64,
    end: u64,
    size: u64,
    etag: Option<String>,
    modified: Option<Timestamp>,
    version: Option<String>,
}

impl Content {
    /// Begins to read: one request.
    pub(super) async fn open(client: &Client, mut wanted: Wanted, stretch: Stretch) -> Result<Self, Failure> {
        let answer = ask(client, &wanted, stretch).await?;
        let fits = match stretch {
            Stretch::Whole => answer.start == 0 && answer.end == answer.size,
            Stretch::Between(start, end) => (answer.start, answer.end) == (start, end),
            Stretch::Last(length) => answer.end == answer.size && answer.end - answer.start <= length,
        };
        if !fits {
            return Err(other_bytes(&wanted, &answer));
        }
        wanted.etag = answer.etag.or(wanted.etag);
        let Answer { stream, start, end, size, modified, version, .. } = answer;
        let client = client.clone();
        Ok(Self { client, wanted, stream, at: start, end, size, modified, version, breaks: 0, brought: 0 })
    }

    /// The size of the whole object in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// When the object was last modified, if S3 said it.
    pub(super) fn modified(&self) -> Option<Timestamp> {
        self.modified
    }

    /// The version that is read; none where the bucket kept no versions when the object was put.
    pub(super) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// How many bytes are still to come.
    pub(super) fn left(&self) -> u64 {
        self.end - self.at
    }

    /// The etag of what is read.
    pub(super) fn etag(&self) -> Option<&str> {
        self.wanted.etag.as_deref()
    }

    /// The next bytes; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let coming = async { Ok(tokio::time::timeout(STALL, self.stream.next()).await) };
            let broken = match self.wanted.over.limit(&self.wanted.place, coming).await? {
                Ok(Some(Ok(bytes))) if bytes.len() as u64 <= self.left() => {
                    self.at += bytes.len() as u64;
                    self.brought += bytes.len() as u64;
                    return Ok(Some(bytes));
                }
                Ok(Some(Ok(_))) => "more bytes came than were announced".to_owned(),
                // Also after the last byte, where the client holds the content against S3's checksum.
                Ok(Some(Err(error))) => drops::causes(&error),
                Ok(None) if self.left() == 0 => return Ok(None),
                Ok(None) => "the connection ended too early".to_owned(),
                Err(_) => format!("nothing came for {} seconds", STALL.as_secs()),
            };
            self.resume(&broken).await?;
        }
    }

    /// All that is still to come.
    pub(super) async fn rest(mut self) -> Result<Bytes, Failure> {
        let mut first = match self.next().await? {
            Some(first) if self.left() == 0 => {
                // What comes after the last byte is the verdict on all of them.
                return match self.next().await? {
                    None => Ok(first),
                    Some(_) => Err(self.given_up("more bytes came than were announced")),
                };
            }
            Some(first) => BytesMut::from(first.as_ref()),
            None => return Ok(Bytes::new()),
        };
        first.reserve(usize::try_from(self.left()).unwrap_or(0));
        while let Some(bytes) = self.next().await? {
            first.extend_from_slice(&bytes);
        }
        Ok(first.freeze())
    }

    /// Asks for what is still to come.
    async fn resume(&mut self, broken: &str) -> Result<(), Failure> {
        if self.brought >= PROGRESS_BYTES {
            self.breaks = 0;
        }
        self.brought = 0;
        self.breaks += 1;
        // With nothing left there is nothing to ask for: the content itself did not pass.
        if self.breaks > BREAKS_MAX || self.left() == 0 {
            return Err(self.given_up(broken));
        }
        tokio::time::sleep(PAUSE * 2_u32.saturating_pow(self.breaks - 1)).await;
        let answer = ask(&self.client, &self.wanted, Stretch::Between(self.at, self.end)).await?;
        if (answer.start, answer.end) != (self.at, self.end) {
            return Err(other_bytes(&self.wanted, &answer));
        }
        self.stream = answer.stream;
        Ok(())
    }

    fn given_up(&self, broken: &str) -> Failure {
        let Self { at, size, breaks, .. } = self;
        Failure::Other(format!(
            "GetObject {}: given up at byte {at} of {size} after {breaks} broken connections: {broken}",
            self.wanted.place
        ))
    }
}

fn other_bytes(wanted: &Wanted, answer: &Answer) -> Failure {
    Failure::Other(format!(
        "GetObject {}: S3 answered with bytes {} to {} of {}, which were not asked for",
        wanted.place, answer.start, answer.end, answer.size
    ))
}

async fn ask(client: &Client, wanted: &Wanted, stretch: Stretch) -> Result<Answer, Failure> {
    wanted.over.limit(&wanted.place, ask_once(client, wanted, stretch)).await
}

async fn ask_once(client: &Client, wanted: &Wanted, stretch: Stretch) -> Result<Answer, Failure> {
    let Wanted { place, version, etag, .. } = wanted;
    let range = match stretch {
        Stretch::Whole => None,
        Stretch::Between(start, end) => Some(format!("bytes={start}-{}", end.saturating_sub(1))),
        Stretch::Last(length) => Some(format!("bytes=-{length}")),
    };
    let request = client.get_object().bucket(&place.bucket).key(&place.key).set_version_id(version.clone());
    let request = request.set_if_match(etag.as_deref().map(quoted)).set_range(range);
    let answer = request.send().await.map_err(|error| Failure::of("GetObject", place, error))?;
    let length = answer.content_length().and_then(|length| u64::try_from(length).ok());
    let length = length.ok_or_else(|| Failure::Other(format!("GetObject {place}: S3 did not tell its size")))?;
    let (start, end, size) = match answer.content_range() {
        None => (0, length, length),
        Some(range) => parse_range(range)
            .filter(|(start, end, _)| end - start == length)
            .ok_or_else(|| Failure::Other(format!("GetObject {place}: '{range}' is no range of {length} bytes")))?,
    };
    let etag = answer.e_tag().map(|etag| unquoted(etag).to_owned());
    let modified = answer.last_modified().map(timestamp);
    let version = answer.version_id().and_then(named_version);
    Ok(Answer { stream: answer.body, start, end, size, etag, modified, version })
}

/// Reads `bytes 5-9/100` (RFC 9110, 14.4) as 5, 10, 100.
fn parse_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, size): (u64, u64, u64) = (first.parse().ok()?, last.parse().ok()?, size.parse().ok()?);
    (first <= last && last < size).then_some((first, last + 1, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(parse_range("bytes 5-9/100"), Some((5, 10, 100)));
        for bad in ["bytes 9-5/100", "bytes 5-100/100", "bytes */100", "bytes 5-9/*", "5-9/100", ""] {
            assert_eq!(parse_range(bad), None, "{bad}");
        }
    }
}
