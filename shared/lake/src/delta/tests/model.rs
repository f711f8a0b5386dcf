//! The log on disk and its double in memory do the same, whatever is done to them, while the log is checkpointed and cleaned up.

use proptest::prelude::*;

use super::*;
use crate::MemoryLake;

/// What is done to both tables.
#[derive(Clone, Debug)]
enum Step {
    /// A commit, at this many versions beyond the next (mostly none), of so many files, with a wider schema or not.
    Commit { beyond: i8, app: u8, files: u8, widen: bool },
    /// A checkpoint of a version, counted from the newest.
    Checkpoint { back: u8 },
    /// Clean-up of the commits below the newest checkpoint.
    CleanUp,
    /// A new process.
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let beyond = prop_oneof![8 => Just(0), 1 => Just(-1), 1 => Just(1)];
    let commit = (beyond, 0_u8..3, 0_u8..4, any::<bool>()).prop_map(|(beyond, app, files, widen)| Step::Commit {
        beyond,
        app,
        files,
        widen,
    });
    let step = prop_oneof![
        6 => commit,
        2 => (0_u8..4).prop_map(|back| Step::Checkpoint { back }),
        1 => Just(Step::CleanUp),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..24)
}

/// Both tables, and what makes each commit another.
struct Both {
    folder: Folder,
    disk: DeltaLake,
    memory: MemoryLake,
    columns: usize,
    count: u64,
}

impl Both {
    async fn take(&mut self, step: Step) {
        let next = self.memory.head(&[]).await.expect("head").map_or(0, |head| head.version + 1);
        match step {
            Step::Commit { beyond, app, files, widen } => {
                let version = next.saturating_add_signed(beyond.into());
                self.count += 1;
                self.columns += usize::from(widen);
                let columns: Vec<String> = (0..=self.columns).map(|n| format!("c{n}")).collect();
                let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                let metadata = (widen || version == 0).then(|| metadata(&columns, &[]));
                let adds = (0..files).map(|n| file(&format!("{}-{n}", self.count), n.into())).collect();
                let commit = commit(&format!("app {app}"), self.count, metadata, adds);
                let (disk, memory) =
                    (self.disk.commit(version, &commit).await, self.memory.commit(version, &commit).await);
                assert_eq!(disk.map_err(|_| ()), memory.map_err(|_| ()), "version {version}");
            }
            Step::Checkpoint { back } => {
                let whole =
                    (next.saturating_sub(u64::from(back))..next).all(|v| self.folder.log(&commit_name(v)).exists());
                if let Some(version) = next.checked_sub(1 + u64::from(back)).filter(|_| whole) {
                    // A version below a cleaned log may be gone: that is an error, and changes nothing.
                    let made = self.disk.checkpoint(version).await;
                    assert!(made.is_ok() || !self.folder.log(&commit_name(version)).exists(), "{made:?}");
                }
            }
            Step::CleanUp => {
                let checkpoint =
                    self.disk.log.list(0).expect("listed").checkpoint_below(u64::MAX).map(|(version, _)| version);
                for version in 0..checkpoint.unwrap_or(0) {
                    let _ = fs::remove_file(self.folder.log(&commit_name(version)));
                }
            }
            Step::Reopen => self.disk = self.folder.delta(),
        }
    }

    async fn compare(&self) {
        let apps = ["app 0", "app 1", "app 2"];
        let (disk, memory) = (self.disk.head(&apps).await.expect("head"), self.memory.head(&apps).await.expect("head"));
        let told = |head: Head| (head.version, head.table_id, head.schema, head.configuration, head.txns, head.refusal);
        assert_eq!(disk.map(told), memory.map(told));
        assert_eq!(sorted_files(&self.disk).await, sorted_files(&self.memory).await);
        assert_eq!(self.disk.app_ids("app").await.expect("ids"), self.memory.app_ids("app").await.expect("ids"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn disk_and_memory_do_the_same(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
        runtime.block_on(async {
            let folder = Folder::new();
            let disk = folder.delta();
            let mut both = Both { folder, disk, memory: MemoryLake::new(), columns: 0, count: 0 };
            for step in steps {
                both.take(step).await;
                both.compare().await;
            }
        });
    }
}
