//! Items `pipe#<pipeline>`: `intent#<n>` (one for each commit, kept for ever), `head` (one, moved by each commit) and `settings`
//! (one, written once, and again where an earlier build left the table out). Beside the settings, in their transaction, a name under `pipelines`: the list of all.

use drops::PipelineName;

use crate::{HeadOutcome, Intent, PipelineSettings};

use super::condition::Condition;
use super::door::{Door, Written};
use super::failure::Failure;
use super::item::{Item, Key, number, number_in, sortable, text, text_in};
use super::transaction::{Transacted, Write};

/// The partition key of the list of all pipelines.
const LIST: &str = "pipelines";

fn key(pipeline: &PipelineName, sk: impl Into<String>) -> Result<Key, Failure> {
    Key::new(format!("pipe#{pipeline}"), sk.into())
}

fn intent_key(pipeline: &PipelineName, number: u64) -> Result<Key, Failure> {
    key(pipeline, format!("intent#{}", sortable(number)))
}

/// An item whose content is one record as JSON.
fn item<T: serde::Serialize>(key: Key, record: &T) -> Result<Item, Failure> {
    let mut item = key.into_item();
    item.insert("record".to_owned(), text(serde_json::to_string(record)?));
    Ok(item)
}

fn parse<T: serde::de::DeserializeOwned>(item: &Item) -> Result<T, Failure> {
    Ok(serde_json::from_str(text_in(item, "record")?)?)
}

/// See `Ledger::reserve_intent`.
pub(super) async fn reserve_intent(door: &Door, pipeline: &PipelineName, intent: &Intent) -> Result<bool, Failure> {
    let item = item(intent_key(pipeline, intent.number)?, intent)?;
    match door.put(item, Condition::Absent).await? {
        Written::Done => Ok(true),
        Written::Refused(Some(standing)) => Ok(parse::<Intent>(&standing)? == *intent),
        Written::Refused(None) => Err(Failure::lasting(format!(
            "intent {} of pipeline '{pipeline}' that stood a moment ago is gone: somebody deletes items of this table, \
             which must never be",
            intent.number
        ))),
    }
}

/// The intent with this number.
pub(super) async fn intent(door: &Door, pipeline: &PipelineName, number: u64) -> Result<Option<Intent>, Failure> {
    door.get(intent_key(pipeline, number)?).await?.as_ref().map(parse).transpose()
}

/// The number of the last settled intent.
pub(super) async fn head(door: &Door, pipeline: &PipelineName) -> Result<Option<u64>, Failure> {
    door.get(key(pipeline, "head")?).await?.as_ref().map(|item| number_in(item, "number")).transpose()
}

/// See `Ledger::move_head`. A transaction, though of one item: its token keeps a lost answer from turning `Moved` into `AlreadyThere`.
pub(super) async fn move_head(door: &Door, pipeline: &PipelineName, to: u64) -> Result<HeadOutcome, Failure> {
    let mut item = key(pipeline, "head")?.into_item();
    item.insert("number".to_owned(), number(to));
    match door.transact(vec![Write::Put(item, Condition::AbsentOrBelow("number", to))]).await? {
        Transacted::Done => Ok(HeadOutcome::Moved),
        Transacted::Refused(_) => Ok(HeadOutcome::AlreadyThere),
    }
}

/// What was fixed when the pipeline was made.
pub(super) async fn settings(door: &Door, pipeline: &PipelineName) -> Result<Option<PipelineSettings>, Failure> {
    door.get(key(pipeline, "settings")?).await?.as_ref().map(parse).transpose()
}

/// See `Ledger::fix_settings`.
pub(super) async fn fix_settings(
    door: &Door,
    pipeline: &PipelineName,
    wanted: &PipelineSettings,
) -> Result<PipelineSettings, Failure> {
    let record = item(key(pipeline, "settings")?, wanted)?;
    let name = Key::new(LIST.to_owned(), pipeline.to_string())?.into_item();
    let writes = vec![Write::Put(record, Condition::Absent), Write::Put(name, Condition::Absent)];
    match door.transact(writes).await? {
        Transacted::Done => Ok(wanted.clone()),
        Transacted::Refused(standing) => match standing.into_iter().next().flatten() {
            Some(item) => parse(&item),
            None => Err(Failure::lasting(format!(
                "pipeline '{pipeline}' is in the list of pipelines and has no settings: somebody deleted items of this \
                 table, which must never be"
            ))),
        },
    }
}

/// See `Ledger::fix_table`. Written over exactly what was read: of several who enter a table one is first, and the others read it.
pub(super) async fn fix_table(door: &Door, pipeline: &PipelineName, table: &str) -> Result<PipelineSettings, Failure> {
    let none =
        || Failure::lasting(format!("pipeline '{pipeline}' has no settings, into which its table is to be entered"));
    let mut item = door.get(key(pipeline, "settings")?).await?.ok_or_else(none)?;
    loop {
        let mut standing: PipelineSettings = parse(&item)?;
        if standing.table.is_some() {
            return Ok(standing);
        }
        let unchanged = Condition::is("record", text(text_in(&item, "record")?));
        standing.table = Some(table.to_owned());
        match door.put(self::item(key(pipeline, "settings")?, &standing)?, unchanged).await? {
            Written::Done => return Ok(standing),
            Written::Refused(now) => item = now.ok_or_else(none)?,
        }
    }
}

/// The pipelines that have settings, by name.
pub(super) async fn list(door: &Door) -> Result<Vec<PipelineName>, Failure> {
    let names = door.query(LIST, "", false).await?;
    names.iter().map(|item| text_in(item, "sk")?.parse().map_err(Failure::unreadable)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{intent as intent_by, settings as settings_by};

    #[test]
    fn records_come_back() {
        let name: PipelineName = "p".parse().unwrap();
        let stored = item(intent_key(&name, 7).unwrap(), &intent_by(7, 1)).unwrap();
        assert_eq!(parse::<Intent>(&stored).unwrap(), intent_by(7, 1));
        assert_eq!(text_in(&stored, "sk").unwrap(), "intent#00000000000000000007");
        let stored = item(key(&name, "settings").unwrap(), &settings_by(3)).unwrap();
        assert_eq!(parse::<PipelineSettings>(&stored).unwrap(), settings_by(3));
        assert!(parse::<Intent>(&stored).is_err());
        // As earlier builds wrote it.
        let old = r#"{"source":"s","identity_holds_version":false,"ledger":"l","table_id":"t","at":7}"#;
        let mut stored = stored;
        stored.insert("record".to_owned(), text(old));
        let read = parse::<PipelineSettings>(&stored).unwrap();
        assert_eq!((read.table.as_deref(), serde_json::to_string(&read).unwrap().as_str()), (None, old));
    }
}
