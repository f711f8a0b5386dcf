//! What `LITHIFY_LOG` asks to be told, and where warnings go without it.

use runtime::settings::{Origin, SettingError};
use tracing_subscriber::EnvFilter;

/// The environment's variable.
const VARIABLE: &str = "LITHIFY_LOG";

/// What is told unless it is set.
const DEFAULT: &str = "off,ingest=warn,compactor=warn,runs=warn,lake=warn,ledger=warn";

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

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
    let how = format!("write one of {}, or PART=LEVEL such as ingest=debug, with commas between", LEVELS.join(", "));
    // Spans in brackets, and what they hold, are the filter's own language.
    for part in text.split(',').map(str::trim).filter(|part| !part.contains(['[', ']', '{', '}'])) {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
        if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
            return Err(format!("'{part}' says no level: {how}"));
        }
    }
    // The filter takes a blank for a part of the name.
    let text = text.split(',').map(str::trim).collect::<Vec<_>>().join(",");
    EnvFilter::try_new(&text).map_err(|e| format!("'{text}' cannot be read ({e}): {how}"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
