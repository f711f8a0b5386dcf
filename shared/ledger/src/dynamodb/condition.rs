//! What must stand for a write to happen, as DynamoDB's condition expressions.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::number;

/// A condition on the item that stands under the written key.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// No item.
    Absent,
    /// An item, whatever it says.
    Present,
    /// An item in which each of these attributes has this value.
    All(Vec<(&'static str, AttributeValue)>),
    /// No item, or one whose attribute is a lower number.
    AbsentOrBelow(&'static str, u64),
}

impl Condition {
    /// An item in which this attribute has this value.
    pub(super) fn is(name: &'static str, value: AttributeValue) -> Self {
        Self::All(vec![(name, value)])
    }

    /// The expression with its names and values. Attributes go by placeholders, because DynamoDB reserves words like `state` and `token`.
    pub(super) fn rendered(self) -> Rendered {
        let (text, attributes) = match self {
            Self::Absent => ("attribute_not_exists(pk)".to_owned(), Vec::new()),
            Self::Present => ("attribute_exists(pk)".to_owned(), Vec::new()),
            Self::All(attributes) => {
                let parts: Vec<_> = (0..attributes.len()).map(|n| format!("#a{n} = :a{n}")).collect();
                (parts.join(" AND "), attributes)
            }
            Self::AbsentOrBelow(name, limit) => {
                ("attribute_not_exists(pk) OR #a0 < :a0".to_owned(), vec![(name, number(limit))])
            }
        };
        // DynamoDB refuses empty maps of names and values.
        let some = !attributes.is_empty();
        let names =
            attributes.iter().enumerate().map(|(n, (name, _))| (format!("#a{n}"), (*name).to_owned())).collect();
        let values = attributes.into_iter().enumerate().map(|(n, (_, value))| (format!(":a{n}"), value)).collect();
        Rendered { text, names: some.then_some(names), values: some.then_some(values) }
    }
}

/// A condition as requests take it.
pub(super) struct Rendered {
    pub(super) text: String,
    pub(super) names: Option<HashMap<String, String>>,
    pub(super) values: Option<HashMap<String, AttributeValue>>,
}
