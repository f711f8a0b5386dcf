use std::fmt;

use serde::{Deserialize, Serialize};

/// A moment, in microseconds since 1970-01-01T00:00:00Z: Delta's and Arrow's resolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

const MICROSECONDS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

impl Timestamp {
    /// The moment in whole milliseconds since 1970; 0 before it.
    pub fn milliseconds(self) -> u64 {
        u64::try_from(self.0 / 1_000).unwrap_or(0)
    }

    /// Microseconds from `earlier` to this moment; 0 if it is not earlier.
    pub fn microseconds_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    /// Reads a moment as AWS writes it in events, `2026-11-22T17:05:00.123Z` with or without a fraction: RFC 3339 in UTC, years 1970
    /// to 9999. What lies below a microsecond is cut.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('Z')?;
        let (date, time) = text.split_once('T')?;
        let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
        let length = [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let days_of_month = *length.get(usize::try_from(month - 1).ok()?)?;
        // A leap second has no moment of its own.
        if year < 1970 || !(1..=days_of_month).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        if time.contains('.') && fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let microseconds: i64 = format!("{:0<6}", fraction).get(..6)?.parse().ok()?;
        let days = days_before_year(year) - days_before_year(1970)
            + length.iter().take(usize::try_from(month - 1).ok()?).sum::<i64>()
            + day
            - 1;
        let seconds = days * SECONDS_PER_DAY + hour * 3_600 + minute * 60 + second;
        Some(Self(seconds * MICROSECONDS_PER_SECOND + microseconds))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds, as AWS writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(MICROSECONDS_PER_SECOND);
        let milliseconds = self.0.rem_euclid(MICROSECONDS_PER_SECOND) / 1_000;
        let (mut days, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
        days += days_before_year(1970);
        // 146,097 days in 400 years: at most one year too early.
        let mut year = days * 400 / 146_097;
        while days_before_year(year + 1) <= days {
            year += 1;
        }
        while days_before_year(year) > days {
            year -= 1;
        }
        let mut day = days - days_before_year(year);
        let mut month = 1;
        for length in [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
            if day < length {
                break;
            }
            day -= length;
            month += 1;
        }
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z", day + 1)
    }
}

/// Numbers of so many digits with a sign between them.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut read = [0; 3];
    for (number, digits) in read.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(read)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days from the first of January of the year 0 to that of `year`.
fn days_before_year(year: i64) -> i64 {
    let before = year - 1;
    year * 365 + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_and_writes_what_aws_writes() {
        for (text, seconds, written) in [
            ("1970-01-01T00:00:00.000Z", 0, "1970-01-01T00:00:00.000Z"),
            ("2000-02-29T12:30:15Z", 951_827_415, "2000-02-29T12:30:15.000Z"),
            ("2026-11-22T17:05:00Z", 1_795_367_100, "2026-11-22T17:05:00.000Z"),
            ("9999-12-31T23:59:59Z", 253_402_300_799, "9999-12-31T23:59:59.000Z"),
        ] {
            let moment = Timestamp::parse(text).expect(text);
            assert_eq!((moment.0, moment.to_string().as_str()), (seconds * 1_000_000, written));
        }
        assert_eq!(Timestamp::parse("1970-01-01T00:00:01.1234567Z"), Some(Timestamp(1_123_456)));
        assert_eq!(Timestamp(-1_000).to_string(), "1969-12-31T23:59:59.999Z");
        for wrong in ["", "2026-13-01T00:00:00Z", "2025-02-29T00:00:00Z", "2026-1-01T00:00:00Z", "2026-01-01", "T", "Z"]
        {
            assert_eq!(Timestamp::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_moment_comes_back(milliseconds in 0_i64..253_402_300_800_000) {
            let moment = Timestamp(milliseconds * 1_000);
            prop_assert_eq!(Timestamp::parse(&moment.to_string()), Some(moment));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9TZ:.\\-é]{0,30}") {
            let _ = Timestamp::parse(&text);
        }
    }
}
