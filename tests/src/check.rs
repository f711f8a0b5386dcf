//! What must hold after any history: each good row in the table exactly once, each bad one in the quarantine, each drop in
//! the audit table once, and records = rows + quarantined records (I-1 and I-6 of the design).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use benches::layout;
use benches::truth::{FIGURES, select_list};
use serde_json::Value;

use crate::drops::{Drops, Fate};
use crate::place::Place;
use crate::reader::{self, Answer, Engine};

/// The audit table's accounting of each drop, with the column names that the tests rely on.
const AUDIT: &str = "SELECT source_file, count(*), sum(records)::BIGINT, sum(rows)::BIGINT, sum(quarantined_records)::BIGINT \
                     FROM drops GROUP BY source_file ORDER BY source_file";
/// The quarantine's fields that the tests rely on.
const QUARANTINE: (&str, &str) = ("source_file", "row");
const PER_FILE: &str = "SELECT _source_file, count(*), count(DISTINCT _source_row), sum(_source_row)::BIGINT FROM rows \
                        GROUP BY _source_file ORDER BY _source_file";

/// Holds a place to everything at once, and gives the table's version.
///
/// # Panics
/// With the first thing that does not hold.
pub fn exactly_once(place: &Place, drops: &Drops) -> i64 {
    let figures = format!("SELECT {} FROM rows", select_list());
    let tables = [("rows", &*place.table()), ("drops", &*place.audit())];
    let queries = [("figures", figures.as_str()), ("per_file", PER_FILE), ("audit", AUDIT)];
    let answer = reader::ask(Engine::DuckDb, &tables, &queries);
    rows_of_each_drop(&answer, drops);
    for ((name, _), (found, expected)) in
        FIGURES.iter().zip(answer.integers("figures").into_iter().zip(drops.truth.figures()))
    {
        assert_eq!(found, expected, "{name} over all rows");
    }
    audit(&answer, drops);
    quarantine(&place.state().join("quarantine"), drops);
    answer.table("rows").unwrap().version
}

/// Each file's rows: as many as there should be, none twice, and the right ones of the file.
fn rows_of_each_drop(answer: &Answer, drops: &Drops) {
    let found: BTreeMap<String, Vec<i64>> = keyed(answer.rows("per_file"));
    let expected = drops.fates.iter().filter(|(_, fate)| fate.rows() > 0);
    let expected = expected.map(|(path, fate)| (path.clone(), vec![fate.rows(), fate.rows(), fate.ordinals()]));
    same("[rows, distinct rows, sum of ordinals] in the table", &found, &expected.collect());
}

/// Each drop once, with its balance.
fn audit(answer: &Answer, drops: &Drops) {
    let found: BTreeMap<String, Vec<i64>> = keyed(answer.rows("audit"));
    let balance = |fate: &Fate| vec![1, fate.records, fate.rows(), fate.bad.len() as i64];
    let expected = drops.fates.iter().map(|(path, fate)| (path.clone(), balance(fate)));
    same("[times, records, rows, quarantined records] in the audit table", &found, &expected.collect());
}

/// Exactly the bad records. A batch that was aborted may have left its own copy, so one may stand there twice.
fn quarantine(folder: &Path, drops: &Drops) {
    let mut found = BTreeSet::new();
    for file in if folder.exists() { layout::list(folder).unwrap() } else { Vec::new() } {
        for line in fs::read_to_string(&file).unwrap().lines() {
            let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let (path, row) = (entry[QUARANTINE.0].as_str(), entry[QUARANTINE.1].as_i64());
            found.insert((path.unwrap_or_else(|| panic!("no file in {entry}")).to_owned(), row));
        }
    }
    let bad =
        |(path, fate): (&String, &Fate)| fate.bad.iter().map(|row| (path.clone(), Some(*row))).collect::<Vec<_>>();
    let expected: BTreeSet<_> = drops.fates.iter().flat_map(bad).collect();
    let (missing, extra) = (expected.difference(&found).count(), found.difference(&expected).count());
    assert_eq!((missing, extra), (0, 0), "records (missing, too many) in {}", folder.display());
}

/// Rows of (text, integers ...) by their text.
fn keyed(rows: &[Value]) -> BTreeMap<String, Vec<i64>> {
    let integers = |row: &Value| row.as_array().unwrap()[1..].iter().map(|value| value.as_i64().unwrap()).collect();
    rows.iter().map(|row| (row[0].as_str().unwrap().to_owned(), integers(row))).collect()
}

/// Compares, and names the first few that differ: whole maps are too long to read.
fn same(what: &str, found: &BTreeMap<String, Vec<i64>>, expected: &BTreeMap<String, Vec<i64>>) {
    let keys: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let differ: Vec<_> = keys.into_iter().filter(|key| found.get(*key) != expected.get(*key)).collect();
    let named: Vec<_> = differ.iter().take(5).map(|key| (key, found.get(*key), expected.get(*key))).collect();
    assert!(differ.is_empty(), "{what}: {} drops differ; (drop, found, expected): {named:#?}", differ.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "1 drops differ")]
    fn a_doubled_row_is_seen() {
        let map = |rows| BTreeMap::from([("a".to_owned(), vec![10, 10, 45]), ("b".to_owned(), vec![rows, 10, 45])]);
        same("rows", &map(11), &map(10));
    }

    #[test]
    #[should_panic(expected = "1 drops differ")]
    fn a_lost_drop_is_seen() {
        same("rows", &BTreeMap::new(), &BTreeMap::from([("a".to_owned(), vec![1])]));
    }

    #[test]
    #[should_panic(expected = "(0, 1)")]
    fn a_good_record_in_quarantine_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("q.jsonl"), "{\"source_file\":\"a.json\",\"row\":3}\n").unwrap();
        quarantine(folder.path(), &Drops::new(folder.path(), 1));
    }
}
