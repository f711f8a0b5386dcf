//! `lithify status`: what ledger and table hold. It reads only, beside any process that writes.

use std::collections::HashMap;
use std::path::Path;

use drops::{BatchId, DropId, PipelineName};
use lake::{LakeError, LiveFile};
use ledger::{BatchRecord, Ledger, LedgerError, PipelineSettings, Sealed};
use runs::{Fate, Manifest};
use store::Store;

use compactor::APP_PREFIX;

use crate::args::StatusArgs;
use crate::gone::{Trail, gone};
use crate::report::{Failure, Moment, PipelineStatus, SizeDistribution, StatusReport, TableStatus, Waiting};
use crate::run::{Look, Machine, S3};
use crate::{advice, exit, report};

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
    let Look { ledger, trail, lake, audit, state, .. } = Look::at(table, ledger).await?;
    let names = ledger.pipelines().await.map_err(of_ledger)?;
    let app_ids: Vec<_> = names.iter().map(|name| format!("{APP_PREFIX}{name}")).collect();
    let head = lake.head(&app_ids.iter().map(String::as_str).collect::<Vec<_>>()).await.map_err(of_lake)?;
    let table_id = head.as_ref().map(|head| head.table_id.as_str());
    let mut pipelines = Vec::new();
    for (name, app_id) in names.into_iter().zip(&app_ids) {
        // A ledger in DynamoDB has the pipelines of other tables too.
        let settings = ledger.settings(&name).await.map_err(of_ledger)?;
        let feeds = settings.filter(|settings| table_id.is_none_or(|id| settings.table_id == id));
        if let Some(settings) = feeds {
            let books = Books { ledger: ledger.as_ref(), trail: &trail, state: state.as_ref() };
            let mut status = pipeline(books, &name, settings, now).await?;
            let landed = head.as_ref().and_then(|head| head.txns.get(app_id).copied());
            status.unsettled = landed.filter(|_| landed > status.head);
            pipelines.push(status);
        }
    }
    if head.is_none() && pipelines.iter().any(|pipeline| pipeline.head.is_some()) {
        return Err(log_lost(table));
    }
    // What ledger and table hold is told all the same where the audit table cannot be read.
    let audit_head = audit.head(&[]).await;
    let files = if head.is_some() { lake.live_files().await.map_err(of_lake)? } else { Vec::new() };
    let table = TableStatus {
        path: table.to_owned(),
        version: head.map(|head| head.version),
        last_commit_at: pipelines.iter().filter_map(|p| p.last_commit_at).max(),
        rows: rows(&files),
        audit_version: audit_head.as_ref().ok().and_then(|head| head.as_ref()).map(|head| head.version),
        audit_fault: audit_head.err().map(|fault| fault.to_string()),
        files: SizeDistribution::of(files.iter().map(|file| file.size)),
    };
    Ok(StatusReport::new(Moment(now), table, pipelines))
}

fn rows(files: &[LiveFile]) -> Option<u64> {
    files.iter().map(|file| file.rows).sum()
}

/// What tells of a pipeline.
#[derive(Clone, Copy)]
pub(crate) struct Books<'a> {
    pub(crate) ledger: &'a dyn Ledger,
    /// The same ledger, asked for the drops of its batches.
    pub(crate) trail: &'a Trail,
    pub(crate) state: &'a dyn Store,
}

/// How many claims each sealed batch should have, and its record.
pub(crate) type Sealings = HashMap<BatchId, (u64, Sealed)>;

async fn pipeline(
    books: Books<'_>,
    name: &PipelineName,
    settings: PipelineSettings,
    now: drops::Timestamp,
) -> Result<PipelineStatus, Failure> {
    let ledger = books.ledger;
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
    let (mut sealings, mut after) = (Sealings::new(), None);
    loop {
        let page = ledger.batches(name, after, PAGE).await.map_err(of_ledger)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        for (id, record) in &page {
            if let Some((sealed, held)) = add(&mut status, books, *id, record).await? {
                sealings.insert(*id, (held, sealed.clone()));
            }
        }
    }
    let held = status.drops_committed + status.drops_staged + status.drops_quarantined;
    let mut unheld = ledger.count_claims(name).await.map_err(of_ledger)?.saturating_sub(held);
    if unheld > 0 {
        let gone = gone(books, name, &status.source, &sealings).await?;
        unheld = unheld.saturating_sub(gone.names);
        (status.drops_gone, status.drops_not_asked_for) = (gone.drops.min(unheld), gone.untold);
    }
    status.drops_unfinished = unheld - status.drops_gone;
    Ok(status)
}

/// Adds a batch; of one that is sealed, gives its record and how many claims must name it.
async fn add<'r>(
    status: &mut PipelineStatus,
    books: Books<'_>,
    id: BatchId,
    record: &'r BatchRecord,
) -> Result<Option<(&'r Sealed, u64)>, Failure> {
    let Some(sealed) = record.sealed() else { return Ok(None) };
    let rows = sealed.drops - sealed.quarantined_drops;
    match record {
        BatchRecord::Committed { version, .. } => {
            status.drops_committed += rows;
            status.last_version = status.last_version.max(Some(*version));
        }
        _ => status.drops_staged += rows,
    }
    status.quarantined_records += sealed.quarantined_records;
    let mut quarantined = 0;
    if sealed.quarantined_drops > 0 {
        quarantined = still_quarantined(books, id, sealed).await?;
    }
    status.drops_quarantined += quarantined;
    Ok(Some((sealed, rows + quarantined)))
}

/// How many of a batch's quarantined drops no later batch has taken over as repaired.
async fn still_quarantined(books: Books<'_>, id: BatchId, sealed: &Sealed) -> Result<u64, Failure> {
    let manifest = manifest(books.state, sealed).await?;
    let quarantined = manifest.held.into_iter().filter(|drop| drop.fate != Fate::Ingested);
    let ids: Vec<_> = quarantined
        .map(|drop| DropId {
            pipeline: sealed.pipeline.clone(),
            bucket: drop.bucket,
            key: drop.key,
            version: drop.version,
        })
        .collect();
    let claims = books.ledger.claims(&ids).await.map_err(of_ledger)?;
    Ok(claims.iter().flatten().filter(|claim| claim.batch == id).count() as u64)
}

pub(crate) async fn manifest(state: &dyn Store, sealed: &Sealed) -> Result<Manifest, Failure> {
    let damaged = |reason: String| {
        Failure::new(format!("{}: {reason}", sealed.manifest), "restore the state folder from a backup")
    };
    let content = state.get(&sealed.manifest).await.map_err(|e| damaged(e.to_string()))?;
    Manifest::decode(&content, &sealed.digest).map_err(|e| damaged(e.to_string()))
}

/// The table's log is gone, which the ledger knows of. On one machine the ledger goes with the state folder; on AWS it lies elsewhere.
pub(crate) fn log_lost(table: &str) -> Failure {
    let instead = if table.starts_with(S3) {
        "ingest into another table, with a pipeline of another name".to_owned()
    } else {
        format!("remove {table}/_lithify and {table}_drops to begin anew")
    };
    Failure::new(
        format!("the ledger knows commits of the table {table}, but it has no log: {table}/_delta_log is gone"),
        format!("restore {table}/_delta_log from a backup, or {instead}"),
    )
}

pub(crate) fn no_ledger(table: &Path, is_table: bool) -> Failure {
    let folder = table.display();
    let of = table.to_str().and_then(|text| text.trim_end_matches('/').strip_suffix("_drops"));
    if let Some(of) = of.filter(|of| is_table && Path::new(of).join("_lithify").is_dir()) {
        Failure::new(
            format!("{folder} is the audit table of {of}, and no pipeline feeds it"),
            format!("any reader of Delta tables opens it; ask about {of} itself"),
        )
    } else if is_table {
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
    let text = error.to_string();
    let help = advice::of(&text).unwrap_or(if text.contains(advice::DYNAMODB) {
        "nothing was changed; mend the cause and ask again"
    } else {
        "see whether the disk is full or another program holds the ledger; nothing was changed"
    });
    Failure::new(text, help)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn of_lake(error: LakeError) -> Failure {
    let error = error.to_string();
    let help = crate::advice::of(&error);
    let help = help.unwrap_or("see whether the folder is a Delta table that this user may read; nothing was changed");
    Failure::new(error, help)
}

#[cfg(test)]
mod tests {
    use drops::Timestamp;
    use ledger::{Claim, EmbeddedLedger, Expected};
    use runs::HeldDrop;

    use super::*;

    fn id(key: &str) -> DropId {
        DropId { pipeline: "p".parse().unwrap(), bucket: String::new(), key: key.to_owned(), version: None }
    }

    fn held(key: &str) -> HeldDrop {
        HeldDrop {
            bucket: String::new(),
            key: key.to_owned(),
            version: None,
            etag: String::new(),
            size: 1,
            modified: Timestamp(0),
            arrived: None,
            fate: Fate::Ingested,
            records: 0,
            rows: 0,
            rescued_rows: 0,
            quarantined_records: 0,
        }
    }

    /// A sealed batch holds `held` and has left out others; an aborted one and one without a record hold nothing.
    async fn some(source: &Path, table: &Path) {
        let pipeline: PipelineName = "p".parse().unwrap();
        std::fs::create_dir_all(table.join("_lithify/staging")).unwrap();
        let ledger = EmbeddedLedger::open(&table.join("_lithify/ledger.db"), "l".to_owned()).unwrap();
        let settings = PipelineSettings {
            source: source.display().to_string(),
            identity_holds_version: false,
            ledger: "l".to_owned(),
            table_id: "t".to_owned(),
            table: None,
            at: Timestamp(1),
        };
        ledger.fix_settings(&pipeline, &settings).await.unwrap();
        let batches = [1_u128, 2, 3].map(|n| BatchId::from_parts(1, n));
        let drops =
            [("held", 0), ("left-out", 0), ("left-out-gone", 0), ("aborted-gone", 1), ("open", 2), ("open-gone", 2)];
        let claim = |(key, batch): (&str, usize)| {
            let (holder, etag) = ("h".to_owned(), String::new());
            let claim = Claim { batch: batches[batch], holder, at: Timestamp(1), etag, aborted: 0, aborted_alone: 0 };
            (id(key), Expected::Absent, claim)
        };
        ledger.claim(&drops.map(claim)).await.unwrap();
        assert_eq!(ledger.abort(&pipeline, batches[1]).await.unwrap(), ledger::AbortOutcome::Aborted);
        let manifest = Manifest::new(batches[0], pipeline.clone(), 1, vec![held("held")], Vec::new(), None).unwrap();
        let (content, digest) = manifest.encode().unwrap();
        std::fs::write(table.join("_lithify/staging/m"), &content).unwrap();
        let sealed = Sealed {
            pipeline,
            manifest: "staging/m".to_owned(),
            digest,
            drops: 1,
            quarantined_drops: 0,
            rows: 0,
            rescued_rows: 0,
            quarantined_records: 0,
            source_bytes: 1,
            staged_bytes: 0,
            at: Timestamp(1),
        };
        assert_eq!(ledger.seal(batches[0], &sealed).await.unwrap(), ledger::SealOutcome::Sealed);
    }

    #[test]
    fn nobody_looks_at_a_disk_for_a_ledger_in_dynamodb() {
        let help = |reason: &str| {
            of_ledger(LedgerError { action: "list the pipelines", reason: reason.to_owned(), passing: false }).help
        };
        let absent = help("DynamoDB table 'nope': there is no such table in this account and region (x): check it");
        assert!(absent.contains("--ledger dynamodb://NAME"), "{absent}");
        let other = help("DynamoDB table 'nope': DynamoDB refused the request (X, status 400: y)");
        assert_eq!(other, "nothing was changed; mend the cause and ask again");
        assert!(help("'/t/_lithify/ledger.db': x").contains("disk"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_gone_from_the_source_is_not_unfinished_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let (source, table) = (folder.path().join("source"), folder.path().join("table"));
        std::fs::create_dir(&source).unwrap();
        some(&source, &table).await;
        for file in ["left-out", "open"] {
            std::fs::write(source.join(file), "").unwrap();
        }
        let counts = async || {
            let report = status(table.to_str().unwrap(), None).await.unwrap();
            let one = &report.pipelines[0];
            (one.drops_staged, one.drops_unfinished, one.drops_gone)
        };
        assert_eq!(counts().await, (1, 2, 3));
        std::fs::remove_file(source.join("open")).unwrap();
        assert_eq!(counts().await, (1, 1, 4));
        // A source that is away says nothing of its files.
        std::fs::rename(&source, folder.path().join("away")).unwrap();
        assert_eq!(counts().await, (1, 5, 0));
    }
}
