//! Dates and moments written as text. Only what means one day or one moment, and survives as one, is taken: no zone is
//! guessed, nothing is rounded.

/// The days from 1970-01-01 to `YYYY-MM-DD`, if `text` is that and a valid day of the years 1 to 9999.
#[inline]
pub fn date(text: &str) -> Option<i32> {
    let bytes: &[u8; 10] = text.as_bytes().try_into().ok()?;
    day(bytes)
}

/// The microseconds from 1970-01-01T00:00:00Z to an ISO 8601 / RFC 3339 date and time with a zone: `T` or one space between,
/// seconds and
/// their fraction may be left away (the fraction is a whole number of microseconds), then `Z`, `+hh:mm`, `+hhmm` or `+hh`. None for anything else:
/// leap seconds, 24:00, a date alone, no zone, a moment outside of the years 1 to 9999 in UTC.
#[inline]
pub fn timestamp(text: &str) -> Option<i64> {
    let (head, rest) = text.as_bytes().split_first_chunk::<16>()?;
    let (date, time) = head.split_first_chunk::<10>()?;
    let &[b'T' | b' ', h1, h2, b':', m1, m2] = time else { return None };
    let minutes = clock(h1, h2, m1, m2)?;
    // ISO 8601 lets seconds be left away, and a fraction with them.
    let (seconds, (micros, zone)) = match rest {
        [b':', s1, s2, rest @ ..] => (minutes + at_most(59, two(*s1, *s2)?)?, fraction(rest)?),
        zone => (minutes, (0, zone)),
    };
    let offset = match zone {
        b"Z" => 0,
        &[sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] | &[sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
            let ahead = clock(h1, h2, m1, m2)?;
            if sign == b'+' { ahead } else { -ahead }
        }
        &[sign @ (b'+' | b'-'), h1, h2] => {
            let ahead = clock(h1, h2, b'0', b'0')?;
            if sign == b'+' { ahead } else { -ahead }
        }
        _ => return None,
    };
    let moment = (i64::from(day(date)?) * 86_400 + seconds - offset) * 1_000_000 + micros;
    (FIRST..=LAST).contains(&moment).then_some(moment)
}

/// 0001-01-01T00:00:00Z.
const FIRST: i64 = -62_135_596_800_000_000;
/// 9999-12-31T23:59:59.999999Z.
const LAST: i64 = 253_402_300_799_999_999;

/// The microseconds of an optional fraction, and what follows it.
#[inline]
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', rest)) = rest.split_first() else { return Some((0, rest)) };
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, zone) = rest.split_at_checked(count)?;
    let beyond = digits.get(6..).unwrap_or_default();
    if digits.is_empty() || beyond.iter().any(|digit| *digit != b'0') {
        return None;
    }
    let micros =
        (0..6).fold(0, |micros, place| micros * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0')));
    Some((micros, zone))
}

/// The seconds of hours and minutes.
#[inline]
fn clock(h1: u8, h2: u8, m1: u8, m2: u8) -> Option<i64> {
    Some(at_most(23, two(h1, h2)?)? * 3_600 + at_most(59, two(m1, m2)?)? * 60)
}

#[inline]
fn at_most(limit: i64, value: i64) -> Option<i64> {
    (value <= limit).then_some(value)
}

#[inline]
fn two(tens: u8, units: u8) -> Option<i64> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    Some(digit(tens)? * 10 + digit(units)?)
}

/// The days from 1970-01-01, by counting years from March (so that the leap day is a year's last).
#[inline]
fn day(bytes: &[u8; 10]) -> Option<i32> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return None };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let month = two(m1, m2)?;
    let day = two(d1, d2)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if year == 0 || day == 0 || day > days {
        return None;
    }
    let from_march = (month + 9) % 12;
    let march_year = year - i64::from(month <= 2);
    let days_before = (153 * from_march + 2) / 5 + day - 1;
    let days = march_year * 365 + march_year / 4 - march_year / 100 + march_year / 400 + days_before;
    i32::try_from(days - 719_468).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_follows_the_one_before() {
        let mut expected = -719_162;
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(found) = date(&format!("{year:04}-{month:02}-{day:02}")) {
                        assert_eq!(found, expected, "{year:04}-{month:02}-{day:02}");
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(expected, 2_932_897, "the day after 9999-12-31");
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(date("2024-02-29"), Some(19_782));
    }

    #[test]
    fn what_is_no_day_is_none() {
        for text in [
            "",
            "2024-1-1",
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-04-31",
            "2024-01-00",
            "0000-01-01",
            "20240101",
            "2024/01/01",
            " 2024-01-01",
            "2024-01-01 ",
            "2024-01-0x",
            "+024-01-01",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn moments() {
        for (text, seconds, micros) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("1970-01-01 00:00:01Z", 1, 0),
            ("1970-01-01T02:00:00+02:00", 0, 0),
            ("1970-01-01T02:30:00+0230", 0, 0),
            ("1969-12-31T23:59:59.5Z", -1, 500_000),
            ("1970-01-01T00:00:00-00:30", 1_800, 0),
            ("2026-11-05T10:17:00.123456Z", 1_793_873_820, 123_456),
            ("2026-11-05T10:17:00.123456000Z", 1_793_873_820, 123_456),
            ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799, 999_999),
        ] {
            assert_eq!(timestamp(text), Some(seconds * 1_000_000 + micros), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "2024-01-01",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:60Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.1234567Z",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T00:00:00+2:00",
            "2024-01-01T00:00:00+02:60",
            "2024-01-01  00:00:00Z",
            "2024-01-01T00:00:00Z ",
            "2024-01-01t00:00:00z",
            "2024-02-30T00:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "2024-01-01T00:00:00 Z",
            "2024-01-01T00:00:00,5Z",
            "2024-01-01T00:00:00é",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }
}
