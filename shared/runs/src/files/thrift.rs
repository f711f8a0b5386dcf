//! Thrift's compact protocol, as far as it takes to find something. What is read takes no longer than there are bytes: Parquet's own reader believes how
//! many values follow, and is private.
//!
//! `None` where the bytes end too early, or are none of it.

/// A place in bytes.
pub(super) struct Thrift<'a>(&'a [u8]);

/// The kinds of values.
pub(super) mod kind {
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

impl<'a> Thrift<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    /// The kind of the next field of a struct, and its id.
    pub(super) fn field(&mut self, id: &mut i64) -> Option<u8> {
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
    pub(super) fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        // Each takes a byte at least.
        (count <= self.0.len() as u64).then_some((count, head & 0x0F))
    }

    /// Passes over the value of a field.
    pub(super) fn skip(&mut self, kind: u8) -> Option<()> {
        self.skip_at(kind, 0)
    }

    /// The same, where lists, sets and maps are none of what can stand there.
    pub(super) fn skip_flat(&mut self, kind: u8, level: u8) -> Option<()> {
        match kind {
            kind::LIST | kind::SET | kind::MAP => None,
            kind::STRUCT if level < SKIPPED_LEVELS_MAX => {
                let mut id = 0;
                loop {
                    match self.field(&mut id)? {
                        kind::STOP => return Some(()),
                        other => self.skip_flat(other, level + 1)?,
                    }
                }
            }
            other => self.skip_at(other, level),
        }
    }

    fn skip_at(&mut self, kind: u8, level: u8) -> Option<()> {
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
                        other => self.skip_at(other, level + 1)?,
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
            other => self.skip_at(other, level),
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

    pub(super) fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}
