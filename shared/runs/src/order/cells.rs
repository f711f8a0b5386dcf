//! A key column of one batch, made ready to be written into keys row by row.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, BinaryViewType, ByteArrayType, Date32Type, Date64Type, Decimal128Type, Float32Type,
    Float64Type, GenericBinaryType, GenericStringType, Int8Type, Int16Type, Int32Type, Int64Type, StringViewType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, GenericByteArray, GenericByteViewArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, TimeUnit};

/// The values of a column, in a form that compares as the values do.
pub(super) enum Cells {
    /// The column is missing, or of a type without order: null in every row.
    Null,
    /// Values whose order is that of unsigned numbers.
    Fixed(Vec<u64>, Option<NullBuffer>),
    /// The same with 128 bits.
    Wide(Vec<u128>, Option<NullBuffer>),
    /// Texts and bytes.
    Bytes(Texts),
}

/// Texts or bytes in Arrow's layouts.
pub(super) enum Texts {
    Utf8(GenericByteArray<GenericStringType<i32>>),
    LargeUtf8(GenericByteArray<GenericStringType<i64>>),
    Utf8View(GenericByteViewArray<StringViewType>),
    Binary(GenericByteArray<GenericBinaryType<i32>>),
    LargeBinary(GenericByteArray<GenericBinaryType<i64>>),
    BinaryView(GenericByteViewArray<BinaryViewType>),
}

/// Whether values of a type can stand in a key.
pub(super) fn has_order(data_type: &DataType) -> bool {
    use DataType as T;
    data_type.is_integer()
        || super::is_binary(data_type) && !matches!(data_type, T::FixedSizeBinary(_))
        || matches!(data_type, T::Boolean | T::Float32 | T::Float64 | T::Date32 | T::Date64 | T::Timestamp(_, _))
        || matches!(data_type, T::Utf8 | T::LargeUtf8 | T::Utf8View | T::Decimal128(_, _))
}

impl Cells {
    /// The cells of a column; no column is null in every row.
    pub(super) fn of(column: Option<&ArrayRef>) -> Self {
        let Some(column) = column else { return Self::Null };
        match column.data_type() {
            DataType::Boolean => {
                Self::Fixed(column.as_boolean().values().iter().map(u64::from).collect(), column.nulls().cloned())
            }
            DataType::Int8 => fixed::<Int8Type>(column, |v| signed(v.into())),
            DataType::Int16 => fixed::<Int16Type>(column, |v| signed(v.into())),
            DataType::Int32 => fixed::<Int32Type>(column, |v| signed(v.into())),
            DataType::Int64 => fixed::<Int64Type>(column, signed),
            DataType::UInt8 => fixed::<UInt8Type>(column, u64::from),
            DataType::UInt16 => fixed::<UInt16Type>(column, u64::from),
            DataType::UInt32 => fixed::<UInt32Type>(column, u64::from),
            DataType::UInt64 => fixed::<UInt64Type>(column, |v| v),
            DataType::Float32 => fixed::<Float32Type>(column, |v| floating(v.into())),
            DataType::Float64 => fixed::<Float64Type>(column, floating),
            DataType::Date32 => fixed::<Date32Type>(column, |v| signed(v.into())),
            DataType::Date64 => fixed::<Date64Type>(column, signed),
            DataType::Timestamp(unit, _) => timestamps(*unit, column),
            DataType::Decimal128(_, _) => {
                let values = column.as_primitive::<Decimal128Type>().values();
                let wide = values.iter().map(|v| (*v as u128) ^ (1 << 127)).collect();
                Self::Wide(wide, column.nulls().cloned())
            }
            DataType::Utf8 => Self::Bytes(Texts::Utf8(column.as_string::<i32>().clone())),
            DataType::LargeUtf8 => Self::Bytes(Texts::LargeUtf8(column.as_string::<i64>().clone())),
            DataType::Utf8View => Self::Bytes(Texts::Utf8View(column.as_string_view().clone())),
            DataType::Binary => Self::Bytes(Texts::Binary(column.as_binary::<i32>().clone())),
            DataType::LargeBinary => Self::Bytes(Texts::LargeBinary(column.as_binary::<i64>().clone())),
            DataType::BinaryView => Self::Bytes(Texts::BinaryView(column.as_binary_view().clone())),
            _ => Self::Null,
        }
    }

    /// The first eight bytes of a row's value, ordered as numbers; 0 for null.
    pub(super) fn leading_bits(&self, row: usize) -> u64 {
        let valid = |nulls: &Option<NullBuffer>| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        match self {
            Self::Fixed(values, nulls) if valid(nulls) => values[row],
            Self::Wide(values, nulls) if valid(nulls) => (values[row] >> 64) as u64,
            Self::Bytes(texts) => texts.get(row).map_or(0, |text| {
                let mut first = [0; 8];
                let length = text.len().min(8);
                first[..length].copy_from_slice(&text[..length]);
                u64::from_be_bytes(first)
            }),
            _ => 0,
        }
    }
}

impl Texts {
    /// A row's bytes; `None` for null.
    pub(super) fn get(&self, row: usize) -> Option<&[u8]> {
        fn bytes<T: ByteArrayType>(array: &GenericByteArray<T>, row: usize) -> Option<&[u8]> {
            array.is_valid(row).then(|| array.value(row).as_ref())
        }
        match self {
            Self::Utf8(array) => bytes(array, row),
            Self::LargeUtf8(array) => bytes(array, row),
            Self::Binary(array) => bytes(array, row),
            Self::LargeBinary(array) => bytes(array, row),
            Self::Utf8View(array) => array.is_valid(row).then(|| array.value(row).as_bytes()),
            Self::BinaryView(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}

fn fixed<T: ArrowPrimitiveType>(column: &ArrayRef, ordered: impl Fn(T::Native) -> u64) -> Cells {
    let values = column.as_primitive::<T>().values().iter().map(|v| ordered(*v)).collect();
    Cells::Fixed(values, column.nulls().cloned())
}

fn timestamps(unit: TimeUnit, column: &ArrayRef) -> Cells {
    use arrow_array::types::{
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    };
    match unit {
        TimeUnit::Second => fixed::<TimestampSecondType>(column, signed),
        TimeUnit::Millisecond => fixed::<TimestampMillisecondType>(column, signed),
        TimeUnit::Microsecond => fixed::<TimestampMicrosecondType>(column, signed),
        TimeUnit::Nanosecond => fixed::<TimestampNanosecondType>(column, signed),
    }
}

/// Two's complement with its sign bit turned: ordered as unsigned.
fn signed(value: i64) -> u64 {
    (value as u64) ^ (1 << 63)
}

/// IEEE 754's total order as unsigned, the two zeros as one.
fn floating(value: f64) -> u64 {
    let bits = if value == 0.0 { 0 } else { value.to_bits() };
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}
