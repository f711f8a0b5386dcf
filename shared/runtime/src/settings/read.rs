//! What settings may say, in whatever language they are written: their names, the kinds of their values, and what is said of wrong ones.

use std::path::Path;

use decode::suggest::did_you_mean;

use super::{Given, Origin, RawPipeline, RawSettings, SettingError};

/// A value of a language.
pub(super) trait Value {
    fn text(&self) -> Option<&str>;
    fn integer(&self) -> Option<i64>;
    fn truth(&self) -> Option<bool>;
    /// The texts of a list of texts, and of nothing else.
    fn texts(&self) -> Option<Vec<String>>;
    /// What it is, for messages.
    fn kind(&self) -> &'static str;
}

/// A name with its value, and where the two stand.
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) origin: Origin,
    pub(super) value: &'a dyn Value,
}

/// What differs between languages.
pub(super) struct Language {
    /// The names that stand outside of every pipeline.
    pub(super) top: &'static [&'static str],
    /// The names that stand in a pipeline.
    pub(super) pipeline: &'static [&'static str],
    /// What only the command line says.
    pub(super) flags_only: &'static [&'static str],
    /// What to do with a pipeline's name that stands outside.
    pub(super) belongs_inside: &'static str,
    /// What to do with an outside name that stands in a pipeline.
    pub(super) belongs_outside: &'static str,
}

/// Reads entries, and keeps what is wrong with them.
pub(super) struct Reader<'a> {
    language: &'a Language,
    /// What relative paths begin at; absent where there are none.
    folder: Option<&'a Path>,
    pub(super) faults: Vec<SettingError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(language: &'a Language, folder: Option<&'a Path>) -> Self {
        Self { language, folder, faults: Vec::new() }
    }

    /// Reads what stands outside of every pipeline.
    pub(super) fn top(&mut self, raw: &mut RawSettings, entry: &Entry<'_>) {
        if !self.language.top.contains(&entry.name) {
            return if self.language.pipeline.contains(&entry.name) {
                self.fault(entry, self.language.belongs_inside.to_owned());
            } else {
                self.unknown(entry, self.language.top);
            };
        }
        match entry.name {
            "memory" => raw.memory = self.size(entry),
            "workers" => raw.workers = self.text_or_number(entry, "a number such as 4"),
            "target_file_size" => raw.shared.target_file_size = self.size(entry),
            "longest_delay" => raw.shared.longest_delay = self.duration(entry),
            "settle_time" => raw.shared.settle_time = self.duration(entry),
            "ledger" => raw.aws.ledger = self.text(entry),
            "queue" => raw.aws.queue = self.text(entry),
            "large_queue" => raw.aws.large_queue = self.text(entry),
            "dead_letter_queue" => raw.aws.dead_letter_queue = self.text(entry),
            "large_drop_size" => raw.aws.large_drop_size = self.size(entry),
            _ => self.unknown(entry, self.language.top),
        }
    }

    /// Reads what stands in a pipeline.
    pub(super) fn pipeline(&mut self, raw: &mut RawPipeline, entry: &Entry<'_>) {
        if !self.language.pipeline.contains(&entry.name) {
            return if self.language.top.contains(&entry.name) {
                self.fault(entry, self.language.belongs_outside.to_owned());
            } else {
                self.unknown(entry, self.language.pipeline);
            };
        }
        let faults = self.faults.len();
        match entry.name {
            "name" => raw.name = self.text(entry),
            "source" => raw.source = self.path(entry),
            "table" => raw.table = self.path(entry),
            "format" => raw.format = self.text(entry),
            "compression" => raw.compression = self.text(entry),
            "schema_hints" => raw.schema_hints = self.text(entry),
            "cluster_by" => raw.cluster_by = self.list(entry),
            "z_order_by" => raw.z_order_by = self.list(entry),
            "partition_columns" => raw.partition_columns = self.list(entry),
            "target_file_size" => raw.target_file_size = self.size(entry),
            "longest_delay" => raw.longest_delay = self.duration(entry),
            "settle_time" => raw.settle_time = self.duration(entry),
            "append_existing" => raw.append_existing = self.truth(entry),
            "overwrites" => raw.overwrites = self.text(entry),
            _ => self.unknown(entry, self.language.pipeline),
        }
        if self.faults.len() > faults {
            raw.unread.push(entry.name.to_owned());
        }
    }

    pub(super) fn fault(&mut self, entry: &Entry<'_>, problem: String) {
        self.faults.push(SettingError::new(&entry.origin, entry.name, problem));
    }

    fn text(&mut self, entry: &Entry<'_>) -> Option<Given<String>> {
        match entry.value.text() {
            Some(text) => Some(given(entry, text.to_owned())),
            None => self.wrong_kind(entry, "a text in quotes"),
        }
    }

    /// A path; a relative one is taken from the file's folder. An address with a scheme (`s3://...`) stays as it is.
    fn path(&mut self, entry: &Entry<'_>) -> Option<Given<String>> {
        let mut given = self.text(entry)?;
        if let Some(folder) = self.folder
            && !given.value.is_empty()
            && !given.value.contains("://")
        {
            given.value = folder.join(&given.value).to_string_lossy().into_owned();
        }
        Some(given)
    }

    fn size(&mut self, entry: &Entry<'_>) -> Option<Given<String>> {
        self.text_or_number(entry, "a size such as \"128MiB\"")
    }

    fn duration(&mut self, entry: &Entry<'_>) -> Option<Given<String>> {
        self.text_or_number(entry, "a duration such as \"5m\"")
    }

    fn text_or_number(&mut self, entry: &Entry<'_>, wanted: &str) -> Option<Given<String>> {
        match (entry.value.integer(), entry.value.text()) {
            (Some(number), _) => Some(given(entry, number.to_string())),
            (None, Some(text)) => Some(given(entry, text.to_owned())),
            (None, None) => self.wrong_kind(entry, wanted),
        }
    }

    fn truth(&mut self, entry: &Entry<'_>) -> Option<Given<bool>> {
        match entry.value.truth() {
            Some(truth) => Some(given(entry, truth)),
            None => self.wrong_kind(entry, "true or false, without quotes"),
        }
    }

    /// A list of names: an array of texts, or one text with commas.
    fn list(&mut self, entry: &Entry<'_>) -> Option<Given<Vec<String>>> {
        if let Some(text) = entry.value.text() {
            return Some(given(entry, text.split(',').map(|name| name.trim().to_owned()).collect()));
        }
        match entry.value.texts() {
            Some(names) => Some(given(entry, names)),
            None => self.wrong_kind(entry, "a list of names such as [\"day\", \"customer\"]"),
        }
    }

    fn unknown(&mut self, entry: &Entry<'_>, known: &[&str]) {
        if self.language.flags_only.contains(&entry.name) {
            let how = format!("is a flag only: lithify run --config FILE --{}", entry.name);
            return self.fault(entry, how);
        }
        self.fault(entry, format!("there is no such setting{}", did_you_mean(entry.name, known)));
    }

    fn wrong_kind<T>(&mut self, entry: &Entry<'_>, wanted: &str) -> Option<T> {
        self.fault(entry, format!("must be {wanted}, but this is {}", entry.value.kind()));
        None
    }
}

fn given<T>(entry: &Entry<'_>, value: T) -> Given<T> {
    Given { value, origin: entry.origin.clone() }
}
