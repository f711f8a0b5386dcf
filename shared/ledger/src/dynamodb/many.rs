//! Requests that look at many items: by their keys in groups of 100, and through the whole table.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::operation::scan::ScanOutput;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Select};
use futures::{StreamExt, TryStreamExt, stream};

use super::door::{Door, Waits};
use super::failure::Failure;
use super::item::{Item, Key};

/// How many keys one BatchGetItem takes, and how many of these requests are in flight.
const KEYS: usize = 100;
const AT_ONCE: usize = 8;

/// How many parts of the table are read side by side.
const SEGMENTS: i32 = 4;

impl Door {
    /// The items with these keys; those that are absent are not in it.
    pub(super) async fn get_many(&self, keys: Vec<Key>) -> Result<HashMap<Key, Item>, Failure> {
        // DynamoDB refuses a request that names a key twice.
        let mut seen = HashSet::with_capacity(keys.len());
        let keys: Vec<Key> = keys.into_iter().filter(|key| seen.insert(key.clone())).collect();
        let groups: Vec<Vec<Key>> = keys.chunks(KEYS).map(<[Key]>::to_vec).collect();
        let mut answers = stream::iter(groups).map(|group| self.get_group(group)).buffer_unordered(AT_ONCE);
        let mut found = HashMap::with_capacity(keys.len());
        while let Some(items) = answers.try_next().await? {
            for item in items {
                found.insert(Key::of(&item)?, item);
            }
        }
        Ok(found)
    }

    async fn get_group(&self, keys: Vec<Key>) -> Result<Vec<Item>, Failure> {
        let mut open: Vec<Item> = keys.into_iter().map(Key::into_item).collect();
        let (mut found, mut waits) = (Vec::with_capacity(open.len()), Waits::default());
        while !open.is_empty() {
            let asked = open.len();
            let wanted = KeysAndAttributes::builder().set_keys(Some(open)).consistent_read(true).build();
            let wanted = wanted.map_err(|error| Failure::lasting(format!("a request could not be made: {error}")))?;
            let answer = self.client.batch_get_item().request_items(&self.table, wanted).send().await?;
            found.extend(answer.responses.unwrap_or_default().into_values().flatten());
            open = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|left| left.keys).collect();
            if !open.is_empty() {
                if open.len() < asked {
                    waits.begin_anew();
                }
                waits.next(Failure::passing("DynamoDB left keys of a read undone: try again later")).await?;
            }
        }
        Ok(found)
    }

    /// Reads the whole table in parts side by side and gives `look` each page of what the filter leaves.
    pub(super) async fn scan(
        &self,
        filter: &Filter,
        select: Select,
        mut look: impl FnMut(ScanOutput) -> Result<(), Failure> + Send,
    ) -> Result<(), Failure> {
        let parts = (0..SEGMENTS).map(|segment| self.scan_part(filter, select.clone(), segment).boxed());
        let mut pages = stream::select_all(parts);
        while let Some(page) = pages.try_next().await? {
            look(page)?;
        }
        Ok(())
    }

    fn scan_part<'a>(
        &'a self,
        filter: &'a Filter,
        select: Select,
        segment: i32,
    ) -> impl futures::Stream<Item = Result<ScanOutput, Failure>> + Send + 'a {
        stream::try_unfold(Some(None), move |from: Option<Option<Item>>| {
            let select = select.clone();
            async move {
                let Some(from) = from else { return Ok(None) };
                let request = self
                    .client
                    .scan()
                    .table_name(&self.table)
                    .consistent_read(true)
                    .select(select)
                    .segment(segment)
                    .total_segments(SEGMENTS)
                    .filter_expression(&filter.text)
                    .set_expression_attribute_values(Some(filter.values.clone()))
                    .set_exclusive_start_key(from);
                let page = request.send().await?;
                let next = page.last_evaluated_key.clone().filter(|key| !key.is_empty());
                Ok(Some((page, next.map(Some))))
            }
        })
    }
}

/// What a look through the table keeps.
pub(super) struct Filter {
    /// DynamoDB's filter expression.
    pub(super) text: String,
    /// The values in it.
    pub(super) values: HashMap<String, AttributeValue>,
}
