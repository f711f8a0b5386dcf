//! The partition of a row: Delta's texts of its values, and its folder as Hive names it.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_ord::partition::partition;
use arrow_schema::{DataType, TimeUnit};
use sha2::{Digest, Sha256};

use crate::error::RunsError;
use crate::text::{date_text, decimal_text, timestamp_text};

/// The value of each partition column, by name.
pub type PartitionValues = BTreeMap<String, Option<String>>;

/// Stretches of rows with the same values in these columns.
pub(super) fn stretches(batch: &RecordBatch, columns: &[usize]) -> Result<Vec<Range<usize>>, RunsError> {
    let columns: Vec<ArrayRef> = columns.iter().map(|i| batch.column(*i).clone()).collect();
    Ok(partition(&columns).map_err(RunsError::encode("tell partitions apart"))?.ranges())
}

/// The partition of a row.
pub(super) fn values_of(batch: &RecordBatch, columns: &[usize], row: usize) -> Result<PartitionValues, RunsError> {
    let value = |i: &usize| {
        let name = batch.schema_ref().field(*i).name().clone();
        Ok((name, value_text(batch.column(*i), row)?))
    };
    columns.iter().map(value).collect()
}

/// A value as Delta writes partition values ("Partition Value Serialization" of its protocol): null and the empty text are the same.
fn value_text(column: &ArrayRef, row: usize) -> Result<Option<String>, RunsError> {
    if column.is_null(row) {
        return Ok(None);
    }
    let out_of_range = || RunsError::encode("write a partition's value")("a day or moment beyond the years 1 to 9999");
    let text = match column.data_type() {
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(row);
            date_text(days.into()).ok_or_else(out_of_range)?
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let moment = column.as_primitive::<arrow_array::types::TimestampMicrosecondType>().value(row);
            timestamp_text(moment, ' ', 6).ok_or_else(out_of_range)?
        }
        DataType::Decimal128(_, scale) => {
            decimal_text(column.as_primitive::<Decimal128Type>().value(row), *scale).ok_or_else(out_of_range)?
        }
        _ => {
            let formatter = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default())
                .map_err(RunsError::encode("write a partition's value"))?;
            formatter.value(row).to_string()
        }
    };
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// The folder of a partition, in the order of the columns: `a=1/b=x%3Ay`.
pub fn hive_path(columns: &[String], values: &PartitionValues) -> String {
    let part = |column: &String| match values.get(column).and_then(Option::as_ref) {
        Some(value) => format!("{}={}", escape(column), folder_of(value)),
        None => format!("{}=__HIVE_DEFAULT_PARTITION__", escape(column)),
    };
    columns.iter().map(part).collect::<Vec<_>>().join("/")
}

/// How many bytes of a value a folder's name may have: file systems allow 255 for the whole name.
const FOLDER_VALUE_BYTES: usize = 120;

/// The folder's part for a value. A long one is cut and told apart by a hash: Delta reads values from the log, never from the path.
fn folder_of(value: &str) -> String {
    let escaped = escape(value);
    if escaped.len() <= FOLDER_VALUE_BYTES {
        return escaped;
    }
    let digest = Sha256::digest(value.as_bytes());
    let hash: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let end = (0..=FOLDER_VALUE_BYTES - 40).rev().find(|end| escaped.is_char_boundary(*end)).unwrap_or(0);
    format!("{}~{hash}", escaped[..end].trim_end_matches(['%', '.']))
}

/// Hive's escapes (`FileUtils.escapePathName`): control characters and what means something in paths, as `%` and two hex digits.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_control() || "\"#%'*/:=?\\{[]^".contains(c) {
            escaped.push_str(&format!("%{:02X}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BooleanArray, Date32Array, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    #[test]
    fn values_are_written_as_delta_reads_them() {
        let text = |column: ArrayRef| value_text(&column, 0).unwrap();
        assert_eq!(text(Arc::new(Date32Array::from(vec![19_723]))).as_deref(), Some("2024-01-01"));
        let moment = TimestampMicrosecondArray::from(vec![1_704_067_200_000_001]).with_timezone("UTC");
        assert_eq!(text(Arc::new(moment)).as_deref(), Some("2024-01-01 00:00:00.000001"));
        assert_eq!(text(Arc::new(Int64Array::from(vec![-7]))).as_deref(), Some("-7"));
        assert_eq!(text(Arc::new(BooleanArray::from(vec![true]))).as_deref(), Some("true"));
        assert_eq!(text(Arc::new(StringArray::from(vec!["a b"]))).as_deref(), Some("a b"));
        assert_eq!(text(Arc::new(StringArray::from(vec![""]))), None);
        assert_eq!(text(Arc::new(StringArray::from(vec![None::<&str>]))), None);
    }

    #[test]
    fn the_folder_of_a_long_value_is_short_and_its_own() {
        let values = |end: &str| PartitionValues::from([("p".to_owned(), Some("é".repeat(300) + end))]);
        let (a, b) = (hive_path(&["p".to_owned()], &values("a")), hive_path(&["p".to_owned()], &values("b")));
        assert!(a.len() < 255 && a != b && a.starts_with("p=éé"), "{a}");
    }

    #[test]
    fn folders_are_escaped_as_hive_does() {
        let values = BTreeMap::from([("a".to_owned(), Some("x:y/é =".to_owned())), ("b%".to_owned(), None)]);
        let path = hive_path(&["b%".to_owned(), "a".to_owned()], &values);
        assert_eq!(path, "b%25=__HIVE_DEFAULT_PARTITION__/a=x%3Ay%2Fé %3D");
    }
}
