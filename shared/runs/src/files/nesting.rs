//! A first look at a footer that others wrote, before Parquet's reader: it believes how many fields a group has, takes memory for them, and
//! follows groups as deep as they go. What no look ahead bounds would end the process.

use parquet::file::reader::Length;

use super::chunks::Chunks;
use super::thrift::{Thrift, kind};
use crate::error::RunsError;

/// Columns that are nested deeper are not followed: a table's are not, by far.
const LEVELS_MAX: usize = 200;

/// The footer's length and the magic word at the end of a file.
const TAIL_BYTES: u64 = 8;

/// That no group of the file's schema has more fields than the schema has elements, nor lies deeper than one can follow. What else is wrong with
/// the footer its reader says.
pub(crate) fn check(chunks: &Chunks) -> Result<(), RunsError> {
    let damaged = RunsError::damaged(chunks.address());
    let Some(end) = chunks.len().checked_sub(TAIL_BYTES) else { return Ok(()) };
    let tail = chunks.read_at(end, 8).map_err(chunks.failed())?;
    let length = tail.iter().take(4).rev().fold(0_u64, |length, byte| length << 8 | u64::from(*byte));
    let Some(start) = end.checked_sub(length).filter(|_| tail.ends_with(b"PAR1")) else { return Ok(()) };
    let footer = chunks.read_at(start, length as usize).map_err(chunks.failed())?;
    match fields_of(&footer) {
        None => Err(damaged("its footer names no columns that could be read".to_owned())),
        Some(fields) => follow(&fields).map_err(|reason| damaged(format!("its footer contradicts itself: {reason}"))),
    }
}

/// Follows groups of so many fields each, which stand in the order in which one walks through them.
fn follow(fields: &[u64]) -> Result<(), String> {
    let mut open: Vec<u64> = Vec::new();
    for (at, own) in fields.iter().enumerate() {
        let left = (fields.len() - at - 1) as u64;
        if *own > left {
            return Err(format!("a group has {own} fields, and {left} follow"));
        }
        if let Some(last) = open.last_mut() {
            *last -= 1;
        }
        open.push(*own);
        while open.last() == Some(&0) {
            open.pop();
        }
        if open.len() > LEVELS_MAX {
            return Err(format!("a column is nested deeper than {LEVELS_MAX} levels"));
        }
    }
    Ok(())
}

/// How many fields each element of a footer's schema has.
fn fields_of(footer: &[u8]) -> Option<Vec<u64>> {
    let mut thrift = Thrift::new(footer);
    let mut id = 0;
    loop {
        match thrift.field(&mut id)? {
            // `FileMetaData.schema`
            kind::LIST if id == 2 => {
                let (count, of) = thrift.list()?;
                if of != kind::STRUCT {
                    return None;
                }
                return (0..count).map(|_| fields_of_element(&mut thrift)).collect();
            }
            kind::STOP => return None,
            other => thrift.skip(other)?,
        }
    }
}

/// How many fields an element of a footer's schema has.
fn fields_of_element(thrift: &mut Thrift<'_>) -> Option<u64> {
    let (mut id, mut fields) = (0, 0);
    loop {
        match thrift.field(&mut id)? {
            kind::STOP => return Some(fields),
            // `SchemaElement.num_children`
            kind::I32 if id == 5 => fields = u64::try_from(thrift.zigzag()?).ok()?,
            other => thrift.skip(other)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_followed_as_far_as_they_can_be() {
        assert_eq!(follow(&[2, 0, 1, 0]), Ok(()));
        assert!(follow(&[2, 0, 3, 0]).is_err_and(|reason| reason.contains("3 fields, and 1 follow")));
        let chain = |levels: usize| [vec![1; levels], vec![0]].concat();
        assert_eq!(follow(&chain(LEVELS_MAX)), Ok(()));
        assert!(follow(&chain(LEVELS_MAX + 1)).is_err_and(|reason| reason.contains("deeper")));
    }
}
