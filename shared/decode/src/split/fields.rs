//! The fields of one CSV record, without an allocation for each.

use crate::limits::{MAX_CSV_FIELDS, OverLimit};
use crate::record::{CsvField, RecordFault};

use super::CsvOptions;
use super::csv::end_of_quoted;

/// Takes CSV records apart into fields; its buffers are reused from record to record.
#[derive(Debug, Default)]
pub struct CsvFields {
    options: CsvOptions,
    places: Vec<Place>,
    /// The text of the fields with doubled quotes, made single.
    unescaped: String,
    /// Kept for its allocation; always empty.
    spare: Vec<CsvField<'static>>,
}

/// Where the text of a field stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    end: usize,
    quoted: bool,
    /// Whether it stands in `unescaped` and not in the record.
    unescaped: bool,
}

impl CsvFields {
    /// Takes apart records that are written so.
    pub fn new(options: CsvOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Gives the fields of one record to `take`. The record is whole and has no line end, as splitting cuts it.
    ///
    /// # Errors
    /// The record's quoting is broken, or it has more than [`MAX_CSV_FIELDS`] fields.
    pub fn split<T>(&mut self, record: &str, take: impl FnOnce(&[CsvField<'_>]) -> T) -> Result<T, RecordFault> {
        self.places.clear();
        self.unescaped.clear();
        if memchr::memchr(self.options.quote, record.as_bytes()).is_none() {
            self.place_unquoted(record.as_bytes());
        } else {
            self.place(record)?;
        }
        if self.places.len() > MAX_CSV_FIELDS {
            return Err(RecordFault { reason: OverLimit::CsvFields.to_string(), at: 0 });
        }
        let mut fields = recycle(std::mem::take(&mut self.spare));
        for place in &self.places {
            let text = if place.unescaped { &self.unescaped } else { record };
            let text = text.get(place.start..place.end).unwrap_or_default();
            fields.push(CsvField { text, quoted: place.quoted });
        }
        let taken = take(&fields);
        self.spare = recycle(fields);
        Ok(taken)
    }

    fn place_unquoted(&mut self, record: &[u8]) {
        let mut start = 0;
        for end in memchr::memchr_iter(self.options.separator, record) {
            self.places.push(Place { start, end, quoted: false, unescaped: false });
            start = end + 1;
        }
        self.places.push(Place { start, end: record.len(), quoted: false, unescaped: false });
    }

    fn place(&mut self, record: &str) -> Result<(), RecordFault> {
        let CsvOptions { separator, quote } = self.options;
        let bytes = record.as_bytes();
        let mut at = 0;
        loop {
            let start = at;
            if bytes.get(at) == Some(&quote) {
                let Some(after) = end_of_quoted(bytes, at + 1, quote) else {
                    return Err(broken("a quote is opened and never closed", start));
                };
                at = after;
                if bytes.get(at).is_some_and(|byte| *byte != separator) {
                    return Err(broken("text follows a closing quote", at));
                }
                self.place_quoted(record, start + 1, at - 1);
            } else {
                at += memchr::memchr(separator, &bytes[at..]).unwrap_or(bytes.len() - at);
                self.places.push(Place { start, end: at, quoted: false, unescaped: false });
            }
            if at == bytes.len() {
                return Ok(());
            }
            at += 1;
        }
    }

    /// Places the field whose content stands here, between its quotes.
    fn place_quoted(&mut self, record: &str, start: usize, end: usize) {
        let quote = self.options.quote;
        let content = record.get(start..end).unwrap_or_default();
        if memchr::memchr(quote, content.as_bytes()).is_none() {
            self.places.push(Place { start, end, quoted: true, unescaped: false });
            return;
        }
        let from = self.unescaped.len();
        let mut copied = 0;
        // Quotes within come in pairs: each first one is copied, each second one left out.
        for second in memchr::memchr_iter(quote, content.as_bytes()).skip(1).step_by(2) {
            self.unescaped.push_str(content.get(copied..second).unwrap_or_default());
            copied = second + 1;
        }
        self.unescaped.push_str(content.get(copied..).unwrap_or_default());
        self.places.push(Place { start: from, end: self.unescaped.len(), quoted: true, unescaped: true });
    }
}

fn broken(reason: &str, at: usize) -> RecordFault {
    RecordFault { reason: format!("the quoting is broken: {reason}"), at }
}

/// The same allocation for fields that live otherwise long: collecting from a vector's own iterator happens in place.
fn recycle<'b>(mut fields: Vec<CsvField<'_>>) -> Vec<CsvField<'b>> {
    fields.clear();
    fields.into_iter().map_while(|_| None).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_share_one_allocation() {
        let mut splitting = CsvFields::new(CsvOptions::default());
        splitting.split("a,b,c,d,e", |_| ()).expect("sound quoting");
        let (place, capacity) = (splitting.spare.as_ptr(), splitting.spare.capacity());
        assert!(capacity >= 5);
        for _ in 0..3 {
            splitting.split("1,\"2\",3", |fields| assert_eq!(fields.as_ptr().cast(), place)).expect("sound quoting");
            assert_eq!((splitting.spare.as_ptr(), splitting.spare.capacity()), (place, capacity));
        }
    }
}
