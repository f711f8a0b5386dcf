//! Numbers as they are written in JSON, turned into 64 bits only where nothing is lost.

use super::Kind;
use super::scan;

/// Whether `text` is a number by the grammar of RFC 8259 section 6, and of which kind.
pub fn is_number(text: &str) -> Option<Kind> {
    match scan::number(text.as_bytes(), 0) {
        Ok((end, kind)) if end == text.len() => Some(kind),
        _ => None,
    }
}

/// Whether `text` is an integer by the grammar of RFC 8259 and is written as an integer is printed: `-0` is not.
pub fn is_integer(text: &str) -> bool {
    is_number(text) == Some(Kind::Integer) && text != "-0"
}

/// The 64-bit integer that is exactly the number `text` (`12`, `1.0`, `25e-1` is none).
#[inline]
pub fn exact_long(text: &str, kind: Kind) -> Option<i64> {
    if kind == Kind::Integer { integer(text) } else { real_as_long(text) }
}

/// The number nearest to `text`, if it is finite.
#[inline]
pub fn nearest_double(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// The number that is exactly the integer `text`.
#[inline]
pub fn exact_double(text: &str) -> Option<f64> {
    // Up to 2^53 every integer is a double: up to 15 digits no more is to be asked.
    if text.len() <= 15 {
        return integer(text).map(|value| value as f64);
    }
    let value = nearest_double(text)?;
    // An integral double is printed with all its digits, without exponent.
    (format!("{value:.0}") == text).then_some(value)
}

#[inline]
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > 18 {
        return text.parse().ok();
    }
    // 18 digits do not overflow.
    let value = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit & 0x0f));
    Some(if negative { -value } else { value })
}

#[cold]
fn real_as_long(text: &str) -> Option<i64> {
    let negative = text.starts_with('-');
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (text.get(..at)?, exponent(text.get(at + 1..)?)),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.trim_start_matches('-').split_once('.').unwrap_or((mantissa, ""));
    let whole = whole.trim_start_matches('-');
    // The number is DIGITS * 10^scale, with no zero at either end of the digits.
    let digits = || whole.bytes().chain(fraction.bytes()).map(|digit| digit & 0x0f);
    let count = whole.len() + fraction.len();
    let Some(first) = digits().position(|digit| digit != 0) else { return Some(0) };
    let last = count - digits().rev().position(|digit| digit != 0).unwrap_or(0);
    let scale = exponent.saturating_sub(fraction.len() as i64).saturating_add((count - last) as i64);
    if scale < 0 || (last - first) as i64 > 19 - scale.min(19) {
        return None;
    }
    let value = digits().skip(first).take(last - first).fold(0i128, |value, digit| value * 10 + i128::from(digit));
    let value = value * 10i128.pow(u32::try_from(scale).ok()?);
    i64::try_from(if negative { -value } else { value }).ok()
}

/// An exponent; one that does not fit is as good as the largest.
fn exponent(text: &str) -> i64 {
    let huge = if text.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 };
    text.parse::<i64>().map_or(huge, |value| value.clamp(i64::MIN / 4, i64::MAX / 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(text: &str) -> Option<i64> {
        exact_long(text, is_number(text).unwrap())
    }

    #[test]
    fn integers_are_exact_or_none() {
        assert_eq!(long("0"), Some(0));
        assert_eq!(long("-0"), Some(0));
        assert_eq!(long("123456789012345678"), Some(123_456_789_012_345_678));
        assert_eq!(long("9223372036854775807"), Some(i64::MAX));
        assert_eq!(long("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(long("9223372036854775808"), None);
        assert_eq!(long("-9223372036854775809"), None);
        assert_eq!(long("123456789012345678901234567890"), None);
    }

    #[test]
    fn reals_that_are_integers_are_longs() {
        assert_eq!(long("1.0"), Some(1));
        assert_eq!(long("1e3"), Some(1_000));
        assert_eq!(long("1E+3"), Some(1_000));
        assert_eq!(long("-12.50e1"), Some(-125));
        assert_eq!(long("0.001e3"), Some(1));
        assert_eq!(long("1200e-2"), Some(12));
        assert_eq!(long("-0.0"), Some(0));
        assert_eq!(long("0e99999999999999999999"), Some(0));
        assert_eq!(long("9223372036854775807.0"), Some(i64::MAX));
        assert_eq!(long("9.223372036854775808e18"), None);
        assert_eq!(long("-9.223372036854775808e18"), Some(i64::MIN));
        assert_eq!(long("1.5"), None);
        assert_eq!(long("1e-1"), None);
        assert_eq!(long("1e19"), None);
        assert_eq!(long("1e99999999999999999999"), None);
        assert_eq!(long("1e-99999999999999999999"), None);
        assert_eq!(long("1.00000000000000000000000000000000000001"), None);
        assert_eq!(long("1.0000000000000000000000000000000000000"), Some(1));
    }

    #[test]
    fn doubles_of_integers_are_exact_or_none() {
        assert_eq!(exact_double("-0"), Some(0.0));
        assert_eq!(exact_double("9007199254740992"), Some(9_007_199_254_740_992.0));
        assert_eq!(exact_double("9007199254740993"), None);
        assert_eq!(exact_double("-9007199254740994"), Some(-9_007_199_254_740_994.0));
        assert_eq!(exact_double("100000000000000000000"), Some(1e20));
        assert_eq!(exact_double("100000000000000000001"), None);
        assert_eq!(exact_double(&"9".repeat(400)), None);
        assert_eq!(nearest_double("1e999"), None);
        assert_eq!(nearest_double("0.1"), Some(0.1));
    }

    #[test]
    fn canonical_integers() {
        for text in ["0", "7", "-7", "9223372036854775808"] {
            assert!(is_integer(text), "{text}");
        }
        for text in ["", "-", "-0", "+1", "01", "1.0", " 1", "1 ", "1e3", "0x1"] {
            assert!(!is_integer(text), "{text}");
        }
    }
}
