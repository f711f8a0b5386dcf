//! Columns into Arrow arrays: the vectors change hands, nothing is copied. The columns are empty afterwards and expect as
//! much again.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, ListArray, StringArray, StructArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow_buffer::{ArrowNativeType, Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, FieldRef, Fields};

use super::columns::{Column, Numbers, Texts};
use super::fields::{FieldColumn, FieldColumns};

impl FieldColumns {
    /// The arrays of `rows` rows.
    pub(super) fn finish(&mut self, rows: usize, fields: &Fields) -> Vec<ArrayRef> {
        let finish = |(own, field): (&mut FieldColumn, &FieldRef)| {
            own.met = 0;
            own.column.finish(rows, field.data_type())
        };
        self.fields.iter_mut().zip(fields).map(finish).collect()
    }
}

impl Column {
    /// The array of `rows` rows; `data_type` is the Arrow form of the type that the column was made for.
    fn finish(&mut self, rows: usize, data_type: &DataType) -> ArrayRef {
        self.pad(rows);
        match (self, data_type) {
            (Self::Boolean(booleans), _) => {
                Arc::new(BooleanArray::new(booleans.values.finish(), booleans.nulls.finish()))
            }
            (Self::Long(longs), _) => Arc::new(Int64Array::new(longs.take(), longs.nulls.finish())),
            (Self::Double(doubles), _) => Arc::new(Float64Array::new(doubles.take(), doubles.nulls.finish())),
            (Self::Text(texts), _) => texts.finish(rows),
            (Self::Date(days), _) => Arc::new(Date32Array::new(days.take(), days.nulls.finish())),
            (Self::Timestamp(moments), _) => {
                let array = TimestampMicrosecondArray::new(moments.take(), moments.nulls.finish());
                Arc::new(array.with_data_type(data_type.clone()))
            }
            (Self::Struct(structs), DataType::Struct(fields)) => {
                let nulls = structs.nulls.finish();
                Arc::new(if fields.is_empty() {
                    StructArray::new_empty_fields(rows, nulls)
                } else {
                    StructArray::new(fields.clone(), structs.fields.finish(rows, fields), nulls)
                })
            }
            (Self::List(lists), DataType::List(field)) => {
                let elements = lists.element.finish(lists.elements(), field.data_type());
                let ends = take_ends(&mut lists.ends);
                Arc::new(ListArray::new(field.clone(), ends, elements, lists.nulls.finish()))
            }
            (_, other) => new_null_array(other, rows),
        }
    }
}

impl<T: ArrowNativeType> Numbers<T> {
    fn take(&mut self) -> ScalarBuffer<T> {
        take(&mut self.values).into()
    }
}

impl Texts {
    /// The array of `rows` rows.
    pub(super) fn finish(&mut self, rows: usize) -> ArrayRef {
        self.pad(rows);
        let ends = take_ends(&mut self.ends);
        Arc::new(StringArray::new(ends, Buffer::from_vec(take(&mut self.bytes)), self.nulls.finish()))
    }
}

fn take_ends(ends: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let taken = take(ends);
    ends.push(0);
    OffsetBuffer::new(taken.into())
}

/// The vector; in its place comes one that has as much room, which costs no memory before it is used.
fn take<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = values.len();
    std::mem::replace(values, Vec::with_capacity(room))
}
