//! What is wrong with the columns that rows are to be ordered by, in words: what there is to choose from is said once.

use arrow_schema::Schema;
use decode::hints::{quoted, setting};
use decode::schema::type_name;
use decode::suggest::did_you_mean;

use super::cells;

/// One thing that is wrong.
pub(super) struct Fault {
    text: String,
    /// Whether another column of the table is to be named.
    chooses: bool,
    /// The column as hints write it, where a hint would bring it.
    hint: Option<String>,
}

impl Fault {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), chooses: false, hint: None }
    }
}

/// The faults in words: behind the last that asks for it what the table has, and the hints of all that hints would bring.
pub(super) fn told(faults: Vec<Fault>, schema: &Schema) -> Result<(), Vec<String>> {
    if faults.is_empty() {
        return Ok(());
    }
    let hints: Vec<String> =
        faults.iter().filter_map(|fault| fault.hint.as_ref()).map(|name| format!("{name} string")).collect();
    let choosing = faults.iter().rposition(|fault| fault.chooses);
    let hinted = faults.iter().rposition(|fault| fault.hint.is_some());
    let mut texts: Vec<String> = faults.into_iter().map(|fault| fault.text).collect();
    if let Some(text) = choosing.and_then(|at| texts.get_mut(at)) {
        *text += &format!(" (it has {})", key_columns(schema));
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
pub(super) fn of_key_column(role: &str, name: &str, schema: &Schema) -> Option<Fault> {
    match schema.field_with_name(name) {
        Err(_) => Some(no_such_column(role, name, schema)),
        Ok(field) if !cells::has_order(field.data_type()) => {
            let data_type = type_name(field.data_type());
            let text =
                format!("{role} {name}: values of type {data_type} have no order; name a plain column of the table");
            Some(Fault { text, chooses: true, hint: None })
        }
        Ok(_) => None,
    }
}

/// What to do about a column that the table has not: what it was likely meant to be, and what there is.
fn no_such_column(role: &str, name: &str, schema: &Schema) -> Fault {
    let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    // A field of a nested column is no column.
    let top = name.split('.').next().unwrap_or(name);
    if let Some(parent) = known.iter().find(|known| top != name && known.eq_ignore_ascii_case(top)) {
        let text = format!(
            "{role} {name}: a field within the column {parent} is no column, and no table is ordered by one; name a column of the table"
        );
        return Fault { text, chooses: true, hint: None };
    }
    let text = format!("{role} {name}: the table has no such column");
    // Two columns never differ by case alone: a hint would not bring this one.
    if let Some(same) = known.iter().find(|known| known.to_lowercase() == name.to_lowercase()) {
        return Fault { text: format!("{text}, did you mean '{same}'?"), chooses: true, hint: None };
    }
    // A name of a letter or two is like any other.
    let meant = if name.chars().count() > 2 { did_you_mean(name, &known) } else { String::new() };
    Fault { text: text + &meant, chooses: true, hint: Some(quoted(name)) }
}

/// How many columns are named of a table.
const NAMED: usize = 20;

/// The columns that rows can be ordered by.
fn key_columns(schema: &Schema) -> String {
    let all: Vec<&str> = schema
        .fields()
        .iter()
        .filter(|field| cells::has_order(field.data_type()))
        .map(|field| field.name().as_str())
        .collect();
    let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    format!("{}{more}", all[..all.len().min(NAMED)].join(", "))
}

pub(super) fn repeated(role: &str, names: &[String]) -> Vec<Fault> {
    let twice = names.iter().enumerate().filter(|(i, name)| names[..*i].contains(name));
    twice.map(|(_, name)| Fault::plain(format!("{role} {name} is named twice"))).collect()
}
