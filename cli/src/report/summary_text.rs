//! The summary of a run for people.

use std::time::Duration;

use super::{
    NAMED_AT_MOST,
    grid::Grid,
    moment::Moment,
    summary::{PipelineSummary, RunSummary, Tally},
};
use crate::human::{bytes, count, duration, number, per_second, plain};

/// The text, with a newline at its end. Failures are not in it: they go to standard error.
pub(super) fn text(summary: &RunSummary) -> String {
    let mut text = String::new();
    let time = Duration::try_from_secs_f64(summary.seconds).unwrap_or_default();
    let several = summary.pipelines.len() > 1;
    for pipeline in &summary.pipelines {
        text += &heading(pipeline);
        let mut grid = tally(&pipeline.tally, pipeline.waiting_until);
        uncommitted(&mut grid, pipeline);
        if !several {
            timing(&mut grid, summary, time);
        }
        text += &grid.text();
        text += &details(pipeline);
        text.push('\n');
    }
    if several {
        text += &format!("All {} pipelines\n", summary.pipelines.len());
        let mut grid = tally(&summary.total, None);
        timing(&mut grid, summary, time);
        text += &grid.text();
        text.push('\n');
    }
    text += &last_line(summary);
    text
}

fn heading(pipeline: &PipelineSummary) -> String {
    let version = pipeline.table_version.map(|version| format!(", version {}", number(version))).unwrap_or_default();
    let (name, source, table) = (plain(&pipeline.name), plain(&pipeline.source), plain(&pipeline.table));
    format!("{name}: {source} -> {table}{version}\n")
}

fn tally(tally: &Tally, waiting_until: Option<Moment>) -> Grid {
    let mut grid = Grid::default();
    let read = if tally.source_bytes > 0 { format!("{} read", bytes(tally.source_bytes)) } else { String::new() };
    let written = if tally.table_bytes > 0 { format!("{} written", bytes(tally.table_bytes)) } else { String::new() };
    let mut always = |label: &str, value: u64, note: String| grid.row(label, number(value), note);
    always("drops ingested", tally.drops_ingested, read);
    let quarantined = match tally.drops_known_quarantined {
        0 => String::new(),
        some => format!("{} of them in quarantine: a file that is mended, or touched, is read again", number(some)),
    };
    always("drops already known", tally.drops_known, quarantined);
    always("drops quarantined", tally.drops_quarantined, String::new());
    let waiting = match waiting_until {
        Some(until) => format!("too young to be read (--settle-time); the last rests at {until}, for a run after that"),
        None => "too young to be read (--settle-time), for the next run".to_owned(),
    };
    let some = [
        ("drops left out", tally.drops_left_out, "the next run tries them again"),
        ("drops changed", tally.drops_changed, "after they were ingested: ignored"),
        ("drops gone", tally.drops_gone, "before they were read"),
        ("drops waiting", tally.drops_waiting, &waiting),
        ("drops elsewhere", tally.drops_elsewhere, "another process has them"),
        ("files skipped", tally.files_of_unknown_format, "of unknown formats"),
        (
            "no files",
            tally.no_files,
            "links to nothing, within the source or to a folder above, pipes, sockets, devices: skipped",
        ),
        ("files hidden", tally.files_hidden, "skipped for their names"),
    ];
    for (label, value, note) in some.into_iter().filter(|(_, value, _)| *value > 0) {
        grid.row(label, number(value), note);
    }
    let mut always = |label: &str, value: u64, note: String| grid.row(label, number(value), note);
    always("rows", tally.rows, String::new());
    always("rows with rescued data", tally.rescued_rows, String::new());
    always("records quarantined", tally.quarantined_records, String::new());
    always("files written", tally.files_written, written);
    if tally.files_merged > 0 {
        let into = format!("into {}", count(tally.files_merged_into, "file", "files"));
        grid.row("small files merged", number(tally.files_merged), into);
    }
    let mut always = |label: &str, value: u64, note: String| grid.row(label, number(value), note);
    always("commits", tally.commits, String::new());
    let read_here = tally.drops_ingested + tally.drops_quarantined;
    if tally.drops_committed > read_here {
        grid.row(
            "drops committed",
            number(tally.drops_committed),
            "with those that were staged before or by another process",
        );
    }
    grid
}

/// What a run that failed has read and not committed.
fn uncommitted(grid: &mut Grid, pipeline: &PipelineSummary) {
    let Tally { drops_ingested, drops_quarantined, drops_committed, .. } = pipeline.tally;
    let staged = (drops_ingested + drops_quarantined).saturating_sub(drops_committed);
    if pipeline.failure.is_some() && staged > 0 {
        grid.row("drops not committed", number(staged), "read and staged, in no table yet: the next run commits them");
    }
}

fn timing(grid: &mut Grid, summary: &RunSummary, time: Duration) {
    let total = &summary.total;
    let (drops, rows) = (per_second(total.drops_ingested, time), per_second(total.rows, time));
    let speed = if total.drops_ingested > 0 {
        format!("{}/s, {}/s", count(drops, "drop", "drops"), count(rows, "row", "rows"))
    } else {
        String::new()
    };
    grid.row("time", duration(time), speed);
    if let Some(peak) = summary.peak_memory_bytes {
        grid.row("peak memory", bytes(peak), "");
    }
}

/// What has a name: files, records, columns. Each kind under its own line, shortened where there are many.
fn details(pipeline: &PipelineSummary) -> String {
    let tally = &pipeline.tally;
    let mut text = String::new();
    let one = |drop: &super::QuarantinedDrop| format!("{}: {}", drop.file, drop.reason);
    text += &list("Quarantined drops", tally.drops_quarantined, pipeline.quarantined_drops.iter().map(one));
    let one = |record: &super::QuarantinedRecord| {
        let line = record.line.map(|line| format!(" line {line}")).unwrap_or_default();
        format!("{}{line} (row {}): {}", record.file, record.row, record.reason)
    };
    text += &list("Quarantined records", tally.quarantined_records, pipeline.quarantined_records.iter().map(one));
    let mut kept: Vec<&str> = pipeline.quarantined_records.iter().map(|record| record.kept_in.as_str()).collect();
    kept.dedup();
    for place in kept {
        text += &format!("    kept in {}\n", plain(place));
    }
    let one = |left: &super::LeftOut| format!("{}: {}", left.file, left.reason);
    text += &list("Left out", tally.drops_left_out, pipeline.left_out.iter().map(one));
    text += &list("Changed after they were ingested, ignored", tally.drops_changed, pipeline.changed.iter().cloned());
    let skipped = pipeline.skipped_by_extension.iter().map(|(extension, files)| match extension.as_str() {
        "" => format!("without extension: {}", number(*files)),
        kind if kind.starts_with(['(', '~']) => format!("{kind}: {}", number(*files)),
        known => format!(".{known}: {}", number(*files)),
    });
    text += &list("Skipped by extension", pipeline.skipped_by_extension.len() as u64, skipped);
    if tally.files_of_unknown_format > 0 {
        let hidden = if tally.files_hidden > 0 { ", but no hidden and temporary ones" } else { "" };
        text += &format!("    (--format json or --format csv reads the files of unknown formats as well{hidden})\n");
    }
    let added = pipeline.columns_added.iter().map(|added| format!("{} {}", added.column, added.data_type));
    text += &list_up_to(COLUMNS_NAMED, "Columns added", pipeline.columns_added.len() as u64, added);
    let one = |conflict: &super::Conflict| format!("{}: {} ({})", conflict.column, conflict.reason, conflict.remedy);
    let conflicts = pipeline.conflicts.iter().map(one);
    text += &list_up_to(usize::MAX, "Columns in conflict", pipeline.conflicts.len() as u64, conflicts);
    if pipeline.further_conflicts > 0 {
        let least = if pipeline.further_conflicts_at_least { "at least " } else { "" };
        let columns = if pipeline.further_conflicts == 1 { "column" } else { "columns" };
        text += &format!("    and {least}{} more {columns}\n", number(pipeline.further_conflicts));
    }
    text += &list_up_to(usize::MAX, "Warnings", pipeline.warnings.len() as u64, pipeline.warnings.iter().cloned());
    if let Some(other) = &pipeline.waited_for {
        text += &format!("  Waited for another process: {}\n", plain(other));
    }
    text
}

/// How many added columns are named. `--json` names all.
const COLUMNS_NAMED: usize = 10;

/// A line for the kind, one for each of the first few, and how many more there are.
fn list(kind: &str, all: u64, named: impl Iterator<Item = String>) -> String {
    list_up_to(NAMED_AT_MOST, kind, all, named)
}

/// As [`list`], for so many.
fn list_up_to(most: usize, kind: &str, all: u64, named: impl Iterator<Item = String>) -> String {
    if all == 0 {
        return String::new();
    }
    let mut text = format!("  {kind}:\n");
    let mut shown = 0;
    for line in named.take(most) {
        text += &format!("    {}\n", plain(&line));
        shown += 1;
    }
    if all > shown {
        text += &format!("    and {} more\n", number(all - shown));
    }
    text
}

/// Where nothing failed but what was refused: a run goes on from nowhere there.
fn refusal(refused: usize, pipelines: usize) -> String {
    if pipelines == 1 {
        return "Refused: nothing was claimed or committed.\n".to_owned();
    }
    let refused = count(refused as u64, "pipeline", "pipelines");
    format!("Refused, {refused}: nothing was claimed or committed there; what the others committed stays.\n")
}

/// The one line that tells how it went.
fn last_line(summary: &RunSummary) -> String {
    let total = &summary.total;
    let drops = |value| count(value, "drop", "drops");
    if let Some(failed) = Some(summary.failures().count()).filter(|failed| *failed > 0) {
        let refused = summary.pipelines.iter().filter(|pipeline| pipeline.is_refused()).count();
        if refused == failed {
            return refusal(refused, summary.pipelines.len());
        }
        let failures = count(failed as u64, "failure", "failures");
        if summary.failures().all(|(_, failure)| failure.refused) {
            return format!("Stopped, {failures}: nothing more was claimed or committed.\n");
        }
        return format!(
            "Failed, {failures}: what was committed stays; once the cause is mended, a run goes on from there.\n"
        );
    }
    if summary.interrupted && summary.watched {
        return "Watching ended: what was read is committed, and the next run goes on from there.\n".to_owned();
    }
    if summary.interrupted {
        return "Interrupted: nothing is lost, and the next run goes on from there.\n".to_owned();
    }
    let quarantined = total.drops_quarantined > 0 || total.quarantined_records > 0;
    if total.drops_left_out > 0 {
        let more = if quarantined { "; of the others some are in quarantine" } else { "" };
        return format!("{} left out: run it again when the cause is gone{more}.\n", drops(total.drops_left_out));
    }
    if quarantined {
        let (dropped, records) = (total.drops_quarantined, total.quarantined_records);
        let what = match (dropped, records) {
            (_, 0) => drops(dropped),
            (0, _) => count(records, "record", "records"),
            _ => format!("{} and {}", drops(dropped), count(records, "record", "records")),
        };
        let verb = if dropped + records == 1 { "is" } else { "are" };
        return format!("Everything is final; {what} {verb} in quarantine.\n");
    }
    if total.drops_waiting > 0 {
        return format!("{} not final yet: too young to be read, for the next run.\n", drops(total.drops_waiting));
    }
    if total.drops_elsewhere > 0 {
        return format!("{} not final yet: at work in another process.\n", drops(total.drops_elsewhere));
    }
    if total.drops_ingested == 0 && total.commits == 0 {
        if total.drops_known == 0 {
            return "Nothing to ingest: no drops were found.\n".to_owned();
        }
        let quarantined = match total.drops_known_quarantined {
            0 => String::new(),
            some => format!(", {} of them in quarantine", number(some)),
        };
        return format!("Nothing new: {} known already{quarantined}.\n", drops(total.drops_known));
    }
    "Everything is final.\n".to_owned()
}
