//! Schema hints: types that the user sets for columns, in the form that Auto Loader's users know (`schemaHints`).
//!
//! `price double, customer.zip string, tags.element string, pos struct<lat: double, lon: double>, ids array<bigint>`: a path,
//! a type, commas between. `.element` is a list's element, names with other characters stand in backticks. All hints
//! together make one tree, in which a dotted path and a `struct<>` mean the same.

mod ddl;
#[cfg(test)]
mod tests;

use crate::infer::Conflict;
use crate::names;
use crate::schema::{Field, TableSchema, Type};

/// The user's wishes for columns' types. They win over what is seen in the data, and may name columns that no data has yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hints {
    pub(crate) fields: Vec<HintField>,
}

/// A hint that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schema hint `{hint}`, at character {at}: {reason}")]
pub struct HintError {
    /// The hint's text.
    pub hint: String,
    /// The character of all hints' text where it goes wrong, from 1.
    pub at: usize,
    /// What is wrong and what to write.
    pub reason: String,
}

/// A name with a wish.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HintField {
    pub(crate) name: String,
    pub(crate) hint: Hint,
}

/// A wish for one column's type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Hint {
    /// A type without parts.
    Scalar(Type),
    /// An object with at least these fields.
    Struct(Vec<HintField>),
    /// A list with such elements.
    List(Box<Hint>),
}

impl Hints {
    /// Reads hints. An empty text is no hints.
    ///
    /// # Errors
    /// Every hint that is wrong.
    pub fn parse(ddl: &str) -> Result<Self, Vec<HintError>> {
        ddl::parse(ddl)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

impl Hints {
    /// The hints that say something else than a column that the table has: they have no effect, as types never change.
    pub fn contradictions(&self, schema: &TableSchema) -> Vec<Conflict> {
        let mut found = Vec::new();
        contradictions(&self.fields, &schema.fields, "", &mut found);
        found
    }
}

fn contradictions(hints: &[HintField], fields: &[Field], prefix: &str, found: &mut Vec<Conflict>) {
    for field in fields {
        let hint = find(hints, &field.source_name).or_else(|| find(hints, &field.name));
        if let Some(hint) = hint {
            contradiction(hint, &field.data_type, &format!("{prefix}{}", quoted(&field.source_name)), found);
        }
    }
}

fn contradiction(hint: &Hint, data_type: &Type, path: &str, found: &mut Vec<Conflict>) {
    match (hint, data_type) {
        (Hint::Struct(hints), Type::Struct(fields)) => contradictions(hints, fields, &format!("{path}."), found),
        (Hint::List(hint), Type::List(element)) => contradiction(hint, element, &format!("{path}.{ELEMENT}"), found),
        (Hint::Scalar(wanted), has) if wanted == has => {}
        (hint, has) => found.push(Conflict {
            column: path.to_owned(),
            reason: format!("schema_hints says {}, the table's column is {has}: types of a table never change, so the hint has no effect", hint.in_words()),
            remedy: "leave the hint away, or ingest into a new table".to_owned(),
        }),
    }
}

impl Hint {
    /// Its type as hints write it.
    pub(crate) fn in_words(&self) -> &'static str {
        match self {
            Self::Scalar(data_type) => type_word(data_type),
            Self::Struct(_) => "struct",
            Self::List(_) => "array",
        }
    }
}

/// The hint among `fields` for a column, by its name's form without case.
pub(crate) fn find<'a>(fields: &'a [HintField], name: &str) -> Option<&'a Hint> {
    // Most tables have no hints: then no name is folded.
    if fields.is_empty() {
        return None;
    }
    let folded = names::folded(&names::column_name(name));
    fields.iter().find(|field| names::folded(&names::column_name(&field.name)) == folded).map(|field| &field.hint)
}

/// The word for a type in a hint.
pub(crate) fn type_word(data_type: &Type) -> &'static str {
    match data_type {
        Type::Boolean => "boolean",
        Type::Long => "bigint",
        Type::Double => "double",
        Type::String => "string",
        Type::Date => "date",
        Type::Timestamp => "timestamp",
        Type::Struct(_) => "struct",
        Type::List(_) => "array",
        Type::Other(_) => "other",
    }
}

/// The setting that gives these hints, as a file has it: `schema_hints = "price double"`.
pub fn setting(hints: &str) -> String {
    // TOML's basic strings know the escapes of JSON, but for the slash, which is not escaped here.
    format!("schema_hints = {}", serde_json::Value::from(hints))
}

/// A path's part as hints write it: in backticks where it needs them. A field that is really called `element` does.
pub fn quoted(name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_') && name != ELEMENT;
    if plain { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
}

/// The part of a path that stands for a list's elements.
pub(crate) const ELEMENT: &str = "element";
