//! The tape against the RFC's corners and against serde_json.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::limits::{MAX_NESTING, MAX_RECORD_BYTES, MAX_RECORD_VALUES};

fn parse(text: &str) -> Result<Value, RecordFault> {
    let mut tape = Tape::new();
    tape.parse(text)?;
    let mut at = 0;
    let value = value(text, tape.nodes(), &mut at);
    assert_eq!(at, tape.nodes().len(), "every node is reached");
    assert_eq!(tape.nodes()[0].next as usize, at);
    Ok(value)
}

fn string(text: &str, node: &Node) -> String {
    match node.kind {
        Kind::Plain => node.inner(text).to_owned(),
        Kind::Escaped => {
            let mut out = Vec::new();
            unescape_onto(node.inner(text), &mut out);
            String::from_utf8(out).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

/// Reads a tape back, checking the links on the way. A number that serde_json does not hold becomes its text.
fn value(text: &str, nodes: &[Node], at: &mut usize) -> Value {
    let node = nodes[*at];
    let own = *at;
    *at += 1;
    let value = match node.kind {
        Kind::Null => Value::Null,
        Kind::True => Value::Bool(true),
        Kind::False => Value::Bool(false),
        Kind::Integer | Kind::Real => number(node.raw(text)),
        Kind::Plain | Kind::Escaped => Value::String(string(text, &node)),
        Kind::Object => {
            let mut map = serde_json::Map::new();
            while *at < node.next as usize {
                let name = string(text, &nodes[*at]);
                *at += 1;
                map.insert(name, self::value(text, nodes, at));
            }
            Value::Object(map)
        }
        Kind::Array => {
            let mut list = Vec::new();
            while *at < node.next as usize {
                list.push(self::value(text, nodes, at));
            }
            Value::Array(list)
        }
    };
    assert_eq!(*at, node.next as usize, "node {own} links to the node after it");
    value
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[test]
fn accepts_what_is_json() {
    for text in [
        "{}",
        "[]",
        " [ ] ",
        "\t{ \"a\" : [ 1 , 2.5e-3 , { } ] }\r\n",
        "0",
        "-0",
        "-0.0e+00",
        "1E9",
        "\"\"",
        "null",
        "true",
        "false",
        "\"\u{7f}\u{2028}\"",
        "\"\\u0000\\ud83d\\ude00\\/\"",
        "{\"a\":1,\"a\":2}",
        "{\"\":[[[]]]}",
    ] {
        assert_eq!(parse(text).unwrap(), serde_json::from_str::<Value>(text).unwrap(), "{text}");
    }
}

#[test]
fn refuses_what_is_not_and_says_where() {
    for (text, at, words) in [
        ("", 0, "expected a value, the record ends"),
        ("{", 1, "expected a name"),
        ("[1,]", 3, "expected a value, found `]`"),
        ("{\"a\":1,}", 7, "expected a name"),
        ("{\"a\" 1}", 5, "expected `:`"),
        ("{\"a\":1 \"b\":2}", 7, "expected `,` or `}`"),
        ("[1 2]", 3, "expected `,` or `]`"),
        ("[1}", 2, "expected `,` or `]`"),
        ("{\"a\":1]", 6, "expected `,` or `}`"),
        ("1 2", 2, "something follows"),
        ("{}{}", 2, "something follows"),
        ("01", 1, "begin with a zero"),
        ("-", 1, "a digit is missing"),
        ("1.", 2, "a digit is missing"),
        (".5", 0, "expected a value"),
        ("+1", 0, "expected a value"),
        ("1e", 2, "a digit is missing"),
        ("nul", 0, "expected a value"),
        ("NaN", 0, "expected a value"),
        ("\"a", 2, "not closed"),
        ("\"\\", 1, "not closed"),
        ("\"a\u{1}\"", 2, "control character"),
        ("\"line\nbreak\"", 5, "control character"),
        ("\"\\x\"", 1, "no such escape"),
        ("\"\\u12g4\"", 1, "four hexadecimal digits"),
        ("\"\\u12", 1, "four hexadecimal digits"),
        ("\"\\ud800\"", 1, "surrogate"),
        ("\"\\ud800\\n\"", 1, "surrogate"),
        ("\"\\ud800\\ud800\"", 1, "surrogate"),
        ("\"\\udc00\"", 1, "surrogate"),
        ("{'a':1}", 1, "expected a name"),
        ("\u{feff}{}", 0, "expected a value, found `\u{feff}`"),
        ("[1]\u{0}", 3, "something follows the record's value, found the control character 0x00"),
    ] {
        let fault = parse(text).unwrap_err();
        assert_eq!(fault.at, at, "{text}: {fault}");
        assert!(fault.reason.contains(words), "{text}: {fault}");
    }
}

#[test]
fn limits_hold() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(Tape::new().parse(&nested(MAX_NESTING)).is_ok());
    let fault = Tape::new().parse(&nested(MAX_NESTING + 1)).unwrap_err();
    assert!(fault.reason.contains("64 levels") && fault.at == MAX_NESTING, "{fault}");

    let values = |count: usize| format!("[{}1]", "1,".repeat(count - 2));
    assert!(Tape::new().parse(&values(MAX_RECORD_VALUES)).is_ok());
    assert!(Tape::new().parse(&values(MAX_RECORD_VALUES + 1)).unwrap_err().reason.contains("500000"));
    assert!(Tape::new().parse(&values(6_000_000)).unwrap_err().at < 10_000_000, "stops early");
    let members = |count: usize| format!("{{{}\"\":1}}", "\"\":1,".repeat(count - 2));
    assert!(Tape::new().parse(&members(MAX_RECORD_VALUES)).is_ok());
    assert!(Tape::new().parse(&members(MAX_RECORD_VALUES + 1)).is_err());

    let long = format!("\"{}\"", "a".repeat(MAX_RECORD_BYTES - 2));
    assert!(Tape::new().parse(&long).is_ok());
    assert!(Tape::new().parse(&format!("{long} ")).unwrap_err().reason.contains("16777216"));
}

#[test]
fn a_failure_leaves_an_empty_tape() {
    let mut tape = Tape::new();
    tape.parse("[1,2]").unwrap();
    assert_eq!(tape.nodes().len(), 3);
    tape.parse("[1,").unwrap_err();
    assert!(tape.nodes().is_empty());
}

#[test]
fn escapes_at_every_offset_of_a_word() {
    for before in 0..20 {
        for escape in ["\\\"", "\\\\", "\\n", "\\u00e9", "\\ud83d\\ude00"] {
            let text = format!("\"{}{escape}{}\"", "x".repeat(before), "y".repeat(9));
            assert_eq!(parse(&text).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
        }
        let text = format!("\"{}\u{1}{}\"", "x".repeat(before), "y".repeat(9));
        assert_eq!(parse(&text).unwrap_err().at, before + 1);
    }
}

#[test]
fn strings_are_written_so_that_they_read_back() {
    let text: String = (0..0x250).filter_map(char::from_u32).chain("\u{2028}😀".chars()).collect();
    let mut out = Vec::new();
    write_string(&text, &mut out);
    assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
}

/// Any JSON value.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((".{0,12}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The same verdict as serde_json, and the same value. Numbers beyond a double are JSON, but no value of serde_json.
fn agrees(text: &str) -> Result<(), TestCaseError> {
    match (parse(text), serde_json::from_str::<Value>(text)) {
        (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs, "{}", text),
        (Err(_), Err(_)) => {}
        (Ok(_), Err(error)) => prop_assert!(error.to_string().contains("out of range"), "{}: {}", text, error),
        (Err(fault), Ok(_)) => prop_assert!(false, "{}: {}", text, fault),
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_json_is_read_as_serde_json_does(json in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) }.unwrap();
        agrees(&text)?;
    }

    #[test]
    fn damaged_json_gets_the_same_verdict(json in any_json(), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..4)) {
        let mut bytes = serde_json::to_vec(&json).unwrap();
        for (index, byte, what) in edits {
            let at = index.index(bytes.len() + 1);
            match what {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte & 0x7f,
                _ => bytes.truncate(at),
            }
        }
        if let Ok(text) = String::from_utf8(bytes) {
            agrees(&text)?;
        }
    }

    #[test]
    fn text_of_json_characters_gets_the_same_verdict(text in "[\\[\\]{},:\"\\\\ \\n01-9eE.+\\-utrfalsnd]{0,24}") {
        agrees(&text)?;
    }
}
