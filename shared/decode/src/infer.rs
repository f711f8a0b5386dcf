//! Learning a schema from records: what was seen of each field ([`Observed`]), and the columns that follow ([`Resolved`]).
//!
//! Observing only collects kinds, so that what many files show can be merged in any grouping; deciding is done once, in
//! `resolve`, together with the user's hints and the schema that is there already. Types never change once chosen: a new
//! schema is the old one with fields added at the end.

mod resolve;
mod seen;
#[cfg(test)]
mod tests;

use crate::hints::Hints;
use crate::json::Tape;
use crate::record::CsvField;
use crate::schema::TableSchema;
pub(crate) use seen::{Fields, Kinds, Room, Seen};

/// What was seen of fields, in order of first sight. Bounded in memory whatever the records hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    pub(crate) fields: Fields,
    pub(crate) room: Room,
}

/// A schema, and what was found on the way that a user may want to settle.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The columns.
    pub schema: TableSchema,
    /// What could not be decided without doubt. Nothing is lost by any of them.
    pub conflicts: Vec<Conflict>,
}

/// A doubt about a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The column's path, its parts joined by dots, as hints name it.
    pub column: String,
    /// What was seen, and what was made of it.
    pub reason: String,
    /// What settles it otherwise.
    pub remedy: String,
}

impl Observed {
    /// Nothing seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether no field was seen at all.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Takes in a record that `tape` parsed from `text`. One that is no object shows no fields.
    pub fn observe_json(&mut self, text: &str, tape: &Tape) {
        self.fields.see(text, tape.nodes(), 0, &mut self.room);
    }

    /// Takes in a CSV record under its header's names. Of fields of the same name the first counts.
    pub fn observe_csv(&mut self, header: &[String], fields: &[CsvField<'_>]) {
        self.room.see_header(header);
        self.fields.begin();
        let mut guess = 0;
        for (name, field) in header.iter().zip(fields) {
            if let Some(seen) = self.fields.next(name, &mut guess, &mut self.room) {
                seen.see_csv(field);
            }
        }
    }

    /// Takes in what another has seen, as if its records came after those of this one.
    pub fn merge(&mut self, other: &Observed) {
        self.fields.merge(&other.fields, &mut self.room);
        self.room.merge(&other.room);
    }

    /// Decides the columns. With `evolve_from` the schema is that one plus new fields at the end, nested ones at the end of
    /// their struct; no old type changes.
    pub fn resolve(&self, hints: &Hints, evolve_from: Option<&TableSchema>) -> Resolved {
        resolve::resolve(self, hints, evolve_from)
    }
}
