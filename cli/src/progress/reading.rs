//! A source whose reads are counted as they happen, so that the progress moves within a large drop.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drops::{DroppedObject, Timestamp};
use store::{OpenObject, ReadAhead, ReadError, Source};

use super::Counts;

/// The same source; what is read from it is told to the counters.
pub struct Reading {
    source: Arc<dyn Source>,
    counts: Arc<Counts>,
}

impl Reading {
    /// Counts what is read from a source.
    pub fn new(source: Arc<dyn Source>, counts: Arc<Counts>) -> Self {
        Self { source, counts }
    }
}

#[async_trait]
impl Source for Reading {
    async fn open(&self, object: &DroppedObject) -> Result<Box<dyn OpenObject>, ReadError> {
        let object = self.source.open(object).await?;
        Ok(Box::new(Counted { object, counts: Arc::clone(&self.counts) }))
    }

    fn read_ahead(&self) -> ReadAhead {
        self.source.read_ahead()
    }

    fn within(&self, time: Duration) -> Option<Arc<dyn Source>> {
        let source = self.source.within(time)?;
        Some(Arc::new(Self { source, counts: Arc::clone(&self.counts) }))
    }
}

struct Counted {
    object: Box<dyn OpenObject>,
    counts: Arc<Counts>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.object.read(buffer)?;
        self.counts.reading(read as u64);
        Ok(read)
    }
}

impl OpenObject for Counted {
    fn verify(&mut self) -> Result<(), ReadError> {
        self.object.verify()
    }

    fn modified(&self) -> Option<Timestamp> {
        self.object.modified()
    }
}
