//! Numbers, sizes, times and foreign texts as people read them on a terminal.

use std::{borrow::Cow, time::Duration};

/// `12,345`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `3.4 MB`: powers of 1000, one digit behind the point; below 1000 the bytes themselves.
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if value < 1_000 {
        return count(value, "byte", "bytes");
    }
    let mut scaled = value as f64 / 1e3;
    let mut unit = 0;
    // What would be rounded to 1000.0 belongs to the next unit.
    while scaled >= 999.95 && unit + 1 < UNITS.len() {
        scaled /= 1e3;
        unit += 1;
    }
    format!("{scaled:.1} {}", UNITS[unit])
}

/// `0.25 s`, `2.5 s`, `41 s`, `1 min 05 s`, `2 h 03 min`, `3 d 04 h`: two figures that matter.
pub fn duration(value: Duration) -> String {
    let seconds = value.as_secs_f64();
    if seconds < 0.995 {
        return format!("{seconds:.2} s");
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = value.as_secs() + u64::from(value.subsec_millis() >= 500);
    match whole {
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {:02} s", whole / 60, whole % 60),
        3_600..86_400 => format!("{} h {:02} min", whole / 3_600, whole / 60 % 60),
        _ => format!("{} d {:02} h", whole / 86_400, whole / 3_600 % 24),
    }
}

/// So many of something in a time, per second and rounded; 0 where no time went by.
pub fn per_second(value: u64, time: Duration) -> u64 {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 { (value as f64 / seconds).round() as u64 } else { 0 }
}

/// A text of unknown origin (a file's name, a fault in its content) made harmless: control characters, which could steer the
/// terminal, are shown as escapes.
pub fn plain(text: &str) -> Cow<'_, str> {
    // Beside control characters those that change the direction of the text around them: both can fake what is shown.
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().map(|c| if steers(c) { c.escape_default().to_string() } else { c.to_string() });
    Cow::Owned(escaped.collect())
}

/// `1 drop`, `2 drops`, `1,000 drops`.
pub fn count(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(value), if value == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        for (value, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn bytes_have_one_digit_behind_the_point() {
        let cases = [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (3_400_000, "3.4 MB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (366_000_000, "366.0 MB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (value, text) in cases {
            assert_eq!(bytes(value), text, "{value}");
        }
    }

    #[test]
    fn durations_have_two_figures_that_matter() {
        let cases = [
            (0, "0.00 s"),
            (250, "0.25 s"),
            (994, "0.99 s"),
            (996, "1.0 s"),
            (2_510, "2.5 s"),
            (9_949, "9.9 s"),
            (9_960, "10 s"),
            (59_400, "59 s"),
            (59_600, "1 min 00 s"),
            (65_000, "1 min 05 s"),
            (7_380_000, "2 h 03 min"),
            (273_600_000, "3 d 04 h"),
        ];
        for (milliseconds, text) in cases {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text, "{milliseconds}");
        }
    }

    #[test]
    fn rates_are_rounded() {
        assert_eq!(per_second(10, Duration::from_secs(4)), 3);
        assert_eq!(per_second(10, Duration::ZERO), 0);
    }

    #[test]
    fn foreign_text_steers_no_terminal() {
        assert_eq!(plain("a\x1b[2Jb\n\u{202e}c"), "a\\u{1b}[2Jb\\n\\u{202e}c");
        assert!(matches!(plain("größe/データ.json"), Cow::Borrowed(_)));
    }

    #[test]
    fn one_is_singular() {
        assert_eq!([count(1, "drop", "drops"), count(1_000, "drop", "drops")], ["1 drop", "1,000 drops"]);
    }
}
