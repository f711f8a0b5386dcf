//! Suppliers: they put objects, overwrite some, delete some, and S3 tells of it, now and then twice.

use std::sync::Arc;
use std::time::Duration;

use super::{OTHER_SOURCE, SOURCE, World};
use crate::doubles::{Content, QUEUE};
use crate::port::{Call, Port};
use crate::random::Random;

/// JSON lines: every record with these members, the bad ones being none.
pub fn lines(rows: &[Option<String>]) -> Content {
    let mut text = String::new();
    let mut good = Vec::new();
    for (ordinal, row) in (0_i64..).zip(rows) {
        match row {
            Some(row) => {
                text.push_str(row);
                good.push(ordinal);
            }
            None => text.push_str("no record"),
        }
        text.push('\n');
    }
    Content { bytes: text.into(), good, unreadable: false, deadly: false }
}

/// What no inflater reads.
pub fn unreadable(number: u64) -> Content {
    // A gzip member's header (RFC 1952) with nothing behind it that could be inflated.
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    bytes.extend_from_slice(format!("no deflated stream {number}").as_bytes());
    Content { bytes: bytes.into(), unreadable: true, ..Content::default() }
}

/// What ends the process that reads it.
pub fn deadly(number: u64) -> Content {
    Content { deadly: true, ..lines(&[Some(format!(r#"{{"id":{number}}}"#))]) }
}

/// A few records, told by their number from all others.
pub fn content(number: u64, random: &mut Random) -> Content {
    let columns = random.below(4);
    let rows: Vec<Option<String>> = (0..random.between(1, 4))
        .map(|row| {
            let bad = row > 0 && random.chance(150);
            let more = match columns {
                0 => String::new(),
                1 => format!(r#","a":{row}"#),
                2 => r#","b":"text""#.to_owned(),
                // A column of another type than others give it: rescued where they came first.
                _ => r#","a":"text","c":{"d":true}"#.to_owned(),
            };
            (!bad).then(|| format!(r#"{{"id":{number},"row":{row}{more}}}"#))
        })
        .collect();
    lines(&rows)
}

/// What suppliers do in a history.
#[derive(Clone, Debug)]
pub struct Supply {
    /// How many keys there are.
    pub drops: u64,
    /// How many of a thousand are overwritten, and of those that cannot be read how many are repaired.
    pub overwritten: u64,
    /// How many of a thousand are deleted.
    pub deleted: u64,
    /// How many of a thousand are told twice.
    pub twice: u64,
    /// How many of a thousand cannot be read.
    pub unreadable: u64,
    /// How many of a thousand end the process that reads them.
    pub deadly: u64,
    /// How many of a thousand are large.
    pub large: u64,
    /// Its own randomness.
    pub seed: u64,
}

impl Supply {
    /// Supplies, step by step.
    pub fn run(&self, world: &Arc<World>, strand: usize) {
        let mut random = Random::new(self.seed);
        let port = Port::around(world.clone(), random.bits(), strand, "supplier");
        for number in 0..self.drops {
            let is_unreadable = random.chance(self.unreadable);
            let extension = if is_unreadable { "json.gz" } else { "json" };
            let source = if world.shape.has_two_pipelines && number % 2 == 1 { OTHER_SOURCE } else { SOURCE };
            let key = format!("{source}{number:02}.{extension}");
            let first = match number {
                _ if is_unreadable => unreadable(number),
                _ if random.chance(self.deadly) => deadly(number),
                _ if random.chance(self.large) => large(number),
                _ => content(number, &mut random),
            };
            put(&port, &key, first, 1 + u32::from(random.chance(self.twice)));
            if random.chance(400) {
                port.sleep(Duration::from_secs(random.between(1, 20)));
            }
            if !is_unreadable && random.chance(self.overwritten) {
                put(&port, &key, content(100 + number, &mut random), 1);
            }
            if random.chance(self.deleted) {
                let (bucket, deleted) = (world.bucket.clone(), key.clone());
                let show = |_: &()| "deleted".to_owned();
                port.call(Call::read("supplier.delete", &key), move || bucket.delete(&deleted), show, |_| ());
            }
        }
    }
}

/// More than the function for small drops reads, where there is another for large ones.
pub fn large(number: u64) -> Content {
    let row = |row: u64| Some(format!(r#"{{"id":{number},"row":{row},"fill":"{}"}}"#, "x".repeat(200)));
    lines(&(0..25).map(row).collect::<Vec<_>>())
}

fn put(port: &Arc<Port>, key: &str, content: Content, times: u32) {
    let (world, to) = (port.world.clone(), key.to_owned());
    let effect = move || {
        let notification = world.bucket.put(&to, content.clone(), world.scheduler.now());
        world.notify(QUEUE, &notification, times);
    };
    // The supplier's own troubles are none of ours: its call is one that no fault changes but for the moment.
    port.call(Call::read("supplier.put", key), effect, |()| "put and told".to_owned(), |_| ());
}
