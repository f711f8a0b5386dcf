//! The flows whose every call is a crash point: what was there before, and the process that crashes.

use std::sync::Arc;
use std::time::Duration;

use compactor::function::Request;
use drops::notification::Notification;

use crate::doubles::{BUCKET, LARGE_QUEUE, QUEUE};
use crate::fault::{Fault, Kind, Plan, Side};
use crate::history::open;
use crate::random::Random;
use crate::world::{
    CompactorSandbox, IngestSandbox, Other, SOURCE, Service, Shape, World, content, deadly, large, lines, unreadable,
};

/// The process that crashes.
pub const VICTIM: &str = "victim.0";

/// One flow.
#[derive(Clone, Copy)]
pub struct Flow {
    /// Its name.
    pub name: &'static str,
    /// What its world is made with.
    pub shape: Shape,
    /// What happened before.
    pub before: fn(&Arc<World>),
    /// The flow itself, on a strand.
    pub run: fn(&Arc<World>, usize),
}

const IGNORING: Shape = Shape {
    ingests_overwrites: false,
    keeps_versions: false,
    has_large_queue: false,
    ahead: 2,
    small_files: 2,
    has_two_pipelines: false,
};

/// All flows.
pub const FLOWS: [Flow; 16] = [
    Flow { name: "ingest", shape: IGNORING, before: four_drops, run: ingest },
    Flow {
        name: "ingest-versions",
        shape: Shape { ingests_overwrites: true, keeps_versions: true, ..IGNORING },
        before: overwritten,
        run: ingest,
    },
    Flow { name: "take-over", shape: IGNORING, before: dead_ingest, run: ingest },
    Flow { name: "compact", shape: IGNORING, before: staged, run: compact },
    Flow { name: "compact-recover", shape: IGNORING, before: unsettled, run: compact },
    Flow { name: "compact-warm", shape: IGNORING, before: open, run: compact_warm },
    Flow { name: "settle-two", shape: IGNORING, before: unsettled_audit, run: compact },
    Flow { name: "upkeep", shape: IGNORING, before: small_files, run: keep_up },
    Flow { name: "open", shape: IGNORING, before: four_drops_unopened, run: open_first },
    Flow { name: "large", shape: Shape { has_large_queue: true, ..IGNORING }, before: large_drops, run: ingest_both },
    Flow { name: "direct", shape: IGNORING, before: direct_events, run: direct },
    Flow {
        name: "ask",
        shape: Shape { ingests_overwrites: true, keeps_versions: true, ..IGNORING },
        before: told_in_part,
        run: ingest,
    },
    Flow { name: "compact-contested", shape: IGNORING, before: staged_and_contested, run: compact },
    Flow { name: "compact-unknown", shape: IGNORING, before: staged_and_lost, run: compact },
    Flow { name: "upkeep-contested", shape: IGNORING, before: small_and_contested, run: keep_up },
    Flow { name: "sweep", shape: IGNORING, before: left_by_the_dead, run: keep_up },
];

/// The flow of a name.
pub fn flow(name: &str) -> Option<&'static Flow> {
    FLOWS.iter().find(|flow| flow.name == name)
}

/// Puts an object and lets S3 tell of it.
pub fn supply(world: &World, key: &str, content: crate::doubles::Content) {
    let notification = world.bucket.put(&format!("{SOURCE}{key}"), content, world.scheduler.now());
    world.notify(QUEUE, &notification, 1);
}

/// A poller that looks once.
pub fn poll(world: &Arc<World>, strand: usize, name: &str, queue: &'static str) {
    let service = Service {
        name: name.to_owned(),
        queue,
        is_large: queue == LARGE_QUEUE,
        rounds: 1,
        pause: Duration::from_secs(1),
        twice: 0,
        seed: world.seed,
    };
    service.run(world, strand);
}

fn four_drops_unopened(world: &Arc<World>) {
    let mut random = Random::branch(world.seed, 7);
    supply(world, "0.json", content(0, &mut random));
    supply(
        world,
        "1.json",
        lines(&[Some(r#"{"id":1,"row":0}"#.to_owned()), None, Some(r#"{"id":1,"new":true}"#.to_owned())]),
    );
    supply(world, "2.json.gz", unreadable(2));
    supply(world, "3.json", content(3, &mut random));
    supply(world, "3.json", content(4, &mut random));
}

fn four_drops(world: &Arc<World>) {
    open(world);
    four_drops_unopened(world);
}

fn overwritten(world: &Arc<World>) {
    four_drops(world);
    supply(world, "1.json", content(5, &mut Random::branch(world.seed, 8)));
}

/// An ingest that died when its batch was staged, long ago; and a drop that ends whoever reads it.
fn dead_ingest(world: &Arc<World>) {
    four_drops(world);
    supply(world, "4.json", deadly(4));
    world.set_plan(Plan::scripted(vec![Fault::of("ledger.seal", Side::Before, Kind::Crash)]));
    world.alone(|strand| poll(world, strand, "earlier", QUEUE));
    world.set_plan(Plan::none());
    world.scheduler.pass(400_000_000);
}

fn ingested(world: &Arc<World>, name: &str) {
    world.alone(|strand| poll(world, strand, name, QUEUE));
    world.scheduler.pass(20_000_000);
}

fn staged(world: &Arc<World>) {
    four_drops(world);
    ingested(world, "earlier");
    supply(world, "5.json", content(5, &mut Random::branch(world.seed, 9)));
    ingested(world, "later");
}

/// A compactor that died when its commit had landed; and more is staged.
fn unsettled(world: &Arc<World>) {
    four_drops(world);
    ingested(world, "earlier");
    died_at(world, "table.commit", Side::After);
    supply(world, "5.json", content(5, &mut Random::branch(world.seed, 9)));
    ingested(world, "later");
}

/// The same, its audit rows having landed.
fn unsettled_audit(world: &Arc<World>) {
    four_drops(world);
    ingested(world, "earlier");
    died_at(world, "audit.commit", Side::After);
    supply(world, "5.json", content(5, &mut Random::branch(world.seed, 9)));
    ingested(world, "later");
}

fn died_at(world: &Arc<World>, operation: &str, side: Side) {
    world.set_plan(Plan::scripted(vec![Fault::of(operation, side, Kind::Crash)]));
    // It dies, and its lease with it.
    let _died = world.compact_as("earlier-compactor", &Request::default());
    world.set_plan(Plan::none());
    world.scheduler.pass(400_000_000);
}

fn small_files(world: &Arc<World>) {
    open(world);
    for number in 0..3 {
        supply(world, &format!("{number}.json"), content(number, &mut Random::branch(world.seed, number)));
        ingested(world, &format!("earlier-{number}"));
        world.compact(&format!("earlier-compactor-{number}"), false);
    }
}

fn large_drops(world: &Arc<World>) {
    four_drops(world);
    supply(world, "6.json", large(6));
    supply(world, "7.json", large(7));
}

fn direct_events(world: &Arc<World>) {
    open(world);
    // One that cannot be read now goes to the queue.
    world.set_plan(Plan::scripted(vec![Fault::of("source.open", Side::Before, Kind::Error).at(BUCKET).after(1)]));
    for number in 0..2 {
        let key = format!("{SOURCE}{number}.json");
        let stuff = content(number, &mut Random::branch(world.seed, number));
        let notification = world.bucket.put(&key, stuff, world.scheduler.now());
        world.tell_directly(&notification);
    }
}

/// Messages that leave something out, so that S3 is asked before anything is claimed; one drop waits for leave to be read.
fn told_in_part(world: &Arc<World>) {
    open(world);
    let mut random = Random::branch(world.seed, 10);
    for number in 0..4 {
        let key = format!("{SOURCE}{number}.json");
        // What has no version, though its bucket keeps them by now, is found by its etag.
        world.bucket.keep_versions(number != 1);
        let told = world.bucket.put(&key, content(number, &mut random), world.scheduler.now());
        let told = match number {
            0 => Notification { size: None, ..told },
            1 | 2 => Notification { version_id: None, ..told },
            _ => told,
        };
        world.notify(QUEUE, &told, 1);
    }
    world.bucket.put(&format!("{SOURCE}1.json"), content(9, &mut random), world.scheduler.now());
    let denied = Fault::of("source.open", Side::Before, Kind::Error).by(VICTIM);
    let denied = denied.at(&format!("{BUCKET}/{SOURCE}3.json")).times(100);
    world.set_plan(Plan::scripted(vec![denied]));
}

/// Another writer changes the table right before the commit, and appends right before the one that is tried then.
fn staged_and_contested(world: &Arc<World>) {
    staged(world);
    world.contest(VICTIM, &[Other::AddColumn, Other::Append]);
}

/// The commit lands and its answer is lost; that of the audit rows is sent twice, and the second answer is that the version is taken.
fn staged_and_lost(world: &Arc<World>) {
    staged(world);
    let lost = Fault::of("table.commit", Side::After, Kind::LostReply).by(VICTIM);
    let twice = Fault::of("audit.commit", Side::Before, Kind::Duplicate).by(VICTIM);
    world.set_plan(Plan::scripted(vec![lost, twice]));
}

/// Another writer appends right before the commit that is to replace small files, and rewrites them all right before the one that is tried then.
fn small_and_contested(world: &Arc<World>) {
    small_files(world);
    world.contest(VICTIM, &[Other::Append, Other::Optimize]);
}

/// An upkeep that died when its files were written, and an ingest that died when its runs were, both longer ago than anybody works on anything.
fn left_by_the_dead(world: &Arc<World>) {
    small_files(world);
    world.set_plan(Plan::scripted(vec![Fault::of("table.commit", Side::Before, Kind::Crash)]));
    let _died = world.compact_as("earlier-upkeep", &Request { pipelines: None, upkeep: true, open: false });
    world.set_plan(Plan::scripted(vec![Fault::of("ledger.seal", Side::Before, Kind::Crash)]));
    supply(world, "7.json", content(7, &mut Random::branch(world.seed, 7)));
    world.alone(|strand| poll(world, strand, "dead", QUEUE));
    world.set_plan(Plan::none());
    world.scheduler.pass(25 * 3_600 * 1_000_000);
}

fn ingest(world: &Arc<World>, strand: usize) {
    poll(world, strand, "victim", QUEUE);
}

fn ingest_both(world: &Arc<World>, strand: usize) {
    poll(world, strand, "victim", QUEUE);
    poll(world, strand, "victim", LARGE_QUEUE);
}

fn compact(world: &Arc<World>, strand: usize) {
    let _answer = CompactorSandbox::new(world).invoke(strand, VICTIM, &Request::default());
}

/// A sandbox that opened the pipeline long ago, and finds a commit of another that died: only compacting itself recovers it.
fn compact_warm(world: &Arc<World>, strand: usize) {
    let sandbox = CompactorSandbox::new(world);
    let _answer = sandbox.invoke(strand, "warmer", &Request { pipelines: None, upkeep: true, open: false });
    four_drops_unopened(world);
    poll(world, strand, "earlier", QUEUE);
    world.scheduler.pass(20_000_000);
    world.add_faults(vec![Fault::of("table.commit", Side::After, Kind::Crash).by("dying")]);
    let _died = CompactorSandbox::new(world).invoke(strand, "dying", &Request::default());
    world.scheduler.pass(400_000_000);
    supply(world, "5.json", content(5, &mut Random::branch(world.seed, 9)));
    poll(world, strand, "later", QUEUE);
    world.scheduler.pass(20_000_000);
    let _answer = sandbox.invoke(strand, VICTIM, &Request::default());
}

fn keep_up(world: &Arc<World>, strand: usize) {
    let request = Request { pipelines: None, upkeep: true, open: false };
    let _answer = CompactorSandbox::new(world).invoke(strand, VICTIM, &request);
}

fn open_first(world: &Arc<World>, strand: usize) {
    let request = Request { pipelines: Some(vec![world.pipeline.to_string()]), upkeep: false, open: true };
    let _answer = CompactorSandbox::new(world).invoke(strand, VICTIM, &request);
}

/// Events without a queue, one after the other: a crash of the first leaves the second to another process.
fn direct(world: &Arc<World>, strand: usize) {
    let mut sandbox = IngestSandbox::new(world, false);
    for event in world.direct_events() {
        if sandbox.port.is_dead() {
            sandbox = IngestSandbox::new(world, false);
        }
        world.invoke_directly(&sandbox, strand, VICTIM, &event);
    }
}
