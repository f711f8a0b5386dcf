//! Lines of JSON, compressed, with a digest: a header that names the kind and counts the lines, then the lines.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::ManifestError;

/// Fast: the lines are much alike, a higher level gains little.
const COMPRESSION_LEVEL: i32 = 1;

#[derive(Serialize, Deserialize)]
struct Kind<'a> {
    kind: &'a str,
    version: u32,
}

#[derive(Serialize)]
struct FirstLine<'a, H> {
    #[serde(flatten)]
    kind: Kind<'a>,
    #[serde(flatten)]
    header: &'a H,
}

/// Collects lines.
pub(super) struct Writer {
    text: Vec<u8>,
}

impl Writer {
    pub(super) fn new<H: Serialize>(kind: &str, version: u32, header: &H) -> Result<Self, ManifestError> {
        let mut writer = Self { text: Vec::with_capacity(64 << 10) };
        writer.push(&FirstLine { kind: Kind { kind, version }, header })?;
        Ok(writer)
    }

    pub(super) fn push<T: Serialize>(&mut self, line: &T) -> Result<(), ManifestError> {
        serde_json::to_writer(&mut self.text, line).map_err(damaged)?;
        self.text.push(b'\n');
        Ok(())
    }

    /// The bytes to store and their digest.
    pub(super) fn finish(self) -> Result<(Bytes, String), ManifestError> {
        let bytes = zstd::encode_all(self.text.as_slice(), COMPRESSION_LEVEL).map_err(damaged)?;
        let digest = digest(&bytes);
        Ok((bytes.into(), digest))
    }
}

/// The text of what was stored, if its digest is this.
pub(super) fn open(bytes: &[u8], expected: &str) -> Result<Vec<u8>, ManifestError> {
    let found = digest(bytes);
    if found != expected {
        return Err(ManifestError::WrongDigest { expected: expected.to_owned(), found });
    }
    zstd::decode_all(bytes).map_err(damaged)
}

/// Lines that are being read.
pub(super) struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    /// Reads the header, if the kind and version are these.
    pub(super) fn new<H: Deserialize<'a>>(
        text: &'a [u8],
        kind: &str,
        version: u32,
    ) -> Result<(H, Self), ManifestError> {
        let mut lines = Self { rest: text };
        let first = lines.line()?;
        let found: Kind = serde_json::from_slice(first).map_err(damaged)?;
        if found.kind != kind {
            return Err(ManifestError::Damaged(format!("it is a {} where a {kind} should stand", found.kind)));
        }
        if found.version != version {
            return Err(ManifestError::UnknownVersion(found.version));
        }
        Ok((serde_json::from_slice(first).map_err(damaged)?, lines))
    }

    /// The next `count` lines.
    pub(super) fn take<T: DeserializeOwned>(&mut self, count: usize) -> Result<Vec<T>, ManifestError> {
        (0..count).map(|_| serde_json::from_slice(self.line()?).map_err(damaged)).collect()
    }

    /// Steps over `count` lines.
    pub(super) fn skip(&mut self, count: usize) -> Result<(), ManifestError> {
        (0..count).try_for_each(|_| self.line().map(drop))
    }

    /// Nothing may follow.
    pub(super) fn end(self) -> Result<(), ManifestError> {
        if self.rest.is_empty() { Ok(()) } else { Err(ManifestError::Damaged("it goes on after its last line".into())) }
    }

    fn line(&mut self) -> Result<&'a [u8], ManifestError> {
        let cut = || ManifestError::Damaged("it ends before its last line".into());
        let length = memchr::memchr(b'\n', self.rest).ok_or_else(cut)?;
        let (line, rest) = self.rest.split_at(length);
        self.rest = rest.get(1..).unwrap_or_default();
        Ok(line)
    }
}

pub(super) fn digest(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes))
}

fn damaged(error: impl std::fmt::Display) -> ManifestError {
    ManifestError::Damaged(error.to_string())
}

/// Bytes as lowercase hexadecimal text, for serde.
pub(super) mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const DIGITS: &[u8; 16] = b"0123456789abcdef";

    pub(crate) fn encode(bytes: &[u8]) -> String {
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(value(*high)? << 4 | value(*low)?),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
        bytes.ok_or_else(|| D::Error::custom(format!("'{text}' is not hexadecimal")))
    }
}
