//! `lithify reconcile`: the auditor's verdict on a table and its ledger. It reads only.

use auditor::{AuditError, Invariant, Subject, Verdict};
use serde::Serialize;

use crate::advice;
use crate::args::ReconcileArgs;
use crate::exit;
use crate::human::{count, number, plain};
use crate::report::{Failure, show_failure, show_object, show_text};
use crate::run::Look;

/// How many findings of each invariant people are shown; `--json` has more.
const SHOWN: usize = 20;

/// Why I-4 is not judged here.
const NOT_TOLD: &str = "I-4 (each drop that was acknowledged is final): which messages were acknowledged is told by no ledger and no table";

/// The verdict as one JSON object.
#[derive(Serialize)]
struct Report<'a> {
    format_version: u32,
    exit_code: u8,
    table: &'a str,
    holds: bool,
    #[serde(flatten)]
    verdict: &'a Verdict,
}

/// Carries `lithify reconcile` out; returns the exit code.
pub(crate) async fn command(args: &ReconcileArgs, json: bool) -> u8 {
    let verdict = match judge(&args.table, args.ledger.as_deref()).await {
        Ok(mut verdict) => {
            verdict.unchecked.push(NOT_TOLD.to_owned());
            verdict
        }
        Err(failure) => return show_failure(&failure, json).map_or(exit::FAILED, |()| exit::FAILED),
    };
    let code = if verdict.holds() { exit::FINAL } else { exit::FAILED };
    let report =
        Report { format_version: 1, exit_code: code, table: &args.table, holds: verdict.holds(), verdict: &verdict };
    let printed = if json { show_object(&report) } else { show_text(&text(&args.table, &verdict)) };
    printed.map_or(exit::FAILED, |()| code)
}

async fn judge(table: &str, ledger: Option<&str>) -> Result<Verdict, Failure> {
    let Look { ledger, lake, audit, state, table_store, audit_store, .. } = Look::at(table, ledger).await?;
    let subject = Subject { ledger, lake, audit, state, table_store, audit_store };
    auditor::audit(&subject, &[]).await.map_err(|e| of_audit(&e))
}

fn of_audit(error: &AuditError) -> Failure {
    let text = error.to_string();
    let help = match error {
        _ if advice::of(&text).is_some() => advice::of(&text).unwrap_or_default(),
        AuditError::Moving => "ask again when no lithify run and no other writer is at work",
        AuditError::Store(_) => {
            "a file that the log or the ledger names cannot be read: restore it, or the table to an earlier version"
        }
        _ => "nothing was changed; mend the cause and ask again",
    };
    Failure::new(text, help)
}

fn text(table: &str, verdict: &Verdict) -> String {
    let counts = &verdict.counts;
    let mut text = format!(
        "{}: {} in {}, {}, {} in {}, {}\n",
        plain(table),
        count(counts.drops, "drop", "drops"),
        count(counts.batches, "batch", "batches"),
        count(counts.commits, "commit", "commits"),
        count(counts.rows, "row", "rows"),
        count(counts.files, "file", "files"),
        count(counts.audit_rows, "audit row", "audit rows"),
    );
    if counts.foreign_rows > 0 {
        let were = if counts.foreign_rows == 1 { "was" } else { "were" };
        text += &format!("  {} of the rows {were} written by others\n", number(counts.foreign_rows));
    }
    if counts.unsettled > 0 {
        let commits = count(counts.unsettled, "commit is", "commits are");
        text += &format!("  {commits} in the table and not settled yet: the next run does that\n");
    }
    if counts.staged > 0 {
        let batches = count(counts.staged, "batch is", "batches are");
        text += &format!("  {batches} staged and not committed yet: the rows are in no table, and are not judged\n");
    }
    for invariant in Invariant::ALL {
        let found: Vec<_> = verdict.findings.iter().filter(|finding| finding.invariant == invariant).collect();
        // It is told below that it was not checked.
        if invariant == Invariant::AcknowledgedIsFinal && found.is_empty() {
            continue;
        }
        let word = if found.is_empty() { "holds " } else { "BROKEN" };
        text += &format!("  {invariant} {word} {}\n", invariant.sentence());
        for finding in found.iter().take(SHOWN) {
            text += &format!("      {}: {}\n", plain(&finding.object), plain(&finding.what));
        }
        if found.len() > SHOWN {
            text += &format!("      and {} more\n", number((found.len() - SHOWN) as u64));
        }
    }
    if !verdict.holds() && counts.foreign_commits > 0 {
        let commits = count(counts.foreign_commits, "commit", "commits");
        text += &format!(
            "  {commits} of other writers changed the table's files: what they deleted or wrote twice counts above as lost or doubled; \
             the table's history names them\n"
        );
    }
    for unchecked in &verdict.unchecked {
        text += &format!("  not checked: {}\n", plain(unchecked));
    }
    // That much is never checked here, and says nothing against the table.
    let complete = verdict.unchecked.iter().all(|unchecked| unchecked == NOT_TOLD);
    text += match (verdict.holds(), complete) {
        (true, true) => "Nothing is lost and nothing is doubled.\n",
        (true, false) => "Nothing was found lost or doubled in what could be checked.\n",
        (false, _) => "Ledger, log and rows do not agree.\n",
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_checked_is_told_and_only_more_than_usual_spoils_the_last_word() {
        let mut verdict = Verdict { unchecked: vec![NOT_TOLD.to_owned()], ..Verdict::default() };
        let told = text("t", &verdict);
        assert!(told.contains("  not checked: I-4 (") && !told.contains("I-4 holds"), "{told}");
        assert!(told.ends_with("Nothing is lost and nothing is doubled.\n"), "{told}");
        verdict.unchecked.push("commits below version 3: the log was cleaned up".to_owned());
        assert!(text("t", &verdict).ends_with("in what could be checked.\n"));
    }

    #[test]
    fn a_ledger_that_is_not_there_is_told_as_by_status() {
        let reason = "DynamoDB table 'nope': there is no such table in this account and region (x): check it";
        let error = || ledger::LedgerError { action: "list the pipelines", reason: reason.into(), passing: false };
        assert_eq!(of_audit(&error().into()), crate::status::of_ledger(error()));
    }
}
