//! Drops of orders, plain and compressed, with a bad line here and there, and what must come of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use benches::layout::Shape;
use benches::random::Random;
use benches::row;
use benches::truth::Truth;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Orders in each drop.
pub const ROWS: u64 = 10;

/// What must come of one drop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Records in the file, bad ones counted.
    pub records: i64,
    /// Ordinals of the bad ones.
    pub bad: BTreeSet<i64>,
}

impl Fate {
    /// Rows that the table must have.
    pub fn rows(&self) -> i64 {
        self.records - self.bad.len() as i64
    }

    /// Sum of their `_source_row`: one lost, doubled or shifted row changes it.
    pub fn ordinals(&self) -> i64 {
        self.records * (self.records - 1) / 2 - self.bad.iter().sum::<i64>()
    }
}

/// A growing set of drops below one folder.
pub struct Drops {
    folder: PathBuf,
    shape: Shape,
    random: Random,
    next: u64,
    /// What must come of each drop, by its path below the source.
    pub fates: BTreeMap<String, Fate>,
    /// The truth about all good rows.
    pub truth: Truth,
}

impl Drops {
    /// No drops yet.
    pub fn new(folder: &Path, seed: u64) -> Self {
        let (shape, random) = (Shape::new(0, ROWS, seed), Random::of(seed, &[0xD0]));
        let (fates, truth) = (BTreeMap::new(), Truth::default());
        Self { folder: folder.to_path_buf(), shape, random, next: 0, fates, truth }
    }

    /// Adds `count` drops: of ten one is gzip, one gzip of two members, two have a bad line.
    pub fn add(&mut self, count: u64) {
        for _ in 0..count {
            let file = self.next;
            self.next += 1;
            let bad = matches!(file % 10, 2 | 6).then(|| self.random.below(ROWS + 1) as usize);
            let (lines, fate) = self.lines(file, bad);
            let mut path = self.shape.path(file);
            let content = match file % 10 {
                3 => gzip(&[&lines.concat()]),
                6 => gzip(&[&lines[..4].concat(), &lines[4..].concat()]),
                _ => lines.concat(),
            };
            if matches!(file % 10, 3 | 6) {
                path.push_str(".gz");
            }
            put(&self.folder, &path, &content);
            self.fates.insert(path, fate);
        }
    }

    /// The lines of a drop, with a bad one at `bad`.
    fn lines(&mut self, file: u64, bad: Option<usize>) -> (Vec<Vec<u8>>, Fate) {
        let (partition, first) = (file % self.shape.partitions, file / self.shape.partitions * ROWS);
        let mut lines = Vec::with_capacity(ROWS as usize + 1);
        for offset in first..first + ROWS {
            let mut line = Vec::with_capacity(512);
            self.truth += row::write(&mut line, self.shape.seed, partition, offset);
            lines.push(line);
        }
        if let Some(at) = bad {
            lines.insert(at, b"{\"order_id\":17,\"customer\":{\"id\":\n".to_vec());
        }
        let fate = Fate { records: lines.len() as i64, bad: bad.map(|at| at as i64).into_iter().collect() };
        (lines, fate)
    }

    /// The drops' number.
    pub fn count(&self) -> i64 {
        self.fates.len() as i64
    }
}

/// Puts a drop in its place at once, as a finished upload does: nobody sees half of it.
pub fn put(folder: &Path, path: &str, content: &[u8]) {
    let (target, hidden) = (folder.join(path), folder.join(".arriving"));
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::write(&hidden, content).unwrap();
    fs::rename(&hidden, &target).unwrap();
}

/// One gzip member for each part.
pub fn gzip(parts: &[&[u8]]) -> Vec<u8> {
    let mut content = Vec::new();
    for part in parts {
        let mut member = GzEncoder::new(&mut content, Compression::fast());
        member.write_all(part).unwrap();
        member.finish().unwrap();
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_hold_what_their_fates_say() {
        let folder = tempfile::tempdir().unwrap();
        let mut drops = Drops::new(folder.path(), 1);
        drops.add(7);
        drops.add(13);
        assert_eq!((drops.count(), drops.truth.rows), (20, 200));
        assert_eq!(drops.fates.values().map(Fate::rows).sum::<i64>(), 200);
        for (path, fate) in &drops.fates {
            let content = fs::read(folder.path().join(path)).unwrap();
            let mut text = String::new();
            match path.ends_with(".gz") {
                true => std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(&content[..]), &mut text)
                    .unwrap(),
                false => std::io::Read::read_to_string(&mut &content[..], &mut text).unwrap(),
            };
            let good = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
            let rows: Vec<i64> = (0_i64..).zip(text.lines()).filter(|(_, line)| good(line)).map(|(at, _)| at).collect();
            assert_eq!((rows.len() as i64, rows.iter().sum::<i64>()), (fate.rows(), fate.ordinals()), "{path}");
            assert_eq!(text.lines().count() as i64, fate.records, "{path}");
        }
        assert!(drops.fates.keys().any(|path| path.ends_with(".gz")));
        assert_eq!(drops.fates.values().map(|fate| fate.bad.len()).sum::<usize>(), 4);
    }
}
