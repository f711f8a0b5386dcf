//! An object as Parquet's reader wants it.

use std::fmt::Display;
use std::io::{self, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use store::{RandomRead, StoreError};

use crate::error::RunsError;

/// How much of a column chunk is read at once when it is copied.
const COPIED_BYTES: usize = 1 << 20;

/// An open object, and what its store refused of it: Parquet's errors do not tell that from damage, and it says nothing about the file.
#[derive(Clone)]
pub(crate) struct Chunks {
    address: Arc<str>,
    object: Arc<dyn RandomRead>,
    read_bytes: usize,
    refused: Arc<OnceLock<io::Error>>,
}

impl Chunks {
    /// For pages: what is not asked for is hardly read.
    pub(crate) fn of_pages(address: &str, object: Arc<dyn RandomRead>) -> Self {
        Self { address: address.into(), object, read_bytes: 8 << 10, refused: Arc::default() }
    }

    /// For whole chunks.
    pub(crate) fn to_copy(&self) -> Self {
        Self { read_bytes: COPIED_BYTES, ..self.clone() }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Bytes of the object. Who asks for more than there are was told so by a file that lies.
    pub(crate) fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let size = self.object.size();
        if offset.checked_add(length as u64).is_none_or(|end| end > size) {
            let reason = format!("it has {size} bytes, not {length} from {offset} on");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
        }
        self.object.read_at(offset, length).inspect_err(|error| {
            // The first is told.
            let _ = self.refused.set(io::Error::new(error.kind(), error.to_string()));
        })
    }

    /// Why the file could not be read, for `map_err`: what its store refused, else it is damaged.
    pub(crate) fn failed<E: Display>(&self) -> impl Fn(E) -> RunsError + use<E> {
        let chunks = self.clone();
        move |error| match chunks.refused.get() {
            Some(refused) => RunsError::Store(StoreError::Io {
                action: "read",
                address: chunks.address.to_string(),
                source: io::Error::new(refused.kind(), refused.to_string()),
            }),
            None => RunsError::damaged(&chunks.address)(error),
        }
    }
}

impl Chunks {
    /// Reads a file that others may have written. Over some damaged files Parquet's reader breaks off, and will again: they are damaged. Its words
    /// may show what the file holds, and are not passed on.
    pub(crate) fn unbroken<T>(&self, read: impl FnOnce() -> Result<T, RunsError>) -> Result<T, RunsError> {
        catch_unwind(AssertUnwindSafe(read))
            .unwrap_or_else(|_| Err(self.failed()("what reads Parquet broke off over it")))
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.object.size()
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<Sequential>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::with_capacity(self.read_bytes, Sequential { chunks: self.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.read_at(start, length).map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// Reads an object from an offset to its end.
pub(crate) struct Sequential {
    chunks: Chunks,
    at: u64,
}

impl Read for Sequential {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.chunks.len().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = into.len().min(left);
        if length == 0 {
            return Ok(0);
        }
        let bytes = self.chunks.read_at(self.at, length)?;
        into[..bytes.len()].copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}
