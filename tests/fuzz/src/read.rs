//! A drop's bytes through the decoders, in the order in which staging calls them: told apart, cut into chunks, fitted into rows.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;

use decode::format::{Compression, Format, Packing};
use decode::hints::Hints;
use decode::infer::{Observed, Resolved};
use decode::inflate::{Buffers, Inflate};
use decode::json::Tape;
use decode::record::{Chunk, DropFault};
use decode::rows::{RecordKind, Rows, decode_chunk, observe_chunk};
use decode::schema::TableSchema;
use decode::split::{CsvFields, CsvOptions, Splitter};

use crate::cells::{self, Row};

/// A drop as it lies there, and how it is read.
#[derive(Clone, Copy, Debug)]
pub struct Drop<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its format.
    pub format: Format,
    /// Its compression.
    pub compression: Compression,
    /// About how large a chunk is; zero for the size that the product takes.
    pub chunk: usize,
}

/// A record that was read, as a row or quarantined.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// Its ordinal in the drop.
    pub ordinal: u64,
    /// The line that it begins on.
    pub line: u64,
    /// Its first byte within the content.
    pub start: u64,
    /// Its bytes, as far as they are kept.
    pub bytes: Vec<u8>,
    /// Whether splitting found that it cannot be read.
    pub cut_badly: bool,
    /// Which of the drop's schemas it was fitted to.
    pub schema: usize,
    /// Its row, or why it is none.
    pub outcome: Result<Row, String>,
}

/// What became of a drop.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Its records in order, and whether the last took the rest of the drop with it.
    pub records: Vec<Read>,
    /// The names of a CSV drop.
    pub header: Vec<String>,
    /// The schemas that its records were fitted to, one after another.
    pub schemas: Vec<TableSchema>,
    /// Why it cannot be read at all; nothing of it may be used then.
    pub unreadable: Option<String>,
}

thread_local! {
    /// As a worker has them: what one drop leaves behind must not reach the next.
    static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers::new());
}

/// The schema that a drop shows. The same whatever the chunks, whether what they show is seen at once or put together, as workers do.
pub fn learn(drop: Drop<'_>) -> Resolved {
    let (mut at_once, mut together) = (Observed::new(), Observed::new());
    let (mut tape, mut fields) = (Tape::new(), CsvFields::default());
    let _ = each_chunk(drop, |chunk, splitter| {
        let mut own = Observed::new();
        for observed in [&mut at_once, &mut own] {
            observe_chunk(chunk, kind(drop.format, splitter, &mut fields), &mut tape, observed);
        }
        together.merge(&own);
    });
    let resolved = at_once.resolve(&Hints::default(), None);
    assert_eq!(resolved, together.resolve(&Hints::default(), None), "what chunks show can be put together");
    resolved
}

/// Reads a drop into rows of a schema. Where it `grows`, fields that it lacks become columns, as staging does it; else their values are
/// rescued.
pub fn read(drop: Drop<'_>, schema: &TableSchema, grows: bool) -> Outcome {
    let mut rows = Rows::new(Arc::new(schema.clone()));
    let (mut records, mut header, mut fields) = (Vec::<Read>::new(), Vec::new(), CsvFields::default());
    let mut schemas = vec![schema.clone()];
    let ended = each_chunk(drop, |chunk, splitter| {
        header = splitter.csv_header().to_vec();
        assert_eq!(chunk.first_record, records.len() as u64, "ordinals go on from chunk to chunk");
        let mut from = 0;
        while from < chunk.spans.len() {
            let mark = records.len();
            let mut fitted = fit(drop.format, chunk, from, splitter, &mut fields, &mut rows, &mut records);
            if let Some(unknown) = rows.unknown().filter(|_| grows) {
                let wider = unknown.resolve(&Hints::default(), Some(rows.schema())).schema;
                if wider != **rows.schema() {
                    rows.truncate(0);
                    records.truncate(mark);
                    rows.evolve(Arc::new(wider.clone())).expect("a schema that grew has the old one's fields first");
                    schemas.push(wider);
                    fitted = fit(drop.format, chunk, from, splitter, &mut fields, &mut rows, &mut records);
                }
            }
            rows.refuse_unknown();
            let done = cells::rows(&rows.finish());
            give_rows(&mut records[mark..], done, schemas.len() - 1);
            from = fitted;
        }
    });
    let unreadable = ended.err();
    Outcome { records, header, schemas, unreadable }
}

/// Fits the spans from `from` on. Gives the next one.
fn fit(
    format: Format,
    chunk: &Chunk,
    from: usize,
    splitter: &mut Splitter,
    fields: &mut CsvFields,
    rows: &mut Rows,
    records: &mut Vec<Read>,
) -> usize {
    let mut spreads = false;
    let next = decode_chunk(chunk, from, rows, kind(format, splitter, fields), &mut |ordinal, span, appended| {
        let bytes = chunk.bytes.get(span.start..span.end).expect("a span lies within its chunk").to_vec();
        assert_eq!(ordinal, records.len() as u64, "each record has its ordinal");
        let outcome = appended.map(|()| Row { cells: serde_json::Value::Null, rescued: None });
        let cut_badly = span.fault.is_some();
        spreads = outcome.is_err() && !cut_badly && splitter.fault_spreads(&bytes);
        let outcome = outcome.map_err(|fault| fault.reason);
        let start = chunk.first_byte + span.start as u64;
        records.push(Read { ordinal, line: span.line, start, bytes, cut_badly, schema: 0, outcome });
        if spreads { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if spreads {
        splitter.poison();
    }
    if spreads { chunk.spans.len() } else { next }
}

/// Puts finished rows where their records are.
fn give_rows(records: &mut [Read], rows: Vec<Row>, schema: usize) {
    let mut rows = rows.into_iter();
    for record in records {
        record.schema = schema;
        if let Ok(row) = &mut record.outcome {
            *row = rows.next().expect("a row for each record that was taken");
        }
    }
    assert_eq!(rows.next(), None, "no row without a record");
}

/// Reads a drop chunk by chunk. The error is why it cannot be read.
fn each_chunk(drop: Drop<'_>, mut on: impl FnMut(&Chunk, &mut Splitter)) -> Result<(), String> {
    BUFFERS.with_borrow_mut(|buffers| {
        let mut content = Inflate::new(buffers, drop.bytes, Packing::given(drop.compression));
        let mut splitter = if drop.chunk == 0 { Splitter::new() } else { Splitter::with_chunk_bytes(drop.chunk) };
        splitter.begin(drop.format, CsvOptions::default());
        let mut chunk = Chunk::default();
        loop {
            match splitter.next_chunk(&mut content, &mut chunk) {
                Ok(true) => on(&chunk, &mut splitter),
                Ok(false) => return Ok(()),
                Err(DropFault::Unreadable(reason)) => return Err(reason),
                Err(DropFault::Passing(error)) => panic!("reading memory failed: {error}"),
            }
        }
    })
}

fn kind<'a>(format: Format, splitter: &'a Splitter, fields: &'a mut CsvFields) -> RecordKind<'a> {
    match format {
        Format::Json => RecordKind::Json,
        Format::Csv => RecordKind::Csv { header: splitter.csv_header(), fields },
    }
}
