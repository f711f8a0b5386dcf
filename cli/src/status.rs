//! `lithify status`: what ledger and table hold. It reads only, beside any process that writes.

use std::path::Path;

use drops::{BatchId, DropId, PipelineName};
use lake::{LakeError, LiveFile};
use ledger::{BatchRecord, Ledger, LedgerError, PipelineSettings, Sealed};
use runs::{Fate, Manifest};
use store::Store;

use crate::args::StatusArgs;
use crate::report::{Failure, Moment, PipelineStatus, SizeDistribution, StatusReport, TableStatus, Waiting};
use crate::run::{Look, Machine};
use crate::{exit, report};

/// How many batches are read at once: a page of a ledger in DynamoDB costs a look at all of it.
const PAGE: usize = 1_000_000;

/// Carries `lithify status` out; returns the exit code.
pub(crate) async fn command(args: &StatusArgs, json: bool) -> u8 {
    let printed = match status(&args.table, args.ledger.as_deref()).await {
        Ok(report) => report::show_status(&report, json).map(|()| exit::FINAL),
        Err(failure) => report::show_failure(&failure, json).map(|()| exit::FAILED),
    };
    printed.unwrap_or(exit::FAILED)
}

async fn status(table: &str, ledger: Option<&str>) -> Result<StatusReport, Failure> {
    let now = Machine::new().clock.now();
    let Look { ledger, lake, audit, state, .. } = Look::at(table, ledger).await?;
    let head = lake.head(&[]).await.map_err(of_lake)?;
    let table_id = head.as_ref().map(|head| head.table_id.as_str());
    let mut pipelines = Vec::new();
    for name in ledger.pipelines().await.map_err(of_ledger)? {
        // A ledger in DynamoDB has the pipelines of other tables too.
        let settings = ledger.settings(&name).await.map_err(of_ledger)?;
        let feeds = settings.filter(|settings| table_id.is_none_or(|id| settings.table_id == id));
        if let Some(settings) = feeds {
            pipelines.push(pipeline(ledger.as_ref(), state.as_ref(), &name, settings, now).await?);
        }
    }
    if head.is_none() && pipelines.iter().any(|pipeline| pipeline.head.is_some()) {
        return Err(log_lost(table));
    }
    let files = if head.is_some() { lake.live_files().await.map_err(of_lake)? } else { Vec::new() };
    let table = TableStatus {
        path: table.to_owned(),
        version: head.map(|head| head.version),
        last_commit_at: pipelines.iter().filter_map(|p| p.last_commit_at).max(),
        rows: rows(&files),
        audit_version: audit.head(&[]).await.map_err(of_lake)?.map(|head| head.version),
        files: SizeDistribution::of(files.iter().map(|file| file.size)),
    };
    Ok(StatusReport::new(Moment(now), table, pipelines))
}

fn rows(files: &[LiveFile]) -> Option<u64> {
    files.iter().map(|file| file.rows).sum()
}

async fn pipeline(
    ledger: &dyn Ledger,
    state: &dyn Store,
    name: &PipelineName,
    settings: PipelineSettings,
    now: drops::Timestamp,
) -> Result<PipelineStatus, Failure> {
    let head = ledger.head(name).await.map_err(of_ledger)?;
    let intent = match head {
        Some(number) => ledger.intent(name, number).await.map_err(of_ledger)?,
        None => None,
    };
    let totals = ledger.staged_totals(name).await.map_err(of_ledger)?;
    let waiting = Waiting {
        batches: totals.batches,
        drops: totals.drops,
        rows: totals.rows,
        staged_bytes: totals.staged_bytes,
        ..Waiting::default()
    };
    let mut status = PipelineStatus {
        name: name.to_string(),
        source: settings.source,
        waiting: waiting.with_oldest(totals.oldest, now),
        head,
        last_commit_at: intent.map(|intent| Moment(intent.at)),
        ..PipelineStatus::default()
    };
    let mut after = None;
    loop {
        let page = ledger.batches(name, after, PAGE).await.map_err(of_ledger)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        for (id, record) in &page {
            add(&mut status, ledger, state, *id, record).await?;
        }
    }
    let held = status.drops_committed + status.drops_staged + status.drops_quarantined;
    status.drops_unfinished = ledger.count_claims(name).await.map_err(of_ledger)?.saturating_sub(held);
    Ok(status)
}

async fn add(
    status: &mut PipelineStatus,
    ledger: &dyn Ledger,
    state: &dyn Store,
    id: BatchId,
    record: &BatchRecord,
) -> Result<(), Failure> {
    let Some(sealed) = record.sealed() else { return Ok(()) };
    let rows = sealed.drops - sealed.quarantined_drops;
    match record {
        BatchRecord::Committed { version, .. } => {
            status.drops_committed += rows;
            status.last_version = status.last_version.max(Some(*version));
        }
        _ => status.drops_staged += rows,
    }
    status.quarantined_records += sealed.quarantined_records;
    if sealed.quarantined_drops > 0 {
        status.drops_quarantined += still_quarantined(ledger, state, id, sealed).await?;
    }
    Ok(())
}

/// How many of a batch's quarantined drops no later batch has taken over as repaired.
async fn still_quarantined(
    ledger: &dyn Ledger,
    state: &dyn Store,
    id: BatchId,
    sealed: &Sealed,
) -> Result<u64, Failure> {
    let damaged = |reason: String| {
        Failure::new(format!("{}: {reason}", sealed.manifest), "restore the state folder from a backup")
    };
    let content = state.get(&sealed.manifest).await.map_err(|e| damaged(e.to_string()))?;
    let manifest = Manifest::decode(&content, &sealed.digest).map_err(|e| damaged(e.to_string()))?;
    let quarantined = manifest.held.into_iter().filter(|drop| drop.fate != Fate::Ingested);
    let ids: Vec<_> = quarantined
        .map(|drop| DropId {
            pipeline: sealed.pipeline.clone(),
            bucket: drop.bucket,
            key: drop.key,
            version: drop.version,
        })
        .collect();
    let claims = ledger.claims(&ids).await.map_err(of_ledger)?;
    Ok(claims.iter().flatten().filter(|claim| claim.batch == id).count() as u64)
}

fn log_lost(folder: &str) -> Failure {
    Failure::new(
        format!("the ledger knows commits of the table {folder}, but it has no log: {folder}/_delta_log is gone"),
        format!("restore {folder}/_delta_log from a backup, or remove {folder}/_lithify to begin anew"),
    )
}

pub(crate) fn no_ledger(table: &Path, is_table: bool) -> Failure {
    let folder = table.display();
    if is_table {
        Failure::new(
            format!("the Delta table {folder} has no ledger of Lithify"),
            "if Lithify made it, restore its folder _lithify from a backup; else there is nothing to tell",
        )
    } else {
        Failure::new(format!("there is no table at {folder}"), format!("make one: lithify run SOURCE {folder}"))
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn of_ledger(error: LedgerError) -> Failure {
    Failure::new(
        error.to_string(),
        "see whether the disk is full or another program holds the ledger; nothing was changed",
    )
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn of_lake(error: LakeError) -> Failure {
    Failure::new(
        error.to_string(),
        "see whether the folder is a Delta table that this user may read; nothing was changed",
    )
}
