//! The text of the progress: pure, from counters and times to a line.

use std::{collections::VecDeque, time::Duration};

use crate::{
    human::{bytes, count, duration, number},
    progress::counts::Snapshot,
};

/// How far back the speed is measured.
const WINDOW: Duration = Duration::from_secs(10);

/// The least time between two samples, which bounds how many there are.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// The least time between two plain lines, and before the first.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// The speed over the last seconds.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When, drops done, bytes read; oldest first.
    samples: VecDeque<(Duration, u64, u64)>,
}

/// What is done in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Speed {
    drops: f64,
    bytes: f64,
}

impl Pace {
    /// Takes a sample at a moment of a clock that only grows, and gives the speed.
    pub(super) fn at(&mut self, now: Duration, counts: &Snapshot) -> Speed {
        let due = self.samples.back().is_none_or(|last| now.saturating_sub(last.0) >= SAMPLE_EVERY);
        if due {
            self.samples.push_back((now, counts.done_drops, counts.read_bytes()));
        }
        // One sample older than the window stays: the speed is measured over at least the window.
        while self.samples.get(1).is_some_and(|second| now.saturating_sub(second.0) >= WINDOW) {
            self.samples.pop_front();
        }
        let Some((since, drops, bytes)) = self.samples.front() else { return Speed::default() };
        let seconds = now.saturating_sub(*since).as_secs_f64();
        if seconds <= 0.0 {
            return Speed::default();
        }
        let each_second = |value: u64, before: u64| value.saturating_sub(before) as f64 / seconds;
        Speed { drops: each_second(counts.done_drops, *drops), bytes: each_second(counts.read_bytes(), *bytes) }
    }
}

/// The time left: by drops or by bytes, whichever is later, as either may be what costs; by bytes alone while large drops are read and none is
/// done with. `None` while it cannot be known.
fn left(counts: &Snapshot, speed: Speed) -> Option<Duration> {
    let by = |rest: u64, speed: f64| {
        let seconds = if rest == 0 { 0.0 } else { rest as f64 / speed };
        Duration::try_from_secs_f64(seconds).ok()
    };
    if !counts.listed {
        return None;
    }
    let bytes = by(counts.found_bytes.saturating_sub(counts.read_bytes()), speed.bytes)?;
    let drops = match counts.reading_bytes > 0 && speed.drops == 0.0 && speed.bytes > 0.0 {
        true => Duration::ZERO,
        false => by(counts.found_drops.saturating_sub(counts.done_drops), speed.drops)?,
    };
    // Whole seconds, upwards: a time that shrinks by fractions only flickers.
    let seconds = drops.max(bytes).as_secs_f64().ceil();
    Duration::try_from_secs_f64(seconds).ok().filter(|left| *left < Duration::from_secs(30 * 24 * 3600))
}

/// `reading: 1,234 of 5,678 drops, 12,340 rows, 3.4 MB (617 drops/s, 1.7 MB/s), 8 s left`.
pub(super) fn text(counts: &Snapshot, speed: Speed) -> String {
    let mut text = String::new();
    if !counts.phase.is_empty() {
        text += &format!("{}: ", counts.phase);
    }
    let more = if counts.listed { "" } else { "+" };
    let drops = if counts.found_drops == 1 { "drop" } else { "drops" };
    text += &format!("{} of {}{more} {drops}, ", number(counts.done_drops), number(counts.found_drops));
    text += &format!("{}, {} ", count(counts.rows, "row", "rows"), bytes(counts.read_bytes()));
    let drops = count(speed.drops.round() as u64, "drop", "drops");
    text += &format!("({drops}/s, {}/s)", bytes(speed.bytes.round() as u64));
    text + &rest_text(counts) + &left_text(counts, speed)
}

/// What stands beside a bar, what matters most first: where a terminal is narrow, whole parts are left away from the end, so that no number is
/// cut. `reading: 1,234 of 5,678, 617/s, 8 s left, 12,340 rows, 3.4 MB`.
pub(super) fn bar_text(counts: &Snapshot, speed: Speed, columns: usize) -> String {
    let more = if counts.listed { "" } else { "+" };
    let done = format!("{} of {}{more}", number(counts.done_drops), number(counts.found_drops));
    let phase = if counts.phase.is_empty() { String::new() } else { format!("{}: ", counts.phase) };
    let mut text = if width(&phase) + width(&done) <= columns { phase + &done } else { done };
    // Within large drops the bytes tell that something moves.
    let rate = match speed.drops.round() as u64 {
        0 if counts.reading_bytes > 0 => bytes(speed.bytes.round() as u64),
        drops => number(drops),
    };
    let others = [
        merged_text(counts),
        format!(", {rate}/s"),
        left_text(counts, speed),
        format!(", {}", count(counts.rows, "row", "rows")),
        format!(", {}", bytes(counts.read_bytes())),
        quarantined_text(counts),
        staged_text(counts),
    ];
    for part in others {
        if width(&text) + width(&part) > columns {
            break;
        }
        text += &part;
    }
    if width(&text) > columns { String::new() } else { text }
}

/// The columns that a text of ours takes: one for each character.
fn width(text: &str) -> usize {
    text.chars().count()
}

fn rest_text(counts: &Snapshot) -> String {
    quarantined_text(counts) + &staged_text(counts) + &merged_text(counts)
}

/// What moves while a commit or an upkeep writes files.
fn merged_text(counts: &Snapshot) -> String {
    if counts.merged_rows > 0 {
        format!(", {} merged", count(counts.merged_rows, "row", "rows"))
    } else {
        String::new()
    }
}

fn quarantined_text(counts: &Snapshot) -> String {
    if counts.quarantined > 0 { format!(", {} quarantined", number(counts.quarantined)) } else { String::new() }
}

fn staged_text(counts: &Snapshot) -> String {
    if counts.staged_drops > 0 { format!(", {} staged", number(counts.staged_drops)) } else { String::new() }
}

fn left_text(counts: &Snapshot, speed: Speed) -> String {
    if counts.done_drops >= counts.found_drops && counts.listed {
        return String::new();
    }
    match left(counts, speed) {
        Some(left) if left < Duration::from_secs(10) => format!(", {} s left", left.as_secs()),
        Some(left) => format!(", {} left", duration(left)),
        None => ", ? left".to_owned(),
    }
}

/// Decides when a plain line is due: every two seconds, the first after two, only where something changed.
#[derive(Debug, Default)]
pub(super) struct Lines {
    began: Option<Duration>,
    shown: Snapshot,
}

impl Lines {
    /// Whether a line is due at a moment of a clock that only grows.
    pub(super) fn due(&mut self, now: Duration, counts: &Snapshot) -> bool {
        let since = *self.began.get_or_insert(now);
        if now.saturating_sub(since) < LINE_EVERY || *counts == self.shown {
            return false;
        }
        self.began = Some(now);
        self.shown = *counts;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn some() -> Snapshot {
        Snapshot {
            found_drops: 5_678,
            found_bytes: 16_000_000,
            listed: true,
            done_drops: 1_234,
            done_bytes: 3_400_000,
            rows: 12_340,
            phase: "reading",
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_line_says_how_far_how_fast_how_long() {
        let speed = Speed { drops: 617.0, bytes: 1_700_000.0 };
        let whole = "reading: 1,234 of 5,678 drops, 12,340 rows, 3.4 MB (617 drops/s, 1.7 MB/s), 8 s left";
        assert_eq!(text(&some(), speed), whole);
        let listing = text(&Snapshot { listed: false, ..some() }, speed);
        assert!(listing.contains("1,234 of 5,678+ drops") && listing.ends_with(", ? left"), "{listing}");
        let more = text(&Snapshot { quarantined: 3, staged_drops: 1_000, ..some() }, speed);
        assert!(more.contains("MB/s), 3 quarantined, 1,000 staged, 8 s left"), "{more}");
        let merging = Snapshot { phase: "committing", merged_rows: 4_000, ..some() };
        assert!(text(&merging, speed).contains("MB/s), 4,000 rows merged, 8 s left"), "{}", text(&merging, speed));
        assert!(bar_text(&merging, speed, 50).starts_with("committing: 1,234 of 5,678, 4,000 rows merged"));
    }

    #[test]
    fn a_large_drop_moves_the_bytes_before_it_is_done() {
        let large =
            |read| Snapshot { found_drops: 1, done_drops: 0, done_bytes: 0, reading_bytes: read, rows: 0, ..some() };
        let mut pace = Pace::default();
        pace.at(SECOND, &large(1_000_000));
        let speed = pace.at(2 * SECOND, &large(4_000_000));
        let told = "reading: 0 of 1 drop, 0 rows, 4.0 MB (0 drops/s, 3.0 MB/s), 4 s left";
        assert_eq!(text(&large(4_000_000), speed), told);
        assert_eq!(bar_text(&large(4_000_000), speed, 70), "reading: 0 of 1, 3.0 MB/s, 4 s left, 0 rows, 4.0 MB");
        // What is read again is not more than there is.
        assert_eq!(large(u64::MAX).read_bytes(), 16_000_000);
        assert_eq!(Snapshot { found_bytes: 0, ..some() }.read_bytes(), 3_400_000);
    }

    #[test]
    fn beside_a_bar_rate_and_time_left_show_on_eighty_columns() {
        let many = Snapshot {
            phase: "committing",
            done_drops: 1_000_000,
            found_drops: 9_999_999,
            found_bytes: 160_000_000,
            listed: true,
            ..some()
        };
        let speed = Speed { drops: 24_691.0, bytes: 17_000_000.0 };
        let shown = bar_text(&many, speed, 80 - super::super::BAR_COLUMNS);
        assert!(shown.contains("24,691/s, 6 min 05 s left"), "{shown}");
    }

    #[test]
    fn a_narrow_terminal_shows_fewer_parts_and_no_half_ones() {
        let counts = Snapshot { phase: "committing", quarantined: 3, staged_drops: 1_000, ..some() };
        let speed = Speed { drops: 617.0, bytes: 1_700_000.0 };
        let whole = bar_text(&counts, speed, usize::MAX);
        let expected = "committing: 1,234 of 5,678, 617/s, 8 s left, 12,340 rows, 3.4 MB, 3 quarantined, 1,000 staged";
        assert_eq!(whole, expected);
        for columns in 0..=whole.len() {
            let shown = bar_text(&counts, speed, columns);
            assert!(shown.len() <= columns, "{columns}: {shown}");
            let ends_whole = |rest: &str| rest.is_empty() || rest.starts_with(", ");
            let is_whole = shown.is_empty()
                || shown == "1,234 of 5,678"
                || shown.starts_with("committing: ") && whole.strip_prefix(&shown).is_some_and(ends_whole)
                || shown.starts_with("1,234 of 5,678, ");
            assert!(is_whole, "{columns}: {shown}");
        }
        assert_eq!(bar_text(&counts, speed, 40), "committing: 1,234 of 5,678, 617/s");
        assert_eq!(bar_text(&counts, speed, 25), "1,234 of 5,678, 617/s");
        assert_eq!(bar_text(&counts, speed, 13), "");
    }

    #[test]
    fn the_time_left_is_the_later_of_both_and_never_absurd() {
        let left_at = |drops, bytes| left(&some(), Speed { drops, bytes }).map(|left| left.as_secs());
        assert_eq!(left_at(4_444.0, 1_000_000.0), Some(13), "bytes are what costs");
        assert_eq!(left_at(444.4, 1e12), Some(10), "drops are what costs");
        assert_eq!(left_at(0.0, 0.0), None);
        assert_eq!(left_at(1e-9, 1.0), None);
        let done = Snapshot { done_drops: 5_678, done_bytes: 16_000_000, ..some() };
        assert_eq!(left(&done, Speed::default()), Some(Duration::ZERO));
        assert!(!text(&done, Speed::default()).contains("left"));
    }

    #[test]
    fn the_speed_is_that_of_the_last_seconds() {
        let mut pace = Pace::default();
        let at = |drops| Snapshot { done_drops: drops, done_bytes: drops * 10, ..Snapshot::default() };
        assert_eq!(pace.at(Duration::ZERO, &at(0)), Speed::default());
        assert_eq!(pace.at(SECOND, &at(100)), Speed { drops: 100.0, bytes: 1_000.0 });
        for second in 2..=60 {
            pace.at(SECOND * second, &at(100));
        }
        assert_eq!(pace.at(SECOND * 61, &at(100)), Speed::default(), "it stood still for a minute");
        for tick in 0..10_000 {
            pace.at(SECOND * 62 + Duration::from_millis(tick), &at(100 + tick));
        }
        assert!(pace.samples.len() < 130, "{}", pace.samples.len());
    }

    #[test]
    fn plain_lines_come_every_two_seconds_and_only_with_news() {
        let mut lines = Lines::default();
        let at = |drops| Snapshot { done_drops: drops, ..Snapshot::default() };
        let mut due = |milliseconds, drops| lines.due(Duration::from_millis(milliseconds), &at(drops));
        assert!(!due(50_000, 1), "the first not at once");
        assert!(!due(51_999, 2));
        assert!(due(52_000, 2));
        assert!(!due(53_000, 3));
        assert!(due(54_000, 3));
        assert!(!due(60_000, 3), "nothing new");
        assert!(due(60_100, 4));
    }
}
