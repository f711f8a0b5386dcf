//! The first schema version of a table is learned from a bounded sample.

use std::io::Read;

use decode::infer::Observed;
use decode::inflate::{Buffers, Inflate};
use decode::json::Tape;
use decode::record::Chunk;
use decode::rows::{RecordKind, observe_chunk};
use decode::split::{CsvFields, CsvOptions, Splitter};

use decode::format::Format;
use drops::BatchId;
use ledger::{Activity, drop_hash};

use crate::ahead::Ahead;
use crate::{Candidate, Ingest, IngestError};

/// How many drops a sample has at most.
pub const SAMPLE_FILES: usize = 1_000;

/// How many bytes of decompressed content a sample has at most.
const SAMPLE_BYTES: u64 = 64 << 20;

impl Ingest {
    /// Looks at drops to learn what they hold. What cannot be read is passed over: ingesting it will say why.
    pub async fn sample(&self, candidates: &[Candidate]) -> Result<Observed, IngestError> {
        self.sample_until(candidates, &|| false).await
    }

    /// Learns the table's first columns from drops that are claimed already, unless they are known.
    pub(crate) async fn learn(
        &self,
        candidates: &[Candidate],
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), IngestError> {
        if self.schemas.is_learned().await? {
            return Ok(());
        }
        let observed = self.sample_until(candidates, stop).await?;
        self.schemas.evolve(&observed).await?;
        if !stop() {
            self.schemas.learned();
        }
        Ok(())
    }

    async fn sample_until(
        &self,
        candidates: &[Candidate],
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Observed, IngestError> {
        let mut observed = Observed::default();
        let (mut splitter, mut buffers, mut chunk) = (Splitter::new(), Buffers::new(), Chunk::default());
        let (mut fields, mut tape) = (CsvFields::default(), Tape::new());
        let mut left = SAMPLE_BYTES;
        // Where nothing is claimed yet, a drop that kills its process is told by the note that its reader left.
        let deadly = self.liveness.read_by_the_dead(sample_id());
        let alive = |c: &&Candidate| !deadly.contains(&drop_hash(&c.object.id));
        let sampled = candidates.iter().take(SAMPLE_FILES).filter(alive).cloned().collect();
        // All of them are read once more, to be ingested.
        let source = self.source.looking().unwrap_or_else(|| self.source.clone());
        let mut ahead = Ahead::new(source.clone(), sampled);
        while !stop() {
            let Some((candidate, opening)) = ahead.next() else { break };
            let reading = Activity::Reading { drop_hash: drop_hash(&candidate.object.id) };
            self.holder.begin(0, sample_id(), reading);
            let Ok(open) = opening.opened(source.as_ref(), &candidate).await else { continue };
            let mut content = Inflate::new(&mut buffers, open as Box<dyn Read>, candidate.packing);
            splitter.begin_drop(&candidate.object.id.key, candidate.format, CsvOptions::default());
            while left > 0 && !stop() && matches!(splitter.next_chunk(&mut content, &mut chunk), Ok(true)) {
                observe_chunk(&chunk, record_kind(candidate.format, &splitter, &mut fields), &mut tape, &mut observed);
                left = left.saturating_sub(chunk.bytes.len() as u64);
            }
            if left == 0 {
                break;
            }
        }
        self.holder.idle(0);
        Ok(observed)
    }
}

/// How records of this format are read.
pub(crate) fn record_kind<'a>(format: Format, splitter: &'a Splitter, fields: &'a mut CsvFields) -> RecordKind<'a> {
    match format {
        Format::Json => RecordKind::Json,
        Format::Csv => RecordKind::Csv { header: splitter.csv_header(), fields },
    }
}

/// What a process's lock file names as its batch while it looks at a sample: the first id that there is.
fn sample_id() -> BatchId {
    BatchId::from_parts(0, 0)
}
