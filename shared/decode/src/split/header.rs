//! What a CSV header that is no list of names joined by commas looks like instead, so that a message can say it.

use super::CsvOptions;

/// Separators that files come with.
const OTHERS: [u8; 3] = [b';', b'\t', b'|'];

/// The byte that seems to separate the names of a header, if that is another than the one that is read: the one that follows a name in
/// quotes, or one that stands outside of quotes more often than the right one does.
pub(super) fn other_separator(line: &[u8], options: CsvOptions) -> Option<u8> {
    let (mut counts, mut right) = ([0_usize; OTHERS.len()], 0);
    let mut quoted = false;
    for (at, byte) in line.iter().enumerate() {
        if *byte == options.quote {
            quoted = !quoted;
        } else if quoted {
            continue;
        } else if *byte == options.separator {
            right += 1;
        } else if let Some(other) = OTHERS.iter().position(|other| other == byte) {
            let after_quote = at > 0 && line.get(at - 1) == Some(&options.quote);
            if after_quote {
                return Some(*byte);
            }
            counts[other] += 1;
        }
    }
    let (count, other) = counts.into_iter().zip(OTHERS).max_by_key(|(count, _)| *count)?;
    (count > right).then_some(other)
}

/// What to say of that.
pub(super) fn separator_in_words(separator: u8) -> String {
    let seems = match separator {
        b'\t' => "a tab".to_owned(),
        other => format!("`{}`", char::from(other)),
    };
    format!(
        "the separator seems to be {seems}, and only files with commas are read now: have the file written with commas"
    )
}

/// Whether every second byte is a NUL, as in Latin letters in UTF-16. The line's end may have taken one with it.
pub(super) fn looks_like_utf16(header: &str) -> bool {
    let bytes = header.as_bytes();
    let nuls = |from: usize| bytes.len() > 2 && bytes[from..].iter().step_by(2).all(|byte| *byte == 0);
    nuls(0) || nuls(1)
}

/// Whether a header is the beginning of an HTML or XML page. Names that stand in angle brackets themselves (`<DATE>,<OPEN>`) are names.
pub(super) fn is_markup(header: &str, names: &[String]) -> bool {
    let in_brackets = |name: &String| {
        let inner = name.trim().strip_prefix('<').and_then(|name| name.strip_suffix('>'));
        inner.is_some_and(|inner| inner.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ')))
    };
    header.trim_start().starts_with('<') && !(names.len() > 1 && names.iter().all(in_brackets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_letters_in_utf16_are_told() {
        for (header, is) in [
            ("\0i\0d\0,\0n\0", true),
            ("\0i\0d\0,\0n\0\r\0", true),
            ("i\0d\0,\0n\0", true),
            ("i\0d\0,\0n\0\r\0", true),
            ("id,n", false),
            ("a\0b,n", false),
            ("\0", false),
            ("", false),
        ] {
            assert_eq!(looks_like_utf16(header), is, "{header:?}");
        }
    }

    #[test]
    fn a_separator_is_told_by_what_stands_outside_of_quotes() {
        let cases: [(&str, Option<u8>); 12] = [
            ("id,name", None),
            ("name", None),
            ("id;name", Some(b';')),
            ("id\tname", Some(b'\t')),
            ("id|name|x;y", Some(b'|')),
            ("\"id\";\"name\"", Some(b';')),
            ("\"id\"\t\"name, first\"", Some(b'\t')),
            ("id;name, first;v", Some(b';')),
            ("\"a;b;c\",d", None),
            ("a;b,c", None),
            ("\"a\";b,c,d", Some(b';')),
            ("\"say \"\"a;b\"\"\",c", None),
        ];
        for (header, separator) in cases {
            assert_eq!(other_separator(header.as_bytes(), CsvOptions::default()), separator, "{header:?}");
        }
        assert!(separator_in_words(b'\t').contains("be a tab,") && separator_in_words(b';').contains("be `;`,"));
    }

    #[test]
    fn markup_is_told_from_names_in_brackets() {
        let names = |header: &str| header.split(',').map(str::to_owned).collect::<Vec<_>>();
        for header in ["<!DOCTYPE html>", "<html>", " <?xml version=\"1.0\"?>", "<a>,<b x=\"1\">", "<p>a,b</p>"] {
            assert!(is_markup(header, &names(header)), "{header}");
        }
        for header in ["<DATE>,<OPEN>,<VOL_1>", "a<b,c", "x"] {
            assert!(!is_markup(header, &names(header)), "{header}");
        }
    }
}
