//! What an invocation asks for.

use serde_json::{Map, Value};

/// What an invocation asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The pipelines that were named; all where none was.
    pub pipelines: Option<Vec<String>>,
    /// Whether the whole upkeep is to be done, whether or not it is due.
    pub upkeep: bool,
    /// Whether the pipelines are to be opened, and nothing committed: settings, ledger and tables are checked.
    pub open: bool,
}

/// An event that asks for nothing that the function does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the event cannot be understood: {0}; write {{\"pipelines\": [\"NAME\"]}}, {{\"upkeep\": true}}, {{\"open\": true}}, or {{}} for all pipelines"
)]
pub struct EventError(String);

impl Request {
    /// Reads an event: `{"pipelines": [...]}`, `{"upkeep": true}`, `{"open": true}`, any of them together, or none. An EventBridge event
    /// is a schedule's, and asks for nothing unless its `detail` does. `known` are the pipelines of the settings.
    ///
    /// # Errors
    /// A pipeline that is not known, with those that are; a member that means nothing here.
    pub fn parse(event: &Value, known: &[String]) -> Result<Self, EventError> {
        let members = match event {
            Value::Null => return Ok(Self::default()),
            Value::Object(members) => members,
            other => return Err(EventError(format!("it is {other}, and no object"))),
        };
        // A rule's event has these two members always (EventBridge user guide, "Events").
        if members.contains_key("detail-type") && members.contains_key("source") {
            return match members.get("detail") {
                Some(Value::Object(detail)) if !detail.is_empty() => Self::of(detail, known),
                _ => Ok(Self::default()),
            };
        }
        Self::of(members, known)
    }

    fn of(members: &Map<String, Value>, known: &[String]) -> Result<Self, EventError> {
        let mut request = Self::default();
        for (name, value) in members {
            match (name.as_str(), value) {
                (_, Value::Null) => {}
                ("pipelines", Value::Array(names)) => request.pipelines = Some(named(names, known)?),
                ("pipelines", other) => return Err(EventError(format!("pipelines is {other}, and no list of names"))),
                ("upkeep", Value::Bool(upkeep)) => request.upkeep = *upkeep,
                ("open", Value::Bool(open)) => request.open = *open,
                ("upkeep" | "open", other) => {
                    return Err(EventError(format!("{name} is {other}, and neither true nor false")));
                }
                (other, _) => return Err(EventError(format!("it has a member '{other}', which means nothing here"))),
            }
        }
        Ok(request)
    }

    /// Whether a pipeline is asked for.
    pub(super) fn names(&self, pipeline: &str) -> bool {
        self.pipelines.as_ref().is_none_or(|names| names.iter().any(|name| name == pipeline))
    }
}

fn named(names: &[Value], known: &[String]) -> Result<Vec<String>, EventError> {
    let name = |value: &Value| match value.as_str() {
        Some(name) if known.iter().any(|known| known == name) => Ok(name.to_owned()),
        Some(name) => Err(EventError(format!("there is no pipeline {name} (known: {})", known.join(", ")))),
        None => Err(EventError(format!("{value} is no name of a pipeline"))),
    };
    names.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(event: Value) -> Result<Request, String> {
        Request::parse(&event, &["a".to_owned(), "b".to_owned()]).map_err(|error| error.to_string())
    }

    #[test]
    fn events_ask_for_pipelines_and_upkeep() {
        let all = Request::default();
        assert_eq!(parse(json!({})), Ok(all.clone()));
        assert_eq!(parse(Value::Null), Ok(all.clone()));
        let rule = json!({
            "version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "account": "123456789012",
            "time": "2026-11-01T00:00:00Z", "region": "eu-central-1", "resources": ["arn:aws:events:x:y:rule/z"], "detail": {},
        });
        assert_eq!(parse(rule), Ok(all.clone()));
        let some = Request { pipelines: Some(vec!["b".to_owned()]), ..Request::default() };
        assert_eq!(parse(json!({"pipelines": ["b"]})), Ok(some.clone()));
        assert_eq!(parse(json!({"pipelines": ["b"], "upkeep": true})), Ok(Request { upkeep: true, ..some }));
        assert_eq!(parse(json!({"upkeep": true, "pipelines": null})), Ok(Request { upkeep: true, ..all.clone() }));
        assert_eq!(parse(json!({"open": true})), Ok(Request { open: true, ..all }));
        let none = parse(json!({"pipelines": []})).expect("a request");
        assert!(!none.names("a"), "an empty list names nothing");
    }

    #[test]
    fn what_means_nothing_is_refused_by_name() {
        for (event, named) in [
            (json!({"pipelines": ["c"]}), "there is no pipeline c (known: a, b)"),
            (json!({"pipelines": "a"}), "no list of names"),
            (json!({"pipelines": [7]}), "7 is no name"),
            (json!({"pipeline": ["a"]}), "'pipeline'"),
            (json!({"upkeep": 1}), "upkeep is 1, and neither true nor false"),
            (json!({"open": "yes"}), "open is \"yes\", and neither true nor false"),
            (json!(["a"]), "no object"),
        ] {
            let error = parse(event).expect_err("refused");
            assert!(error.contains(named), "{error}");
        }
    }
}
