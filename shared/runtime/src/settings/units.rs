//! Sizes and durations as people write them.

use std::time::Duration;

/// A text that is no size or no duration; says why and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidUnit(String);

const SIZE_UNITS: [(&str, u64); 9] = [
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// Milliseconds of each unit, greatest first.
const DURATION_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a size in bytes: `128MiB`, `512 MB`, `1.5GiB`, `1_000`, units in any case. `M` alone is refused, as it means 1,000,000 to
/// some and 1,048,576 to others.
pub fn parse_size(text: &str) -> Result<u64, InvalidUnit> {
    let bad = |why: &str| InvalidUnit(format!("'{text}' is no size: {why}; write it like 128MiB, 512MB or 1GiB"));
    let trimmed = text.trim();
    let end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(trimmed.len());
    let (number, unit) = (trimmed[..end].replace('_', ""), trimmed[end..].trim().to_ascii_lowercase());
    let bytes_of_unit = match unit.as_str() {
        "" => 1,
        "k" | "m" | "g" | "t" => {
            let letter = unit.to_ascii_uppercase();
            return Err(bad(&format!(
                "'{letter}' can mean {letter}B (powers of 1000) or {letter}iB (powers of 1024), say which"
            )));
        }
        unit => match SIZE_UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, bytes)) => *bytes,
            None => return Err(bad(&format!("'{}' is no unit", trimmed[end..].trim()))),
        },
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 || number.ends_with('.') {
        return Err(bad("it does not begin with a number"));
    }
    let too_large = || bad("it is too large");
    let whole: u64 = whole.parse().map_err(|_| too_large())?;
    let bytes = whole.checked_mul(bytes_of_unit).ok_or_else(too_large)?;
    let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(0));
    let part = u128::from(bytes_of_unit) * fraction.parse::<u128>().unwrap_or(0) / scale;
    bytes.checked_add(u64::try_from(part).map_err(|_| too_large())?).ok_or_else(too_large)
}

/// Reads a duration: `5m`, `90s`, `1h30m`, `250ms`, `2d 12h`. Each unit at most once, the greater first.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidUnit> {
    let bad = |why: &str| InvalidUnit(format!("'{text}' is no duration: {why}; write it like 90s, 5m, 1h30m or 250ms"));
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad("it is empty"));
    }
    let (mut milliseconds, mut units) = (0_u64, DURATION_UNITS.as_slice());
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if number.is_empty() {
            return Err(bad(&format!("there is no whole number at '{rest}'")));
        }
        if unit.is_empty() {
            return Err(bad(&format!("the number {number} has no unit (d, h, m, s or ms)")));
        }
        let Some(place) = units.iter().position(|(name, _)| *name == unit) else {
            let known = DURATION_UNITS.iter().any(|(name, _)| *name == unit);
            let why = if known { "stands twice or after a smaller one" } else { "is no unit (d, h, m, s or ms)" };
            return Err(bad(&format!("'{unit}' {why}")));
        };
        let number: Option<u64> = number.parse().ok();
        let sum = number.and_then(|n| n.checked_mul(units[place].1)).and_then(|part| milliseconds.checked_add(part));
        milliseconds = sum.ok_or_else(|| bad("it is too long"))?;
        units = &units[place + 1..];
        rest = after.trim_start();
    }
    Ok(Duration::from_millis(milliseconds))
}

/// A size in the greatest binary unit that gives a whole number: `128 MiB`, `1000 bytes`.
pub(super) fn size_text(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fits = units.iter().find(|(_, shift)| bytes > 0 && bytes.trailing_zeros() >= *shift);
    fits.map_or_else(|| format!("{bytes} bytes"), |(name, shift)| format!("{} {name}", bytes >> shift))
}

/// A duration as [`parse_duration`] reads it.
pub(super) fn duration_text(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, milliseconds) in DURATION_UNITS {
        if rest >= milliseconds {
            text += &format!("{}{unit}", rest / milliseconds);
            rest %= milliseconds;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_sizes() {
        let cases = [
            ("128MiB", 128 << 20),
            ("512 MB", 512_000_000),
            ("1GiB", 1 << 30),
            ("1.5GiB", 3 << 29),
            ("0.5 kb", 500),
            ("134217728", 134_217_728),
            ("1_000", 1_000),
            ("7B", 7),
            (" 2 tib ", 2 << 40),
            ("0", 0),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_size_and_says_why() {
        let cases = [
            ("", "begin with a number"),
            ("MiB", "begin with a number"),
            ("-5MiB", "no unit"),
            ("5.MiB", "begin with a number"),
            (".5MiB", "begin with a number"),
            ("1.2.3MB", "begin with a number"),
            ("128M", "MB (powers of 1000) or MiB"),
            ("1g", "GB (powers of 1000) or GiB"),
            ("128 elephants", "'elephants' is no unit"),
            ("99999999999999999999", "too large"),
            ("99999999999TiB", "too large"),
        ];
        for (text, why) in cases {
            let error = parse_size(text).expect_err(text).to_string();
            assert!(error.contains(why) && error.contains("128MiB"), "{text}: {error}");
        }
    }

    #[test]
    fn reads_durations() {
        let cases = [
            ("5m", 300_000),
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("250ms", 250),
            ("0s", 0),
            ("2d12h", 216_000_000),
            ("1s500ms", 1_500),
            (" 10 s ", 10_000),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_duration_and_says_why() {
        let cases = [
            ("", "empty"),
            ("5", "no unit"),
            ("1h30", "30 has no unit"),
            ("m", "no whole number at 'm'"),
            ("-5m", "no whole number"),
            ("1.5h", "no unit"),
            ("5 minutes", "'minutes' is no unit"),
            ("30m1h", "after a smaller one"),
            ("1m1m", "stands twice"),
            ("99999999999999999999s", "too long"),
            ("213503982335d", "too long"),
        ];
        for (text, why) in cases {
            let error = parse_duration(text).expect_err(text).to_string();
            assert!(error.contains(why) && error.contains("1h30m"), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(milliseconds in 0_u64..1 << 50, bytes: u64) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_duration(&duration_text(duration)), Ok(duration));
            prop_assert_eq!(parse_size(&size_text(bytes).replace("bytes", "B")), Ok(bytes));
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = (parse_size(&text), parse_duration(&text));
        }
    }
}
