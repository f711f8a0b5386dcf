//! Deciding the columns: the old schema first, then what was seen, then what is only hinted.

use std::collections::{HashMap, HashSet};

use super::seen::{Fields, Kinds, Seen};
use super::{Conflict, Observed, Resolved};
use crate::hints::{self, Hint, HintField, Hints};
use crate::limits::{MAX_COLUMN_NESTING, MAX_COLUMNS, MAX_OBSERVED_FIELDS, OverLimit};
use crate::names;
use crate::schema::{Field, TableSchema, Type};

/// See [`Observed::resolve`].
pub(super) fn resolve(observed: &Observed, hints: &Hints, old: Option<&TableSchema>) -> Resolved {
    let old = old.map_or(&[][..], |schema| &schema.fields);
    let known = |hint: &HintField| {
        old.iter().any(|field| {
            hints::find(std::slice::from_ref(hint), &field.source_name).is_some()
                || hints::find(std::slice::from_ref(hint), &field.name).is_some()
        })
    };
    let reserved = hints.fields.iter().filter(|hint| !known(hint)).count();
    let mut resolver = Resolver {
        conflicts: Vec::new(),
        columns: count(old),
        reserved,
        over: None,
        deep: Vec::new(),
        path: Vec::new(),
    };
    let fields = resolver.fields(Some(&observed.fields), &hints.fields, old);
    resolver.limits(observed);
    Resolved { schema: TableSchema { fields }, conflicts: resolver.conflicts }
}

/// The names that are taken in a struct or at the top, without case, and the column that each is of.
type Taken = HashMap<String, String>;

fn take(taken: &mut Taken, names: [&str; 2], column: &str) {
    for name in names {
        taken.entry(names::folded(name)).or_insert_with(|| column.to_owned());
    }
}

/// The columns of these fields, nested ones counted.
fn count(fields: &[Field]) -> usize {
    fields.iter().map(|field| 1 + count_within(&field.data_type)).sum()
}

fn count_within(data_type: &Type) -> usize {
    match data_type {
        Type::Struct(fields) => count(fields),
        Type::List(element) => count_within(element),
        _ => 0,
    }
}

struct Resolver {
    conflicts: Vec<Conflict>,
    /// Columns so far, nested ones counted.
    columns: usize,
    /// How many further columns are kept free for hints.
    reserved: usize,
    /// The first column that was left out as there were too many.
    over: Option<String>,
    /// The columns that were left out as they nest too deep.
    deep: Vec<String>,
    /// Where we are, each part as hints write it.
    path: Vec<String>,
}

impl Resolver {
    /// The fields of a struct, or the columns of the table: those of `old`, then new ones.
    fn fields(&mut self, seen: Option<&Fields>, hints: &[HintField], old: &[Field]) -> Vec<Field> {
        let mut taken = Taken::new();
        let mut fields = Vec::with_capacity(old.len());
        for field in old {
            take(&mut taken, [&field.name, &field.source_name], &field.name);
            let hint = hints::find(hints, &field.source_name).or_else(|| hints::find(hints, &field.name));
            let seen = seen.and_then(|seen| seen.get(&field.source_name));
            let data_type = self.at(&field.name, |this| this.extend(&field.data_type, seen, hint));
            fields.push(Field { data_type, ..field.clone() });
        }
        let known: HashSet<&str> = old.iter().map(|field| field.source_name.as_str()).collect();
        for (name, seen) in seen.iter().flat_map(|seen| seen.iter()).filter(|(name, _)| !known.contains(name)) {
            fields.extend(self.new_field(name, Some(seen), hints::find(hints, name), &mut taken));
        }
        for field in hints {
            // Those that were seen, or are there, have their hint already.
            if !taken.contains_key(&names::folded(&names::column_name(&field.name))) {
                fields.extend(self.new_field(&field.name, None, Some(&field.hint), &mut taken));
            }
        }
        fields
    }

    /// A column that was not there, unless its name is taken, its type is not known yet, or there are too many.
    fn new_field(
        &mut self,
        source_name: &str,
        seen: Option<&Seen>,
        hint: Option<&Hint>,
        taken: &mut Taken,
    ) -> Option<Field> {
        let name = names::column_name(source_name);
        let folded = [names::folded(&name), names::folded(source_name)];
        let of_rows =
            || names::ROW_COLUMNS.into_iter().find(|own| self.path.is_empty() && folded.contains(&(*own).to_owned()));
        let taken_by = folded.iter().find_map(|name| taken.get(name).map(String::as_str)).or_else(of_rows);
        if let Some(other) = taken_by {
            if hint.is_some() || seen.is_some_and(Seen::has_type) {
                self.name_is_taken(source_name, other);
            }
            return None;
        }
        if hint.is_none() && !seen.is_some_and(Seen::has_type) {
            return None;
        }
        let reserved = if hint.is_some() { 0 } else { self.reserved };
        if self.columns + reserved >= MAX_COLUMNS {
            let column = self.at(source_name, |this| this.path.join("."));
            self.over.get_or_insert(column);
            return None;
        }
        let (columns, deep) = (self.columns, self.deep.len());
        self.columns += 1;
        let Some(data_type) = self.at(source_name, |this| this.data_type(seen, hint)) else {
            self.columns = columns;
            if self.deep.len() > deep {
                // All that is below was too deep: this is what is left out.
                self.deep.truncate(deep);
                let column = self.at(source_name, |this| this.path.join("."));
                self.deep.push(column);
            }
            return None;
        };
        if hint.is_some() && self.path.is_empty() {
            self.reserved = self.reserved.saturating_sub(1);
        }
        take(taken, [&name, source_name], &name);
        Some(Field { name, source_name: source_name.to_owned(), data_type })
    }

    /// The type of a column that was not there; none if it cannot be told yet.
    fn data_type(&mut self, seen: Option<&Seen>, hint: Option<&Hint>) -> Option<Type> {
        match hint {
            Some(Hint::Scalar(data_type)) => return Some(data_type.clone()),
            Some(Hint::Struct(hints)) => {
                let fields = self.fields(seen.map(|seen| &seen.fields), hints, &[]);
                return (!fields.is_empty()).then_some(Type::Struct(fields));
            }
            Some(Hint::List(hint)) => {
                let element = seen.and_then(|seen| seen.element.as_deref());
                let element = self.at_element(|this| this.data_type(element, Some(hint)))?;
                return Some(Type::List(Box::new(element)));
            }
            None => {}
        }
        let seen = seen.filter(|seen| seen.has_type())?;
        if self.path.len() > MAX_COLUMN_NESTING {
            self.deep.push(self.path.join("."));
            return None;
        }
        let kinds = seen.kinds.without(Kinds::NULL);
        if kinds == Kinds::OBJECT {
            let fields = self.fields(Some(&seen.fields), &[], &[]);
            (!fields.is_empty()).then_some(Type::Struct(fields))
        } else if kinds == Kinds::ARRAY {
            let element = self.at_element(|this| this.data_type(seen.element.as_deref(), None))?;
            Some(Type::List(Box::new(element)))
        } else {
            Some(self.scalar(kinds, seen))
        }
    }

    /// The type for kinds of which some are neither objects nor arrays, or for both of these.
    fn scalar(&mut self, kinds: Kinds, seen: &Seen) -> Type {
        let numbers = Kinds::LONG.or(Kinds::BIG).or(Kinds::DOUBLE);
        match kinds {
            Kinds::BOOLEAN => Type::Boolean,
            Kinds::LONG => Type::Long,
            Kinds::DATE => Type::Date,
            Kinds::TIMESTAMP => Type::Timestamp,
            Kinds::TEXT => Type::String,
            kinds if kinds.has(Kinds::DOUBLE) && kinds.without(numbers).is_empty() => {
                if seen.inexact {
                    let column = self.path.join(".");
                    let reason =
                        "holds reals, and integers that no double is equal to: it becomes a double column, and those \
                                  integers are rescued"
                            .to_owned();
                    let hint = hints::setting(&format!("{column} string"));
                    self.conflicts.push(Conflict {
                        column,
                        reason,
                        remedy: format!("{hint} keeps all of them, as text, in a new table"),
                    });
                }
                Type::Double
            }
            kinds => {
                let reason = if kinds.without(Kinds::LONG.or(Kinds::BIG)).is_empty() {
                    "holds integers beyond 64 bits, which would lose digits: it becomes a string column".to_owned()
                } else {
                    format!("holds {}: it becomes a string column", seen.in_words())
                };
                self.conflict(&reason, likely_type(kinds));
                Type::String
            }
        }
    }

    /// An old type with the nested fields that are new.
    fn extend(&mut self, old: &Type, seen: Option<&Seen>, hint: Option<&Hint>) -> Type {
        match (old, hint) {
            (Type::Struct(fields), None | Some(Hint::Struct(_))) => {
                let hints = if let Some(Hint::Struct(hints)) = hint { &hints[..] } else { &[] };
                Type::Struct(self.fields(seen.map(|seen| &seen.fields), hints, fields))
            }
            (Type::List(element), None | Some(Hint::List(_))) => {
                let hint = if let Some(Hint::List(hint)) = hint { Some(&**hint) } else { None };
                let seen = seen.and_then(|seen| seen.element.as_deref());
                Type::List(Box::new(self.at_element(|this| this.extend(element, seen, hint))))
            }
            (old, Some(Hint::Scalar(hinted))) if old == hinted => old.clone(),
            (old, Some(hint)) => {
                let reason = format!(
                    "is a {} column of the table, and schema_hints says {}: a column's type never changes",
                    hints::type_word(old),
                    hint.in_words()
                );
                let column = self.path.join(".");
                let remedy = format!("take `{column}` out of schema_hints, or ingest into a new table");
                self.conflicts.push(Conflict { column, reason, remedy });
                // As if it were not there: what is new within the column comes all the same.
                self.extend(old, seen, None)
            }
            (old, None) => old.clone(),
        }
    }

    fn conflict(&mut self, reason: &str, hint: &str) {
        let column = self.path.join(".");
        let as_text = hints::setting(&format!("{column} string"));
        let remedy = if hint == "string" {
            format!("{as_text} accepts that")
        } else {
            let meant = hints::setting(&format!("{column} {hint}"));
            format!(
                "{meant}, in a new table (what does not fit is kept in `{}`), or {as_text} to accept that",
                names::RESCUED_DATA
            )
        };
        self.conflicts.push(Conflict { column, reason: reason.to_owned(), remedy });
    }

    fn name_is_taken(&mut self, source_name: &str, other: &str) {
        let column = self.at(source_name, |this| this.path.join("."));
        let kept = format!("its values are kept in `{}`", names::RESCUED_DATA);
        let (reason, remedy) = if self.path.is_empty() && names::ROW_COLUMNS.contains(&other) {
            (format!("has the name of the column {other}, which every table has: {kept}"), "rename it at the source")
        } else {
            let other = self.at(other, |this| this.path.join("."));
            let reason = if other == column {
                format!(
                    "another field has the column {other}, as its own name has characters that no column's name can have: {kept}"
                )
            } else {
                format!(
                    "has the name of the column {other}, but for case or characters that no column's name can have: {kept}"
                )
            };
            (reason, "rename one of them at the source")
        };
        self.conflicts.push(Conflict { column, reason, remedy: remedy.to_owned() });
    }

    /// What exceeded a limit, each limit once.
    fn limits(&mut self, observed: &Observed) {
        let kept = format!("values are kept in `{}`", names::RESCUED_DATA);
        if let Some(column) = self.over.take() {
            let reason = format!("{}: this one and all further ones are left out, their {kept}", OverLimit::Columns);
            let remedy = match column.rsplit_once('.') {
                Some((parent, _)) => {
                    format!("{} keeps it whole as JSON, in a new table", hints::setting(&format!("{parent} string")))
                }
                None => format!("read them from `{}`", names::RESCUED_DATA),
            };
            self.conflicts.push(Conflict { column, reason, remedy });
        }
        if let Some(column) = self.deep.first() {
            let count = self.deep.len();
            let more = if count == 1 { String::new() } else { format!(", and so are those of {} more", count - 1) };
            let reason = format!("{}: this one would, and its {kept}{more}", OverLimit::ColumnNesting);
            let hint = hints::setting(&format!("{column} string"));
            let remedy = format!("{hint} keeps it whole as JSON, where the table has no such column yet");
            self.conflicts.push(Conflict { column: column.clone(), reason, remedy });
        }
        if let Some((name, separator)) = &observed.room.joined_header {
            let seems = if *separator == '\t' { "a tab".to_owned() } else { format!("`{separator}`") };
            let reason = format!(
                "looks like several names of a CSV header: the separator seems to be {seems}, and only commas separate fields, so all \
                 of it is one name"
            );
            let remedy = "only files with commas are read now: have the file written with commas".to_owned();
            self.conflicts.push(Conflict { column: hints::quoted(name), reason, remedy });
        }
        if let Some(name) = &observed.room.crowded_out {
            let reason = format!(
                "more than {MAX_OBSERVED_FIELDS} different fields were seen: this one and all further ones are left out, \
                 their {kept}"
            );
            let remedy =
                "are names used as values? Hint their parent as string (schema_hints = \"parent string\")".to_owned();
            self.conflicts.push(Conflict { column: hints::quoted(name), reason, remedy });
        }
        if let Some((start, found)) = &observed.room.too_long {
            let reason = format!("{}: its {kept}", OverLimit::ColumnNameBytes { found: *found });
            let remedy = "shorten the name at the source".to_owned();
            self.conflicts.push(Conflict { column: format!("{start}..."), reason, remedy });
        }
    }

    /// Does something one level down.
    fn at<T>(&mut self, name: &str, what: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(hints::quoted(name));
        let done = what(self);
        self.path.pop();
        done
    }

    fn at_element<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(hints::ELEMENT.to_owned());
        let done = what(self);
        self.path.pop();
        done
    }
}

/// The type that a column of several kinds was likely meant to have: what is there beside text.
fn likely_type(kinds: Kinds) -> &'static str {
    let kinds = kinds.without(Kinds::TEXT);
    match kinds {
        Kinds::BOOLEAN => "boolean",
        Kinds::LONG => "bigint",
        Kinds::DATE => "date",
        kinds if kinds.has(Kinds::DOUBLE) && kinds.without(Kinds::LONG.or(Kinds::BIG).or(Kinds::DOUBLE)).is_empty() => {
            "double"
        }
        kinds if kinds.without(Kinds::DATE.or(Kinds::TIMESTAMP)).is_empty() => "timestamp",
        _ => "string",
    }
}
