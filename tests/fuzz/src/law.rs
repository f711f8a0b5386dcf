//! The law of fitting: what a row's columns hold and what was rescued of its record are together the record. Each value that is not
//! null is in one of the two and in one only, and none is rescued that its column can hold.

use decode::schema::{Field, Type};
use serde_json::Value;

use crate::cells::Row;
use crate::json::Json;
use crate::number::Decimal;

/// Checks the row of a JSON record.
pub fn check_json(fields: &[Field], row: &Row, record: &Json) {
    let Json::Object(members) = record else { panic!("only objects are rows: {record:?}") };
    let rescued = row.rescued.as_deref().map(|text| Json::read(text).expect("what is rescued is JSON"));
    let left = match &rescued {
        None => &[][..],
        Some(Json::Object(left)) if !left.is_empty() => left,
        other => panic!("a record's remainder is an object: {other:?}"),
    };
    check_members(fields, &row.cells, left, members);
}

/// Checks the row of a CSV record: its header's names, with its fields' texts and whether each stood in quotes.
pub fn check_csv(fields: &[Field], row: &Row, header: &[String], texts: &[(String, bool)]) {
    let rescued = row.rescued.as_deref().map(|text| Json::read(text).expect("what is rescued is JSON"));
    let left = match rescued {
        None => Vec::new(),
        Some(Json::Object(left)) if !left.is_empty() => left,
        other => panic!("a record's remainder is an object: {other:?}"),
    };
    let (mut left, mut had) = (left.into_iter(), Vec::<&str>::new());
    for (name, (text, quoted)) in header.iter().zip(texts) {
        let first = !had.contains(&name.as_str());
        had.push(name);
        if text.is_empty() && !quoted {
            continue;
        }
        let field = fields.iter().find(|field| field.source_name == *name).filter(|_| first);
        let cell = field.and_then(|field| Some((field, row.cells.get(&field.name)?)));
        let Some((field, cell)) = cell else {
            assert!(
                !field.is_some_and(|field| takes_text(&field.data_type, text)),
                "{name}: {text:?} would have fitted"
            );
            assert_eq!(left.next(), Some((name.clone(), Json::Text(text.clone()))), "{name} is rescued");
            continue;
        };
        match &field.data_type {
            Type::String => assert_eq!(cell.as_str(), Some(text.as_str()), "{name}"),
            Type::Boolean => assert_eq!(cell.to_string(), text.to_ascii_lowercase(), "{name}"),
            Type::Long | Type::Double => assert!(same_number(text, cell), "{name}: {text} became {cell}"),
            Type::Struct(_) | Type::List(_) => {
                let value = Json::read(text).expect("a struct's or list's text is JSON");
                let rest = if holds_whole(&field.data_type, cell, &value) { None } else { left.next() };
                assert!(rest.as_ref().is_none_or(|(rest, _)| rest == name), "{name}: {rest:?}");
                check(&field.data_type, cell, rest.as_ref().map(|(_, rest)| rest), &value);
            }
            data_type => assert!(holds(data_type, cell, &Json::Text(text.clone())), "{name}: {text} became {cell}"),
        }
    }
    assert_eq!(left.next(), None, "nothing else is rescued");
}

/// Checks one value against its cell and what was rescued of it.
fn check(data_type: &Type, cell: &Value, rescued: Option<&Json>, value: &Json) {
    match (data_type, value, rescued) {
        (Type::Struct(fields), Json::Object(members), rescued) if !cell.is_null() => {
            let left = match rescued {
                Some(Json::Object(left)) => left.as_slice(),
                None => &[],
                other => panic!("an object's remainder is an object: {other:?}"),
            };
            check_members(fields, cell, left, members);
        }
        (Type::List(element), Json::Array(elements), rescued) if !cell.is_null() => {
            let left = match rescued {
                Some(Json::Array(left)) => left.as_slice(),
                None => &[],
                other => panic!("an array's remainder is an array: {other:?}"),
            };
            let cells = cell.as_array().expect("a list's cell is a list");
            assert_eq!(cells.len(), elements.len());
            assert!(left.len() <= elements.len() && left.last() != Some(&Json::Null), "{left:?}");
            for (index, value) in elements.iter().enumerate() {
                let left = left.get(index).filter(|left| **left != Json::Null);
                check(element, &cells[index], left, value);
            }
        }
        (_, value, Some(rescued)) => {
            assert!(cell.is_null(), "{value:?} is in the column and rescued");
            assert_eq!(rescued, value);
            assert!(!takes(data_type, value), "{value:?} would have fitted a {data_type}");
        }
        (_, value, None) => assert!(holds(data_type, cell, value), "{value:?} is not in the column: {cell}"),
    }
}

/// Checks an object's members in order: each is null, in its column, or the next one rescued.
fn check_members(fields: &[Field], cells: &Value, rescued: &[(String, Json)], members: &[(String, Json)]) {
    let (mut rescued, mut had) = (rescued.iter(), Vec::<&str>::new());
    for (name, value) in members {
        let field = fields.iter().find(|field| field.source_name == *name).filter(|_| !had.contains(&name.as_str()));
        had.push(name);
        match field {
            Some(field) => {
                let cell = cells.get(&field.name).unwrap_or(&Value::Null);
                let left = if holds_whole(&field.data_type, cell, value) { None } else { rescued.next() };
                assert!(left.is_none_or(|(left, _)| left == name), "{name}: {left:?}");
                check(&field.data_type, cell, left.map(|(_, left)| left), value);
            }
            None if *value == Json::Null => {}
            None => assert_eq!(rescued.next(), Some(&(name.clone(), value.clone())), "{name} has no column"),
        }
    }
    assert_eq!(rescued.next(), None, "nothing else is rescued");
    let cells = cells.as_object().expect("columns");
    for field in fields.iter().filter(|field| cells.contains_key(&field.name)) {
        assert!(had.contains(&field.source_name.as_str()), "{} came from nowhere", field.name);
    }
}

/// Whether a cell holds a value with all that it holds, so that nothing of it is rescued.
fn holds_whole(data_type: &Type, cell: &Value, value: &Json) -> bool {
    match (data_type, value) {
        (_, Json::Null) => true,
        _ if cell.is_null() => false,
        (Type::Struct(fields), Json::Object(members)) => {
            let mut had: Vec<&str> = Vec::new();
            members.iter().all(|(name, value)| {
                let twin = had.contains(&name.as_str());
                had.push(name);
                let field = fields.iter().find(|field| field.source_name == *name).filter(|_| !twin);
                *value == Json::Null
                    || field.is_some_and(|field| {
                        let cell = cell.get(&field.name).unwrap_or(&Value::Null);
                        holds_whole(&field.data_type, cell, value)
                    })
            })
        }
        (Type::List(element), Json::Array(values)) => {
            let cells = cell.as_array().expect("a list's cell is a list");
            values.iter().zip(cells).all(|(value, cell)| holds_whole(element, cell, value))
        }
        _ => holds(data_type, cell, value),
    }
}

/// Whether a column's cell is a value that holds no others; `cell` is null where the column is.
fn holds(data_type: &Type, cell: &Value, value: &Json) -> bool {
    match (data_type, value) {
        (_, Json::Null) => cell.is_null(),
        (_, _) if cell.is_null() => false,
        (Type::Boolean, Json::Boolean(value)) => *cell == Value::Bool(*value),
        (Type::Long | Type::Double, Json::Number(text)) => same_number(text, cell),
        (Type::String, Json::Text(text)) => cell.as_str() == Some(text),
        (Type::String, other) => cell.as_str().and_then(Json::read).is_some_and(|cell| cell == *other),
        (Type::Date, Json::Text(text)) => {
            let day = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(cell.as_i64().expect("days"));
            format!("{day}") == *text
        }
        (Type::Timestamp, Json::Text(text)) => {
            // The other reader stops a day before the last year ends, and at nine digits of a fraction.
            let digits =
                text.split_once('.').map_or(0, |(_, part)| part.bytes().take_while(u8::is_ascii_digit).count());
            let told = text.parse::<jiff::Timestamp>().map(|moment| moment.as_microsecond());
            let beyond = text.starts_with("9999-12-3") || digits > 9;
            told.map_or(beyond, |told| cell.as_i64() == Some(told))
        }
        _ => false,
    }
}

/// Whether a column can hold a value without loss. Of days and moments nothing is claimed: which spellings are taken is decode's choice.
fn takes(data_type: &Type, value: &Json) -> bool {
    match (data_type, value) {
        (Type::Boolean, Json::Boolean(_)) | (Type::String, _) => true,
        (Type::Struct(_), Json::Object(_)) | (Type::List(_), Json::Array(_)) => true,
        (Type::Long, Json::Number(text)) => Decimal::read(text).long().is_some(),
        (Type::Double, Json::Number(text)) => takes_double(text),
        _ => false,
    }
}

/// Whether a column can hold the text of a CSV field.
fn takes_text(data_type: &Type, text: &str) -> bool {
    match data_type {
        Type::String => true,
        Type::Boolean => text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"),
        // The only integer that is not printed as it is written.
        Type::Long => text != "-0" && is_number(text) && Decimal::read(text).long().is_some(),
        Type::Double => is_number(text) && takes_double(text),
        _ => false,
    }
}

fn is_number(text: &str) -> bool {
    text.trim() == text && matches!(Json::read(text), Some(Json::Number(_)))
}

fn takes_double(text: &str) -> bool {
    let nearest = text.parse::<f64>().ok().filter(|value| value.is_finite());
    let is_integer = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    nearest.is_some_and(|value| !is_integer || Decimal::read(text).is_double(value))
}

/// Whether a cell is the number: an integer exactly, a real in a double column as the nearest one.
fn same_number(text: &str, cell: &Value) -> bool {
    let is_integer = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    match (cell.as_i64(), cell.as_f64()) {
        (Some(long), _) => Decimal::read(text).long() == Some(long),
        (None, Some(double)) if is_integer => Decimal::read(text).is_double(double),
        (None, Some(double)) => text.parse() == Ok(double),
        _ => false,
    }
}
