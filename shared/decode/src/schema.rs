//! The columns of a table as decoding sees them. Types are few and wide: a column's type is chosen once (Delta tables that
//! every reader opens cannot widen it), and values are fitted without loss or rescued.

use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field as ArrowField, Fields, TimeUnit};
use serde::{Deserialize, Serialize};

/// The key of an Arrow or Delta field's metadata that keeps the name that the source uses, where the column's differs.
pub const SOURCE_NAME: &str = "lithify.sourceName";

/// The type of a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// True or false.
    Boolean,
    /// A 64-bit signed integer.
    Long,
    /// A 64-bit IEEE 754 number.
    Double,
    /// UTF-8 text.
    String,
    /// A day of the proleptic Gregorian calendar.
    Date,
    /// A moment, in microseconds, UTC.
    Timestamp,
    /// Named fields.
    Struct(Vec<Field>),
    /// A sequence of values of one type.
    List(Box<Type>),
    /// A type that others gave to the column and that decoding does not write: every value is rescued.
    Other(DataType),
}

/// A column, or a field within one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The column's name in the table.
    pub name: String,
    /// The name that the source uses for it.
    pub source_name: String,
    /// Its type; every field is nullable.
    pub data_type: Type,
}

/// The data columns of a table, without the row columns (`_source_file` and so on), in the table's order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// The columns.
    pub fields: Vec<Field>,
}

impl Type {
    /// The Arrow type of a column of this type.
    pub fn to_arrow(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Long => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::String => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Timestamp => timestamp_type(),
            Self::Struct(fields) => DataType::Struct(fields.iter().map(Field::to_arrow).collect()),
            Self::List(element) => DataType::List(Arc::new(list_element(element.to_arrow()))),
            Self::Other(other) => other.clone(),
        }
    }

    /// The type that decoding uses for a column of an Arrow type: a wider one, where values that fit the column are made narrow
    /// again when they are merged.
    pub fn from_arrow(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Self::Long,
            DataType::Float32 | DataType::Float64 => Self::Double,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::String,
            DataType::Date32 => Self::Date,
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => Self::Timestamp,
            DataType::Struct(fields) => Self::Struct(fields.iter().map(|f| Field::from_arrow(f)).collect()),
            DataType::List(element) | DataType::LargeList(element) => {
                Self::List(Box::new(Self::from_arrow(element.data_type())))
            }
            other => Self::Other(other.clone()),
        }
    }
}

impl fmt::Display for Type {
    /// The type in the words of `schema_hints`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Long => f.write_str("bigint"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::List(element) => write!(f, "array<{element}>"),
            Self::Other(other) => f.write_str(&type_name(other)),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (at, field) in fields.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{}: {}", field.name, field.data_type)?;
                }
                f.write_str(">")
            }
        }
    }
}

/// What SQL calls a type of Delta, as in schema hints; Arrow's own word where there is none.
pub fn type_name(data_type: &DataType) -> String {
    let plain = match data_type {
        DataType::Boolean => "boolean",
        DataType::Int8 => "tinyint",
        DataType::Int16 => "smallint",
        DataType::Int32 => "int",
        DataType::Int64 => "bigint",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "binary",
        DataType::Date32 => "date",
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "timestamp",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp_ntz",
        DataType::FixedSizeBinary(_) => "binary",
        DataType::Null => "void",
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            return format!("decimal({precision},{scale})");
        }
        DataType::List(element) | DataType::LargeList(element) => {
            return format!("array<{}>", type_name(element.data_type()));
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| type_name(part.data_type())).collect();
                return format!("map<{}>", parts.join(", "));
            }
            other => return format!("map<{}>", type_name(other)),
        },
        DataType::Struct(fields) => {
            let named = |field: &Arc<ArrowField>| format!("{}: {}", field.name(), type_name(field.data_type()));
            return format!("struct<{}>", fields.iter().map(named).collect::<Vec<_>>().join(", "));
        }
        other => return other.to_string(),
    };
    plain.to_owned()
}

impl Field {
    /// A field whose source uses the column's own name.
    pub fn new(name: impl Into<String>, data_type: Type) -> Self {
        let name = name.into();
        Self { source_name: name.clone(), name, data_type }
    }

    /// The nullable Arrow field, with the source's name in its metadata where that differs.
    pub fn to_arrow(&self) -> ArrowField {
        let field = ArrowField::new(&self.name, self.data_type.to_arrow(), true);
        if self.source_name == self.name {
            field
        } else {
            field.with_metadata([(SOURCE_NAME.to_owned(), self.source_name.clone())].into())
        }
    }

    /// The field that decoding uses for an Arrow field.
    pub fn from_arrow(field: &ArrowField) -> Self {
        Self {
            name: field.name().clone(),
            source_name: field.metadata().get(SOURCE_NAME).unwrap_or(field.name()).clone(),
            data_type: Type::from_arrow(field.data_type()),
        }
    }
}

impl TableSchema {
    /// The Arrow fields of the data columns.
    pub fn to_arrow(&self) -> Fields {
        self.fields.iter().map(Field::to_arrow).collect()
    }
}

/// The Arrow type of every timestamp: microseconds, UTC.
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The field of a list's elements, named as Delta readers expect it.
pub fn list_element(data_type: DataType) -> ArrowField {
    ArrowField::new("element", data_type, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_names_that_sql_gives_them() {
        let long = || ArrowField::new("x", DataType::Int64, true);
        let entries = DataType::Struct(vec![ArrowField::new("key", DataType::Utf8, false), long()].into());
        let cases = [
            (
                DataType::Struct(vec![long(), ArrowField::new("y", DataType::Utf8, true)].into()),
                "struct<x: bigint, y: string>",
            ),
            (DataType::List(Arc::new(list_element(DataType::Int32))), "array<int>"),
            (DataType::Map(Arc::new(ArrowField::new("entries", entries, false)), false), "map<string, bigint>"),
            (DataType::Decimal128(10, 2), "decimal(10,2)"),
            (DataType::Decimal256(38, 0), "decimal(38,0)"),
            (DataType::FixedSizeBinary(16), "binary"),
            (timestamp_type(), "timestamp"),
            (DataType::Timestamp(TimeUnit::Microsecond, None), "timestamp_ntz"),
        ];
        for (data_type, name) in cases {
            assert_eq!(type_name(&data_type), name);
        }
        assert_eq!(Type::Other(DataType::Decimal128(10, 2)).to_string(), "decimal(10,2)");
    }
}
