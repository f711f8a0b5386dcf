use proptest::prelude::*;

use super::*;

fn fields(record: &str) -> Vec<(String, bool)> {
    CsvFields::new(CsvOptions::default())
        .split(record, |fields| fields.iter().map(|field| (field.text.to_owned(), field.quoted)).collect())
        .expect("sound quoting")
}

#[test]
fn fields_of_records() {
    let plain = |texts: &[&str]| texts.iter().map(|text| ((*text).to_owned(), false)).collect::<Vec<_>>();
    assert_eq!(fields("a,b"), plain(&["a", "b"]));
    assert_eq!(fields(""), plain(&[""]));
    assert_eq!(fields(",,"), plain(&["", "", ""]));
    assert_eq!(fields("a\"b,\u{e9}\""), plain(&["a\"b", "\u{e9}\""]));
    assert_eq!(fields("\"\",x"), [(String::new(), true), ("x".into(), false)]);
    assert_eq!(fields("x,\"a,\nb\""), [("x".into(), false), ("a,\nb".into(), true)]);
    assert_eq!(
        fields("\"\"\"a\"\"\",\"\"\"\",\"b\"\"c\u{e9}\","),
        [("\"a\"".into(), true), ("\"".into(), true), ("b\"c\u{e9}".into(), true), (String::new(), false)]
    );
}

#[test]
fn broken_quoting_is_a_fault() {
    let mut splitting = CsvFields::new(CsvOptions::default());
    for (record, at) in [("a,\"b", 2), ("\"a\"b", 3), ("\"\"\"", 0), ("\"", 0)] {
        assert_eq!(splitting.split(record, |_| ()).expect_err("broken").at, at, "{record}");
    }
    let wide = ",".repeat(crate::limits::MAX_CSV_FIELDS);
    assert!(splitting.split(&wide, |_| ()).is_err());
}

proptest! {
    #[test]
    fn what_is_written_is_read(rows in proptest::collection::vec(proptest::collection::vec("[a,\"\r\n \u{e9}]{0,6}", 3), 1..6)) {
        let line = |row: &[String]| {
            let quoted: Vec<_> = row.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\""))).collect();
            quoted.join(",")
        };
        let content: String = rows.iter().map(|row| line(row) + "\n").collect();
        let all = split_as(Format::Csv, format!("x,y,z\n{content}").as_bytes(), false);
        let mut splitting = CsvFields::new(CsvOptions::default());
        let read: Vec<Vec<String>> = all.iter().map(|record| {
            assert!(record.fault.is_none());
            let text = std::str::from_utf8(&record.bytes).expect("UTF-8");
            splitting
                .split(text, |fields| fields.iter().map(|field| { assert!(field.quoted); field.text.to_owned() }).collect())
                .expect("sound quoting")
        }).collect();
        prop_assert_eq!(read, rows);
    }

    #[test]
    fn counting_and_taking_apart_agree(content in "[a,\"\n\r]{0,40}") {
        let columns = 2;
        let all = split_as(Format::Csv, format!("x,y\n{content}").as_bytes(), false);
        let mut splitting = CsvFields::new(CsvOptions::default());
        for record in all.iter().filter(|record| record.fault.is_none()) {
            let text = std::str::from_utf8(&record.bytes).expect("UTF-8");
            prop_assert_eq!(splitting.split(text, |fields| fields.len()), Ok(columns));
        }
    }
}
