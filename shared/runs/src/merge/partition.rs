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
    let part = |column: &String| {
        let name = fitted(column, COLUMN_BYTES);
        let value = match values.get(column).and_then(Option::as_ref) {
            Some(value) => fitted(value, FOLDER_BYTES - name.len() - 1),
            None => "__HIVE_DEFAULT_PARTITION__".to_owned(),
        };
        format!("{name}={value}")
    };
    columns.iter().map(part).collect::<Vec<_>>().join("/")
}

/// How many bytes file systems allow for the name of a folder.
const FOLDER_BYTES: usize = 255;

/// How many of them the column's name may take, so that a value always has room.
const COLUMN_BYTES: usize = 200;

/// A column's name or a value, escaped, within so many bytes. One that is longer is cut and told apart by a hash: Delta reads
/// columns and values from the log. Readers that take them from the path read this one wrong, so nothing is cut without need.
fn fitted(text: &str, most: usize) -> String {
    let escaped = escape(text);
    if escaped.len() <= most {
        return escaped;
    }
    let digest = Sha256::digest(text.as_bytes());
    let hash: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let room = most.saturating_sub(hash.len() + 1);
    let end = (0..=room).rev().find(|end| escaped.is_char_boundary(*end)).unwrap_or(0);
    // An escape that is cut in two is left away whole.
    let end = escaped[..end].rfind('%').filter(|at| end - at < 3).unwrap_or(end);
    format!("{}~{hash}", &escaped[..end])
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
        assert!(a.len() <= 255 && a != b && a.starts_with("p=éé"), "{a}");
    }

    #[test]
    fn nothing_is_cut_that_a_file_system_takes() {
        let path = |column: &str, value: String| {
            let values = PartitionValues::from([(column.to_owned(), Some(value))]);
            hive_path(&[column.to_owned()], &values)
        };
        let whole = "q".repeat(253);
        assert_eq!(path("p", whole.clone()), format!("p={whole}"));
        for (column, value) in [("p".to_owned(), "q".repeat(254)), ("é".repeat(127), "v".repeat(300))] {
            let cut = path(&column, value);
            assert!(cut.len() <= 255 && cut.contains('~'), "{cut}");
        }
        let escapes = path("p", ":".repeat(200));
        let (kept, _) = escapes.split_once('~').unwrap();
        assert!(kept.strip_prefix("p=").unwrap().replace("%3A", "").is_empty(), "{kept}");
    }

    #[test]
    fn folders_are_escaped_as_hive_does() {
        let values = BTreeMap::from([("a".to_owned(), Some("x:y/é =".to_owned())), ("b%".to_owned(), None)]);
        let path = hive_path(&["b%".to_owned(), "a".to_owned()], &values);
        assert_eq!(path, "b%25=__HIVE_DEFAULT_PARTITION__/a=x%3Ay%2Fé %3D");
    }
}
