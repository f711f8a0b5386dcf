//! What is wrong with the columns that rows are to be ordered by, in words: what there is to choose from is said once.

use arrow_schema::{Field, Schema};
use decode::hints::{quoted, setting};
use decode::names::ROW_COLUMNS;
use decode::schema::type_name;
use decode::suggest::did_you_mean;

use super::{cells, is_binary};

/// What a column is named as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// One of the cluster key's.
    ClusterKey,
    /// A partition column.
    Partition,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::ClusterKey => "cluster key",
            Self::Partition => "partition column",
        }
    }

    fn takes(self, field: &Field) -> bool {
        let data_type = field.data_type();
        let has_form =
            !data_type.is_floating() && !is_binary(data_type) && !ROW_COLUMNS.contains(&field.name().as_str());
        cells::has_order(data_type) && (self == Self::ClusterKey || has_form)
    }
}

/// One thing that is wrong.
pub(super) struct Fault {
    text: String,
    /// Whether another column of the table is to be named, and which ones can be.
    chooses: Option<Role>,
    /// The column as hints write it, where a hint would bring it.
    hint: Option<String>,
}

impl Fault {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), chooses: None, hint: None }
    }
}

/// The faults in words: behind the last of its kind that asks for it what the table has, and the hints of all that hints would bring.
pub(super) fn told(faults: Vec<Fault>, schema: &Schema) -> Result<(), Vec<String>> {
    if faults.is_empty() {
        return Ok(());
    }
    let hints: Vec<String> =
        faults.iter().filter_map(|fault| fault.hint.as_ref()).map(|name| format!("{name} string")).collect();
    let last_of = |role| faults.iter().rposition(|fault| fault.chooses == Some(role)).map(|at| (at, role));
    let choosing = [Role::ClusterKey, Role::Partition].map(last_of);
    let hinted = faults.iter().rposition(|fault| fault.hint.is_some());
    let mut texts: Vec<String> = faults.into_iter().map(|fault| fault.text).collect();
    for (at, role) in choosing.into_iter().flatten() {
        if let Some(text) = texts.get_mut(at) {
            *text += &format!(" (it has {})", columns_for(role, schema));
        }
    }
    if let Some(text) = hinted.and_then(|at| texts.get_mut(at)) {
        let given = match hints.len() {
            1 => "one that comes with later files is given its type",
            _ => "those that come with later files are given their types",
        };
        *text += &format!("; {given}: {}", setting(&hints.join(", ")));
    }
    Err(texts)
}

/// What is wrong with ordering by this column.
pub(super) fn of_key_column(role: Role, name: &str, schema: &Schema) -> Option<Fault> {
    match schema.field_with_name(name) {
        Err(_) => Some(no_such_column(role, name, schema)),
        Ok(field) if !cells::has_order(field.data_type()) => {
            let data_type = type_name(field.data_type());
            let text = format!(
                "{} {name}: values of type {data_type} have no order; name a plain column of the table",
                role.word()
            );
            Some(Fault { text, chooses: Some(role), hint: None })
        }
        Ok(_) => None,
    }
}

/// What to do about a column that the table has not: what it was likely meant to be, and what there is.
fn no_such_column(role: Role, name: &str, schema: &Schema) -> Fault {
    let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    // A field of a nested column is no column.
    let top = name.split('.').next().unwrap_or(name);
    if let Some(parent) = known.iter().find(|known| top != name && known.eq_ignore_ascii_case(top)) {
        let text = format!(
            "{} {name}: a field within the column {parent} is no column, and no table is ordered by one; name a column of the table",
            role.word()
        );
        return Fault { text, chooses: Some(role), hint: None };
    }
    let text = format!("{} {name}: the table has no such column", role.word());
    // Two columns never differ by case alone: a hint would not bring this one.
    if let Some(same) = known.iter().find(|known| known.to_lowercase() == name.to_lowercase()) {
        return Fault { text: format!("{text}, did you mean '{same}'?"), chooses: Some(role), hint: None };
    }
    // A name of a letter or two is like any other.
    let meant = if name.chars().count() > 2 { did_you_mean(name, &known) } else { String::new() };
    Fault { text: text + &meant, chooses: Some(role), hint: Some(quoted(name)) }
}

/// How many columns are named of a table.
const NAMED: usize = 20;

/// The columns that can be named as this.
fn columns_for(role: Role, schema: &Schema) -> String {
    let all: Vec<&str> =
        schema.fields().iter().filter(|field| role.takes(field)).map(|field| field.name().as_str()).collect();
    let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    format!("{}{more}", all[..all.len().min(NAMED)].join(", "))
}

pub(super) fn repeated(role: Role, names: &[String]) -> Vec<Fault> {
    let twice = names.iter().enumerate().filter(|(i, name)| names[..*i].contains(name));
    twice.map(|(_, name)| Fault::plain(format!("{} {name} is named twice", role.word()))).collect()
}
