//! Commits whose request reaches the server after their process gave them up, or while it still asks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use compactor::{CompactError, Opened, Trigger, Until, Upkeep};
use ledger::Ledger;

use crate::foreign::Writer;
use crate::place::Place;
use crate::place::remote::server;
use crate::place::rows::expected;
use crate::proxy::{Fault, Proxy, Request};
use crate::{check_beside, commits_to, remote, spoil_commits};

/// A plan that keeps the first commit to a table on its way, and refuses each further one: its process gives up.
fn first_is_late(table: &'static str) -> impl Fn(&Request) -> Fault + Send + Sync {
    let is_first = AtomicBool::new(true);
    move |request| match commits_to(request, table) {
        true if is_first.swap(false, Ordering::Relaxed) => Fault::Hold,
        true => Fault::Answer(403, "AccessDenied"),
        false => Fault::None,
    }
}

/// A place with three staged drops whose commit to this table is on its way, its process having given up.
async fn given_up(table: &'static str) -> (Place, Proxy) {
    let mut place = remote();
    place.stage(0..3).await;
    let proxy = place.spoiled(first_is_late(table));
    let error = place.zombie().compact(Trigger::Now).await.unwrap_err();
    assert!(error.to_string().contains("AccessDenied"), "{error}");
    place.heal();
    (place, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_lands_after_its_process_gave_up_is_settled_by_the_next() {
    for table in ["table", "table_drops"] {
        let (place, proxy) = given_up(table).await;
        assert_eq!(place.ledger.head(&place.name).await.unwrap(), None);
        assert_eq!(proxy.deliver(), [200], "{table}");
        assert!(matches!(place.zombie().open().await.unwrap(), Opened::Table { version: 1, .. }));
        assert_eq!(place.ledger.head(&place.name).await.unwrap(), Some(1));
        assert_eq!(place.commits().await, 0, "{table}");
        place.sound(3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_comes_after_another_took_its_place_never_lands() {
    for table in ["table", "table_drops"] {
        let (place, proxy) = given_up(table).await;
        assert_eq!(place.commits().await, usize::from(table == "table"));
        assert_eq!(place.ledger.head(&place.name).await.unwrap(), Some(if table == "table" { 2 } else { 1 }));
        assert_eq!(proxy.deliver(), [412], "{table}");
        place.sound(3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_lands_while_its_process_still_asks_lands_once() {
    // Whichever of its requests is first, as the client asks again by itself: one lands, and is found.
    for (table, times, after) in ["table", "table_drops"]
        .into_iter()
        .flat_map(|table| [(1, 0), (1, 60), (2, 250), (3, 700)].map(|(times, after)| (table, times, after)))
    {
        let mut place = remote();
        place.stage(0..3).await;
        let proxy = place.spoiled(spoil_commits(table, Fault::Hold, times));
        let compacting = place.commits();
        let delivering = async {
            while !proxy.seen().iter().any(|request| commits_to(request, table)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(after)).await;
            tokio::task::block_in_place(|| proxy.deliver())
        };
        let (commits, early) = tokio::join!(compacting, delivering);
        assert_eq!(commits, 1, "{table} {times} {after}");
        let answers = [early, proxy.deliver()].concat();
        assert_eq!(answers.len(), times as usize, "{table} {times} {after}: {answers:?}");
        assert!(answers.iter().filter(|status| **status == 200).count() <= 1, "{answers:?}");
        assert!(answers.iter().all(|status| [200, 412].contains(status)), "{answers:?}");
        place.heal();
        place.sound(3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_comes_when_the_log_was_cleaned_up_beyond_it_is_in_no_version() {
    let (place, proxy) = given_up("table").await;
    assert_eq!(place.commits().await, 1);
    let healed = place.remote.as_ref().unwrap().through(&server());
    let (lake, store) = (healed.lake("table"), healed.store("table"));
    for n in 3..5 {
        place.stage(n..n + 1).await;
        assert_eq!(place.commits().await, 1);
    }
    lake.checkpoint(3).await.unwrap();
    for version in 0..=2 {
        store.delete(&format!("_delta_log/{version:020}.json")).await.unwrap();
    }
    assert_eq!(proxy.deliver(), [200], "its name is free");
    place.stage(5..6).await;
    assert_eq!(place.commits().await, 1);
    Writer::of(place.remote.as_ref().unwrap()).once(&["optimize"]).unwrap();
    assert_eq!(place.remote_rows().await, expected(6));
    let verdict = place.verdict(6).await;
    assert!(verdict.holds(), "{verdict:#?}");
    assert_eq!(verdict.unchecked, ["commits below version 3: the log was cleaned up"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_lands_late_is_void_when_delta_rs_deleted_first() {
    for lands_first in [true, false] {
        let mut place = remote();
        for n in 0..6 {
            place.stage(n..n + 1).await;
            assert_eq!(place.commits().await, 1);
        }
        let proxy = place.spoiled(first_is_late("table"));
        let error = place.zombie().upkeep(Upkeep::Merge, &Until::never()).await.unwrap_err();
        assert!(matches!(error, CompactError::Upkeep { .. }), "{error}");
        place.heal();
        if lands_first {
            assert_eq!(proxy.deliver(), [200]);
        }
        Writer::of(place.remote.as_ref().unwrap()).once(&["delete:id = 2"]).unwrap();
        if !lands_first {
            assert_eq!(proxy.deliver(), [412]);
        }
        assert_eq!(check_beside(&place, 6, &[]).await, 10);
        // What the one that gave up left behind is in nobody's way.
        for n in 6..12 {
            place.stage(n..n + 1).await;
            assert_eq!(place.commits().await, 1);
        }
        let _done = place.zombie().upkeep(Upkeep::Full, &Until::never()).await.unwrap();
        assert_eq!(check_beside(&place, 12, &[]).await, 10);
    }
}
