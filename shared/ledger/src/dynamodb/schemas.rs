//! Items `table#<table>` / `schema#<n>`: the history of a table's schema, written once each, kept for ever.
//!
//! An item holds 400 KB and is billed by the KB, and every cold start reads the newest one; so a text beyond a few KB is kept
//! compressed. A schema of 2,000 columns has some 200 KB of JSON and takes a tenth of that.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use super::condition::Condition;
use super::door::Door;
use super::failure::Failure;
use super::item::{Item, Key, sortable, text, text_in, unreadable};
use super::transaction::{Transacted, Write};

const PREFIX: &str = "schema#";

/// Texts up to this stay readable in AWS's console; a strongly consistent read of 4 KB is one unit.
const PLAIN_BYTES: usize = 4_096;

/// What an item can hold, its key and attributes' names aside.
const ITEM_BYTES: usize = 390 * 1_024;

fn partition(table: &str) -> String {
    format!("table#{table}")
}

fn key(table: &str, number: u64) -> Result<Key, Failure> {
    Key::new(partition(table), format!("{PREFIX}{}", sortable(number)))
}

fn item(key: Key, schema: &str) -> Result<Item, Failure> {
    let mut item = key.into_item();
    if schema.len() <= PLAIN_BYTES {
        item.insert("text".to_owned(), text(schema));
        return Ok(item);
    }
    let packed = zstd::encode_all(schema.as_bytes(), zstd::DEFAULT_COMPRESSION_LEVEL).map_err(|error| {
        Failure::lasting(format!("a schema of {} bytes cannot be compressed: {error}", schema.len()))
    })?;
    if packed.len() > ITEM_BYTES {
        return Err(Failure::lasting(format!(
            "a schema of {} bytes has {} when compressed, and an item of DynamoDB holds {ITEM_BYTES}: the data has too many \
             columns for one table, so name those that are wanted, or give deep objects as text, in schema_hints",
            schema.len(),
            packed.len()
        )));
    }
    item.insert("zstd".to_owned(), AttributeValue::B(Blob::new(packed)));
    Ok(item)
}

fn parse(item: &Item) -> Result<String, Failure> {
    match item.get("zstd") {
        None => Ok(text_in(item, "text")?.to_owned()),
        Some(AttributeValue::B(packed)) => {
            let bytes = zstd::decode_all(packed.as_ref()).map_err(Failure::unreadable)?;
            String::from_utf8(bytes).map_err(Failure::unreadable)
        }
        Some(_) => Err(unreadable(item, "zstd", "not binary")),
    }
}

/// The newest schema and its number.
pub(super) async fn newest(door: &Door, table: &str) -> Result<Option<(u64, String)>, Failure> {
    let found = door.query(&partition(table), PREFIX, true).await?;
    let Some(item) = found.first() else { return Ok(None) };
    let number = text_in(item, "sk")?.strip_prefix(PREFIX).and_then(|digits| digits.parse().ok());
    let number = number.ok_or_else(|| unreadable(item, "sk", "no schema's number"))?;
    Ok(Some((number, parse(item)?)))
}

/// One version of the schema.
pub(super) async fn get(door: &Door, table: &str, number: u64) -> Result<Option<String>, Failure> {
    door.get(key(table, number)?).await?.as_ref().map(parse).transpose()
}

/// See `Ledger::add_schema`. Always a transaction: its token keeps a lost answer from turning true into false.
///
/// A try that was given up can reach DynamoDB late, and then happens if its conditions hold by then. Callers add the number above the
/// newest that they read, so that what was refused once is refused for ever.
pub(super) async fn add(door: &Door, table: &str, number: u64, schema: &str) -> Result<bool, Failure> {
    let Some(below) = number.checked_sub(1) else { return Ok(false) };
    let mut writes = vec![Write::Put(item(key(table, number)?, schema)?, Condition::Absent)];
    if below > 0 {
        writes.push(Write::Check(key(table, below)?, Condition::Present));
    }
    match door.transact(writes).await? {
        Transacted::Done => Ok(true),
        Transacted::Refused(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(count: usize) -> String {
        let column = |n| {
            format!(
                r#"{{"name":"customer_attribute_number_{n}","type":"timestamp","nullable":true,"metadata":{{"lithify.name":"customer attribute (number {n})"}}}}"#
            )
        };
        let columns: Vec<_> = (0..count).map(column).collect();
        format!(r#"{{"type":"struct","fields":[{}]}}"#, columns.join(","))
    }

    fn packed(schema: &str) -> usize {
        match item(key("t", 1).unwrap(), schema).unwrap().get("zstd") {
            Some(AttributeValue::B(packed)) => packed.as_ref().len(),
            _ => 0,
        }
    }

    #[test]
    fn schemas_of_thousands_of_columns_fit_and_come_back() {
        for (count, limit) in [(1, 0), (2_000, 40_000), (20_000, ITEM_BYTES)] {
            let schema = columns(count);
            assert_eq!(parse(&item(key("t", 1).unwrap(), &schema).unwrap()).unwrap(), schema);
            assert!(packed(&schema) <= limit, "{count} columns: {} of {} bytes", packed(&schema), schema.len());
        }
    }

    #[test]
    fn what_no_item_holds_is_refused_with_its_size() {
        // Pseudo-random hex does not compress below half.
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            format!("{state:016x}")
        };
        let schema: String = (0..60_000).map(|_| next()).collect();
        let told = item(key("t", 1).unwrap(), &schema).unwrap_err().into_error("add a schema", "l").to_string();
        assert!(told.contains("960000 bytes"), "{told}");
    }
}
