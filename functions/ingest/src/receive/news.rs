//! News of a table's schema, for the log.
//!
//! Columns are named by the drops: a name is schema and no payload, yet where members of records are used as keys it may be anything. So a
//! log names a few, cut and with control characters escaped, and counts the others.

use drops::PipelineName;

use crate::schemas::SchemaNews;

/// How many columns of each kind of news are named.
const NAMED: usize = 5;

/// How many characters of a name, or of a type, are shown.
const SHOWN_CHARS: usize = 60;

/// Tells of columns that were added, and of those whose values did not agree.
pub(super) fn tell(pipeline: &PipelineName, news: SchemaNews) {
    for (column, data_type) in news.added.iter().take(NAMED) {
        let (column, data_type) = (shown(column), shown(data_type));
        tracing::info!(%pipeline, column, data_type, "a column was added to the table's schema");
    }
    let further = news.added.len().saturating_sub(NAMED);
    if further > 0 {
        tracing::info!(%pipeline, further, "so many further columns were added to the table's schema");
    }
    for conflict in news.conflicts.iter().take(NAMED) {
        let column = shown(&conflict.column);
        // Its reason shows values, and no payload goes into a log; its remedy repeats the name, which may have been cut.
        let remedy = (column == conflict.column).then_some(conflict.remedy.as_str());
        tracing::warn!(%pipeline, column, remedy, "the values of a column did not agree");
    }
    let further = news.further_conflicts + news.conflicts.len().saturating_sub(NAMED) as u64;
    if further > 0 {
        tracing::warn!(%pipeline, further, "the values of so many further columns did not agree: are names used as values?");
    }
}

/// As much of a name as a log shows.
fn shown(name: &str) -> String {
    let mut shown = String::new();
    let mut left = SHOWN_CHARS;
    for c in name.chars() {
        let text = if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        let Some(after) = left.checked_sub(text.chars().count()) else {
            return shown + "...";
        };
        left = after;
        shown += &text;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_escaped() {
        assert_eq!(shown("price"), "price");
        assert_eq!(shown(&"ä".repeat(60)), "ä".repeat(60));
        assert_eq!(shown(&"ä".repeat(61)), "ä".repeat(60) + "...");
        assert_eq!(shown("a\nb\u{1b}[31m\0"), "a\\nb\\u{1b}[31m\\u{0}");
        assert_eq!(shown(&("x".repeat(59) + "\n")), "x".repeat(59) + "...", "no escape is cut in two");
    }
}
