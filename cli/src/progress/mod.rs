//! Progress on standard error: a bar on a terminal, plain lines elsewhere, nothing where nobody asked.
//!
//! The flows add to [`Counts`]; a thread of its own looks at them and draws, so that showing costs the work nothing. Whatever
//! else is to be said while it is shown goes through [`Messages`], which lifts the bar for a moment: nothing tears it.

mod counts;
mod line;
mod reading;
mod share;

use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

use clap::builder::styling::AnsiColor;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use runtime::Clock;

pub use counts::Counts;
pub use reading::Reading;
pub use share::Share;

use crate::human::plain;

/// How the progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// A bar that is drawn anew on its line.
    Bar,
    /// A line every two seconds, as long as something happens.
    Lines,
    /// Not at all.
    Nothing,
}

impl Show {
    /// What fits this process: nothing where the output is JSON or the user asked for quiet, a bar on a terminal that can draw one.
    pub fn choose(json: bool, quiet: bool) -> Self {
        let kind = std::env::var("TERM").unwrap_or_default();
        Self::for_output(json || quiet, io::stderr().is_terminal() && can_draw(&kind))
    }

    fn for_output(silent: bool, terminal: bool) -> Self {
        match (silent, terminal) {
            (true, _) => Self::Nothing,
            (false, true) => Self::Bar,
            (false, false) => Self::Lines,
        }
    }
}

/// Whether a terminal of this kind (`TERM`) can draw a line anew.
fn can_draw(kind: &str) -> bool {
    !kind.is_empty() && kind != "dumb"
}

/// Where messages go while the progress is shown: standard error. Cheap to clone; also an [`io::Write`] for logs, which must
/// write whole lines at once, as `tracing-subscriber` does.
#[derive(Clone, Debug)]
pub struct Messages {
    bar: ProgressBar,
    /// The pipeline that they are of, where there are several.
    about: Option<Arc<str>>,
}

impl Messages {
    /// Prints `warning: ...`. Control characters in it are shown as escapes.
    pub fn warn(&self, text: &str) {
        let yellow = AnsiColor::Yellow.on_default().bold();
        let about = self.about.as_ref().map(|about| format!("pipeline {about}: ")).unwrap_or_default();
        self.line(&format!("{yellow}warning:{yellow:#} {about}{}", plain(text)));
    }

    /// The same place, for warnings that are of this pipeline.
    #[must_use]
    pub fn about(&self, pipeline: &str) -> Self {
        Self { bar: self.bar.clone(), about: Some(pipeline.into()) }
    }

    /// Prints a line. The text is the caller's own: foreign parts of it go through [`plain`] first.
    pub fn line(&self, text: &str) {
        // Standard error may be closed: there is nobody left to tell.
        self.bar.suspend(|| writeln!(anstream::stderr(), "{text}").ok());
    }
}

impl Write for Messages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bar.suspend(|| anstream::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The progress of one run. It is shown until it is finished or dropped.
pub struct Progress {
    counts: Arc<Counts>,
    messages: Messages,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Begins to show. Where no thread can be had nothing is shown: the run goes on without.
    pub fn start(show: Show, clock: Arc<dyn Clock>) -> Self {
        let counts = Arc::new(Counts::default());
        let bar = match show {
            Show::Bar => bar(),
            Show::Lines | Show::Nothing => ProgressBar::hidden(),
        };
        let messages = Messages { bar, about: None };
        let (stop, stopped) = channel();
        let mut painter = Painter {
            show,
            counts: Arc::clone(&counts),
            messages: messages.clone(),
            pace: line::Pace::default(),
            lines: line::Lines::default(),
        };
        let paint = move || {
            let period = Duration::from_millis(if show == Show::Bar { 100 } else { 250 });
            while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                painter.tick(clock.monotonic());
            }
        };
        let thread = match show {
            Show::Nothing => None,
            Show::Bar | Show::Lines => Builder::new().name("progress".to_owned()).spawn(paint).ok(),
        };
        Self { counts, messages, stop: Some(stop), thread }
    }

    /// The counters that it shows.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// Where messages go.
    pub fn messages(&self) -> &Messages {
        &self.messages
    }

    /// Stops and clears the bar. To be called before the summary is printed; dropping does the same.
    pub fn finish(self) {
        drop(self);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A painter that panicked has shown nothing more; the run does not depend on it.
            let _ = thread.join();
        }
        self.messages.bar.finish_and_clear();
    }
}

/// The columns that spinner, bar and the blanks around them take.
const BAR_COLUMNS: usize = 15;

/// The columns of a terminal that does not tell.
const COLUMNS: usize = 80;

/// The columns beside the bar.
fn columns() -> usize {
    let terminal = terminal_size::terminal_size_of(io::stderr());
    terminal.map_or(COLUMNS, |(width, _)| usize::from(width.0)).saturating_sub(BAR_COLUMNS)
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
    if let Ok(style) = ProgressStyle::with_template("{spinner} [{bar:10}] {wide_msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

struct Painter {
    show: Show,
    counts: Arc<Counts>,
    messages: Messages,
    pace: line::Pace,
    lines: line::Lines,
}

impl Painter {
    fn tick(&mut self, now: Duration) {
        let counts = self.counts.snapshot();
        let speed = self.pace.at(now, &counts);
        match self.show {
            Show::Nothing => {}
            Show::Lines => {
                if self.lines.due(now, &counts) {
                    self.messages.line(&line::text(&counts, speed));
                }
            }
            Show::Bar => {
                let bar = &self.messages.bar;
                // A bar of no length shows as full. Bytes move it within a large drop; drops where there is nothing in them.
                let (done, found) = match counts.found_bytes {
                    0 => (counts.done_drops, counts.found_drops),
                    found => (counts.read_bytes(), found),
                };
                bar.set_length(found.max(1));
                bar.set_position(done);
                bar.set_message(line::bar_text(&counts, speed, columns()));
                bar.tick();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_for_terminals_only_and_silence_wins() {
        assert_eq!(Show::for_output(false, true), Show::Bar);
        assert_eq!(Show::for_output(false, false), Show::Lines);
        assert_eq!(Show::for_output(true, true), Show::Nothing);
        assert_eq!(Show::for_output(true, false), Show::Nothing);
    }

    #[test]
    fn a_terminal_that_cannot_draw_gets_lines() {
        assert!(can_draw("xterm-256color") && can_draw("linux"));
        assert!(!can_draw("dumb") && !can_draw(""));
    }

    #[test]
    fn counters_add_up_over_threads() {
        let progress = Progress::start(Show::Nothing, Arc::new(runtime::SystemClock::new()));
        let counts = Arc::clone(progress.counts());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        counts.found(1, 10);
                        counts.done(1, 10, 5);
                    }
                });
            }
        });
        counts.set_phase("reading");
        counts.quarantined(2);
        let seen = counts.snapshot();
        assert_eq!((seen.found_drops, seen.found_bytes, seen.done_drops), (4_000, 40_000, 4_000));
        assert_eq!((seen.rows, seen.quarantined, seen.phase, seen.listed), (20_000, 2, "reading", false));
        progress.finish();
    }

    #[test]
    fn what_is_done_is_never_more_than_what_was_found() {
        let counts = Counts::default();
        counts.done(3, 30, 1);
        assert_eq!((counts.snapshot().found_drops, counts.snapshot().found_bytes), (3, 30));
    }

    #[test]
    fn stopping_does_not_wait_for_the_next_line() {
        let clock = runtime::SystemClock::new();
        for show in [Show::Lines, Show::Bar] {
            Progress::start(show, Arc::new(runtime::SystemClock::new())).finish();
        }
        assert!(clock.monotonic() < Duration::from_secs(2));
    }
}
