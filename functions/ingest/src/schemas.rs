//! The history of a table's schemas: version n+1 is a conditional write in the ledger, so that concurrent ingests agree.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use decode::hints::{Hints, quoted};
use decode::infer::{Conflict, Observed};
use decode::limits::OverLimit;
use decode::rows::{MAX_MISFITS_NAMED, MisfitCause, NoColumn, column_hash};
use decode::schema::TableSchema;
use ledger::Ledger;

use crate::IngestError;

/// One version of the table's schema.
#[derive(Clone, Debug)]
pub struct SchemaVersion {
    /// Its number, from 1.
    pub number: u64,
    /// The data columns.
    pub schema: Arc<TableSchema>,
}

/// How many added columns are kept; a table has at most 2,000.
const NEWS: usize = 2_000;

/// How many columns in conflict are told apart, so that those that are not named can be counted.
const COUNTED: usize = 100_000;

/// The schemas of one table, as the ledger has them.
pub struct Schemas {
    ledger: Arc<dyn Ledger>,
    table: String,
    hints: Hints,
    /// Columns that are there from the beginning, whatever the drops hold.
    named: Vec<String>,
    /// Whether the columns were learned from drops in this process.
    learned: AtomicBool,
    newest: Mutex<Option<SchemaVersion>>,
    news: Mutex<News>,
}

/// News, and what was told before: each column in conflict is told of once.
#[derive(Default)]
struct News {
    fresh: SchemaNews,
    /// The hashes of all columns in conflict.
    known: HashSet<u64>,
    /// How many of them were named.
    named: usize,
    /// How many were not.
    further: u64,
    uncounted: bool,
    /// Whether it was told that the table has as many columns as it may.
    full: bool,
}

/// What happened to the schema since it was last asked for, for the user.
#[derive(Clone, Debug, Default)]
pub struct SchemaNews {
    /// Columns that were added, as dotted paths, with their types in the words of `schema_hints`.
    pub added: Vec<(String, String)>,
    /// Columns that could not be typed as their values would have liked, or that values were rescued from: each once, however often it
    /// is asked, and no more than a thousand.
    pub conflicts: Vec<Conflict>,
    /// How many further columns in conflict were not named, since the beginning.
    pub further_conflicts: u64,
    /// Whether there were more than could be told apart: then there are at least as many.
    pub uncounted_conflicts: bool,
}

impl Schemas {
    /// The schemas of a table.
    pub fn new(ledger: Arc<dyn Ledger>, table: String, hints: Hints) -> Self {
        Self {
            ledger,
            table,
            hints,
            named: Vec::new(),
            learned: AtomicBool::new(false),
            newest: Mutex::default(),
            news: Mutex::default(),
        }
    }

    /// The same, of a table that was made with some columns before there were drops: those that hints type, and these.
    #[must_use]
    pub fn with_named(mut self, columns: Vec<String>) -> Self {
        self.named = columns;
        self
    }

    /// Asks the ledger for the newest version: others may have added one since.
    pub async fn refresh(&self) -> Result<Option<SchemaVersion>, IngestError> {
        self.reload().await
    }

    /// Whether the table has columns that the settings do not name: then its first drops have been looked at. A table that never gets such
    /// a column is learned once by each process.
    pub(crate) async fn is_learned(&self) -> Result<bool, IngestError> {
        if self.learned.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let Some(newest) = self.newest().await? else { return Ok(false) };
        let hinted = Observed::default().resolve(&self.hints, None).schema;
        let settled = |name: &str| {
            hinted
                .fields
                .iter()
                .map(|field| field.name.as_str())
                .chain(self.named.iter().map(String::as_str))
                .any(|n| n == name)
        };
        let learned = newest.schema.fields.iter().any(|field| !settled(&field.name));
        self.learned.fetch_or(learned, Ordering::Relaxed);
        Ok(learned)
    }

    /// Notes that they have.
    pub(crate) fn learned(&self) {
        self.learned.store(true, Ordering::Relaxed);
    }

    /// The newest version that is known here; asks the ledger where none is.
    pub async fn newest(&self) -> Result<Option<SchemaVersion>, IngestError> {
        let known = lock(&self.newest).clone();
        match known {
            Some(known) => Ok(Some(known)),
            None => self.reload().await,
        }
    }

    /// The version of a number.
    pub async fn version(&self, number: u64) -> Result<Option<SchemaVersion>, IngestError> {
        let text = self.ledger.schema(&self.table, number).await?;
        text.map(|text| parse(number, &text)).transpose()
    }

    /// Adds what was observed to the schema, in a new version where that adds a column. Returns the newest version: with the
    /// observed columns, as far as they can be columns.
    pub async fn evolve(&self, observed: &Observed) -> Result<SchemaVersion, IngestError> {
        loop {
            let newest = self.reload().await?;
            let resolved = observed.resolve(&self.hints, newest.as_ref().map(|v| v.schema.as_ref()));
            if let Some(version) = newest.as_ref().filter(|v| *v.schema == resolved.schema) {
                self.report(Vec::new(), resolved.conflicts);
                return Ok(version.clone());
            }
            let before = newest.as_ref().map(|v| v.schema.clone()).unwrap_or_default();
            if let Some(added) = self.add(newest.map_or(1, |v| v.number + 1), resolved.schema).await? {
                let columns = if added.number == 1 { Vec::new() } else { added_columns(&before, &added.schema) };
                self.report(columns, resolved.conflicts);
                return Ok(added);
            }
        }
    }

    /// Makes the columns that the table has now part of the history: others may have added some, or changed types.
    pub async fn adopt(&self, table: &TableSchema) -> Result<SchemaVersion, IngestError> {
        loop {
            let newest = self.reload().await?;
            let mut schema = table.clone();
            let ours = newest.as_ref().map(|v| v.schema.as_ref().clone()).unwrap_or_default();
            let missing = |name: &str| !table.fields.iter().any(|f| f.name == name);
            schema.fields.extend(ours.fields.into_iter().filter(|f| missing(&f.name)));
            if let Some(version) = newest.as_ref().filter(|v| same_columns(&v.schema, &schema)) {
                return Ok(version.clone());
            }
            if let Some(added) = self.add(newest.map_or(1, |v| v.number + 1), schema).await? {
                return Ok(added);
            }
        }
    }

    /// What happened since this was last called.
    pub fn take_news(&self) -> SchemaNews {
        let mut news = lock(&self.news);
        let (further_conflicts, uncounted_conflicts) = (news.further, news.uncounted);
        SchemaNews { further_conflicts, uncounted_conflicts, ..std::mem::take(&mut news.fresh) }
    }

    /// Notes columns that values were rescued from: some by name, with whether they are no columns of the table, further ones by their
    /// hashes.
    pub(crate) fn report_rescued(&self, named: Vec<(Conflict, MisfitCause)>, further: &[u64], uncounted: bool) {
        let mut news = lock(&self.news);
        for (conflict, cause) in named {
            match cause {
                MisfitCause::NoColumn(NoColumn::Limit) if news.full => news.count(column_hash(&conflict.column)),
                // That has nothing to do with the column's type, which may have been told before.
                MisfitCause::Twice => news.conflict_of("twice", conflict),
                MisfitCause::Empty => news.conflict_of("empty", conflict),
                _ => news.conflict(conflict),
            }
        }
        further.iter().for_each(|hash| news.count(*hash));
        news.uncounted |= uncounted;
    }

    /// Holds the hints against a table that is there: notes each that says something else than its column, whose type never changes, and adds the
    /// columns that it has not.
    pub async fn apply_hints(&self) -> Result<(), IngestError> {
        if let Some(version) = self.newest().await? {
            self.report(Vec::new(), self.hints.contradictions(&version.schema));
            self.evolve(&Observed::default()).await?;
        }
        Ok(())
    }

    async fn add(&self, number: u64, schema: TableSchema) -> Result<Option<SchemaVersion>, IngestError> {
        let text = serde_json::to_string(&schema).map_err(|e| IngestError::Schema(e.to_string()))?;
        if !self.ledger.add_schema(&self.table, number, &text).await? {
            return Ok(None);
        }
        let version = SchemaVersion { number, schema: Arc::new(schema) };
        *lock(&self.newest) = Some(version.clone());
        Ok(Some(version))
    }

    async fn reload(&self) -> Result<Option<SchemaVersion>, IngestError> {
        let Some((number, text)) = self.ledger.newest_schema(&self.table).await? else { return Ok(None) };
        if let Some(known) = lock(&self.newest).as_ref().filter(|known| known.number >= number) {
            return Ok(Some(known.clone()));
        }
        let version = parse(number, &text)?;
        *lock(&self.newest) = Some(version.clone());
        Ok(Some(version))
    }

    fn report(&self, added: Vec<(String, String)>, conflicts: Vec<Conflict>) {
        let mut news = lock(&self.news);
        let room = NEWS.saturating_sub(news.fresh.added.len());
        news.fresh.added.extend(added.into_iter().take(room));
        conflicts.into_iter().for_each(|conflict| news.conflict(conflict));
    }
}

impl News {
    fn conflict(&mut self, conflict: Conflict) {
        self.conflict_of("", conflict);
    }

    /// A conflict of its own kind: each column is told of once in each.
    fn conflict_of(&mut self, kind: &str, conflict: Conflict) {
        // That there are too many columns is said once, by the first of them; the others are counted.
        let full = conflict.reason.starts_with(&OverLimit::Columns.to_string());
        if full && std::mem::replace(&mut self.full, true) {
            return self.count(column_hash(&conflict.column));
        }
        if !self.is_new(column_hash(&format!("{}{kind}", conflict.column))) {
            return;
        }
        if self.named < MAX_MISFITS_NAMED {
            self.named += 1;
            self.fresh.conflicts.push(conflict);
        } else {
            self.further += 1;
        }
    }

    /// Counts a column that is not named.
    fn count(&mut self, hash: u64) {
        if self.is_new(hash) {
            self.further += 1;
        }
    }

    /// Whether a column was not known to be in conflict; it is now.
    fn is_new(&mut self, hash: u64) -> bool {
        if self.known.len() < MAX_MISFITS_NAMED + COUNTED {
            return self.known.insert(hash);
        }
        self.uncounted |= !self.known.contains(&hash);
        false
    }
}

fn parse(number: u64, text: &str) -> Result<SchemaVersion, IngestError> {
    let schema = serde_json::from_str(text).map_err(|e| IngestError::Schema(format!("version {number}: {e}")))?;
    Ok(SchemaVersion { number, schema: Arc::new(schema) })
}

/// Whether two schemas have the same columns, in whatever order.
fn same_columns(a: &TableSchema, b: &TableSchema) -> bool {
    a.fields.len() == b.fields.len() && b.fields.iter().all(|field| a.fields.contains(field))
}

fn added_columns(before: &TableSchema, after: &TableSchema) -> Vec<(String, String)> {
    let mut added = Vec::new();
    collect(&before.fields, &after.fields, "", &mut added);
    added
}

fn collect(
    before: &[decode::schema::Field],
    after: &[decode::schema::Field],
    prefix: &str,
    added: &mut Vec<(String, String)>,
) {
    use decode::schema::Type;
    for field in after {
        let path = format!("{prefix}{}", quoted(&field.name));
        match before.iter().find(|b| b.name == field.name) {
            None => added.push((path, field.data_type.to_string())),
            Some(known) => {
                let (mut old, mut new) = (&known.data_type, &field.data_type);
                while let (Type::List(inner_old), Type::List(inner_new)) = (old, new) {
                    (old, new) = (inner_old, inner_new);
                }
                if let (Type::Struct(old), Type::Struct(new)) = (old, new) {
                    collect(old, new, &format!("{path}."), added);
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conflict(column: &str) -> Conflict {
        Conflict { column: column.to_owned(), reason: String::new(), remedy: String::new() }
    }

    #[test]
    fn that_a_table_is_full_is_told_once_and_further_columns_are_counted() {
        let mut news = News::default();
        let full = |column: &str| Conflict { reason: format!("{}: this one", OverLimit::Columns), ..conflict(column) };
        for column in ["a", "b", "a", "c"] {
            news.conflict(full(column));
        }
        ["a", "b", "d"].iter().for_each(|column| news.count(column_hash(column)));
        assert_eq!((news.fresh.conflicts.len(), news.further), (1, 3));
        assert!(news.full);
    }

    #[test]
    fn each_kind_of_conflict_is_told_of_a_column_once() {
        let mut news = News::default();
        for kind in ["", "twice", "", "empty", "twice"] {
            news.conflict_of(kind, conflict("a"));
        }
        assert_eq!((news.fresh.conflicts.len(), news.further), (3, 0));
    }

    #[test]
    fn a_thousand_columns_are_named_and_the_others_counted_each_once() {
        let mut news = News::default();
        for _ in 0..2 {
            (0..1_200).for_each(|n| news.conflict(conflict(&format!("c{n}"))));
        }
        assert_eq!((news.fresh.conflicts.len(), news.further, news.uncounted), (1_000, 200, false));
        assert_eq!(news.fresh.conflicts[999].column, "c999");
        assert!(!news.is_new(column_hash("c1199")) && news.is_new(column_hash("c1200")));
    }
}
