//! Numbers as they are written, compared exactly: a sign, the digits that mean something, and a power of ten.

/// A number in its one form: zero has no digits, no other number has zeros at either end of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    digits: String,
    power: i64,
}

impl Decimal {
    /// Reads a number that is written as JSON writes it.
    pub fn read(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let huge = if exponent.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 };
        let exponent = exponent.parse::<i64>().unwrap_or(huge).clamp(i64::MIN / 4, i64::MAX / 4);
        let unsigned = mantissa.trim_start_matches('-');
        let (whole, part) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all = format!("{whole}{part}");
        let digits = all.trim_start_matches('0');
        let kept = digits.trim_end_matches('0');
        if kept.is_empty() {
            return Self { negative: false, digits: String::new(), power: 0 };
        }
        let power = exponent - part.len() as i64 + (digits.len() - kept.len()) as i64;
        Self { negative: mantissa.starts_with('-'), digits: kept.to_owned(), power }
    }

    /// The integer of 64 bits that it is exactly.
    pub fn long(&self) -> Option<i64> {
        if self.digits.is_empty() {
            return Some(0);
        }
        if !(0..=19).contains(&self.power) || self.digits.len() > 19 {
            return None;
        }
        let zeros = usize::try_from(self.power).ok()?;
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}{}", self.digits, "0".repeat(zeros)).parse().ok()
    }

    /// Whether an integral double is exactly this: it is printed with all its digits.
    pub fn is_double(&self, value: f64) -> bool {
        Self::read(&format!("{value:.0}")) == *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_one_number() {
        for same in ["1200", "1.2e3", "12e2", "0.012e5", "1200.00"] {
            assert_eq!(Decimal::read(same), Decimal::read("1200"), "{same}");
            assert_eq!(Decimal::read(same).long(), Some(1200));
        }
        assert_eq!(Decimal::read("-0.0e7").long(), Some(0));
        assert_eq!(Decimal::read("9223372036854775808").long(), None);
        assert_eq!(Decimal::read("-9223372036854775808").long(), Some(i64::MIN));
        assert_eq!(Decimal::read("1e99999999999999999999").long(), None);
        assert!(Decimal::read("9007199254740992").is_double(9_007_199_254_740_992.0));
        assert!(!Decimal::read("9007199254740993").is_double(9_007_199_254_740_992.0));
    }
}
