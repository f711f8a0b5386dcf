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
        Some(text) => match (LevelFilter::from_str(text), Targets::from_str(text)) {
            (Ok(level), _) => (ours(level), None),
            (Err(_), Ok(targets)) => (targets, None),
            (Err(_), Err(e)) => {
                (ours(LevelFilter::INFO), Some(format!("LITHIFY_LOG is no filter, info is logged: {e}")))
            }
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

/// A level for our own words, and warnings of all others.
fn ours(level: LevelFilter) -> Targets {
    let crates = ["ingest", "compactor", "runtime", "ledger", "lake", "runs", "store", "decode"];
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_targets(crates.map(|name| (name, level)))
}
