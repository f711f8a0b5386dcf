//! What a shift tells of its drops, in the log and in what is counted.

use decode::format::extension_of;
use drops::{DropId, DroppedObject};

use super::super::fate::Fate;
use super::{NAMED, Shift};
use crate::BatchOutcome;

impl Shift<'_> {
    /// What was notified was replaced before it was read, and its content is ingested by nobody. Where the other content was notified beside it,
    /// it was counted when the two were joined.
    pub(super) fn tell_replaced(&mut self, told: &DroppedObject, now: &DroppedObject) {
        let notified = self.places.get(&now.id).into_iter().flat_map(|place| &place.arrivals);
        let mut notified = notified.flat_map(|at| self.arrivals[*at].notifications());
        let is_known = notified.any(|notification| notification.etag.as_ref() == Some(&now.etag));
        if self.lane.holds_version() || told.etag.is_empty() || told.etag == now.etag || is_known {
            return;
        }
        self.tally.ignored_overwrites += 1;
        self.named += 1;
        if self.named <= NAMED {
            tracing::warn!(pipeline = %self.lane.pipeline.name, drop = %told.id, "replaced before it was read: the content that stands there now is read");
        }
    }

    /// What is acknowledged though nothing was ingested is named: whoever misses it looks here.
    pub(super) fn tell_missing(&mut self, id: &DropId, fate: &Fate) {
        if *fate == Fate::Missing {
            self.named += 1;
            if self.named <= NAMED {
                tracing::warn!(pipeline = %self.lane.pipeline.name, drop = %id, "missing: there is no such object any more; acknowledged");
            }
        }
    }

    /// Names a drop that is left out; only the first few, they mostly share their cause.
    pub(super) fn name(&mut self, id: &DropId, why: &str) {
        self.named += 1;
        if self.named <= NAMED {
            tracing::warn!(pipeline = %self.lane.pipeline.name, drop = %id, extension = extension_of(&id.key), why, "left out, to come again");
        }
    }

    /// One line a batch, and its counts.
    pub(super) fn tell(&mut self, outcome: &BatchOutcome) {
        let pipeline = &self.lane.pipeline.name;
        let (batch, left_out) = (outcome.id.map(|id| id.to_string()), outcome.left_out.len());
        let Some(sealed) = &outcome.sealed else {
            tracing::info!(%pipeline, batch, left_out, "nothing to seal");
            return;
        };
        tracing::info!(
            %pipeline,
            batch,
            fence = "sealed",
            drops = sealed.drops,
            rows = sealed.rows,
            source_bytes = sealed.source_bytes,
            staged_bytes = sealed.staged_bytes,
            rescued_rows = sealed.rescued_rows,
            quarantined_drops = sealed.quarantined_drops,
            quarantined_records = sealed.quarantined_records,
            left_out,
            manifest = %sealed.manifest,
            "sealed"
        );
        for entry in &outcome.quarantined {
            let row = entry.record.as_ref().map(|record| record.row);
            tracing::warn!(%pipeline, batch, drop = %entry.source_file, row, reason = %entry.reason, "quarantined");
        }
        self.tally.drops += sealed.drops;
        self.tally.rows += sealed.rows;
        self.tally.bytes += sealed.source_bytes;
        self.tally.rescued_rows += sealed.rescued_rows;
        self.tally.quarantined_drops += sealed.quarantined_drops;
        self.tally.quarantined_records += sealed.quarantined_records;
    }
}
