//! A look at the headers of a file's pages, before Parquet's reader: it believes how many values they hold and how large a page becomes.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::Length;

use super::chunks::Chunks;
use super::footer::span;
use super::thrift::{Thrift, kind};
use crate::error::RunsError;

/// A page is a mebibyte, about, and hardly ever more than a few; nothing larger is decompressed.
pub(super) const PAGE_BYTES_MAX: u64 = 64 << 20;

/// How much of a header is read at first, and at most: it may hold the least and the greatest value.
const HEADER_BYTES: u64 = 1 << 10;
const HEADER_BYTES_MAX: u64 = 1 << 20;

/// How much of a stream is decompressed at once.
const BROTLI_BUFFER_BYTES: usize = 4 << 10;

/// What a page's header says, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    /// Of the header itself.
    own: u64,
    /// Of the page in the file, behind it.
    encoded: u64,
    /// Of the page in memory.
    plain: u64,
    /// How many values stand in a dictionary. Room is made for them before they are read.
    entries: u64,
}

/// That the pages of the wanted columns, by their places in the schema, follow each other as their headers and the page index say, and that none becomes
/// larger than its column, nor than [`PAGE_BYTES_MAX`].
pub(crate) fn check(
    chunks: &Chunks,
    metadata: &ParquetMetaData,
    is_wanted: impl Fn(usize) -> bool,
) -> Result<(), RunsError> {
    for (number, group) in metadata.row_groups().iter().enumerate() {
        for (i, chunk) in group.columns().iter().enumerate().filter(|(i, _)| is_wanted(*i)) {
            let index = metadata.offset_index().and_then(|index| index.get(number)?.get(i));
            let pages = index.map(|index| index.page_locations().as_slice());
            if let Some(reason) = contradiction(chunks, chunk, pages)? {
                let column = chunk.column_path();
                return Err(RunsError::damaged(chunks.address())(format!(
                    "column {column} of row group {number}: {reason}"
                )));
            }
        }
    }
    Ok(())
}

fn contradiction(
    chunks: &Chunks,
    chunk: &ColumnChunkMetaData,
    index: Option<&[PageLocation]>,
) -> Result<Option<String>, RunsError> {
    if chunk.compression() == Compression::LZ4 {
        return Ok(Some("it is compressed by Hadoop's LZ4, which does not say how large it becomes".to_owned()));
    }
    let Some((start, end)) = span(chunk) else { return Ok(Some("it is nowhere".to_owned())) };
    let most = u64::try_from(chunk.uncompressed_size()).unwrap_or(0).min(PAGE_BYTES_MAX);
    let mut indexed = index.map(|pages| pages.iter());
    let mut at = start;
    while at < end {
        let Some(header) = header_at(chunks, at, end)? else {
            return Ok(Some(format!("there is no header of a page at byte {at}")));
        };
        let next = at.saturating_add(header.own).saturating_add(header.encoded);
        if next > end {
            return Ok(Some(format!("the page at byte {at} ends behind it")));
        }
        if header.plain > most {
            return Ok(Some(format!("the page at byte {at} becomes {} bytes, more than {most}", header.plain)));
        }
        if header.entries > header.plain {
            return Ok(Some(format!("the dictionary at byte {at} has not as many bytes as entries")));
        }
        if at >= u64::try_from(chunk.data_page_offset()).unwrap_or(start)
            && let Some(page) = indexed.as_mut().map(Iterator::next)
            && !page.is_some_and(|page| stands_at(page, at, next))
        {
            return Ok(Some(format!("its page index does not know of the page at byte {at}")));
        }
        if matches!(chunk.compression(), Compression::GZIP(_) | Compression::BROTLI(_)) {
            let page = chunks.read_at(at + header.own, header.encoded as usize).map_err(chunks.failed())?;
            if becomes_more(&page, chunk.compression(), header.plain) {
                return Ok(Some(format!("the page at byte {at} becomes more than the {} bytes it says", header.plain)));
            }
        }
        at = next;
    }
    Ok(None)
}

fn stands_at(page: &PageLocation, at: u64, next: u64) -> bool {
    u64::try_from(page.offset) == Ok(at) && u64::try_from(page.compressed_page_size) == Ok(next - at)
}

/// The header of the page at an offset.
fn header_at(chunks: &Chunks, at: u64, end: u64) -> Result<Option<Header>, RunsError> {
    let mut bytes = HEADER_BYTES;
    loop {
        // It ends with its chunk, or earlier.
        let length = bytes.min(end - at).min(chunks.len().saturating_sub(at));
        let read = chunks.read_at(at, length as usize).map_err(chunks.failed())?;
        match header(&read) {
            Some(header) => return Ok(Some(header)),
            None if length < bytes || bytes >= HEADER_BYTES_MAX => return Ok(None),
            None => bytes *= 32,
        }
    }
}

/// What a field holds.
enum Holds {
    I32,
    I64,
    Truth,
    Bytes,
    Fields(&'static [(i64, Holds)]),
}

/// `PageHeader` of Parquet's format, and what stands in it: `DataPageHeader`, `IndexPageHeader`, `DictionaryPageHeader`, `DataPageHeaderV2`, `Statistics`.
static PAGE: [(i64, Holds); 8] = [
    (1, Holds::I32),
    (2, Holds::I32),
    (3, Holds::I32),
    (4, Holds::I32),
    (
        5,
        Holds::Fields(&[
            (1, Holds::I32),
            (2, Holds::I32),
            (3, Holds::I32),
            (4, Holds::I32),
            (5, Holds::Fields(&STATISTICS)),
        ]),
    ),
    (6, Holds::Fields(&[])),
    (7, Holds::Fields(&[(1, Holds::I32), (2, Holds::I32), (3, Holds::Truth)])),
    (
        8,
        Holds::Fields(&[
            (1, Holds::I32),
            (2, Holds::I32),
            (3, Holds::I32),
            (4, Holds::I32),
            (5, Holds::I32),
            (6, Holds::I32),
            (7, Holds::Truth),
            (8, Holds::Fields(&STATISTICS)),
        ]),
    ),
];
static STATISTICS: [(i64, Holds); 8] = [
    (1, Holds::Bytes),
    (2, Holds::Bytes),
    (3, Holds::I64),
    (4, Holds::I64),
    (5, Holds::Bytes),
    (6, Holds::Bytes),
    (7, Holds::Truth),
    (8, Holds::Truth),
];

/// A page's header. Parquet's reader goes by the number of a field alone, whatever it is said to hold, and misreads truths in lists: what is none
/// of its fields, or holds lists, is none of a header.
fn header(bytes: &[u8]) -> Option<Header> {
    let mut thrift = Thrift::new(bytes);
    let (mut plain, mut encoded, mut entries) = (None, None, Some(0));
    read(&mut thrift, &PAGE, 0, &mut |within, id, number| match (within, id) {
        (0, 2) => plain = u64::try_from(number).ok(),
        (0, 3) => encoded = u64::try_from(number).ok(),
        // `DictionaryPageHeader.num_values`
        (7, 1) => entries = u64::try_from(number).ok(),
        _ => {}
    })?;
    Some(Header { own: (bytes.len() - thrift.left()) as u64, encoded: encoded?, plain: plain?, entries: entries? })
}

/// Reads a struct of these fields that is the field `within`, and tells of each number in it.
fn read(
    thrift: &mut Thrift<'_>,
    fields: &'static [(i64, Holds)],
    within: i64,
    found: &mut impl FnMut(i64, i64, i64),
) -> Option<()> {
    let mut id = 0;
    loop {
        let kind = thrift.field(&mut id)?;
        if kind == kind::STOP {
            return Some(());
        }
        // Where a number is larger than its type the reader goes by a part of it.
        if !(1..=i64::from(i16::MAX)).contains(&id) {
            return None;
        }
        let known = fields.iter().find(|(known, _)| *known == id).map(|(_, holds)| holds);
        match (known, kind) {
            (Some(Holds::I32), kind::I32) => found(within, id, i32::try_from(thrift.zigzag()?).ok()?.into()),
            (Some(Holds::Fields(fields)), kind::STRUCT) => read(thrift, fields, id, found)?,
            (Some(Holds::I64), kind::I64)
            | (Some(Holds::Truth), kind::TRUE | kind::FALSE)
            | (Some(Holds::Bytes), kind::BINARY)
            | (None, _) => thrift.skip_flat(kind, 0)?,
            (Some(_), _) => return None,
        }
    }
}

/// Whether a compressed stream gives more than so many bytes, which nothing bounds but this: whoever decompresses it takes all that comes. What is
/// damaged its reader tells.
fn becomes_more(stream: &[u8], compression: Compression, bytes: u64) -> bool {
    let reader: Box<dyn Read> = match compression {
        Compression::BROTLI(_) => Box::new(brotli::Decompressor::new(stream, BROTLI_BUFFER_BYTES)),
        _ => Box::new(MultiGzDecoder::new(stream)),
    };
    io::copy(&mut reader.take(bytes + 1), &mut io::sink()).is_ok_and(|given| given > bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;
    use parquet::basic::{BrotliLevel, GzipLevel};

    use super::*;

    #[test]
    fn a_header_is_read_as_far_as_it_goes() {
        // type 0; 10 bytes in memory, 5 in the file; a data page's header with a value in it; stop.
        let whole = [0x15, 0, 0x15, 20, 0x15, 10, 0x2C, 0x15, 2, 0, 0];
        assert_eq!(header(&whole), Some(Header { own: 11, encoded: 5, plain: 10, entries: 0 }));
        assert_eq!(
            header(&[&whole[..], &[7; 30]].concat()),
            Some(Header { own: 11, encoded: 5, plain: 10, entries: 0 })
        );
        for end in 0..whole.len() {
            assert_eq!(header(&whole[..end]), None, "{end} bytes");
        }
        let without = |at: usize| [&whole[..at], &whole[at + 2..]].concat();
        assert_eq!(header(&without(2)), None, "a size is missing");
        let negative = [0x15, 0, 0x15, 21, 0x15, 10, 0];
        assert_eq!(header(&negative), None);
        // A dictionary of 12 entries.
        let dictionary = [0x15, 4, 0x15, 20, 0x15, 10, 0x4C, 0x15, 24, 0x15, 0, 0, 0];
        assert_eq!(header(&dictionary), Some(Header { own: 13, encoded: 5, plain: 10, entries: 12 }));
        // The second size is said to be a text.
        assert_eq!(header(&[0x15, 0, 0x15, 20, 0x18, 1, 10, 0]), None);
        // A list that is said to have two billion texts.
        let endless = [0x15, 0, 0x15, 20, 0x15, 10, 0x2C, 0x19, 0xF8, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0, 0, 0];
        assert_eq!(header(&endless), None);
    }

    #[test]
    fn a_stream_is_followed_no_further_than_it_says() {
        let content = vec![0; 10 << 20];
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&content).expect("compressed");
        let gzip = gzip.finish().expect("compressed");
        let mut brotli = Vec::new();
        brotli::CompressorWriter::new(&mut brotli, 4 << 10, 5, 20).write_all(&content).expect("compressed");
        for (stream, compression) in
            [(&gzip, Compression::GZIP(GzipLevel::default())), (&brotli, Compression::BROTLI(BrotliLevel::default()))]
        {
            let becomes_more = |stream: &[u8], bytes| super::becomes_more(stream, compression, bytes);
            assert!(stream.len() < 100 << 10, "{compression}: {} bytes", stream.len());
            assert!(becomes_more(stream, 1_000) && becomes_more(stream, (10 << 20) - 1), "{compression}");
            assert!(!becomes_more(stream, 10 << 20), "{compression}");
            assert!(!becomes_more(&stream[..stream.len() / 2], 10 << 20), "{compression}");
        }
        // A second stream behind it counts as well.
        let twice = [&gzip[..], &gzip[..]].concat();
        let more = |bytes| becomes_more(&twice, Compression::GZIP(GzipLevel::default()), bytes);
        assert!(more(10 << 20) && !more(20 << 20));
    }
}
