//! Which format and compression a drop has: told by its name, then by its first bytes, unless the pipeline says it.
//!
//! A name is enough for nearly every drop, so listing a source opens no file. Only a name that says nothing
//! (`orders+0+0000000012`, Kafka Connect's `.bin`, `events.log`) asks for a look inside ([`crate::inflate::tell`]), and a name
//! with an ending that is not ours is left alone: it is skipped unclaimed and counted by its extension.
//!
//! A compression that a name says is a first guess: what the content's first bytes say counts (`.json` files that were
//! compressed without being renamed are common, and so are `.gz` files that a transfer has unpacked).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How many bytes from a drop's beginning are enough to tell its format: zstd gives nothing before a whole block, which may
/// take 128 KiB.
pub const FIRST_BYTES: usize = 192 << 10;

/// Longest ending of a name that is taken for an extension, in bytes.
const MAX_EXTENSION_BYTES: usize = 16;

/// How the records of a drop are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON (RFC 8259): one object a line, arrays of objects, or objects one after another.
    Json,
    /// CSV (RFC 4180) with a header.
    Csv,
}

/// How the bytes of a drop are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip (RFC 1952), of one member or several.
    Gzip,
    /// Zstandard (RFC 8878), of one frame or several.
    Zstd,
}

/// A word that names no format or compression of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is no {what} that can be read; choose one of {choices}")]
pub struct UnknownWord {
    word: String,
    what: &'static str,
    choices: &'static str,
}

/// What is believed of a drop's compression before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// The compression.
    pub compression: Compression,
    /// Whether the pipeline's settings say it: then it holds, else unmistakable first bytes overrule it.
    pub given: bool,
}

/// What a name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Both.
    Known(Format, Compression),
    /// The compression at most; the content must tell the format.
    Silent(Compression),
    /// A format that is not ours, with the extension that says so.
    Other(String),
}

/// How to go on with a drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Read it as this.
    Known(Format, Packing),
    /// Look at its first [`FIRST_BYTES`] with [`crate::inflate::tell`].
    NeedsFirstBytes(Packing),
    /// Skip it and count it under this extension.
    Unknown(String),
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Json, Self::Csv];

    /// The word for it in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }
}

impl Compression {
    /// Every compression.
    pub const ALL: [Self; 3] = [Self::None, Self::Gzip, Self::Zstd];

    /// The word for it in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

impl Packing {
    /// A compression that the pipeline's settings say.
    pub fn given(compression: Compression) -> Self {
        Self { compression, given: true }
    }

    /// A compression that a name says.
    pub fn named(compression: Compression) -> Self {
        Self { compression, given: false }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL.into_iter().find(|format| format.as_str() == word);
        found.ok_or_else(|| UnknownWord { word: word.to_owned(), what: "format", choices: "json, csv" })
    }
}

impl FromStr for Compression {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL.into_iter().find(|compression| compression.as_str() == word);
        found.ok_or_else(|| UnknownWord { word: word.to_owned(), what: "compression", choices: "none, gzip, zstd" })
    }
}

/// How to go on with a drop, from its key and from what the pipeline's settings say.
pub fn plan(key: &str, format: Option<Format>, compression: Option<Compression>) -> Plan {
    let named = by_name(key);
    let packing = match (compression, &named) {
        (Some(given), _) => Packing::given(given),
        (None, Named::Known(_, compression) | Named::Silent(compression)) => Packing::named(*compression),
        (None, Named::Other(_)) => Packing::named(split_compression(file_name(key)).1),
    };
    match (format, named) {
        (Some(format), _) | (None, Named::Known(format, _)) => Plan::Known(format, packing),
        (None, Named::Silent(_)) => Plan::NeedsFirstBytes(packing),
        (None, Named::Other(extension)) => Plan::Unknown(extension),
    }
}

/// What a key's last part says of format and compression. Case does not matter.
pub fn by_name(key: &str) -> Named {
    let (stem, compression) = split_compression(file_name(key));
    let Some(extension) = last_extension(stem) else { return Named::Silent(compression) };
    match extension.to_ascii_lowercase().as_str() {
        "json" | "jsonl" | "jsonlines" | "ndjson" => Named::Known(Format::Json, compression),
        "csv" => Named::Known(Format::Csv, compression),
        // What programs of any kind append to names. CSV has no first bytes of its own, so only JSON is told behind them.
        "bin" | "dat" | "data" | "log" | "txt" | "text" | "out" | "bak" | "old" | "orig" | "raw" => {
            Named::Silent(compression)
        }
        _ => Named::Other(extension_of(key)),
    }
}

/// Whether a key's last part says that each line is a record: `.jsonl`, `.jsonlines`, `.ndjson`, compressed or not.
pub fn says_lines(key: &str) -> bool {
    let (stem, _) = split_compression(file_name(key));
    let says = |extension: &str| {
        let is = |name| extension.eq_ignore_ascii_case(name);
        is("jsonl") || is("jsonlines") || is("ndjson")
    };
    last_extension(stem).is_some_and(says)
}

/// The extension under which a key is counted, in lower case, with that of its compression: `json.gz`; empty if it has
/// none.
pub fn extension_of(key: &str) -> String {
    let name = file_name(key);
    let (stem, compression) = split_compression(name);
    let mut extension = last_extension(stem).unwrap_or_default().to_ascii_lowercase();
    if compression != Compression::None {
        let packed = name[stem.len()..].to_ascii_lowercase();
        extension.push_str(if extension.is_empty() { packed.trim_start_matches('.') } else { &packed });
    }
    extension
}

/// The compression that begins with these bytes, if its magic number stands there. No text begins like that.
pub fn by_first_bytes(first: &[u8]) -> Option<Compression> {
    match first {
        [0x1f, 0x8b, 0x08, ..] => Some(Compression::Gzip),
        // A frame, or a skippable frame as parallel compressors write it first.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Zstd),
        _ => None,
    }
}

/// Whether decompressed content begins as JSON records do: with an object, or an array of objects or arrays, after blanks and a
/// byte order mark. What only looks so is none: a log's `[2026-01-01]`, a template's `{{` or `{%`, RTF's `{\\rtf`.
pub fn begins_like_json(content: &[u8]) -> bool {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let Some((first, rest)) = content.trim_ascii_start().split_first() else { return false };
    let next = rest.trim_ascii_start().first();
    match first {
        b'{' => !matches!(next, Some(b'{' | b'%' | b'\\' | b'#' | b'$')),
        b'[' => matches!(next, None | Some(b'{' | b'[' | b']')),
        _ => false,
    }
}

fn file_name(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// A name without the ending of its compression, and the compression.
fn split_compression(name: &str) -> (&str, Compression) {
    let compression = match last_extension(name).map(str::to_ascii_lowercase).as_deref() {
        Some("gz" | "gzip") => Compression::Gzip,
        Some("zst" | "zstd") => Compression::Zstd,
        _ => return (name, Compression::None),
    };
    (name.rsplit_once('.').map_or(name, |(stem, _)| stem), compression)
}

/// The part after the last point where it can be meant as an extension: short, letters and digits, not digits alone.
/// `orders.2024-01-01` and `com.acme.orders+0+0000000012` have none.
fn last_extension(name: &str) -> Option<&str> {
    let (_, extension) = name.rsplit_once('.')?;
    let plausible = extension.len() <= MAX_EXTENSION_BYTES
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && extension.bytes().any(|byte| byte.is_ascii_alphabetic());
    plausible.then_some(extension)
}

#[cfg(test)]
mod tests;
