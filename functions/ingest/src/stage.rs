//! Protocol step 3: drops are read, decoded and staged as sorted runs.
//!
//! Rows of a drop join a run that other drops share only when the whole drop was read. A drop that outgrows the memory of
//! a run gets runs of its own, which count only once it was read to its end; until then everything of it can be taken back.

use std::ops::ControlFlow;
use std::time::Duration;

use arrow_array::RecordBatch;
use decode::format::Format;
use decode::inflate::{Buffers, Inflate};
use decode::record::{Chunk, DropFault};
use decode::rows::{Misfits, Rows, decode_chunk};
use decode::split::{CsvFields, CsvOptions, Splitter};
use drops::{BatchId, Timestamp};
use ledger::{Activity, drop_hash};
use runs::{Fate, HeldDrop, Manifest, StagedRun, write_run};
use store::OpenObject;

use crate::ahead::Opening;
use crate::lineage::Lineage;
use crate::pace::{Paced, timed};
use crate::quarantine::{BadRecord, Quarantine, QuarantineEntry};
use crate::rescued;
use crate::sample::record_kind;
use crate::schemas::SchemaVersion;
use crate::{Candidate, Ingest, IngestError, LeftOut};

/// Rows of more bytes than this, in the mean, are encoded by one worker at a time.
const LARGE_RECORD_BYTES: usize = 256 << 10;

/// A batch that is ready to be sealed.
pub(crate) struct Staged {
    pub(crate) manifest: Manifest,
    /// What the manifest holds, should the batch turn out to be void.
    pub(crate) held: Vec<Candidate>,
    pub(crate) left_out: Vec<(Candidate, LeftOut)>,
    pub(crate) quarantined: Vec<QuarantineEntry>,
    pub(crate) quarantine_files: Vec<String>,
}

/// A batch in the making.
pub(crate) struct Staging<'a> {
    ingest: &'a Ingest,
    id: BatchId,
    slot: usize,
    version: SchemaVersion,
    /// The newest schema version among the runs.
    newest_run: u64,
    /// Whether it is the batch of one drop.
    alone: bool,
    /// How long the drop at hand waited for what it needs besides its bytes.
    waited: Duration,
    rows: Rows,
    lineage: Lineage,
    splitter: Splitter,
    fields: CsvFields,
    buffers: Buffers,
    chunk: Chunk,
    quarantine: Quarantine,
    runs: Vec<StagedRun>,
    next_run: u32,
    drops: Vec<HeldDrop>,
    held: Vec<Candidate>,
    left_out: Vec<(Candidate, LeftOut)>,
}

/// The drop that is being read.
#[derive(Default)]
struct Current {
    /// Rows in memory before it.
    mark: usize,
    /// Runs of its own.
    runs: Vec<StagedRun>,
    /// Its rows in those.
    written_rows: u64,
    /// Its rescued rows in those.
    written_rescued: u64,
    /// Rescued rows in memory before it.
    rescued_before: usize,
    /// Its records so far, as splitting counts them: what fitting makes of each is counted apart.
    records: u64,
    quarantined_records: u64,
    /// What the first of its records that could not be read was, and where.
    first_fault: Option<String>,
    /// When it was notified, if reading it told another time of its last modification.
    arrived: Option<Timestamp>,
}

/// What fitting a stretch of a chunk came to.
struct Fitted {
    /// The next span.
    next: usize,
    /// Bad records, with their ordinals.
    faults: Vec<BadRecord>,
    /// Whether the last of them makes the rest of the drop untrustworthy.
    spreads: bool,
}

/// How decoding a drop's content ended.
enum Read {
    /// At its last byte, or at a fault.
    Ended(Result<(), DropFault>),
    /// Before that.
    Stopped,
}

/// How reading a drop ended.
enum Ending {
    Whole,
    Unreadable(String),
    LeftOut(LeftOut),
}

impl<'a> Staging<'a> {
    pub(crate) async fn begin(ingest: &'a Ingest, id: BatchId, slot: usize, alone: bool) -> Result<Self, IngestError> {
        let newest = ingest.schemas.newest().await?;
        let version =
            newest.ok_or_else(|| IngestError::Internal("a batch began before the table had a schema".into()))?;
        let partition_columns = &ingest.settings.write.order.partition_columns;
        let mut rows = Rows::new(version.schema.clone());
        // Delta reads the empty text in a partition column as null.
        rows.never_empty(partition_columns);
        // Asked after every record: few bytes of a chunk can be many in memory, as each row has a place in every column.
        rows.set_room(ingest.settings.run_memory);
        Ok(Self {
            rows,
            lineage: Lineage::new(ingest.clock.now()),
            quarantine: Quarantine::new(ingest.state.clone(), &ingest.settings.pipeline, id),
            newest_run: version.number,
            alone,
            waited: Duration::ZERO,
            version,
            ingest,
            id,
            slot,
            splitter: Splitter::new(),
            fields: CsvFields::default(),
            buffers: Buffers::new(),
            chunk: Chunk::default(),
            runs: Vec::new(),
            next_run: 0,
            drops: Vec::new(),
            held: Vec::new(),
            left_out: Vec::new(),
        })
    }

    pub(crate) fn leave_out(&mut self, candidate: Candidate, why: LeftOut) {
        self.left_out.push((candidate, why));
    }

    /// Holds a drop as quarantined without reading it: every process that read it alone died.
    pub(crate) async fn quarantine_deadly(&mut self, candidate: Candidate) -> Result<(), IngestError> {
        let (aborted, alone) = (candidate.right.aborted, candidate.right.aborted_alone);
        let reason = format!(
            "{aborted} processes died while it was read, {alone} of them while it was read alone; it was not read again"
        );
        self.hold_unreadable(candidate, reason, None).await
    }

    /// Reads one drop.
    pub(crate) async fn read(
        &mut self,
        mut candidate: Candidate,
        opening: Opening,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), IngestError> {
        let reading = Activity::Reading { drop_hash: drop_hash(&candidate.object.id) };
        self.ingest.holder.begin(self.slot, self.id, reading);
        let open = match opening.opened(self.ingest.source.as_ref(), &candidate).await {
            Ok(open) => open,
            Err(e) => {
                self.leave_out(candidate, e.into());
                return Ok(());
            }
        };
        let ingest = self.ingest;
        let mut open = Paced::new(open, ingest.clock.as_ref());
        self.waited = Duration::ZERO;
        let mut current =
            Current { mark: self.rows.len(), rescued_before: self.rows.rescued_rows(), ..Current::default() };
        if let Some(modified) = open.modified() {
            let told = std::mem::replace(&mut candidate.object.modified, modified);
            current.arrived = Some(told).filter(|told| *told != modified && *told != Timestamp::default());
        }
        let arrived = current.arrived;
        self.lineage.begin(&candidate.object);
        self.rows.set_beside(self.lineage.row_bytes());
        let read = self.decode(&candidate, &mut open, &mut current, stop).await?;
        let ending = match read {
            Read::Stopped => match ingest.out_of_time(&candidate.right, self.alone, &open, self.waited) {
                Ok(why) => Ending::LeftOut(why),
                Err(reason) => Ending::Unreadable(reason),
            },
            // Damage seen in a file that changed meanwhile says nothing about the file.
            Read::Ended(ended) => match (open.verify(), ended) {
                (Err(e), _) => Ending::LeftOut(e.into()),
                (Ok(()), Ok(())) => match self.nothing_read(&current) {
                    Some(reason) => Ending::Unreadable(reason),
                    None => Ending::Whole,
                },
                (Ok(()), Err(DropFault::Unreadable(reason))) => Ending::Unreadable(reason),
                (Ok(()), Err(DropFault::Passing(e))) => Ending::LeftOut(LeftOut::Passing(e.to_string())),
            },
        };
        match ending {
            Ending::Whole => self.keep(candidate, current).await,
            Ending::Unreadable(reason) => {
                self.take_back(current).await?;
                self.hold_unreadable(candidate, reason, arrived).await
            }
            Ending::LeftOut(why) => {
                self.take_back(current).await?;
                self.quarantine.forget().await?;
                self.leave_out(candidate, why);
                Ok(())
            }
        }
    }

    /// Decodes a drop's content into rows, chunk by chunk.
    async fn decode(
        &mut self,
        candidate: &Candidate,
        open: &mut dyn OpenObject,
        current: &mut Current,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Read, IngestError> {
        let mut buffers = std::mem::take(&mut self.buffers);
        let mut content = Inflate::new(&mut buffers, open, candidate.packing);
        self.splitter.begin_drop(&candidate.object.id.key, candidate.format, CsvOptions::default());
        let ended = loop {
            if self.ingest.stops_within_drops && stop() {
                break Read::Stopped;
            }
            let mut chunk = std::mem::take(&mut self.chunk);
            let next = self.splitter.next_chunk(&mut content, &mut chunk);
            match next {
                Ok(true) => {}
                Ok(false) => {
                    self.chunk = chunk;
                    self.quarantine.ends_at(self.splitter.content_bytes());
                    break Read::Ended(Ok(()));
                }
                Err(fault) => {
                    self.chunk = chunk;
                    break Read::Ended(Err(fault));
                }
            }
            current.records = chunk.first_record + chunk.spans.len() as u64;
            self.fit(candidate, &chunk, current).await?;
            self.chunk = chunk;
        };
        self.buffers = buffers;
        Ok(ended)
    }

    /// Fits a chunk's records into rows, and writes a run whenever memory is full of them.
    async fn fit(&mut self, candidate: &Candidate, chunk: &Chunk, current: &mut Current) -> Result<(), IngestError> {
        let mut from = 0;
        while from < chunk.spans.len() {
            from = self.fit_from(candidate, chunk, from, current).await?;
            // What of the chunk is left was left because memory is full.
            if from < chunk.spans.len() || self.rows.is_full() {
                self.flush(Some(current)).await?;
            }
        }
        Ok(())
    }

    /// Fits records from the span at `from` on, after the schema was made to hold what they show. Returns the next span.
    async fn fit_from(
        &mut self,
        candidate: &Candidate,
        chunk: &Chunk,
        from: usize,
        current: &mut Current,
    ) -> Result<usize, IngestError> {
        let mark = self.rows.len();
        let mut fitted = self.try_fit(candidate.format, chunk, from);
        if let Some(observed) = self.rows.unknown() {
            let version = timed(self.ingest, &mut self.waited, self.ingest.schemas.evolve(observed)).await?;
            if version.number > self.version.number {
                self.rows.truncate(mark);
                self.lineage.truncate(mark);
                self.evolve(version, current).await?;
                fitted = self.try_fit(candidate.format, chunk, from);
            }
            // What is no column now is rescued for good.
            self.rows.refuse_unknown();
        }
        if fitted.spreads {
            self.splitter.poison();
        }
        if let (None, Some(bad)) = (&current.first_fault, fitted.faults.first()) {
            current.first_fault = Some(bad.told(chunk));
        }
        if let (true, Some(last)) = (fitted.spreads, fitted.faults.last()) {
            // All that follows is of that record.
            current.records = last.row + 1;
        }
        current.quarantined_records += fitted.faults.len() as u64;
        for (at, bad) in fitted.faults.iter().enumerate() {
            let spreads = fitted.spreads && at + 1 == fitted.faults.len();
            self.quarantine.record(&candidate.object, chunk, bad, spreads);
        }
        timed(self.ingest, &mut self.waited, self.quarantine.spill()).await?;
        Ok(fitted.next)
    }

    /// Takes on a schema. Where others changed a type, the rows in memory keep theirs in a run of their own.
    async fn evolve(&mut self, version: SchemaVersion, current: &mut Current) -> Result<(), IngestError> {
        // Every row in memory takes on every new column, every element of a list those below it.
        let widened = self.rows.memory_with(&version.schema);
        if !self.rows.is_empty() && widened >= self.ingest.settings.run_memory {
            self.flush(Some(current)).await?;
        }
        if self.rows.evolve(version.schema.clone()).is_err() {
            self.flush(Some(current)).await?;
            self.rows.evolve(version.schema.clone()).map_err(|e| IngestError::Internal(e.to_string()))?;
        }
        self.version = version;
        Ok(())
    }

    fn try_fit(&mut self, format: Format, chunk: &Chunk, from: usize) -> Fitted {
        let (lineage, splitter) = (&mut self.lineage, &self.splitter);
        let (mut faults, mut spreads) = (Vec::new(), false);
        let kind = record_kind(format, splitter, &mut self.fields);
        let next = decode_chunk(chunk, from, &mut self.rows, kind, &mut |row, span, appended| {
            match appended {
                Ok(()) => lineage.push(row),
                Err(fault) => {
                    let record = chunk.bytes.get(span.start..span.end).unwrap_or_default();
                    spreads = span.fault.is_none() && splitter.fault_spreads(record);
                    faults.push(BadRecord { row, span: span.clone(), fault });
                }
            }
            if spreads { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        // After a fault that spreads, the rest of the chunk belongs to the one bad record.
        Fitted { next: if spreads { chunk.spans.len() } else { next }, faults, spreads }
    }

    /// Why a drop that was read to its end is no data: it has records, and none of them could be read. It is quarantined whole, so that it is
    /// taken again when it was repaired.
    fn nothing_read(&self, current: &Current) -> Option<String> {
        let rows = current.written_rows + (self.rows.len() - current.mark) as u64;
        let first = current.first_fault.as_ref().filter(|_| rows == 0)?;
        Some(format!("no record could be read; the first, {first}"))
    }

    /// The drop was read to its end: its rows and entries stay.
    async fn keep(&mut self, candidate: Candidate, mut current: Current) -> Result<(), IngestError> {
        let rows = current.written_rows + (self.rows.len() - current.mark) as u64;
        let rescued_rows = current.written_rescued + (self.rows.rescued_rows() - current.rescued_before) as u64;
        self.runs.append(&mut current.runs);
        self.quarantine.keep().await?;
        let quarantined_records = current.quarantined_records;
        let records = current.records;
        if rows + quarantined_records != records {
            let key = &candidate.object.id.key;
            let what = format!(
                "{key} has {records} records, and {rows} rows and {quarantined_records} quarantined records came of them"
            );
            return Err(IngestError::Internal(what));
        }
        let counts = HeldDrop {
            records,
            rows,
            rescued_rows,
            quarantined_records,
            ..describe(&candidate, Fate::Ingested, current.arrived)
        };
        self.drops.push(counts);
        self.held.push(candidate);
        if self.rows.is_full() {
            self.flush(None).await?;
        }
        Ok(())
    }

    async fn hold_unreadable(
        &mut self,
        candidate: Candidate,
        reason: String,
        arrived: Option<Timestamp>,
    ) -> Result<(), IngestError> {
        self.quarantine.whole(&candidate.object, &reason).await?;
        self.quarantine.keep().await?;
        self.drops.push(describe(&candidate, Fate::Quarantined { reason }, arrived));
        self.held.push(candidate);
        Ok(())
    }

    /// Takes back every row of the drop at hand.
    async fn take_back(&mut self, current: Current) -> Result<(), IngestError> {
        self.rows.truncate(current.mark);
        self.lineage.truncate(current.mark);
        for run in current.runs {
            self.ingest.state.delete(&run.address).await?;
        }
        Ok(())
    }

    /// Writes the rows in memory as runs: those before the drop at hand as one that is shared, its own as one of its own.
    async fn flush(&mut self, current: Option<&mut Current>) -> Result<(), IngestError> {
        let rescued = self.rows.rescued_rows();
        if rescued > 0 {
            let misfits = self.rows.take_misfits();
            self.report_rescued(misfits);
        }
        let data = self.rows.finish();
        let batch = self.lineage.complete(data)?;
        let shared = current.as_ref().map_or(batch.num_rows(), |c| c.mark);
        if let Some(run) = self.write(batch.slice(0, shared)).await? {
            self.runs.push(run);
        }
        if let Some(current) = current {
            let own = batch.slice(shared, batch.num_rows() - shared);
            current.written_rows += own.num_rows() as u64;
            current.written_rescued += (rescued - current.rescued_before) as u64;
            (current.mark, current.rescued_before) = (0, 0);
            self.rows.set_beside(self.lineage.row_bytes());
            current.runs.extend(self.write(own).await?);
        }
        Ok(())
    }

    /// Tells the user which columns values were rescued from.
    fn report_rescued(&self, misfits: Misfits) {
        let Misfits { named, further, uncounted } = misfits;
        let named = named.into_iter().map(|misfit| {
            let file = self.lineage.file_of(misfit.row);
            let cause = misfit.cause.clone();
            (rescued::conflict(misfit, file), cause)
        });
        self.ingest.schemas.report_rescued(named.collect(), &further, uncounted);
    }

    async fn write(&mut self, rows: RecordBatch) -> Result<Option<StagedRun>, IngestError> {
        if rows.num_rows() == 0 {
            return Ok(None);
        }
        let settings = &self.ingest.settings;
        // Very large records are put in order and encoded by one worker at a time: each takes several times what they hold.
        let large = rows.get_array_memory_size() / rows.num_rows() > LARGE_RECORD_BYTES;
        let _turn = if large { Some(self.ingest.large_records.lock().await) } else { None };
        let internal = |e: runs::RunsError| IngestError::Internal(e.to_string());
        let sorted = settings.write.order.sort(rows).map_err(internal)?;
        let run = write_run(&[sorted], &settings.write).map_err(internal)?;
        let address = format!("staging/{}/{}-{}.parquet", settings.pipeline, self.id, self.next_run);
        self.next_run += 1;
        self.newest_run = self.newest_run.max(self.version.number);
        let bytes = run.bytes.len() as u64;
        timed(self.ingest, &mut self.waited, self.ingest.state.put(&address, run.bytes)).await?;
        Ok(Some(StagedRun {
            address,
            schema_version: self.version.number,
            order: settings.write.order.id(),
            rows: run.rows,
            bytes,
            first_key: run.first_key,
            last_key: run.last_key,
            row_groups: run.row_groups,
        }))
    }

    /// Writes what is in memory and says what the batch holds.
    pub(crate) async fn finish(mut self) -> Result<Staged, IngestError> {
        self.ingest.holder.begin(self.slot, self.id, Activity::Staging);
        self.flush(None).await?;
        let kept = self.quarantine.finish().await?;
        let pipeline = self.ingest.settings.pipeline.clone();
        let manifest = Manifest::new(self.id, pipeline, self.newest_run, self.drops, self.runs, kept.prefix)
            .map_err(|e| IngestError::Internal(e.to_string()))?;
        Ok(Staged {
            manifest,
            held: self.held,
            left_out: self.left_out,
            quarantined: kept.shown,
            quarantine_files: kept.files,
        })
    }
}

fn describe(candidate: &Candidate, fate: Fate, arrived: Option<Timestamp>) -> HeldDrop {
    let object = &candidate.object;
    HeldDrop {
        bucket: object.id.bucket.clone(),
        key: object.id.key.clone(),
        version: object.id.version.clone(),
        etag: object.etag.clone(),
        size: object.size,
        modified: object.modified,
        arrived,
        fate,
        records: 0,
        rows: 0,
        rescued_rows: 0,
        quarantined_records: 0,
    }
}
