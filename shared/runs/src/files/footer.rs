//! What a footer says is held against itself and against the file's size before anything rests on it: others write table files too.

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::page_index::offset_index::PageLocation;

use crate::error::RunsError;

/// That the footer of a file of so many bytes contradicts neither itself nor the file: rows that add up, chunks that lie in the file, and
/// pages that fill theirs, where it names them.
pub(crate) fn check(address: &str, file_bytes: u64, metadata: &ParquetMetaData) -> Result<(), RunsError> {
    match contradiction(file_bytes, metadata) {
        None => Ok(()),
        Some(reason) => Err(RunsError::damaged(address)(format!("its footer contradicts itself: {reason}"))),
    }
}

fn contradiction(file_bytes: u64, metadata: &ParquetMetaData) -> Option<String> {
    let (mut rows, mut plain_bytes) = (0_i64, 0_i64);
    for (number, group) in metadata.row_groups().iter().enumerate() {
        rows = match rows.checked_add(group.num_rows()) {
            Some(rows) if group.num_rows() >= 0 => rows,
            _ => return Some(format!("row group {number} has {} rows", group.num_rows())),
        };
        if group.columns().is_empty() && group.num_rows() > 0 {
            return Some(format!("row group {number} has rows and no column"));
        }
        for (i, chunk) in group.columns().iter().enumerate() {
            let name = || format!("column {} of row group {number}", chunk.column_path());
            let Some((start, end)) = span(chunk).filter(|(_, end)| *end <= file_bytes) else {
                return Some(format!("{} is not within the file", name()));
            };
            if chunk.num_values() < group.num_rows() {
                return Some(format!("{} has fewer values than rows", name()));
            }
            plain_bytes = match plain_bytes.checked_add(chunk.uncompressed_size()) {
                Some(bytes) if chunk.uncompressed_size() >= 0 => bytes,
                _ => return Some(format!("{} has {} bytes", name(), chunk.uncompressed_size())),
            };
            let pages = metadata.offset_index().and_then(|index| index.get(number)?.get(i));
            let fill = |pages: &[PageLocation]| {
                let first = u64::try_from(chunk.data_page_offset()).unwrap_or(start);
                pages_fill(pages, first, end, group.num_rows())
            };
            if pages.is_some_and(|pages| !fill(pages.page_locations())) {
                return Some(format!("its page index says something else of {}", name()));
            }
        }
    }
    let said = metadata.file_metadata().num_rows();
    (said != rows).then(|| format!("it has {said} rows and its row groups {rows}"))
}

/// Where a column chunk begins and ends.
pub(super) fn span(chunk: &ColumnChunkMetaData) -> Option<(u64, u64)> {
    let data = u64::try_from(chunk.data_page_offset()).ok()?;
    let start = chunk.dictionary_page_offset().map_or(Ok(data), u64::try_from).ok()?;
    let end = start.checked_add(u64::try_from(chunk.compressed_size()).ok()?)?;
    (start <= data && data <= end).then_some((start, end))
}

/// Whether pages follow each other from the first page of data to the chunk's end, row upon row.
fn pages_fill(pages: &[PageLocation], first: u64, end: u64, rows: i64) -> bool {
    let (mut at, mut row) = (first, 0);
    for page in pages {
        let begins_there = u64::try_from(page.offset).is_ok_and(|offset| offset == at);
        let Ok(length) = u64::try_from(page.compressed_page_size) else { return false };
        if !begins_there || page.first_row_index < row || page.first_row_index > rows {
            return false;
        }
        (at, row) = (at.saturating_add(length), page.first_row_index);
    }
    at == end && pages.first().is_none_or(|page| page.first_row_index == 0)
}
