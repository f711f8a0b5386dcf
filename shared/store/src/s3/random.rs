//! An object that is read at any offset.
//!
//! Small reads are served from blocks, counted from the object's end: the first, which came when it was opened, holds a Parquet file's
//! footer, and all of a small one. Large reads ask for exactly their bytes.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::content::{Content, Stretch, Wanted};
use super::over::Over;
use super::store::Shared;
use super::{Place, wait};
use crate::store::RandomRead;

/// The length of a block. Fetching one costs hardly more time than fetching a page of it.
pub(super) const BLOCK_BYTES: u64 = 1 << 20;

/// An open object.
pub(super) struct RandomObject {
    shared: Arc<Shared>,
    wanted: Wanted,
    size: u64,
    /// Its name in the cache.
    reader: u64,
}

impl RandomObject {
    /// An object of which the last block is known.
    pub(super) fn new(shared: Arc<Shared>, place: Place, etag: Option<String>, size: u64, tail: Bytes) -> Self {
        let reader = shared.cache.reader();
        shared.cache.insert((reader, 0), tail);
        // Whatever was opened is what is read, even if another takes its place.
        Self { shared, wanted: Wanted { place, version: None, etag, over: Over::default() }, size, reader }
    }

    /// An object without bytes.
    pub(super) fn empty(shared: Arc<Shared>, place: Place) -> Self {
        Self::new(shared, place, None, 0, Bytes::new())
    }

    /// Where a block begins and ends.
    fn bounds(&self, block: u64) -> (u64, u64) {
        let end = self.size - block * BLOCK_BYTES;
        (end.saturating_sub(BLOCK_BYTES), end)
    }

    /// The block that holds the byte at an offset.
    fn block_of(&self, offset: u64) -> u64 {
        (self.size - 1 - offset) / BLOCK_BYTES
    }

    fn fetch(&self, start: u64, end: u64) -> io::Result<Bytes> {
        let read = async {
            let content = Content::open(&self.shared.client, self.wanted.clone(), Stretch::Between(start, end)).await?;
            content.rest().await
        };
        let read = wait(&self.shared.runtime, read);
        read.map_err(|failure| {
            let error = failure.to_io();
            io::Error::new(error.kind(), format!("{}: {error}", self.wanted.place))
        })
    }

    fn block(&self, block: u64) -> io::Result<Bytes> {
        if let Some(bytes) = self.shared.cache.get((self.reader, block)) {
            return Ok(bytes);
        }
        let (start, end) = self.bounds(block);
        let bytes = self.fetch(start, end)?;
        self.shared.cache.insert((self.reader, block), bytes.clone());
        Ok(bytes)
    }
}

impl RandomRead for RandomObject {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let end = offset.checked_add(length as u64).filter(|end| *end <= self.size).ok_or_else(|| {
            let reason = format!("{} has {} bytes, not {length} from {offset} on", self.wanted.place, self.size);
            io::Error::new(io::ErrorKind::UnexpectedEof, reason)
        })?;
        if length == 0 {
            return Ok(Bytes::new());
        }
        if length as u64 >= BLOCK_BYTES {
            return self.fetch(offset, end);
        }
        let mut read = BytesMut::with_capacity(length);
        let mut at = offset;
        while at < end {
            let number = self.block_of(at);
            let block = self.block(number)?;
            let (start, block_end) = self.bounds(number);
            let until = block_end.min(end);
            let part = (at - start) as usize..(until - start) as usize;
            // Copied, so that a few bytes do not hold on to a whole block.
            read.extend_from_slice(block.get(part).ok_or(io::ErrorKind::UnexpectedEof)?);
            at = until;
        }
        Ok(read.freeze())
    }
}

impl Drop for RandomObject {
    fn drop(&mut self) {
        self.shared.cache.forget(self.reader);
    }
}
