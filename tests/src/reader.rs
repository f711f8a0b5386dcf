//! Tables through the eyes of others: `reader.py` with the `deltalake` wheel and DuckDB.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::place;

/// Who reads the rows. The log is read by the `deltalake` wheel in both cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// DuckDB over the live files.
    DuckDb,
    /// The `deltalake` wheel's own query engine.
    Delta,
}

/// What a reader found.
pub struct Answer(Value);

/// Asks `queries` (name, SQL) over `tables` (name, path).
///
/// # Panics
/// When a reader cannot read: then nobody can.
pub fn ask(engine: Engine, tables: &[(&str, &Path)], queries: &[(&str, &str)]) -> Answer {
    let tables: BTreeMap<_, _> = tables.iter().copied().collect();
    let queries: BTreeMap<_, _> = queries.iter().copied().collect();
    let engine = if engine == Engine::DuckDb { "duckdb" } else { "delta" };
    let request = json!({ "engine": engine, "tables": tables, "queries": queries }).to_string();
    let mut command = Command::new(place::python());
    command.arg(crate::checkout().join("tests").join("reader.py"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the reader failed on {request}:\n{said}");
    Answer(serde_json::from_slice(&output.stdout).unwrap())
}

/// What the log says of a table, without reading rows; nothing if there is no table.
pub fn describe(table: &Path) -> Option<Table> {
    ask(Engine::DuckDb, &[("table", table)], &[]).table("table")
}

/// What the log says of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its version.
    pub version: i64,
    /// Its live files.
    pub files: Vec<String>,
    /// Its columns in order.
    pub columns: Vec<String>,
    types: Value,
}

impl Table {
    /// The Delta type of a column: a text, or an object for nested ones.
    pub fn kind(&self, column: &str) -> &Value {
        &self.types[column]
    }
}

impl Answer {
    /// The description of one of the tables; nothing if it does not exist.
    pub fn table(&self, name: &str) -> Option<Table> {
        let told = &self.0["tables"][name];
        let texts = |field: &str| told[field].as_array().unwrap().iter().map(|v| v.as_str().unwrap().into()).collect();
        (!told.is_null()).then(|| Table {
            version: told["version"].as_i64().unwrap(),
            files: texts("files"),
            columns: texts("columns"),
            types: told["schema"].clone(),
        })
    }

    /// The rows of a query.
    pub fn rows(&self, query: &str) -> &Vec<Value> {
        self.0["results"][query].as_array().unwrap_or_else(|| panic!("the query {query} was not asked"))
    }

    /// The only row of a query, as integers.
    pub fn integers(&self, query: &str) -> Vec<i64> {
        let rows = self.rows(query);
        assert_eq!(rows.len(), 1, "{query} has {} rows", rows.len());
        let values = rows[0].as_array().unwrap().iter();
        values.map(|value| value.as_i64().unwrap_or_else(|| panic!("{query} holds {value}"))).collect()
    }
}
