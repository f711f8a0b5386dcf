//! Hints as users write them, right and wrong.

use proptest::prelude::*;

use super::*;

fn scalar(name: &str, data_type: Type) -> HintField {
    HintField { name: name.to_owned(), hint: Hint::Scalar(data_type) }
}

fn object(name: &str, fields: Vec<HintField>) -> HintField {
    HintField { name: name.to_owned(), hint: Hint::Struct(fields) }
}

fn list(name: &str, element: Hint) -> HintField {
    HintField { name: name.to_owned(), hint: Hint::List(Box::new(element)) }
}

fn parsed(ddl: &str) -> Vec<HintField> {
    Hints::parse(ddl).unwrap().fields
}

#[test]
fn types_and_their_other_words() {
    for (word, data_type) in [
        ("boolean", Type::Boolean),
        ("bigint", Type::Long),
        ("LONG", Type::Long),
        ("int", Type::Long),
        ("Integer", Type::Long),
        ("smallint", Type::Long),
        ("tinyint", Type::Long),
        ("double", Type::Double),
        ("float", Type::Double),
        ("real", Type::Double),
        ("string", Type::String),
        ("date", Type::Date),
        ("timestamp", Type::Timestamp),
    ] {
        assert_eq!(parsed(&format!("x {word}")), [scalar("x", data_type)], "{word}");
    }
}

#[test]
fn paths_elements_structs_and_backticks() {
    assert_eq!(parsed(""), []);
    assert_eq!(parsed("  "), []);
    assert_eq!(
        parsed("price double ,\n customer.zip string,`a, b`.`c.d` date, customer.name string"),
        [
            scalar("price", Type::Double),
            object("customer", vec![scalar("zip", Type::String), scalar("name", Type::String)]),
            object("a, b", vec![scalar("c.d", Type::Date)]),
        ]
    );
    assert_eq!(parsed("tags array<string>"), [list("tags", Hint::Scalar(Type::String))]);
    assert_eq!(parsed("tags.element string"), parsed("tags array<string>"));
    assert_eq!(
        parsed("pos struct<lat: double, `l on` double, in: array < array<struct<x:int>>>>"),
        [object(
            "pos",
            vec![
                scalar("lat", Type::Double),
                scalar("l on", Type::Double),
                list("in", Hint::List(Box::new(Hint::Struct(vec![scalar("x", Type::Long)])))),
            ]
        )]
    );
    assert_eq!(parsed("a struct<b: string>, a.c long"), parsed("a struct<b: string, c: long>"));
    assert_eq!(parsed("a.element.b string, a.element.c long"), parsed("a array<struct<b: string, c: long>>"));
    assert_eq!(
        parsed("a.`element` string, `b``c` long"),
        [object("a", vec![scalar("element", Type::String)]), scalar("b`c", Type::Long),]
    );
    assert_eq!(parsed("größe.über bigint"), [object("größe", vec![scalar("über", Type::Long)])]);
}

#[test]
fn wrong_hints_are_all_named_with_their_place() {
    for (ddl, at, words) in [
        ("price", 6, "the type is missing"),
        ("price decimal(3)", 7, "no type of hints"),
        ("price decimal(10,2)", 7, "`decimal` is no type"),
        ("price map<string,string>", 7, "no type of hints"),
        ("price double x", 14, "a comma must follow"),
        ("a.. string", 3, "name is missing"),
        ("a. string", 3, "name is missing"),
        (", a string", 1, "name is missing"),
        ("a string,", 10, "missing after the comma"),
        ("tags array", 11, "element's type"),
        ("tags array<string", 18, "`>` must follow"),
        ("pos struct<lat double", 22, "`,` or `>`"),
        ("pos struct<>", 12, "name is missing"),
        ("`pos string", 1, "not closed"),
        ("`pos`string", 6, "a blank"),
        ("a string, A long", 11, "two hints"),
        ("a b string", 3, "no type of hints"),
        ("a string, a.b long", 11, "string and as struct"),
        ("a struct<b: int, B: int>", 18, "two hints"),
        ("element string", 1, "backticks"),
        ("_Source_File string", 1, "column of every table"),
        ("ü string, _rescued_data string", 11, "column of every table"),
    ] {
        let errors = Hints::parse(ddl).unwrap_err();
        assert_eq!(errors.len(), 1, "{ddl}: {errors:?}");
        assert_eq!(errors[0].at, at, "{ddl}: {}", errors[0]);
        assert!(errors[0].reason.contains(words), "{ddl}: {}", errors[0]);
    }
    let errors = Hints::parse("a x, b string, c y").unwrap_err();
    assert_eq!(errors.iter().map(|error| error.hint.as_str()).collect::<Vec<_>>(), ["a x", "c y"]);
}

#[test]
fn limits_hold() {
    let deep = |levels: usize| format!("a {}string{}", "array<".repeat(levels), ">".repeat(levels));
    assert!(Hints::parse(&deep(29)).is_ok());
    assert!(Hints::parse(&deep(30)).unwrap_err()[0].reason.contains("30 levels"));
    let path = |parts: usize| format!("a{} string", ".b".repeat(parts));
    assert!(Hints::parse(&path(29)).is_ok());
    assert!(Hints::parse(&path(30)).unwrap_err()[0].reason.contains("30 levels"));
    assert_eq!(Hints::parse("a(b string, c long").unwrap().fields.len(), 2, "a name with a parenthesis");
    assert!(Hints::parse(&deep(100_000)).is_err());
    assert!(Hints::parse(&format!("a{} string", ".b".repeat(100_000))).is_err());
    assert!(Hints::parse(&format!("{} string", "a".repeat(256))).unwrap_err()[0].reason.contains("255"));
}

#[test]
fn quoted_names_are_read_back() {
    for name in ["a", "a b", "a`b", "a.b", "element", "", "größe"] {
        assert_eq!(parsed(&format!("{} string", quoted(name))), [scalar(name, Type::String)]);
    }
}

proptest! {
    #[test]
    fn any_text_is_hints_or_errors(ddl in "[a-c.,:<> `]{0,20}|(a|element|string|array|struct|<|>|,|\\.|:| |`){0,12}|.{0,30}") {
        if let Err(errors) = Hints::parse(&ddl) {
            prop_assert!(!errors.is_empty());
        }
    }
}
