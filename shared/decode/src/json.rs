//! Strict JSON (RFC 8259) as a flat tape: one pass that checks a record whole before any of it is used, with no allocation
//! per record.
//!
//! [`Tape::parse`] does the checking ([`parse`](self) walks the structure, `scan` the strings and numbers) and leaves one
//! [`Node`] per value and per name, in the order of the text. A node knows its bytes and the node after all that it holds,
//! so a reader steps over what it does not want. `text` turns the raw text of strings into what they mean and back,
//! `number` numbers without loss.

mod number;
mod parse;
mod scan;
#[cfg(test)]
mod tests;
mod text;

pub use number::{exact_double, exact_long, is_integer, is_number, nearest_double};
pub use text::{unescape_onto, write_string};

use crate::record::RecordFault;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true`.
    True,
    /// `false`.
    False,
    /// A number without fraction and exponent.
    Integer,
    /// A number with a fraction or an exponent.
    Real,
    /// A string, or the name of a member, that holds no escape: its bytes are its meaning.
    Plain,
    /// A string, or the name of a member, that holds escapes.
    Escaped,
    /// An object: its nodes follow, name and value by turns.
    Object,
    /// An array: its elements follow.
    Array,
}

/// A value, or the name of an object's member.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Its first byte. Of a string: the byte after the quote.
    pub start: u32,
    /// The byte after its last. Of a string: the closing quote.
    pub end: u32,
    /// The node after it and all that it holds.
    pub next: u32,
}

impl Node {
    /// The node's text without a string's quotes.
    #[inline]
    pub fn inner<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// The node's text as it stands in the record, a string's quotes included.
    #[inline]
    pub fn raw<'a>(&self, text: &'a str) -> &'a str {
        match self.kind {
            Kind::Plain | Kind::Escaped => {
                text.get((self.start as usize).saturating_sub(1)..self.end as usize + 1).unwrap_or_default()
            }
            _ => self.inner(text),
        }
    }
}

/// The nodes of one record. Reused from record to record, it allocates nothing in the steady state.
#[derive(Debug, Default)]
pub struct Tape {
    nodes: Vec<Node>,
}

impl Tape {
    /// An empty tape.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads exactly one JSON value with blanks around it.
    ///
    /// # Errors
    /// What is not JSON to the letter of RFC 8259, a lone surrogate (such a string has no UTF-8), bytes after the value,
    /// and what exceeds the limits on a record. The tape is empty then.
    pub fn parse(&mut self, text: &str) -> Result<(), RecordFault> {
        let parsed = parse::parse(text.as_bytes(), &mut self.nodes);
        if parsed.is_err() {
            self.nodes.clear();
        }
        parsed
    }

    /// The nodes in the order of the text; the first is the value itself.
    #[inline]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }
}
