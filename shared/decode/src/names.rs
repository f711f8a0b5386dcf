//! Names of columns: what Delta forbids is replaced, and what would collide is known.

use crate::limits::MAX_COLUMN_NAME_BYTES;

/// The column that holds, as JSON, what did not fit a row's columns.
pub const RESCUED_DATA: &str = "_rescued_data";

/// The columns that each row carries beside its data: no data column has such a name.
pub const ROW_COLUMNS: [&str; 6] =
    ["_source_file", "_source_version", "_source_row", "_source_time", "_ingested_at", RESCUED_DATA];

/// The column's name for a name that the source uses: ` ,;{}()`, line feed, tab and `=`, which Delta forbids without column
/// mapping, become `_`, and so do the other control characters (names with a NUL end early in readers that are written in C)
/// and the empty name.
pub fn column_name(source_name: &str) -> String {
    if source_name.is_empty() {
        return "_".to_owned();
    }
    source_name.replace(|c: char| c.is_control() || " ,;{}()=".contains(c), "_")
}

/// The form in which two names that readers take for the same are equal: by Unicode's lower case.
pub fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// Whether a name is too long for a column.
pub fn is_too_long(name: &str) -> bool {
    name.len() > MAX_COLUMN_NAME_BYTES
}

/// Whether a name at a record's top level is one of the row columns'.
pub fn is_row_column(name: &str) -> bool {
    ROW_COLUMNS.iter().any(|column| folded(name) == *column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_characters_become_underscores() {
        assert_eq!(column_name("a b,c;d{e}f(g)h\ni\tj=k"), "a_b_c_d_e_f_g_h_i_j_k");
        assert_eq!(column_name("a\0b\u{1}c\rd\u{7f}e\u{85}f"), "a_b_c_d_e_f");
        assert_eq!(column_name(""), "_");
        assert_eq!(column_name("Größe.m"), "Größe.m");
    }

    #[test]
    fn row_columns_by_any_case() {
        assert!(is_row_column("_Source_FILE") && is_row_column("_rescued_data"));
        assert!(!is_row_column("source_file") && !is_row_column("_source_rows"));
    }
}
