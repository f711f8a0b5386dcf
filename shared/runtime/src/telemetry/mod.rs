//! What a function says: logs as JSON lines, and metrics in CloudWatch's embedded format, both on standard output.

mod metrics;

use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use metrics::{Metrics, NAMESPACE, Unit};

/// Begins to write logs as one JSON object a line. `filter` is a level, or a list of `target=level` ([`Targets`]); `info` where it is
/// absent or none. What is logged carries no content of drops.
///
/// The SDK's and the HTTP client's own words are kept to warnings unless the filter names them.
pub fn log(filter: Option<&str>) {
    let (filter, wrong) = match filter.map(str::trim).filter(|text| !text.is_empty()) {
        None => (ours(LevelFilter::INFO), None),
        Some(text) => match parse(text) {
            Ok(filter) => (filter, None),
            Err(e) => (ours(LevelFilter::INFO), Some(format!("LITHIFY_LOG is no filter, info is logged: {e}"))),
        },
    };
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_ansi(false);
    // A second time in one process would be a defect that costs nothing.
    let _ = tracing_subscriber::registry().with(lines).with(filter).try_init();
    if let Some(wrong) = wrong {
        tracing::warn!("{wrong}");
    }
}

/// A level, or parts with levels.
fn parse(text: &str) -> Result<Targets, String> {
    check_levels(text)?;
    let text = &text.split(',').map(str::trim).collect::<Vec<_>>().join(",");
    LevelFilter::from_str(text).map(ours).or_else(|_| Targets::from_str(text)).map_err(|error| error.to_string())
}

/// The levels by name.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// That every part of a filter says a level: who reads it next would take a misspelt level for the name of a part, and log nothing.
///
/// # Errors
/// The part, and what can stand there.
pub fn check_levels(text: &str) -> Result<(), String> {
    // Spans in brackets, and what they hold, are the command line's filter's own language.
    for part in text.split(',').map(str::trim).filter(|part| !part.contains(['[', ']', '{', '}'])) {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
        if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
            return Err(format!(
                "'{part}' says no level: write one of {}, or PART=LEVEL such as ingest=debug, with commas between",
                LEVELS.join(", ")
            ));
        }
    }
    Ok(())
}

/// A level for our own words, and warnings of all others.
fn ours(level: LevelFilter) -> Targets {
    let crates = ["ingest", "compactor", "runtime", "ledger", "lake", "runs", "store", "decode"];
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_targets(crates.map(|name| (name, level)))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_filter_is_a_level_or_parts_with_levels() {
        assert!(parse("debug").is_ok_and(|filter| filter.would_enable("ingest", &Level::DEBUG)));
        assert!(parse("INFO, ingest=debug").is_ok_and(|filter| filter.would_enable("ingest", &Level::DEBUG)));
        for wrong in ["verbose", "warning", "all", "info,ingest", "ingest=loud", ""] {
            assert!(parse(wrong).is_err_and(|why| why.contains("says no level: write one of off, error")), "{wrong}");
        }
    }
}
