//! Values as JSON, and the `_rescued_data` that they join.

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, TimeUnit};
use serde_json::{Map, Value};

use crate::text::{date_text, timestamp_text};

/// The name of a nested field, given its position on each level.
pub(crate) type Names<'a> = dyn Fn(&[usize]) -> Option<String> + 'a;

/// A value as the JSON that would have been read for it; `names` gives the source's names of nested fields.
pub(crate) fn json_value(column: &ArrayRef, row: usize, names: &Names<'_>) -> Value {
    value_at(column, row, &mut Vec::new(), names)
}

fn value_at(column: &ArrayRef, row: usize, path: &mut Vec<usize>, names: &Names<'_>) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => Value::from(column.as_boolean().value(row)),
        DataType::Int8 => Value::from(column.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => Value::from(column.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => Value::from(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => Value::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Value::from(column.as_primitive::<UInt8Type>().value(row)),
        DataType::UInt16 => Value::from(column.as_primitive::<UInt16Type>().value(row)),
        DataType::UInt32 => Value::from(column.as_primitive::<UInt32Type>().value(row)),
        DataType::UInt64 => Value::from(column.as_primitive::<UInt64Type>().value(row)),
        DataType::Float32 => real(column.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => real(column.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => date_text(column.as_primitive::<Date32Type>().value(row).into())
            .map_or_else(|| shown(column, row), Value::from),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            let moment = column.as_primitive::<TimestampMicrosecondType>().value(row);
            let digits = if moment % 1_000_000 == 0 { 0 } else { 6 };
            timestamp_text(moment, 'T', digits).map_or_else(|| shown(column, row), |text| Value::from(text + "Z"))
        }
        DataType::Struct(_) => {
            let columns = column.as_struct();
            let mut members = Map::new();
            for (i, (field, child)) in columns.fields().iter().zip(columns.columns()).enumerate() {
                if child.is_valid(row) {
                    path.push(i);
                    let name = names(path).unwrap_or_else(|| field.name().clone());
                    members.insert(name, value_at(child, row, path, names));
                    path.pop();
                }
            }
            Value::Object(members)
        }
        DataType::List(_) => {
            let elements = column.as_list::<i32>().value(row);
            path.push(0);
            let values = (0..elements.len()).map(|i| value_at(&elements, i, path, names)).collect();
            path.pop();
            Value::Array(values)
        }
        _ => shown(column, row),
    }
}

/// A number that JSON has no form for stays as a text.
fn real(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| Value::from(value.to_string()), Value::Number)
}

/// Arrow's own text of a value.
fn shown(column: &ArrayRef, row: usize) -> Value {
    let text = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default()).map(|f| f.value(row).to_string());
    text.map_or_else(|_| Value::from(format!("({})", column.data_type())), Value::from)
}

/// Adds values to the objects that stand in `_rescued_data`, and counts the rows that had none there. Members of one object come together; a
/// name that has another value already stands there twice.
pub(super) fn merge_rescued(standing: &StringArray, rescued: Vec<Option<Value>>) -> (StringArray, u64) {
    let mut first = 0;
    let mut texts = StringBuilder::with_capacity(standing.len(), standing.get_array_memory_size());
    for (row, more) in rescued.into_iter().enumerate() {
        let standing = standing.is_valid(row).then(|| standing.value(row));
        match more {
            None => texts.append_option(standing),
            Some(more) => {
                first += u64::from(standing.is_none());
                texts.append_value(merged(standing, more));
            }
        }
    }
    (texts.finish(), first)
}

fn merged(standing: Option<&str>, more: Value) -> String {
    let mut all = match standing.map(serde_json::from_str::<Box<serde_json::value::RawValue>>) {
        None => return more.to_string(),
        Some(Ok(raw)) => raw_members(raw.get()),
        Some(Err(_)) => None,
    }
    // Not an object: a text that others wrote there.
    .unwrap_or_else(|| vec![("_rescued_data".to_owned(), Value::from(standing.unwrap_or_default()).to_string())]);

    let Value::Object(more) = more else { return more.to_string() };
    add_members(&mut all, more);
    object_of(&all)
}

/// Adds members. It nests no deeper than a column may.
fn add_members(all: &mut Vec<(String, String)>, more: Map<String, Value>) {
    for (name, value) in more {
        let known = all.iter_mut().find(|(other, _)| *other == name);
        match (known, value) {
            (Some((_, json)), Value::Object(more)) if let Some(mut members) = raw_members(json) => {
                add_members(&mut members, more);
                *json = object_of(&members);
            }
            (_, value) => all.push((name, value.to_string())),
        }
    }
}

fn object_of(members: &[(String, String)]) -> String {
    let member = |(name, json): &(String, String)| format!("{}:{json}", Value::from(name.as_str()));
    format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
}

/// The members of an object with their JSON as it is written, so that numbers keep every digit.
fn raw_members(json: &str) -> Option<Vec<(String, String)>> {
    struct Members(Vec<(String, String)>);
    impl<'de> serde::Deserialize<'de> for Members {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visit;
            impl<'de> serde::de::Visitor<'de> for Visit {
                type Value = Members;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                    let mut members = Vec::new();
                    while let Some((name, json)) = map.next_entry::<String, Box<serde_json::value::RawValue>>()? {
                        members.push((name, json.get().to_owned()));
                    }
                    Ok(Members(members))
                }
            }
            deserializer.deserialize_map(Visit)
        }
    }
    serde_json::from_str::<Members>(json).ok().map(|members| members.0)
}
