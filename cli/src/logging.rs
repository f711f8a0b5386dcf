//! What `LITHIFY_LOG` asks to be told, and where warnings go without it.

use std::fmt;

use runtime::settings::{Origin, SettingError};
use runtime::telemetry::check_levels;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::human::plain;

/// The environment's variable.
const VARIABLE: &str = "LITHIFY_LOG";

/// What is told unless it is set.
const DEFAULT: &str = "off,ingest=warn,compactor=warn,runs=warn,lake=warn,ledger=warn";

/// What is logged.
///
/// # Errors
/// The variable holds something else: [`EnvFilter`] would take a misspelt level for the name of a part, and log nothing.
pub fn filter() -> Result<EnvFilter, SettingError> {
    let wrong = |problem: String| SettingError::new(&Origin::Absent, VARIABLE, problem);
    let Some(text) = std::env::var_os(VARIABLE).filter(|text| !text.is_empty()) else {
        return Ok(EnvFilter::new(DEFAULT));
    };
    let text = text.into_string().map_err(|_| wrong("is not UTF-8".to_owned()))?;
    parse(&text).map_err(wrong)
}

fn parse(text: &str) -> Result<EnvFilter, String> {
    check_levels(text)?;
    // The filter takes a blank for a part of the name.
    let text = text.split(',').map(str::trim).collect::<Vec<_>>().join(",");
    EnvFilter::try_new(&text).map_err(|e| format!("'{text}' cannot be read ({e})"))
}

/// Events as lines that look like the command's own: `warning: ...`. Control characters in them are shown as escapes.
pub struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut text = String::new();
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>().map(|fields| fields.as_str()).unwrap_or_default();
            text += &format!("{}{{{fields}}}: ", span.name());
        }
        context.field_format().format_fields(Writer::new(&mut text), event)?;
        let word = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        writeln!(out, "{word}: {}", plain(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_that_steers_no_terminal() {
        let (send, lines) = std::sync::mpsc::channel();
        let writer = move || Sent(send.clone());
        let subscriber = tracing_subscriber::fmt().with_ansi(false).event_format(Lines).with_writer(writer).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("batch", id = 7).in_scope(|| tracing::warn!(file = "a\x1b[2J\nb", "it was not swept"));
        });
        let line = String::from_utf8(lines.recv().expect("a line")).expect("text");
        assert_eq!(line, "warning: batch{id=7}: it was not swept file=\"a\\u{1b}[2J\\nb\"\n");
    }

    struct Sent(std::sync::mpsc::Sender<Vec<u8>>);

    impl std::io::Write for Sent {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.send(bytes.to_vec()).expect("a reader");
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_level_is_one_of_a_few() {
        for right in ["debug", "off,ingest=warn", "WARN", "ingest=debug, lake=trace", "ingest[batch]=info"] {
            assert!(parse(right).is_ok(), "{right}");
        }
        for wrong in ["bogus", "debg", "ingest=bogus", "debug,", "ingest", "5"] {
            let problem = parse(wrong).expect_err(wrong);
            assert!(problem.contains("write one of off, error") && problem.contains("ingest=debug"), "{problem}");
        }
    }
}
