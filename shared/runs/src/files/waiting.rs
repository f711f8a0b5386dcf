//! Rows of a table with very many columns, which wait for their row group: it is encoded column by column, as each open column holds
//! a compressor of a megabyte.
//!
//! Wide rows are mostly nulls. Where a column has no value it is not held, so that a row group is as large as what its rows say, and not
//! as their columns are many. Objects are looked into for that, lists are not.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StructArray, UInt64Array, new_null_array};
use arrow_buffer::{NullBuffer, NullBufferBuilder};
use arrow_schema::{DataType, FieldRef, Fields, SchemaRef};
use arrow_select::take::take;

use crate::error::RunsError;

/// Rows that wait.
pub(super) struct Waiting {
    columns: Vec<Column>,
    /// Their size in memory.
    bytes: usize,
}

enum Column {
    Object(Object),
    Values(Vec<Piece>),
}

struct Object {
    nulls: NullBufferBuilder,
    members: Vec<Column>,
}

/// Consecutive values; without an array all of them are null.
struct Piece {
    rows: usize,
    values: Option<ArrayRef>,
}

impl Waiting {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        Self { columns: schema.fields().iter().map(Column::new).collect(), bytes: 0 }
    }

    /// Keeps rows: the batch that they are a part of need not live as long. Their columns are those of the schema.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), RunsError> {
        let every = UInt64Array::from_iter_values(0..batch.num_rows() as u64);
        for (own, column) in self.columns.iter_mut().zip(batch.columns()) {
            self.bytes += own.push(column, &every)?;
        }
        Ok(())
    }

    /// Their size in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Hands every column without members over, piece by piece, in the order of Parquet's: within the objects around it, which have no other
    /// member then.
    pub(super) fn each(
        self,
        schema: &SchemaRef,
        take: &mut dyn FnMut(Vec<(FieldRef, ArrayRef)>) -> Result<(), RunsError>,
    ) -> Result<(), RunsError> {
        let columns = schema.fields().iter().zip(self.columns);
        for (field, column) in columns {
            column.each(field, &mut Vec::new(), take)?;
        }
        Ok(())
    }
}

/// An object around a column: its field, and which of its rows are null.
type Around = (FieldRef, Option<NullBuffer>);

impl Column {
    fn new(field: &FieldRef) -> Self {
        match field.data_type() {
            DataType::Struct(fields) if !fields.is_empty() => {
                let members = fields.iter().map(Self::new).collect();
                Self::Object(Object { nulls: NullBufferBuilder::new(0), members })
            }
            _ => Self::Values(Vec::new()),
        }
    }

    /// Keeps values; gives the memory that they take.
    fn push(&mut self, values: &ArrayRef, every: &UInt64Array) -> Result<usize, RunsError> {
        let rows = values.len();
        match (self, values.as_struct_opt()) {
            (own, _) if values.null_count() == rows => {
                own.push_nulls(rows);
                Ok(0)
            }
            (Self::Object(object), Some(values)) => {
                match values.nulls() {
                    Some(nulls) => nulls.iter().for_each(|is_valid| object.nulls.append(is_valid)),
                    None => object.nulls.append_n_non_nulls(rows),
                }
                let members = object.members.iter_mut().zip(values.columns());
                let members = members.map(|(own, values)| own.push(values, every)).sum::<Result<usize, _>>()?;
                Ok(members + rows.div_ceil(8))
            }
            (Self::Values(pieces), _) => {
                let own = own_of(values, every)?;
                let bytes = own.get_array_memory_size() + size_of::<Piece>();
                pieces.push(Piece { rows, values: Some(own) });
                Ok(bytes)
            }
            (Self::Object(_), None) => Err(RunsError::encode("keep rows")("an object is none")),
        }
    }

    fn push_nulls(&mut self, rows: usize) {
        match self {
            Self::Object(object) => {
                object.nulls.append_n_nulls(rows);
                object.members.iter_mut().for_each(|member| member.push_nulls(rows));
            }
            Self::Values(pieces) => match pieces.last_mut() {
                Some(Piece { rows: before, values: None }) => *before += rows,
                _ => pieces.push(Piece { rows, values: None }),
            },
        }
    }

    fn each(
        self,
        field: &FieldRef,
        around: &mut Vec<Around>,
        take: &mut dyn FnMut(Vec<(FieldRef, ArrayRef)>) -> Result<(), RunsError>,
    ) -> Result<(), RunsError> {
        match (self, field.data_type()) {
            (Self::Object(Object { mut nulls, members }), DataType::Struct(fields)) => {
                around.push((Arc::clone(field), nulls.finish()));
                for (member, field) in members.into_iter().zip(fields) {
                    member.each(field, around, take)?;
                }
                around.pop();
                Ok(())
            }
            (Self::Values(pieces), _) => {
                let mut from = 0;
                let whole = pieces.into_iter().map(|Piece { rows, values }| {
                    let values = values.unwrap_or_else(|| new_null_array(field.data_type(), rows));
                    from += rows;
                    within(around, Arc::clone(field), values, from - rows)
                });
                take(whole.collect())
            }
            (Self::Object(_), _) => Err(RunsError::encode("encode rows")("an object is none")),
        }
    }
}

/// The values in memory of their own. Where they are nearly all that their memory holds, they are as they are: very large records are not
/// there twice.
fn own_of(values: &ArrayRef, every: &UInt64Array) -> Result<ArrayRef, RunsError> {
    let held = values.get_array_memory_size();
    if values.to_data().get_slice_memory_size().is_ok_and(|needed| needed >= held - held / 4) {
        return Ok(Arc::clone(values));
    }
    take(values, every, None).map_err(RunsError::encode("keep rows"))
}

/// The values in the objects around them, of which they begin at row `from`.
fn within(around: &[Around], field: FieldRef, values: ArrayRef, from: usize) -> (FieldRef, ArrayRef) {
    around.iter().rev().fold((field, values), |(field, values), (object, nulls)| {
        let fields = Fields::from(vec![field]);
        let nulls = nulls.as_ref().map(|nulls| nulls.slice(from, values.len()));
        let object = object.as_ref().clone().with_data_type(DataType::Struct(fields.clone()));
        (Arc::new(object), Arc::new(StructArray::new(fields, vec![values], nulls)))
    })
}
