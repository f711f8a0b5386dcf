//! One end of a column's values: taken from a footer, compared, and written outward.

use arrow_schema::{DataType, TimeUnit};
use parquet::file::statistics::Statistics;

use super::json;
use crate::text::{date_text, decimal_text, timestamp_text};

/// Which end of the values a bound is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Min,
    Max,
}

/// A bound in the physical type's order.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(super) enum Bound {
    Whole(i128),
    Real(f64),
    Text(Vec<u8>),
}

impl Bound {
    /// A row group's bound; `None` where it has none, or none that could be written.
    pub(super) fn of(statistics: &Statistics, data_type: &DataType, end: End) -> Option<Self> {
        fn pick<T: Clone>(min: Option<&T>, max: Option<&T>, end: End) -> Option<T> {
            if end == End::Min { min } else { max }.cloned()
        }
        let decimal = matches!(data_type, DataType::Decimal128(_, _));
        match statistics {
            Statistics::Int32(s) => pick(s.min_opt(), s.max_opt(), end).map(|v| Self::Whole(v.into())),
            Statistics::Int64(s) => pick(s.min_opt(), s.max_opt(), end).map(|v| Self::Whole(v.into())),
            Statistics::Float(s) => pick(s.min_opt(), s.max_opt(), end).map(|v| Self::Real(v.into())),
            Statistics::Double(s) => pick(s.min_opt(), s.max_opt(), end).map(Self::Real),
            Statistics::ByteArray(s) => {
                let bytes = pick(s.min_opt(), s.max_opt(), end)?;
                if decimal { big_endian(bytes.data()) } else { Some(Self::Text(bytes.data().to_vec())) }
            }
            Statistics::FixedLenByteArray(s) if decimal => big_endian(pick(s.min_opt(), s.max_opt(), end)?.data()),
            _ => None,
        }
    }

    /// The bound of the two that lies further out.
    pub(super) fn outer(self, other: Self, end: End) -> Self {
        let self_is_outer = if end == End::Min { self <= other } else { self >= other };
        if self_is_outer { self } else { other }
    }

    /// The bound as JSON for a column of this type; `None` where no sound one can be written.
    pub(super) fn render(&self, data_type: &DataType, end: End, characters_max: usize) -> Option<String> {
        match (self, data_type) {
            (Self::Whole(v), DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64) => {
                Some(v.to_string())
            }
            (Self::Whole(v), DataType::Date32) => date_text(i64::try_from(*v).ok()?).map(|day| json::text(&day)),
            (Self::Whole(v), DataType::Timestamp(unit, zone)) => {
                let moment = milliseconds_outward(*v, *unit, end)?;
                let text = timestamp_text(moment.checked_mul(1_000)?, 'T', 3)?;
                Some(json::text(&if zone.is_some() { text + "Z" } else { text }))
            }
            (Self::Whole(v), DataType::Decimal128(_, scale)) => decimal_text(*v, *scale),
            (Self::Real(v), DataType::Float32) if v.is_finite() => Some(serde_json::Value::from(*v as f32).to_string()),
            (Self::Real(v), DataType::Float64) if v.is_finite() => Some(serde_json::Value::from(*v).to_string()),
            (Self::Text(v), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => {
                cut_text(v, end, characters_max).map(|text| json::text(&text))
            }
            _ => None,
        }
    }
}

fn big_endian(bytes: &[u8]) -> Option<Bound> {
    let negative = bytes.first()? & 0x80 != 0;
    let mut number = [if negative { 255 } else { 0 }; 16];
    number.get_mut(16_usize.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
    Some(Bound::Whole(i128::from_be_bytes(number)))
}

/// Whole milliseconds, down for a minimum and up for a maximum: readers keep no more.
fn milliseconds_outward(value: i128, unit: TimeUnit, end: End) -> Option<i64> {
    let per_millisecond = match unit {
        TimeUnit::Second => return i64::try_from(value).ok()?.checked_mul(1_000),
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1_000_000,
    };
    let down = value.div_euclid(per_millisecond);
    let up = i128::from(end == End::Max && value.rem_euclid(per_millisecond) != 0);
    i64::try_from(down + up).ok()
}

/// The first characters of a text: a minimum may be cut, a maximum that was cut must grow.
fn cut_text(bytes: &[u8], end: End, characters_max: usize) -> Option<String> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if end == End::Min => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    match text.char_indices().nth(characters_max) {
        None => Some(text.to_owned()),
        Some((length, _)) if end == End::Min => Some(text[..length].to_owned()),
        Some((length, _)) => grown(&text[..length]),
    }
}

/// The shortest text above every text that begins with this one.
fn grown(text: &str) -> Option<String> {
    let mut kept = text.to_owned();
    while let Some(last) = kept.pop() {
        let after_surrogates = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = after_surrogates {
            kept.push(next);
            return Some(kept);
        }
    }
    None
}
