//! The status of a table for people.

use std::time::Duration;

use super::{
    grid::Grid,
    moment::Moment,
    status::{PipelineStatus, SizeBucket, SizeDistribution, StatusReport},
};
use crate::human::{bytes, count, duration, number, plain};

/// The text, with a newline at its end.
pub(super) fn text(report: &StatusReport) -> String {
    let table = &report.table;
    let mut text = match table.version {
        Some(version) => format!("{}, version {}\n", plain(&table.path), number(version)),
        None => format!("{}, nothing committed yet\n", plain(&table.path)),
    };
    let mut grid = Grid::default();
    if let Some(at) = table.last_commit_at {
        grid.row("last commit", "", when(at, report.at));
    }
    grid.row("rows", table.rows.map_or_else(|| "not known".to_owned(), number), "");
    grid.row("live files", number(table.files.files), bytes(table.files.bytes));
    let has_commits = report.pipelines.iter().any(|pipeline| pipeline.head.is_some());
    match (table.audit_version, &table.audit_fault) {
        (_, Some(fault)) => {
            grid.row("audit table", "unreadable", format!("restore it, the rows are not concerned: {}", plain(fault)))
        }
        (Some(version), None) => grid.row("audit table", "", format!("version {}", number(version))),
        (None, None) if has_commits => {
            grid.row("audit table", "none", "it was removed: restore it; the rows are not concerned")
        }
        (None, None) => {}
    }
    text += &grid.text();
    text += &sizes(&table.files);
    for pipeline in &report.pipelines {
        text += &self::pipeline(pipeline, report.at);
    }
    if report.pipelines.is_empty() {
        text += "\nNo pipeline feeds it yet: `lithify run SOURCE TABLE` makes one.\n";
    }
    text
}

fn sizes(files: &SizeDistribution) -> String {
    let (Some(min), Some(median), Some(max)) = (files.min_bytes, files.median_bytes, files.max_bytes) else {
        return String::new();
    };
    let mut text = format!("  file sizes: {} to {}, median {}\n", bytes(min), bytes(max), bytes(median));
    let mut grid = Grid::default();
    for bucket in &files.buckets {
        let note = if bucket.files > 0 { bytes(bucket.bytes) } else { String::new() };
        grid.row(class(bucket), number(bucket.files), note);
    }
    text += &grid.text().lines().map(|line| format!("  {line}\n")).collect::<String>();
    text
}

fn class(bucket: &SizeBucket) -> String {
    let mebi = |bytes: u64| bytes >> 20;
    match bucket.below_bytes {
        Some(below) if bucket.from_bytes == 0 => format!("below {} MiB", mebi(below)),
        Some(below) => format!("{} to {} MiB", mebi(bucket.from_bytes), mebi(below)),
        None => format!("{} MiB and more", mebi(bucket.from_bytes)),
    }
}

fn pipeline(pipeline: &PipelineStatus, now: Moment) -> String {
    let mut text = format!("\n{}: {}\n", plain(&pipeline.name), plain(&pipeline.source));
    let mut grid = Grid::default();
    grid.row("drops committed", number(pipeline.drops_committed), "");
    grid.row("drops staged", number(pipeline.drops_staged), "");
    grid.row("drops quarantined", number(pipeline.drops_quarantined), "");
    let note = match (pipeline.drops_unfinished, pipeline.drops_not_asked_for) {
        (0, _) => String::new(),
        (_, 0) => "claimed and not held by a batch: at work, or taken over by the next run".to_owned(),
        (_, untold) => format!(
            "claimed and not held by a batch: at work, taken over by the next run, or gone: of {} the source was not asked, or did not tell",
            number(untold)
        ),
    };
    grid.row("drops unfinished", number(pipeline.drops_unfinished), note);
    if pipeline.drops_gone > 0 {
        grid.row(
            "drops gone",
            number(pipeline.drops_gone),
            "gone from the source after they were claimed, and before they were read",
        );
    }
    grid.row("records quarantined", number(pipeline.quarantined_records), "");
    let waiting = &pipeline.waiting;
    let mut note = String::new();
    if waiting.batches > 0 {
        let (drops, rows) = (count(waiting.drops, "drop", "drops"), count(waiting.rows, "row", "rows"));
        note = format!("{drops}, {rows}, {}", bytes(waiting.staged_bytes));
        if let Some(age) = waiting.oldest_age_seconds {
            note += &format!(", the oldest for {}", age_text(age));
        }
    }
    grid.row("batches waiting", number(waiting.batches), note);
    if let Some(head) = pipeline.head {
        grid.row("head", number(head), "the last settled intent");
    }
    if let Some(intent) = pipeline.unsettled {
        let note = "this intent is in the table: drops of it count as staged until the next run settles it";
        grid.row("not settled", number(intent), note);
    }
    if let Some(version) = pipeline.last_version {
        grid.row("last commit", number(version), pipeline.last_commit_at.map(|at| when(at, now)).unwrap_or_default());
    }
    text += &grid.text();
    text
}

/// `2026-11-22 14:10:00 UTC, 3 min 05 s ago`.
fn when(at: Moment, now: Moment) -> String {
    format!("{at}, {} ago", age_text(now.0.microseconds_since(at.0) / 1_000_000))
}

/// An age in whole seconds or coarser.
fn age_text(seconds: u64) -> String {
    if seconds < 60 { format!("{seconds} s") } else { duration(Duration::from_secs(seconds)) }
}
