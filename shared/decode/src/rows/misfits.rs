//! Which columns values were rescued from, each once with an example: told while a record is fitted, so that nobody need parse
//! `_rescued_data` to name them, however many rows are rescued.
//!
//! A place is found by a hash of its path. Its text is made once, when it is seen for the first time, so that in the steady state a rescued
//! value costs a look-up and no allocation.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::iter::Peekable;
use std::slice::Iter;

use super::columns::Column;
use super::fields::FieldColumns;
use super::fit_json::Record;
use crate::hints::{ELEMENT, quoted};
use crate::json::{self, Kind};
use crate::limits::{MAX_COLUMN_NAME_BYTES, MAX_COLUMN_NESTING};
use crate::schema::{Field, Type};

/// How many columns are named. A hostile record can have hundreds of thousands.
pub const MAX_MISFITS_NAMED: usize = 1_000;

/// How many further columns are told apart, so that they can be counted.
const MAX_COUNTED: usize = 100_000;

/// How much of a value is shown, in characters.
const SHOWN: usize = 60;

/// A column that values were rescued from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Its path, as hints write it.
    pub column: String,
    /// Why the first of its values did not fit.
    pub cause: MisfitCause,
    /// That value as the record has it, cut after 60 characters.
    pub example: String,
    /// The row that has it, of those in memory.
    pub row: usize,
}

/// Why a value did not go into a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MisfitCause {
    /// The column has this type.
    Type(Type),
    /// There is no such column.
    NoColumn(NoColumn),
    /// The record has the name twice: the first one is the column.
    Twice,
    /// The empty text, in a column that takes none.
    Empty,
}

/// Why a name has no column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoColumn {
    /// The value has no type yet: nothing but nulls and empty lists and objects is in it.
    NoType,
    /// This column, with what it is in, has the name, but for case or characters that no column's name has.
    Taken(String),
    /// The name is longer than a column's may be.
    LongName,
    /// A column nests no deeper than [`MAX_COLUMN_NESTING`].
    Nesting,
    /// The table takes no further column.
    Limit,
}

/// The columns that values of the rows in memory were rescued from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Misfits {
    /// The first [`MAX_MISFITS_NAMED`], by their rows.
    pub named: Vec<Misfit>,
    /// [`column_hash`] of each further one.
    pub further: Vec<u64>,
    /// Whether there were more than could be told apart.
    pub uncounted: bool,
}

/// The hash that tells columns apart where they are only counted. The same in every process.
pub fn column_hash(column: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    column.hash(&mut hasher);
    hasher.finish()
}

/// Gathers [`Misfits`] while rows are appended.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// By the hash of the path.
    places: HashMap<u64, Place>,
    named: usize,
    uncounted: bool,
}

#[derive(Debug)]
struct Place {
    /// The first row.
    row: usize,
    /// Which of that row's places it is.
    nth: usize,
    /// [`column_hash`] of its text.
    hash: u64,
    named: Option<Box<Misfit>>,
}

/// A place in a record: a part and what is above it.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    above: Option<&'a Path<'a>>,
    /// The field's name; none for a list's element.
    name: Option<&'a str>,
    hash: u64,
}

/// Nodes, in order, that did not fit and are still to come.
type Nodes<'a> = Peekable<Iter<'a, u32>>;

impl<'a> Path<'a> {
    /// A field, at the top or of the struct above.
    pub(super) fn field(above: Option<&'a Path<'a>>, name: &'a str) -> Self {
        Self::part(above, Some(name))
    }

    fn part(above: Option<&'a Path<'a>>, name: Option<&'a str>) -> Self {
        let mut hasher = DefaultHasher::new();
        above.map_or(0, |above| above.hash).hash(&mut hasher);
        name.hash(&mut hasher);
        Self { above, name, hash: hasher.finish() }
    }

    /// How many parts it has.
    fn parts(&self) -> usize {
        1 + self.above.map_or(0, Path::parts)
    }

    fn text(&self) -> String {
        let own = match self.name {
            None => ELEMENT.to_owned(),
            Some(name) if name.len() > MAX_COLUMN_NAME_BYTES => {
                let cut = name.floor_char_boundary(MAX_COLUMN_NAME_BYTES);
                format!("{}... ({} bytes)", quoted(&name[..cut]), name.len())
            }
            Some(name) => quoted(name),
        };
        self.above.map_or_else(|| own.clone(), |above| format!("{}.{own}", above.text()))
    }
}

impl Gathered {
    /// Notes a value at this place of a row; cause and value are asked for where it is the first one there.
    pub(super) fn note<'v>(&mut self, path: &Path<'_>, row: usize, first: impl FnOnce() -> (MisfitCause, &'v str)) {
        if self.places.contains_key(&path.hash) {
            return;
        }
        if self.places.len() >= MAX_MISFITS_NAMED + MAX_COUNTED {
            self.uncounted = true;
            return;
        }
        let column = path.text();
        let hash = column_hash(&column);
        let named = (self.named < MAX_MISFITS_NAMED).then(|| {
            self.named += 1;
            let (cause, value) = first();
            let cut = value.char_indices().nth(SHOWN).map_or(value, |(end, _)| &value[..end]);
            let dots = if cut.len() < value.len() { "..." } else { "" };
            Box::new(Misfit { column, cause, example: format!("{cut}{dots}"), row })
        });
        let nth = self.places.len();
        self.places.insert(path.hash, Place { row, nth, hash, named });
    }

    /// Notes what of a record's object did not fit: the nodes `misfits`, at least one.
    pub(super) fn note_members(
        &mut self,
        record: Record<'_>,
        misfits: &[u32],
        columns: &FieldColumns,
        fields: &[Field],
        row: usize,
    ) {
        Walk { record, row, into: self }.members(0, &mut misfits.iter().peekable(), columns, fields, None);
    }

    /// The same of a value that stands at a path and has a column of this type.
    pub(super) fn note_within(
        &mut self,
        record: Record<'_>,
        misfits: &[u32],
        path: &Path<'_>,
        (column, data_type): (&Column, &Type),
        row: usize,
    ) {
        Walk { record, row, into: self }.value(0, &mut misfits.iter().peekable(), Some((column, data_type)), path);
    }

    /// Forgets the rows from `len` on.
    pub(super) fn truncate(&mut self, len: usize) {
        // A place that was first seen in a row that goes was seen in no other that stays.
        self.places.retain(|_, place| place.row < len);
        self.named = self.places.values().filter(|place| place.named.is_some()).count();
    }

    /// What was gathered, which is forgotten.
    pub(super) fn take(&mut self) -> Misfits {
        let Self { places, uncounted, .. } = std::mem::take(self);
        let mut places: Vec<Place> = places.into_values().collect();
        places.sort_unstable_by_key(|place| (place.row, place.nth));
        let mut taken = Misfits { uncounted, ..Misfits::default() };
        for place in places {
            match place.named {
                Some(misfit) => taken.named.push(*misfit),
                None => taken.further.push(place.hash),
            }
        }
        taken
    }
}

/// The walk through one record to what did not fit.
struct Walk<'a, 'g> {
    record: Record<'a>,
    row: usize,
    into: &'g mut Gathered,
}

impl Walk<'_, '_> {
    /// The members of the object at node `index`.
    fn members(
        &mut self,
        index: usize,
        misfits: &mut Nodes<'_>,
        columns: &FieldColumns,
        fields: &[Field],
        above: Option<&Path<'_>>,
    ) {
        let record = self.record;
        let end = record.nodes[index].next;
        let mut member = index + 1;
        let mut scratch = Vec::new();
        while comes_before(misfits, end) {
            let (name, value) = (record.nodes[member], member + 1);
            let next = record.nodes[value].next;
            if comes_before(misfits, next) {
                let mut meaning = name.inner(record.text);
                if name.kind == Kind::Escaped {
                    scratch.clear();
                    json::unescape_onto(meaning, &mut scratch);
                    meaning = str::from_utf8(&scratch).unwrap_or_default();
                }
                let found = columns.find(meaning, 0);
                let column = found.and_then(|at| Some((&columns.fields.get(at)?.column, &fields.get(at)?.data_type)));
                let path = Path::field(above, meaning);
                let whole = misfits.next_if(|misfit| **misfit as usize == value).is_some();
                if !whole {
                    self.value(value, misfits, column, &path);
                } else {
                    self.into.note(&path, self.row, || {
                        let twice = column.is_some() && has_before(record, index, member);
                        let cause = match column {
                            _ if twice => MisfitCause::Twice,
                            None => {
                                let taken_by = columns.taken_by(meaning);
                                let taken_by = taken_by.map(|name| Path::field(above, &name).text());
                                MisfitCause::NoColumn(match why_no_column(record, value, &path, taken_by) {
                                    NoColumn::Limit if meaning.len() > MAX_COLUMN_NAME_BYTES => NoColumn::LongName,
                                    why => why,
                                })
                            }
                            column => cause_of(record, value, column, &path),
                        };
                        (cause, record.nodes[value].raw(record.text))
                    });
                }
            }
            member = next as usize;
        }
    }

    /// The value at node `index`, or what is in it.
    fn value(&mut self, index: usize, misfits: &mut Nodes<'_>, column: Option<(&Column, &Type)>, path: &Path<'_>) {
        let record = self.record;
        let node = record.nodes[index];
        if misfits.next_if(|misfit| **misfit as usize == index).is_some() {
            let first = || (cause_of(record, index, column, path), node.raw(record.text));
            return self.into.note(path, self.row, first);
        }
        match column {
            Some((Column::Struct(structs), Type::Struct(fields))) => {
                self.members(index, misfits, &structs.fields, fields, Some(path));
            }
            Some((Column::List(lists), Type::List(element))) => {
                let path = Path::part(Some(path), None);
                let mut at = index + 1;
                while comes_before(misfits, node.next) {
                    let next = record.nodes[at].next;
                    if comes_before(misfits, next) {
                        self.value(at, misfits, Some((&lists.element, element)), &path);
                    }
                    at = next as usize;
                }
            }
            // Nothing else has parts: what would be below is passed over.
            _ => while misfits.next_if(|misfit| **misfit < node.next).is_some() {},
        }
    }
}

fn cause_of(record: Record<'_>, index: usize, column: Option<(&Column, &Type)>, path: &Path<'_>) -> MisfitCause {
    match column {
        // What is below a value without a column is not looked at.
        None => MisfitCause::NoColumn(why_no_column(record, index, path, None)),
        Some((Column::Text(texts), _)) if texts.never_empty && record.nodes[index].inner(record.text).is_empty() => {
            MisfitCause::Empty
        }
        Some((_, data_type)) => MisfitCause::Type(data_type.clone()),
    }
}

fn why_no_column(record: Record<'_>, index: usize, path: &Path<'_>, taken_by: Option<String>) -> NoColumn {
    match (taken_by, parts_below(record, index)) {
        (Some(column), _) => NoColumn::Taken(column),
        (None, None) => NoColumn::NoType,
        (None, Some(below)) if path.parts() + below > MAX_COLUMN_NESTING => NoColumn::Nesting,
        (None, Some(_)) => NoColumn::Limit,
    }
}

/// How many parts the longest path below the value at node `index` has that leads to a value with a type; none where there is nothing
/// but nulls, lists and objects. It nests no deeper than a record may.
fn parts_below(record: Record<'_>, index: usize) -> Option<usize> {
    let node = record.nodes[index];
    // Of an object's members every value stands behind its name.
    let behind = match node.kind {
        Kind::Null => return None,
        Kind::Array => 0,
        Kind::Object => 1,
        _ => return Some(0),
    };
    let (mut at, mut longest) = (index + 1, None);
    while at < node.next as usize {
        longest = longest.max(parts_below(record, at + behind).map(|below| below + 1));
        at = record.nodes[at + behind].next as usize;
    }
    longest
}

/// Whether the object at node `index` has a member of the same name before this one.
fn has_before(record: Record<'_>, index: usize, member: usize) -> bool {
    let name = |member: usize| {
        let node = record.nodes[member];
        let mut meaning = Vec::new();
        match node.kind {
            Kind::Escaped => json::unescape_onto(node.inner(record.text), &mut meaning),
            _ => meaning.extend_from_slice(node.inner(record.text).as_bytes()),
        }
        meaning
    };
    let wanted = name(member);
    let mut other = index + 1;
    while other < member {
        if name(other) == wanted {
            return true;
        }
        other = record.nodes[other + 1].next as usize;
    }
    false
}

fn comes_before(nodes: &mut Nodes<'_>, end: u32) -> bool {
    nodes.peek().is_some_and(|node| **node < end)
}
