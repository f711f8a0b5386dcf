//! The fields of a struct, or the columns of the table: which name goes into which column, and which names have none.

use std::collections::{HashMap, HashSet};

use super::columns::Column;
use crate::infer::{Fields, Seen};
use crate::limits::MAX_STRANGERS;
use crate::names;
use crate::schema::{Field, Type};

/// Columns by the names that the source uses.
#[derive(Debug)]
pub(super) struct FieldColumns {
    pub(super) fields: Vec<FieldColumn>,
    /// Where each name is, where there are more than [`FEW`].
    lookup: HashMap<Box<str>, usize>,
    /// Whether these are the table's columns and not those of a struct.
    top: bool,
    strangers: Strangers,
}

/// A column and the name that the source uses for it.
#[derive(Debug)]
pub(super) struct FieldColumn {
    name: Box<str>,
    source_name: Box<str>,
    /// The rows up to the last that a JSON record had the field in: how a second one in the same record is seen.
    pub(super) met: usize,
    pub(super) column: Column,
}

/// Names without a column, with what was decided about them.
#[derive(Debug, Default)]
struct Strangers {
    verdicts: HashMap<Box<str>, Verdict>,
    /// The columns' own names without case; made with the first stranger.
    taken: HashSet<String>,
}

/// What may become of a name without a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It may become a column.
    Proposed,
    /// It never will: its values are only rescued.
    Refused,
}

/// So many fields are searched one by one.
const FEW: usize = 8;

impl FieldColumns {
    pub(super) fn new(fields: &[Field], top: bool) -> Self {
        let fields = fields.iter().map(FieldColumn::new).collect();
        let mut columns = Self { fields, lookup: HashMap::new(), top, strangers: Strangers::default() };
        columns.index();
        columns
    }

    /// Of columns with the same source name the first is found.
    fn index(&mut self) {
        self.lookup.clear();
        if self.fields.len() > FEW {
            for (index, field) in self.fields.iter().enumerate() {
                self.lookup.entry(field.source_name.clone()).or_insert(index);
            }
        }
    }

    /// The column for a name. The one at `guess` is tried first: records repeat the order of their fields.
    #[inline]
    pub(super) fn find(&self, name: &str, guess: usize) -> Option<usize> {
        if self.fields.get(guess).is_some_and(|field| is_same(&field.source_name, name)) {
            return Some(guess);
        }
        self.search(name)
    }

    fn search(&self, name: &str) -> Option<usize> {
        if self.fields.len() <= FEW {
            self.fields.iter().position(|field| *field.source_name == *name)
        } else {
            self.lookup.get(name).copied()
        }
    }

    /// Whether a name without a column may become one. `remembered` counts the names that all structs remember.
    pub(super) fn is_proposed(&mut self, name: &str, remembered: &mut usize) -> bool {
        if let Some(verdict) = self.strangers.verdicts.get(name) {
            return *verdict == Verdict::Proposed;
        }
        // A name too long is passed on, so that it is reported; it is not kept.
        if names::is_too_long(name) {
            return true;
        }
        if *remembered >= MAX_STRANGERS {
            return false;
        }
        *remembered += 1;
        if self.strangers.taken.is_empty() {
            let both = |field: &FieldColumn| [names::folded(&field.name), names::folded(&field.source_name)];
            self.strangers.taken = self.fields.iter().flat_map(both).collect();
        }
        let column = names::column_name(name);
        let refused = self.strangers.taken.contains(&names::folded(&column))
            || self.strangers.taken.contains(&names::folded(name))
            || (self.top && (names::is_row_column(&column) || names::is_row_column(name)));
        let verdict = if refused { Verdict::Refused } else { Verdict::Proposed };
        self.strangers.verdicts.insert(name.into(), verdict);
        !refused
    }

    /// The column that has this name but for case or characters that no column's name has.
    pub(super) fn taken_by(&self, name: &str) -> Option<String> {
        let column = names::column_name(name);
        let folded = [names::folded(&column), names::folded(name)];
        let has = |own: &str| folded.contains(&names::folded(own));
        let own = self.fields.iter().find(|field| has(&field.name) || has(&field.source_name));
        let of_rows = || names::ROW_COLUMNS.into_iter().find(|own| self.top && has(own));
        own.map(|field| field.name.to_string()).or_else(|| of_rows().map(str::to_owned))
    }

    /// Whether something was seen that has a type, has no column and is not refused.
    pub(super) fn lacks(&self, seen: &Fields) -> bool {
        seen.iter().any(|(name, seen)| match self.find(name, 0).and_then(|index| self.fields.get(index)) {
            Some(field) => field.column.lacks(seen),
            None => seen.has_type() && self.strangers.verdicts.get(name) != Some(&Verdict::Refused),
        })
    }

    /// Refuses all that was seen, has a type and has no column.
    pub(super) fn refuse(&mut self, seen: &Fields) {
        for (name, seen) in seen.iter() {
            match self.find(name, 0).and_then(|index| self.fields.get_mut(index)) {
                Some(field) => field.column.refuse(seen),
                None if seen.has_type() => {
                    self.strangers.verdicts.insert(name.into(), Verdict::Refused);
                }
                None => {}
            }
        }
    }

    /// Takes on a schema that begins with this one's fields.
    pub(super) fn evolve(&mut self, fields: &[Field]) {
        for (own, field) in self.fields.iter_mut().zip(fields) {
            own.column.evolve(&field.data_type);
        }
        self.fields.extend(fields.iter().skip(self.fields.len()).map(FieldColumn::new));
        self.index();
        // More names are taken now; what was refused stays so.
        self.strangers.taken.clear();
        self.strangers.verdicts.retain(|_, verdict| *verdict == Verdict::Refused);
    }

    /// Makes the text columns of these names take no empty text.
    pub(super) fn refuse_empty(&mut self, names: &[String]) {
        for field in &mut self.fields {
            if let Column::Text(texts) = &mut field.column {
                texts.never_empty = names.iter().any(|name| **name == *field.name);
            }
        }
    }

    /// The names without a column that are remembered.
    pub(super) fn strangers(&self) -> usize {
        let nested = self.fields.iter().map(|field| field.column.strangers());
        self.strangers.verdicts.len() + nested.sum::<usize>()
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        for field in &mut self.fields {
            field.met = field.met.min(rows);
            field.column.truncate(rows);
        }
    }

    /// See [`Column::memory`].
    pub(super) fn memory(&self, rows: usize) -> usize {
        self.fields.iter().map(|field| field.column.memory(rows)).sum()
    }

    /// See [`Column::memory_with`].
    pub(super) fn memory_with(&self, rows: usize, fields: &[Field]) -> usize {
        let own = self.fields.iter().zip(fields).map(|(own, field)| own.column.memory_with(rows, &field.data_type));
        let added = fields.iter().skip(self.fields.len()).map(|field| rows * Column::new(&field.data_type).width());
        own.sum::<usize>() + added.sum::<usize>()
    }

    /// See [`Column::width`].
    pub(super) fn width(&self) -> usize {
        self.fields.iter().map(|field| field.column.width()).sum()
    }
}

impl FieldColumn {
    fn new(field: &Field) -> Self {
        Self {
            name: field.name.as_str().into(),
            source_name: field.source_name.as_str().into(),
            met: 0,
            column: Column::new(&field.data_type),
        }
    }
}

impl Column {
    fn lacks(&self, seen: &Seen) -> bool {
        match self {
            Self::Struct(structs) => structs.fields.lacks(&seen.fields),
            Self::List(lists) => seen.element.as_ref().is_some_and(|seen| lists.element.lacks(seen)),
            _ => false,
        }
    }

    fn refuse(&mut self, seen: &Seen) {
        match self {
            Self::Struct(structs) => structs.fields.refuse(&seen.fields),
            Self::List(lists) => {
                if let Some(seen) = &seen.element {
                    lists.element.refuse(seen);
                }
            }
            _ => {}
        }
    }

    fn evolve(&mut self, data_type: &Type) {
        match (self, data_type) {
            (Self::Struct(structs), Type::Struct(fields)) => structs.fields.evolve(fields),
            (Self::List(lists), Type::List(element)) => {
                lists.element.evolve(element);
                lists.width = lists.element.width();
            }
            _ => {}
        }
    }

    fn strangers(&self) -> usize {
        match self {
            Self::Struct(structs) => structs.fields.strangers(),
            Self::List(lists) => lists.element.strangers(),
            _ => 0,
        }
    }
}

/// Whether two names are equal, without a call for the usual lengths: this is asked for every field of every record.
#[inline]
fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    match one.len() {
        // The first and the last bytes overlap, and cover all.
        4..8 => one.first_chunk::<4>() == other.first_chunk() && one.last_chunk::<4>() == other.last_chunk(),
        8..=16 => one.first_chunk::<8>() == other.first_chunk() && one.last_chunk::<8>() == other.last_chunk(),
        ..4 => one.iter().eq(other),
        _ => one == other,
    }
}

/// Whether `new` is `old` with fields added at the end of any struct.
pub(super) fn extends(new: &[Field], old: &[Field]) -> bool {
    new.len() >= old.len()
        && new.iter().zip(old).all(|(new, old)| {
            new.name == old.name && new.source_name == old.source_name && extends_type(&new.data_type, &old.data_type)
        })
}

fn extends_type(new: &Type, old: &Type) -> bool {
    match (new, old) {
        (Type::Struct(new), Type::Struct(old)) => extends(new, old),
        (Type::List(new), Type::List(old)) => extends_type(new, old),
        (new, old) => new == old,
    }
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn names_differ_by_any_byte() {
        for length in 0..40 {
            let name = "n".repeat(length);
            assert!(is_same(&name, &name.clone()));
            assert!(!is_same(&name, &"n".repeat(length + 1)));
            for at in 0..length {
                let mut other = name.clone();
                other.replace_range(at..=at, "m");
                assert!(!is_same(&name, &other), "{name} {other}");
            }
        }
    }
}
