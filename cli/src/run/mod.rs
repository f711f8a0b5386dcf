//! `lithify run`: from settings to a summary. The flow of one pipeline is in `pipeline`.

#[cfg(feature = "aws")]
mod absent;
mod budget;
mod discover;
mod error;
mod machine;
mod pending;
mod pipeline;
mod place;
#[cfg(feature = "aws")]
mod remote;
mod tally;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use compactor::{CompactError, NotOpened};
use ledger::Holder;
use runtime::settings::{Origin, Pipeline, SettingError, Settings};

use crate::args::RunArgs;
use crate::human::plain;
use crate::progress::{Progress, Show};
use crate::report::{Failure, PipelineSummary, RunSummary, SettingFailure};
use crate::{advice, config, exit, report, status};

pub(crate) use error::RunError;
pub(crate) use machine::{Machine, audit_folder};
pub(crate) use pipeline::PipelineRun;
use pipeline::{Surroundings, lock};
use place::Places;
pub(crate) use place::{Look, S3};
pub(crate) use tally::Tally;

/// Who this process is in its tables' claims.
type Holders = Arc<Mutex<Vec<Arc<dyn Holder>>>>;

/// Carries `lithify run` out; returns the exit code.
pub(crate) async fn command(args: &RunArgs, json: bool) -> u8 {
    let (settings, every) = match config::settings(args).and_then(|settings| {
        let every = config::watch(args).map_err(|error| vec![error])?;
        Ok((settings, every))
    }) {
        Ok(both) => both,
        Err(errors) => {
            // A closed standard output changes nothing: the exit code says the same.
            let _ = report::show_setting_errors(&errors, json);
            return exit::WRONG_SETTINGS;
        }
    };
    crate::allocator::fit(settings.memory);
    let machine = Machine::new();
    let progress = Progress::start(Show::choose(json, args.quiet), machine.clock.clone());
    log_to(&progress);
    let stop = Arc::new(AtomicBool::new(false));
    let locks = Holders::default();
    stop_on_signals(&stop, &progress, locks.clone(), settings.workers, every.is_some());
    let (pipelines, wrong) = run_all(args, &settings, every, &machine, &progress, &stop, &locks).await;
    progress.finish();
    let mut summary = RunSummary::new(pipelines, machine.clock.monotonic());
    summary.interrupted = stop.load(Ordering::Relaxed);
    summary.watched = every.is_some();
    summary.peak_memory_bytes = peak_memory();
    let mut code = summary.judge();
    if wrong && code == exit::FAILED {
        code = exit::WRONG_SETTINGS;
        summary.exit_code = code;
    }
    let printed = report::show_run(&summary, json, args.config.is_none());
    if printed.is_err() {
        let unheard = Failure::new(
            "the summary could not be written to standard output",
            "what was committed stays; see `lithify status`",
        );
        // Standard error may be closed as well: the exit code still says it.
        let _ = report::show_failure(&unheard, false);
        return exit::FAILED;
    }
    code
}

/// Runs every pipeline; gives their summaries in the order of the settings. The second value tells whether nothing was touched and settings did
/// not fit a table.
async fn run_all(
    args: &RunArgs,
    settings: &Settings,
    every: Option<Duration>,
    machine: &Machine,
    progress: &Progress,
    stop: &Arc<AtomicBool>,
    locks: &Holders,
) -> (Vec<PipelineSummary>, bool) {
    let excluded = table_folders(settings);
    let mut places = Places::new(settings, excluded);
    let mut ended: Vec<Option<PipelineSummary>> = vec![None; settings.pipelines.len()];
    let (mut watched, mut places_of, mut errors) = (Vec::new(), Vec::new(), Errors { args, wrong: 0 });
    for (at, pipeline) in settings.pipelines.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        progress.counts().set_phase("ingesting");
        let opened = open(pipeline, settings, &mut places, machine, progress, stop).await;
        lock(locks).extend(places.holders());
        let result = match opened {
            Ok(run) if every.is_some() => {
                watched.push(run);
                places_of.push(at);
                continue;
            }
            Ok(run) => run.run().await.map_err(|e| (Some(run.clone()), e)).map(|()| run),
            Err(e) => Err((None, e)),
        };
        ended[at] = Some(match result {
            Ok(run) => run.take_summary(),
            Err((run, error)) => {
                let empty = || PipelineSummary::new(pipeline.name.as_str(), &pipeline.source, &pipeline.table);
                run.iter().for_each(|run| run.counts().end());
                let summary = errors.note(at, run.map_or_else(empty, |run| run.take_summary()), &error);
                if is_refusal(&error) {
                    places.refused(pipeline).await;
                }
                summary
            }
        });
    }
    if let Some(every) = every.filter(|_| !watched.is_empty()) {
        // The summary may be weeks away.
        let not_watched = |name: &str, failure: &Failure| {
            let (error, help) = (plain(&failure.error), plain(&failure.help));
            progress.messages().line(&format!("pipeline {name} is not watched: {error}; {help}"));
        };
        for summary in ended.iter().flatten() {
            summary.failure.iter().for_each(|failure| not_watched(&summary.name, failure));
        }
        progress.counts().set_phase("watching");
        let (several, mut refused) = (watched.len() > 1, Vec::new());
        watch::watch(&watched, every, |nth, error| {
            let (at, run) = (places_of[nth], &watched[nth]);
            run.counts().end();
            let summary = errors.note(at, run.take_summary(), &error);
            if several && !run.is_interrupted() {
                summary.failure.iter().for_each(|failure| not_watched(&summary.name, failure));
            }
            if is_refusal(&error) {
                refused.push(&settings.pipelines[at]);
            }
            ended[at] = Some(summary);
        })
        .await;
        for (nth, at) in places_of.iter().enumerate() {
            ended[*at].get_or_insert_with(|| watched[nth].take_summary());
        }
        drop(watched);
        for pipeline in refused {
            places.refused(pipeline).await;
        }
    }
    let summaries: Vec<_> = ended.into_iter().flatten().collect();
    let wrong =
        errors.wrong > 0 && errors.wrong == summaries.len() && summaries.iter().all(PipelineSummary::is_refused);
    (summaries, wrong)
}

/// What failed.
struct Errors<'a> {
    args: &'a RunArgs,
    /// How many pipelines failed as settings do not fit their table.
    wrong: usize,
}

impl Errors<'_> {
    /// The summary of the pipeline at this place of the settings, which ended with this error.
    fn note(&mut self, at: usize, mut summary: PipelineSummary, error: &RunError) -> PipelineSummary {
        let mut failure = failure_after(error, &summary);
        if let RunError::Compact(CompactError::Apart(NotOpened::Settings { table, problems })) = error {
            self.wrong += 1;
            let errors: Vec<_> = problems.iter().map(|problem| self.with_origin(at, problem)).collect();
            let told: Vec<_> = errors.iter().map(told_with_origin).collect();
            failure.error = format!("the settings do not fit the table {table}: {}", told.join("; "));
            failure.settings = errors.iter().map(SettingFailure::of).collect();
        }
        summary.failure = Some(failure);
        summary
    }

    /// A problem with a column, with where the column is named.
    fn with_origin(&self, at: usize, problem: &str) -> SettingError {
        let is_key = problem.starts_with("cluster key") || problem.starts_with("the cluster key");
        let setting = if is_key { "cluster_by" } else { "partition_columns" };
        let (setting, origin) = config::origin_of(self.args, at, setting).unwrap_or((setting, Origin::Absent));
        SettingError::new(&origin, setting, problem)
    }
}

/// Where it stands, and what is wrong: the problem names the setting by itself.
fn told_with_origin(error: &SettingError) -> String {
    match &error.origin {
        Origin::Absent => error.problem.clone(),
        origin => format!("{origin}: {}", error.problem),
    }
}

async fn open(
    pipeline: &Pipeline,
    settings: &Settings,
    places: &mut Places,
    machine: &Machine,
    progress: &Progress,
    stop: &Arc<AtomicBool>,
) -> Result<Arc<PipelineRun>, RunError> {
    let table = places.table(pipeline, machine).await?;
    let source = places.source(pipeline).await?;
    let around = Surroundings {
        machine,
        table,
        source,
        workers: settings.workers,
        memory: settings.memory,
        counts: progress.counts().clone(),
        messages: match settings.pipelines.len() {
            1 => progress.messages().clone(),
            _ => progress.messages().about(pipeline.name.as_str()),
        },
        stop: stop.clone(),
    };
    Ok(Arc::new(PipelineRun::open(pipeline.clone(), around).await?))
}

/// The folders of all tables and audit tables: what lies in them is no drop.
fn table_folders(settings: &Settings) -> Vec<PathBuf> {
    let tables = settings.pipelines.iter().map(|pipeline| Path::new(&pipeline.table));
    tables.flat_map(|table| [table.to_owned(), audit_folder(table)]).collect()
}

/// The first signal ends the run after the drops at hand, the second one at once: nothing is lost either way.
fn stop_on_signals(stop: &Arc<AtomicBool>, progress: &Progress, locks: Holders, workers: usize, watching: bool) {
    let (stop, messages) = (stop.clone(), progress.messages().clone());
    tokio::spawn(async move {
        loop {
            if !signalled().await {
                return;
            }
            if stop.swap(true, Ordering::Relaxed) {
                // The user ends the process, not the drops that it reads: none of them is to be blamed.
                for lock in lock(&locks).iter() {
                    (0..workers).for_each(|slot| lock.idle(slot));
                }
                std::process::exit(i32::from(exit::INTERRUPTED));
            }
            let what = if watching { "watching ends" } else { "stopping" };
            messages.line(&format!(
                "{what}: what was read is being committed; once more stops at once, and loses nothing either"
            ));
        }
    });
}

/// Waits for Ctrl-C or a request to end; false if signals cannot be had.
async fn signalled() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return tokio::signal::ctrl_c().await.is_ok() };
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.is_ok(),
        terminated = terminate.recv() => terminated.is_some(),
    }
}

/// Warnings of the parts go where the progress does not tear them.
fn log_to(progress: &Progress) {
    let messages = progress.messages().clone();
    // A wrong one was refused with the settings.
    let Ok(filter) = crate::logging::filter() else { return };
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).event_format(crate::logging::Lines);
    // Set once in this process; a second time would be a defect that costs warnings only.
    let _ = subscriber.with_writer(move || messages.clone()).try_init();
}

/// Whether a pipeline must not be run as things stand.
fn is_refusal(error: &RunError) -> bool {
    matches!(error, RunError::Compact(CompactError::Apart(_)))
}

fn failure(error: &RunError) -> Failure {
    let text = error.to_string();
    let help = match error {
        // Of these no summary is printed that would say so.
        RunError::Compact(CompactError::Apart(NotOpened::Settings { .. })) => {
            return Failure::refusal(text, "nothing of this pipeline was claimed or committed");
        }
        RunError::Compact(CompactError::Apart(NotOpened::TableGone { table })) if table.starts_with(S3) => {
            return Failure { refused: true, ..status::log_lost(table) };
        }
        RunError::Compact(CompactError::Apart(_)) => return Failure::refusal(text, "run again when that is mended"),
        _ if advice::of(&text).is_some() => advice::of(&text).unwrap_or_default(),
        RunError::Ingest(ingest::IngestError::Internal(_)) | RunError::Worker(_) => {
            "nothing is lost; run again with LITHIFY_LOG=debug and report what it says"
        }
        _ => "nothing is lost: run again when the cause is mended, and it goes on where it stopped",
    };
    Failure::new(text, help)
}

/// As [`failure`], of a pipeline that had begun: what it did before it was refused stays.
fn failure_after(error: &RunError, summary: &PipelineSummary) -> Failure {
    let failure = failure(error);
    let begun = summary.tally.drops_ingested + summary.tally.drops_quarantined + summary.tally.commits > 0;
    match begun && failure.refused {
        true => Failure::refusal(failure.error, "nothing more is claimed or committed until that is mended"),
        false => failure,
    }
}

/// The most memory that this process held, in bytes, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_state_folder_does_not_hold_is_not_mended_by_removing_it() {
        let gone = |table: &str| {
            let error = RunError::Compact(CompactError::Apart(NotOpened::TableGone { table: table.to_owned() }));
            failure(&error)
        };
        let (local, remote) = (gone("/t"), gone("s3://lake/t"));
        assert!(local.refused && local.error.contains("remove /t/_lithify and /t_drops to begin anew"), "{local:?}");
        assert!(remote.refused && !format!("{remote:?}").contains("remove"), "{remote:?}");
        assert!(remote.help.contains("restore s3://lake/t/_delta_log"), "{remote:?}");
    }

    #[test]
    fn a_ledger_that_is_not_there_is_told_as_by_status() {
        let reason = "DynamoDB table 'nope': there is no such table in this account and region (x): check it";
        let error = || ledger::LedgerError { action: "be opened", reason: reason.to_owned(), passing: false };
        assert_eq!(failure(&RunError::Ledger(error())), status::of_ledger(error()));
    }
}
