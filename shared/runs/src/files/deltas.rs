//! A look at texts that are encoded by their differences, before Parquet's reader: it takes memory for as many lengths as a page says it has, and where
//! that is refused the process ends.

use parquet::basic::Encoding;
use parquet::column::page::Page;
use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescriptor;

/// More values than this do not stand in one page.
const VALUES_MAX: u64 = 1 << 24;

/// That the lengths of a page's texts are all there, and no more than its values.
pub(super) fn check(page: &Page, column: &ColumnDescriptor) -> Result<(), ParquetError> {
    let (bytes, values, encoding) = match page {
        Page::DictionaryPage { .. } => return Ok(()),
        Page::DataPage { buf, num_values, encoding, rep_level_encoding, def_level_encoding, .. } => {
            let levels = [(column.max_rep_level(), rep_level_encoding), (column.max_def_level(), def_level_encoding)];
            (behind_levels(buf, levels, *num_values), *num_values, encoding)
        }
        Page::DataPageV2 { buf, num_values, encoding, def_levels_byte_len, rep_levels_byte_len, .. } => {
            let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
            (usize::try_from(levels).ok().and_then(|levels| buf.get(levels..)), *num_values, encoding)
        }
    };
    let streams = match encoding {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        // How much of the text before, and how much of its own.
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => return Ok(()),
    };
    let most = u64::from(values).min(VALUES_MAX);
    let behind = (0..streams).try_fold(bytes.unwrap_or_default(), |bytes, _| behind_lengths(bytes, most));
    match behind {
        Some(_) => Ok(()),
        None => Err(ParquetError::General(format!("a page of {values} values has not as many lengths"))),
    }
}

/// The values of a page of the first version, behind their levels.
fn behind_levels<'a>(bytes: &'a [u8], levels: [(i16, &Encoding); 2], values: u32) -> Option<&'a [u8]> {
    levels.into_iter().filter(|(most, _)| *most > 0).try_fold(bytes, |bytes, (most, encoding)| {
        #[allow(deprecated, reason = "old writers used it for levels")]
        if *encoding == Encoding::BIT_PACKED {
            let bits = u64::from(values) * u64::from(i16::BITS - most.leading_zeros());
            return bytes.get(usize::try_from(bits.div_ceil(8)).ok()?..);
        }
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        rest.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..)
    })
}

/// What stands behind one stream of `DELTA_BINARY_PACKED` integers (Parquet's format, "Delta Encoding"); none if it ends early or holds more than
/// so many.
fn behind_lengths(bytes: &[u8], most: u64) -> Option<&[u8]> {
    let mut rest = bytes;
    let (block, parts, values) = (varint(&mut rest)?, varint(&mut rest)?, varint(&mut rest)?);
    varint(&mut rest)?;
    if values > most || parts == 0 || block % parts != 0 {
        return None;
    }
    let values_of_part = block / parts;
    let mut left = values.saturating_sub(1);
    while left > 0 {
        varint(&mut rest)?;
        let (widths, behind) = rest.split_at_checked(usize::try_from(parts).ok()?)?;
        rest = behind;
        for width in widths {
            if left == 0 {
                break;
            }
            let bytes = (u64::from(*width).checked_mul(values_of_part)?) / 8;
            rest = rest.get(usize::try_from(bytes).ok()?..)?;
            left = left.saturating_sub(values_of_part);
        }
        if values_of_part == 0 {
            return None;
        }
    }
    Some(rest)
}

/// Seven bits to a byte, the lowest first.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_followed_as_far_as_they_go() {
        // Blocks of 128 in 4 parts: five values, the first 7, of 2 bits each; then something else.
        let mut stream = vec![0x80, 0x01, 4, 5, 14, 0, 2, 0, 0, 0];
        stream.extend([0xFF; 8]);
        assert_eq!(behind_lengths(&[&stream[..], b"else"].concat(), 5), Some(&b"else"[..]));
        assert_eq!(behind_lengths(&stream, 4), None, "more than there may be");
        for end in 0..stream.len() {
            assert_eq!(behind_lengths(&stream[..end], 5), None, "{end} bytes");
        }
        let changed = |at: usize, to: u8| {
            let mut changed = stream.clone();
            changed[at] = to;
            changed
        };
        assert_eq!(behind_lengths(&changed(2, 0), 5), None, "no parts");
        assert_eq!(behind_lengths(&changed(2, 3), 5), None, "parts of different lengths");
        assert_eq!(behind_lengths(&[0, 4, 5, 14, 0, 0, 0, 0, 0], 5), None, "blocks of nothing");
        // One value, and none, need no block.
        assert_eq!(behind_lengths(&[0x80, 0x01, 4, 1, 14, 9], 1), Some(&[9][..]));
        assert_eq!(behind_lengths(&[0x80, 0x01, 4, 0, 0], 0), Some(&[][..]));
    }
}
