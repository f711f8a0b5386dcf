//! The Delta log on a real S3 server, which `cargo xtask test` starts.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "these tests do not ask it for everything")]
#[path = "../../../store/tests/s3/proxy.rs"]
mod proxy;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use lake::conformance::{self, Place, commit, file, metadata};
use lake::{Commit, CommitOutcome, DeltaLake, Lake, LakeError, S3Config, S3Credentials, S3Key, S3Requests};
use proxy::{Fault, Proxy, Request};

/// The bucket that the server has from the beginning.
const BUCKET: &str = "lithify";

/// The server's address.
fn server() -> String {
    std::env::var("LITHIFY_S3")
        .expect("LITHIFY_S3 names no S3 server: run this by `cargo xtask test`, which starts one")
}

#[derive(Debug)]
struct TestKey;

#[async_trait::async_trait]
impl S3Credentials for TestKey {
    async fn key(&self) -> Result<S3Key, String> {
        Ok(S3Key { id: "test".into(), secret: "test".into(), token: None })
    }
}

/// Counts requests by their names.
#[derive(Debug, Default)]
struct Counted(Mutex<BTreeMap<&'static str, u32>>);

impl Counted {
    /// What was counted since the last time.
    fn take(&self) -> BTreeMap<&'static str, u32> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl S3Requests for Counted {
    fn sent(&self, operation: &'static str) {
        *self.0.lock().unwrap().entry(operation).or_default() += 1;
    }
}

/// A table that no other test has, under a prefix that something on the way may bend.
#[derive(Clone)]
struct Table {
    prefix: String,
    endpoint: String,
    counted: Arc<Counted>,
}

impl Table {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("lake-{}-{number}/a %41 ü#1?&+/table", std::process::id());
        Self { prefix, endpoint: server(), counted: Arc::default() }
    }

    /// The same table, reached through a proxy.
    fn through(&self, proxy: &Proxy) -> Self {
        Self { endpoint: proxy.endpoint.clone(), ..self.clone() }
    }

    fn delta(&self) -> DeltaLake {
        let config = S3Config {
            address: format!("{}/{BUCKET}", self.endpoint),
            region: Some("us-east-1".into()),
            credentials: Some(Arc::new(TestKey)),
            requests: Some(self.counted.clone()),
        };
        DeltaLake::s3(BUCKET, &self.prefix, &config).unwrap()
    }
}

impl Place for Table {
    fn open(&self) -> Arc<dyn Lake> {
        Arc::new(self.delta())
    }
}

fn made(version: u64) -> Commit {
    let table = (version == 0).then(|| metadata(&["x"], &[]));
    commit("lithify/p", version, table, vec![file(&format!("f{version}"), version)])
}

async fn land(lake: &dyn Lake, versions: std::ops::Range<u64>) {
    for version in versions {
        assert_eq!(lake.commit(version, &made(version)).await.unwrap(), CommitOutcome::Landed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    conformance::all(Table::new).await;
}

#[tokio::test]
async fn conforms_on_one_thread() {
    conformance::all(Table::new).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_do_not_grow_with_the_log() {
    let table = Table::new();
    let lake = table.delta();
    assert!(lake.head(&[]).await.unwrap().is_none());
    table.counted.take();
    land(&lake, 0..41).await;
    table.counted.take();
    lake.head(&[]).await.unwrap();
    table.counted.take();

    // Nothing new.
    lake.head(&["lithify/p"]).await.unwrap();
    assert_eq!(table.counted.take(), BTreeMap::from([("ListObjectsV2", 1)]));

    lake.checkpoint(40).await.unwrap();
    println!("a checkpoint of 41 commits: {:?}", table.counted.take());
    land(&lake, 41..50).await;
    lake.head(&[]).await.unwrap();
    table.counted.take();

    // A process that knows nothing: the hint, a listing, the checkpoint, nine commits.
    let fresh = table.delta();
    let head = fresh.head(&["lithify/p"]).await.unwrap().unwrap();
    assert_eq!((head.version, head.txns["lithify/p"]), (49, 49));
    assert_eq!(table.counted.take(), BTreeMap::from([("ListObjectsV2", 1), ("GetObject", 11)]));

    // A commit: a look before, the put, a look after.
    land(&fresh, 50..51).await;
    assert_eq!(table.counted.take(), BTreeMap::from([("ListObjectsV2", 2), ("PutObject", 1)]));
    assert_eq!(lake.read_commit(51).await.unwrap(), None);
    assert_eq!(table.counted.take(), BTreeMap::from([("ListObjectsV2", 1), ("GetObject", 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_begins_at_what_is_known() {
    let table = Table::new();
    land(&table.delta(), 0..3).await;
    let proxy = Proxy::start(&server(), |_| Fault::None);
    let lake = table.through(&proxy).delta();
    for _ in 0..2 {
        assert_eq!(lake.head(&[]).await.unwrap().unwrap().version, 2);
    }
    let last = proxy.seen().pop().unwrap();
    assert!(last.target.contains("list-type=2") && last.target.contains("start-after="), "{}", last.target);
    assert!(last.target.contains("00000000000000000002") && !last.target.contains("2.json"), "{}", last.target);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_six_writers_of_one_version_one_lands() {
    for version in 0..4 {
        let table = Table::new();
        land(&table.delta(), 0..version).await;
        let writers: Vec<_> = (0..6)
            .map(|writer| {
                let lake = table.delta();
                let mut commit = made(version);
                commit.app_id = format!("writer {writer}");
                tokio::spawn(async move { (writer, lake.commit(version, &commit).await.unwrap()) })
            })
            .collect();
        let mut landed = Vec::new();
        for writer in writers {
            if let (writer, CommitOutcome::Landed) = writer.await.unwrap() {
                landed.push(writer);
            }
        }
        assert_eq!(landed.len(), 1);
        let stands = table.delta().read_commit(version).await.unwrap().unwrap();
        assert_eq!(stands.txns, BTreeMap::from([(format!("writer {}", landed[0]), version)]));
    }
}

/// Commits as the compactor does: only what was read at the version moves it.
async fn commit_surely(lake: &dyn Lake, version: u64) -> u32 {
    for tries in 1..50 {
        match lake.commit(version, &made(version)).await {
            Ok(CommitOutcome::Landed) => return tries,
            Ok(CommitOutcome::Taken) | Err(LakeError::Passing { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        if let Ok(Some(stands)) = lake.read_commit(version).await {
            assert_eq!(stands.txns, BTreeMap::from([("lithify/p".to_owned(), version)]));
            return tries;
        }
    }
    panic!("version {version} does not come to stand");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_lost_on_the_way_no_commit_is_lost_or_doubled() {
    const VERSIONS: u64 = 12;
    for seed in 0..4_u64 {
        let table = Table::new();
        let count = AtomicU32::new(0);
        let proxy = Proxy::start(&server(), move |_| {
            // The same faults in the same order for a seed.
            let n = u64::from(count.fetch_add(1, Ordering::Relaxed));
            let dice = (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ (seed << 7)).rotate_left(29) % 16;
            match dice {
                0 | 1 => Fault::LoseReply,
                2 => Fault::DropRequest,
                3 => Fault::Cut(40),
                4 => Fault::Answer(503, "SlowDown"),
                5 => Fault::Answer(409, "ConditionalRequestConflict"),
                _ => Fault::None,
            }
        });
        let lake = table.through(&proxy).delta();
        for version in 0..VERSIONS {
            commit_surely(&lake, version).await;
            if version == 7 {
                // A checkpoint that fails is tried another time.
                let _ = lake.checkpoint(7).await;
            }
        }
        let lake = table.delta();
        let mut files: Vec<_> = lake.live_files().await.unwrap().into_iter().map(|file| file.path).collect();
        let mut expected: Vec<_> = (0..VERSIONS).map(|version| format!("f{version}")).collect();
        files.sort();
        expected.sort();
        assert_eq!(files, expected, "seed {seed}");
        assert_eq!(lake.head(&[]).await.unwrap().unwrap().version, VERSIONS - 1);
    }
}

fn puts(request: &Request, name: &str) -> bool {
    request.method == "PUT" && request.target.ends_with(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_unknown_and_stands() {
    let table = Table::new();
    land(&table.delta(), 0..1).await;
    let proxy = Proxy::start(&server(), |request| if puts(request, "1.json") { Fault::LoseReply } else { Fault::None });
    let lake = table.through(&proxy).delta();
    let outcome = lake.commit(1, &made(1)).await;
    assert!(!matches!(outcome, Ok(CommitOutcome::Landed)), "{outcome:?}");
    assert!(lake.read_commit(1).await.unwrap().unwrap().txns.contains_key("lithify/p"));
    // Asked again, it is taken: by itself.
    assert_eq!(lake.commit(1, &made(1)).await.unwrap(), CommitOutcome::Taken);
    assert_eq!(lake.live_files().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_no_commit() {
    let table = Table::new();
    land(&table.delta(), 0..1).await;
    let left = AtomicU32::new(2);
    let proxy = Proxy::start(&server(), move |request| {
        let hit = puts(request, "1.json")
            && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
        if hit { Fault::Answer(409, "ConditionalRequestConflict") } else { Fault::None }
    });
    assert_eq!(table.through(&proxy).delta().commit(1, &made(1)).await.unwrap(), CommitOutcome::Landed);

    let proxy = Proxy::start(&server(), |request| {
        if puts(request, "2.json") { Fault::Answer(409, "ConditionalRequestConflict") } else { Fault::None }
    });
    let lake = table.through(&proxy).delta();
    assert!(matches!(lake.commit(2, &made(2)).await, Err(LakeError::Passing { .. })));
    assert_eq!(lake.read_commit(2).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_told_as_such() {
    let table = Table::new();
    land(&table.delta(), 0..2).await;
    let proxy = Proxy::start(&server(), |_| Fault::Answer(403, "AccessDenied"));
    let error = table.through(&proxy).delta().head(&[]).await.unwrap_err();
    assert!(matches!(&error, LakeError::Passing { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("AccessDenied") && text.contains(&format!("s3://{BUCKET}/{}", table.prefix)), "{text}");
    let config =
        S3Config { address: format!("{}/{BUCKET}", server()), region: None, credentials: None, requests: None };
    let error = DeltaLake::s3(BUCKET, "a//b", &config).unwrap_err();
    assert!(error.to_string().contains("a//b"), "{error}");
}
