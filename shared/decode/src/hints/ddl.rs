//! The grammar of hints: `hint ("," hint)*`, a hint is a path and a type.

use std::fmt;

use super::{ELEMENT, Hint, HintError, HintField, Hints, quoted};
use crate::limits::{MAX_COLUMN_NESTING, OverLimit};
use crate::names;
use crate::schema::Type;

/// A part of a path.
enum Part {
    Name(String),
    Element,
}

/// What is wrong, and at which byte.
type Wrong = (String, usize);

/// Reads all hints, going on after a wrong one.
pub(super) fn parse(ddl: &str) -> Result<Hints, Vec<HintError>> {
    let mut hints = Hints::default();
    let mut errors = Vec::new();
    let mut reader = Reader { text: ddl, at: 0 };
    reader.blanks();
    while reader.at < ddl.len() {
        let start = reader.at;
        let mut end = end_of_hint(ddl, start);
        let one = Reader { text: ddl.get(..end).unwrap_or_default(), at: start };
        if let Err((reason, at)) = one.hint(&mut hints.fields) {
            let hint = ddl.get(start..end).unwrap_or_default().trim().to_owned();
            let at = ddl.get(..at).unwrap_or(ddl).chars().count() + 1;
            errors.push(HintError { hint, at, reason });
        }
        if ddl.get(end..).is_some_and(|rest| rest.starts_with(',')) {
            end += 1;
            if ddl.get(end..).is_none_or(|rest| rest.trim().is_empty()) {
                let reason = "a hint is missing after the comma".to_owned();
                errors.push(HintError { hint: String::new(), at: ddl.chars().count() + 1, reason });
            }
        }
        reader.at = end;
        reader.blanks();
    }
    if errors.is_empty() { Ok(hints) } else { Err(errors) }
}

/// The comma after the hint that begins at `start`, or the end: commas within `<>`, `()` and backticks belong to the hint.
fn end_of_hint(ddl: &str, start: usize) -> usize {
    let (mut depth, mut ticks) = (0usize, false);
    // A name may hold a parenthesis that is never closed.
    let last_closing = ddl.rfind(')').unwrap_or(0);
    for (at, byte) in ddl.bytes().enumerate().skip(start) {
        match byte {
            b'`' => ticks = !ticks,
            b'<' if !ticks => depth += 1,
            b'(' if !ticks && at < last_closing => depth += 1,
            b'>' | b')' if !ticks => depth = depth.saturating_sub(1),
            b',' if !ticks && depth == 0 => return at,
            _ => {}
        }
    }
    ddl.len()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    /// One whole hint, put into the tree of those before it.
    fn hint(mut self, fields: &mut Vec<HintField>) -> Result<(), Wrong> {
        self.blanks();
        let start = self.at;
        let Part::Name(column) = self.part()? else {
            return Err((format!("a column called `{ELEMENT}` is written in backticks"), start));
        };
        if names::is_row_column(&names::column_name(&column)) {
            return Err((format!("`{column}` is a column of every table: no data column can be called so"), start));
        }
        let mut path = Vec::new();
        while self.take('.') {
            path.push(self.part()?);
        }
        if path.len() >= MAX_COLUMN_NESTING {
            return Err((OverLimit::ColumnNesting.to_string(), start));
        }
        let type_at = self.at;
        self.blanks();
        if self.at == type_at && self.at < self.text.len() {
            return Err(("a blank and a type must follow the column's path".to_owned(), self.at));
        }
        let mut hint = self.data_type(path.len() + 1)?;
        self.blanks();
        if self.at < self.text.len() {
            return Err(("a comma must follow the type".to_owned(), self.at));
        }
        for part in path.into_iter().rev() {
            hint = match part {
                Part::Name(name) => Hint::Struct(vec![HintField { name, hint }]),
                Part::Element => Hint::List(Box::new(hint)),
            };
        }
        insert(fields, HintField { name: column, hint }).map_err(|clash| (clash.to_string(), start))
    }

    /// A name, or `element` for a list's elements.
    fn part(&mut self) -> Result<Part, Wrong> {
        let start = self.at;
        if !self.rest().starts_with('`') {
            let name = self.word();
            return match name.as_str() {
                "" => Err(("a column's name is missing".to_owned(), start)),
                ELEMENT => Ok(Part::Element),
                _ => checked(name, start).map(Part::Name),
            };
        }
        self.at += 1;
        let mut name = String::new();
        loop {
            let Some((before, _)) = self.rest().split_once('`') else {
                return Err(("the backtick is not closed".to_owned(), start));
            };
            name.push_str(before);
            self.at += before.len() + 1;
            // Two backticks within a name are one.
            if !self.take('`') {
                return checked(name, start).map(Part::Name);
            }
            name.push('`');
        }
    }

    /// A type at nesting level `depth`.
    fn data_type(&mut self, depth: usize) -> Result<Hint, Wrong> {
        self.blanks();
        let start = self.at;
        if depth > MAX_COLUMN_NESTING {
            return Err((OverLimit::ColumnNesting.to_string(), start));
        }
        let word = self.word().to_ascii_lowercase();
        let data_type = match word.as_str() {
            "boolean" => Type::Boolean,
            "bigint" | "long" | "int" | "integer" | "short" | "smallint" | "byte" | "tinyint" => Type::Long,
            "double" | "float" | "real" => Type::Double,
            "string" => Type::String,
            "date" => Type::Date,
            "timestamp" => Type::Timestamp,
            "array" => {
                self.expect('<', "the element's type must follow: `array<string>`")?;
                let element = self.data_type(depth + 1)?;
                self.expect('>', "`>` must follow the element's type")?;
                return Ok(Hint::List(Box::new(element)));
            }
            "struct" => return self.members(depth),
            "" => return Err((format!("the type is missing: {TYPES}"), start)),
            word => {
                let name = word.split('(').next().unwrap_or(word);
                return Err((format!("`{name}` is no type of hints: {TYPES}"), start));
            }
        };
        Ok(Hint::Scalar(data_type))
    }

    /// What stands behind `struct`: `<name: type, name type>`.
    fn members(&mut self, depth: usize) -> Result<Hint, Wrong> {
        self.expect('<', "the fields must follow: `struct<lat: double, lon: double>`")?;
        let mut fields = Vec::new();
        loop {
            self.blanks();
            let start = self.at;
            let name = match self.part()? {
                Part::Name(name) => name,
                Part::Element => ELEMENT.to_owned(),
            };
            self.blanks();
            self.take(':');
            let hint = self.data_type(depth + 1)?;
            insert(&mut fields, HintField { name, hint }).map_err(|clash| (clash.to_string(), start))?;
            self.blanks();
            if !self.take(',') {
                self.expect('>', "`,` or `>` must follow a field")?;
                return Ok(Hint::Struct(fields));
            }
        }
    }

    /// The characters up to a blank or a sign of the grammar.
    fn word(&mut self) -> String {
        let ends = |c: char| c.is_whitespace() || matches!(c, '.' | ',' | ':' | '<' | '>' | '`');
        let word = self.rest().split(ends).next().unwrap_or_default().to_owned();
        self.at += word.len();
        word
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, sign: char) -> bool {
        let taken = self.rest().starts_with(sign);
        if taken {
            self.at += sign.len_utf8();
        }
        taken
    }

    fn expect(&mut self, sign: char, otherwise: &str) -> Result<(), Wrong> {
        self.blanks();
        if self.take(sign) { Ok(()) } else { Err((otherwise.to_owned(), self.at)) }
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }
}

const TYPES: &str = "write one of boolean, bigint, double, string, date, timestamp, array<...>, struct<...>";

fn checked(name: String, at: usize) -> Result<String, Wrong> {
    if names::is_too_long(&name) {
        return Err((OverLimit::ColumnNameBytes { found: name.len() }.to_string(), at));
    }
    Ok(name)
}

/// Puts a field into the tree; structs and lists that are there already take in the new one's parts.
fn insert(fields: &mut Vec<HintField>, new: HintField) -> Result<(), Clash> {
    let folded = names::folded(&names::column_name(&new.name));
    match fields.iter_mut().find(|field| names::folded(&names::column_name(&field.name)) == folded) {
        None => {
            fields.push(new);
            Ok(())
        }
        Some(old) => merge(&mut old.hint, new.hint).map_err(|clash| clash.within(quoted(&new.name))),
    }
}

/// Two hints that exclude each other.
struct Clash {
    /// What they are about, the innermost part first, each as hints write it.
    path: Vec<String>,
    reason: String,
}

impl Clash {
    fn within(mut self, part: String) -> Self {
        self.path.push(part);
        self
    }
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: Vec<&str> = self.path.iter().rev().map(String::as_str).collect();
        write!(f, "{} {}", path.join("."), self.reason)
    }
}

fn merge(old: &mut Hint, new: Hint) -> Result<(), Clash> {
    let clash = |reason: String| Err(Clash { path: Vec::new(), reason });
    match (old, new) {
        (Hint::Struct(old), Hint::Struct(new)) => new.into_iter().try_for_each(|field| insert(old, field)),
        (Hint::List(old), Hint::List(new)) => merge(old, *new).map_err(|clash| clash.within(ELEMENT.to_owned())),
        (Hint::Scalar(_), Hint::Scalar(_)) => clash("has two hints: leave one".to_owned()),
        (old, new) => clash(format!("is hinted as {} and as {}: leave one", old.in_words(), new.in_words())),
    }
}
