//! Reads a settings file (TOML) into [`RawSettings`]. Pure: the caller has the text, from a disk or from S3.
//!
//! ```toml
//! memory = "512MiB"            # of the process
//! workers = 2
//! ledger = "dynamodb://NAME"   # of tables on S3
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
//! cluster_by = ["customer", "sku"]   # or z_order_by
//! partition_columns = ["day"]
//! append_existing = false
//! overwrites = "ignore"        # of keys of a source on S3; or "ingest"
//! ```

use std::path::Path;

use toml_edit::{Document, Item, Key, TableLike};

use super::read::{Entry, Language, Reader, Value};
use super::{Origin, RawPipeline, RawSettings, SettingError};

const TOML: Language = Language {
    top: &["memory", "workers", "target_file_size", "longest_delay", "settle_time", "ledger", "pipeline"],
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
        "settle_time",
        "append_existing",
        "overwrites",
    ],
    // How a process is run, not what its pipelines are.
    flags_only: &["watch", "every", "quiet", "json"],
    belongs_inside: "belongs to one pipeline: write it below a [[pipeline]] line",
    belongs_outside: "is of the whole process: write it at the top of the file, above every [[pipeline]]",
};

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
    let mut raw = RawSettings::new(lines.origin(None));
    let mut reader = Reader::new(&TOML, Path::new(file_name).parent());
    for (key, item) in entries(document.as_table()) {
        let entry = lines.entry(key, item);
        match key.get() {
            "pipeline" => pipelines(&mut reader, &lines, &mut raw, &entry, item),
            _ => reader.top(&mut raw, &entry),
        }
    }
    raw.faults = reader.faults;
    Ok(raw)
}

fn pipelines(reader: &mut Reader<'_>, lines: &Lines<'_>, raw: &mut RawSettings, entry: &Entry<'_>, item: &Item) {
    if let Some(tables) = item.as_array_of_tables() {
        for table in tables {
            raw.pipelines.push(pipeline(reader, lines, lines.origin(table.span().map(|span| span.start)), table));
        }
    } else if let Some(inline) = item.as_array().filter(|array| array.iter().all(toml_edit::Value::is_inline_table)) {
        for table in inline.iter().filter_map(toml_edit::Value::as_inline_table) {
            raw.pipelines.push(pipeline(reader, lines, lines.origin(table.span().map(|span| span.start)), table));
        }
    } else {
        let how = "write [[pipeline]] with two brackets, once for each pipeline, and below it name = \"...\"";
        reader.fault(entry, how.to_owned());
    }
}

fn pipeline(reader: &mut Reader<'_>, lines: &Lines<'_>, origin: Origin, table: &dyn TableLike) -> RawPipeline {
    let mut raw = RawPipeline::new(origin);
    for (key, item) in entries(table) {
        reader.pipeline(&mut raw, &lines.entry(key, item));
    }
    raw
}

/// A table's keys and values, in the file's order.
fn entries(table: &dyn TableLike) -> impl Iterator<Item = (&Key, &Item)> {
    table.iter().filter_map(|(name, _)| table.get_key_value(name))
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

    fn entry<'e>(&self, key: &'e Key, item: &'e Item) -> Entry<'e> {
        Entry { name: key.get(), origin: self.origin(key.span().map(|span| span.start)), value: item }
    }
}

impl Value for Item {
    fn text(&self) -> Option<&str> {
        self.as_str()
    }

    fn integer(&self) -> Option<i64> {
        self.as_integer()
    }

    fn truth(&self) -> Option<bool> {
        self.as_bool()
    }

    fn texts(&self) -> Option<Vec<String>> {
        self.as_array()?.iter().map(|value| value.as_str().map(str::to_owned)).collect()
    }

    fn kind(&self) -> &'static str {
        match self.type_name() {
            "string" => "a text",
            "array" => "a list of other things",
            "float" => "a number with a point",
            other => other,
        }
    }
}
