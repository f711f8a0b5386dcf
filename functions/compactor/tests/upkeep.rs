//! Merging files that are in the table already: the rows stay what they are, whoever commits, crashes or loses answers meanwhile.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod place;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema};
use compactor::{CompactorSettings, Until, Upkeep, UpkeepOutcome, UpkeepSettings};
use drops::BatchId;
use lake::{Foreign, Lake, LiveFile};
use place::Place;
use place::dying::{Fuse, dying, without_lease};
use place::lakes::{Fault, Slow};
use place::rows::expected;
use runs::{ClusterKey, Order};
use runtime::{Clock, Entropy, SystemClock};
use store::Store;

fn partitioned() -> Place {
    let mut place = Place::new();
    place.order =
        Order { partition_columns: vec!["shop".to_owned()], cluster_key: ClusterKey::Sort(vec!["row".to_owned()]) };
    place
}

async fn files(place: &Place) -> Vec<LiveFile> {
    place.lake.live_files().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_files_become_few_sorted_ones() {
    let mut place = partitioned();
    place.small_files = 40;
    place.commit_often(39, 3).await;
    let report = place.upkeep().await;
    assert_eq!((report.files_merged, report.version), (0, None), "one less than it takes");

    place.drop_files(39 * 3..120).await;
    place.ingest().await;
    let _ = place.compactor().compact(compactor::Trigger::Now).await.unwrap();
    assert_eq!(files(&place).await.len(), 120);
    let report = place.upkeep().await;
    assert_eq!((report.files_merged, report.files_written, report.rows), (120, 3, 1_200));
    assert_eq!(report.audit_files_merged, 40);
    assert!(report.left_alone.is_empty() && !report.unfinished, "{report:?}");
    let folders: Vec<_> =
        files(&place).await.iter().map(|file| file.path.split('/').next().unwrap().to_owned()).collect();
    assert!(
        folders.is_sorted_by(|a, b| a < b) && folders.iter().all(|folder| folder.starts_with("shop=")),
        "{folders:?}"
    );
    assert_eq!(place.rows().await, expected(120));
    for rows in place.rows_by_file().await {
        let keys: Vec<_> = rows.iter().map(|(_, row, _, file, source_row)| (*row, file.clone(), *source_row)).collect();
        assert!(keys.is_sorted(), "a merged file is in the table's order");
        assert_eq!(rows.len(), 400);
    }
    // One commit for each table, and nothing left to do.
    let head = place.lake.head(&["lithify/#upkeep"]).await.unwrap().unwrap();
    assert_eq!(head.version, report.version.unwrap());
    assert!(head.txns.contains_key("lithify/#upkeep"));
    assert_eq!(place.upkeep().await.files_merged, 0);
    assert_eq!(place.lake.head(&[]).await.unwrap().unwrap().version, head.version);
    assert_eq!(place.unnamed("table", &place.lake), Vec::<String>::new());
    assert_eq!(place.state.list("upkeep/").await.unwrap(), []);
    place.audit_of(120).await;
    // Work goes on as before.
    place.drop_files(120..123).await;
    place.ingest().await;
    let _ = place.compactor().compact(compactor::Trigger::Now).await.unwrap();
    assert_eq!(place.rows().await, expected(123));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_in_several_passes_keeps_the_rows() {
    let mut place = Place::new();
    (place.small_files, place.merge_memory) = (12, 1 << 20);
    // By row: every file overlaps every other.
    place.order.cluster_key = ClusterKey::Sort(vec!["row".to_owned()]);
    place.commit_often(12, 2).await;
    assert_eq!(place.upkeep().await.files_merged, 12);
    assert_eq!(place.rows().await, expected(24));
    assert_eq!(place.state.list("upkeep/").await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_others_delete_meanwhile_stays_deleted() {
    for with_vector in [false, true] {
        let mut place = Place::new();
        place.small_files = 5;
        place.commit_often(6, 1).await;
        let victim = files(&place).await.swap_remove(2).path;
        let store: Arc<dyn Store> = place.table();
        let victims = files(&place).await.into_iter().find(|file| file.path == victim).unwrap();
        let gone = place::rows::rows_of(&store, &victims).await;
        place.foreign_next(if with_vector {
            Foreign { deletion_vectors: [(victim.clone(), "u1".to_owned())].into(), ..Foreign::default() }
        } else {
            Foreign { removes: vec![victim.clone()], ..Foreign::default() }
        });
        let report = place.upkeep().await;
        // Planned anew without it.
        assert_eq!((report.files_merged, report.files_written), (5, 1));
        let left = files(&place).await;
        let marked = left.iter().find(|file| file.path == victim);
        assert_eq!(marked.and_then(|file| file.deletion_vector.as_deref()), with_vector.then_some("u1"));
        let wanted: Vec<_> = expected(6).into_iter().filter(|row| with_vector || !gone.contains(row)).collect();
        assert_eq!(place.rows().await, wanted);
        assert_eq!(place.unnamed("table", &place.lake), Vec::<String>::new(), "the void plan's files are gone");
        assert_eq!(place.state.list("upkeep/").await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_beside_ours_are_stepped_over_and_changes_of_the_table_are_not() {
    let mut place = Place::new();
    place.small_files = 4;
    place.commit_often(4, 1).await;
    let before = place.lake.head(&[]).await.unwrap().unwrap();
    place.foreign_next(Foreign::default());
    let report = place.upkeep().await;
    assert_eq!((report.files_merged, report.version), (4, Some(before.version + 2)));

    place.commit_often(8, 1).await;
    let head = place.lake.head(&[]).await.unwrap().unwrap();
    let fields = head.schema.fields().iter().cloned().chain([Field::new("theirs", DataType::Utf8, true).into()]);
    place.foreign_before_next_commit(Some(Schema::new(fields.collect::<Vec<_>>()).into()));
    assert_eq!(place.upkeep().await.files_merged, 5);
    let head = place.lake.head(&[]).await.unwrap().unwrap();
    assert!(head.schema.field_with_name("theirs").is_ok());
    assert_eq!(place.rows().await, expected(8));
}

#[tokio::test(flavor = "multi_thread")]
async fn older_files_read_null_in_columns_that_came_later() {
    let mut place = Place::new();
    place.small_files = 4;
    place.commit_often(2, 1).await;
    place.drop_file(7, "{\"id\":7,\"row\":0,\"shop\":1,\"more\":\"x\"}\n");
    for _ in 0..2 {
        place.ingest().await;
        let _ = place.compactor().compact(compactor::Trigger::Now).await.unwrap();
        place.drop_file(8, "{\"id\":8,\"row\":0,\"shop\":2}\n");
    }
    assert_eq!(place.upkeep().await.files_merged, 4);
    let rows = place.rows().await;
    assert_eq!(rows.len(), 22);
    assert_eq!(rows[..20], expected(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_merged_unchanged_is_left_alone() {
    let mut place = Place::new();
    place.small_files = 3;
    place.commit_often(4, 1).await;
    // Somebody takes a column away: the files have one that the table has not.
    let head = place.lake.head(&[]).await.unwrap().unwrap();
    let fields: Vec<_> = head.schema.fields().iter().filter(|field| field.name() != "row").cloned().collect();
    place.change_schema(Schema::new(fields).into());
    let report = place.upkeep().await;
    assert_eq!(report.files_merged, 0);
    assert_eq!(report.left_alone.len(), 4);
    assert!(report.left_alone.values().all(|reason| reason.contains("a column row")), "{report:?}");
    assert_eq!(place.rows().await, expected(4));
}

/// What is compressed with zstd begins so.
const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// Damages a page of each of these files: the header of the first, or what is in the last.
async fn damage_a_page(place: &Place, victims: &[LiveFile], in_header: bool) {
    let store = place.table();
    for victim in victims {
        let mut bytes = store.get(&victim.path).await.unwrap().to_vec();
        let page = bytes.windows(4).rposition(|four| four == ZSTD).unwrap();
        bytes[if in_header { 4..200 } else { page + 6..page + 14 }].fill(0xA5);
        store.put(&victim.path, bytes.into()).await.unwrap();
    }
}

/// A page's header is followed before a file is merged; what is in the page is read while it is.
#[tokio::test(flavor = "multi_thread")]
async fn files_with_a_sound_footer_and_a_damaged_page_are_left_alone_and_the_others_merged() {
    for in_header in [true, false] {
        let mut place = Place::new();
        place.small_files = 4;
        // By row: every file overlaps every other, so that their pages are read.
        place.order.cluster_key = ClusterKey::Sort(vec!["row".to_owned()]);
        place.commit_often(6, 1).await;
        let mut victims = files(&place).await.split_off(4);
        victims.sort_by(|a, b| a.path.cmp(&b.path));
        damage_a_page(&place, &victims, in_header).await;
        let report = place.upkeep().await;
        assert_eq!((report.files_merged, report.files_written, report.rows), (4, 1, 40));
        assert!(report.left_alone.keys().eq(victims.iter().map(|file| &file.path)), "{report:?}");
        assert!(report.left_alone.values().all(|reason| reason.starts_with("it cannot be read: ")), "{report:?}");
        let left: Vec<_> = files(&place).await.into_iter().map(|file| file.path).collect();
        assert!(left.len() == 3 && victims.iter().all(|file| left.contains(&file.path)), "{left:?}");
        assert_eq!(place.unnamed("table", &place.lake), Vec::<String>::new(), "nothing is left of the tries");
        assert_eq!(place.passing_files(), [""; 0]);
    }
}

/// However many are taken at once, and however old those are that cannot be read.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_alone_makes_room_for_others() {
    let mut place = Place::new();
    place.small_files = 2;
    place.commit_often(6, 1).await;
    let mut oldest = files(&place).await;
    oldest.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
    damage_a_page(&place, &oldest[..2], true).await;
    let settings = place.settings();
    let upkeep = UpkeepSettings { bytes: 0, ..settings.upkeep };
    let compactor = place.compactor_of_settings(CompactorSettings { upkeep, ..settings });
    let UpkeepOutcome::Done(report) = compactor.upkeep(Upkeep::Merge, &Until::never()).await.unwrap() else {
        panic!("it is busy")
    };
    assert!(report.files_merged >= 4 && report.left_alone.len() == 2, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_upkeep_leaves_a_checkpoint_of_the_newest_version() {
    let mut place = Place::new();
    place.small_files = 3;
    place.commit_often(4, 1).await;
    let asked = || std::mem::take(&mut *place.lake.checkpoints.lock().unwrap());
    let kept = async |upkeep, until: Until| match place.zombie().upkeep(upkeep, &until).await.unwrap() {
        UpkeepOutcome::Done(report) => (report.files_merged, report.version),
        UpkeepOutcome::Busy { holder } => panic!("{holder} holds the lease"),
    };
    assert_eq!(kept(Upkeep::Merge, Until::never()).await, (4, Some(5)));
    assert_eq!(asked(), [0; 0], "merging alone keeps to the interval");
    assert_eq!(kept(Upkeep::Full, Until::at(Arc::new(SystemClock::new()), Duration::ZERO)).await, (0, None));
    assert_eq!(asked(), [0; 0], "there is no time");
    assert_eq!(kept(Upkeep::Full, Until::never()).await, (0, None));
    assert_eq!(asked(), [5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_half_the_target_size_is_none_that_is_small() {
    let mut place = Place::new();
    place.small_files = 3;
    place.commit_often(4, 1).await;
    let sizes: Vec<u64> = files(&place).await.iter().map(|file| file.size).collect();
    let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
    for (target_file_size, merged) in [(2 * least, 0), (2 * (most + 1), 4)] {
        let compactor = place.compactor_of_settings(CompactorSettings { target_file_size, ..place.settings() });
        match compactor.upkeep(Upkeep::Merge, &Until::never()).await.unwrap() {
            UpkeepOutcome::Done(report) => assert_eq!(report.files_merged, merged, "{target_file_size}"),
            UpkeepOutcome::Busy { holder } => panic!("{holder} holds the lease"),
        }
    }
}

/// It is looked for small files as often as checkpoints are made: every ten versions here.
#[test]
fn upkeep_is_due_where_a_checkpoint_is() {
    let place = Place::new();
    let compactor = place.compactor();
    for (first, version, is_due) in
        [(1, 9, false), (1, 10, true), (10, 10, true), (11, 19, false), (5, 14, true), (11, 20, true), (30, 30, true)]
    {
        assert_eq!(compactor.upkeep_is_due(first, version), is_due, "{first} to {version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_found_in_the_log() {
    for fault in [Fault::LoseAnswer, Fault::FailBefore] {
        let mut place = Place::new();
        place.small_files = 3;
        place.commit_often(3, 1).await;
        let commits = place.lake.commits.load(std::sync::atomic::Ordering::Relaxed);
        place.lake.fault(fault, 3);
        assert_eq!(place.upkeep().await.files_merged, 3, "{fault:?}");
        assert_eq!(place.lake.commits.load(std::sync::atomic::Ordering::Relaxed), commits + 1);
        assert_eq!(place.rows().await, expected(3));
        assert_eq!(place.unnamed("table", &place.lake), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_anywhere_leaves_every_row_once_and_nothing_else() {
    let mut calls = 0;
    for n in 0.. {
        let mut burnt = false;
        for after_effect in [false, true] {
            let mut place = Place::new();
            (place.small_files, place.merge_memory) = (2, 1 << 20);
            place.commit_often(3, 1).await;
            let fuse = Fuse::new(n, after_effect);
            let dead = place.compactor_with(|parts| dying(parts, &fuse, false));
            let _ = dead.upkeep(Upkeep::Full, &Until::never()).await;
            burnt |= fuse.burnt();
            assert_eq!(place.rows().await, expected(3), "call {n}, after its effect: {after_effect}");

            // The next one goes on, and the commit after that sweeps whatever is left.
            let _ = place.upkeep().await;
            assert_eq!(place.rows().await, expected(3), "call {n}, after its effect: {after_effect}");
            place.commit_from(3, 2).await;
            assert!(place.upkeep().await.files_merged >= 2);
            assert_eq!(place.rows().await, expected(5), "call {n}, after its effect: {after_effect}");
            place.audit_of(5).await;
            let left = (place.unnamed("table", &place.lake), place.unnamed("audit", &place.audit));
            assert_eq!(left, Default::default(), "call {n}, after its effect: {after_effect}");
            // Neither a plan nor a run of a merge, wherever it lay.
            assert_eq!(place.passing_files(), [""; 0], "call {n}, after its effect: {after_effect}");
        }
        calls = n;
        if !burnt {
            break;
        }
    }
    assert!(calls > 20, "only {calls} calls were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_plans_that_cannot_land_any_more_the_runs_go_and_of_others_nothing() {
    let mut place = Place::new();
    place.small_files = 4;
    place.commit_often(4, 1).await;
    // Each with a plan and a run of its merge: one below the version that ours will have, and one that was planned above it.
    let (dead, living) = (BatchId::from_parts(1, 1).to_string(), BatchId::from_parts(2, 2).to_string());
    for (attempt, after) in [(&dead, 1), (&living, 1_000)] {
        let plan = format!("{{\"after\":{after},\"folders\":[\"\"]}}");
        place.state.put(&format!("upkeep/table/{attempt}.json"), plan.into()).await.unwrap();
        place.state.put(&format!("upkeep/table/merge-{attempt}-0-0.parquet"), "x".into()).await.unwrap();
    }
    assert_eq!(place.upkeep().await.files_merged, 4);
    let of_living = ["", "merge-"].map(|kind| format!("upkeep/table/{kind}{living}"));
    assert_eq!(place.passing_files(), [format!("{}.json", of_living[0]), format!("{}-0-0.parquet", of_living[1])]);
}

/// Randomness of which each drawing is one more than the last, from a number on.
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn bits(&self) -> u128 {
        self.0.fetch_add(1, Ordering::Relaxed).into()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_rewrites_after_the_same_one_have_numbers_of_their_own_above_its() {
    const STEP: u64 = 1 << 30;
    let merged = async |rounds: &[u64]| {
        let mut place = Place::new();
        place.small_files = 2;
        place.commit_from(0, 1).await;
        let mut numbers = Vec::new();
        for (round, from) in (1..).zip(rounds) {
            place.commit_from(round, 1).await;
            // The attempt's name is the first that is drawn.
            let entropy = Arc::new(Counting(AtomicU64::new(*from)));
            let one = place.compactor_with(|parts| parts.entropy = entropy);
            let UpkeepOutcome::Done(report) = one.upkeep(Upkeep::Merge, &Until::never()).await.unwrap() else {
                panic!("busy")
            };
            assert_eq!(report.files_merged, 2);
            numbers.push(place.lake.head(&["lithify/#upkeep"]).await.unwrap().unwrap().txns["lithify/#upkeep"]);
        }
        numbers
    };
    // However little was drawn a number is above the last one, and however much, there is room for more.
    assert_eq!(merged(&[6, STEP - 1, 2 * STEP + 40, u64::MAX - 10]).await, [8, 9, 51, 51 + STEP - 9]);
    assert_eq!(merged(&[7]).await, [9]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_never_double_a_row() {
    let mut place = Place::new();
    place.small_files = 2;
    place.commit_often(2, 1).await;
    // Every round merges what the last one merged with one file more. The lease keeps nobody away.
    let mut overtaken = 0;
    for seed in 0..200_u64 {
        let drops = u32::try_from(seed).unwrap() + 3;
        place.commit_from(drops - 1, 1).await;
        let slow = |part: u64| {
            place.compactor_with(|parts| {
                parts.owner = format!("upkeep {part}");
                parts.ledger = without_lease(parts.ledger.clone());
                parts.lake = Arc::new(Slow::new(parts.lake.clone(), seed * 2 + part));
            })
        };
        let (one, two) = (slow(0), slow(1));
        let never = Until::never();
        let (one, two) = tokio::join!(one.upkeep(Upkeep::Merge, &never), two.upkeep(Upkeep::Merge, &never));
        for outcome in [one, two] {
            // Its files were swept as those of a plan that cannot land any more.
            match outcome {
                Ok(UpkeepOutcome::Done(report)) => overtaken += u32::from(report.files_merged == 0),
                Ok(UpkeepOutcome::Busy { holder }) => panic!("{holder} holds the lease"),
                Err(error) => {
                    assert!(error.to_string().contains("could not be merged"), "{error}");
                    overtaken += 1;
                }
            }
        }
        assert_eq!(place.rows().await, expected(drops), "seed {seed}");
        let _ = place.upkeep().await;
        assert_eq!(place.rows().await, expected(drops), "seed {seed}");
        assert_eq!(files(&place).await.len(), 1, "seed {seed}");
        assert_eq!(place.unnamed("table", &place.lake), Vec::<String>::new(), "seed {seed}");
    }
    assert!(overtaken > 100, "they hardly met: {overtaken} of 200");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_time_means_no_work_and_no_trace() {
    let mut place = Place::new();
    place.small_files = 3;
    place.commit_often(3, 1).await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let over = Until::at(clock, Duration::ZERO);
    let outcome = place.zombie().upkeep(Upkeep::Merge, &over).await.unwrap();
    assert!(matches!(outcome, UpkeepOutcome::Done(report) if report.unfinished && report.files_merged == 0));
    assert_eq!(place.state.list("upkeep/").await.unwrap(), []);
    assert_eq!(place.upkeep().await.files_merged, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_rewrite_that_is_refused_are_taken_back_unless_it_may_have_been_sent_before() {
    for (fault, may_land) in [(Fault::Refuse, false), (Fault::FailThenRefuse, true)] {
        let mut place = Place::new();
        place.small_files = 4;
        place.commit_often(4, 1).await;
        place.lake.fault(fault, u64::MAX);
        let merged = place.zombie().upkeep(Upkeep::Merge, &Until::never()).await;
        let landed = matches!(&merged, Ok(UpkeepOutcome::Done(report)) if report.files_merged > 0);
        assert!(!landed && merged.is_err() == may_land, "{fault:?}: {merged:?}");
        assert_eq!(place.unnamed("table", &place.lake).is_empty(), !may_land, "{fault:?}");
        place.lake.fault(fault, 0);
        assert_eq!(place.rows().await, expected(4));
        assert_eq!(place.upkeep().await.files_merged, 4);
        assert_eq!(place.rows().await, expected(4));
    }
}
