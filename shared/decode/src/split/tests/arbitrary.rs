//! Whatever the bytes are: no panic, the same records whatever the chunks, and no byte lost.

use proptest::prelude::*;

use super::*;

/// Each byte is in one record or between records, and between them nothing stands but what is no record's.
fn check(format: Format, content: &[u8], early: bool) -> Result<(), TestCaseError> {
    let mut plain = Plain { rest: content, early };
    let Ok((all, header)) = records(&mut Splitter::new(), format, &mut plain) else { return Ok(()) };
    let again = split_as(format, content, early);
    prop_assert_eq!(&all, &again);
    let mut at = 0;
    let mut between = Vec::new();
    for record in &all {
        let offset = usize::try_from(record.offset).expect("small");
        prop_assert!(at <= offset, "records overlap");
        between.extend_from_slice(&content[at..offset]);
        prop_assert_eq!(&content[offset..offset + record.bytes.len()], &record.bytes[..]);
        at = offset + record.bytes.len();
    }
    between.extend_from_slice(&content[at..]);
    let between = String::from_utf8_lossy(&between).into_owned();
    let left = between.trim_start_matches('\u{feff}');
    match format {
        Format::Json => prop_assert!(left.chars().all(|c| c.is_ascii_whitespace() || "[],".contains(c)), "{}", left),
        Format::Csv => {
            // The names, and blank lines.
            let names = |text: &str| text.replace(['"', ',', '\n', '\r', ' '], "");
            prop_assert_eq!(names(left), names(&header.concat()));
        }
    }
    let faults = all.iter().filter(|record| record.fault.is_some()).count();
    prop_assert!(!early || faults > 0, "an early end is never silent");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn json_like(content in "[{}\\[\\],:\"\\\\a1 \n\r]{0,40}", early in any::<bool>()) {
        check(Format::Json, content.as_bytes(), early)?;
    }

    #[test]
    fn json_pieces(pieces in proptest::collection::vec(proptest::sample::select(vec![
        "{\"a\":1}", "{\"a\":[{}]}", "{\n \"a\": 1\n}", "\n", "\r\n", ",", "[", "]", "{", "}", "\"", "1", "null", " ", "{\"a\":\"x",
    ]), 0..14), early in any::<bool>()) {
        check(Format::Json, pieces.concat().as_bytes(), early)?;
    }

    #[test]
    fn csv_like(content in "[ab,\"\n\r ]{0,50}", early in any::<bool>()) {
        check(Format::Csv, content.as_bytes(), early)?;
    }

    #[test]
    fn csv_with_header(content in "[a,\"\n\r ]{0,50}", early in any::<bool>()) {
        check(Format::Csv, format!("x,y\n{content}").as_bytes(), early)?;
    }

    #[test]
    fn any_bytes(content in proptest::collection::vec(any::<u8>(), 0..200), early in any::<bool>()) {
        check(Format::Json, &content, early)?;
        // Its header may be anything: no panic is enough.
        let _ = records(&mut Splitter::with_chunk_bytes(3), Format::Csv, &mut Plain { rest: &content, early });
    }
}
