use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{PipelineName, Timestamp};

/// The identity of a drop: pipeline, bucket and key, and the object's version where the pipeline ingests overwrites.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DropId {
    /// The pipeline that the drop came to.
    pub pipeline: PipelineName,
    /// The bucket; empty where the source is a folder.
    pub bucket: String,
    /// The decoded key; in a folder the path relative to it, with `/`.
    pub key: String,
    /// The object's version, only where the pipeline's identity holds it.
    pub version: Option<String>,
}

impl fmt::Display for DropId {
    /// `bucket/key@version`, the absent parts left away: unique within a pipeline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.bucket.is_empty() {
            write!(f, "{}/", self.bucket)?;
        }
        f.write_str(&self.key)?;
        match &self.version {
            Some(version) => write!(f, "@{version}"),
            None => Ok(()),
        }
    }
}

/// An object that arrived, as it was listed or notified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedObject {
    /// What it is.
    pub id: DropId,
    /// Tells one content of the key from another: S3's etag; in a folder size and modification time in nanoseconds.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last modified.
    pub modified: Timestamp,
    /// The version to read it at, where the identity names none: there is no current one, and this one was notified. `None`: the one that
    /// the identity names, or the current one.
    #[serde(default)]
    pub read_at: Option<String>,
}

impl DroppedObject {
    /// Whether its identity holds its etag in the place of a version: as far as is known it has none.
    pub fn is_known_by_etag(&self) -> bool {
        self.id.version.as_ref() == Some(&self.etag)
    }
}
