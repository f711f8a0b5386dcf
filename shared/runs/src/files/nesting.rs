//! A first look at a footer that others wrote, before Parquet's reader: it believes how many fields a group has, takes memory for them, and
//! follows groups as deep as they go. What no look ahead bounds would end the process.

use parquet::file::reader::Length;

use super::chunks::Chunks;
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
    let mut thrift = Thrift(footer);
    let mut id = 0;
    loop {
        match thrift.field(&mut id)? {
            // `FileMetaData.schema`
            kind::LIST if id == 2 => {
                let (count, of) = thrift.list()?;
                if of != kind::STRUCT {
                    return None;
                }
                return (0..count).map(|_| thrift.fields_of_element()).collect();
            }
            kind::STOP => return None,
            other => thrift.skip(other, 0)?,
        }
    }
}

/// Thrift's compact protocol, as far as it takes to find something.
struct Thrift<'a>(&'a [u8]);

mod kind {
    pub const STOP: u8 = 0;
    pub const TRUE: u8 = 1;
    pub const FALSE: u8 = 2;
    pub const BYTE: u8 = 3;
    pub const I16: u8 = 4;
    pub const I32: u8 = 5;
    pub const I64: u8 = 6;
    pub const DOUBLE: u8 = 7;
    pub const BINARY: u8 = 8;
    pub const LIST: u8 = 9;
    pub const SET: u8 = 10;
    pub const MAP: u8 = 11;
    pub const STRUCT: u8 = 12;
}

/// Values that are passed over are not nested deeper.
const SKIPPED_LEVELS_MAX: u8 = 64;

impl Thrift<'_> {
    fn fields_of_element(&mut self) -> Option<u64> {
        let (mut id, mut fields) = (0, 0);
        loop {
            match self.field(&mut id)? {
                kind::STOP => return Some(fields),
                // `SchemaElement.num_children`
                kind::I32 if id == 5 => fields = u64::try_from(self.zigzag()?).ok()?,
                other => self.skip(other, 0)?,
            }
        }
    }

    /// The kind of the next field of a struct, and its id.
    fn field(&mut self, id: &mut i64) -> Option<u8> {
        let head = self.byte()?;
        if head & 0x0F != kind::STOP {
            *id = match head >> 4 {
                0 => self.zigzag()?,
                further => id.checked_add(i64::from(further))?,
            };
        }
        Some(head & 0x0F)
    }

    /// How many values of what kind a list has.
    fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        // Each takes a byte at least.
        (count <= self.0.len() as u64).then_some((count, head & 0x0F))
    }

    /// Passes over the value of a field.
    fn skip(&mut self, kind: u8, level: u8) -> Option<()> {
        if level > SKIPPED_LEVELS_MAX {
            return None;
        }
        match kind {
            kind::TRUE | kind::FALSE => Some(()),
            kind::BYTE => self.byte().map(drop),
            kind::I16 | kind::I32 | kind::I64 => self.varint().map(drop),
            kind::DOUBLE => self.pass(8),
            kind::BINARY => {
                let length = self.varint()?;
                self.pass(length)
            }
            kind::LIST | kind::SET => {
                let (count, of) = self.list()?;
                (0..count).try_for_each(|_| self.skip_in_list(of, level + 1))
            }
            kind::MAP => {
                let count = self.varint()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                (0..count).try_for_each(|_| {
                    self.skip_in_list(kinds >> 4, level + 1)?;
                    self.skip_in_list(kinds & 0x0F, level + 1)
                })
            }
            kind::STRUCT => {
                let mut id = 0;
                loop {
                    match self.field(&mut id)? {
                        kind::STOP => return Some(()),
                        other => self.skip(other, level + 1)?,
                    }
                }
            }
            _ => None,
        }
    }

    /// Where truth is not told by the kind it takes a byte.
    fn skip_in_list(&mut self, kind: u8, level: u8) -> Option<()> {
        match kind {
            kind::TRUE | kind::FALSE => self.byte().map(drop),
            other => self.skip(other, level),
        }
    }

    fn pass(&mut self, length: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(length).ok()?..)?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
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
