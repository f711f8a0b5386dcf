//! Rows of many batches put together into few: long stretches of one batch go through as slices, short ones are interleaved.

use arrow_array::RecordBatch;
use arrow_select::interleave::interleave_record_batch;

use crate::error::RunsError;

/// A stretch this long is worth its own batch.
const STRETCH_ROWS: usize = 512;
/// Batches that were read to their end are kept for collected rows, up to this many bytes.
const KEPT_BYTES_MAX: usize = 4 << 20;

type Sink<'a> = dyn FnMut(RecordBatch) -> Result<(), RunsError> + 'a;

pub(super) struct Gather {
    /// The batches that collected rows are in.
    batches: Vec<RecordBatch>,
    /// Where the current batch of each run stands in `batches`.
    places: Vec<Option<usize>>,
    /// The collected rows, as (batch, row).
    rows: Vec<(usize, usize)>,
    /// Short stretches are collected up to this many rows.
    rows_max: usize,
    /// Bytes of batches that only collected rows keep alive.
    kept_bytes: usize,
}

impl Gather {
    /// For rows of so many runs, of which that many may be put together at once.
    pub(super) fn new(runs: usize, rows_max: usize) -> Self {
        Self { batches: Vec::new(), places: vec![None; runs], rows: Vec::new(), rows_max, kept_bytes: 0 }
    }

    /// Takes the rows from `start` to `end` of a run's current batch.
    pub(super) fn take(
        &mut self,
        run: usize,
        batch: &RecordBatch,
        start: usize,
        end: usize,
        sink: &mut Sink<'_>,
    ) -> Result<(), RunsError> {
        if end - start >= STRETCH_ROWS {
            self.flush(sink)?;
            return sink(batch.slice(start, end - start));
        }
        let place = match self.places[run] {
            Some(place) => place,
            None => {
                self.batches.push(batch.clone());
                *self.places[run].insert(self.batches.len() - 1)
            }
        };
        self.rows.extend((start..end).map(|row| (place, row)));
        if self.rows.len() >= self.rows_max { self.flush(sink) } else { Ok(()) }
    }

    /// A run's current batch was read to its end.
    pub(super) fn leave(&mut self, run: usize, batch: &RecordBatch, sink: &mut Sink<'_>) -> Result<(), RunsError> {
        if self.places[run].take().is_some() {
            self.kept_bytes += batch.get_array_memory_size();
        }
        if self.kept_bytes > KEPT_BYTES_MAX { self.flush(sink) } else { Ok(()) }
    }

    /// Hands out the collected rows.
    pub(super) fn flush(&mut self, sink: &mut Sink<'_>) -> Result<(), RunsError> {
        if let Some(&(place, start)) = self.rows.first() {
            let follows = |pair: &[(usize, usize)]| pair[0].0 == pair[1].0 && pair[0].1 + 1 == pair[1].1;
            // Very large records come in batches of their own: they need not be in memory twice.
            let rows = if self.rows.windows(2).all(follows) {
                self.batches[place].slice(start, self.rows.len())
            } else {
                let batches: Vec<&RecordBatch> = self.batches.iter().collect();
                interleave_record_batch(&batches, &self.rows).map_err(RunsError::encode("merge rows"))?
            };
            sink(rows)?;
        }
        self.batches.clear();
        self.places.fill(None);
        self.rows.clear();
        self.kept_bytes = 0;
        Ok(())
    }
}
