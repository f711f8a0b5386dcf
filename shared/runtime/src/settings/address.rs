//! Addresses on S3 and of services: what they may be, and one text for each place.

use std::fmt;

/// What an address on S3 begins with.
const SCHEME: &str = "s3://";

/// The most bytes of a key, by S3's user guide.
const MAX_KEY_BYTES: usize = 1024;

/// A place on S3.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct S3Address {
    /// The bucket.
    pub bucket: String,
    /// What the keys begin with: empty, or with `/` at its end where it is a source's, without where it is a table's.
    pub path: String,
}

impl fmt::Display for S3Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.path)
    }
}

impl S3Address {
    /// Whether a text is meant as an address on S3.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// Reads `s3://bucket/key` as it stands; the path may be empty.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| format!("{text} does not begin with {SCHEME}"))?;
        let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
        check_bucket(bucket)?;
        if path.len() > MAX_KEY_BYTES {
            return Err(format!("its path has {} bytes, a key on S3 has {MAX_KEY_BYTES} at most", path.len()));
        }
        Ok(Self { bucket: bucket.to_owned(), path: path.to_owned() })
    }

    /// Reads a source's address: everything whose key begins with its path, which ends in `/` unless it is empty.
    ///
    /// # Errors
    /// As for [`S3Address::parse`].
    pub fn source(text: &str) -> Result<Self, String> {
        let mut address = Self::parse(text)?;
        if !address.path.is_empty() && !address.path.ends_with('/') {
            address.path.push('/');
        }
        if address.path.starts_with('/') {
            return Err(format!("{text} begins with '//': S3 takes the second '/' for a part of the key"));
        }
        Ok(address)
    }

    /// Reads a table's address: a folder in a bucket, which is not the bucket itself.
    ///
    /// # Errors
    /// As for [`S3Address::parse`]; parts that are empty, `.` or `..`; what readers take for another place ([`readers_find`]).
    pub fn table(text: &str) -> Result<Self, String> {
        let mut address = Self::parse(text)?;
        address.path.truncate(address.path.trim_end_matches('/').len());
        if address.path.is_empty() {
            return Err(format!("{text} names no folder in the bucket: write {SCHEME}{}/NAME", address.bucket));
        }
        if address.path.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
            return Err(format!("a part of {text} is empty, '.' or '..': S3 has no such folders"));
        }
        readers_find(&address.path)?;
        Ok(address)
    }

    /// The place below this one.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        let gap = if self.path.is_empty() || self.path.ends_with('/') { "" } else { "/" };
        Self { bucket: self.bucket.clone(), path: format!("{}{gap}{name}", self.path) }
    }
}

/// Refuses a table's path that readers of Delta tables do not find: they decode `%41` to `A`, take `\` for `/`, and have no control characters
/// (deltalake 1.6, polars 1.44).
///
/// # Errors
/// What is in the way, in words.
pub(super) fn readers_find(path: &str) -> Result<(), String> {
    let is_hex = |at: usize| path.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
    let encoded = path.match_indices('%').map(|(at, _)| at).find(|at| is_hex(at + 1) && is_hex(at + 2));
    let what = match (encoded, path.chars().find(|c| c.is_control() || *c == '\\')) {
        (Some(at), _) => format!("'{}', which readers of Delta tables decode", &path[at..at + 3]),
        (None, Some('\\')) => "'\\', which readers of Delta tables take for '/'".to_owned(),
        (None, Some(control)) => format!("the control character '{}'", control.escape_default()),
        (None, None) => return Ok(()),
    };
    Err(format!("{path} would not be found by readers: it holds {what}; name another folder"))
}

/// "Bucket naming rules" of S3's user guide, as far as they are about letters.
fn check_bucket(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let edges = name.starts_with(edge) && name.ends_with(edge);
    if (3..=63).contains(&name.len()) && name.chars().all(fits) && edges && !name.contains("..") {
        return Ok(());
    }
    Err(format!("'{name}' can be no bucket: 3 to 63 of a-z 0-9 . -, with a letter or digit at both ends"))
}

/// Reads a ledger's address, `dynamodb://NAME`; gives the name.
///
/// # Errors
/// What is wrong with it, in words.
pub fn dynamodb_table(text: &str) -> Result<String, String> {
    let name =
        text.strip_prefix("dynamodb://").ok_or_else(|| format!("'{text}' is no ledger: write dynamodb://NAME"))?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if (3..=255).contains(&name.len()) && name.chars().all(fits) {
        return Ok(name.to_owned());
    }
    Err(format!("'{name}' can be no table of DynamoDB: 3 to 255 of a-z A-Z 0-9 _ - ."))
}

/// Checks a queue's address.
pub(super) fn queue(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest.and_then(|rest| rest.split_once('/')) {
        Some((host, path)) if !host.is_empty() && !path.is_empty() && !text.contains(char::is_whitespace) => {
            super::tls::encrypted(text, None).map(|()| text.to_owned())
        }
        _ => {
            Err(format!("'{text}' is no queue's address: write its URL, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"))
        }
    }
}
