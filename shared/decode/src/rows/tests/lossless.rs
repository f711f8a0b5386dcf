//! The law of fitting: a row's columns and its rescued data together are the record, whatever the record and the schema.
//! Every value that is not null is in one of them, and in one only.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::calendar;
use crate::json::{self as strict, Node, unescape_onto};
use crate::schema::Field;

/// JSON with its members in order, twins kept, numbers as they are written.
#[derive(Clone, Debug, PartialEq)]
enum Json {
    Null,
    Boolean(bool),
    Number(String),
    Text(String),
    Object(Vec<(String, Json)>),
    Array(Vec<Json>),
}

impl Json {
    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Boolean(value) => out.push_str(&value.to_string()),
            Self::Number(text) => out.push_str(text),
            Self::Text(text) => write_text(text, out),
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    out.push_str(if index == 0 { " " } else { ", " });
                    write_text(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
            Self::Array(elements) => {
                out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { " , " });
                    element.write(out);
                }
                out.push(']');
            }
        }
    }

    fn without_twins(self) -> Self {
        match self {
            Self::Object(members) => {
                let mut kept: Vec<(String, Self)> = Vec::new();
                for (name, value) in members {
                    if !kept.iter().any(|(before, _)| *before == name) {
                        kept.push((name, value.without_twins()));
                    }
                }
                Self::Object(kept)
            }
            Self::Array(elements) => Self::Array(elements.into_iter().map(Self::without_twins).collect()),
            other => other,
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn read(text: &str) -> Self {
        let mut tape = Tape::new();
        tape.parse(text).unwrap();
        Self::from_node(text, tape.nodes(), &mut 0)
    }

    fn from_node(text: &str, nodes: &[Node], at: &mut usize) -> Self {
        let node = nodes[*at];
        *at += 1;
        match node.kind {
            Kind::Null => Self::Null,
            Kind::True | Kind::False => Self::Boolean(node.kind == Kind::True),
            Kind::Integer | Kind::Real => Self::Number(node.inner(text).to_owned()),
            Kind::Plain => Self::Text(node.inner(text).to_owned()),
            Kind::Escaped => {
                let mut out = Vec::new();
                unescape_onto(node.inner(text), &mut out);
                Self::Text(String::from_utf8(out).unwrap())
            }
            Kind::Object => {
                let mut members = Vec::new();
                while *at < node.next as usize {
                    let Self::Text(name) = Self::from_node(text, nodes, at) else { panic!("a name is text") };
                    members.push((name, Self::from_node(text, nodes, at)));
                }
                Self::Object(members)
            }
            Kind::Array => {
                let mut elements = Vec::new();
                while *at < node.next as usize {
                    elements.push(Self::from_node(text, nodes, at));
                }
                Self::Array(elements)
            }
        }
    }
}

/// Every third character as an escape, so that escaped names and values are as usual as plain ones.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for (index, c) in text.chars().enumerate() {
        match (index % 3, u16::try_from(c as u32)) {
            (2, Ok(unit)) => out.push_str(&format!("\\u{unit:04x}")),
            _ => {
                let quoted = serde_json::to_string(&c).unwrap();
                out.push_str(&quoted[1..quoted.len() - 1]);
            }
        }
    }
    out.push('"');
}

/// Whether a column's cell holds a value whole. `cell` is null where the column is.
fn holds(data_type: &Type, cell: &Value, value: &Json) -> bool {
    match (data_type, value) {
        (_, Json::Null) => cell.is_null(),
        (_, _) if cell.is_null() => false,
        (Type::Boolean, Json::Boolean(value)) => *cell == json!(value),
        (Type::Long | Type::Double, Json::Number(text)) => same_number(text, cell),
        (Type::String, Json::Text(text)) => *cell == json!(text),
        (Type::String, other) => cell.as_str().is_some_and(|cell| Json::read(cell) == *other),
        (Type::Date, Json::Text(text)) => calendar::date(text).is_some_and(|day| *cell == json!(day)),
        (Type::Timestamp, Json::Text(text)) => calendar::timestamp(text).is_some_and(|moment| *cell == json!(moment)),
        _ => false,
    }
}

/// Whether a cell is the number: an integer exactly, a real in a double column as the nearest one.
fn same_number(text: &str, cell: &Value) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    match (cell.as_i64(), cell.as_f64()) {
        (Some(long), _) if plain => text.parse::<i128>().unwrap() == i128::from(long),
        (Some(long), _) => {
            let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
            let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
            let whole = whole.parse::<i128>().unwrap() * 10i128.pow(exponent.parse().unwrap());
            part.parse() == Ok(0) && whole == i128::from(long)
        }
        (None, Some(double)) if plain => {
            text.parse::<i128>().is_ok_and(|whole| whole as f64 == double && double as i128 == whole)
        }
        (None, Some(double)) => text.parse::<f64>().unwrap() == double,
        _ => false,
    }
}

/// Checks one value against its cell and what was rescued of it, if anything was.
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
            let cells = cell.as_array().unwrap();
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
        }
        (_, value, None) => assert!(holds(data_type, cell, value), "{value:?} is not in the column: {cell}"),
    }
}

/// Checks an object's members in order: each is null, in its column, or the next one rescued.
fn check_members(fields: &[Field], cells: &Value, rescued: &[(String, Json)], members: &[(String, Json)]) {
    let mut rescued = rescued.iter().peekable();
    let mut had: Vec<&str> = Vec::new();
    for (name, value) in members {
        let field = fields.iter().find(|field| field.source_name == *name).filter(|_| !had.contains(&name.as_str()));
        had.push(name);
        match field {
            Some(field) => {
                let cell = cells.get(&field.name).unwrap_or(&Value::Null);
                let whole =
                    matches!(value, Json::Null) || (!cell.is_null() && fits_whole(&field.data_type, cell, value));
                let left = if whole { None } else { rescued.next() };
                assert!(left.is_none_or(|(left, _)| left == name), "{name}: {left:?}");
                check(&field.data_type, cell, left.map(|(_, left)| left), value);
            }
            None if *value == Json::Null => {}
            None => assert_eq!(rescued.next(), Some(&(name.clone(), value.clone()))),
        }
    }
    assert_eq!(rescued.next(), None, "nothing else is rescued");
    let cells = cells.as_object().unwrap();
    for field in fields.iter().filter(|field| cells.contains_key(&field.name)) {
        assert!(had.contains(&field.source_name.as_str()), "{} came from nowhere", field.name);
    }
}

/// Whether a cell holds a value with all that it holds.
fn fits_whole(data_type: &Type, cell: &Value, value: &Json) -> bool {
    match (data_type, value) {
        (Type::Struct(fields), Json::Object(members)) => {
            let mut had: Vec<&str> = Vec::new();
            members.iter().all(|(name, value)| {
                let twin = had.contains(&name.as_str());
                had.push(name);
                let field = fields.iter().find(|field| field.source_name == *name).filter(|_| !twin);
                *value == Json::Null
                    || field.is_some_and(|field| {
                        let cell = cell.get(&field.name).unwrap_or(&Value::Null);
                        !cell.is_null() && fits_whole(&field.data_type, cell, value)
                    })
            })
        }
        (Type::List(element), Json::Array(values)) => {
            values.iter().zip(cell.as_array().unwrap()).all(|(value, cell)| match value {
                Json::Null => true,
                value => !cell.is_null() && fits_whole(element, cell, value),
            })
        }
        _ => holds(data_type, cell, value),
    }
}

fn any_name() -> impl Strategy<Value = String> {
    "[a-dA ]{1,2}|ö|_source_row"
}

fn any_leaf() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Boolean),
        any::<i64>().prop_map(|value| Json::Number(value.to_string())),
        (-99i32..99, 0u8..30).prop_map(|(value, exponent)| Json::Number(format!("{value}e{exponent}"))),
        (-99i32..99, 0u8..99).prop_map(|(whole, part)| Json::Number(format!("{whole}.{part}"))),
        prop::sample::select(vec![
            "1e999",
            "-0",
            "-0.0",
            "9223372036854775808",
            "9007199254740993",
            "100000000000000000000"
        ])
        .prop_map(|text| Json::Number(text.to_owned())),
        prop::sample::select(vec![
            "1970-01-01",
            "2026-02-30",
            "1970-01-01T00:00:00.5+01:00",
            "1970-01-01 00:00:00",
            "12",
            ""
        ])
        .prop_map(|text| Json::Text(text.to_owned())),
        ".{0,9}".prop_map(Json::Text),
    ]
}

fn any_object() -> impl Strategy<Value = Json> {
    let value = any_leaf().prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
            prop::collection::vec((any_name(), inner), 0..5).prop_map(Json::Object),
        ]
    });
    prop::collection::vec((any_name(), value), 0..7).prop_map(Json::Object)
}

fn any_type() -> impl Strategy<Value = Type> {
    let scalar =
        prop::sample::select(vec![Type::Boolean, Type::Long, Type::Double, Type::String, Type::Date, Type::Timestamp]);
    scalar.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            inner.clone().prop_map(|element| Type::List(Box::new(element))),
            any_fields(inner).prop_map(Type::Struct),
        ]
    })
}

/// Fields whose names do not collide.
fn any_fields(data_type: impl Strategy<Value = Type>) -> impl Strategy<Value = Vec<Field>> {
    prop::collection::btree_map("[a-d]{1,2}|ö", data_type, 1..5)
        .prop_map(|fields| fields.into_iter().map(|(name, data_type)| Field::new(name, data_type)).collect())
}

fn check_rows(schema: &TableSchema, records: &[Json], batch: &RecordBatch) {
    let found = read(batch);
    assert_eq!(found.len(), records.len());
    for ((cells, rescued), record) in found.iter().zip(records) {
        let Json::Object(members) = record else { panic!("{record:?}") };
        let left = rescued.as_deref().map(Json::read);
        let left = match &left {
            None => &[][..],
            Some(Json::Object(left)) if !left.is_empty() => left,
            other => panic!("{other:?}"),
        };
        check_members(&schema.fields, cells, left, members);
    }
}

/// The schema that these records show.
fn learned(records: &[Json]) -> TableSchema {
    let mut observed = Observed::new();
    let mut tape = Tape::new();
    for record in records {
        let text = record.text();
        tape.parse(&text).unwrap();
        observed.observe_json(&text, &tape);
    }
    observed.resolve(&Hints::default(), None).schema
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_is_lost_under_any_schema(fields in any_fields(any_type()), records in prop::collection::vec(any_object(), 1..5)) {
        let schema = Arc::new(TableSchema { fields });
        let mut rows = Rows::new(schema.clone());
        records.iter().for_each(|record| rows.append_json(&record.text()).unwrap());
        check_rows(&schema, &records, &rows.finish());
    }

    #[test]
    fn nothing_is_lost_while_the_schema_grows(records in prop::collection::vec(any_object(), 1..8), cut in any::<Index>()) {
        let (first, rest) = records.split_at(cut.index(records.len()));
        let mut rows = Rows::new(Arc::new(learned(first)));
        for record in rest {
            rows.append_json(&record.text()).unwrap();
            check_rows(&rows.schema().clone(), std::slice::from_ref(record), &rows.finish());
            if let Some(unknown) = rows.unknown() {
                let schema = unknown.resolve(&Hints::default(), Some(rows.schema())).schema;
                rows.evolve(Arc::new(schema)).unwrap();
                rows.refuse_unknown();
            }
            prop_assert!(rows.unknown().is_none());
            rows.append_json(&record.text()).unwrap();
            // Of twins the first may be null before there is a column, and the second be told of after that.
            prop_assert!(rows.unknown().is_none() || record.clone().without_twins() != *record, "{:?}", rows.unknown());
            check_rows(&rows.schema().clone(), std::slice::from_ref(record), &rows.finish());
        }
    }

    /// A schema has all the columns that its own records can fill.
    #[test]
    fn a_learned_schema_lacks_nothing(records in prop::collection::vec(any_object(), 1..4)) {
        let records: Vec<_> = records.into_iter().map(Json::without_twins).collect();
        let mut rows = Rows::new(Arc::new(learned(&records)));
        records.iter().for_each(|record| rows.append_json(&record.text()).unwrap());
        prop_assert!(rows.unknown().is_none(), "{:?}", rows.unknown());
    }

    #[test]
    fn csv_text_is_in_its_column_or_rescued(fields in any_fields(any_type()), texts in prop::collection::vec((any_name(), prop_oneof![any_leaf(), any_object()], any::<bool>()), 1..8)) {
        let schema = Arc::new(TableSchema { fields });
        let header: Vec<_> = texts.iter().map(|(name, _, _)| name.clone()).collect();
        let texts: Vec<_> = texts.into_iter().map(|(_, value, quoted)| match value {
            Json::Text(text) => (text, quoted),
            other => (other.text(), quoted),
        }).collect();
        let fields: Vec<_> = texts.iter().map(|(text, quoted)| CsvField { text, quoted: *quoted }).collect();
        let mut rows = Rows::new(schema.clone());
        rows.set_csv_header(&header);
        rows.append_csv(&fields).unwrap();
        let found = read(&rows.finish());
        let left = found[0].1.as_deref().map_or(Json::Object(Vec::new()), Json::read);
        let Json::Object(left) = left else { panic!("{left:?}") };
        let mut left = left.into_iter().peekable();
        let mut had: Vec<&str> = Vec::new();
        for (name, field) in header.iter().zip(&fields) {
            let column = schema.fields.iter().find(|column| column.source_name == *name).filter(|_| !had.contains(&name.as_str()));
            had.push(name);
            if field.text.is_empty() && !field.quoted {
                continue;
            }
            let whole = Json::Text(field.text.to_owned());
            let cell = column.and_then(|column| found[0].0.get(&column.name));
            match (column, cell) {
                (Some(column), Some(cell)) => match &column.data_type {
                    Type::String => prop_assert_eq!(cell.as_str(), Some(field.text)),
                    Type::Struct(_) | Type::List(_) => {
                        let value = Json::read(field.text);
                        let rest = if fits_whole(&column.data_type, cell, &value) { None } else { left.next() };
                        check(&column.data_type, cell, rest.as_ref().map(|(_, rest)| rest), &value);
                    }
                    Type::Boolean => prop_assert_eq!(cell.to_string(), field.text.to_lowercase()),
                    Type::Long | Type::Double => prop_assert!(same_number(field.text, cell)),
                    data_type => prop_assert!(holds(data_type, cell, &whole)),
                },
                _ => prop_assert_eq!(left.next(), Some((name.clone(), whole))),
            }
        }
        prop_assert_eq!(left.next(), None);
    }

    #[test]
    fn any_bytes_are_a_row_or_a_fault(fields in any_fields(any_type()), record in any_object(), cut in any::<Index>(), byte in any::<char>()) {
        let mut text = record.text();
        let at = (0..=cut.index(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        text.insert(at, byte);
        let mut rows = Rows::new(Arc::new(TableSchema { fields }));
        let appended = rows.append_json(&text).is_ok();
        prop_assert_eq!(appended, strict::Tape::new().parse(&text).is_ok());
        prop_assert_eq!(read(&rows.finish()).len(), usize::from(appended));
    }
}
