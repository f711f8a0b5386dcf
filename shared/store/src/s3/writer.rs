//! An object that is written as a stream: in parts, of which a few are under way while the next is filled.
//!
//! Small content is one request at the end. An upload that is not finished is aborted; where a process dies before that, its parts stay,
//! invisible, until the bucket's rule for incomplete uploads removes them.

use std::io::{self, Write};
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use tokio::task::JoinSet;

use super::failure::Failure;
use super::store::Shared;
use super::{Place, unquoted, wait};
use crate::store::{ObjectWriter, StoreError};

/// The length of a part. S3 takes 10,000 parts of 5 MiB or more: 80 GB are enough for a file of ours.
const PART_BYTES: usize = 8 << 20;

/// So many parts are under way while another is filled.
const UNDER_WAY_MAX: usize = 2;

/// An object that is being written.
pub(super) struct S3Writer {
    shared: Arc<Shared>,
    place: Place,
    address: String,
    part: BytesMut,
    written: u64,
    upload: Option<Upload>,
    /// After a failure there is nothing to finish.
    failed: bool,
}

struct Upload {
    id: String,
    under_way: JoinSet<Result<CompletedPart, Failure>>,
    next: i32,
    done: Vec<CompletedPart>,
}

impl S3Writer {
    pub(super) fn new(shared: Arc<Shared>, place: Place, address: &str) -> Self {
        let address = address.to_owned();
        Self { shared, place, address, part: BytesMut::new(), written: 0, upload: None, failed: false }
    }

    /// Sends the part that was filled. Waits while too many are under way.
    async fn send_part(&mut self) -> Result<(), Failure> {
        let mut upload = match self.upload.take() {
            Some(upload) => upload,
            None => self.begin().await?,
        };
        let sent = upload.send(&self.shared, &self.place, self.part.split().freeze()).await;
        self.upload = Some(upload);
        sent
    }

    async fn begin(&self) -> Result<Upload, Failure> {
        let request = self.shared.client.create_multipart_upload().bucket(&self.place.bucket).key(&self.place.key);
        let begun = request.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await;
        let begun = begun.map_err(|error| Failure::of("CreateMultipartUpload", &self.place, error))?;
        let id = begun
            .upload_id()
            .ok_or_else(|| Failure::Other(format!("CreateMultipartUpload {}: S3 gave the upload no id", self.place)))?;
        Ok(Upload { id: id.to_owned(), under_way: JoinSet::new(), next: 1, done: Vec::new() })
    }

    async fn complete(&mut self) -> Result<(), Failure> {
        if self.upload.is_none() {
            return self.shared.put(&self.place, self.part.split().freeze()).await;
        }
        if !self.part.is_empty() {
            self.send_part().await?;
        }
        let Some(upload) = self.upload.as_mut() else { return Ok(()) };
        while !upload.under_way.is_empty() {
            upload.one_done().await?;
        }
        upload.done.sort_unstable_by_key(CompletedPart::part_number);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(upload.done.clone())).build();
        let request = self.shared.client.complete_multipart_upload().bucket(&self.place.bucket).key(&self.place.key);
        let completed = request.upload_id(&upload.id).multipart_upload(parts).send().await;
        let etag = expected_etag(&upload.done);
        match completed.map_err(|error| Failure::of("CompleteMultipartUpload", &self.place, error)) {
            Ok(_) => Ok(()),
            // Where only the answer was lost, the client's next try finds no such upload.
            Err(_) if self.stands(etag).await => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Whether the object is what we wrote.
    async fn stands(&self, etag: Option<String>) -> bool {
        let request = self.shared.client.head_object().bucket(&self.place.bucket).key(&self.place.key);
        let Ok(head) = request.send().await else { return false };
        let size = head.content_length().and_then(|size| u64::try_from(size).ok());
        etag.is_some() && head.e_tag().map(unquoted) == etag.as_deref() && size == Some(self.written)
    }
}

impl Upload {
    async fn send(&mut self, shared: &Shared, place: &Place, part: Bytes) -> Result<(), Failure> {
        while self.under_way.len() >= UNDER_WAY_MAX {
            self.one_done().await?;
        }
        let (number, place) = (self.next, place.clone());
        self.next += 1;
        let request = shared.client.upload_part().bucket(&place.bucket).key(&place.key).upload_id(&self.id);
        let request = request.part_number(number).checksum_algorithm(ChecksumAlgorithm::Crc32);
        let request = request.body(ByteStream::from(part));
        self.under_way.spawn_on(
            async move {
                let sent = request.send().await.map_err(|error| Failure::of("UploadPart", &place, error))?;
                let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
                Ok(part.set_checksum_crc32(sent.checksum_crc32).build())
            },
            &shared.runtime,
        );
        Ok(())
    }

    /// Waits for one part.
    async fn one_done(&mut self) -> Result<(), Failure> {
        match self.under_way.join_next().await {
            Some(Ok(sent)) => self.done.push(sent?),
            Some(Err(error)) => return Err(Failure::Other(format!("a part was not sent: {error}"))),
            None => {}
        }
        Ok(())
    }
}

/// The etag of an object that came in these parts, where S3 makes it of the parts' MD5: with the bucket's own encryption it is another.
fn expected_etag(parts: &[CompletedPart]) -> Option<String> {
    let mut digests = Md5::new();
    for part in parts {
        let etag = unquoted(part.e_tag()?);
        let digest = (0..16).map(|i| u8::from_str_radix(etag.get(2 * i..2 * i + 2)?, 16).ok());
        digests.update(digest.collect::<Option<Vec<u8>>>().filter(|_| etag.len() == 32)?);
    }
    let digest: String = digests.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{digest}-{}", parts.len()))
}

impl Write for S3Writer {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        if self.failed {
            return Err(io::Error::other(format!("{}: a part of it was not written", self.place)));
        }
        if self.part.len() == PART_BYTES {
            let runtime = self.shared.runtime.clone();
            wait(&runtime, self.send_part()).map_err(|failure| {
                self.failed = true;
                failure.to_io()
            })?;
        }
        let length = content.len().min(PART_BYTES - self.part.len());
        self.part.extend_from_slice(&content[..length]);
        self.written += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ObjectWriter for S3Writer {
    fn finish(mut self: Box<Self>) -> Result<u64, StoreError> {
        let failed = |writer: &Self, failure: Failure| failure.to_store("write", &writer.address);
        if self.failed {
            return Err(failed(&self, Failure::Other(format!("{}: a part of it was not written", self.place))));
        }
        let runtime = self.shared.runtime.clone();
        wait(&runtime, self.complete()).map_err(|failure| failed(&self, failure))?;
        self.upload = None;
        Ok(self.written)
    }
}

impl Drop for S3Writer {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else { return };
        let (shared, place) = (self.shared.clone(), self.place.clone());
        self.shared.runtime.spawn(async move {
            // A part that arrives after the abort would stay, and a request that is given up may still arrive: each is waited for.
            while upload.under_way.join_next().await.is_some() {}
            let request = shared.client.abort_multipart_upload().bucket(&place.bucket).key(&place.key);
            // Whatever it answers, there is nothing more to do: the bucket's rule for incomplete uploads is the last resort.
            let _ = request.upload_id(upload.id).send().await;
        });
    }
}
