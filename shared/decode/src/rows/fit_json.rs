//! Fitting JSON values into columns. What does not fit is left null and noted by its node, to be rescued.
//!
//! | column | takes |
//! |---|---|
//! | Boolean | `true`, `false` |
//! | Long | integers of 64 bits, and reals that are such an integer exactly (`1.0`, `1e3`) |
//! | Double | reals, as the nearest double (one beyond all doubles does not fit); integers that are a double exactly |
//! | String | strings; anything else as its JSON text, byte by byte as the record has it |
//! | Date, Timestamp | strings that [`crate::calendar`] takes |
//! | Struct, List | objects, arrays; what does not fit within is null there |
//!
//! Null fits everything. A record is checked whole before: nothing here can fail half way.

use super::columns::{Column, Lists};
use super::fields::FieldColumns;
use crate::calendar;
use crate::json::{self, Kind, Node};

/// A parsed record.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) text: &'a str,
    pub(super) nodes: &'a [Node],
}

/// What fitting a record leaves over. Reused from record to record.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// The nodes of values that did not fit, in order.
    pub(super) misfits: Vec<u32>,
    /// Those of them whose name has no column and may become one.
    pub(super) strangers: Vec<u32>,
    /// What the record's columns take beyond its text and the width of a row.
    pub(super) cost: usize,
    /// How many names without a column are remembered.
    pub(super) remembered: usize,
    /// Text whose escapes were resolved.
    scratch: Vec<u8>,
}

impl Aside {
    /// Makes ready for a record.
    pub(super) fn clear(&mut self) {
        self.misfits.clear();
        self.strangers.clear();
        self.cost = 0;
    }

    /// Does something with the meaning of an escaped string.
    fn with_meaning<T>(&mut self, raw: &str, what: impl FnOnce(&str) -> T) -> T {
        self.scratch.clear();
        json::unescape_onto(raw, &mut self.scratch);
        what(str::from_utf8(&self.scratch).unwrap_or_default())
    }
}

impl FieldColumns {
    /// Fits the members of the object at node `index`. Of members of one name the first is the column.
    pub(super) fn fit(&mut self, record: Record<'_>, index: usize, row: usize, aside: &mut Aside) {
        let end = record.nodes[index].next as usize;
        let mut guess = 0;
        let mut member = index + 1;
        while member < end {
            let (name, value) = (record.nodes[member], member + 1);
            let raw = name.inner(record.text);
            let found = if name.kind == Kind::Plain {
                self.find(raw, guess)
            } else {
                aside.with_meaning(raw, |name| self.find(name, guess))
            };
            let node = record.nodes[value];
            match found.and_then(|index| self.fields.get_mut(index)) {
                Some(field) if field.met <= row => {
                    guess = found.map_or(0, |index| index + 1);
                    field.met = row + 1;
                    field.column.fit(record, value, row, aside);
                }
                _ if node.kind == Kind::Null => {}
                Some(_) => aside.misfits.push(value as u32),
                None => self.set_aside(record, member, aside),
            }
            member = node.next as usize;
        }
    }

    /// Notes a value whose name, at node `member`, has no column.
    #[cold]
    fn set_aside(&mut self, record: Record<'_>, member: usize, aside: &mut Aside) {
        let value = member as u32 + 1;
        aside.misfits.push(value);
        let name = record.nodes[member];
        let raw = name.inner(record.text);
        let mut remembered = aside.remembered;
        let proposed = if name.kind == Kind::Plain {
            self.is_proposed(raw, &mut remembered)
        } else {
            aside.with_meaning(raw, |name| self.is_proposed(name, &mut remembered))
        };
        aside.remembered = remembered;
        if proposed {
            aside.strangers.push(value);
        }
    }
}

impl Column {
    /// Fits the value at node `index` as the one of `row`, or puts null there and notes the node.
    pub(super) fn fit(&mut self, record: Record<'_>, index: usize, row: usize, aside: &mut Aside) {
        let node = record.nodes[index];
        let text = node.inner(record.text);
        let fits = match (&mut *self, node.kind) {
            (column, Kind::Null) => {
                column.pad(row + 1);
                true
            }
            (Self::Text(texts), Kind::Plain) if texts.never_empty && text.is_empty() => false,
            (Self::Text(texts), Kind::Escaped) => {
                texts.put_with(row, |bytes| json::unescape_onto(text, bytes));
                true
            }
            (Self::Text(texts), _) => {
                texts.put(row, text);
                true
            }
            (Self::Long(longs), Kind::Integer | Kind::Real) => longs.put_some(row, json::exact_long(text, node.kind)),
            (Self::Double(doubles), Kind::Real) => doubles.put_some(row, json::nearest_double(text)),
            (Self::Double(doubles), Kind::Integer) => doubles.put_some(row, json::exact_double(text)),
            (Self::Boolean(booleans), Kind::True | Kind::False) => {
                booleans.put(row, node.kind == Kind::True);
                true
            }
            (Self::Date(days), Kind::Plain) => days.put_some(row, calendar::date(text)),
            (Self::Date(days), Kind::Escaped) => days.put_some(row, aside.with_meaning(text, calendar::date)),
            (Self::Timestamp(moments), Kind::Plain) => moments.put_some(row, calendar::timestamp(text)),
            (Self::Timestamp(moments), Kind::Escaped) => {
                moments.put_some(row, aside.with_meaning(text, calendar::timestamp))
            }
            (Self::Struct(structs), Kind::Object) => {
                structs.begin(row);
                structs.fields.fit(record, index, row, aside);
                true
            }
            (Self::List(lists), Kind::Array) => {
                lists.fit(record, index, row, aside);
                true
            }
            _ => false,
        };
        if !fits {
            self.pad(row + 1);
            aside.misfits.push(index as u32);
        }
    }
}

impl Lists {
    /// Fits the elements of the array at node `index`.
    fn fit(&mut self, record: Record<'_>, index: usize, row: usize, aside: &mut Aside) {
        let end = record.nodes[index].next as usize;
        let mut position = self.elements();
        let mut element = index + 1;
        while element < end {
            self.element.fit(record, element, position, aside);
            position += 1;
            element = record.nodes[element].next as usize;
        }
        aside.cost += (position - self.elements()) * self.width;
        self.put(row, position);
    }
}
