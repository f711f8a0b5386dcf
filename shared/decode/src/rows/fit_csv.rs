//! Fitting CSV text into columns.
//!
//! An empty field without quotes is null in every column. Else a String takes the text as it is, a Long integers as they
//! are printed (no `+`, no leading zeros, no blanks, no `-0`) and reals that are an integer exactly, a Double any number
//! that JSON could write, a Boolean true or false in any case, a Date and a Timestamp what they take from JSON strings, a
//! Struct and a List text that is a JSON object or array.

use super::columns::Column;
use crate::calendar;
use crate::json::{self, Kind};
use crate::record::CsvField;

/// How a field's text went into its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Whole.
    Whole,
    /// Not at all: the column is null.
    Not,
    /// Its text may be JSON for this column: parse it and fit that.
    AsJson,
}

impl Column {
    /// Fits a field as the value of `row`, or puts null there.
    pub(super) fn fit_csv(&mut self, field: &CsvField<'_>, row: usize) -> Fit {
        let text = field.text;
        if text.is_empty() && !field.quoted {
            self.pad(row + 1);
            return Fit::Whole;
        }
        let fits = match &mut *self {
            Self::Text(texts) if texts.never_empty && text.is_empty() => false,
            Self::Text(texts) => {
                texts.put(row, text);
                true
            }
            Self::Long(longs) => longs.put_some(row, long(text)),
            Self::Double(doubles) => doubles.put_some(row, double(text)),
            Self::Boolean(booleans) => {
                let value = text.eq_ignore_ascii_case("true");
                let fits = value || text.eq_ignore_ascii_case("false");
                if fits {
                    booleans.put(row, value);
                }
                fits
            }
            Self::Date(days) => days.put_some(row, calendar::date(text)),
            Self::Timestamp(moments) => moments.put_some(row, calendar::timestamp(text)),
            Self::Struct(_) | Self::List(_) => return Fit::AsJson,
            Self::Other => false,
        };
        if fits {
            return Fit::Whole;
        }
        self.pad(row + 1);
        Fit::Not
    }
}

fn long(text: &str) -> Option<i64> {
    match json::is_number(text)? {
        Kind::Integer if text == "-0" => None,
        kind => json::exact_long(text, kind),
    }
}

fn double(text: &str) -> Option<f64> {
    match json::is_number(text)? {
        Kind::Integer => json::exact_double(text),
        _ => json::nearest_double(text),
    }
}
