//! Days, moments and decimals as texts, in the forms that Delta asks for.

/// A day as `YYYY-MM-DD`; `None` outside the years 1 to 9999, which have no such form.
pub(crate) fn date_text(days: i64) -> Option<String> {
    let (year, month, day) = civil(days);
    (1..=9999).contains(&year).then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// A moment in microseconds since 1970, UTC, with this many digits (0 to 6) of the second's fraction.
pub(crate) fn timestamp_text(microseconds: i64, separator: char, digits: u32) -> Option<String> {
    let seconds = microseconds.div_euclid(1_000_000);
    let fraction = microseconds.rem_euclid(1_000_000);
    let day = date_text(seconds.div_euclid(86_400))?;
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let whole = format!("{day}{separator}{hour:02}:{minute:02}:{second:02}");
    if digits == 0 {
        return Some(whole);
    }
    let fraction = fraction / 10_i64.pow(6 - digits.min(6));
    Some(format!("{whole}.{fraction:0width$}", width = digits as usize))
}

/// A decimal with its point, every digit kept.
pub(crate) fn decimal_text(unscaled: i128, scale: i8) -> Option<String> {
    let scale = usize::try_from(scale).ok()?;
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    Some(if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// Year, month and day of a day counted from 1970-01-01 in the proleptic Gregorian calendar (Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms", `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_written_as_delta_reads_them() {
        assert_eq!(date_text(0).as_deref(), Some("1970-01-01"));
        assert_eq!(date_text(11_016).as_deref(), Some("2000-02-29"));
        assert_eq!(date_text(-719_162).as_deref(), Some("0001-01-01"));
        assert_eq!(date_text(-719_163), None);
        assert_eq!(date_text(2_932_896).as_deref(), Some("9999-12-31"));
        assert_eq!(date_text(2_932_897), None);
        assert_eq!(timestamp_text(-1, ' ', 6).as_deref(), Some("1969-12-31 23:59:59.999999"));
        assert_eq!(timestamp_text(86_400_123_456, 'T', 3).as_deref(), Some("1970-01-02T00:00:00.123"));
    }

    #[test]
    fn decimals_keep_their_digits() {
        assert_eq!(decimal_text(-5, 3).as_deref(), Some("-0.005"));
        assert_eq!(decimal_text(12_345, 2).as_deref(), Some("123.45"));
        assert_eq!(decimal_text(7, 0).as_deref(), Some("7"));
    }
}
