use super::*;

fn header(content: &[u8]) -> Vec<String> {
    let mut plain = Plain { rest: content, early: false };
    records(&mut Splitter::with_chunk_bytes(2), Format::Csv, &mut plain).expect("readable").1
}

#[test]
fn records_and_headers() {
    assert_eq!(csv("a,b\n1,2\n3,4\n"), ["1,2", "3,4"]);
    assert_eq!(csv("a,b\r\n1,2\r\n3,4"), ["1,2", "3,4"]);
    assert_eq!(csv("\u{feff}a,b\n\n1,2\n\r\n \n3,4\r"), ["1,2", "3,4"]);
    assert_eq!(csv("a,b\n"), Vec::<String>::new());
    assert_eq!(csv("a,b"), Vec::<String>::new());
    assert_eq!(csv("a,b\n,\n\"\",\"\"\n"), [",", "\"\",\"\""]);
    assert_eq!(header("\u{feff}a,\" b \",a,,\"x\"\"y\"\r\n1,2,3,4,5".as_bytes()), ["a", " b ", "a", "", "x\"y"]);
    assert_eq!(header(b""), Vec::<String>::new());
    assert_eq!(header("\n\n\"a\nb\",\u{e9}\n".as_bytes()), ["a\nb", "\u{e9}"]);
}

#[test]
fn quotes() {
    assert_eq!(csv("a,b\n\"x,y\",2\n\"x\ny\r\n\",\"\"\"\"\n"), ["\"x,y\",2", "\"x\ny\r\n\",\"\"\"\""]);
    assert_eq!(csv("a,b\n\"1\",\"2\"\r\n\"3\",\"4\"\r"), ["\"1\",\"2\"", "\"3\",\"4\""]);
    // In the middle of a field a quote is data, and so is a lone carriage return.
    assert_eq!(csv("a,b\n5\" nail,it\"s\n1\r2,3\n"), ["5\" nail,it\"s", "1\r2,3"]);
}

#[test]
fn one_column() {
    assert_eq!(csv("a\n1\n\n2\n"), ["1", "2"]);
    // There, blanks are a value.
    assert_eq!(csv("a\n  \n\"\"\n"), ["  ", "\"\""]);
}

#[test]
fn another_number_of_fields_costs_only_the_record() {
    assert_eq!(csv("a,b\n1\n1,2\n1,2,3\n\"x\",\"y\",\"\"\n3,4\n"), ["!1", "1,2", "!1,2,3", "!\"x\",\"y\",\"\"", "3,4"]);
    let all = split_as(Format::Csv, b"a,b\n1,2,3\n", false);
    assert_eq!(all[0].fault.as_deref(), Some("the record has 3 fields, the header 2"));
}

#[test]
fn text_after_a_closing_quote_costs_only_the_record() {
    assert_eq!(csv("a,b\n1,\"x\"y\n3,4\n"), ["!1,\"x\"y", "3,4"]);
    assert_eq!(csv("a,b\n1,\"x\" \r\n3,4"), ["!1,\"x\" ", "3,4"]);
    // Over two lines, where the second is no record by itself.
    assert_eq!(csv("a,b\n1,\"x\ny\"z\n3,4\n"), ["!1,\"x\ny\"z", "3,4"]);
    // And where it is: the quote before it was too much.
    assert_eq!(csv("a,b\n1,\"x\n2,\"y\"\n3,4\n"), ["!1,\"x", "2,\"y\"", "3,4"]);
    assert_eq!(csv("a,b\n1,2\n3,\"x\"y"), ["1,2", "!3,\"x\"y"]);
}

#[test]
fn a_quote_that_is_never_closed() {
    assert_eq!(csv("a,b\n1,\"x\n3,4\n5,6\n"), ["!1,\"x", "3,4", "5,6"]);
    assert_eq!(csv("a,b\n1,\"x\nmore\n3,4\n5,6"), ["!1,\"x", "!more", "3,4", "5,6"]);
    assert_eq!(csv("a,b\n1,2\n3,\"x\nmore\nlines\n"), ["1,2", "!3,\"x\nmore\nlines\n"]);
    assert_eq!(csv("a,b\n1,2\n3,\"x"), ["1,2", "!3,\"x"]);
    assert_eq!(csv("a\n1\n\"x\ny\n"), ["1", "!\"x", "y"]);
    assert_eq!(csv("a,b\n\"1,2\n\"3,4\n5,6\n"), ["!\"1,2\n\"3,4", "5,6"]);
}

#[test]
fn compressed_content_that_ends_early() {
    assert_eq!(csv_early("a,b\n1,2\n3,4\n"), ["1,2", "3,4", "!"]);
    // It would parse, but the last value may be cut.
    assert_eq!(csv_early("a,b\n1,2\n3,45"), ["1,2", "!3,45"]);
    assert_eq!(csv_early("a,b\n1,2\n3,\"x\n4,5\n"), ["1,2", "!3,\"x\n4,5"]);
    assert_eq!(csv_early("a,b\n1,2\n3,\"x\""), ["1,2", "!3,\"x\""]);
    assert_eq!(csv_early("a,"), ["!a,"]);
}

#[test]
fn headers_that_cannot_be_read() {
    assert!(unreadable(Format::Csv, b"a,\xff\n1,2\n").contains("line 1 cannot be read: it is not UTF-8"));
    assert!(unreadable(Format::Csv, b"\n,\n1,2\n").contains("line 2 cannot be read: it has no names"));
    assert!(unreadable(Format::Csv, b"\"\"\n1\n").contains("no names"));
    assert!(unreadable(Format::Csv, b"a,\"b\n1,2\n").contains("never closed"));
    assert!(unreadable(Format::Csv, b"\"a\"b,c\n1,2\n").contains("text follows"));
    let wide = "a,".repeat(crate::limits::MAX_CSV_FIELDS);
    assert!(unreadable(Format::Csv, wide.as_bytes()).contains("limit of 10000"));
}

#[test]
fn a_header_with_another_separator_is_told() {
    for header in ["\"id\";\"name\"", "\"id\";name;\"a,b\"", "\"id\";\"name"] {
        let reason = unreadable(Format::Csv, format!("{header}\n1;2\n").as_bytes());
        assert!(reason.contains("the separator seems to be `;`"), "{header}: {reason}");
    }
    assert!(unreadable(Format::Csv, b"\"id\"\t\"name\"\n").contains("seems to be a tab"));
    // Without quotes it can be names: the records say it where they do not fit.
    let all = split_as(Format::Csv, b"id;name, first;v\n1;a;2\n", false);
    let fault = all[0].fault.as_deref().unwrap();
    assert!(fault.starts_with("the record has 1 field, the header 2; the separator seems to be `;`"), "{fault}");
    assert_eq!(csv("id;name\n1;2\n"), ["1;2"]);
}

#[test]
fn a_page_is_no_header() {
    for page in ["<!DOCTYPE html>\n<html>\n", "  <html><body>a, b</body></html>", "<?xml version=\"1.0\"?>\n<Error/>\n"]
    {
        assert!(unreadable(Format::Csv, page.as_bytes()).contains("markup"), "{page}");
    }
    assert_eq!(csv("<DATE>,<OPEN>\n1,2\n"), ["1,2"]);
}

#[test]
fn other_separators_and_quotes() {
    let mut splitter = Splitter::new();
    splitter.begin(Format::Csv, CsvOptions { separator: b'\t', quote: b'\'' });
    let mut plain = Plain { rest: b"a\tb\n\t\n'x\ty'\t\"\n", early: false };
    let mut chunk = Chunk::default();
    assert!(splitter.next_chunk(&mut plain, &mut chunk).expect("readable"));
    let texts: Vec<_> = chunk.spans.iter().map(|span| &chunk.bytes[span.start..span.end]).collect();
    assert_eq!(texts, [&b"\t"[..], b"'x\ty'\t\""]);
    assert!(chunk.spans.iter().all(|span| span.fault.is_none()));
    assert_eq!(splitter.csv_header(), ["a", "b"]);
}
