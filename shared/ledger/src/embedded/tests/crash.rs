//! Processes that are killed while they write: what was answered is there, and the file is whole.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use drops::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{batch, file_in, fresh, open};
use crate::{BatchRecord, ClaimOutcome, EmbeddedLedger, Ledger, SealOutcome, Sealed};

/// Names the ledger for the child; absent in an ordinary run of the tests.
const FILE: &str = "LITHIFY_TEST_LEDGER";
/// Sets the children's drops and batches apart.
const CHILD: &str = "LITHIFY_TEST_CHILD";

/// Drops per batch.
const DROPS: u64 = 20;

fn sealed(n: u64) -> Sealed {
    Sealed {
        pipeline: "p".parse().unwrap(),
        manifest: format!("{n}.json"),
        digest: String::new(),
        drops: DROPS,
        quarantined_drops: 0,
        rows: n,
        rescued_rows: 0,
        quarantined_records: 0,
        source_bytes: 1,
        staged_bytes: 1,
        at: Timestamp(1),
    }
}

/// The child: four workers claim, seal and mark batches and say so after each answer, until the process is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_writes_until_it_is_killed() {
    let (Ok(path), Ok(child)) = (env::var(FILE), env::var(CHILD)) else { return };
    let ledger = Arc::new(EmbeddedLedger::open_existing(Path::new(&path)).unwrap());
    let first: u64 = child.parse::<u64>().unwrap() * 1_000_000;
    let workers: Vec<_> = (0..4).map(|worker| tokio::spawn(work(ledger.clone(), first + worker))).collect();
    for worker in workers {
        worker.await.unwrap();
    }
}

async fn work(ledger: Arc<EmbeddedLedger>, first: u64) {
    for n in (first..).step_by(4) {
        let wanted: Vec<_> = (0..DROPS).map(|k| fresh(format!("{n}/{k}"), n)).collect();
        let outcomes = ledger.claim(&wanted).await.unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == ClaimOutcome::Granted));
        println!("\nclaimed {n}");
        assert_eq!(ledger.seal(batch(n), &sealed(n)).await.unwrap(), SealOutcome::Sealed);
        println!("\nsealed {n}");
        if n % 3 == 0 {
            ledger.mark_committed(&[batch(n)], n).await.unwrap();
            println!("\nmarked {n}");
        }
    }
}

/// Starts two children on one file, kills both after `lines` answers of the first, and gives all answers that they said they had.
fn answers_of_killed_children(path: &Path, round: u64, lines: usize) -> Vec<(String, u64)> {
    let start = |child: u64| {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "embedded::tests::crash::child_that_writes_until_it_is_killed", "--nocapture"])
            .env(FILE, path)
            .env(CHILD, child.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut children = [start(round * 2 + 1), start(round * 2 + 2)];
    let mut output: Vec<_> = children.iter_mut().map(|child| BufReader::new(child.stdout.take().unwrap())).collect();
    let mut said: Vec<String> = output[0].by_ref().lines().take(lines).map(Result::unwrap).collect();
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    said.extend(output.into_iter().flat_map(|lines| lines.lines().map_while(Result::ok)));
    let parse = |line: &String| {
        let (word, n) = line.split_once(' ')?;
        Some((["claimed", "sealed", "marked"].contains(&word).then(|| word.to_owned())?, n.parse().ok()?))
    };
    said.iter().filter_map(parse).collect()
}

#[tokio::test]
async fn every_answered_write_of_a_killed_process_is_there() {
    let folder = TempDir::new().unwrap();
    let path = file_in(&folder);
    drop(open(&path));
    let mut answered = Vec::new();
    for round in 0..6 {
        let news = answers_of_killed_children(&path, round, 40 + 37 * usize::try_from(round).unwrap());
        assert!(news.len() > 15, "the children worked: {news:?}");
        answered.extend(news);
        check(&path, &answered).await;
    }
}

async fn check(path: &Path, answered: &[(String, u64)]) {
    let ledger = EmbeddedLedger::open_existing(path).unwrap();
    for (what, n) in answered {
        let record = ledger.batch(batch(*n)).await.unwrap();
        match what.as_str() {
            "claimed" => {
                let wanted: Vec<_> = (0..DROPS).map(|k| fresh(format!("{n}/{k}"), *n)).collect();
                let ids: Vec<_> = wanted.iter().map(|(id, ..)| id.clone()).collect();
                let claims: Vec<_> = wanted.into_iter().map(|(.., claim)| Some(claim)).collect();
                assert_eq!(ledger.claims(&ids).await.unwrap(), claims);
            }
            "sealed" => assert_eq!(record.unwrap().sealed(), Some(&sealed(*n))),
            _ => assert_eq!(record, Some(BatchRecord::Committed { sealed: sealed(*n), version: *n })),
        }
    }
    let p = "p".parse().unwrap();
    let every = ledger.batches(&p, None, usize::MAX).await.unwrap();
    let staged: Vec<_> = every
        .into_iter()
        .filter_map(|(id, record)| match record {
            BatchRecord::Staged(sealed) => Some((id, sealed)),
            _ => None,
        })
        .collect();
    assert_eq!(ledger.staged(&p).await.unwrap(), staged, "the list agrees with the records");
    let claims = ledger.count_claims(&p).await.unwrap();
    assert_eq!(claims % DROPS, 0, "a call's claims are there together");
    let whole: String =
        Connection::open(path).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
}
