//! What was seen of one field: a set of kinds, and what lies within objects and arrays.

use std::collections::HashMap;

use crate::calendar;
use crate::json::{self, Kind, Node};
use crate::limits::MAX_OBSERVED_FIELDS;
use crate::names;
use crate::record::CsvField;

/// A set of kinds of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds(u16);

impl Kinds {
    pub(crate) const NULL: Self = Self(1);
    pub(crate) const BOOLEAN: Self = Self(1 << 1);
    pub(crate) const LONG: Self = Self(1 << 2);
    /// Integers beyond 64 bits.
    pub(crate) const BIG: Self = Self(1 << 3);
    pub(crate) const DOUBLE: Self = Self(1 << 4);
    pub(crate) const DATE: Self = Self(1 << 5);
    /// Moments with a zone.
    pub(crate) const TIMESTAMP: Self = Self(1 << 6);
    /// Any other text.
    pub(crate) const TEXT: Self = Self(1 << 7);
    pub(crate) const OBJECT: Self = Self(1 << 8);
    pub(crate) const ARRAY: Self = Self(1 << 9);

    /// Kinds whose values say more than their name.
    const SHOWN: Self =
        Self(Self::LONG.0 | Self::BIG.0 | Self::DOUBLE.0 | Self::DATE.0 | Self::TIMESTAMP.0 | Self::TEXT.0);

    /// The kinds of either set.
    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The kinds of this set that are not in the other.
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each kind of this set by itself, with its name.
    fn each(self) -> impl Iterator<Item = (Self, &'static str)> {
        let words = [
            (Self::BOOLEAN, "booleans"),
            (Self::LONG, "integers"),
            (Self::BIG, "integers beyond 64 bits"),
            (Self::DOUBLE, "reals"),
            (Self::DATE, "dates"),
            (Self::TIMESTAMP, "timestamps with a zone"),
            (Self::TEXT, "other text"),
            (Self::OBJECT, "objects"),
            (Self::ARRAY, "arrays"),
        ];
        words.into_iter().filter(move |(kind, _)| self.has(*kind))
    }
}

/// How many more fields may be remembered, and what was left out for that reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Room {
    /// Fields remembered, nested ones counted.
    taken: usize,
    /// The first name that was not remembered as there were too many.
    pub(crate) crowded_out: Option<String>,
    /// The start of the first name that is too long for a column, and its length in bytes.
    pub(crate) too_long: Option<(String, usize)>,
    /// The first name of a CSV header that looks like several joined by another separator, and that one.
    pub(crate) joined_header: Option<(String, char)>,
}

impl Room {
    pub(crate) fn merge(&mut self, other: &Self) {
        if self.crowded_out.is_none() {
            self.crowded_out.clone_from(&other.crowded_out);
        }
        if self.too_long.is_none() {
            self.too_long.clone_from(&other.too_long);
        }
        if self.joined_header.is_none() {
            self.joined_header.clone_from(&other.joined_header);
        }
    }

    /// Notes a CSV header whose names hold another separator more often than commas stand between them.
    pub(crate) fn see_header(&mut self, header: &[String]) {
        if self.joined_header.is_some() {
            return;
        }
        for other in [';', '\t', '|'] {
            let joins: usize = header.iter().map(|name| name.matches(other).count()).sum();
            if joins >= header.len().max(1) {
                let name = header.iter().find(|name| name.contains(other));
                self.joined_header = name.map(|name| (name.clone(), other));
                return;
            }
        }
    }

    /// Whether one more field of this name may be remembered.
    fn take(&mut self, name: &str) -> bool {
        if names::is_too_long(name) {
            self.too_long.get_or_insert_with(|| (name.chars().take(40).collect(), name.len()));
            return false;
        }
        if self.taken >= MAX_OBSERVED_FIELDS {
            self.crowded_out.get_or_insert_with(|| name.to_owned());
            return false;
        }
        self.taken += 1;
        true
    }
}

/// What was seen of one field, or of a list's elements.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) kinds: Kinds,
    /// Whether an integer was seen that is no double exactly.
    pub(crate) inexact: bool,
    /// The fields of the objects.
    pub(crate) fields: Fields,
    /// The elements of the arrays, once there was one.
    pub(crate) element: Option<Box<Seen>>,
    /// The first value of each kind of number or text, cut: what a conflict is shown by.
    examples: Vec<(Kinds, Box<str>)>,
}

/// How much of an example is kept, in characters.
const EXAMPLE: usize = 30;

impl Seen {
    /// Takes in the JSON value at node `index`.
    pub(crate) fn see(&mut self, text: &str, nodes: &[Node], index: usize, room: &mut Room) {
        let Some(node) = nodes.get(index) else { return };
        let kind = match node.kind {
            Kind::Null => Kinds::NULL,
            Kind::True | Kind::False => Kinds::BOOLEAN,
            Kind::Integer => self.integer(node.inner(text)),
            Kind::Real => Kinds::DOUBLE,
            Kind::Plain => text_kind(node.inner(text)),
            Kind::Escaped => {
                let mut meaning = Vec::new();
                json::unescape_onto(node.inner(text), &mut meaning);
                text_kind(&String::from_utf8_lossy(&meaning))
            }
            Kind::Object => {
                self.fields.see(text, nodes, index, room);
                Kinds::OBJECT
            }
            Kind::Array => {
                let mut element = index + 1;
                while element < node.next as usize {
                    self.element.get_or_insert_default().see(text, nodes, element, room);
                    element = nodes.get(element).map_or(usize::MAX, |node| node.next as usize);
                }
                Kinds::ARRAY
            }
        };
        self.add(kind, node.inner(text));
    }

    /// Takes in a CSV field. Only an empty one tells by its quotes: it is the empty string, without them null.
    pub(crate) fn see_csv(&mut self, field: &CsvField<'_>) {
        let kind = match (field.text, json::is_number(field.text)) {
            ("", _) if !field.quoted => Kinds::NULL,
            ("-0", _) => Kinds::TEXT,
            (text, Some(Kind::Integer)) => self.integer(text),
            (_, Some(_)) => Kinds::DOUBLE,
            (text, None) if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => Kinds::BOOLEAN,
            (text, None) => text_kind(text),
        };
        self.add(kind, field.text);
    }

    fn add(&mut self, kind: Kinds, value: &str) {
        if !self.kinds.has(kind) {
            self.kinds = self.kinds.or(kind);
            if kind.has(Kinds::SHOWN) {
                let end = value.char_indices().nth(EXAMPLE).map_or(value.len(), |(end, _)| end);
                self.examples.push((kind, value[..end].into()));
            }
        }
    }

    /// What was seen in words, each kind with its first value.
    pub(crate) fn in_words(&self) -> String {
        let words = self.kinds.each().map(|(kind, word)| {
            let example = self.examples.iter().find(|(of, _)| *of == kind);
            match example {
                None => word.to_owned(),
                Some((_, value)) if value.is_empty() => format!("{word} (the empty text)"),
                Some((_, value)) => format!("{word} ({value})"),
            }
        });
        words.collect::<Vec<_>>().join(", ")
    }

    fn integer(&mut self, text: &str) -> Kinds {
        self.inexact |= text.len() > 15 && json::exact_double(text).is_none();
        if json::exact_long(text, Kind::Integer).is_some() { Kinds::LONG } else { Kinds::BIG }
    }

    pub(crate) fn merge(&mut self, other: &Self, room: &mut Room) {
        let new = other.examples.iter().filter(|(kind, _)| !self.kinds.has(*kind));
        self.examples.extend(new.cloned());
        self.kinds = self.kinds.or(other.kinds);
        self.inexact |= other.inexact;
        self.fields.merge(&other.fields, room);
        if let Some(element) = &other.element {
            self.element.get_or_insert_default().merge(element, room);
        }
    }

    /// Whether it is enough for a column: not only nulls, `{}` and `[]`.
    pub(crate) fn has_type(&self) -> bool {
        let untold = Kinds::NULL.or(Kinds::OBJECT).or(Kinds::ARRAY);
        !self.kinds.without(untold).is_empty()
            || self.fields.iter().any(|(_, seen)| seen.has_type())
            || self.element.as_ref().is_some_and(|element| element.has_type())
    }
}

/// What the text of a string looks like.
fn text_kind(text: &str) -> Kinds {
    if calendar::date(text).is_some() {
        Kinds::DATE
    } else if calendar::timestamp(text).is_some() {
        Kinds::TIMESTAMP
    } else {
        Kinds::TEXT
    }
}

/// Fields in order of first sight.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    entries: Vec<Entry>,
    /// Where each name is, kept once there are more than [`FEW`].
    lookup: HashMap<Box<str>, usize>,
    /// The number of the object that is being taken in.
    object: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    name: Box<str>,
    seen: Seen,
    /// The object that it was last seen in.
    object: u64,
}

/// So many fields are searched one by one.
const FEW: usize = 8;

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Fields {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Seen)> {
        self.entries.iter().map(|entry| (&*entry.name, &entry.seen))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Seen> {
        self.entries.get(self.find(name)?).map(|entry| &entry.seen)
    }

    /// Takes in the members of the object at node `index`.
    pub(crate) fn see(&mut self, text: &str, nodes: &[Node], index: usize, room: &mut Room) {
        let Some(object) = nodes.get(index).filter(|node| node.kind == Kind::Object) else { return };
        self.begin();
        let mut guess = 0;
        let mut member = index + 1;
        while member < object.next as usize {
            let (Some(name), Some(value)) = (nodes.get(member), nodes.get(member + 1)) else { return };
            let seen = if name.kind == Kind::Plain {
                self.next(name.inner(text), &mut guess, room)
            } else {
                let mut meaning = Vec::new();
                json::unescape_onto(name.inner(text), &mut meaning);
                self.next(&String::from_utf8_lossy(&meaning), &mut guess, room)
            };
            if let Some(seen) = seen {
                seen.see(text, nodes, member + 1, room);
            }
            member = value.next as usize;
        }
    }

    /// Begins an object or CSV record, whose fields follow by `next`.
    pub(crate) fn begin(&mut self) {
        self.object += 1;
    }

    /// The field of this name. None if there is no room for one more, or if the object had it already: of fields of one name
    /// the first is the column. The field at `guess` is tried first; afterwards it is the one behind.
    pub(crate) fn next(&mut self, name: &str, guess: &mut usize, room: &mut Room) -> Option<&mut Seen> {
        let index = self.index(name, *guess, room)?;
        *guess = index + 1;
        let entry = self.entries.get_mut(index)?;
        let first = entry.object != self.object;
        entry.object = self.object;
        first.then_some(&mut entry.seen)
    }

    /// The field of this name, however often it is asked for.
    pub(crate) fn field(&mut self, name: &str, guess: usize, room: &mut Room) -> Option<&mut Seen> {
        let index = self.index(name, guess, room)?;
        self.entries.get_mut(index).map(|entry| &mut entry.seen)
    }

    /// The place of a field, which is made if there is room.
    fn index(&mut self, name: &str, guess: usize, room: &mut Room) -> Option<usize> {
        if self.entries.get(guess).is_some_and(|entry| *entry.name == *name) {
            return Some(guess);
        }
        if let Some(index) = self.find(name) {
            return Some(index);
        }
        if !room.take(name) {
            return None;
        }
        let index = self.entries.len();
        self.entries.push(Entry { name: name.into(), seen: Seen::default(), object: 0 });
        if index == FEW {
            self.lookup = self.entries.iter().enumerate().map(|(index, entry)| (entry.name.clone(), index)).collect();
        } else if index > FEW {
            self.lookup.insert(name.into(), index);
        }
        Some(index)
    }

    fn find(&self, name: &str) -> Option<usize> {
        if self.entries.len() <= FEW {
            self.entries.iter().position(|entry| *entry.name == *name)
        } else {
            self.lookup.get(name).copied()
        }
    }

    pub(crate) fn merge(&mut self, other: &Self, room: &mut Room) {
        for (guess, (name, seen)) in other.iter().enumerate() {
            if let Some(own) = self.field(name, guess, room) {
                own.merge(seen, room);
            }
        }
    }
}
