//! The ledger is lost, or set back to an earlier moment.

use std::sync::Arc;

use compactor::function::Request;
use drops::DropId;
use lake::Lake;
use ledger::{ClaimOutcome, Expected, Ledger};

use super::suppliers::waits_for_long;
use super::{demand, staged};
use crate::doubles::{BUCKET, QUEUE, now};
use crate::fault::{Fault, Kind, Plan, Side};
use crate::flows::{poll, supply};
use crate::history::open;
use crate::random::Random;
use crate::world::{CompactorSandbox, TABLE, World, content};

/// The table that the settings name wrongly.
const OTHERS: &str = "s3://lake/others";

fn version(world: &World) -> Option<u64> {
    now(world.table.head(&[])).ok().flatten().map(|head| head.version)
}

fn claims(world: &World) -> u64 {
    now(world.ledger.count_claims(&world.pipeline)).unwrap_or(u64::MAX)
}

/// Up to which number the ledger has intents.
fn intents(world: &World) -> usize {
    (1..).map_while(|number| now(world.ledger.intent(&world.pipeline, number)).ok().flatten()).count()
}

fn fails(world: &Arc<World>, name: &str, request: &Request) -> bool {
    matches!(world.compact_as(name, request), Some(Ok(Some(_))))
}

/// A compactor's sandbox that opened the pipeline while all was well, and committed what was staged.
fn warm(world: &Arc<World>) -> CompactorSandbox {
    let sandbox = CompactorSandbox::new(world);
    let told = world.compact_in(&sandbox, "warm", &Request::default());
    demand(world, matches!(told, Some(Ok(None))), "the compactor that is warm later on works");
    sandbox
}

/// New drops come while older ones are due, and nothing may be claimed or committed, by whomever: a compactor that is asked to open, the
/// scheduled one in a new sandbox, and the scheduled one in a sandbox that opened the pipeline before.
fn stays_closed(world: &Arc<World>, warm: &CompactorSandbox) {
    let (version_before, claims_before, intents_before) = (version(world), claims(world), intents(world));
    let due = now(world.ledger.staged_totals(&world.pipeline)).map_or(0, |totals| totals.batches);
    demand(world, due > 0, "something is due");
    supply(world, "90.json", content(90, &mut Random::new(90)));
    for round in 0..3 {
        // The ledger's identity is taken for granted for a minute.
        world.scheduler.pass(400_000_000);
        world.alone(|strand| poll(world, strand, &format!("closed-{round}"), QUEUE));
        let request = Request { pipelines: Some(vec![world.pipeline.to_string()]), upkeep: round == 2, open: true };
        demand(world, fails(world, &format!("closed-compactor-{round}"), &request), "the compactor opens nothing");
        let scheduled = Request { upkeep: round == 2, ..Request::default() };
        demand(world, fails(world, &format!("cold-compactor-{round}"), &scheduled), "a cold compactor stops");
        let told = world.compact_in(warm, &format!("warm-compactor-{round}"), &scheduled);
        demand(world, matches!(told, Some(Ok(Some(_)))), "a warm compactor stops");
    }
    demand(world, version(world) == version_before, "nothing is committed");
    demand(world, intents(world) == intents_before, "no intent is written");
    demand(world, claims(world) == claims_before, "nothing is claimed");
    demand(world, world.sqs.length(QUEUE) > 0, "the message waits");
}

/// The ledger is a new, empty one: closed until the old one is back, as it was.
pub(super) fn lost(world: &Arc<World>) {
    staged(world);
    let warm = warm(world);
    super::staged_more(world);
    let backup = world.ledger.snapshot();
    let sealed = now(world.ledger.staged(&world.pipeline)).unwrap_or_default();
    let schemas = schemas(world);
    world.ledger.lose("ledger-2".to_owned());
    // An ingest that slept adds its schema to the new ledger, and seals there what it claimed in the old one: so something is due.
    knows_schemas(world, TABLE, &schemas);
    for (id, sealed) in sealed {
        demand(world, now(world.ledger.seal(id, &sealed)).is_ok(), "the batch is sealed in the new ledger");
    }
    stays_closed(world, &warm);
    // Rebuilt: the very ledger, of the moment at which it was lost.
    world.ledger.restore(&backup, Some("ledger-1".to_owned()));
}

/// The table's schemas, from the first on.
fn schemas(world: &World) -> Vec<String> {
    (1..).map_while(|number| now(world.ledger.schema(TABLE, number)).ok().flatten()).collect()
}

fn knows_schemas(world: &World, table: &str, schemas: &[String]) {
    for (number, text) in (1..).zip(schemas) {
        demand(world, now(world.ledger.add_schema(table, number, text)).is_ok(), "the schema is added");
    }
}

/// Set back to before a commit was settled, its intent being known: recovery settles it again, and nothing is there twice.
pub(super) fn restored_before_settling(world: &Arc<World>) {
    staged(world);
    world.set_plan(Plan::scripted(vec![Fault::of("table.commit", Side::After, Kind::Crash)]));
    let _died = world.compact_as("first-compactor", &Request::default());
    world.set_plan(Plan::none());
    let then = world.ledger.snapshot();
    world.scheduler.pass(400_000_000);
    world.compact("second-compactor", false);
    world.ledger.restore(&then, None);
}

/// Set back to before a commit's intent was written, keeping its identity as a copied file does: the log says more than the ledger.
pub(super) fn restored_before_the_intent(world: &Arc<World>) {
    staged(world);
    let then = world.ledger.snapshot();
    world.compact("compactor", false);
    world.ledger.restore(&then, None);
    let version_before = version(world);
    for round in 0..3 {
        world.scheduler.pass(400_000_000);
        world.alone(|strand| poll(world, strand, &format!("set-back-{round}"), QUEUE));
        let refused = fails(world, &format!("set-back-compactor-{round}"), &Request::default());
        demand(world, refused, "the compactor names both numbers and stops");
    }
    demand(world, version(world) == version_before, "nothing is committed");
}

/// Set back to before two commits, their intents being known (as where it was rebuilt): both are settled again, the older one first.
pub(super) fn set_back_with_intents(world: &Arc<World>) {
    staged(world);
    let then = world.ledger.snapshot();
    world.compact("first-compactor", false);
    super::staged_more(world);
    let more = now(world.ledger.staged(&world.pipeline)).unwrap_or_default();
    let drop_of = |number| DropId {
        pipeline: world.pipeline.clone(),
        bucket: BUCKET.to_owned(),
        key: format!("orders/{number}.json"),
        version: None,
    };
    let drops = [40, 41].map(drop_of);
    let claims = now(world.ledger.claims(&drops)).unwrap_or_default();
    world.compact("second-compactor", false);
    let intents = [1, 2].map(|number| now(world.ledger.intent(&world.pipeline, number)).ok().flatten());
    let schema = now(world.ledger.newest_schema(crate::world::TABLE)).ok().flatten();
    world.ledger.restore(&then, None);
    for intent in intents.iter().flatten() {
        let reserved = now(world.ledger.reserve_intent(&world.pipeline, intent));
        demand(world, reserved.is_ok_and(|reserved| reserved), "the intent is put back");
    }
    let wanted = drops.into_iter().zip(claims).filter_map(|(drop, claim)| Some((drop, Expected::Absent, claim?)));
    let claimed = now(world.ledger.claim(&wanted.collect::<Vec<_>>()));
    let granted = claimed.is_ok_and(|all| all.iter().filter(|one| **one == ClaimOutcome::Granted).count() == 2);
    demand(world, granted, "the claims are put back");
    for (id, sealed) in more {
        demand(world, now(world.ledger.seal(id, &sealed)).is_ok(), "the batch is put back");
    }
    if let Some((number, text)) = schema {
        let _stands = now(world.ledger.add_schema(crate::world::TABLE, number, &text));
    }
}

/// Restored as DynamoDB does: the same records in a table of another identity, those of the last moment and those of an earlier one.
pub(super) fn restored_elsewhere(world: &Arc<World>) {
    staged(world);
    let earlier = world.ledger.snapshot();
    let warm = warm(world);
    super::staged_more(world);
    let last = world.ledger.snapshot();
    for (then, identity) in [(last, "ledger-restored"), (earlier, "ledger-restored-from-before")] {
        world.ledger.restore(&then, Some(identity.to_owned()));
        stays_closed(world, &warm);
    }
}

/// Drops come long before the pipeline is opened: they wait.
pub(super) fn opened_late(world: &Arc<World>) {
    for number in 0..3 {
        supply(world, &format!("{number}.json"), content(number, &mut Random::new(number)));
    }
    waits_for_long(world, "closed");
    demand(world, claims(world) == 0, "nothing is claimed");
    open(world);
}

/// The settings name another table for a while: nothing is claimed or committed until they name the right one again.
pub(super) fn table_changed(world: &Arc<World>) {
    staged(world);
    let warm = warm(world);
    super::staged_more(world);
    // It has the same columns: what is staged would do for it.
    knows_schemas(world, OTHERS, &schemas(world));
    let right = world.settings();
    world.set_settings(right.replace(TABLE, OTHERS));
    stays_closed(world, &warm);
    world.set_settings(right);
}
