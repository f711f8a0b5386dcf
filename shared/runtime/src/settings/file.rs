//! Reads a settings file (TOML) into [`RawSettings`]. Pure: the caller has the text, from a disk or from S3.
//!
//! ```toml
//! memory = "512MiB"            # of the process
//! workers = 2
//! target_file_size = "128MiB"  # shared: for each pipeline that does not say otherwise;
//! longest_delay = "5m"         # so are longest_delay
//! settle_time = "2s"           # and settle_time
//!
//! [[pipeline]]
//! name = "orders"              # "default" if left away
//! source = "drops/orders"      # relative paths are relative to this file's folder
//! table = "tables/orders"
//! format = "json"              # told by name and first bytes if left away; so is compression
//! compression = "gzip"
//! schema_hints = "price double, customer.zip string"
//! cluster_by = ["customer", "day"]   # or z_order_by
//! partition_columns = ["day"]
//! append_existing = false
//! ```

use std::path::Path;

use toml_edit::{Document, Item, Key, TableLike, Value};

use super::{Given, Origin, RawPipeline, RawSettings, SettingError, suggest::did_you_mean};

/// The names that stand outside of every pipeline.
const TOP_KEYS: [&str; 6] = ["memory", "workers", "target_file_size", "longest_delay", "settle_time", "pipeline"];

/// The names that stand in a `[[pipeline]]`.
const PIPELINE_KEYS: [&str; 13] = [
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
    "settle_time",
    "append_existing",
];

/// What only the command line says: how a process is run, not what its pipelines are.
const FLAGS_ONLY: [&str; 4] = ["watch", "every", "quiet", "json"];

/// Reads a settings file. `file_name` is what messages call it and what relative paths in it begin at (its folder).
///
/// # Errors
/// Only where the text is no TOML at all. What is wrong within (unknown names, wrong kinds of values) is kept in
/// [`RawSettings::faults`], so that [`super::check`] reports it together with all else.
pub fn read(text: &str, file_name: &str) -> Result<RawSettings, Vec<SettingError>> {
    let lines = Lines::new(text, file_name);
    let document = Document::parse(text).map_err(|error| {
        let origin = lines.origin(error.span().map(|span| span.start));
        vec![SettingError::new(&origin, "file", format!("this is no TOML: {}", error.message().trim()))]
    })?;
    let mut reader = Reader { lines, faults: Vec::new() };
    let mut raw = RawSettings::new(reader.lines.origin(None));
    for (key, item) in entries(document.as_table()) {
        reader.top(&mut raw, key, item);
    }
    raw.faults = reader.faults;
    Ok(raw)
}

/// The lines of a file: which one a byte stands on.
struct Lines<'a> {
    file: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &str, file: &'a str) -> Self {
        let after_newlines = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        Self { file, starts: std::iter::once(0).chain(after_newlines).collect() }
    }

    /// The line of a byte; the first one if it is not known.
    fn origin(&self, byte: Option<usize>) -> Origin {
        let line = byte.map_or(1, |byte| self.starts.partition_point(|start| *start <= byte));
        Origin::Line { file: self.file.to_owned(), line }
    }
}

/// A table's keys and values, in the file's order.
fn entries(table: &dyn TableLike) -> impl Iterator<Item = (&Key, &Item)> {
    table.iter().filter_map(|(name, _)| table.get_key_value(name))
}

struct Reader<'a> {
    lines: Lines<'a>,
    faults: Vec<SettingError>,
}

impl Reader<'_> {
    fn top(&mut self, raw: &mut RawSettings, key: &Key, item: &Item) {
        match key.get() {
            "memory" => raw.memory = self.size(key, item),
            "workers" => raw.workers = self.number(key, item),
            "target_file_size" => raw.shared.target_file_size = self.size(key, item),
            "longest_delay" => raw.shared.longest_delay = self.duration(key, item),
            "settle_time" => raw.shared.settle_time = self.duration(key, item),
            "pipeline" => self.pipelines(raw, key, item),
            name if PIPELINE_KEYS.contains(&name) => {
                self.fault(key, "belongs to one pipeline: write it below a [[pipeline]] line".to_owned());
            }
            name if FLAGS_ONLY.contains(&name) => self.flag_only(key),
            name => self.unknown(key, did_you_mean(name, &TOP_KEYS)),
        }
    }

    fn pipelines(&mut self, raw: &mut RawSettings, key: &Key, item: &Item) {
        if let Some(tables) = item.as_array_of_tables() {
            for table in tables {
                let origin = self.lines.origin(table.span().map(|span| span.start));
                raw.pipelines.push(self.pipeline(origin, table));
            }
        } else if let Some(inline) = item.as_array().filter(|array| array.iter().all(Value::is_inline_table)) {
            for table in inline.iter().filter_map(Value::as_inline_table) {
                let origin = self.lines.origin(table.span().map(|span| span.start));
                raw.pipelines.push(self.pipeline(origin, table));
            }
        } else {
            let how = "write [[pipeline]] with two brackets, once for each pipeline, and below it name = \"...\"";
            self.fault(key, how.to_owned());
        }
    }

    fn pipeline(&mut self, origin: Origin, table: &dyn TableLike) -> RawPipeline {
        let mut raw = RawPipeline::new(origin);
        for (key, item) in entries(table) {
            match key.get() {
                "name" => raw.name = self.text(key, item),
                "source" => raw.source = self.path(key, item),
                "table" => raw.table = self.path(key, item),
                "format" => raw.format = self.text(key, item),
                "compression" => raw.compression = self.text(key, item),
                "schema_hints" => raw.schema_hints = self.text(key, item),
                "cluster_by" => raw.cluster_by = self.list(key, item),
                "z_order_by" => raw.z_order_by = self.list(key, item),
                "partition_columns" => raw.partition_columns = self.list(key, item),
                "target_file_size" => raw.target_file_size = self.size(key, item),
                "longest_delay" => raw.longest_delay = self.duration(key, item),
                "settle_time" => raw.settle_time = self.duration(key, item),
                "append_existing" => raw.append_existing = self.truth(key, item),
                "memory" | "workers" => {
                    let how = "is of the whole process: write it at the top of the file, above every [[pipeline]]";
                    self.fault(key, how.to_owned());
                }
                name if FLAGS_ONLY.contains(&name) => self.flag_only(key),
                name => self.unknown(key, did_you_mean(name, &PIPELINE_KEYS)),
            }
        }
        raw
    }

    fn text(&mut self, key: &Key, item: &Item) -> Option<Given<String>> {
        match item.as_str() {
            Some(text) => Some(self.given(key, text.to_owned())),
            None => self.wrong_kind(key, item, "a text in quotes"),
        }
    }

    /// A path; a relative one is taken from the file's folder. An address with a scheme (`s3://...`) stays as it is.
    fn path(&mut self, key: &Key, item: &Item) -> Option<Given<String>> {
        let mut given = self.text(key, item)?;
        if let Some(folder) = Path::new(self.lines.file).parent()
            && !given.value.is_empty()
            && !given.value.contains("://")
        {
            given.value = folder.join(&given.value).to_string_lossy().into_owned();
        }
        Some(given)
    }

    fn size(&mut self, key: &Key, item: &Item) -> Option<Given<String>> {
        self.text_or_number(key, item, "a size such as \"128MiB\"")
    }

    fn number(&mut self, key: &Key, item: &Item) -> Option<Given<String>> {
        self.text_or_number(key, item, "a number such as 4")
    }

    fn duration(&mut self, key: &Key, item: &Item) -> Option<Given<String>> {
        self.text_or_number(key, item, "a duration such as \"5m\"")
    }

    fn text_or_number(&mut self, key: &Key, item: &Item, wanted: &str) -> Option<Given<String>> {
        match item.as_integer() {
            Some(number) => Some(self.given(key, number.to_string())),
            None if item.is_str() => self.text(key, item),
            None => self.wrong_kind(key, item, wanted),
        }
    }

    fn truth(&mut self, key: &Key, item: &Item) -> Option<Given<bool>> {
        match item.as_bool() {
            Some(truth) => Some(self.given(key, truth)),
            None => self.wrong_kind(key, item, "true or false, without quotes"),
        }
    }

    /// A list of names: an array of texts, or one text with commas.
    fn list(&mut self, key: &Key, item: &Item) -> Option<Given<Vec<String>>> {
        let wanted = "a list of names such as [\"day\", \"customer\"]";
        if let Some(text) = item.as_str() {
            return Some(self.given(key, text.split(',').map(|name| name.trim().to_owned()).collect()));
        }
        let Some(array) = item.as_array() else { return self.wrong_kind(key, item, wanted) };
        let names: Option<Vec<String>> = array.iter().map(|value| value.as_str().map(str::to_owned)).collect();
        match names {
            Some(names) => Some(self.given(key, names)),
            None => self.wrong_kind(key, item, wanted),
        }
    }

    fn given<T>(&self, key: &Key, value: T) -> Given<T> {
        Given { value, origin: self.origin(key) }
    }

    fn origin(&self, key: &Key) -> Origin {
        self.lines.origin(key.span().map(|span| span.start))
    }

    fn fault(&mut self, key: &Key, problem: String) {
        self.faults.push(SettingError::new(&self.origin(key), key.get(), problem));
    }

    fn flag_only(&mut self, key: &Key) {
        let how = format!("is a flag only: lithify run --config FILE --{}", key.get());
        self.fault(key, how);
    }

    fn unknown(&mut self, key: &Key, suggestion: String) {
        self.fault(key, format!("there is no such setting{suggestion}"));
    }

    fn wrong_kind<T>(&mut self, key: &Key, item: &Item, wanted: &str) -> Option<T> {
        let found = match item.type_name() {
            "string" => "a text",
            "array" => "a list of other things",
            "float" => "a number with a point",
            other => other,
        };
        self.fault(key, format!("must be {wanted}, but this is {found}"));
        None
    }
}
