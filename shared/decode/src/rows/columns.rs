//! Columns in memory, made of the vectors that Arrow takes over without copying.
//!
//! A column may be shorter than the rows: what is missing is null and is filled in when the next value comes, or at the end.
//! So a field that a record does not have costs nothing, and a new column needs no history. Positions (`row`) are those of the rows, within a list those of
//! all lists' elements one after another.

use arrow_buffer::{BooleanBufferBuilder, NullBufferBuilder};

use super::fields::FieldColumns;
use crate::schema::Type;

/// A column of any type.
#[derive(Debug)]
pub(super) enum Column {
    Boolean(Booleans),
    Long(Numbers<i64>),
    Double(Numbers<f64>),
    Text(Texts),
    /// Days.
    Date(Numbers<i32>),
    /// Microseconds.
    Timestamp(Numbers<i64>),
    Struct(Structs),
    List(Lists),
    /// Nothing but null is written.
    Other,
}

/// Numbers, days, moments.
#[derive(Debug)]
pub(super) struct Numbers<T> {
    pub(super) values: Vec<T>,
    pub(super) nulls: NullBufferBuilder,
}

/// Truths, as bits.
#[derive(Debug)]
pub(super) struct Booleans {
    pub(super) values: BooleanBufferBuilder,
    pub(super) nulls: NullBufferBuilder,
}

/// Texts, one after another; `ends` begins with 0.
#[derive(Debug)]
pub(super) struct Texts {
    pub(super) bytes: Vec<u8>,
    pub(super) ends: Vec<i32>,
    pub(super) nulls: NullBufferBuilder,
    /// Whether an empty text does not fit.
    pub(super) never_empty: bool,
}

/// Objects.
#[derive(Debug)]
pub(super) struct Structs {
    pub(super) fields: FieldColumns,
    pub(super) nulls: NullBufferBuilder,
}

/// Arrays; `ends` begins with 0.
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) element: Box<Column>,
    /// What an element takes at least, see [`Column::width`].
    pub(super) width: usize,
    pub(super) ends: Vec<i32>,
    pub(super) nulls: NullBufferBuilder,
}

/// A builder of validity without a capacity of its own: it takes memory with the first null.
fn no_nulls() -> NullBufferBuilder {
    NullBufferBuilder::new(0)
}

impl<T: Copy + Default> Numbers<T> {
    fn new() -> Self {
        Self { values: Vec::new(), nulls: no_nulls() }
    }

    #[inline]
    pub(super) fn put(&mut self, row: usize, value: T) {
        self.pad(row);
        self.values.push(value);
        self.nulls.append_non_null();
    }

    /// Puts a value if there is one, and says whether there was.
    #[inline]
    pub(super) fn put_some(&mut self, row: usize, value: Option<T>) -> bool {
        if let Some(value) = value {
            self.put(row, value);
        }
        value.is_some()
    }

    #[inline]
    fn pad(&mut self, rows: usize) {
        if self.values.len() < rows {
            self.nulls.append_n_nulls(rows - self.values.len());
            self.values.resize(rows, T::default());
        }
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.nulls.truncate(rows);
    }
}

impl Booleans {
    fn new() -> Self {
        Self { values: BooleanBufferBuilder::new(0), nulls: no_nulls() }
    }

    #[inline]
    pub(super) fn put(&mut self, row: usize, value: bool) {
        self.pad(row);
        self.values.append(value);
        self.nulls.append_non_null();
    }

    #[inline]
    fn pad(&mut self, rows: usize) {
        if self.values.len() < rows {
            let missing = rows - self.values.len();
            self.values.append_n(missing, false);
            self.nulls.append_n_nulls(missing);
        }
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows.min(self.values.len()));
        self.nulls.truncate(rows);
    }
}

impl Texts {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), ends: vec![0], nulls: no_nulls(), never_empty: false }
    }

    #[inline]
    pub(super) fn put(&mut self, row: usize, text: &str) {
        self.put_with(row, |bytes| bytes.extend_from_slice(text.as_bytes()));
    }

    /// Puts what `write` appends, which is UTF-8.
    #[inline]
    pub(super) fn put_with(&mut self, row: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.pad(row);
        write(&mut self.bytes);
        // The text of all rows is limited to far less than `i32::MAX`.
        self.ends.push(self.bytes.len() as i32);
        self.nulls.append_non_null();
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len() - 1
    }

    #[inline]
    pub(super) fn pad(&mut self, rows: usize) {
        if self.len() < rows {
            self.nulls.append_n_nulls(rows - self.len());
            self.ends.resize(rows + 1, self.bytes.len() as i32);
        }
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows + 1);
        self.bytes.truncate(self.ends.last().map_or(0, |end| *end as usize));
        self.nulls.truncate(rows);
    }

    /// The bytes of the text of a row, none where it is null or missing.
    pub(super) fn row_bytes(&self, row: usize) -> usize {
        match self.ends.get(row..row + 2) {
            Some([from, to]) => (to - from) as usize,
            _ => 0,
        }
    }

    /// The bytes that `rows` rows take.
    pub(super) fn memory(&self, rows: usize) -> usize {
        self.bytes.len() + rows * OFFSET
    }
}

impl Structs {
    /// Begins an object at `row`, whose members' columns are filled next.
    #[inline]
    pub(super) fn begin(&mut self, row: usize) {
        self.pad(row);
        self.nulls.append_non_null();
    }

    #[inline]
    fn pad(&mut self, rows: usize) {
        if self.nulls.len() < rows {
            self.nulls.append_n_nulls(rows - self.nulls.len());
        }
    }
}

impl Lists {
    /// The position of the next element.
    #[inline]
    pub(super) fn elements(&self) -> usize {
        self.ends.last().map_or(0, |end| *end as usize)
    }

    /// Ends the array at `row`, whose elements go up to `elements`.
    #[inline]
    pub(super) fn put(&mut self, row: usize, elements: usize) {
        self.pad(row);
        self.ends.push(elements as i32);
        self.nulls.append_non_null();
    }

    fn len(&self) -> usize {
        self.ends.len() - 1
    }

    #[inline]
    fn pad(&mut self, rows: usize) {
        if self.len() < rows {
            self.nulls.append_n_nulls(rows - self.len());
            self.ends.resize(rows + 1, self.elements() as i32);
        }
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows + 1);
        self.nulls.truncate(rows);
        let elements = self.elements();
        self.element.truncate(elements);
    }
}

impl Column {
    pub(super) fn new(data_type: &Type) -> Self {
        match data_type {
            Type::Boolean => Self::Boolean(Booleans::new()),
            Type::Long => Self::Long(Numbers::new()),
            Type::Double => Self::Double(Numbers::new()),
            Type::String => Self::Text(Texts::new()),
            Type::Date => Self::Date(Numbers::new()),
            Type::Timestamp => Self::Timestamp(Numbers::new()),
            Type::Struct(fields) => {
                Self::Struct(Structs { fields: FieldColumns::new(fields, false), nulls: no_nulls() })
            }
            Type::List(element) => {
                let element = Box::new(Self::new(element));
                Self::List(Lists { width: element.width(), element, ends: vec![0], nulls: no_nulls() })
            }
            Type::Other(_) => Self::Other,
        }
    }

    /// Fills up to `rows` rows with nulls.
    pub(super) fn pad(&mut self, rows: usize) {
        match self {
            Self::Boolean(booleans) => booleans.pad(rows),
            Self::Long(numbers) | Self::Timestamp(numbers) => numbers.pad(rows),
            Self::Double(numbers) => numbers.pad(rows),
            Self::Text(texts) => texts.pad(rows),
            Self::Date(days) => days.pad(rows),
            Self::Struct(structs) => structs.pad(rows),
            Self::List(lists) => lists.pad(rows),
            Self::Other => {}
        }
    }

    /// Forgets all rows from `rows` on.
    pub(super) fn truncate(&mut self, rows: usize) {
        match self {
            Self::Boolean(booleans) => booleans.truncate(rows),
            Self::Long(numbers) | Self::Timestamp(numbers) => numbers.truncate(rows),
            Self::Double(numbers) => numbers.truncate(rows),
            Self::Text(texts) => texts.truncate(rows),
            Self::Date(days) => days.truncate(rows),
            Self::Struct(structs) => {
                structs.nulls.truncate(rows);
                structs.fields.truncate(rows);
            }
            Self::List(lists) => lists.truncate(rows),
            Self::Other => {}
        }
    }

    /// The bytes that `rows` rows take, what is still to be filled with nulls included.
    pub(super) fn memory(&self, rows: usize) -> usize {
        match self {
            Self::Text(texts) => texts.memory(rows),
            Self::Struct(structs) => rows + structs.fields.memory(rows),
            Self::List(lists) => rows * OFFSET + lists.element.memory(lists.elements()),
            _ => rows * self.width(),
        }
    }

    /// The same, were its type this one: the one that it has, with fields added at the end of any struct.
    pub(super) fn memory_with(&self, rows: usize, data_type: &Type) -> usize {
        match (self, data_type) {
            (Self::Struct(structs), Type::Struct(fields)) => rows + structs.fields.memory_with(rows, fields),
            (Self::List(lists), Type::List(element)) => {
                rows * OFFSET + lists.element.memory_with(lists.elements(), element)
            }
            _ => self.memory(rows),
        }
    }

    /// The bytes that each row takes at least, null or not: that is why a few bytes of text can become much memory. A bit
    /// of validity counts as a byte.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Boolean(_) => 2,
            Self::Long(_) | Self::Double(_) | Self::Timestamp(_) => 9,
            Self::Date(_) | Self::Text(_) | Self::List(_) => OFFSET,
            Self::Struct(structs) => 1 + structs.fields.width(),
            Self::Other => 17,
        }
    }
}

/// What a text or a list takes beside what it holds.
pub(super) const OFFSET: usize = 5;
