//! Which of the ledger's pipelines feed the table, and whether table and ledger belong together at all.
//!
//! A ledger can have the pipelines of several tables; those of others are none of this verdict's. But a table that was exchanged has another id
//! too, and a ledger that was exchanged lacks pipelines that the log has commits of: neither may be called right because nothing was looked at.

use std::collections::BTreeSet;

use drops::PipelineName;
use ledger::PipelineSettings;

use crate::history::APP_PREFIX;
use crate::{AuditError, Invariant, Subject, Verdict};

/// What begins the application ids that are no pipeline's: no pipeline is called so.
const NO_PIPELINE: &str = "lithify/#";

/// How many pipelines of other tables a finding names.
const SHOWN: usize = 3;

type Fixed = (PipelineName, PipelineSettings);

/// The table's pipelines. What says that they are not all, or that this is not their table, is found.
pub(crate) async fn of_table(subject: &Subject, verdict: &mut Verdict) -> Result<Vec<PipelineName>, AuditError> {
    let table_id = subject.lake.head(&[]).await?.map(|head| head.table_id);
    let mut fixed = Vec::new();
    for name in subject.ledger.pipelines().await? {
        // What was never opened has nothing anywhere.
        if let Some(settings) = subject.ledger.settings(&name).await? {
            fixed.push((name, settings));
        }
    }
    let app_ids = subject.lake.app_ids(APP_PREFIX).await?;
    Ok(judge(table_id.as_deref(), &subject.ledger.identity().await?, fixed, &app_ids, verdict))
}

/// The same of what was read: the table's id, if there is a table, the ledger's identity, the pipelines that were opened, and of whom the log
/// has commits.
fn judge(
    table_id: Option<&str>,
    ledger: &str,
    fixed: Vec<Fixed>,
    app_ids: &[String],
    verdict: &mut Verdict,
) -> Vec<PipelineName> {
    let is_own = |(_, settings): &Fixed| table_id.is_none_or(|id| id == settings.table_id);
    let (own, others): (Vec<Fixed>, Vec<Fixed>) = fixed.into_iter().partition(is_own);
    if let Some(id) = table_id.filter(|_| own.is_empty() && !others.is_empty()) {
        verdict.find(Invariant::CommittedByIntent, "the table", exchanged(id, &others));
    }
    verdict.unchecked.extend(of_an_earlier_table(&own, &others));
    for (name, settings) in own.iter().filter(|(_, settings)| settings.ledger != ledger) {
        let what = format!(
            "it was opened with the ledger {}, and this is {ledger}: it was restored elsewhere or exchanged, and nothing is committed with it",
            settings.ledger
        );
        verdict.find(Invariant::CommittedByIntent, format!("pipeline {name}"), what);
    }
    let own: Vec<PipelineName> = own.into_iter().map(|(name, _)| name).collect();
    let names = app_ids.iter().filter(|app_id| !app_id.starts_with(NO_PIPELINE));
    let names = names.filter_map(|app_id| app_id.strip_prefix(APP_PREFIX));
    for name in names.filter(|name| own.iter().all(|known| known.as_str() != *name)) {
        let what = "the log has commits of it, and the ledger does not know it as a pipeline of this table";
        verdict.find(Invariant::CommittedByIntent, format!("pipeline {name}"), what);
    }
    own
}

/// Why the table is not the one that the ledger's pipelines feed: none of them was opened with its id.
fn exchanged(id: &str, others: &[Fixed]) -> String {
    let shown: Vec<String> = others
        .iter()
        .take(SHOWN)
        .map(|(name, settings)| format!("pipeline {name} was opened with the table of id {}", settings.table_id))
        .collect();
    let more = others.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(", and {more} more with others") } else { String::new() };
    format!(
        "its id is {id}, and in the ledger {}{more}: the table was lost and made anew, or exchanged, or this is not its ledger",
        shown.join(", ")
    )
}

/// The pipelines that fed another table at this one's address: people may have given that up for this one, with all its drops.
fn of_an_earlier_table(own: &[Fixed], others: &[Fixed]) -> Vec<String> {
    let addresses: BTreeSet<&String> = own.iter().filter_map(|(_, settings)| settings.table.as_ref()).collect();
    let is_here = |settings: &PipelineSettings| settings.table.as_ref().is_some_and(|at| addresses.contains(at));
    let here = others.iter().filter(|(_, settings)| is_here(settings));
    let told = here.map(|(name, settings)| {
        format!("pipeline {name}: it was opened with another table at this address, of id {}", settings.table_id)
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use drops::Timestamp;

    use super::*;

    fn pipeline(name: &str, table: Option<&str>, table_id: &str) -> Fixed {
        let settings = PipelineSettings {
            source: "s3://b/p/".into(),
            identity_holds_version: false,
            ledger: "l".into(),
            table_id: table_id.into(),
            table: table.map(str::to_owned),
            at: Timestamp(0),
        };
        (name.parse().unwrap(), settings)
    }

    /// Of a table of this id, what is found and what is not checked; `own` are to be taken for its pipelines.
    fn told(id: Option<&str>, fixed: &[Fixed], app_ids: &[&str], own: &[&str]) -> (Vec<String>, Vec<String>) {
        let mut verdict = Verdict::default();
        let app_ids: Vec<String> = app_ids.iter().map(|id| (*id).to_owned()).collect();
        let taken = judge(id, "l", fixed.to_vec(), &app_ids, &mut verdict);
        assert_eq!(taken.iter().map(PipelineName::as_str).collect::<Vec<_>>(), own);
        assert!(verdict.findings.iter().all(|finding| finding.invariant == Invariant::CommittedByIntent));
        let found = verdict.findings.into_iter().map(|finding| format!("{}: {}", finding.object, finding.what));
        (found.collect(), verdict.unchecked)
    }

    #[test]
    fn a_table_that_no_pipeline_feeds_by_its_id_is_another() {
        let fixed = [pipeline("a", Some("s3://lake/t"), "1"), pipeline("b", None, "2"), pipeline("c", None, "3")];
        let nothing = (Vec::new(), Vec::new());
        assert_eq!(told(Some("1"), &fixed, &[], &["a"]), nothing, "a ledger has pipelines of several tables");
        assert_eq!(told(Some("1"), &[], &[], &[]), nothing, "a ledger in which nothing was opened says nothing");
        assert_eq!(told(None, &fixed, &[], &["a", "b", "c"]), nothing, "where there is no table all are asked");
        let (found, _) = told(Some("9"), &fixed[1..], &[], &[]);
        let both = "pipeline b was opened with the table of id 2, pipeline c was opened with the table of id 3:";
        assert!(found.len() == 1, "{found:?}");
        assert!(found[0].starts_with(&format!("the table: its id is 9, and in the ledger {both}")), "{found:?}");
        let many: Vec<Fixed> = (0..5).map(|n| pipeline(&format!("p{n}"), None, "2")).collect();
        assert!(
            told(Some("9"), &many, &[], &[]).0[0].contains("p2 was opened with the table of id 2, and 2 more with")
        );
    }

    #[test]
    fn one_of_two_pipelines_that_was_opened_with_the_table_before_is_not_checked() {
        let fixed = [pipeline("new", Some("s3://lake/t"), "2"), pipeline("old", Some("s3://lake/t"), "1")];
        let (found, unchecked) = told(Some("2"), &fixed, &[], &["new"]);
        assert_eq!(found, [""; 0]);
        assert_eq!(unchecked, ["pipeline old: it was opened with another table at this address, of id 1"]);
    }

    #[test]
    fn commits_of_a_pipeline_that_the_ledger_lacks_are_found() {
        let fixed = [pipeline("a", None, "1")];
        let (found, _) = told(Some("1"), &fixed, &["lithify/#upkeep", "lithify/a", "lithify/lost"], &["a"]);
        assert!(found.len() == 1 && found[0].starts_with("pipeline lost: the log has commits of it"), "{found:?}");
    }
}
