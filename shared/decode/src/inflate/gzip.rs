//! Decompressing gzip (RFC 1952): member after member, over the raw deflate of flate2.
//!
//! The members are walked here and not by flate2's readers, which cannot tell a stream that ends early from one that is
//! broken, take zeros after the last member for damage, and allocate 40 KB for each drop.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::{Damage, Progress, Step};

const FLAG_CRC: u8 = 1 << 1;
const FLAG_EXTRA: u8 = 1 << 2;
const FLAG_NAME: u8 = 1 << 3;
const FLAG_COMMENT: u8 = 1 << 4;
const FLAGS_RESERVED: u8 = 0xe0;

/// A gzip stream that is being decompressed.
pub(super) struct Gzip {
    inflate: Decompress,
    /// Of the header's bytes while in the header, of the content's after it.
    crc: Crc,
    place: Place,
}

/// Where within the members the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// So many bytes into the ten fixed ones; the flags seen.
    Fixed(u8, u8),
    /// The low byte of the extra field's length is next, with the flags.
    ExtraLow(u8),
    /// The high byte of the extra field's length is next, with the flags and the low byte.
    ExtraHigh(u8, u8),
    /// So many bytes of the extra field are to come, with the flags.
    Extra(u8, u16),
    /// In the name, ended by a zero.
    Name(u8),
    /// In the comment, ended by a zero.
    Comment(u8),
    /// The low byte of the header's checksum is next.
    CrcLow,
    /// The high byte of it is next, with what it must be.
    CrcHigh(u8),
    /// In the compressed data.
    Body,
    /// So many bytes into the trailer; they are collected.
    Trailer(u8, [u8; 8]),
    /// After a member.
    Between,
    /// In zeros after the last member.
    Padding,
}

impl Gzip {
    pub(super) fn new() -> Self {
        Self { inflate: Decompress::new(false), crc: Crc::new(), place: Place::Fixed(0, 0) }
    }

    /// Begins with another stream.
    pub(super) fn reset(&mut self) {
        self.inflate.reset(false);
        self.crc.reset();
        self.place = Place::Fixed(0, 0);
    }

    /// Decompresses into the room that `into` has, from `input`, the last there is if `last`.
    pub(super) fn step(&mut self, input: &[u8], last: bool, into: &mut Vec<u8>) -> Result<Step, Damage> {
        let mut used = 0;
        loop {
            if self.place == Place::Body {
                let (took, more) = self.body(&input[used..], into)?;
                used += took;
                if self.place == Place::Body && (more || used < input.len() || !last) {
                    return Ok(Step { used, progress: Progress::Going });
                }
            }
            let Some(&byte) = input.get(used) else { break };
            self.byte(byte)?;
            used += 1;
        }
        let progress = match (last, self.place) {
            (false, _) => Progress::Going,
            (true, Place::Between | Place::Padding) => Progress::Ended,
            (true, _) => Progress::EndedEarly,
        };
        Ok(Step { used, progress })
    }

    /// Decompresses deflated data: how many bytes it took, and whether it filled the room and may give more.
    fn body(&mut self, input: &[u8], into: &mut Vec<u8>) -> Result<(usize, bool), Damage> {
        let (from, taken) = (into.len(), self.inflate.total_in());
        let status = self
            .inflate
            .decompress_vec(input, into, FlushDecompress::None)
            .map_err(|_| broken("the compressed data breaks the deflate format"))?;
        self.crc.update(&into[from..]);
        let took = (self.inflate.total_in() - taken) as usize;
        if status == Status::StreamEnd {
            self.place = Place::Trailer(0, [0; 8]);
            return Ok((took, false));
        }
        let full = into.len() == into.capacity();
        if took < input.len() && !full {
            return Err(broken("the compressed data cannot be decompressed further"));
        }
        Ok((took, full))
    }

    /// Goes on by one byte of a header, a trailer or what follows a member.
    fn byte(&mut self, byte: u8) -> Result<(), Damage> {
        if !matches!(self.place, Place::Body | Place::Trailer(..) | Place::Between | Place::CrcLow | Place::CrcHigh(_))
        {
            self.crc.update(&[byte]);
        }
        self.place = match self.place {
            Place::Fixed(n, flags) => return self.fixed(n, flags, byte),
            Place::ExtraLow(flags) => Place::ExtraHigh(flags, byte),
            Place::ExtraHigh(flags, low) => match u16::from_le_bytes([low, byte]) {
                0 => self.after_extra(flags),
                length => Place::Extra(flags, length),
            },
            Place::Extra(flags, 1) => self.after_extra(flags),
            Place::Extra(flags, left) => Place::Extra(flags, left - 1),
            Place::Name(flags) if byte == 0 => self.after_name(flags),
            Place::Comment(flags) if byte == 0 => self.after_comment(flags),
            place @ (Place::Name(_) | Place::Comment(_)) => place,
            Place::CrcLow => {
                let [low, high, ..] = self.crc.sum().to_le_bytes();
                if byte != low {
                    return Err(broken("the checksum of a header is wrong"));
                }
                Place::CrcHigh(high)
            }
            Place::CrcHigh(high) if byte != high => return Err(broken("the checksum of a header is wrong")),
            Place::CrcHigh(_) => self.begin_body(),
            Place::Trailer(n, mut seen) => {
                seen[usize::from(n)] = byte;
                if n == 7 { self.end_member(seen)? } else { Place::Trailer(n + 1, seen) }
            }
            Place::Between if byte == 0 => Place::Padding,
            Place::Between if byte == 0x1f => {
                self.reset();
                self.crc.update(&[byte]);
                Place::Fixed(1, 0)
            }
            Place::Padding if byte == 0 => Place::Padding,
            Place::Between | Place::Padding => return Err(broken("bytes that are no gzip follow its end")),
            Place::Body => Place::Body,
        };
        Ok(())
    }

    fn fixed(&mut self, n: u8, flags: u8, byte: u8) -> Result<(), Damage> {
        match (n, byte) {
            (0, 0x1f) | (1, 0x8b) | (2, 8) => {}
            (2, _) => return Err(broken("a header names a method that is not deflate")),
            (0 | 1, _) => return Err(broken("bytes that are no gzip follow its end")),
            (3, flags) if flags & FLAGS_RESERVED != 0 => return Err(broken("a header has unknown flags")),
            _ => {}
        }
        let flags = if n == 3 { byte } else { flags };
        self.place = match n {
            9 if flags & FLAG_EXTRA != 0 => Place::ExtraLow(flags),
            9 => self.after_extra(flags),
            _ => Place::Fixed(n + 1, flags),
        };
        Ok(())
    }

    fn after_extra(&mut self, flags: u8) -> Place {
        if flags & FLAG_NAME != 0 { Place::Name(flags) } else { self.after_name(flags) }
    }

    fn after_name(&mut self, flags: u8) -> Place {
        if flags & FLAG_COMMENT != 0 { Place::Comment(flags) } else { self.after_comment(flags) }
    }

    fn after_comment(&mut self, flags: u8) -> Place {
        if flags & FLAG_CRC != 0 { Place::CrcLow } else { self.begin_body() }
    }

    fn begin_body(&mut self) -> Place {
        self.crc.reset();
        Place::Body
    }

    fn end_member(&mut self, trailer: [u8; 8]) -> Result<Place, Damage> {
        let [a, b, c, d, e, f, g, h] = trailer;
        if u32::from_le_bytes([a, b, c, d]) != self.crc.sum() {
            return Err(broken("the checksum of the content is wrong"));
        }
        if u32::from_le_bytes([e, f, g, h]) != self.crc.amount() {
            return Err(broken("the length of the content is wrong"));
        }
        Ok(Place::Between)
    }
}

fn broken(reason: &str) -> Damage {
    Damage::Broken(reason.to_owned())
}
