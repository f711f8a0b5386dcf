//! What happens before the last pass: runs in another order are sorted again, too many overlapping ones are merged into fewer.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::input::{Input, reader_bytes};
use super::{Job, RunInput, plan};
use crate::error::RunsError;
use crate::files::{TableFileWriter, WriteSettings, row_group_facts};
use crate::order::Order;

/// A run of a merge in several passes is ended at this size, in bytes, about.
const SCRATCH_BYTES: u64 = 32 << 20;

impl Job<'_> {
    /// Replaces every run whose keys do not compare with the target's by runs that do: as many rows at once as the budget for readers
    /// allows are put in order, of several runs where these are small.
    pub(super) fn sort_again(&mut self, runs: Vec<RunInput>) -> Result<Vec<RunInput>, RunsError> {
        let mut sorted = Vec::with_capacity(runs.len());
        let (mut piece, mut bytes) = (Vec::new(), 0);
        for run in runs {
            if has_order(&run, &self.target.order, &self.schema) {
                sorted.push(run);
                continue;
            }
            let piece_bytes = self.piece_bytes(&run);
            let mut input = Input::open(&run, self)?;
            while let Some(batch) = input.next()? {
                bytes += batch.get_array_memory_size();
                piece.push(batch);
                if bytes >= piece_bytes {
                    sorted.extend(self.sort_piece(std::mem::take(&mut piece))?);
                    bytes = 0;
                }
            }
        }
        if !piece.is_empty() {
            sorted.extend(self.sort_piece(piece)?);
        }
        Ok(sorted)
    }

    /// How many bytes of rows are put in order at once while a run is read: they are held as read and as sorted, beside their keys.
    fn piece_bytes(&self, run: &RunInput) -> usize {
        let left = self.reader_bytes.saturating_sub(reader_bytes(run, self.columns)).max(self.reader_bytes / 4);
        usize::try_from(left / 3).unwrap_or(usize::MAX)
    }

    /// Sorts rows and makes runs of them that do not overlap.
    fn sort_piece(&mut self, piece: Vec<RecordBatch>) -> Result<Vec<RunInput>, RunsError> {
        let mut scratch = Scratch::default();
        for batch in self.target.order.sort_all(piece)? {
            scratch.write(batch, self)?;
        }
        scratch.finish(self)
    }

    /// Merges overlapping runs into some that do not overlap until no more overlap than the budget can hold open. It ends: at no key do more
    /// runs overlap than before, and at the deepest fewer.
    pub(super) fn merge_until_it_fits(&mut self, mut runs: Vec<RunInput>) -> Result<Vec<RunInput>, RunsError> {
        loop {
            let spans: Vec<_> = runs.iter().map(|run| plan::Span::of(run, self.columns)).collect();
            let Some(mut group) = plan::too_many_at_once(&spans, self.reader_bytes) else { return Ok(runs) };
            drop(spans);
            group.sort_unstable_by(|a, b| b.cmp(a));
            let members: Vec<RunInput> = group.into_iter().map(|i| runs.swap_remove(i)).collect();
            let addresses: Vec<String> = members.iter().map(|run| run.address.clone()).collect();
            let mut scratch = Scratch::default();
            self.merge_rows(members, &mut |batch, job| scratch.write(batch, job))?;
            runs.extend(scratch.finish(self)?);
            self.delete_scratch_among(&addresses);
        }
    }

    fn delete_scratch_among(&mut self, addresses: &[String]) {
        let (done, kept) = std::mem::take(&mut self.scratch).into_iter().partition(|one| addresses.contains(one));
        self.scratch = kept;
        let done: Vec<String> = done;
        done.iter().for_each(|address| self.delete(&self.stores.staging, address));
    }
}

/// Runs of the merge itself, in the making: rows in order, cut now and then, as whoever reads a run holds its whole footer.
#[derive(Default)]
struct Scratch {
    open: Option<OpenRun>,
    finished: Vec<RunInput>,
}

/// A run begun with its first rows, which settle how it is encoded.
struct OpenRun {
    address: String,
    file: TableFileWriter,
    first_key: Vec<u8>,
    last_key: Vec<u8>,
}

impl Scratch {
    fn write(&mut self, batch: RecordBatch, job: &mut Job<'_>) -> Result<(), RunsError> {
        let Some(last) = batch.num_rows().checked_sub(1) else { return Ok(()) };
        let key = |row| job.target.order.keys(&batch.slice(row, 1)).get(0).to_vec();
        let (first_key, last_key) = (key(0), key(last));
        let bytes_max = SCRATCH_BYTES.min(job.target.memory_bytes / 2);
        let is_long = |open: &OpenRun| open.file.bytes() >= bytes_max || open.file.is_full();
        if self.open.as_ref().is_some_and(is_long) {
            self.end_run(job)?;
        }
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(OpenRun::begin(&batch, first_key, job)?),
        };
        open.last_key = last_key;
        open.file.write(&batch)?;
        // Only rows in table files count as progress; this is the moment to be stopped.
        job.told(0)
    }

    fn end_run(&mut self, job: &mut Job<'_>) -> Result<(), RunsError> {
        let Some(OpenRun { address, file, first_key, last_key }) = self.open.take() else { return Ok(()) };
        let written = file.finish()?;
        job.scratch.push(address.clone());
        self.finished.push(RunInput {
            address,
            schema: Arc::clone(&job.schema),
            order: job.target.order.id(),
            rows: written.rows,
            bytes: written.size,
            first_key,
            last_key,
            row_groups: row_group_facts(&written.metadata),
        });
        Ok(())
    }

    fn finish(mut self, job: &mut Job<'_>) -> Result<Vec<RunInput>, RunsError> {
        self.end_run(job)?;
        Ok(self.finished)
    }
}

impl OpenRun {
    fn begin(sample: &RecordBatch, first_key: Vec<u8>, job: &mut Job<'_>) -> Result<Self, RunsError> {
        let address = (job.target.scratch_name)(job.scratch_made);
        job.scratch_made += 1;
        let object = job.stores.staging.writer(&address)?;
        let settings = WriteSettings { staged: true, ..job.settings.clone() };
        let file = TableFileWriter::new(object, Arc::clone(&job.schema), &settings, Some(sample))?;
        Ok(Self { address, file, last_key: first_key.clone(), first_key })
    }
}

/// Whether a run is in the target's order: sorted by it, and its key columns still have the types that they were sorted with.
fn has_order(run: &RunInput, order: &Order, schema: &SchemaRef) -> bool {
    let same_type = |name| match (run.schema.field_with_name(name), schema.field_with_name(name)) {
        (Ok(then), Ok(now)) => then.data_type() == now.data_type(),
        // A column that came later is null in every row, then as now.
        (Err(_), _) => true,
        (Ok(_), Err(_)) => false,
    };
    run.order == order.id() && order.columns().all(same_type)
}
