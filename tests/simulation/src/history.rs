//! Random histories: a seed decides the workload, who runs when, and what goes wrong.

use std::sync::Arc;
use std::time::Duration;

use compactor::function::Request;

use crate::doubles::{LARGE_QUEUE, QUEUE};
use crate::fault::{Chance, Plan};
use crate::port::Port;
use crate::random::Random;
use crate::report::Report;
use crate::scenarios::other_commits;
use crate::scheduler::Choice;
use crate::world::{Other, Schedule, Service, Shape, Supply, World};

/// One thing that runs beside others, given its strand.
pub type Strand<'a> = Box<dyn FnOnce(usize) + Send + 'a>;

/// The history of a seed.
pub fn of_seed(seed: u64) -> Report {
    let replay = format!("--seed {seed}");
    let mut random = Random::branch(seed, 1);
    let shape = shape(&mut random);
    let world = match World::new(seed, shape) {
        Ok(world) => world,
        Err(why) => return Report::broken("random", replay, why),
    };
    open(&world);
    world.set_plan(plan(&mut random));
    let stay = *random.of(&[0, 300, 700, 950]).unwrap_or(&0);
    world.scheduler.choose_by(Choice::Random { random: Random::branch(seed, 2), stay });
    run_all(&world, &mut random);
    let lands = random.chance(500);
    world.set_plan(Plan::none());
    world.audit();
    world.heal(lands);
    world.judge_healed();
    Report::of("random", replay, &world, format!("{shape:?}, stay {stay}"))
}

/// Opens each pipeline, with nobody beside it.
pub fn open(world: &Arc<World>) {
    for pipeline in world.pipelines() {
        let request = Request { pipelines: Some(vec![pipeline.to_string()]), upkeep: false, open: true };
        match world.compact_as("opener", &request) {
            Some(Ok(None)) => {}
            other => world.violation("L-1", format!("pipeline {pipeline} could not be opened: {other:?}")),
        }
    }
}

fn shape(random: &mut Random) -> Shape {
    let ingests_overwrites = random.chance(400);
    Shape {
        ingests_overwrites,
        keeps_versions: ingests_overwrites && random.chance(700) || random.chance(200),
        has_large_queue: random.chance(400),
        ahead: *random.of(&[0, 2, 64]).unwrap_or(&0),
        small_files: *random.of(&[2, 3]).unwrap_or(&2),
        has_two_pipelines: random.chance(250),
    }
}

fn plan(random: &mut Random) -> Plan {
    let per_mille = *random.of(&[0, 5, 20, 60]).unwrap_or(&0);
    let (budget, crashes) = (random.between(1, 8), random.chance(600));
    Plan::by_chance(Chance { per_mille, budget, crashes, random: Random::new(random.bits()) })
}

/// Suppliers, functions and other writers, all at once.
fn run_all(world: &Arc<World>, random: &mut Random) {
    let mut strands: Vec<Strand<'_>> = Vec::new();
    let supply = Supply {
        drops: random.between(2, 12),
        overwritten: 250,
        deleted: 50,
        twice: 150,
        unreadable: 80,
        deadly: if random.chance(150) { 150 } else { 0 },
        large: if world.shape.has_large_queue { 200 } else { 30 },
        seed: random.bits(),
    };
    strands.push(Box::new(move |strand| supply.run(world, strand)));
    for number in 0..random.between(1, 3) {
        let service = service(format!("ingest-{number}"), QUEUE, random);
        strands.push(Box::new(move |strand| service.run(world, strand)));
    }
    if world.shape.has_large_queue {
        let service = Service { is_large: true, ..service("large".to_owned(), LARGE_QUEUE, random) };
        strands.push(Box::new(move |strand| service.run(world, strand)));
    }
    for number in 0..random.between(1, 2) {
        let schedule = Schedule {
            name: format!("compactor-{number}"),
            rounds: u32::try_from(random.between(1, 4)).unwrap_or(1),
            pause: Duration::from_secs(random.between(5, 40)),
            upkeep: 400,
            seed: random.bits(),
        };
        strands.push(Box::new(move |strand| schedule.run(world, strand)));
    }
    if random.chance(300) {
        let (seed, times) = (random.bits(), random.between(1, 4));
        strands.push(Box::new(move |strand| others(world, strand, seed, times)));
    }
    world.scheduler.run(strands);
}

fn service(name: String, queue: &'static str, random: &mut Random) -> Service {
    Service {
        name,
        queue,
        is_large: false,
        rounds: u32::try_from(random.between(2, 6)).unwrap_or(2),
        pause: Duration::from_secs(random.between(1, 60)),
        twice: *random.of(&[0, 100, 500]).unwrap_or(&0),
        seed: random.bits(),
    }
}

/// Other writers of the table, now and then.
pub fn others(world: &Arc<World>, strand: usize, seed: u64, times: u64) {
    let mut random = Random::new(seed);
    let port = Port::around(world.clone(), seed, strand, "others");
    for _ in 0..times {
        port.sleep(Duration::from_secs(random.between(1, 40)));
        let all = [Other::Append, Other::Delete, Other::Optimize, Other::AddColumn, Other::Empty];
        let what = *random.of(&all).unwrap_or(&Other::Empty);
        other_commits(&port, what);
    }
}
