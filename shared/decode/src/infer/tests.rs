//! What is inferred from which records, and what is reported.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::limits::{MAX_COLUMN_NESTING, MAX_COLUMNS, MAX_NESTING, MAX_OBSERVED_FIELDS};
use crate::schema::{Field, Type};

fn observed(records: &[Value]) -> Observed {
    let mut observed = Observed::new();
    let mut tape = Tape::new();
    for record in records {
        let text = record.to_string();
        tape.parse(&text).unwrap();
        observed.observe_json(&text, &tape);
    }
    observed
}

fn observed_text(records: &[&str]) -> Observed {
    let mut observed = Observed::new();
    let mut tape = Tape::new();
    for text in records {
        tape.parse(text).unwrap();
        observed.observe_json(text, &tape);
    }
    observed
}

fn csv(header: &[&str], records: &[&[&str]]) -> Observed {
    let header: Vec<_> = header.iter().map(|name| (*name).to_owned()).collect();
    let mut observed = Observed::new();
    for record in records {
        let fields: Vec<_> = record
            .iter()
            .map(|text| match text.strip_prefix('"') {
                Some(text) => CsvField { text: text.trim_end_matches('"'), quoted: true },
                None => CsvField { text, quoted: false },
            })
            .collect();
        observed.observe_csv(&header, &fields);
    }
    observed
}

fn fresh(observed: &Observed) -> Resolved {
    observed.resolve(&Hints::default(), None)
}

fn fields(resolved: &Resolved) -> Vec<(&str, &Type)> {
    resolved.schema.fields.iter().map(|field| (field.name.as_str(), &field.data_type)).collect()
}

/// The type and the number of conflicts of one column that holds these values, written as JSON.
fn column(values: &[&str]) -> (Option<Type>, usize) {
    let records: Vec<_> = values.iter().map(|value| format!("{{\"x\":{value}}}")).collect();
    let resolved = fresh(&observed_text(&records.iter().map(String::as_str).collect::<Vec<_>>()));
    (resolved.schema.fields.first().map(|field| field.data_type.clone()), resolved.conflicts.len())
}

#[test]
fn types_of_json_values() {
    let moment = "\"2026-11-05T10:00:00Z\"";
    for (values, data_type, conflicts) in [
        (&["true", "null", "false"][..], Some(Type::Boolean), 0),
        (&["1", "-9223372036854775808"], Some(Type::Long), 0),
        (&["1", "2.5"], Some(Type::Double), 0),
        (&["1e3"], Some(Type::Double), 0),
        (&["9007199254740993", "2.5"], Some(Type::Double), 1),
        (&["1", "9223372036854775808"], Some(Type::String), 1),
        (&["9223372036854775808"], Some(Type::String), 1),
        (&["9223372036854775808", "0.5"], Some(Type::Double), 0),
        (&["9223372036854775809", "1", "0.5"], Some(Type::Double), 1),
        (&["9223372036854775808", "0.5", "true"], Some(Type::String), 1),
        (&["\"2026-11-05\""], Some(Type::Date), 0),
        (&["\"2026-11-0\\u0035\""], Some(Type::Date), 0),
        (&[moment, "null"], Some(Type::Timestamp), 0),
        (&["\"2026-11-05\"", moment], Some(Type::String), 1),
        (&["\"2026-11-05T10:00:00\""], Some(Type::String), 0),
        (&["\"12\""], Some(Type::String), 0),
        (&["\"\""], Some(Type::String), 0),
        (&["\"x\"", "1"], Some(Type::String), 1),
        (&["true", "1"], Some(Type::String), 1),
        (&["{\"a\":1}", "1"], Some(Type::String), 1),
        (&["{}", "[]"], None, 0),
        (&["{}", "[1]"], Some(Type::String), 1),
        (&["null"], None, 0),
        (&["{}"], None, 0),
        (&["[]", "[null]", "[{}]", "[[]]"], None, 0),
        (&["{\"a\":null,\"b\":{}}"], None, 0),
        (&["[1]", "[2.5,null]"], Some(Type::List(Box::new(Type::Double))), 0),
        (&["[1,\"a\"]"], Some(Type::List(Box::new(Type::String))), 1),
        (&["[[true]]"], Some(Type::List(Box::new(Type::List(Box::new(Type::Boolean))))), 0),
    ] {
        assert_eq!(column(values), (data_type, conflicts), "{values:?}");
    }
}

#[test]
fn a_name_that_is_taken_is_told_with_what_has_it() {
    for (record, column, reason, remedy) in [
        (json!({"p q": 1, "p_q": 2}), "p_q", "another field has the column p_q, as", "rename one of them"),
        (json!({"n": {"p q": 1, "p_q": 2}}), "n.p_q", "another field has the column n.p_q, as", "rename one of them"),
        (
            json!({"a": 1, "n": [{"B": 1, "b": 2}]}),
            "n.element.b",
            "of the column n.element.B, but",
            "rename one of them",
        ),
        (json!({"_Source_File": 1}), "_Source_File", "_source_file, which every table has", "rename it at"),
    ] {
        let [conflict] = &fresh(&observed(std::slice::from_ref(&record))).conflicts[..] else {
            panic!("one conflict: {record}")
        };
        assert_eq!(conflict.column, column, "{conflict:?}");
        assert!(conflict.reason.contains(reason) && conflict.remedy.starts_with(remedy), "{conflict:?}");
    }
}

#[test]
fn a_hinted_column_is_never_one_too_many() {
    let names: Vec<String> = (0..2_100).map(|n| format!("c{n}")).collect();
    let records = [vec!["1"; names.len()]];
    let records: Vec<_> = records.iter().map(Vec::as_slice).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let hints = Hints::parse("c2099 string, later date").unwrap();
    let resolved = csv(&names, &records).resolve(&hints, None);
    let has = |name: &str| resolved.schema.fields.iter().any(|field| field.name == name);
    assert_eq!(resolved.schema.fields.len(), 2_000);
    assert!(has("c2099") && has("later") && has("c1997") && !has("c1998"));
    let again = csv(&names, &records).resolve(&hints, Some(&resolved.schema));
    assert_eq!(again.schema, resolved.schema);
}

#[test]
fn types_of_csv_text() {
    for (values, data_type, conflicts) in [
        (&["1", "", "-7"][..], Some(Type::Long), 0),
        (&["1", "2.5"], Some(Type::Double), 0),
        (&["\"1\""], Some(Type::Long), 0),
        (&["TRUE", "false"], Some(Type::Boolean), 0),
        (&["007"], Some(Type::String), 0),
        (&["+1"], Some(Type::String), 0),
        (&["-0"], Some(Type::String), 0),
        (&[" 1"], Some(Type::String), 0),
        (&["1."], Some(Type::String), 0),
        (&["NaN"], Some(Type::String), 0),
        (&["1", "x"], Some(Type::String), 1),
        (&["1", "\"\""], Some(Type::String), 1),
        (&["2026-11-05"], Some(Type::Date), 0),
        (&["2026-11-05 10:00:00+0100"], Some(Type::Timestamp), 0),
        (&["2026-11-05 10:00:00"], Some(Type::String), 0),
        (&["99999999999999999999"], Some(Type::String), 1),
        (&["100000000000000000000", "1", "0.5"], Some(Type::Double), 0),
        (&[""], None, 0),
        (&["{}"], Some(Type::String), 0),
    ] {
        let records: Vec<_> = values.iter().map(std::slice::from_ref).collect();
        let resolved = fresh(&csv(&["x"], &records));
        let found = resolved.schema.fields.first().map(|field| field.data_type.clone());
        assert_eq!((found, resolved.conflicts.len()), (data_type, conflicts), "{values:?}");
    }
}

#[test]
fn nested_fields_in_order_of_first_sight() {
    let resolved = fresh(&observed_text(&[
        r#"{"b":1,"a":{"y":"t","x":[{"k":1}]}}"#,
        r#"{"c":true,"a":{"z":null,"x":[{"l":"2026-01-01","k":2}]},"d":null}"#,
    ]));
    let element = Type::Struct(vec![Field::new("k", Type::Long), Field::new("l", Type::Date)]);
    let a = Type::Struct(vec![Field::new("y", Type::String), Field::new("x", Type::List(Box::new(element)))]);
    assert_eq!(
        resolved.schema.fields,
        [Field::new("b", Type::Long), Field::new("a", a), Field::new("c", Type::Boolean)]
    );
    assert_eq!(resolved.conflicts, []);
}

#[test]
fn of_twins_in_one_record_the_first_counts() {
    assert_eq!(
        fields(&fresh(&observed_text(&[r#"{"a":1,"a":"x","b":{"c":1,"c":2.5}}"#]))),
        [("a", &Type::Long), ("b", &Type::Struct(vec![Field::new("c", Type::Long)])),]
    );
    assert_eq!(fields(&fresh(&csv(&["a", "b", "a"], &[&["1", "2", "x"]]))), [("a", &Type::Long), ("b", &Type::Long)]);
}

#[test]
fn names_that_no_column_can_have() {
    let resolved = fresh(&observed(&[
        json!({"unit price": 1, "Größe": {"a b": 1, "a_b": 2, "A B": null}, "": 3}),
        json!({"unit_price": 2, "GRÖSSE": 1, "größe": 1, "_SOURCE_row": 1, " source_file": 1, "_": 4}),
    ]));
    let nested = Field { name: "a_b".into(), source_name: "a b".into(), data_type: Type::Long };
    // "ß" has no lower-case twin in "SS": they are different names.
    assert_eq!(
        resolved.schema.fields,
        [
            Field { name: "_".into(), source_name: String::new(), data_type: Type::Long },
            Field::new("Größe", Type::Struct(vec![nested])),
            Field { name: "unit_price".into(), source_name: "unit price".into(), data_type: Type::Long },
            Field::new("GRÖSSE", Type::Long),
        ]
    );
    let left_out: Vec<_> = resolved.conflicts.iter().map(|conflict| conflict.column.as_str()).collect();
    assert_eq!(left_out, ["Größe.a_b", "` source_file`", "_", "_SOURCE_row", "größe", "unit_price"]);
}

#[test]
fn conflicts_name_the_column_what_was_seen_and_the_setting() {
    let resolved = fresh(&observed(&[json!({"a": {"unit price": [1]}}), json!({"a": {"unit price": ["x"]}})]));
    let [conflict] = &resolved.conflicts[..] else { panic!("{resolved:?}") };
    assert_eq!(conflict.column, "a.`unit price`.element");
    assert!(conflict.reason.contains("integers (1), other text (x)"), "{}", conflict.reason);
    assert!(conflict.remedy.contains("schema_hints = \"a.`unit price`.element bigint\""), "{}", conflict.remedy);
    // The remedy is one.
    let hints = Hints::parse("a.`unit price`.element bigint").unwrap();
    let settled = observed(&[json!({"a": {"unit price": ["x", 1]}})]).resolve(&hints, None);
    assert_eq!(settled.conflicts, []);
    let Type::Struct(fields) = &settled.schema.fields[0].data_type else { panic!("{settled:?}") };
    assert_eq!(fields[0].data_type, Type::List(Box::new(Type::Long)));
}

#[test]
fn hints_win_and_declare() {
    let hints = Hints::parse("PRICE double, pos struct<lat: double>, tags.element string, later date").unwrap();
    let resolved = observed(&[json!({"pos": {"lon": 1}, "price": "x", "tags": []})]).resolve(&hints, None);
    let pos = Type::Struct(vec![Field::new("lon", Type::Long), Field::new("lat", Type::Double)]);
    assert_eq!(
        resolved.schema.fields,
        [
            Field::new("pos", pos),
            Field::new("price", Type::Double),
            Field::new("tags", Type::List(Box::new(Type::String))),
            Field::new("later", Type::Date),
        ]
    );
    assert_eq!(resolved.conflicts, []);
    // Resolving again changes nothing.
    assert_eq!(Observed::new().resolve(&hints, Some(&resolved.schema)), resolved);
}

#[test]
fn evolving_adds_at_the_end_and_changes_nothing() {
    let old = fresh(&observed(&[json!({"a": 1, "b": {"c": 1}, "d": [{"e": 1}], "f": 1})])).schema;
    let news =
        observed(&[json!({"a": "x", "0": true, "b": {"A": 1, "c": "x"}, "d": [{"g": [2.5]}], "f": {"x": 1}, "A": 1})]);
    let resolved = news.resolve(&Hints::default(), Some(&old));
    assert_eq!(
        resolved.schema.fields,
        [
            Field::new("a", Type::Long),
            Field::new("b", Type::Struct(vec![Field::new("c", Type::Long), Field::new("A", Type::Long)])),
            Field::new(
                "d",
                Type::List(Box::new(Type::Struct(vec![
                    Field::new("e", Type::Long),
                    Field::new("g", Type::List(Box::new(Type::Double))),
                ])))
            ),
            Field::new("f", Type::Long),
            Field::new("0", Type::Boolean),
        ]
    );
    let columns: Vec<_> = resolved.conflicts.iter().map(|conflict| conflict.column.as_str()).collect();
    assert_eq!(columns, ["A"], "case twin of `a`");
    assert_eq!(news.resolve(&Hints::default(), Some(&resolved.schema)).schema, resolved.schema);
}

#[test]
fn a_hint_against_the_table_is_reported() {
    let old = TableSchema { fields: vec![Field::new("a", Type::Long), Field::new("s", Type::Struct(vec![]))] };
    let resolved = Observed::new().resolve(&Hints::parse("a double, s.b string").unwrap(), Some(&old));
    assert_eq!(resolved.schema.fields[0], old.fields[0]);
    assert_eq!(resolved.schema.fields[1].data_type, Type::Struct(vec![Field::new("b", Type::String)]));
    assert!(resolved.conflicts.len() == 1 && resolved.conflicts[0].reason.contains("bigint column"), "{resolved:?}");
    // Nor does it keep away what is new within the column.
    let old = TableSchema {
        fields: vec![
            Field::new("s", Type::Struct(vec![])),
            Field::new("l", Type::List(Box::new(Type::Struct(vec![])))),
        ],
    };
    let new = observed(&[json!({"s": {"x": 1}, "l": [{"y": 2}]})]);
    let resolved = new.resolve(&Hints::parse("s string, l string").unwrap(), Some(&old));
    assert_eq!(resolved.schema, new.resolve(&Hints::default(), Some(&old)).schema);
    assert_eq!(resolved.conflicts.len(), 2, "{resolved:?}");
}

/// A value below so many levels: of objects, of arrays, or of both by turns.
fn nested(levels: usize, kind: &str) -> String {
    let open = |level: usize| match kind {
        "objects" => true,
        "arrays" => false,
        _ => level.is_multiple_of(2),
    };
    let begin: String = (0..levels).map(|level| if open(level) { "{\"x\":" } else { "[" }).collect();
    let end: String = (0..levels).rev().map(|level| if open(level) { '}' } else { ']' }).collect();
    format!("{begin}1{end}")
}

/// The parts of the longest path in a type.
fn depth(data_type: &Type) -> usize {
    1 + match data_type {
        Type::Struct(fields) => fields.iter().map(|field| depth(&field.data_type)).max().unwrap_or(0),
        Type::List(element) => depth(element),
        _ => 0,
    }
}

#[test]
fn columns_nest_to_their_limit_and_no_deeper() {
    for kind in ["objects", "arrays", "both"] {
        for levels in [MAX_COLUMN_NESTING - 1, MAX_COLUMN_NESTING, MAX_NESTING - 1] {
            let record = format!("{{\"id\":1,\"a\":{}}}", nested(levels, kind));
            let resolved = fresh(&observed_text(&[&record]));
            let names: Vec<_> = fields(&resolved).into_iter().map(|(name, _)| name.to_owned()).collect();
            if levels < MAX_COLUMN_NESTING {
                assert_eq!((names, resolved.conflicts.len()), (vec!["id".to_owned(), "a".to_owned()], 0), "{kind}");
                assert_eq!(depth(&resolved.schema.fields[1].data_type), MAX_COLUMN_NESTING);
            } else {
                assert_eq!(names, ["id"], "{kind} {levels}");
                let [conflict] = &resolved.conflicts[..] else { panic!("{resolved:?}") };
                assert!(conflict.column == "a" && conflict.reason.contains("limit of 30 levels"), "{conflict:?}");
            }
            let text = serde_json::to_string(&resolved.schema).unwrap();
            assert_eq!(serde_json::from_str::<TableSchema>(&text).unwrap(), resolved.schema);
        }
    }
}

#[test]
fn what_is_too_deep_costs_only_itself() {
    let deep = nested(MAX_COLUMN_NESTING, "objects");
    let record = format!("{{\"a\":{{\"ok\":1,\"deep\":{deep}}},\"b\":{deep},\"c\":[[]]}}");
    let old = fresh(&observed_text(&["{\"a\":{\"first\":1}}"])).schema;
    for from in [None, Some(&old)] {
        let resolved = observed_text(&[&record]).resolve(&Hints::default(), from);
        let Type::Struct(fields) = &resolved.schema.fields[0].data_type else { panic!("{resolved:?}") };
        assert_eq!(fields.last(), Some(&Field::new("ok", Type::Long)));
        assert_eq!(resolved.schema.fields.len(), 1);
        let [conflict] = &resolved.conflicts[..] else { panic!("{resolved:?}") };
        assert!(conflict.column == "a.deep" && conflict.reason.contains("1 more"), "{conflict:?}");
    }
}

#[test]
fn a_header_that_another_separator_joins_is_told() {
    for (header, told) in [("id;name", 1), ("id\tname", 1), ("a|b", 1), ("name", 0)] {
        let resolved = fresh(&csv(&[header], &[&["1;a"]]));
        assert_eq!(resolved.conflicts.len(), told, "{header:?}");
        assert!(resolved.conflicts.iter().all(|conflict| conflict.column.contains(header)), "{resolved:?}");
    }
    assert_eq!(fresh(&csv(&["id;x", "b"], &[&["1", "2"]])).conflicts, []);
    let mixed = fresh(&csv(&["id;name", " first;v"], &[&["1;a", "b;2"]])).conflicts;
    assert!(matches!(&mixed[..], [one] if one.reason.contains("seems to be `;`")), "{mixed:?}");
    assert_eq!(fresh(&observed_text(&["{\"a;b\":1}"])).conflicts, [], "a name in JSON is a name");
}

#[test]
fn too_many_columns_and_too_long_names_stay_out() {
    let mut wide = serde_json::Map::new();
    wide.insert("a".to_owned(), json!({"x": 1, "y": 2}));
    for index in 0..MAX_COLUMNS {
        wide.insert(format!("c{index:05}"), json!(1));
    }
    wide.insert("l".repeat(256), json!(1));
    let resolved = fresh(&observed(&[Value::Object(wide)]));
    let struct_fields = |field: &Field| if let Type::Struct(fields) = &field.data_type { fields.len() } else { 0 };
    let columns: usize = resolved.schema.fields.iter().map(|field| 1 + struct_fields(field)).sum();
    assert_eq!(columns, MAX_COLUMNS);
    let reasons: Vec<_> = resolved.conflicts.iter().map(|conflict| conflict.reason.as_str()).collect();
    assert!(
        matches!(reasons[..], [one, two] if one.contains("all further ones") && two.contains("255 bytes")),
        "{reasons:?}"
    );
}

#[test]
fn endless_new_names_are_forgotten() {
    let mut observed = Observed::new();
    let mut tape = Tape::new();
    for index in 0..MAX_OBSERVED_FIELDS + 10 {
        let text = format!("{{\"k{index}\":{{\"v\":1}}}}");
        tape.parse(&text).unwrap();
        observed.observe_json(&text, &tape);
    }
    let mut count = 0;
    observed.fields.iter().for_each(|(_, seen)| count += 1 + seen.fields.iter().count());
    assert_eq!(count, MAX_OBSERVED_FIELDS);
    let resolved = fresh(&observed);
    assert!(resolved.conflicts.iter().any(|conflict| conflict.reason.contains("10000 different fields")));
}

fn any_record() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!(1)),
        Just(json!(9_007_199_254_740_993_i64)),
        Just(json!(u64::MAX)),
        Just(json!(1.5)),
        Just(json!("2026-11-05")),
        Just(json!("2026-11-05T10:00:00Z")),
        Just(json!("x")),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::vec(("[a-cA ]{0,2}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    prop::collection::vec(("[a-cA ]{0,2}", value), 0..5)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

proptest! {
    #[test]
    fn merging_is_observing_and_associative(records in prop::collection::vec(any_record(), 0..9), cut in any::<prop::sample::Index>(), second in any::<prop::sample::Index>()) {
        let (one, two) = (cut.index(records.len() + 1), second.index(records.len() + 1));
        let (one, two) = (one.min(two), one.max(two));
        let [a, b, c] = [&records[..one], &records[one..two], &records[two..]].map(observed);
        let mut left = a.clone();
        left.merge(&b);
        left.merge(&c);
        let mut tail = b;
        tail.merge(&c);
        let mut right = a;
        right.merge(&tail);
        prop_assert_eq!(&left, &right);
        prop_assert_eq!(&left, &observed(&records));
    }

    #[test]
    fn resolving_again_adds_nothing(records in prop::collection::vec(any_record(), 0..9), cut in any::<prop::sample::Index>()) {
        let (first, rest) = records.split_at(cut.index(records.len() + 1));
        let old = fresh(&observed(first)).schema;
        let all = observed(rest).resolve(&Hints::default(), Some(&old)).schema;
        prop_assert_eq!(&observed(&records).resolve(&Hints::default(), Some(&all)).schema, &all);
    }

    #[test]
    fn a_field_has_a_type_exactly_if_it_makes_a_column(record in any_record()) {
        let observed = observed(std::slice::from_ref(&record));
        let resolved = fresh(&observed);
        for (name, seen) in observed.fields.iter() {
            let column = resolved.schema.fields.iter().any(|field| field.source_name == *name);
            let left_out = resolved.conflicts.iter().any(|conflict| conflict.column == crate::hints::quoted(name));
            prop_assert_eq!(seen.has_type(), column || left_out, "{}", name);
        }
    }
}
