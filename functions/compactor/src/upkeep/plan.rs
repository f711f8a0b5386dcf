//! Which files are merged. Pure, but for the reading of the log at the end.

use std::collections::BTreeMap;

use lake::{Head, LiveFile};
use runs::RunInput;

use super::{Kept, UPKEEP_APP_ID, UpkeepReport, UpkeepSettings};
use crate::{CompactError, Compactor, Until};

/// The most files of one commit.
const FILES_MAX: usize = 2_000;

/// More files than this that cannot be merged are not looked for in one call.
const LEFT_ALONE_MAX: usize = 2_000;

/// The values of the partition columns.
pub(super) type Partition = BTreeMap<String, Option<String>>;

/// What one commit rewrites.
#[derive(Debug)]
pub(super) struct Plan {
    /// The table at the version at which the files are live.
    pub(super) head: Head,
    /// Partitions with the files to be merged in each.
    pub(super) groups: Vec<Group>,
}

/// Files of one partition that are merged.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) partition: Partition,
    pub(super) files: Vec<(LiveFile, RunInput)>,
}

impl Compactor {
    /// The next rewrite, if there is one to be done.
    pub(super) async fn plan(
        &self,
        kept: &Kept,
        until: &Until,
        report: &mut UpkeepReport,
    ) -> Result<Option<Plan>, CompactError> {
        let Some(head) = kept.lake.head(&[UPKEEP_APP_ID]).await? else { return Ok(None) };
        if head.refusal.is_some() || head.partition_columns != kept.order.partition_columns {
            return Ok(None);
        }
        let below = self.settings.target_file_size.saturating_mul(self.settings.upkeep.percent) / 100;
        let files = kept.lake.small_files(head.version, below).await?;
        let settings = UpkeepSettings { bytes: self.settings.upkeep.bytes.min(until.bytes()), ..self.settings.upkeep };
        loop {
            let known = report.left_alone.len();
            let open = files.iter().filter(|file| !report.left_alone.contains_key(&file.path)).cloned().collect();
            let chosen = choose(open, &head.partition_columns, &settings);
            if chosen.is_empty() {
                return Ok(None);
            }
            if until.is_over() {
                report.unfinished = true;
                return Ok(None);
            }
            let mut groups = Vec::new();
            for (partition, files) in chosen {
                let files = self.inspect(kept, &head, files, report).await?;
                // With what is left alone taken away there may be too few.
                if files.len() >= settings.files.max(2) {
                    groups.push(Group { partition, files });
                }
            }
            if !groups.is_empty() {
                return Ok(Some(Plan { head, groups }));
            }
            // What was left alone now makes room for others of its partition, up to a bound: each look is a few reads.
            if !(known + 1..LEFT_ALONE_MAX).contains(&report.left_alone.len()) {
                return Ok(None);
            }
        }
    }
}

/// The partitions that have enough small files, with the oldest of these, up to what one commit rewrites.
fn choose(
    files: Vec<LiveFile>,
    partition_columns: &[String],
    settings: &UpkeepSettings,
) -> Vec<(Partition, Vec<LiveFile>)> {
    let mut partitions: BTreeMap<Partition, Vec<LiveFile>> = BTreeMap::new();
    for file in files.into_iter().filter(|file| may_be_merged(file, partition_columns)) {
        partitions.entry(file.partition_values.clone()).or_default().push(file);
    }
    let (mut count, mut bytes, mut chosen) = (0, 0, Vec::new());
    for (partition, mut files) in partitions {
        if files.len() < settings.files.max(2) {
            continue;
        }
        if count > 0 && (count + files.len() > FILES_MAX || bytes >= settings.bytes) {
            break;
        }
        files.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
        let enough = enough(&files, settings);
        files.truncate(enough);
        (count, bytes) = (count + files.len(), bytes + files.iter().map(|file| file.size).sum::<u64>());
        chosen.push((partition, files));
    }
    chosen
}

/// How many of a partition's files are taken at once: never fewer than make a merge worth its while.
fn enough(files: &[LiveFile], settings: &UpkeepSettings) -> usize {
    let mut bytes = 0_u64;
    let within = files.iter().take_while(|file| {
        bytes = bytes.saturating_add(file.size);
        bytes <= settings.bytes
    });
    within.count().max(settings.files.max(2)).min(FILES_MAX)
}

/// Whether a file may be rewritten: it is ours to read (no address elsewhere), no reader must leave out rows of it, it has rows, and
/// it says in which partition it is.
fn may_be_merged(file: &LiveFile, partition_columns: &[String]) -> bool {
    file.deletion_vector.is_none()
        && is_within(&file.path)
        && file.rows != Some(0)
        && file.partition_values.len() == partition_columns.len()
        && partition_columns.iter().all(|column| file.partition_values.contains_key(column))
}

/// Whether a path is relative to the table.
pub(super) fn is_within(path: &str) -> bool {
    // One that begins with a slash, or with a scheme and two, has an empty part.
    !path.split('/').any(|part| part == ".." || part.is_empty())
}

#[cfg(test)]
mod tests {
    use drops::Timestamp;

    use super::*;

    fn file(path: &str, size: u64, day: Option<&str>) -> LiveFile {
        LiveFile {
            path: path.to_owned(),
            spelled: path.to_owned(),
            size,
            rows: Some(1),
            modified: Timestamp(0),
            partition_values: day.map(|day| ("day".to_owned(), Some(day.to_owned()))).into_iter().collect(),
            deletion_vector: None,
        }
    }

    fn chosen(files: Vec<LiveFile>, settings: UpkeepSettings) -> Vec<Vec<String>> {
        let paths = |(_, files): (_, Vec<LiveFile>)| files.into_iter().map(|file| file.path).collect();
        choose(files, &["day".to_owned()], &settings).into_iter().map(paths).collect()
    }

    #[test]
    fn partitions_with_enough_small_files_are_chosen() {
        let settings = UpkeepSettings { files: 2, percent: 50, bytes: 1 << 30 };
        let files = vec![file("a1", 1, Some("a")), file("b1", 1, Some("b")), file("a2", 1, Some("a"))];
        assert_eq!(chosen(files, settings), [["a1", "a2"]]);
    }

    #[test]
    fn what_must_not_be_rewritten_does_not_count() {
        let settings = UpkeepSettings { files: 2, percent: 50, bytes: 1 << 30 };
        let good = file("good", 1, Some("a"));
        let marked = LiveFile { deletion_vector: Some("u1".to_owned()), ..file("marked", 1, Some("a")) };
        let empty = LiveFile { rows: Some(0), ..file("empty", 1, Some("a")) };
        let elsewhere = file("s3://other/table/x", 1, Some("a"));
        for other in [marked, empty, elsewhere, file("/absolute", 1, Some("a")), file("no-partition", 1, None)] {
            let name = other.path.clone();
            assert!(chosen(vec![good.clone(), other], settings).is_empty(), "{name}");
        }
    }

    #[test]
    fn one_commit_rewrites_a_bounded_part_the_oldest_first() {
        let settings = UpkeepSettings { files: 2, percent: 50, bytes: 25 };
        let aged = |path: &str, at| LiveFile { modified: Timestamp(at), ..file(path, 10, Some("a")) };
        let files =
            vec![aged("3", 3), aged("1", 1), aged("2", 2), file("b1", 10, Some("b")), file("b2", 10, Some("b"))];
        assert_eq!(chosen(files.clone(), settings), [["1", "2"], ["b1", "b2"]]);
        let tight = UpkeepSettings { bytes: 20, ..settings };
        assert_eq!(chosen(files.clone(), tight), [["1", "2"]]);
        // However tight: fewer than two would never get anywhere.
        assert_eq!(chosen(files, UpkeepSettings { bytes: 0, ..settings }), [["1", "2"]]);
    }

    #[test]
    fn one_commit_rewrites_so_many_files() {
        let settings = UpkeepSettings { files: 2, percent: 50, bytes: 1 << 30 };
        for (of_a, partitions) in [(FILES_MAX - 2, 2), (FILES_MAX - 1, 1)] {
            let mut files: Vec<_> = (0..of_a).map(|n| file(&format!("a{n}"), 1, Some("a"))).collect();
            files.extend(["b1", "b2"].map(|path| file(path, 1, Some("b"))));
            assert_eq!(chosen(files, settings).len(), partitions, "{of_a}");
        }
    }

    #[test]
    fn a_path_is_within_the_table_or_not() {
        for (path, within) in [
            ("a.parquet", true),
            ("day=a/b..c.parquet", true),
            ("/a", false),
            ("s3://b/a", false),
            ("a/../../b", false),
            ("a//b", false),
        ] {
            assert_eq!(is_within(path), within, "{path}");
        }
    }
}
