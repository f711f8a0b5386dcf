use super::*;

#[test]
fn lines() {
    assert_eq!(json("{\"a\":1}\n{\"a\":2}\n"), ["{\"a\":1}", "{\"a\":2}"]);
    assert_eq!(json("{\"a\":1}\r\n\r\n  \n{\"a\":2}"), ["{\"a\":1}", "{\"a\":2}"]);
    assert_eq!(json("\n\n {\"a\":1} \n"), [" {\"a\":1} "]);
    // A bad line costs only itself: the verdict is fitting's, the line is a record.
    assert_eq!(json("{\"a\":1}\n{\"a\":\n{\"a\":3}"), ["{\"a\":1}", "{\"a\":", "{\"a\":3}"]);
    assert_eq!(json("{\"a\":1}\n[{\"a\":2}]\nx y\n"), ["{\"a\":1}", "[{\"a\":2}]", "x y"]);
    assert_eq!(json("12\n\"a\"\nnull\n"), ["12", "\"a\"", "null"]);
    assert_eq!(json("{\"}\":\"{\\\"\"}\n{}\n"), ["{\"}\":\"{\\\"\"}", "{}"]);
}

#[test]
fn lines_whose_first_is_bad() {
    assert_eq!(json("{\"a\":1\n{\"a\":2}\n{\"a\":3}\n"), ["{\"a\":1", "{\"a\":2}", "{\"a\":3}"]);
    assert_eq!(json("{\"a\":\"x\n{\"a\":2}\n"), ["{\"a\":\"x", "{\"a\":2}"]);
    assert_eq!(json("oops\n{\"a\":2}\n"), ["oops", "{\"a\":2}"]);
    assert_eq!(json("{\"a\":1} oops\n{\"a\":2}\n"), ["{\"a\":1} oops", "{\"a\":2}"]);
    // Brackets that pair by chance over two lines are no document.
    assert_eq!(json("{\"a\":1,\n{\"a\":2}}\n{\"a\":3}\n"), ["{\"a\":1,", "{\"a\":2}}", "{\"a\":3}"]);
}

#[test]
fn lines_whose_first_is_an_open_array() {
    assert_eq!(json("[1,2\n{\"a\":2}\n{\"a\":3}\n"), ["[1,2", "{\"a\":2}", "{\"a\":3}"]);
    assert_eq!(json("[1,\n{\"a\":2}\n\n{\"a\":3\n"), ["[1,", "{\"a\":2}", "{\"a\":3"]);
    assert_eq!(json("[1,2\n{\"a\":2}"), ["[1,2", "{\"a\":2}"]);
    // Arrays and documents are not taken for lines, whatever is wrong with them.
    assert_eq!(json("[\n{\"a\":1}\n{\"a\":2}\n]"), ["{\"a\":1}", "!{\"a\":2}\n]"]);
    assert_eq!(json("[1\n,{\"a\":1}\n,{\"a\":2}\n]"), ["1", "{\"a\":1}", "{\"a\":2}"]);
    assert_eq!(json("[1,\n{\"a\":1}\n,{\"a\":2}\n"), ["1", "{\"a\":1}", "{\"a\":2}", "!"]);
    assert_eq!(json("[1,\n{\"a\":1},\n{\"a\":2}\n"), ["1", "{\"a\":1}", "{\"a\":2}", "!"]);
    assert_eq!(json("[1,2]\n{\"a\":2}\n{\"a\":3}\n"), ["1", "2", "{\"a\":2}", "{\"a\":3}"]);
}

#[test]
fn what_is_named_lines_is_lines() {
    let named = |content: &str| texts(&split_named("x.jsonl", content.as_bytes()));
    for (content, lines) in [
        ("[1,2\n{\"a\":1}\n{\"a\":2}\n", ["[1,2", "{\"a\":1}", "{\"a\":2}"]),
        ("[\n{\"a\":1}\n{\"a\":2}\n", ["[", "{\"a\":1}", "{\"a\":2}"]),
        ("[1,2]\n{\"a\":1}\nx\n", ["[1,2]", "{\"a\":1}", "x"]),
        ("{\"a\":1,\n{\"a\":2}\n{\"a\":3}", ["{\"a\":1,", "{\"a\":2}", "{\"a\":3}"]),
        ("{\"a\":\n1}\nx\n", ["{\"a\":", "1}", "x"]),
        ("{\n}\n}\n", ["{", "}", "}"]),
        ("{\"a\":1}{\"a\":2}\n{\"a\":3}\n[", ["{\"a\":1}{\"a\":2}", "{\"a\":3}", "["]),
    ] {
        assert_eq!(named(content), lines, "{content}");
    }
    assert_eq!(named("[{\"a\":1}\n"), ["[{\"a\":1}"]);
    assert_eq!(named(""), [""; 0]);
    assert_eq!(named("\n [\n"), [" ["]);
    // All of it is well-formed over several lines: no line of it would be read.
    assert_eq!(named("[\n {\"a\":1},\n {\"a\":2}\n]\n"), ["{\"a\":1}", "{\"a\":2}"]);
    assert_eq!(named("[{\"a\":1},{\"a\":2}]\n\n"), ["{\"a\":1}", "{\"a\":2}"]);
    assert_eq!(named("{\n\"a\":1}\n{\"a\":2}"), ["{\n\"a\":1}", "{\"a\":2}"]);
}

#[test]
fn arrays() {
    assert_eq!(json("[]"), Vec::<String>::new());
    assert_eq!(json("[{\"a\":1}]"), ["{\"a\":1}"]);
    assert_eq!(json(" [ {\"a\":[1,2]} , {\"a\":\"],\"} ]\n"), ["{\"a\":[1,2]}", "{\"a\":\"],\"}"]);
    assert_eq!(json("[\n{\"a\":1},\n{\"a\":2}\n]\n[{\"a\":3}][]\n"), ["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"]);
    // Elements that are no objects are fitting's verdict, and cost only themselves.
    assert_eq!(json("[1,{\"a\":1},null,\"x\",[2,[3]],true]"), ["1", "{\"a\":1}", "null", "\"x\"", "[2,[3]]", "true"]);
}

#[test]
fn arrays_with_a_fault() {
    assert_eq!(json("[{\"a\":1} {\"a\":2}, {\"a\":3}]"), ["{\"a\":1}", "!{\"a\":2}, {\"a\":3}]"]);
    assert_eq!(json("[{\"a\":1},]"), ["{\"a\":1}", "!]"]);
    assert_eq!(json("[,{\"a\":1}]"), ["!,{\"a\":1}]"]);
    assert_eq!(json("[{\"a\":1},,{\"a\":2}]"), ["{\"a\":1}", "!,{\"a\":2}]"]);
    assert_eq!(json("[{\"a\":1},{\"a\":[2}],{\"a\":3}]"), ["{\"a\":1}", "!{\"a\":[2}],{\"a\":3}]"]);
    assert_eq!(json("[{\"a\":1},{\"a\":\"x\n\"},{\"a\":3}]"), ["{\"a\":1}", "!{\"a\":\"x\n\"},{\"a\":3}]"]);
    assert_eq!(json("[{\"a\":1}]]"), ["{\"a\":1}", "!]"]);
    assert_eq!(json("[{\"a\":1}}"), ["{\"a\":1}", "!}"]);
    assert_eq!(json("[{\"a\":1}:1]"), ["{\"a\":1}", "!:1]"]);
}

#[test]
fn arrays_without_an_end() {
    assert_eq!(json("["), ["!"]);
    assert_eq!(json("[{\"a\":1}"), ["{\"a\":1}", "!"]);
    assert_eq!(json("[{\"a\":1},\n"), ["{\"a\":1}", "!"]);
    assert_eq!(json("[{\"a\":1},{\"a\":"), ["{\"a\":1}", "!{\"a\":"]);
    assert_eq!(json("[{\"a\":1},{\"a\":\"\\"), ["{\"a\":1}", "!{\"a\":\"\\"]);
}

#[test]
fn documents() {
    let pretty = "{\n  \"a\": 1\n}";
    assert_eq!(json(pretty), [pretty]);
    assert_eq!(json(&format!("{pretty}\n{pretty}\n\n{pretty}")), [pretty; 3]);
    assert_eq!(json(&format!("{pretty}{pretty}")), [pretty; 2]);
    assert_eq!(json("{\n}\n[1, {\n}]\n"), ["{\n}", "1", "{\n}"]);
    // Many on one line, as some delivery streams write them.
    assert_eq!(json("{\"a\":1}{\"a\":2} {\"a\":3}"), ["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"]);
}

#[test]
fn values_joined_by_nothing_may_be_longer_than_a_record_together() {
    let record = format!("{{\"a\":\"{}\"}}", "x".repeat(100_000));
    let content = record.repeat(MAX_RECORD_BYTES / record.len() + 10);
    for (key, chunk_bytes) in
        [("a.json", 40_000), ("a.json", 70_000), ("a.json", 64 << 20), ("a.jsonl", 70_000), ("a.jsonl", 64 << 20)]
    {
        let mut splitter = Splitter::with_chunk_bytes(chunk_bytes);
        splitter.begin_drop(key, Format::Json, CsvOptions::default());
        let records = rest(&mut splitter, &mut Plain { rest: content.as_bytes(), early: false }).expect("readable");
        assert_eq!(records.len(), content.len() / record.len(), "{key} in chunks of {chunk_bytes}");
        assert!(records.iter().all(|found| found.bytes == record.as_bytes()));
    }
    // What is no record costs itself there as everywhere in documents: what follows it is one record.
    let broken = format!("{record}{{]{content}");
    let told = texts(
        &records(&mut Splitter::new(), Format::Json, &mut Plain { rest: broken.as_bytes(), early: false }).unwrap().0,
    );
    assert!(told[0] == record && told.len() > 1 && told[1..].iter().all(|text| text.starts_with('!')));
}

#[test]
fn documents_with_a_fault() {
    assert_eq!(json("{\n\"a\":1\n}\n{\n\"a\":2\n"), ["{\n\"a\":1\n}", "!{\n\"a\":2\n"]);
    assert_eq!(json("{\n\"a\":1\n}}\n{\n}\n"), ["{\n\"a\":1\n}", "!}\n{\n}\n"]);
    assert_eq!(json("{\n\"a\":1\n},\n{\n}\n"), ["{\n\"a\":1\n}", "!,\n{\n}\n"]);
    assert_eq!(json("{\n\"a\": [1}\n}\n{\n}"), ["!{\n\"a\": [1}\n}\n{\n}"]);
    assert_eq!(json("{\"a\":1"), ["!{\"a\":1"]);
}

#[test]
fn a_nesting_over_the_limit_costs_only_itself() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    let (good, bad) = (nested(64), nested(65));
    let all = split_as(Format::Json, format!("[{good},{bad},{good}]").as_bytes(), false);
    assert_eq!(texts(&all), [good.clone(), format!("!{bad}"), good]);
    assert!(all[1].fault.as_ref().is_some_and(|fault| fault.contains("64 levels")));
}

#[test]
fn compressed_content_that_ends_early() {
    assert_eq!(json_early("{\"a\":1}\n{\"a\":2}\n"), ["{\"a\":1}", "{\"a\":2}", "!"]);
    assert_eq!(json_early("{\"a\":1}\n{\"a\":2}"), ["{\"a\":1}", "{\"a\":2}", "!"]);
    assert_eq!(json_early("{\"a\":1}\n{\"a\":2"), ["{\"a\":1}", "!{\"a\":2"]);
    assert_eq!(json_early("{\"a\":1}\n{\"a\":\"}"), ["{\"a\":1}", "!{\"a\":\"}"]);
    assert_eq!(json_early("1\n2"), ["1", "!2"]);
    assert_eq!(json_early("[{\"a\":1},{\"a\":2}"), ["{\"a\":1}", "{\"a\":2}", "!"]);
    assert_eq!(json_early("[{\"a\":1},12"), ["{\"a\":1}", "!12"]);
    assert_eq!(json_early("[{\"a\":1}]"), ["{\"a\":1}", "!"]);
    assert_eq!(json_early("{\n}\n{\n"), ["{\n}", "!{"]);
}
