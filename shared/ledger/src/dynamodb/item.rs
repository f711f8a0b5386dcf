//! Keys and attributes of items: what all kinds of items have in common.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::failure::Failure;

/// An item as the SDK has it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// DynamoDB's limits on the two parts of a key, in bytes of UTF-8 (Developer Guide, "Constraints").
const PK_BYTES: usize = 2_048;
const SK_BYTES: usize = 1_024;

/// The key of one item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

impl Key {
    /// A key that DynamoDB takes. Only names from outside can be too long: an object's version, a table's address.
    pub(super) fn new(pk: String, sk: String) -> Result<Self, Failure> {
        for (part, limit) in [(&pk, PK_BYTES), (&sk, SK_BYTES)] {
            if part.len() > limit {
                let begin: String = part.chars().take(80).collect();
                return Err(Failure::lasting(format!(
                    "the key that begins with '{begin}' has {} bytes, and DynamoDB takes {limit}: shorten the name in it",
                    part.len()
                )));
            }
        }
        Ok(Self { pk, sk })
    }

    /// The key's two attributes: the beginning of every item.
    pub(super) fn into_item(self) -> Item {
        Item::from([("pk".to_owned(), text(self.pk)), ("sk".to_owned(), text(self.sk))])
    }

    /// The key of an item that was read.
    pub(super) fn of(item: &Item) -> Result<Self, Failure> {
        Ok(Self { pk: text_in(item, "pk")?.to_owned(), sk: text_in(item, "sk")?.to_owned() })
    }
}

/// A text value.
pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number's value: DynamoDB keeps 38 digits, so that every `u64` and `i64` stays exact.
pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A number as part of a sort key: 20 digits, so that texts sort as numbers do.
pub(super) fn sortable(number: u64) -> String {
    format!("{number:020}")
}

/// A text that an item must have.
pub(super) fn text_in<'i>(item: &'i Item, name: &str) -> Result<&'i str, Failure> {
    match item.get(name) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(unreadable(item, name, "no text")),
    }
}

/// A number that an item must have.
pub(super) fn number_in<T: std::str::FromStr>(item: &Item, name: &str) -> Result<T, Failure> {
    match item.get(name) {
        Some(AttributeValue::N(digits)) => digits.parse().map_err(|_| unreadable(item, name, "no number that fits")),
        _ => Err(unreadable(item, name, "no number")),
    }
}

/// A truth value that an item must have.
pub(super) fn flag_in(item: &Item, name: &str) -> Result<bool, Failure> {
    match item.get(name) {
        Some(AttributeValue::Bool(flag)) => Ok(*flag),
        _ => Err(unreadable(item, name, "no truth value")),
    }
}

/// What is told of an attribute that is not as it should be.
pub(super) fn unreadable(item: &Item, name: &str, problem: &str) -> Failure {
    let part = |name: &str| match item.get(name) {
        Some(AttributeValue::S(text)) => text.clone(),
        _ => "?".to_owned(),
    };
    Failure::unreadable(format!("its key is '{}' / '{}', and its '{name}' is {problem}", part("pk"), part("sk")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sortable_numbers_sort_as_numbers(a: u64, b: u64) {
            prop_assert_eq!(sortable(a).cmp(&sortable(b)), a.cmp(&b));
        }

        #[test]
        fn numbers_come_back(whole: u64, signed: i64) {
            let item = Item::from([("u".to_owned(), number(whole)), ("i".to_owned(), number(signed))]);
            prop_assert_eq!(number_in::<u64>(&item, "u").unwrap(), whole);
            prop_assert_eq!(number_in::<i64>(&item, "i").unwrap(), signed);
        }
    }

    #[test]
    fn keys_that_are_too_long_are_refused() {
        assert!(Key::new("é".repeat(1_024), "s".repeat(1_024)).is_ok());
        assert!(Key::new("é".repeat(1_025), "s".to_owned()).is_err());
        assert!(Key::new("p".to_owned(), "s".repeat(1_025)).is_err());
    }

    #[test]
    fn a_foreign_item_is_named() {
        let mut item = Key::new("batch#1".to_owned(), "record".to_owned()).unwrap().into_item();
        item.insert("version".to_owned(), text("seven"));
        let text = number_in::<u64>(&item, "version").unwrap_err().into_error("x", "t").to_string();
        assert!(text.contains("'batch#1' / 'record'") && text.contains("'version'"), "{text}");
        assert!(text_in(&item, "absent").is_err() && flag_in(&item, "version").is_err());
    }
}
