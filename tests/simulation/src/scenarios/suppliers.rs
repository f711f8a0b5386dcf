//! What suppliers do to a pipeline.

use std::sync::Arc;
use std::time::Duration;

use drops::notification::Notification;

use super::demand;
use crate::doubles::{DEAD_QUEUE, QUEUE, RECEIVES_MAX};
use crate::fault::{Fault, Kind, Plan, Side};
use crate::flows::{poll, supply};
use crate::history::open;
use crate::port::Port;
use crate::random::Random;
use crate::world::{SOURCE, World, content, deadly, lines, unreadable};

fn ingest(world: &Arc<World>, name: &str) {
    world.alone(|strand| poll(world, strand, name, QUEUE));
}

/// What was quarantined is put again, repaired.
pub(super) fn repaired(world: &Arc<World>) {
    open(world);
    supply(world, "0.json.gz", unreadable(0));
    ingest(world, "first");
    demand(world, world.sqs.length(QUEUE) == 0, "what is quarantined is acknowledged");
    supply(world, "0.json.gz", content(1, &mut Random::new(1)));
    ingest(world, "second");
    demand(world, world.sqs.length(QUEUE) == 0, "what is repaired is taken");
}

/// A key is overwritten before it was read, and after it.
pub(super) fn overwritten(world: &Arc<World>) {
    open(world);
    let mut random = Random::new(2);
    supply(world, "0.json", content(0, &mut random));
    supply(world, "0.json", content(1, &mut random));
    supply(world, "1.json", content(2, &mut random));
    ingest(world, "first");
    supply(world, "0.json", content(3, &mut random));
    supply(world, "1.json", content(4, &mut random));
    world.bucket.delete(&format!("{SOURCE}1.json"));
    ingest(world, "second");
}

/// Some objects have versions and their neighbours none; each is told by hand, without a version, and by S3.
pub(super) fn versions_switched(world: &Arc<World>) {
    open(world);
    let notifications: Vec<Notification> = (0..8)
        .map(|number| {
            world.bucket.keep_versions(number % 2 == 1);
            let stuff = content(number, &mut Random::new(number));
            world.bucket.put(&format!("{SOURCE}{number}.json"), stuff, world.scheduler.now())
        })
        .collect();
    for notification in &notifications {
        world.notify(QUEUE, &Notification { version_id: None, ..notification.clone() }, 1);
    }
    ingest(world, "by-hand");
    demand(world, world.sqs.length(QUEUE) == 0, "what was told by hand is taken");
    for notification in &notifications {
        world.notify(QUEUE, notification, 1);
    }
    ingest(world, "by-s3");
    demand(world, world.sqs.length(QUEUE) == 0, "what S3 told is known");
}

/// Objects were put before their bucket kept versions, and others over them, or a delete marker, before they were read: they are there still.
pub(super) fn overwritten_since_versions(world: &Arc<World>) {
    open(world);
    let mut random = Random::new(10);
    for number in 0..4 {
        supply(world, &format!("{number}.json"), content(number, &mut random));
    }
    world.bucket.keep_versions(true);
    for number in 0..3 {
        supply(world, &format!("{number}.json"), content(10 + number, &mut random));
    }
    for number in [2, 3] {
        world.bucket.delete(&format!("{SOURCE}{number}.json"));
    }
    ingest(world, "first");
    demand(world, world.sqs.length(QUEUE) == 0, "what has a version and what has none are final");
}

/// A message names a version by what is no version's id: it is a dead letter, and its neighbours are final.
pub(super) fn no_version(world: &Arc<World>) {
    open(world);
    let mut random = Random::new(11);
    supply(world, "0.json", content(0, &mut random));
    let told = world.bucket.put(&format!("{SOURCE}1.json"), content(1, &mut random), world.scheduler.now());
    let told = Notification { version_id: Some("none".to_owned()), ..told };
    world.sqs.send(QUEUE, &drops::notification::forward(&told), world.scheduler.now());
    for round in 0..2 {
        ingest(world, &format!("round-{round}"));
        world.scheduler.pass(400_000_000);
    }
    demand(world, world.sqs.length(QUEUE) == 0, "nothing waits");
    demand(world, world.sqs.length(DEAD_QUEUE) == 1, "the dead-letter queue has the one");
}

/// Keys are deleted before they are read, and the versions that were notified stand: they are read.
pub(super) fn deleted(world: &Arc<World>) {
    open(world);
    let mut random = Random::new(6);
    for key in ["0.json", "1.json", "2.json"] {
        supply(world, key, content(0, &mut random));
    }
    supply(world, "3.json.gz", unreadable(3));
    supply(world, "1.json", content(1, &mut random));
    for key in ["0.json", "1.json", "3.json.gz"] {
        world.bucket.delete(&format!("{SOURCE}{key}"));
    }
    ingest(world, "first");
    demand(world, world.sqs.length(QUEUE) == 0, "what is behind a delete marker is final");
}

/// A drop that ends its process: its neighbours are staged, and it is quarantined.
pub(super) fn deadly_among_good(world: &Arc<World>) {
    open(world);
    let mut random = Random::new(3);
    for number in 0..6 {
        supply(world, &format!("{number}.json"), if number == 3 { deadly(3) } else { content(number, &mut random) });
    }
    for round in 0..3 {
        ingest(world, &format!("round-{round}"));
        world.scheduler.pass(400_000_000);
    }
    demand(world, world.sqs.length(QUEUE) == 0, "after its second death it is quarantined");
}

/// After one death the answer to the next claim is lost: no second process has died, so the drop is ingested.
pub(super) fn lost_claims(world: &Arc<World>) {
    open(world);
    supply(world, "0.json", content(0, &mut Random::new(6)));
    world.set_plan(Plan::scripted(vec![Fault::of("ledger.seal", Side::Before, Kind::Crash)]));
    ingest(world, "first");
    world.scheduler.pass(400_000_000);
    // The first claim is refused, what stands is read, and the second takes over.
    world.set_plan(Plan::scripted(vec![Fault::of("ledger.claim", Side::After, Kind::LostReply).after(2)]));
    ingest(world, "second");
}

/// A slow batch leaves a drop out and is sealed between the look of another, who finds no record of it, and that one's abort: the drop is no
/// duplicate, as the batch that was sealed does not hold it.
pub(super) fn sealed_in_between(world: &Arc<World>) {
    open(world);
    supply(world, "0.json", content(0, &mut Random::new(7)));
    supply(world, "1.json", content(1, &mut Random::new(8)));
    let slow = Kind::Delay(Duration::from_secs(1_000));
    world.set_plan(Plan::scripted(vec![
        Fault::of("source.open", Side::Before, Kind::Error).by("slow.0").after(2),
        Fault::of("ledger.seal", Side::Before, slow.clone()).by("slow.0"),
        Fault::of("ledger.abort", Side::Before, slow).by("other.0"),
    ]));
    slow_and_other(world);
}

/// A slow batch is taken for dead and aborted by another that dies over it: when the slow one wakes, nothing of it may be acknowledged.
pub(super) fn void_batch(world: &Arc<World>) {
    open(world);
    supply(world, "0.json", content(0, &mut Random::new(9)));
    world.set_plan(Plan::scripted(vec![
        Fault::of("ledger.seal", Side::Before, Kind::Delay(Duration::from_secs(1_000))).by("slow.0"),
        Fault::of("ledger.seal", Side::Before, Kind::Crash).by("other.0"),
    ]));
    slow_and_other(world);
    demand(world, world.sqs.length(QUEUE) == 1, "the message waits");
    world.audit();
}

/// Two invocations over the same messages, the second when the first is taken for dead.
fn slow_and_other(world: &Arc<World>) {
    world.scheduler.run(vec![
        Box::new(|strand| poll(world, strand, "slow", QUEUE)),
        Box::new(|strand| {
            Port::around(world.clone(), 6, strand, "other").sleep(Duration::from_secs(500));
            poll(world, strand, "other", QUEUE);
        }),
    ]);
}

/// Reading is denied for hours: nothing becomes a dead letter, and what was denied is ingested in the end.
pub(super) fn denied_for_long(world: &Arc<World>) {
    open(world);
    for number in 0..3 {
        supply(world, &format!("{number}.json"), content(number, &mut Random::new(number)));
    }
    world.set_plan(Plan::scripted(vec![Fault::of("source.open", Side::Before, Kind::Error).times(1_000_000)]));
    waits_for_long(world, "denied");
}

/// Reading a drop breaks off when half of its rows were read, as often as it is tried: none of them is kept, its neighbours are, and it comes
/// again.
pub(super) fn broken_off(world: &Arc<World>) {
    open(world);
    // Longer than what is decoded at once, by blanks: some rows are in memory when it breaks off.
    let blanks = " ".repeat(400_000);
    let long = (0..24).map(|row| Some(format!(r#"{{"id":1,{blanks}"row":{row}}}"#))).collect::<Vec<_>>();
    supply(world, "0.json", content(0, &mut Random::new(0)));
    supply(world, "1.json", lines(&long));
    supply(world, "2.json", content(2, &mut Random::new(2)));
    let breaks_off = Fault::of("source.read", Side::Before, Kind::Error).at("vendor/orders/1.json");
    world.set_plan(Plan::scripted(vec![breaks_off.times(100)]));
    ingest(world, "first");
    demand(world, world.sqs.length(QUEUE) == 1, "what broke off waits, and nothing else");
    world.scheduler.pass(20_000_000);
    world.compact("compactor", false);
}

/// Messages come again and again, far more often than a queue bears one.
pub(super) fn waits_for_long(world: &Arc<World>, name: &str) {
    for round in 0..4 * RECEIVES_MAX {
        ingest(world, &format!("{name}-{round}"));
        world.scheduler.pass(400_000_000);
    }
    demand(world, world.sqs.length(QUEUE) == 3, "each drop's message waits");
    demand(world, world.sqs.length(DEAD_QUEUE) == 0, "nothing is a dead letter");
}

/// A message that says nothing: the dead-letter queue has it, or it stays.
pub(super) fn not_understood(world: &Arc<World>) {
    open(world);
    world.sqs.send(QUEUE, "{\"Records\":[{\"eventSource\":\"aws:s3\",\"s3\":7}]}", world.scheduler.now());
    world.set_plan(Plan::scripted(vec![Fault::of("queue.send", Side::Before, Kind::Error)]));
    ingest(world, "first");
    demand(world, world.sqs.length(QUEUE) == 1, "where the dead-letter queue does not take it, it stays");
    world.set_plan(Plan::none());
    world.scheduler.pass(400_000_000);
    ingest(world, "second");
    demand(world, world.sqs.length(QUEUE) == 0, "it is taken off the queue");
    demand(world, world.sqs.length(DEAD_QUEUE) == 1, "the dead-letter queue has it");
}

/// A key is overwritten between the moment when its reading began and the seal.
pub(super) fn replaced_while_read(world: &Arc<World>) {
    open(world);
    for number in 0..3 {
        supply(world, &format!("{number}.json"), content(number, &mut Random::new(number)));
    }
    world.scheduler.choose_by(crate::scheduler::Choice::Preempted((0..60).collect()));
    world.scheduler.run(vec![
        Box::new(|strand| poll(world, strand, "reader", QUEUE)),
        Box::new(|strand| {
            let port = Port::around(world.clone(), 4, strand, "supplier");
            for number in 0..9 {
                let then = world.clone();
                let effect = move || {
                    let row = Some(format!(r#"{{"again":{number}}}"#));
                    supply(&then, &format!("{}.json", number % 3), lines(&[row]));
                };
                port.call(crate::port::Call::read("supplier.put", ""), effect, |()| "put".to_owned(), |_| ());
            }
        }),
    ]);
}

/// One drop, told a hundred times to several at once.
pub(super) fn told_often(world: &Arc<World>) {
    open(world);
    let stuff = content(0, &mut Random::new(5));
    let notification = world.bucket.put(&format!("{SOURCE}0.json"), stuff, world.scheduler.now());
    world.notify(QUEUE, &notification, 100);
    world.scheduler.choose_by(crate::scheduler::Choice::Preempted((0..300).collect()));
    let ingest =
        |name: &'static str| -> crate::history::Strand<'_> { Box::new(move |strand| poll(world, strand, name, QUEUE)) };
    world.scheduler.run(vec![ingest("first"), ingest("second"), ingest("third")]);
}
