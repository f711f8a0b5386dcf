//! The structure of a record: values, names, commas, brackets. No recursion: the open containers are a small stack.

use super::scan::{self, Wrong};
use super::{Kind, Node};
use crate::limits::{MAX_NESTING, MAX_RECORD_BYTES, MAX_RECORD_VALUES, OverLimit};
use crate::record::RecordFault;

/// Parses `bytes` (UTF-8) into `nodes`, which is emptied first.
pub(super) fn parse(bytes: &[u8], nodes: &mut Vec<Node>) -> Result<(), RecordFault> {
    nodes.clear();
    if bytes.len() > MAX_RECORD_BYTES {
        let reason = OverLimit::RecordBytes { found: bytes.len() as u64 }.to_string();
        return Err(RecordFault { reason, at: MAX_RECORD_BYTES });
    }
    let mut parser = Parser { bytes, at: 0, nodes, open: [0; MAX_NESTING], depth: 0 };
    parser.record().map_err(|failure| failure.into_fault(bytes))
}

/// Why parsing stopped. Made into a text only when it is known that nothing else is to be tried.
enum Failure {
    Wrong(Wrong),
    Over(OverLimit, usize),
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: &'a mut Vec<Node>,
    /// The nodes of the open containers, outermost first.
    open: [u32; MAX_NESTING],
    depth: usize,
}

impl Parser<'_> {
    fn record(&mut self) -> Result<(), Failure> {
        loop {
            // Here a value begins.
            self.blanks();
            let opened = self.value()?;
            if opened && !self.first_member()? {
                continue;
            }
            // Here a value has ended: close what ends with it, then go on to the next value or to the end.
            loop {
                let Some(container) = self.depth.checked_sub(1).and_then(|top| self.open.get(top)) else {
                    return self.end_of_record();
                };
                let kind = self.nodes.get(*container as usize).map(|node| node.kind);
                self.blanks();
                // Nodes are values and names: here they are bounded, at the end the values are counted.
                if self.nodes.len() > 2 * MAX_RECORD_VALUES {
                    return Err(Failure::Over(OverLimit::RecordValues, self.at));
                }
                match (self.peek(), kind) {
                    (b',', Some(Kind::Object)) => {
                        self.at += 1;
                        self.blanks();
                        self.name()?;
                        break;
                    }
                    (b',', _) => {
                        self.at += 1;
                        break;
                    }
                    (b'}', Some(Kind::Object)) | (b']', Some(Kind::Array)) => self.close(),
                    (_, Some(Kind::Object)) => return Err(("expected `,` or `}` in an object", self.at).into()),
                    _ => return Err(("expected `,` or `]` in an array", self.at).into()),
                }
            }
        }
    }

    /// Reads a scalar, or opens a container: true.
    #[inline]
    fn value(&mut self) -> Result<bool, Failure> {
        let start = self.at;
        match self.peek() {
            b'"' => {
                let (end, kind) = scan::string(self.bytes, start + 1)?;
                self.push(kind, start + 1, end);
                self.at = end + 1;
            }
            b'{' => {
                self.enter(Kind::Object)?;
                return Ok(true);
            }
            b'[' => {
                self.enter(Kind::Array)?;
                return Ok(true);
            }
            b'-' | b'0'..=b'9' => {
                let (end, kind) = scan::number(self.bytes, start)?;
                self.push(kind, start, end);
                self.at = end;
            }
            b't' => self.literal(b"true", Kind::True)?,
            b'f' => self.literal(b"false", Kind::False)?,
            b'n' => self.literal(b"null", Kind::Null)?,
            _ => return Err(("expected a value", start).into()),
        }
        Ok(false)
    }

    /// After an opening bracket: true if the container is empty and closed, else what comes next is a value.
    #[inline]
    fn first_member(&mut self) -> Result<bool, Failure> {
        self.blanks();
        let object = self.nodes.last().is_some_and(|node| node.kind == Kind::Object);
        match (self.peek(), object) {
            (b'}', true) | (b']', false) => {
                self.close();
                Ok(true)
            }
            (_, true) => self.name().map(|()| false),
            (_, false) => Ok(false),
        }
    }

    /// A member's name and its colon.
    #[inline]
    fn name(&mut self) -> Result<(), Failure> {
        if self.peek() != b'"' {
            return Err(("expected a name in quotes", self.at).into());
        }
        let start = self.at + 1;
        let (end, kind) = scan::string(self.bytes, start)?;
        self.push(kind, start, end);
        self.at = end + 1;
        self.blanks();
        if self.peek() != b':' {
            return Err(("expected `:` after a name", self.at).into());
        }
        self.at += 1;
        Ok(())
    }

    fn literal(&mut self, literal: &'static [u8], kind: Kind) -> Result<(), Failure> {
        let end = self.at + literal.len();
        if self.bytes.get(self.at..end) != Some(literal) {
            return Err(("expected a value", self.at).into());
        }
        self.push(kind, self.at, end);
        self.at = end;
        Ok(())
    }

    #[inline]
    fn enter(&mut self, kind: Kind) -> Result<(), Failure> {
        let Some(slot) = self.open.get_mut(self.depth) else {
            return Err(Failure::Over(OverLimit::Nesting, self.at));
        };
        *slot = self.nodes.len() as u32;
        self.depth += 1;
        self.push(kind, self.at, self.at);
        self.at += 1;
        Ok(())
    }

    /// Closes the innermost container at its closing bracket.
    #[inline]
    fn close(&mut self) {
        self.at += 1;
        self.depth -= 1;
        let next = self.nodes.len() as u32;
        let container = self.open.get(self.depth).and_then(|node| self.nodes.get_mut(*node as usize));
        if let Some(node) = container {
            node.end = self.at as u32;
            node.next = next;
        }
    }

    fn end_of_record(&mut self) -> Result<(), Failure> {
        self.blanks();
        if self.at < self.bytes.len() {
            return Err(("something follows the record's value", self.at).into());
        }
        if self.nodes.len() > MAX_RECORD_VALUES && self.values() > MAX_RECORD_VALUES {
            return Err(Failure::Over(OverLimit::RecordValues, self.at));
        }
        Ok(())
    }

    #[cold]
    fn values(&self) -> usize {
        // Every object's members are pairs, and a name's node is followed by its value: count the names out.
        let mut names = 0;
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.kind == Kind::Object) {
            let mut member = index + 1;
            while member < node.next as usize {
                names += 1;
                member = self.nodes.get(member + 1).map_or(usize::MAX, |value| value.next as usize);
            }
        }
        self.nodes.len() - names
    }

    #[inline]
    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        let next = self.nodes.len() as u32 + 1;
        self.nodes.push(Node { kind, start: start as u32, end: end as u32, next });
    }

    /// The current byte; at the end 0, which no JSON text holds outside of an error.
    #[inline]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn blanks(&mut self) {
        while let b' ' | b'\t' | b'\n' | b'\r' = self.peek() {
            self.at += 1;
        }
    }
}

impl Failure {
    #[cold]
    fn into_fault(self, bytes: &[u8]) -> RecordFault {
        let (what, at) = match self {
            Self::Over(limit, at) => return RecordFault { reason: limit.to_string(), at },
            Self::Wrong(wrong) => wrong,
        };
        let found = match bytes.get(at) {
            None => "the record ends".to_owned(),
            Some(byte @ 0x20..=0x7e) => format!("found `{}`", char::from(*byte)),
            Some(byte @ ..0x20) => format!("found the control character 0x{byte:02x}"),
            Some(_) => {
                let tail = String::from_utf8_lossy(bytes.get(at..bytes.len().min(at + 4)).unwrap_or_default());
                format!("found `{}`", tail.chars().next().unwrap_or_default())
            }
        };
        RecordFault { reason: format!("no valid JSON at byte {}: {what}, {found}", at + 1), at }
    }
}
