//! An object that is too large to be held: read ahead into a bounded buffer while it is decoded.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use drops::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::content::Content;
use super::failure::Failure;
use super::wait;
use crate::source::{OpenObject, ReadError};

/// So many bytes wait to be read.
pub(super) const BUFFER_BYTES: u64 = 4 << 20;

/// What a piece costs at least, so that many tiny ones do not add up.
const PIECE_BYTES_MIN: u32 = 1 << 10;

/// Bytes, and the room that they take in the buffer.
type Piece = (Bytes, OwnedSemaphorePermit);

/// An object whose bytes a task fetches while they are read.
pub(super) struct StreamedObject {
    runtime: Handle,
    pieces: mpsc::UnboundedReceiver<Result<Piece, Failure>>,
    piece: Option<Piece>,
    /// Bytes handed to the reader or about to be.
    received: u64,
    size: u64,
    modified: Option<Timestamp>,
    /// How it ended, once it did.
    ended: Option<Result<(), Failure>>,
    fetching: JoinHandle<()>,
}

impl StreamedObject {
    /// Begins to fetch. Must be called within a runtime.
    pub(super) fn begin(mut content: Content) -> Self {
        let runtime = Handle::current();
        let (size, modified) = (content.size(), content.modified());
        let (sender, pieces) = mpsc::unbounded_channel();
        let room = u32::try_from(BUFFER_BYTES).unwrap_or(u32::MAX);
        let buffer = Arc::new(Semaphore::new(room as usize));
        let fetching = runtime.spawn(async move {
            loop {
                let bytes = match content.next().await {
                    Ok(Some(bytes)) => bytes,
                    Ok(None) => return,
                    Err(failure) => {
                        // Without a reader nobody asks.
                        let _ = sender.send(Err(failure));
                        return;
                    }
                };
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).clamp(PIECE_BYTES_MIN, room);
                let Ok(taken) = Arc::clone(&buffer).acquire_many_owned(length).await else { return };
                if sender.send(Ok((bytes, taken))).is_err() {
                    return;
                }
            }
        });
        Self { runtime, pieces, piece: None, received: 0, size, modified, ended: None, fetching }
    }

    /// The next piece, waited for; `None` at the end.
    fn receive(&mut self) -> Option<Result<Piece, Failure>> {
        match self.pieces.try_recv() {
            Ok(received) => Some(received),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) => wait(&self.runtime, self.pieces.recv()),
        }
    }

    fn end(&mut self) -> Result<(), Failure> {
        if self.received == self.size {
            return Ok(());
        }
        Err(Failure::Other(format!("reading it was broken off at byte {} of {}", self.received, self.size)))
    }
}

impl Read for StreamedObject {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some((bytes, _)) = self.piece.as_mut().filter(|(bytes, _)| bytes.has_remaining()) {
                let length = buffer.len().min(bytes.len());
                bytes.copy_to_slice(&mut buffer[..length]);
                return Ok(length);
            }
            self.piece = None;
            match &self.ended {
                Some(Ok(())) => return Ok(0),
                Some(Err(failure)) => return Err(failure.to_io()),
                None => {}
            }
            match self.receive() {
                Some(Ok(piece)) => {
                    self.received += piece.0.len() as u64;
                    self.piece = Some(piece);
                }
                Some(Err(failure)) => self.ended = Some(Err(failure)),
                None => self.ended = Some(self.end()),
            }
        }
    }
}

impl OpenObject for StreamedObject {
    /// Every byte came under the etag that was asked for, so what is left to see is whether all of them came. A reader that stops
    /// early has seen the right ones.
    fn verify(&mut self) -> Result<(), ReadError> {
        if self.ended.is_none() && self.received == self.size {
            // After the last byte comes the verdict on all of them.
            self.ended = Some(match self.receive() {
                None => self.end(),
                Some(Err(failure)) => Err(failure),
                Some(Ok(_)) => Err(Failure::Other("more bytes came than were announced".to_owned())),
            });
        }
        match &self.ended {
            Some(Err(failure)) => Err(failure.to_read()),
            Some(Ok(())) | None => Ok(()),
        }
    }

    fn modified(&self) -> Option<Timestamp> {
        self.modified
    }
}

impl Drop for StreamedObject {
    fn drop(&mut self) {
        self.fetching.abort();
    }
}
