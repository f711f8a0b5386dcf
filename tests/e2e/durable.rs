//! What the ledger names is on disk before: seen in the order of the binary's own calls, which a small library that is loaded before
//! all others writes down (`tests/shims/order.c`). A killed process shows nothing of it, as the system keeps what it wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::drops::put;
use end_to_end::place::{self, Place};
use end_to_end::process::{PATIENCE, Process};

use crate::exit;

/// The library, compiled by the compiler that the build needs anyway.
fn library(place: &Place) -> PathBuf {
    let (source, library) = (end_to_end::checkout().join("tests/shims/order.c"), place.path("order.so"));
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    let compiled =
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library).arg(&source).arg("-ldl");
    assert!(compiled.status().expect("a C compiler, as the build needs one").success(), "{compiled:?}");
    library
}

/// What a run did, in order.
fn calls(place: &Place, library: &Path, flags: &[&str]) -> Vec<Vec<String>> {
    let log = place.path("order.log");
    let _ = std::fs::remove_file(&log);
    let mut command = Command::new(place::binary());
    command
        .arg("run")
        .args([place.source(), place.table()])
        .args(["--settle-time", "0s", "--workers", "1"])
        .args(flags);
    command.env("LD_PRELOAD", library).env("DURABLE_LOG", &log);
    Process::start(command, &place.path("durable")).wait(PATIENCE).expect(&[exit::FINAL, exit::QUARANTINED]);
    let text = std::fs::read_to_string(&log).unwrap();
    text.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

/// What is on disk, and under which names, as a power cut would leave it.
#[derive(Default)]
struct Disk {
    /// Files that were flushed since they were made.
    flushed: BTreeSet<String>,
    /// Names and folders that a flush of the folder above has not made durable, each with whether what they name is.
    pending: BTreeMap<String, bool>,
    durable: BTreeSet<String>,
}

impl Disk {
    fn sync(&mut self, path: &str) {
        self.flushed.insert(path.to_owned());
        let above = |name: &str| Path::new(name).parent().is_some_and(|folder| folder == Path::new(path));
        let named: Vec<String> = self.pending.keys().filter(|name| above(name)).cloned().collect();
        for name in named {
            assert_eq!(self.pending.remove(&name), Some(true), "{name} was named before it was flushed");
            self.durable.insert(name);
        }
    }

    fn name(&mut self, from: &str, to: &str) {
        self.pending.insert(to.to_owned(), self.flushed.contains(from));
    }

    /// A file that is durable, with every folder of this run above it.
    fn holds(&self, path: &str) -> bool {
        self.durable.contains(path)
            && !Path::new(path).ancestors().any(|above| self.pending.contains_key(above.to_str().unwrap()))
    }
}

/// Locks are the system's: no power cut leaves one held.
fn is_lock(name: &str) -> bool {
    name.contains("/_lithify/locks/")
}

#[test]
fn what_ledger_and_log_name_is_on_disk_before() {
    let place = Place::new("durable");
    let library = library(&place);
    let table = place.table().canonicalize().unwrap_or_else(|_| place.path("").canonicalize().unwrap().join("table"));
    let state = table.join("_lithify");
    let mut named = BTreeSet::new();
    for round in 0..2 {
        put(
            &place.source(),
            &format!("{round}.json"),
            format!("{{\"id\":{round},\"day\":\"d{round}\"}}\nbroken\n").as_bytes(),
        );
        let (mut disk, mut commits, mut runs) = (Disk::default(), 0, 0);
        for call in calls(&place, &library, &["--partition-columns", "day"]) {
            match &call.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["sync", path] => disk.sync(path),
                ["folder", path] => drop(disk.pending.insert((*path).to_owned(), true)),
                ["name", from, to] => {
                    if to.contains("/_delta_log/") && !to.contains("checkpoint") {
                        commits += 1;
                        let table = Path::new(to).ancestors().nth(2).unwrap().to_str().unwrap();
                        let behind: Vec<_> = disk
                            .pending
                            .keys()
                            .filter(|name| name.starts_with(table) && name.ends_with(".parquet"))
                            .collect();
                        assert!(behind.is_empty(), "the log names what is not on disk: {behind:?}");
                    }
                    runs += u32::from(to.contains("/_lithify/staging/"));
                    disk.name(from, to);
                }
                ["ledger", address] => {
                    let path = state.join(address);
                    if named.insert(path.clone()) {
                        assert!(
                            disk.holds(path.to_str().unwrap()),
                            "the ledger names {address}, which is not on disk: {:?}",
                            disk.pending
                        );
                        let staged = disk.pending.keys().find(|name| name.contains("/_lithify/") && !is_lock(name));
                        assert_eq!(
                            staged, None,
                            "a run or a quarantine file is not on disk when its manifest is named"
                        );
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(commits >= 2 && runs >= 1, "{commits} commits and {runs} runs were seen");
        let left: Vec<_> = disk.pending.keys().filter(|name| !is_lock(name)).collect();
        assert!(left.is_empty(), "names that a power cut may take: {left:?}");
    }
    let kinds =
        ["manifests", "intents"].map(|kind| named.iter().filter(|path| path.starts_with(state.join(kind))).count());
    assert_eq!(kinds, [2, 2], "{named:?}");
}
