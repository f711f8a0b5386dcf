//! A chunk of a drop into rows, or into what was observed.

use std::ops::ControlFlow;

use super::Rows;
use crate::infer::Observed;
use crate::json::Tape;
use crate::record::{Chunk, RecordFault, Span};
use crate::split::CsvFields;

/// How the records of a chunk are written.
#[derive(Debug)]
pub enum RecordKind<'a> {
    /// Each is a JSON value.
    Json,
    /// Each is a CSV record.
    Csv {
        /// The names of the fields.
        header: &'a [String],
        /// What takes a record apart.
        fields: &'a mut CsvFields,
    },
}

/// What is told of each record: its ordinal in the drop, its span, and whether it is a row now or why not.
pub type OnRecord<'a> = dyn FnMut(u64, &Span, Result<(), RecordFault>) -> ControlFlow<()> + 'a;

/// Appends the chunk's records from the span at `from` on, in order. It ends when `on` breaks off, when the rows are full ([`Rows::is_full`]) or with the
/// chunk; gives the first span that was not taken.
pub fn decode_chunk(chunk: &Chunk, from: usize, rows: &mut Rows, kind: RecordKind<'_>, on: &mut OnRecord<'_>) -> usize {
    let texts = Texts::new(chunk);
    match kind {
        RecordKind::Json => {
            each(chunk, from, rows, on, |rows, span| texts.get(span).and_then(|text| rows.append_json(text)))
        }
        RecordKind::Csv { header, fields } => {
            rows.set_csv_header(header);
            each(chunk, from, rows, on, |rows, span| {
                texts.get(span).and_then(|text| fields.split(text, |fields| rows.append_csv(fields)).flatten())
            })
        }
    }
}

/// Takes in all records of a chunk that can be read.
pub fn observe_chunk(chunk: &Chunk, kind: RecordKind<'_>, tape: &mut Tape, observed: &mut Observed) {
    let texts = Texts::new(chunk);
    let readable = chunk.spans.iter().filter(|span| span.fault.is_none()).filter_map(|span| texts.get(span).ok());
    match kind {
        RecordKind::Json => {
            for text in readable {
                if tape.parse(text).is_ok() {
                    observed.observe_json(text, tape);
                }
            }
        }
        RecordKind::Csv { header, fields } => {
            for text in readable {
                // A record with another number of fields is no row: what it shows is worth nothing.
                let _ = fields.split(text, |fields| {
                    if fields.len() == header.len() {
                        observed.observe_csv(header, fields);
                    }
                });
            }
        }
    }
}

/// Takes span after span, until one of them breaks off or the rows are full.
fn each(
    chunk: &Chunk,
    from: usize,
    rows: &mut Rows,
    on: &mut OnRecord<'_>,
    mut append: impl FnMut(&mut Rows, &Span) -> Result<(), RecordFault>,
) -> usize {
    for (index, span) in chunk.spans.iter().enumerate().skip(from) {
        if rows.is_crowded_by(span.end - span.start) {
            return index;
        }
        let appended = match &span.fault {
            Some(fault) => Err(fault.clone()),
            None => append(rows, span),
        };
        if on(chunk.first_record + index as u64, span, appended).is_break() || rows.is_full() {
            return index + 1;
        }
    }
    chunk.spans.len()
}

/// The text of a chunk's records. UTF-8 is checked once for the chunk; only where that fails, for each record.
struct Texts<'a> {
    bytes: &'a [u8],
    text: Option<&'a str>,
}

impl<'a> Texts<'a> {
    fn new(chunk: &'a Chunk) -> Self {
        Self { bytes: &chunk.bytes, text: simdutf8::basic::from_utf8(&chunk.bytes).ok() }
    }

    #[inline]
    fn get(&self, span: &Span) -> Result<&'a str, RecordFault> {
        match self.text.and_then(|text| text.get(span.start..span.end)) {
            Some(text) => Ok(text),
            None => self.checked(span),
        }
    }

    #[cold]
    fn checked(&self, span: &Span) -> Result<&'a str, RecordFault> {
        let bytes = self.bytes.get(span.start..span.end).unwrap_or_default();
        simdutf8::compat::from_utf8(bytes).map_err(|error| {
            let at = error.valid_up_to();
            RecordFault { reason: format!("no valid UTF-8 at byte {} of the record", at + 1), at }
        })
    }
}
