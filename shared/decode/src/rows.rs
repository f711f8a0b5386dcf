//! Columns built in memory from records, each record whole or not at all.
//!
//! A record is checked before any of it is appended, so a fault appends nothing. What of it does not fit the schema, and
//! what the schema has no column for, is rescued: kept as JSON in `_rescued_data`. Rows can be rolled back to a number of
//! rows (a drop that turns out to be damaged takes its rows with it) and take on new columns at any time. In the steady
//! state no row allocates.
//!
//! `columns` and `fields` hold the values, `fit_json` and `fit_csv` put values into them, `rescue` keeps what is left over,
//! `misfits` names the columns that it did not fit, `arrays` hands the vectors to Arrow, `chunk` drives it all over a chunk of a drop.

mod arrays;
mod chunk;
mod columns;
mod fields;
mod fit_csv;
mod fit_json;
mod misfits;
mod rescue;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StructArray};
use arrow_schema::{DataType, Field as ArrowField, Fields};

pub use chunk::{OnRecord, RecordKind, decode_chunk, observe_chunk};
use columns::Texts;
use fields::FieldColumns;
use fit_csv::Fit;
use fit_json::{Aside, Record};
use misfits::{Gathered, Path};
pub use misfits::{MAX_MISFITS_NAMED, Misfit, MisfitCause, Misfits, NoColumn, column_hash};

use crate::hints::quoted;
use crate::infer::Observed;
use crate::json::{Kind, Tape, write_string};
use crate::limits::{MAX_RECORD_MEMORY_BYTES, OverLimit};
use crate::names;
use crate::record::{CsvField, RecordFault};
use crate::schema::{TableSchema, Type};

/// The most room that there may be: Arrow's text columns stop at 2 GiB.
const MAX_ROOM_BYTES: usize = 256 << 20;

/// Rows in memory.
#[derive(Debug)]
pub struct Rows {
    schema: Arc<TableSchema>,
    /// The data columns, then `_rescued_data`.
    arrow: Fields,
    columns: FieldColumns,
    rescued: Texts,
    /// The rows with rescued data.
    rescued_rows: Vec<usize>,
    len: usize,
    /// Never less than what the rows take: text that was appended, and the columns' width.
    bytes: usize,
    /// The columns' width, see [`columns::Column::width`].
    width: usize,
    /// What each row takes elsewhere, see [`Rows::set_beside`].
    beside: usize,
    /// Where [`Rows::is_full`] begins.
    room: usize,
    header: Header,
    unknown: Observed,
    tape: Tape,
    aside: Aside,
    /// What is rescued of a CSV record.
    remainder: Vec<u8>,
    /// The columns that take no empty text.
    never_empty: Vec<String>,
    misfits: Gathered,
}

/// The names of a CSV drop's fields, and their columns.
#[derive(Debug, Default)]
struct Header {
    names: Vec<String>,
    columns: Vec<HeaderColumn>,
}

/// Where the values of a CSV field go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeaderColumn {
    /// Into this column.
    Column(usize),
    /// Aside; may become a column.
    Stranger,
    /// Aside: an earlier field has the same name.
    Twin,
}

/// A schema that is not the rows' one with fields added at the end. Finish the rows first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the new schema is not the old one with fields added at the end: finish the rows before they take it on")]
pub struct NotAnExtension;

impl Rows {
    /// No rows of this schema.
    pub fn new(schema: Arc<TableSchema>) -> Self {
        let columns = FieldColumns::new(&schema.fields, true);
        Self {
            arrow: arrow_fields(&schema),
            width: columns.width(),
            columns,
            schema,
            rescued: Texts::new(),
            rescued_rows: Vec::new(),
            len: 0,
            bytes: 0,
            beside: 0,
            room: MAX_ROOM_BYTES,
            header: Header::default(),
            unknown: Observed::new(),
            tape: Tape::new(),
            aside: Aside::default(),
            remainder: Vec::new(),
            never_empty: Vec::new(),
            misfits: Gathered::default(),
        }
    }

    /// Makes these columns, where they are text, take no empty one: it is rescued. Delta reads the empty text of a partition
    /// column as null.
    pub fn never_empty(&mut self, columns: &[String]) {
        self.never_empty = columns.to_vec();
        self.columns.refuse_empty(&self.never_empty);
    }

    /// The schema of the data columns.
    pub fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// Appends a JSON record.
    ///
    /// # Errors
    /// What is no JSON object, and what exceeds a limit. Nothing was appended then.
    pub fn append_json(&mut self, text: &str) -> Result<(), RecordFault> {
        self.tape.parse(text)?;
        let record = Record { text, nodes: self.tape.nodes() };
        let top = record.nodes[0];
        if top.kind != Kind::Object {
            let reason = format!("a record must be a JSON object, this is {}", in_words(top.kind));
            return Err(RecordFault { reason, at: top.start as usize });
        }
        self.aside.clear();
        self.columns.fit(record, 0, self.len, &mut self.aside);
        if !self.aside.misfits.is_empty() {
            self.rescued.put_with(self.len, |out| rescue::write_remainder(record, 0, &self.aside.misfits, out));
        }
        self.end_of_row(text.len())?;
        let record = Record { text, nodes: self.tape.nodes() };
        if !self.aside.misfits.is_empty() {
            let (misfits, fields) = (&self.aside.misfits, &self.schema.fields);
            self.misfits.note_members(record, misfits, &self.columns, fields, self.len - 1);
        }
        if !self.aside.strangers.is_empty() {
            let Observed { fields, room } = &mut self.unknown;
            rescue::note_strangers(record, &self.aside.strangers, fields, room);
        }
        Ok(())
    }

    /// Makes what was appended a row, or takes it back if its places in columns need more memory than a record may. What it says takes no more
    /// than its text, `text` bytes, in its columns and beside them.
    fn end_of_row(&mut self, text: usize) -> Result<(), RecordFault> {
        let found = self.width + columns::OFFSET + self.aside.cost;
        if found > MAX_RECORD_MEMORY_BYTES {
            self.columns.truncate(self.len);
            self.rescued.truncate(self.len);
            self.misfits.truncate(self.len);
            return Err(RecordFault { reason: OverLimit::RecordMemory { found }.to_string(), at: 0 });
        }
        let rescued = self.rescued.row_bytes(self.len);
        let more = found + text + rescued + self.beside;
        self.bytes += more;
        if self.rescued.len() > self.len {
            self.rescued_rows.push(self.len);
        }
        self.len += 1;
        Ok(())
    }

    /// Sets the names of the fields of the CSV records that follow. Cheap if they are the same as before.
    pub fn set_csv_header(&mut self, names: &[String]) {
        if self.header.names != names {
            self.header.names = names.to_vec();
            self.place_header();
        }
    }

    /// Finds the header's columns. Of fields of the same name the first is the column.
    fn place_header(&mut self) {
        let mut seen = std::collections::HashSet::new();
        let place = |name: &String| match self.columns.find(name, 0) {
            _ if !seen.insert(name.clone()) => HeaderColumn::Twin,
            Some(index) => HeaderColumn::Column(index),
            None => HeaderColumn::Stranger,
        };
        self.header.columns = self.header.names.iter().map(place).collect();
    }

    /// Appends a CSV record.
    ///
    /// # Errors
    /// Another number of fields than the header has, and what exceeds a limit. Nothing was appended then.
    pub fn append_csv(&mut self, fields: &[CsvField<'_>]) -> Result<(), RecordFault> {
        if fields.len() != self.header.columns.len() {
            let reason = format!("the header has {} fields, the record {}", self.header.columns.len(), fields.len());
            return Err(RecordFault { reason, at: 0 });
        }
        self.remainder.clear();
        // The cost of all the record's lists is added up.
        self.aside.clear();
        let (mut text, mut header_seen) = (0, false);
        for (position, field) in fields.iter().enumerate() {
            text += field.text.len();
            match self.header.columns[position] {
                HeaderColumn::Column(index) => match self.columns.fields[index].column.fit_csv(field, self.len) {
                    Fit::Whole => {}
                    Fit::Not => self.rescue_csv(position, field),
                    Fit::AsJson => self.fit_csv_as_json(position, index, field),
                },
                _ if field.text.is_empty() && !field.quoted => {}
                HeaderColumn::Twin => self.rescue_csv(position, field),
                HeaderColumn::Stranger => {
                    self.rescue_csv(position, field);
                    let name = &self.header.names[position];
                    if self.columns.is_proposed(name, &mut self.aside.remembered) {
                        let Observed { fields, room } = &mut self.unknown;
                        // All names are looked at: once a record.
                        if !std::mem::replace(&mut header_seen, true) {
                            room.see_header(&self.header.names);
                        }
                        if let Some(seen) = fields.field(name, 0, room) {
                            seen.see_csv(field);
                        }
                    }
                }
            }
        }
        if !self.remainder.is_empty() {
            self.remainder.push(b'}');
            self.rescued.put_with(self.len, |out| out.extend_from_slice(&self.remainder));
        }
        self.end_of_row(text)
    }

    /// Fits the text of a CSV field as the JSON object or array that its column takes, or rescues it.
    fn fit_csv_as_json(&mut self, position: usize, index: usize, field: &CsvField<'_>) {
        let column = &mut self.columns.fields[index].column;
        let parsed = self.tape.parse(field.text).is_ok();
        let wanted = if matches!(column, columns::Column::List(_)) { Kind::Array } else { Kind::Object };
        if !parsed || self.tape.nodes()[0].kind != wanted {
            column.pad(self.len + 1);
            return self.rescue_csv(position, field);
        }
        let record = Record { text: field.text, nodes: self.tape.nodes() };
        self.aside.misfits.clear();
        self.aside.strangers.clear();
        column.fit(record, 0, self.len, &mut self.aside);
        if self.aside.misfits.is_empty() {
            return;
        }
        let name = &self.header.names[position];
        begin_member(name, &mut self.remainder);
        rescue::write_remainder(record, 0, &self.aside.misfits, &mut self.remainder);
        if let Some(field) = self.schema.fields.get(index) {
            let (misfits, place) = (&self.aside.misfits, (&*column, &field.data_type));
            self.misfits.note_within(record, misfits, &Path::field(None, name), place, self.len);
        }
        if !self.aside.strangers.is_empty() {
            let Observed { fields, room } = &mut self.unknown;
            if let Some(seen) = fields.field(name, 0, room) {
                rescue::note_strangers_within(record, &self.aside.strangers, seen, room);
            }
        }
    }

    /// Keeps the text of a CSV field as a JSON string.
    fn rescue_csv(&mut self, position: usize, field: &CsvField<'_>) {
        let name = &self.header.names[position];
        begin_member(name, &mut self.remainder);
        write_string(field.text, &mut self.remainder);
        let cause = || match self.header.columns[position] {
            HeaderColumn::Twin => MisfitCause::Twice,
            HeaderColumn::Stranger => MisfitCause::NoColumn(match self.columns.taken_by(name) {
                Some(column) => NoColumn::Taken(quoted(&column)),
                None if names::is_too_long(name) => NoColumn::LongName,
                None => NoColumn::Limit,
            }),
            HeaderColumn::Column(index) => match self.columns.fields.get(index).map(|field| &field.column) {
                Some(columns::Column::Text(_)) => MisfitCause::Empty,
                _ => MisfitCause::Type(self.schema.fields.get(index).map_or(Type::String, |f| f.data_type.clone())),
            },
        };
        self.misfits.note(&Path::field(None, name), self.len, || (cause(), field.text));
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes that the rows take, and will take when finished: reckoned anew over the columns.
    pub fn memory(&self) -> usize {
        self.around(self.columns.memory(self.len))
    }

    /// The same, had these rows this schema, which begins with their own fields.
    pub fn memory_with(&self, schema: &TableSchema) -> usize {
        self.around(self.columns.memory_with(self.len, &schema.fields))
    }

    fn around(&self, columns: usize) -> usize {
        let rescued = self.rescued.memory(self.len) + self.rescued_rows.len() * size_of::<usize>();
        columns + rescued + self.len * self.beside
    }

    /// Sets after how many bytes the rows are full, at most 256 MiB. They may take one record more ([`MAX_RECORD_MEMORY_BYTES`]).
    pub fn set_room(&mut self, bytes: usize) {
        self.room = bytes.min(MAX_ROOM_BYTES);
    }

    /// Sets what each row takes elsewhere, in bytes, so that it counts as memory: the most of any row until the rows are finished.
    pub fn set_beside(&mut self, bytes: usize) {
        if bytes > self.beside || self.is_empty() {
            self.beside = bytes;
            self.bytes = self.memory();
        }
    }

    /// Whether the rows are as good as full for a record of so many bytes, which is large: it is read when they were finished.
    #[inline]
    pub(super) fn is_crowded_by(&self, text: usize) -> bool {
        text > self.room / 4 && self.bytes + text > self.room && !self.is_empty()
    }

    /// Whether the rows take as many bytes as [`Rows::set_room`] gave them: finish them before the next record. [`decode_chunk`] may end before that,
    /// at a record that is large beside the room.
    #[inline]
    pub fn is_full(&mut self) -> bool {
        if self.bytes < self.room {
            return false;
        }
        // What was counted is too much, as names are not held: count again.
        self.bytes = self.memory();
        self.bytes >= self.room
    }

    /// How many rows have rescued data.
    pub fn rescued_rows(&self) -> usize {
        self.rescued_rows.len()
    }

    /// The columns that values of these rows were rescued from; they are forgotten then, as they are when the rows are finished.
    pub fn take_misfits(&mut self) -> Misfits {
        self.misfits.take()
    }

    /// Rolls back to the first `len` rows. What was seen of unknown fields stays seen.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.columns.truncate(len);
            self.rescued.truncate(len);
            self.rescued_rows.truncate(self.rescued_rows.partition_point(|row| *row < len));
            self.misfits.truncate(len);
            self.len = len;
            self.bytes = self.memory();
        }
    }

    /// What was seen in fields that the schema lacks, since [`Rows::clear_unknown`]: given as soon as there is a field that
    /// would make a column and is not refused. Resolve it from the rows' schema.
    pub fn unknown(&self) -> Option<&Observed> {
        self.columns.lacks(&self.unknown.fields).then_some(&self.unknown)
    }

    /// Forgets what was seen in fields that the schema lacks.
    pub fn clear_unknown(&mut self) {
        if !self.unknown.is_empty() {
            self.unknown = Observed::new();
        }
    }

    /// Remembers all fields that [`Rows::unknown`] tells of as refused: they are rescued and not told of again.
    pub fn refuse_unknown(&mut self) {
        self.columns.refuse(&self.unknown.fields);
        self.aside.remembered = self.columns.strangers();
        self.clear_unknown();
    }

    /// Takes on a schema: the old one with fields added at the end, nested ones at the end of their struct. The rows that
    /// are there get nulls in them. If there are no rows, any schema will do.
    ///
    /// # Errors
    /// Any other schema while there are rows. Nothing has changed then.
    pub fn evolve(&mut self, schema: Arc<TableSchema>) -> Result<(), NotAnExtension> {
        if fields::extends(&schema.fields, &self.schema.fields) {
            self.columns.evolve(&schema.fields);
        } else if self.is_empty() {
            self.columns = FieldColumns::new(&schema.fields, true);
        } else {
            return Err(NotAnExtension);
        }
        self.columns.refuse_empty(&self.never_empty);
        self.aside.remembered = self.columns.strangers();
        self.width = self.columns.width();
        self.bytes = self.memory();
        self.arrow = arrow_fields(&schema);
        self.schema = schema;
        self.place_header();
        Ok(())
    }

    /// The rows as Arrow arrays: the data columns in the schema's order, then `_rescued_data`. No rows are left.
    pub fn finish(&mut self) -> RecordBatch {
        let mut arrays: Vec<ArrayRef> = self.columns.finish(self.len, &self.arrow);
        arrays.push(self.rescued.finish(self.len));
        self.rescued_rows.clear();
        self.misfits.truncate(0);
        (self.len, self.bytes) = (0, 0);
        RecordBatch::from(StructArray::new(self.arrow.clone(), arrays, None))
    }
}

fn arrow_fields(schema: &TableSchema) -> Fields {
    let rescued = Arc::new(ArrowField::new(names::RESCUED_DATA, DataType::Utf8, true));
    schema.to_arrow().iter().cloned().chain([rescued]).collect()
}

/// Begins a member of the object in `out`, which is empty before the first.
fn begin_member(name: &str, out: &mut Vec<u8>) {
    out.push(if out.is_empty() { b'{' } else { b',' });
    write_string(name, out);
    out.push(b':');
}

fn in_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Null => "null",
        Kind::True | Kind::False => "a boolean",
        Kind::Integer | Kind::Real => "a number",
        Kind::Plain | Kind::Escaped => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    }
}
