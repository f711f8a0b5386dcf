//! Pipelines that are opened before there is data, commits that a dying process leaves unsettled, time that runs out, staging leftovers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod place;

use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema};
use compactor::{
    Coming, CompactError, Compactor, CompactorSettings, NotOpened, Opened, Outcome, Trigger, Until, Upkeep,
    UpkeepOutcome, first_columns,
};
use decode::hints::Hints;
use decode::schema::TableSchema;
use drops::BatchId;
use lake::Lake;
use ledger::{BatchRecord, Ledger, PipelineSettings};
use place::Place;
use place::dying::{Fuse, dying};
use place::rows::expected;
use runs::{ClusterKey, Manifest, Order};
use runtime::{Clock, SystemClock};
use store::Store;

fn names(schema: &arrow_schema::Schema) -> Vec<&str> {
    schema.fields().iter().map(|field| field.name().as_str()).filter(|name| !name.starts_with('_')).collect()
}

fn with(place: &Place, change: impl FnOnce(&mut CompactorSettings)) -> Compactor {
    let mut settings = CompactorSettings { coming: Coming::Any, ..place.settings() };
    change(&mut settings);
    place.compactor_of_settings(settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_opens_before_its_first_drop_and_its_columns_come_with_the_data() {
    let mut place = Place::new();
    place.order.cluster_key = ClusterKey::Sort(vec!["row".to_owned()]);
    let compactor = with(&place, |_| {});
    let (version, schema) = compactor.ensure_open(&TableSchema::default()).await.unwrap();
    assert_eq!((version, names(&schema)), (0, vec![]));
    // Opened by another once more, nothing changes; the ledger is not taken for a lost one.
    assert_eq!(with(&place, |_| {}).ensure_open(&TableSchema::default()).await.unwrap().0, 0);
    let fixed = place.ledger.settings(&place.name).await.unwrap().unwrap();
    assert!(!fixed.identity_holds_version);

    place.drop_files(0..3).await;
    place.ingest().await;
    let done = compactor.compact(Trigger::Now).await.unwrap();
    assert!(matches!(done, Outcome::Done { commits, unfinished: false, .. } if commits.len() == 1));
    assert_eq!(place.rows().await, expected(3));
    let head = place.lake.head(&[]).await.unwrap().unwrap();
    assert_eq!(names(&head.schema), ["id", "row", "shop"]);
    place.audit_of(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partition_columns_are_there_from_the_start() {
    let mut place = Place::new();
    place.order = Order { partition_columns: vec!["shop".to_owned()], cluster_key: ClusterKey::SourceRow };
    let first = first_columns(&Hints::parse("shop bigint").unwrap(), &place.order.partition_columns);
    let compactor = with(&place, |_| {});
    let (_, schema) = compactor.ensure_open(&first).await.unwrap();
    assert_eq!(names(&schema), ["shop"]);
    place.drop_files(0..3).await;
    place.ingest().await;
    let _ = compactor.compact(Trigger::Now).await.unwrap();
    assert_eq!(place.rows().await, expected(3));
    assert_eq!(place.lake.live_files().await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_table_is_made_or_opened_that_lacks_a_column_of_the_settings() {
    let says = |refused: CompactError, words: &str| {
        assert!(matches!(&refused, CompactError::Apart(NotOpened::Settings { .. })), "{refused}");
        assert!(refused.to_string().contains(words), "{refused}");
    };
    let partitioned = |settings: &mut CompactorSettings| settings.write.order.partition_columns = vec!["shop".into()];
    let sorted = |settings: &mut CompactorSettings| {
        settings.coming = Coming::Hinted(TableSchema::default());
        settings.write.order.cluster_key = ClusterKey::Sort(vec!["theirs".to_owned()]);
    };
    let place = Place::new();
    let first = TableSchema::default();
    says(with(&place, partitioned).ensure_open(&first).await.unwrap_err(), "partition column shop");
    says(with(&place, partitioned).create(&first).await.unwrap_err(), "partition column shop");
    says(with(&place, sorted).create(&first).await.unwrap_err(), "cluster key theirs");
    assert!(place.lake.head(&[]).await.unwrap().is_none(), "nothing was made");
    assert_eq!(place.ledger.newest_schema("table").await.unwrap(), None);
    // The same of a table that stands.
    place.drop_files(0..1).await;
    place.ingest().await;
    says(with(&place, sorted).open().await.unwrap_err(), "cluster key theirs");
    says(with(&place, sorted).ensure_open(&first).await.unwrap_err(), "cluster key theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tells_drops_apart_is_fixed() {
    let place = Place::new();
    with(&place, |settings| settings.identity_holds_version = true).ensure_open(&TableSchema::default()).await.unwrap();
    assert!(place.ledger.settings(&place.name).await.unwrap().unwrap().identity_holds_version);
    let error = with(&place, |_| {}).ensure_open(&TableSchema::default()).await.unwrap_err();
    assert!(matches!(error, CompactError::Apart(NotOpened::OtherIdentity { fixed: true, .. })), "{error}");
    assert!(error.to_string().contains("ingests overwritten objects"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_fixed_and_one_that_an_earlier_build_left_out_is_entered() {
    let place = Place::new();
    let named = |table: &str| with(&place, |settings| table.clone_into(&mut settings.table));
    let fixed = || async { place.ledger.settings(&place.name).await.unwrap().unwrap() };
    let own = place.settings().table;
    named(&own).ensure_open(&TableSchema::default()).await.unwrap();
    assert_eq!(fixed().await.table.as_deref(), Some(own.as_str()));
    let error = named("s3://lake/others").ensure_open(&TableSchema::default()).await.unwrap_err();
    assert!(matches!(error, CompactError::Apart(NotOpened::OtherTableNamed { .. })), "{error}");
    let words = error.to_string();
    assert!(words.contains(&format!("set it back to {own}")) && words.contains("a new name"), "{words}");
    assert!(!words.contains("remove"), "{words}");
    assert!(!named("s3://lake/others").is_fixed().await.unwrap() && named(&own).is_fixed().await.unwrap());

    // As an earlier build fixed another pipeline of the table: all but the table.
    let old: drops::PipelineName = "old".parse().unwrap();
    let of_old = || {
        with(&place, |settings| {
            settings.pipeline = old.clone();
            "elsewhere".clone_into(&mut settings.source);
        })
    };
    let all = PipelineSettings { source: "elsewhere".to_owned(), ..fixed().await };
    let left_out = PipelineSettings { table: None, ..all.clone() };
    place.ledger.fix_settings(&old, &left_out).await.unwrap();
    assert!(!of_old().is_fixed().await.unwrap(), "it is opened again");
    of_old().ensure_open(&TableSchema::default()).await.unwrap();
    assert_eq!(place.ledger.settings(&old).await.unwrap(), Some(all));
    assert!(of_old().is_fixed().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_pipeline_of_a_table_reads_no_other_does() {
    let place = Place::new();
    let schema = TableSchema::default();
    let reads = |name: &str, source: &str| {
        let (name, source) = (name.parse().unwrap(), source.to_owned());
        with(&place, |settings| (settings.pipeline, settings.source) = (name, source))
    };
    reads("first", "source/orders").ensure_open(&schema).await.unwrap();
    for source in ["source/orders", "source/orders/2026", "source"] {
        let error = reads("second", source).ensure_open(&schema).await.unwrap_err();
        assert!(matches!(&error, CompactError::Apart(NotOpened::SourceOfAnother { .. })), "{source}: {error}");
        assert!(place.ledger.settings(&"second".parse().unwrap()).await.unwrap().is_none(), "{source}");
    }
    reads("second", "source/orders-2").ensure_open(&schema).await.unwrap();
    // Nor is what another reads advised for a pipeline whose source has moved.
    for (source, advice) in [
        ("source/orders/2026", "ingest source/orders/2026 into another table"),
        ("source/orders-2", "--name second"),
        ("source/orders-3", "--name NAME"),
    ] {
        let error = reads("first", source).ensure_open(&schema).await.unwrap_err();
        assert!(matches!(&error, CompactError::Apart(NotOpened::OtherSource { .. })), "{source}: {error}");
        assert!(error.to_string().contains(advice), "{source}: {error}");
    }
    // Of another table of the same ledger it is another copy.
    let other = with(&place, |settings| {
        settings.pipeline = "third".parse().unwrap();
        (settings.source, settings.table) = ("source/orders".to_owned(), "another".to_owned());
    });
    let error = other.ensure_open(&schema).await.unwrap_err();
    assert!(
        matches!(&error, CompactError::Apart(NotOpened::LedgerLost { .. })),
        "there is no other table here: {error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_of_others_become_the_newest_version_of_the_schema_once() {
    let place = Place::new();
    let compactor = with(&place, |_| {});
    let table = |names: &[&str]| {
        let field = |name: &&str| Field::new(*name, DataType::Int64, true);
        Schema::new(names.iter().map(field).collect::<Vec<_>>())
    };
    let known = async || {
        let (number, text) = place.ledger.newest_schema("table").await.unwrap().unwrap();
        let schema: TableSchema = serde_json::from_str(&text).unwrap();
        (number, schema.fields.into_iter().map(|field| field.name).collect::<Vec<_>>())
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    compactor.adopt(&table(&["a", "b"])).await.unwrap();
    assert_eq!(known().await, (1, names(&["a", "b"])));
    // Another order is nothing new, nor is a table that does not have all of them yet.
    for same in [&["a", "b"][..], &["b", "a"], &["b"]] {
        compactor.adopt(&table(same)).await.unwrap();
        assert_eq!(known().await.0, 1, "{same:?}");
    }
    compactor.adopt(&table(&["theirs", "b"])).await.unwrap();
    assert_eq!(known().await, (2, names(&["theirs", "b", "a"])));
    // A column of another type, as many as before.
    let fields = vec![Field::new("theirs", DataType::Utf8, true), Field::new("b", DataType::Int64, true)];
    compactor.adopt(&Schema::new(fields)).await.unwrap();
    assert_eq!(known().await, (3, names(&["theirs", "b", "a"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_open_at_once_make_one_table() {
    for _ in 0..20 {
        let place = Place::new();
        let (one, two) = (with(&place, |_| {}), with(&place, |_| {}));
        let schema = TableSchema::default();
        let (one, two) = tokio::join!(one.ensure_open(&schema), two.ensure_open(&schema));
        assert_eq!((one.unwrap().0, two.unwrap().0), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_anywhere_in_a_compaction_leaves_each_batch_committed_once() {
    let mut calls = 0;
    for n in 0.. {
        let mut burnt = false;
        for after_effect in [false, true] {
            let place = Place::new();
            for start in [0, 2, 4] {
                place.drop_files(start..start + 2).await;
                place.ingest().await;
            }
            let fuse = Fuse::new(n, after_effect);
            // The ledger marks the batches of a commit one by one: some may be marked and others not.
            let dead = place.compactor_with(|parts| dying(parts, &fuse, true));
            let _ = dead.compact(Trigger::Now).await;
            burnt |= fuse.burnt();

            let healthy = place.zombie();
            assert!(matches!(healthy.open().await.unwrap(), Opened::Table { .. }));
            let _ = healthy.compact(Trigger::Now).await.unwrap();
            assert_eq!(place.rows().await, expected(6), "call {n}, after its effect: {after_effect}");
            let _ = healthy.upkeep(Upkeep::Full, &Until::never()).await.unwrap();
            place.audit_of(6).await;
        }
        calls = n;
        if !burnt {
            break;
        }
    }
    assert!(calls > 30, "only {calls} calls were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_end_in_time_and_take_no_more_than_they_should() {
    let place = Place::new();
    for n in 0..3 {
        place.drop_files(n..n + 1).await;
        place.ingest().await;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let over = Until::at(clock.clone(), Duration::ZERO);
    let small = || with(&place, |settings| settings.commit_bytes = 1);
    let outcome = small().compact_until(Trigger::Now, &over).await.unwrap();
    assert!(matches!(outcome, Outcome::Done { commits, unfinished: true, .. } if commits.is_empty()));
    assert_eq!(small().waiting().await.unwrap().batches, 3, "nothing is lost");
    let ample = Until::at(clock, Duration::from_secs(3_600));
    let outcome = small().compact_until(Trigger::Now, &ample).await.unwrap();
    assert!(matches!(outcome, Outcome::Done { commits, unfinished: false, .. } if commits.len() == 3));
    assert_eq!(place.rows().await, expected(3));
    place.audit_of(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_leaves_what_another_process_merges() {
    let place = Place::new();
    place.commit_often(1, 1).await;
    // The scratch run of a merge under way, and a file of which nothing is known.
    let (scratch, strange) = ("staging/p/merge-1-0.parquet", "staging/p/strange.parquet");
    for address in [scratch, strange] {
        place.state.put(address, "x".into()).await.unwrap();
    }
    let left = async || place.state.list("staging/p/").await.unwrap().into_iter().map(|(address, _)| address);
    assert!(matches!(place.zombie().open().await.unwrap(), Opened::Table { .. }));
    assert_eq!(left().await.collect::<Vec<_>>(), [scratch, strange]);
    // With the lease it is of the dead.
    let UpkeepOutcome::Done(report) = place.zombie().sweep().await.unwrap() else { panic!("busy") };
    assert_eq!((report.leftovers, left().await.collect::<Vec<_>>()), (1, vec![strange.to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_of_the_dead_are_swept_and_their_batches_aborted_first() {
    let place = Place::new();
    place.commit_often(1, 1).await;
    place.drop_files(1..2).await;
    place.ingest().await;
    let now = SystemClock::new().now().milliseconds();
    let (old, young) = (BatchId::from_parts(now - 1_000_000, 1), BatchId::from_parts(now, 2));
    let put = async |name: String| place.state.put(&format!("staging/p/{name}"), "x".into()).await.unwrap();
    for name in [format!("{old}-0.parquet"), format!("{old}-manifest.jsonl.zst"), format!("{young}-0.parquet")] {
        put(name).await;
    }
    put(format!("merge-{old}-0.parquet")).await;
    // Manifests lie apart: of the dead, of the living, of what is staged, and beside the runs as an earlier build wrote them.
    let void = Manifest::address_of(&place.name, old);
    let kept =
        [Manifest::address_of(&place.name, young), "staging/p/01K00000000000000000000000-manifest.jsonl.zst".into()];
    for address in kept.iter().chain([&void]) {
        place.state.put(address, "x".into()).await.unwrap();
    }
    let manifests = place.state.list("manifests/p/").await.unwrap().len();
    let before = place.state.list("staging/p/").await.unwrap().len();
    let compactor = with(&place, |settings| settings.leftover_age = Duration::from_secs(900));
    let UpkeepOutcome::Done(report) = compactor.upkeep(Upkeep::Full, &Until::never()).await.unwrap() else {
        panic!("busy")
    };
    assert_eq!(report.leftovers, 3);
    assert_eq!(place.state.list("staging/p/").await.unwrap().len(), before - 3);
    assert!(place.state.get(&void).await.is_err(), "the manifest of a void batch goes");
    assert_eq!(place.state.list("manifests/p/").await.unwrap().len(), manifests - 1, "no other does");
    for address in &kept {
        place.state.get(address).await.unwrap();
    }
    assert_eq!(place.ledger.batch(old).await.unwrap(), Some(BatchRecord::Aborted));
    assert_eq!(place.ledger.batch(young).await.unwrap(), None);
    // What is staged is still there to be committed.
    let _ = place.zombie().compact(Trigger::Now).await.unwrap();
    assert_eq!(place.rows().await, expected(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_not_made_beside_the_audit_table_of_a_pipeline_that_its_ledger_does_not_know() {
    let (ours, mut other) = (Place::new(), Place::new());
    other.name = "other".parse().unwrap();
    other.drop_files(0..2).await;
    other.ingest().await;
    let _ = other.compactor().compact(Trigger::Now).await.unwrap();
    let mixed = ours.compactor_with(|parts| parts.audit = other.audit.clone());
    let refused = mixed.ensure_open(&TableSchema::default()).await.unwrap_err();
    let of = match &refused {
        CompactError::Apart(NotOpened::AuditOfAnother { pipeline, audit, .. }) => Some((pipeline.as_str(), *audit)),
        _ => None,
    };
    assert_eq!(of, Some(("other", Some(1))), "{refused}");
    assert!(ours.lake.head(&[]).await.unwrap().is_none(), "a table was made");
}
