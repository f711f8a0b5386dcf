//! Chunks into rows: order, ordinals, faults, UTF-8, breaking off.

use std::ops::ControlFlow;

use super::*;
use crate::record::{Chunk, Span};
use crate::split::CsvFields;

/// A chunk of these lines; one that begins with `!` has a fault already.
fn chunk(lines: &[&[u8]]) -> Chunk {
    let mut chunk = Chunk { first_record: 10, ..Chunk::default() };
    for (line, bytes) in lines.iter().enumerate() {
        let start = chunk.bytes.len();
        chunk.bytes.extend_from_slice(bytes);
        let fault = bytes.starts_with(b"!").then(|| RecordFault { reason: "cut".to_owned(), at: 3 });
        chunk.spans.push(Span { start, end: chunk.bytes.len(), missing: Some(0), line: line as u64 + 1, fault });
        chunk.bytes.push(b'\n');
    }
    chunk
}

/// Decodes from a span on; gives where it ended and what was told.
fn decode(
    chunk: &Chunk,
    from: usize,
    rows: &mut Rows,
    kind: RecordKind<'_>,
    stop: Option<u64>,
) -> (usize, Vec<(u64, String)>) {
    let mut told = Vec::new();
    let end = decode_chunk(chunk, from, rows, kind, &mut |ordinal, span, appended| {
        assert_eq!(chunk.spans[(ordinal - 10) as usize], *span);
        told.push((ordinal, appended.err().map_or(String::new(), |fault| fault.reason)));
        if stop == Some(ordinal) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (end, told)
}

#[test]
fn bad_records_cost_only_themselves() {
    let chunk = chunk(&[b"{\"a\":1}", b"!", b"{\"a\":", b"{\"a\":\"\xff\"}", b"[]", b"{\"a\":2}"]);
    let mut rows = rows("a bigint");
    let (end, told) = decode(&chunk, 0, &mut rows, RecordKind::Json, None);
    assert_eq!(end, 6);
    let words = ["", "cut", "no valid JSON", "no valid UTF-8 at byte 7", "must be a JSON object", ""];
    assert_eq!(told.len(), words.len());
    for ((index, (ordinal, reason)), words) in told.iter().enumerate().zip(words) {
        assert!(
            *ordinal == 10 + index as u64 && reason.contains(words) && reason.is_empty() == words.is_empty(),
            "{reason}"
        );
    }
    assert_eq!(read(&rows.finish()), [kept(json!({"a": 1})), kept(json!({"a": 2}))]);
}

#[test]
fn the_caller_can_break_off_and_go_on() {
    let chunk = chunk(&[b"{\"a\":1}", b"{\"a\":2}", b"{\"a\":3}"]);
    let mut rows = rows("a bigint");
    assert_eq!(decode(&chunk, 0, &mut rows, RecordKind::Json, Some(11)).0, 2);
    assert_eq!(rows.len(), 2);
    assert_eq!(decode(&chunk, 2, &mut rows, RecordKind::Json, None), (3, vec![(12, String::new())]));
    assert_eq!(rows.len(), 3);
}

#[test]
fn it_ends_when_the_rows_are_full() {
    let chunk = chunk(&[b"{\"a\":1}", b"{\"a\":2}", b"{\"a\":3}"]);
    let mut rows = rows("a bigint");
    rows.set_room(1);
    for from in 0..3 {
        let (end, told) = decode(&chunk, from, &mut rows, RecordKind::Json, None);
        assert_eq!((end, told.len()), (from + 1, 1));
        assert_eq!(read(&rows.finish()), [kept(json!({"a": from + 1}))]);
    }
}

#[test]
fn few_bytes_that_are_many_in_memory_fill_the_rows_within_a_chunk() {
    // Of so many columns each row takes 16 kB; what is null is reckoned, and held only when the rows are finished.
    let wide: Vec<String> = (0..2_000).map(|n| format!("c{n} bigint")).collect();
    let mut rows = rows(&format!("a bigint, {}", wide.join(", ")));
    rows.set_room(10 << 20);
    let records: Vec<&[u8]> = vec![b"{\"a\":1}"; 5_000];
    let chunk = chunk(&records);
    let (mut from, mut finished) = (0, 0);
    while from < records.len() {
        from = decode(&chunk, from, &mut rows, RecordKind::Json, None).0;
        assert!(rows.memory() < 11 << 20, "{}", rows.memory());
        finished += rows.finish().num_rows();
    }
    assert_eq!(finished, records.len());
}

#[test]
fn csv_records() {
    let chunk = chunk(&[b"1,\"x \"\"y\"\"\"", b"2", b"3,\"x\"z", b"4,"]);
    let header = ["a".to_owned(), "b".to_owned()];
    let mut rows = rows("a bigint, b string");
    let mut fields = CsvFields::default();
    let (_, told) = decode(&chunk, 0, &mut rows, RecordKind::Csv { header: &header, fields: &mut fields }, None);
    let good: Vec<_> = told.iter().map(|(_, reason)| reason.is_empty()).collect();
    assert_eq!(good, [true, false, false, true], "{told:?}");
    assert_eq!(read(&rows.finish()), [kept(json!({"a": 1, "b": "x \"y\""})), kept(json!({"a": 4}))]);
}

#[test]
fn chunks_are_observed() {
    let mut observed = Observed::new();
    let mut tape = Tape::new();
    observe_chunk(
        &chunk(&[b"{\"a\":1}", b"{\"b\"", b"!", b"\xff", b"{\"c\":[true]}"]),
        RecordKind::Json,
        &mut tape,
        &mut observed,
    );
    let header = ["d".to_owned(), "e".to_owned()];
    let mut fields = CsvFields::default();
    let kind = RecordKind::Csv { header: &header, fields: &mut fields };
    observe_chunk(&chunk(&[b"1,1970-01-01", b"x"]), kind, &mut tape, &mut observed);
    let found = observed.resolve(&Hints::default(), None);
    assert_eq!(found.schema, *schema("a bigint, c array<boolean>, d bigint, e date"));
}
