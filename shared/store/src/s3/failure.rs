//! What S3's answers mean to us.

use std::io;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::Place;
use crate::source::ReadError;
use crate::store::StoreError;

/// Why a request failed, as far as callers act on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no such object or version; a delete marker is none.
    Missing,
    /// There is no current object: a delete marker stands there, and versions may stand behind it.
    Deleted,
    /// The object is not the one that was asked for by its etag.
    Changed,
    /// It has no such bytes.
    OutOfRange,
    /// What names its version is no version's id: no request for it is ever answered.
    NoVersionId(String),
    /// S3 refuses without a word: its answers to `HEAD` have no body that could tell.
    Untold(String),
    /// Denied, throttled, broken off, ...: what was tried, on what, and S3's word for it.
    Other(String),
}

impl Failure {
    /// What a failed request means. `operation` is S3's name for it.
    pub(super) fn of<E>(operation: &str, place: &Place, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let SdkError::ServiceError(answer) = &error else {
            // A connection, a time-out, credentials: the chain of causes has the reason at its end.
            return Self::Other(format!("{operation} {place}: {}", drops::causes(&error)));
        };
        let status = answer.raw().status().as_u16();
        let code = answer.err().code();
        match (status, code) {
            (404, _) if answer.raw().headers().get("x-amz-delete-marker") == Some("true") => Self::Deleted,
            (404, Some("NoSuchKey" | "NoSuchVersion" | "NotFound") | None) => Self::Missing,
            // A version that is a delete marker cannot be read.
            (405, Some("MethodNotAllowed") | None) => Self::Missing,
            (412, _) => Self::Changed,
            (416, _) => Self::OutOfRange,
            (400, Some("InvalidArgument")) if is_of_version(&error) => {
                let message = answer.err().message().unwrap_or("it gives no reason");
                Self::NoVersionId(format!("{operation} {place}: S3 answered InvalidArgument (400): {message}"))
            }
            (400, None) => Self::Untold(format!("{operation} {place}: S3 answered without a code (400)")),
            _ => {
                let message = answer.err().message().unwrap_or("it gives no reason");
                let hint = if code == Some("InvalidObjectState") {
                    "; it lies in an archive (S3 Glacier): restore it, or have such objects kept out of this prefix"
                } else if status == 403 {
                    "; allow the action in the function's or user's policy and in the bucket's and key's (without s3:ListBucket S3 says \
                     this of objects that do not exist, too)"
                } else {
                    ""
                };
                Self::Other(format!(
                    "{operation} {place}: S3 answered {} ({status}): {message}{hint}",
                    code.unwrap_or("without a code")
                ))
            }
        }
    }

    /// For a reader of drops.
    pub(super) fn to_read(&self) -> ReadError {
        match self {
            Self::Missing | Self::Deleted => ReadError::Gone,
            Self::Changed => ReadError::Changed,
            Self::OutOfRange => ReadError::Passing("S3 says that the object is shorter than it told before".to_owned()),
            Self::NoVersionId(reason) => ReadError::NoVersionId(reason.clone()),
            Self::Untold(reason) | Self::Other(reason) => ReadError::Passing(reason.clone()),
        }
    }

    /// For a user of a store.
    pub(super) fn to_store(&self, action: &'static str, address: &str) -> StoreError {
        match self {
            Self::Missing | Self::Deleted => StoreError::Missing(address.to_owned()),
            _ => StoreError::Io { action, address: address.to_owned(), source: self.to_io() },
        }
    }

    /// For those who read through `std::io`.
    pub(super) fn to_io(&self) -> io::Error {
        match self {
            Self::Missing | Self::Deleted => io::Error::new(io::ErrorKind::NotFound, "it is gone"),
            Self::Changed => io::Error::other("it was replaced while it was read"),
            Self::OutOfRange => io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than it was"),
            Self::NoVersionId(reason) | Self::Untold(reason) | Self::Other(reason) => io::Error::other(reason.clone()),
        }
    }
}

/// Whether S3 refuses the argument that names a version: its answer names it, and its message speaks of a version id ("Invalid version id
/// specified"). Others that speak its language do one or the other.
fn is_of_version<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata,
{
    let SdkError::ServiceError(answer) = error else { return false };
    let body = answer.raw().body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
    let says = |text: &str| text.to_ascii_lowercase().contains("version id");
    body.contains("<ArgumentName>versionId<") || answer.err().message().is_some_and(says)
}
