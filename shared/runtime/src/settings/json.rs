//! Reads a settings object (JSON), as Terraform writes it for the functions, into [`RawSettings`]. Pure: the caller has the text.
//!
//! The names mean what they mean in a settings file ([`super::file`]); `null` and an empty list are as good as absent.
//!
//! ```json
//! {
//!   "ledger": "dynamodb://NAME",
//!   "queue": "https://sqs...", "large_queue": "https://sqs...", "dead_letter_queue": "https://sqs...",
//!   "large_drop_size": "64MiB", "target_file_size": "128MiB", "longest_delay": "5m",
//!   "pipelines": [{ "name": "orders", "source": "s3://vendor/orders/", "table": "s3://lake/orders", "overwrites": "ignore" }]
//! }
//! ```

use serde_json::Value as Json;

use super::read::{Entry, Language, Reader, Value};
use super::{Origin, PipelinePlace, RawPipeline, RawSettings, SettingError};

const JSON: Language = Language {
    top: &[
        "ledger",
        "queue",
        "large_queue",
        "dead_letter_queue",
        "large_drop_size",
        "target_file_size",
        "longest_delay",
        "pipelines",
    ],
    pipeline: &[
        "name",
        "source",
        "table",
        "format",
        "compression",
        "schema_hints",
        "cluster_by",
        "z_order_by",
        "partition_columns",
        "target_file_size",
        "longest_delay",
        "append_existing",
        "overwrites",
    ],
    flags_only: &[],
    belongs_inside: "belongs to one pipeline: write it into one of \"pipelines\"",
    belongs_outside: "is of all pipelines: write it beside \"pipelines\"",
};

/// Reads a settings object. `name` is what messages call it, its address.
///
/// # Errors
/// Only where the text is no JSON object. What is wrong within is kept in [`RawSettings::faults`], so that [`super::check`] reports
/// it together with all else.
pub fn read(text: &str, name: &str) -> Result<RawSettings, Vec<SettingError>> {
    let top = Origin::Object { file: name.to_owned(), pipeline: None };
    let fault = |problem: String| vec![SettingError::new(&top, "object", problem)];
    let json: Json = serde_json::from_str(text).map_err(|e| fault(format!("this is no JSON: {e}")))?;
    let Json::Object(members) = json else {
        return Err(fault(format!("must be an object, but this is {}", json.kind())));
    };
    let mut raw = RawSettings::new(top.clone());
    let mut reader = Reader::new(&JSON, None);
    for (key, value) in given(&members) {
        let entry = Entry { name: key, origin: top.clone(), value };
        match (key.as_str(), value) {
            ("pipelines", Json::Array(pipelines)) => {
                raw.pipelines =
                    pipelines.iter().enumerate().map(|(at, json)| pipeline(&mut reader, name, at, json)).collect();
            }
            ("pipelines", other) => {
                reader.fault(&entry, format!("must be a list of objects, but this is {}", other.kind()));
            }
            _ => reader.top(&mut raw, &entry),
        }
    }
    raw.faults = reader.faults;
    Ok(raw)
}

fn pipeline(reader: &mut Reader<'_>, file: &str, at: usize, json: &Json) -> RawPipeline {
    let name = json.get("name").and_then(Json::as_str).map(str::to_owned);
    let origin = Origin::Object { file: file.to_owned(), pipeline: Some(PipelinePlace { at, name }) };
    let mut raw = RawPipeline::new(origin.clone());
    match json {
        Json::Object(members) => {
            for (key, value) in given(members) {
                reader.pipeline(&mut raw, &Entry { name: key, origin: origin.clone(), value });
            }
        }
        other => reader.fault(
            &Entry { name: "pipeline", origin, value: other },
            format!("must be an object, but this is {}", other.kind()),
        ),
    }
    raw
}

/// The members that say something.
fn given(members: &serde_json::Map<String, Json>) -> impl Iterator<Item = (&String, &Json)> {
    members.iter().filter(|(_, value)| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()))
}

impl Value for Json {
    fn text(&self) -> Option<&str> {
        self.as_str()
    }

    fn integer(&self) -> Option<i64> {
        self.as_i64()
    }

    fn truth(&self) -> Option<bool> {
        self.as_bool()
    }

    fn texts(&self) -> Option<Vec<String>> {
        self.as_array()?.iter().map(|value| value.as_str().map(str::to_owned)).collect()
    }

    fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "true or false",
            Json::Number(number) if number.is_f64() => "a number with a point",
            Json::Number(_) => "a number",
            Json::String(_) => "a text",
            Json::Array(_) => "a list of other things",
            Json::Object(_) => "an object",
        }
    }
}
