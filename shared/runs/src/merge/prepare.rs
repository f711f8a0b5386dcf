//! What happens before the last pass: runs in another order are sorted again, too many overlapping ones are merged into fewer.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::input::Input;
use super::{Job, RunInput, plan};
use crate::error::RunsError;
use crate::files::{TableFileWriter, WriteSettings, row_group_facts};
use crate::order::Order;

impl Job<'_> {
    /// Replaces every run whose keys do not compare with the target's by runs that do: as many rows at once as the budget for readers
    /// allows are put in order, of several runs where these are small.
    pub(super) fn sort_again(&mut self, runs: Vec<RunInput>) -> Result<Vec<RunInput>, RunsError> {
        // A piece is held as read and as sorted, beside its keys.
        let piece_bytes = usize::try_from(self.reader_bytes / 3).unwrap_or(usize::MAX);
        let mut sorted = Vec::with_capacity(runs.len());
        let (mut piece, mut bytes) = (Vec::new(), 0);
        for run in runs {
            if has_order(&run, &self.target.order, &self.schema) {
                sorted.push(run);
                continue;
            }
            let mut input = Input::open(&run, self)?;
            while let Some(batch) = input.next()? {
                bytes += batch.get_array_memory_size();
                piece.push(batch);
                if bytes >= piece_bytes {
                    sorted.push(self.sort_piece(std::mem::take(&mut piece))?);
                    bytes = 0;
                }
            }
        }
        if !piece.is_empty() {
            sorted.push(self.sort_piece(piece)?);
        }
        Ok(sorted)
    }

    /// Sorts rows and makes them a run.
    fn sort_piece(&mut self, piece: Vec<RecordBatch>) -> Result<RunInput, RunsError> {
        let mut scratch = self.begin_scratch();
        for batch in self.target.order.sort_all(piece)? {
            scratch.write(batch, self)?;
        }
        scratch.finish(self)
    }

    /// Merges overlapping runs into one until no more overlap than the budget can hold open.
    pub(super) fn merge_until_it_fits(&mut self, mut runs: Vec<RunInput>) -> Result<Vec<RunInput>, RunsError> {
        loop {
            let spans: Vec<_> = runs.iter().map(plan::Span::of).collect();
            let Some(mut group) = plan::too_many_at_once(&spans, self.reader_bytes) else { return Ok(runs) };
            drop(spans);
            group.sort_unstable_by(|a, b| b.cmp(a));
            let members: Vec<RunInput> = group.into_iter().map(|i| runs.swap_remove(i)).collect();
            let addresses: Vec<String> = members.iter().map(|run| run.address.clone()).collect();
            let mut scratch = self.begin_scratch();
            self.merge_rows(members, &mut |batch, job| scratch.write(batch, job))?;
            runs.push(scratch.finish(self)?);
            self.delete_scratch_among(&addresses);
        }
    }

    fn begin_scratch(&mut self) -> Scratch {
        let address = (self.target.scratch_name)(self.scratch_made);
        self.scratch_made += 1;
        Scratch { address, file: None, first_key: Vec::new(), last_key: Vec::new() }
    }

    fn delete_scratch_among(&mut self, addresses: &[String]) {
        let (done, kept) = std::mem::take(&mut self.scratch).into_iter().partition(|one| addresses.contains(one));
        self.scratch = kept;
        let done: Vec<String> = done;
        done.iter().for_each(|address| self.delete(&self.stores.staging, address));
    }
}

/// A run of the merge itself, in the making.
struct Scratch {
    address: String,
    /// Begun with the first rows, which settle how it is encoded.
    file: Option<TableFileWriter>,
    first_key: Vec<u8>,
    last_key: Vec<u8>,
}

impl Scratch {
    fn write(&mut self, batch: RecordBatch, job: &mut Job<'_>) -> Result<(), RunsError> {
        let Some(last) = batch.num_rows().checked_sub(1) else { return Ok(()) };
        let key = |row| job.target.order.keys(&batch.slice(row, 1)).get(0).to_vec();
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                self.first_key = key(0);
                let object = job.stores.staging.writer(&self.address)?;
                let settings = WriteSettings { staged: true, ..job.settings.clone() };
                none.insert(TableFileWriter::new(object, Arc::clone(&job.schema), &settings, Some(&batch))?)
            }
        };
        self.last_key = key(last);
        file.write(&batch)?;
        // Only rows in table files count as progress; this is the moment to be stopped.
        job.told(0)
    }

    fn finish(self, job: &mut Job<'_>) -> Result<RunInput, RunsError> {
        let file = self.file.ok_or_else(|| RunsError::encode("merge runs in staging")("they have no rows"))?;
        let written = file.finish()?;
        job.scratch.push(self.address.clone());
        Ok(RunInput {
            address: self.address,
            schema: Arc::clone(&job.schema),
            order: job.target.order.id(),
            rows: written.rows,
            bytes: written.size,
            first_key: self.first_key,
            last_key: self.last_key,
            row_groups: row_group_facts(&written.metadata),
        })
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
