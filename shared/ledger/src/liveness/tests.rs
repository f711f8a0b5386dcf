use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Barrier,
    thread,
    time::{Duration, UNIX_EPOCH},
};

use drops::{BatchId, DropId, Timestamp};
use tempfile::TempDir;

use super::*;

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
const FOLDER: &str = "LITHIFY_TEST_LOCKS";

fn batch(n: u64) -> BatchId {
    BatchId::from_parts(1_700_000_000_000, n.into())
}

fn dead(locks: &ProcessLocks, holder: &str) -> bool {
    locks.is_dead(holder, NOW, NOW)
}

#[test]
fn lives_while_it_is_held_and_goes_when_it_ends_well() {
    let folder = TempDir::new().unwrap();
    let locks = ProcessLocks::new(folder.path());
    let lock = locks.hold("a.1".to_owned()).unwrap();
    for _ in 0..3 {
        assert!(!dead(&locks, "a.1"), "asking does not disturb it");
    }
    assert!(dead(&locks, "never"));
    lock.begin(0, batch(1), Activity::Staging);
    lock.idle(0);
    drop(lock);
    assert!(dead(&locks, "a.1"));
    assert_eq!(locks.suspect("a.1", batch(1)), Suspect::None);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_ends_in_the_middle_of_its_work_leaves_its_evidence() {
    let folder = TempDir::new().unwrap();
    let locks = ProcessLocks::new(folder.path());
    let lock = locks.hold("a".to_owned()).unwrap();
    lock.begin(3, batch(1), Activity::Reading { drop_hash: 7 });
    lock.begin(100, batch(2), Activity::Staging);
    lock.begin(usize::MAX, batch(3), Activity::Staging);
    drop(lock);
    assert!(dead(&locks, "a"));
    assert_eq!(locks.suspect("a", batch(1)), Suspect::Drop(7));
    assert_eq!(locks.suspect("a", batch(2)), Suspect::Any);
    assert_eq!(locks.suspect("a", batch(3)), Suspect::None);
    assert!(matches!(locks.hold("a".to_owned()), Err(LivenessError::Taken(_))), "a name never comes again");
    assert_eq!(locks.suspect("a", batch(1)), Suspect::Drop(7), "and the try changed nothing");
}

#[test]
fn a_panic_is_no_good_end() {
    let folder = TempDir::new().unwrap();
    let locks = ProcessLocks::new(folder.path());
    let lock = locks.hold("a".to_owned()).unwrap();
    let panicked = thread::spawn(move || {
        let _lock = lock;
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert!(dead(&locks, "a"));
    assert!(folder.path().join("a.lock").exists());
}

#[test]
fn names_cannot_leave_the_folder_and_are_used_once() {
    let folder = TempDir::new().unwrap();
    let locks = ProcessLocks::new(folder.path());
    for bad in ["", ".", "..", ".a", "a/b", "a b", "é", &"a".repeat(101)] {
        assert!(matches!(locks.hold(bad.to_owned()), Err(LivenessError::InvalidName(_))), "{bad}");
        assert!(dead(&locks, bad));
        assert_eq!(locks.suspect(bad, batch(1)), Suspect::Any);
    }
    let _held = locks.hold("a".to_owned()).unwrap();
    assert!(matches!(locks.hold("a".to_owned()), Err(LivenessError::Taken(_))));
    assert!(!dead(&locks, "a"));
    let nowhere = ProcessLocks::new(&folder.path().join("absent")).hold("a".to_owned()).unwrap_err();
    assert!(nowhere.to_string().contains("absent"), "{nowhere}");
}

#[test]
fn a_new_process_is_never_seen_unlocked() {
    let folder = TempDir::new().unwrap();
    let locks = ProcessLocks::new(folder.path());
    for n in 0..500 {
        let name = format!("p{n}");
        let ready = Barrier::new(2);
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                ready.wait();
                // Absent first, then alive: at no moment present and free.
                let path = folder.path().join(format!("{name}.lock"));
                loop {
                    if let Ok(file) = File::open(&path) {
                        break file.try_lock_shared().is_err();
                    }
                }
            });
            ready.wait();
            let held = locks.hold(name.clone()).unwrap();
            assert!(asking.join().unwrap());
            drop(held);
        });
    }
}

#[test]
fn sweeps_the_dead_that_nobody_needs() {
    let folder = TempDir::new().unwrap();
    let locks = ProcessLocks::new(folder.path());
    let old = UNIX_EPOCH + Duration::from_micros(NOW.0.cast_unsigned()) - Duration::from_secs(8 * 24 * 3_600);
    let age =
        |name: &str| File::options().write(true).open(folder.path().join(name)).unwrap().set_modified(old).unwrap();
    let living = locks.hold("living".to_owned()).unwrap();
    age("living.lock");
    for name in ["needed", "not-needed", "old"] {
        let lock = locks.hold(name.to_owned()).unwrap();
        lock.begin(0, batch(1), Activity::Staging);
    }
    age("old.lock");
    for name in [".half.lock.tmp", "other.txt"] {
        fs::write(folder.path().join(name), "").unwrap();
        age(name);
    }
    let day = Timestamp(24 * 3_600 * 1_000_000);
    assert_eq!(locks.sweep_dead(&["not-needed", "living", "absent"], Timestamp(NOW.0 - 7 * day.0)).unwrap(), 1);
    assert_eq!(locks.sweep_dead(&[], NOW).unwrap(), 2, "the old one and the one that was never named");
    let mut left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["living.lock", "needed.lock", "other.txt"]);
    assert!(!dead(&locks, "living"));
    drop(living);
}

#[test]
fn a_drops_hash_is_the_same_in_every_build() {
    let mut id = DropId { pipeline: "p".parse().unwrap(), bucket: String::new(), key: "a".to_owned(), version: None };
    assert_eq!(drop_hash(&id), 0xaf63_dc4c_8601_ec8c, "FNV-1a of 'a'");
    id.key = "foobar".to_owned();
    assert_eq!(drop_hash(&id), 0x8594_4171_f739_67e8, "FNV-1a of 'foobar'");
    id.bucket = "b".to_owned();
    assert_ne!(drop_hash(&id), 0x8594_4171_f739_67e8);
}

/// The child: holds a lock, begins two batches, says so and waits to be killed.
#[test]
fn child_that_holds_a_lock_until_it_is_killed() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let lock = ProcessLocks::new(Path::new(&folder)).hold("child".to_owned()).unwrap();
    lock.begin(0, batch(1), Activity::Reading { drop_hash: 41 });
    lock.begin(0, batch(1), Activity::Reading { drop_hash: 42 });
    lock.begin(1, batch(2), Activity::Staging);
    lock.begin(2, batch(3), Activity::Staging);
    lock.idle(2);
    println!("\nready");
    thread::sleep(Duration::from_secs(120));
}

#[test]
fn a_killed_process_is_dead_at_once_and_says_what_it_did() {
    let folder = TempDir::new().unwrap();
    let locks = ProcessLocks::new(folder.path());
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "liveness::tests::child_that_holds_a_lock_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    assert!(output.lines().any(|line| line.unwrap() == "ready"));
    assert!(!dead(&locks, "child"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(dead(&locks, "child"));
    assert_eq!(locks.suspect("child", batch(1)), Suspect::Drop(42));
    assert_eq!(locks.suspect("child", batch(2)), Suspect::Any);
    assert_eq!(locks.suspect("child", batch(3)), Suspect::None);
    assert!(dead(&locks, "child"), "asking changes nothing");
}
